//! One line of input: a scrape of one stream, or its history.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A line as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line<'a> {
    /// Which release this is about.
    #[serde(borrow, default)]
    pub(super) stream: Cow<'a, str>,
    /// Seconds on any clock that does not go back.
    #[serde(default)]
    pub(super) t: Option<f64>,
    /// Number of the step, rising.
    #[serde(default)]
    pub(super) step: u32,
    /// The candidate's weight in per cent.
    #[serde(default)]
    pub(super) weight: Option<f64>,
    /// The weight of the step that follows, where it is known.
    #[serde(default)]
    pub(super) next: Option<f64>,
    /// Whether promotion follows.
    #[serde(default, rename = "final")]
    pub(super) last: bool,
    /// What was measured, by metric.
    #[serde(borrow, default)]
    pub(super) metrics: BTreeMap<Cow<'a, str>, Arms<'a>>,
    /// The baseline's past, pod by pod; before the first scrape.
    #[serde(default)]
    pub(super) history: Option<Vec<Past>>,
}

/// One past moment of the baseline.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Past {
    /// Its time; before the first scrape's.
    pub(super) t: f64,
    /// Requests and bad ones of each pod since the moment before.
    pub(super) pods: Vec<(Whole, Whole)>,
}

/// Both arms of a metric.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Arms<'a> {
    /// The version on trial.
    #[serde(borrow)]
    pub(super) candidate: Arm<'a>,
    /// What runs beside it.
    #[serde(borrow)]
    pub(super) baseline: Arm<'a>,
}

/// One arm: increments, or raw cumulative series.
#[derive(Debug)]
pub(super) enum Arm<'a> {
    Increments(Increments),
    Series(Vec<Series<'a>>),
}

/// Increments since the stream's last line.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Increments {
    /// Requests.
    pub(super) n: Whole,
    /// Bad ones.
    #[serde(default)]
    pub(super) x: Whole,
    /// Cumulative histogram in place of `x`: how many took at most so many seconds.
    #[serde(default)]
    pub(super) buckets: Option<Vec<(f64, Whole)>>,
}

/// A raw cumulative series.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Series<'a> {
    /// What tells it from others.
    #[serde(borrow, rename = "series")]
    pub(super) name: Cow<'a, str>,
    /// When its counters began at 0, on the clock of `t`.
    #[serde(default)]
    pub(super) started: Option<f64>,
    /// Requests so far.
    pub(super) n: Whole,
    /// Bad ones so far.
    #[serde(default)]
    pub(super) x: Whole,
}

impl<'de: 'a, 'a> Deserialize<'de> for Arm<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Arm<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with n and x, or a list of series")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Deserialize::deserialize(MapAccessDeserializer::new(map)).map(Arm::Increments)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Deserialize::deserialize(SeqAccessDeserializer::new(list)).map(Arm::Series)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// A count: a whole number that is not negative, also if it is written as `150.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whole(pub(super) u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = Whole;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of at least 0")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Whole, E> {
                Ok(Whole(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
                u64::try_from(value)
                    .map(Whole)
                    .map_err(|_| E::custom(format!("a count is negative: {value}")))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
                // 2^53: up to here every whole number is exact.
                if value.fract() == 0.0 && (0.0..=9_007_199_254_740_992.0).contains(&value) {
                    Ok(Whole(value as u64))
                } else {
                    Err(E::custom(format!(
                        "a count is not a whole number of at least 0: {value}"
                    )))
                }
            }
        }
        deserializer.deserialize_any(Number)
    }
}

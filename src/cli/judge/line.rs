//! One line of input: a scrape of one stream, or its history.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Up to here, 2^53, every whole number is exact as a real one.
pub(super) const LARGEST: u64 = 1 << 53;

/// A line as it was written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
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
    pub(super) metrics: Named<'a, Arms<'a>>,
    /// What the pods use, by gauge.
    #[serde(borrow, default)]
    pub(super) gauges: Named<'a, Gauge<'a>>,
    /// Candidate pods at the next step; by default as many as now.
    #[serde(default)]
    pub(super) pods: Option<u32>,
    /// The baseline's past, pod by pod; before the first scrape.
    #[serde(borrow, default)]
    pub(super) history: Option<Vec<Past<'a>>>,
}

impl Line<'_> {
    /// Whether its counts are counters that only grow.
    pub(super) fn is_cumulative(&self) -> bool {
        let series = |arm: &Arm<'_>| matches!(arm, Arm::Series(_));
        self.metrics.iter().any(|(_, arms)| series(&arms.candidate))
    }
}

/// One past moment of the baseline.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with t and pods")]
pub(super) struct Past<'a> {
    /// Its time; before the first scrape's.
    pub(super) t: f64,
    /// Requests and bad ones of each pod since the moment before, for every metric of counts.
    #[serde(default)]
    pub(super) pods: Vec<(Whole, Whole)>,
    /// Increments since the moment before, for metrics that have a past of their own, as histograms have.
    #[serde(borrow, default)]
    pub(super) metrics: Named<'a, Vec<Increments>>,
}

/// Both arms of a metric.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with candidate and baseline")]
pub(super) struct Arms<'a> {
    /// The version on trial.
    #[serde(borrow)]
    pub(super) candidate: Arm<'a>,
    /// What runs beside it.
    #[serde(borrow)]
    pub(super) baseline: Arm<'a>,
}

/// What the pods of both arms use of a gauge.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with candidate and baseline")]
pub(super) struct Gauge<'a> {
    /// The version on trial.
    #[serde(borrow, default)]
    pub(super) candidate: Vec<Pod<'a>>,
    /// What runs beside it.
    #[serde(borrow, default)]
    pub(super) baseline: Vec<Pod<'a>>,
    /// The limit of pods that have none of their own.
    #[serde(default)]
    pub(super) limit: Option<f64>,
    /// What a pod without requests uses, where that is known.
    #[serde(default)]
    pub(super) idle: Option<f64>,
}

/// What one pod uses: a number, or an object with its name and limit.
#[derive(Debug)]
pub(super) struct Pod<'a> {
    /// Its name.
    pub(super) name: Option<Cow<'a, str>>,
    /// What it uses, in any unit.
    pub(super) used: f64,
    /// Its limit, in the same.
    pub(super) limit: Option<f64>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Pod<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Whole<'a> {
            #[serde(borrow, default)]
            pod: Option<Cow<'a, str>>,
            used: f64,
            #[serde(default)]
            limit: Option<f64>,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Pod<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or an object with used")
            }

            fn visit_f64<E: Error>(self, used: f64) -> Result<Self::Value, E> {
                let (name, limit) = (None, None);
                Ok(Pod { name, used, limit })
            }

            fn visit_u64<E: Error>(self, used: u64) -> Result<Self::Value, E> {
                self.visit_f64(used as f64)
            }

            fn visit_i64<E: Error>(self, used: i64) -> Result<Self::Value, E> {
                self.visit_f64(used as f64)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                let Whole { pod, used, limit } = Deserialize::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Pod {
                    name: pod,
                    used,
                    limit,
                })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Things by name, in the order of their names, each once.
#[derive(Debug)]
pub(super) struct Named<'a, T>(pub(super) Vec<(Cow<'a, str>, T)>);

impl<T> Default for Named<'_, T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Named<'_, T> {
    /// The one called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&T> {
        let found = self.0.iter().find(|(its, _)| its == name);
        found.map(|(_, it)| it)
    }

    /// Whether there is none.
    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(name, it)| (name.as_ref(), it))
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>> Deserialize<'de> for Named<'a, T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Name<'a>(#[serde(borrow)] Cow<'a, str>);
        struct Entries<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Entries<T> {
            type Value = Named<'de, T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all: Vec<(Cow<'de, str>, T)> = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    all.push((name, map.next_value()?));
                }
                all.sort_by(|a, b| a.0.cmp(&b.0));
                match all.windows(2).find(|pair| pair[0].0 == pair[1].0) {
                    Some(twice) => Err(A::Error::custom(format!(
                        "{} is there twice: leave one out",
                        twice[0].0
                    ))),
                    None => Ok(Named(all)),
                }
            }
        }
        deserializer.deserialize_map(Entries(PhantomData))
    }
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
    /// Bad ones; there must be these or buckets, for silence is no health.
    #[serde(default)]
    pub(super) x: Option<Whole>,
    /// Cumulative histogram in place of `x`: how many took at most so many seconds.
    #[serde(default)]
    pub(super) buckets: Option<Vec<(f64, Whole)>>,
}

/// A raw cumulative series.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with series, n and x")]
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
                if value <= LARGEST {
                    Ok(Whole(value))
                } else {
                    Err(E::custom(format!(
                        "a count is larger than 2^53: {value}: write requests since the line before"
                    )))
                }
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Whole, E> {
                u64::try_from(value).map(Whole).map_err(|_| {
                    E::custom(format!(
                        "a count is negative: {value}: write requests since the line before, or series"
                    ))
                })
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Whole, E> {
                if value.fract() == 0.0 && (0.0..=LARGEST as f64).contains(&value) {
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

//! What is answered to a line.

use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::cli::text::harmless;
use crate::engine::words::{self, percent};
use crate::stats::{Assessment, Counts, Evidenced, Verdict};

/// The answer to a scrape.
#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    pub(super) stream: &'a str,
    pub(super) t: f64,
    pub(super) verdict: &'static str,
    /// The evidence suffices and the hold is over: the next step may begin, or the promotion.
    pub(super) advance: bool,
    /// The candidate's share of the requests, where it surely is not the weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<Share>,
    #[serde(serialize_with = "by_name")]
    pub(super) metrics: Vec<(&'a str, Metric)>,
    #[serde(serialize_with = "by_name", skip_serializing_if = "Vec::is_empty")]
    pub(super) gauges: Vec<(&'a str, Gauge)>,
    pub(super) reason: String,
}

/// Pairs as an object.
fn by_name<T: Serialize, S: Serializer>(pairs: &[(&str, T)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(pairs.len()))?;
    for (name, value) in pairs {
        map.serialize_entry(name, value)?;
    }
    map.end()
}

/// A share of the requests that is not the weight; in per cent.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Share {
    /// The weight.
    pub(super) asked: f64,
    /// What the candidate really gets.
    pub(super) seen: f64,
}

impl Share {
    /// In words.
    pub(super) fn reason(&self) -> String {
        format!(
            "it gets {} of the requests instead of {}: nothing advances until that is mended",
            percent(self.seen / 100.0),
            percent(self.asked / 100.0)
        )
    }
}

/// What a gauge says. Uses are shares of a pod's limit.
#[derive(Debug, Serialize)]
pub(super) struct Gauge {
    /// The mean in this step.
    pub(super) used: Option<f64>,
    /// What to expect at the next step; null without a forecast.
    pub(super) forecast: Option<f64>,
    /// The most that is let through.
    pub(super) limit: f64,
    /// `Fits`, `Warn` or `TooTight`; null without a forecast.
    pub(super) verdict: Option<&'static str>,
    /// A sentence.
    pub(super) reason: String,
}

/// The answer to a line that cannot be used.
#[derive(Debug, Serialize)]
pub(super) struct Refusal<'a> {
    pub(super) line: u64,
    pub(super) error: &'a str,
}

/// What the judge knows about one metric.
#[derive(Debug, Serialize)]
pub(super) struct Metric {
    verdict: &'static str,
    fail: Evidence,
    step: Evidence,
    release: Evidence,
    suspicion: Evidence,
    candidate: Arm,
    baseline: Arm,
    ratio: Option<Ratio>,
    missing: Missing,
}

#[derive(Debug, Serialize)]
struct Evidence {
    evidence: f64,
    needed: f64,
}

#[derive(Debug, Serialize)]
struct Arm {
    n: u64,
    x: u64,
    rate: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Ratio {
    low: f64,
    estimate: Option<f64>,
    high: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Missing {
    requests: Option<u64>,
    seconds: Option<f64>,
}

/// A verdict's name on the wire.
pub(super) const fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "Pass",
        Verdict::Continue => "Continue",
        Verdict::Fail => "Fail",
    }
}

impl From<Evidenced> for Evidence {
    fn from(e: Evidenced) -> Self {
        Self {
            evidence: e.evidence,
            needed: e.needed,
        }
    }
}

impl From<Counts> for Arm {
    fn from(c: Counts) -> Self {
        Self {
            n: c.requests,
            x: c.bad,
            rate: c.rate(),
        }
    }
}

impl From<&Assessment> for Metric {
    fn from(a: &Assessment) -> Self {
        Self {
            verdict: name(a.verdict),
            fail: a.fail.into(),
            step: a.step.into(),
            release: a.release.into(),
            suspicion: a.suspicion.into(),
            candidate: a.in_step.candidate.into(),
            baseline: a.in_step.baseline.into(),
            ratio: a.ratio.map(|r| Ratio {
                low: r.low,
                estimate: r.estimate,
                high: r.high,
            }),
            missing: Missing {
                requests: a.missing.requests,
                seconds: a.missing.seconds,
            },
        }
    }
}

/// The head of the table that people read.
pub(super) const HEADER: &str =
    "STREAM            TIME  VERDICT   FAIL          STEP          RELEASE       REASON";

/// A line of that table.
pub(super) fn row(answer: &Answer<'_>) -> String {
    let metrics = answer.metrics.iter().map(|(_, metric)| metric);
    let worst = metrics.max_by(|a, b| a.fail.evidence.total_cmp(&b.fail.evidence));
    let of = |it: &Evidence| {
        let (evidence, needed) = (it.evidence, it.needed);
        words::reaches(Evidenced { evidence, needed })
    };
    let [fail, step, release] = worst.map_or_else(<[String; 3]>::default, |m| {
        [of(&m.fail), of(&m.step), of(&m.release)]
    });
    let verdict = if answer.advance { "Advance" } else { answer.verdict };
    format!(
        "{:<12} {:>9} {verdict:<9} {fail:<13} {step:<13} {release:<13} {}",
        harmless(answer.stream),
        clock(answer.t),
        harmless(&answer.reason)
    )
}

/// A time: since the stream's zero as `1:02:15`, or, if it is one of the last decades, as a time of day (UTC).
fn clock(t: f64) -> String {
    const DECADES: f64 = 5e8;
    let whole = t.floor() as i64;
    let (hours, minutes, seconds) = (whole.abs() / 3600, whole.abs() / 60 % 60, whole.abs() % 60);
    let sign = if whole < 0 { "-" } else { "" };
    if t >= DECADES {
        format!("{:02}:{minutes:02}:{seconds:02}", hours % 24)
    } else if hours > 0 {
        format!("{sign}{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{sign}{minutes}:{seconds:02}")
    }
}

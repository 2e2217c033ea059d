//! One gauge of a stream: what its pods use, the forecast for the next step, and leaks.

use super::answer;
use super::line::{self, Pod};
use super::metric::twice;
use crate::engine;
use crate::engine::gauge::{Finding, Kind, Reading, set_of};
use crate::stats::leak::{Danger, Level};
use crate::stats::saturation::Fits;

/// One gauge of a stream.
#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) name: String,
    fold: engine::gauge::Gauge,
}

/// What a line says beside the gauge itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct Around {
    /// Requests of candidate and baseline since the line before; `None` where that line is not known.
    pub(super) requests: Option<[u64; 2]>,
    /// Seconds since the line before.
    pub(super) seconds: f64,
    /// The step is still warming up.
    pub(super) warming: bool,
    /// The weights of this step and the next, in per cent.
    pub(super) weights: [f64; 2],
    /// Candidate pods at the next step, where they are told.
    pub(super) next_pods: Option<u32>,
}

/// What a gauge says of the release.
#[derive(Debug)]
pub(super) struct Told {
    /// For the answer.
    pub(super) answer: answer::Gauge,
    /// The candidate must go.
    pub(super) fails: bool,
}

impl Told {
    /// The weight must not grow: something is too tight, or nobody knows. Silence is no pass.
    pub(super) fn stops(&self) -> bool {
        !matches!(self.answer.verdict, Some("Fits" | "Warn"))
    }
}

impl Gauge {
    /// A gauge without a reading; what its first line says of the idle use is kept.
    pub(super) fn new(name: &str, line: &line::Gauge<'_>) -> Self {
        let idle = line.idle.zip(whole(line)).map(|(idle, limit)| idle / limit);
        Self {
            name: name.to_owned(),
            fold: engine::gauge::Gauge::new(name, Kind::named(name), false, idle),
        }
    }

    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        self.fold.begin_step();
    }

    /// Takes a line, which may be silent about this gauge.
    pub(super) fn read(&mut self, line: Option<&line::Gauge<'_>>, around: &Around) -> Told {
        let shares = |pods: &[Pod<'_>], whole: Option<f64>| -> Option<Level> {
            Level::of(
                pods.iter()
                    .map(|pod| pod.used / pod.limit.or(whole).unwrap_or(f64::NAN)),
            )
        };
        let levels = line.and_then(|it| {
            Some((
                it,
                shares(&it.candidate, it.limit)?,
                shares(&it.baseline, it.limit),
            ))
        });
        let Some((line, mine, theirs)) = levels else {
            self.fold.miss();
            return self.silent();
        };
        if !around.warming {
            self.fold.read(&Reading {
                candidate: mine,
                baseline: theirs,
                set: set_of(line.candidate.iter().map(|pod| pod.name.as_deref())),
                requests: around.requests,
                seconds: around.seconds,
            });
        }
        let pods = around.next_pods.unwrap_or(mine.pods);
        let full = theirs.map_or(pods, |theirs| theirs.pods.max(pods));
        self.tell(
            mine.mean,
            self.fold.finding(around.weights, [mine.pods, pods, full]),
        )
    }

    fn tell(&self, now: f64, found: Finding) -> Told {
        let outlook = found.outlook.as_ref();
        let verdict = match outlook.map(|outlook| outlook.fits) {
            _ if found.growth.is_some() => Some("TooTight"),
            Some(Fits::No) => Some("TooTight"),
            Some(Fits::Yes) if found.cost.is_none() => Some("Fits"),
            Some(Fits::Yes | Fits::Warn) => Some("Warn"),
            Some(Fits::Unsure) | None => None,
        };
        Told {
            answer: answer::Gauge {
                used: Some(outlook.map_or(now, |outlook| outlook.used)),
                forecast: outlook.map(|outlook| outlook.forecast),
                limit: self.limit(),
                verdict,
                reason: found.sentence,
            },
            fails: found.growth.is_some_and(|growth| growth.danger == Danger::Fails),
        }
    }

    fn silent(&self) -> Told {
        Told {
            answer: answer::Gauge {
                used: None,
                forecast: None,
                limit: self.limit(),
                verdict: None,
                reason: format!("{}: no reading in this line", self.name),
            },
            fails: false,
        }
    }

    /// The share of its limit up to which a pod may be used.
    fn limit(&self) -> f64 {
        Kind::named(&self.name).limit()
    }
}

/// The limit that `idle` is a part of: that of the gauge, or else of its pods.
fn whole(gauge: &line::Gauge<'_>) -> Option<f64> {
    let pods = || gauge.candidate.iter().find_map(|pod| pod.limit);
    gauge.limit.or_else(pods)
}

/// What is wrong with a gauge of a line.
pub(super) fn sound(gauge: &line::Gauge<'_>) -> Result<(), String> {
    let limit = |limit: Option<f64>| match limit {
        Some(limit) if !(limit.is_finite() && limit > 0.0) => Err(format!(
            "limit must be above 0: {limit}: leave it out where there is none"
        )),
        _ => Ok(()),
    };
    limit(gauge.limit)?;
    if gauge.idle.is_some_and(|idle| idle < 0.0) {
        return Err("idle must not be negative: leave it out where it is not known".into());
    }
    if let Some((idle, limit)) = gauge.idle.zip(whole(gauge)).filter(|(idle, limit)| idle > limit) {
        return Err(format!(
            "idle must not be above the limit, which is in the same unit: {idle} of {limit}"
        ));
    }
    for (arm, pods) in [("candidate", &gauge.candidate), ("baseline", &gauge.baseline)] {
        if let Some(name) = twice(pods.iter().filter_map(|pod| pod.name.as_deref())) {
            return Err(format!(
                "{arm}: the pod {name} is there twice: give each pod one reading"
            ));
        }
        for pod in pods {
            let named = pod.name.as_deref().unwrap_or("a pod");
            limit(pod.limit).map_err(|wrong| format!("{arm}, {named}: {wrong}"))?;
            if pod.used < 0.0 {
                return Err(format!("{arm}, {named}: used must not be negative: {}", pod.used));
            }
            if pod.limit.or(gauge.limit).is_none() {
                return Err(format!(
                    "{arm}, {named}: there is no limit: give the pod or the gauge one"
                ));
            }
        }
    }
    Ok(())
}

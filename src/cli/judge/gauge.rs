//! One gauge of a stream: what its pods use, the forecast for the next step, and leaks.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::answer;
use super::line::{self, Pod};
use super::metric::twice;
use crate::engine::words;
use crate::stats::leak::{Danger, Leak, Level};
use crate::stats::saturation::{Ahead, Fits, Load, NEEDED, Outlook, Saturation, limits};

/// One gauge of a stream.
#[derive(Debug)]
pub(super) struct Gauge {
    pub(super) name: String,
    saturation: Saturation,
    leak: Leak,
    /// Which candidate pods the record of the leak is about.
    pods: u64,
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

/// The share of its limit up to which a pod may be used.
fn limit(name: &str) -> f64 {
    match name {
        "cpu" => limits::CPU,
        "memory" => limits::MEMORY,
        _ => limits::OTHER,
    }
}

/// What a request costs is a matter of CPU.
fn asks_for(name: &str) -> bool {
    name == "cpu"
}

/// CPU follows the requests; what is lost over time is memory, connections, files.
fn may_leak(name: &str) -> bool {
    name != "cpu"
}

impl Gauge {
    /// A gauge without a reading; what its first line says of the idle use is kept.
    pub(super) fn new(name: &str, line: &line::Gauge<'_>) -> Self {
        let whole = line
            .limit
            .or_else(|| line.candidate.iter().find_map(|pod| pod.limit));
        Self {
            name: name.to_owned(),
            saturation: Saturation::new(line.idle.zip(whole).map(|(idle, limit)| idle / limit)),
            leak: Leak::default(),
            pods: 0,
        }
    }

    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        self.saturation.begin_step();
        self.leak.begin();
    }

    /// Takes a line, which may be silent about this gauge.
    pub(super) fn read(&mut self, line: Option<&line::Gauge<'_>>, around: &Around) -> Told {
        let shares = |pods: &[Pod<'_>], whole: Option<f64>| -> Option<Level> {
            Level::of(
                pods.iter()
                    .map(|pod| pod.used / pod.limit.or(whole).unwrap_or(f64::NAN)),
            )
        };
        let levels = line.map(|it| (shares(&it.candidate, it.limit), shares(&it.baseline, it.limit)));
        let Some((Some(mine), theirs)) = levels else {
            self.saturation.observe(None, None);
            return self.silent();
        };
        if !around.warming {
            self.take(line, (mine, theirs), around);
        }
        let pods = around.next_pods.unwrap_or(mine.pods);
        let [weight, next] = around.weights;
        let ahead = Ahead {
            weight,
            next,
            pods: mine.pods,
            next_pods: pods,
            full_pods: theirs.map_or(pods, |theirs| theirs.pods.max(pods)),
            limit: limit(&self.name),
        };
        self.tell(mine.mean, self.saturation.outlook(&ahead).as_ref())
    }

    fn take(
        &mut self,
        line: Option<&line::Gauge<'_>>,
        (mine, theirs): (Level, Option<Level>),
        around: &Around,
    ) {
        let load = |level: Level, requests: u64| Load {
            pace: requests as f64 / around.seconds / f64::from(level.pods),
            used: level.mean,
        };
        if let Some([requests, beside]) = around.requests {
            // A pod that nobody asks anything says nothing about what a request costs.
            let candidate = (requests > 0).then(|| load(mine, requests));
            self.saturation
                .observe(candidate, theirs.map(|level| load(level, beside)));
        }
        let pods = names(line.map_or(&[], |line| &line.candidate));
        if pods != self.pods {
            // Other pods have another level; what changes with them is no leak.
            self.pods = pods;
            self.leak.begin();
        }
        if let Some(theirs) = theirs.filter(|_| may_leak(&self.name)) {
            self.leak.observe(mine, theirs, around.seconds);
        }
    }

    fn tell(&self, now: f64, outlook: Option<&Outlook>) -> Told {
        let growth = self.leak.growth().filter(|growth| growth.danger > Danger::None);
        let cost = self
            .saturation
            .cost()
            .filter(|cost| cost.is_high() && asks_for(&self.name));
        let fits = outlook.map(|outlook| outlook.fits);
        let mut reasons = Vec::new();
        reasons.extend(growth.map(|growth| words::leaking(&self.name, &growth)));
        match outlook {
            Some(outlook) if growth.is_none() || outlook.fits > Fits::Yes => {
                reasons.push(words::saturated(&self.name, outlook));
            }
            Some(_) => {}
            None => reasons.push(format!(
                "{}: {} of the {NEEDED} readings that a forecast needs",
                self.name,
                self.saturation.readings()
            )),
        }
        reasons.extend(cost.map(|cost| words::costly(&self.name, &cost)));
        let verdict = match fits {
            _ if growth.is_some() => Some("TooTight"),
            Some(Fits::No) => Some("TooTight"),
            Some(Fits::Yes) if cost.is_none() => Some("Fits"),
            Some(Fits::Yes | Fits::Warn) => Some("Warn"),
            None => None,
        };
        Told {
            answer: answer::Gauge {
                used: Some(outlook.map_or(now, |outlook| outlook.used)),
                forecast: outlook.map(|outlook| outlook.forecast),
                limit: limit(&self.name),
                verdict,
                reason: reasons.join("; "),
            },
            fails: growth.is_some_and(|growth| growth.danger == Danger::Fails),
        }
    }

    fn silent(&self) -> Told {
        Told {
            answer: answer::Gauge {
                used: None,
                forecast: None,
                limit: limit(&self.name),
                verdict: None,
                reason: format!("{}: no reading in this line", self.name),
            },
            fails: false,
        }
    }
}

/// Tells one set of pods from another.
fn names(pods: &[Pod<'_>]) -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut names: Vec<Option<&str>> = pods.iter().map(|pod| pod.name.as_deref()).collect();
    names.sort_unstable();
    names.hash(&mut hasher);
    hasher.finish()
}

/// What is wrong with a gauge of a line.
pub(super) fn sound(gauge: &line::Gauge<'_>) -> Result<(), String> {
    let limit = |limit: Option<f64>| match limit {
        Some(limit) if !(limit.is_finite() && limit > 0.0) => Err(format!("limit must be above 0: {limit}")),
        _ => Ok(()),
    };
    limit(gauge.limit)?;
    if gauge.idle.is_some_and(|idle| idle < 0.0) {
        return Err("idle must not be negative".into());
    }
    for (arm, pods) in [("candidate", &gauge.candidate), ("baseline", &gauge.baseline)] {
        if let Some(name) = twice(pods.iter().filter_map(|pod| pod.name.as_deref())) {
            return Err(format!("{arm}: the pod {name} is there twice"));
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

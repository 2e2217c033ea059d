//! What the judge says about one metric at one moment: plain numbers.

use super::counts::Counts;

/// What the evidence allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The evidence for leaving this step upwards suffices. Holds and gates are the caller's.
    Pass,
    /// Neither proof is there yet.
    Continue,
    /// A regression is proven; final for the release.
    Fail,
}

/// Evidence in nats beside what is needed of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evidenced {
    /// Evidence so far; may be negative.
    pub evidence: f64,
    /// The threshold.
    pub needed: f64,
}

impl Evidenced {
    /// Whether the threshold is reached.
    pub fn reached(self) -> bool {
        self.evidence >= self.needed
    }
}

/// Counts of both arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arms {
    /// The version on trial.
    pub candidate: Counts,
    /// What runs beside it.
    pub baseline: Counts,
}

impl Arms {
    /// Both sums.
    #[must_use]
    pub const fn plus(self, candidate: Counts, baseline: Counts) -> Self {
        Self {
            candidate: self.candidate.plus(candidate),
            baseline: self.baseline.plus(baseline),
        }
    }
}

/// The rate ratio candidate / baseline with an interval that is valid at every moment at once (95 %).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Lower end; 0 if there is none.
    pub low: f64,
    /// The likeliest ratio within the interval; `None` if it is above a hundredfold or unbounded (no bad request in the
    /// baseline). It is that of scrapes compared one by one, not the quotient of the rates.
    pub estimate: Option<f64>,
    /// Upper end; `None` if there is none.
    pub high: Option<f64>,
}

/// What a pass still lacks if the candidate is as good as it looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Missing {
    /// Candidate requests; 0 if none are missing, `None` if at the present rates no number suffices.
    pub requests: Option<u64>,
    /// When they are expected at the observed rate, in seconds; `None` if that cannot be told.
    pub seconds: Option<f64>,
}

impl Missing {
    /// Nothing can be told of it.
    pub const UNKNOWN: Self = Self {
        requests: None,
        seconds: None,
    };
}

/// What the candidate is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Against {
    /// What runs beside it.
    #[default]
    Beside,
    /// Nothing runs beside it: its service's past.
    Past {
        /// The past's rate, 0..=1.
        usual: f64,
        /// Up to this rate it is not rolled back.
        limit: f64,
    },
    /// Nothing runs beside it, or nothing comes there any more, and the past tells too little: it is not judged.
    Nothing,
}

/// What warms up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warming {
    /// The step, which has just begun.
    Step,
    /// Candidate pods that came later.
    Pods,
}

/// The judge's view of one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assessment {
    /// What the evidence allows.
    pub verdict: Verdict,
    /// What it is compared with.
    pub against: Against,
    /// Evidence for a regression, over the whole release.
    pub fail: Evidenced,
    /// Evidence that the next step is safe enough, since this step began; its highest value so far.
    pub step: Evidenced,
    /// Evidence over the whole release that the candidate is better than unacceptable.
    pub release: Evidenced,
    /// Evidence for a regression before anything of it is set aside; once it is reached the weight must not grow.
    pub suspicion: Evidenced,
    /// What is amiss with the comparison.
    pub amiss: Option<Amiss>,
    /// It has had no request for so long that nothing is known of it any more: nothing advances meanwhile.
    pub idle: bool,
    /// `fail` is the evidence of all metrics: none of them suffices by itself, and this is the one that says most.
    pub together: bool,
    /// What is still warming up, so that only gross faults count.
    pub warming: Option<Warming>,
    /// Counts since the step began.
    pub in_step: Arms,
    /// Counts since the release began.
    pub in_release: Arms,
    /// Seconds of evidence in the step.
    pub step_seconds: f64,
    /// Seconds of evidence in the release.
    pub release_seconds: f64,
    /// The ratio in this step; `None` before the first bad request in either arm.
    pub ratio: Option<Ratio>,
    /// What a pass of this step still lacks.
    pub missing: Missing,
    /// By how much the unacceptable margin is widened for this step.
    pub multiplier: f64,
}

/// What is amiss with a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amiss {
    /// Both arms are far worse than the baseline's history: nothing advances meanwhile.
    SharedFault,
    /// Surely no request comes to the baseline any more though some should: only the past is left to compare with.
    BaselineGone,
}

/// What keeps a metric from passing though time and requests go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// It looks worse over the release, but not so much that it is convicted.
    Suspicion,
    /// Both arms are far worse than usual.
    Environment,
    /// One arm has no request to compare with, or none comes to it any more.
    OneArm,
}

impl Assessment {
    /// What keeps it from passing, other than that its evidence is not there yet.
    pub fn trouble(&self) -> Option<Trouble> {
        if self.verdict != Verdict::Continue {
            return None;
        }
        let [mine, theirs] = [self.in_step.candidate, self.in_step.baseline].map(|arm| arm.requests > 0);
        if self.suspicion.reached() {
            Some(Trouble::Suspicion)
        } else if self.amiss == Some(Amiss::SharedFault) {
            Some(Trouble::Environment)
        } else {
            let gone = self.amiss == Some(Amiss::BaselineGone);
            (gone || self.against == Against::Beside && mine != theirs).then_some(Trouble::OneArm)
        }
    }
}

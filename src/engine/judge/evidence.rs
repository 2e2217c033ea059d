//! Evidence as the engine sees it.

use std::time::Duration;

use crate::engine::gauge::{Gauges, Leak};
use crate::engine::quantity::{Moment, Revision, Weight};
use crate::engine::state::Cause;

/// What the judge says at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The revision compared.
    pub revision: Option<Revision>,
    /// The rung whose data it rests on.
    pub rung: usize,
    /// The latest evaluation that showed requests.
    pub at: Option<Moment>,
    /// Since when every evaluation has failed to give data, and why; `None` while there is data.
    pub silent: Option<(Moment, String)>,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence with the numbers.
    pub summary: String,
    /// The share of the requests that the candidate really gets, where it is surely not the rung's weight.
    pub share: Option<Weight>,
    /// How the candidate has stood this rung so far.
    pub standing: Standing,
    /// No request has reached the version on trial for so long that nothing is known of it any more.
    pub idle: bool,
    /// A fail rests on the past alone: nothing runs beside the version on trial, or surely no request came to the baseline any
    /// more, though some should have.
    pub by_past: bool,
    /// Pods on trial that came in mid-step are still warming up: only gross faults count.
    pub young: bool,
    /// What the gauges say beside it.
    pub gauges: Gauges,
}

/// How the candidate has stood the present rung.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// How much of the time has been read.
    pub measured: Duration,
    /// Something speaks against the candidate, though not enough to convict it.
    pub suspect: bool,
    /// The candidate shares an outage of the whole service.
    pub outage: bool,
}

impl Standing {
    /// Whether no bake ends by it.
    pub const fn keeps_bake(&self) -> bool {
        self.suspect || self.outage
    }
}

/// A verdict on the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proven good enough for the next rung.
    Pass,
    /// Proven worse: final for the revision.
    Fail,
    /// Not enough evidence either way.
    Continue,
}

impl Evidence {
    /// No evidence at all.
    pub fn none() -> Self {
        Self {
            revision: None,
            rung: 0,
            at: None,
            silent: None,
            verdict: Verdict::Continue,
            summary: String::new(),
            share: None,
            standing: Standing::default(),
            idle: false,
            by_past: false,
            young: false,
            gauges: Gauges::default(),
        }
    }

    /// What convicts `revision`, at whatever rung, and why; `None` while nothing does.
    pub fn convicts(&self, revision: &Revision) -> Option<(Cause, &str)> {
        if self.revision.as_ref() != Some(revision) {
            return None;
        }
        match (&self.gauges.leak, self.verdict) {
            (_, Verdict::Fail) => Some((Cause::Regression, &self.summary)),
            (Leak::Fails(why), Verdict::Pass | Verdict::Continue) => Some((Cause::Leaking, why)),
            (Leak::None | Leak::Holds(_), Verdict::Pass | Verdict::Continue) => None,
        }
    }

    /// Whether it clears `revision` on `rung` with data younger than `since`.
    pub fn clears(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.verdict == Verdict::Pass && self.current(revision, rung, since)
    }

    /// Whether it has cleared `revision` on `rung` with such data, though there may be none now.
    pub fn has_cleared(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.verdict == Verdict::Pass && self.rests_on(revision, rung, since)
    }

    /// Whether it rests on this revision's data on this rung, younger than `since`, and is not silent.
    pub fn current(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.silent.is_none() && self.rests_on(revision, rung, since)
    }

    fn rests_on(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        let same = self.revision.as_ref() == Some(revision) && self.rung == rung;
        same && self.at.is_some_and(|at| at > since)
    }
}

//! Evidence as the engine sees it, and the fold from metric increments to it.

use super::quantity::{Moment, Revision};

/// What the judge says at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The revision compared.
    pub revision: Option<Revision>,
    /// The rung whose data it rests on.
    pub rung: usize,
    /// The latest evaluation that had data.
    pub at: Option<Moment>,
    /// Since when every evaluation has failed to give data, and why; `None` while there is data.
    pub silent: Option<(Moment, String)>,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence with the numbers.
    pub summary: String,
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
        }
    }

    /// Whether it convicts `revision`, at whatever rung.
    pub fn convicts(&self, revision: &Revision) -> bool {
        self.verdict == Verdict::Fail && self.revision.as_ref() == Some(revision)
    }

    /// Whether it clears `revision` on `rung` with data younger than `since`.
    pub fn clears(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.verdict == Verdict::Pass && self.current(revision, rung, since)
    }

    /// Whether it rests on this revision's data on this rung, younger than `since`, and is not silent.
    pub fn current(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.silent.is_none()
            && self.revision.as_ref() == Some(revision)
            && self.rung == rung
            && self.at.is_some_and(|at| at > since)
    }
}

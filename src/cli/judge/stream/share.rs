//! Does the candidate get the share of the requests that it was to get? That is a finding of its own: what the weights
//! promise does not hold, so nothing advances, and it is evidence neither for the candidate nor against it.

use crate::stats::traffic_share::not_honoured;
use crate::stats::{Arms, Counts};

/// So long after a weight is set the requests are not looked at: the gateway takes it over meanwhile. In seconds.
const GRACE: f64 = 10.0;

/// What to compare the weight with: what came since the gateway took it over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Watch {
    weight: f64,
    /// Since when the weight is that, in seconds.
    held: f64,
    /// What was counted in the step before it is looked at.
    before: Arms,
    /// The baseline gets no requests.
    gone: bool,
}

impl Watch {
    /// A step begins at this weight.
    pub(super) fn begin(weight: f64) -> Self {
        Self {
            weight,
            ..Self::default()
        }
    }

    /// Takes a scrape of so many seconds at a weight, after which the step has counted so many requests; `gone`: the
    /// baseline gets none. Gives the share that the candidate really gets, in per cent, where that surely is not the weight.
    pub(super) fn look(&mut self, weight: f64, seconds: f64, in_step: Arms, gone: bool) -> Option<f64> {
        if weight.total_cmp(&self.weight).is_ne() {
            // The last step's weight grows for its bake.
            *self = Self::begin(weight);
        }
        // What the candidate got meanwhile says nothing of the share that it gets since the baseline is back.
        let back = self.gone && !gone;
        self.gone = gone;
        let young = self.held < GRACE || back;
        self.held += seconds;
        if young {
            self.before = in_step;
            return None;
        }
        let since =
            |now: Counts, before: Counts| Counts::new(now.requests.saturating_sub(before.requests), 0);
        let counts = Arms {
            candidate: since(in_step.candidate, self.before.candidate),
            baseline: since(in_step.baseline, self.before.baseline),
        };
        not_honoured(weight, counts)
    }
}

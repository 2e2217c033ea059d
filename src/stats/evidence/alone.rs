//! A step without a baseline: what the comparison hands over to the past, and what may come of it.

use std::sync::Arc;

use super::guard::Guard;
use super::learned::Learned;
use super::{Evidence, Stand};
use crate::stats::alone::{Alone, SET_ASIDE};
use crate::stats::assessment::{Against, Verdict};
use crate::stats::background::Background;
use crate::stats::counts::{Counts, Tick};

impl Evidence {
    /// A step begins in which nothing runs beside the candidate. From now on only the past speaks, and only against it:
    /// nothing passes. Where such a step begins anew, its evidence stays.
    pub fn begin_alone(&mut self) {
        let known = self.given.stand.clone();
        let past = self.past_alone();
        self.begin_step(100.0, 100.0, true);
        let stand = match known {
            Stand::Alone(_) => known,
            Stand::Beside => {
                let alone = past.and_then(|past| Alone::new(self.settings(), past));
                // What one burst may have won stays set aside: the rest is the wealth of the other requests, and bets on.
                let burst = (f64::from(self.guard.largest) - SET_ASIDE).max(0.0);
                let left = self.fail.evidence() - burst;
                Stand::Alone(alone.map(|alone| Box::new(alone.with_stake(left))))
            }
        };
        self.stand_on(stand);
        // What only a comparison needs makes room for what is to be kept of this.
        self.learned = Learned::default();
        self.guard = Guard {
            largest: self.guard.largest,
            ..Guard::default()
        };
    }

    /// Whether nothing runs beside the candidate in this step.
    pub fn is_alone(&self) -> bool {
        matches!(self.given.stand, Stand::Alone(_))
    }

    /// The evidence against the past, where that is what speaks.
    pub(in crate::stats) fn past_on_trial(&self) -> Option<&Alone> {
        match &self.given.stand {
            Stand::Alone(alone) => alone.as_deref(),
            Stand::Beside => None,
        }
    }

    pub(in crate::stats) fn stand_on(&mut self, stand: Stand) {
        if self.given.stand != stand {
            Arc::make_mut(&mut self.given).stand = stand;
        }
    }

    /// Takes the candidate's counts of a scrape without a baseline.
    pub(super) fn observe_alone(&mut self, tick: &Tick) {
        if let Stand::Alone(Some(alone)) = &mut Arc::make_mut(&mut self.given).stand {
            alone.observe(tick.candidate, tick.seconds, tick.warming);
            self.flags.failed = alone.verdict() == Verdict::Fail;
        }
    }

    /// What the candidate is compared with.
    pub(in crate::stats) fn compared(&self) -> Against {
        match &self.given.stand {
            Stand::Alone(Some(alone)) => Against::Past {
                usual: alone.usual(),
                limit: alone.limit(),
            },
            Stand::Alone(None) => Against::Nothing,
            Stand::Beside => Against::Beside,
        }
    }

    /// What is normal for the service, to the best of what is known when its baseline goes: its history, or what its
    /// baseline has shown in this release where that is worse. The comparison has found the candidate no worse than that
    /// baseline, so it must not be convicted for what both had. Of a history that is short or unknown the release's own
    /// counts are the better part, less well known the fewer they are: then the worse end of what they may mean.
    fn past_alone(&self) -> Option<Background> {
        let (release, step) = (self.in_release.baseline, self.in_step.baseline);
        let history = self.background();
        let within = if history.short() {
            (release.requests > 0).then(|| at_most(release))
        } else {
            Some(surely(release).max(surely(step)))
        };
        let rate = match (history.rate(), within) {
            (Some(rate), Some(within)) => rate.max(within),
            (rate, within) => rate.or(within)?,
        };
        Some(self.past().with_rate(rate))
    }
}

/// The rate less a standard deviation, so that noise does not count.
pub(super) fn surely(c: Counts) -> f64 {
    (c.bad as f64 - (c.bad as f64).sqrt()) / (c.requests as f64).max(1.0)
}

/// The rate and a standard deviation of it, and one request more.
fn at_most(c: Counts) -> f64 {
    let bad = c.bad as f64;
    ((bad + bad.sqrt() + 1.0) / (c.requests as f64).max(1.0)).min(1.0)
}

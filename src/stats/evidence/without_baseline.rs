//! A step without a baseline: what the comparison hands over to the past, and what may come of it.

use std::sync::Arc;

use super::fail::WithheldEvidence;
use super::guard::{BASELINE, CANDIDATE, Guard, JITTER};
use super::learned::Learned;
use super::waiting::PATIENT;
use super::{Evidence, FAIL_BETS, FAIL_PRIOR, Stand};
use crate::stats::assessment::{Against, Amiss, Arms, Verdict};
use crate::stats::background::Background;
use crate::stats::counts::{Counts, Tick};
use crate::stats::history::burst_limit;
use crate::stats::without_baseline::{ALONE, Alone, SET_ASIDE, WARMUP};

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
        self.flags.amiss = None;
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

    /// Whether the baseline is gone.
    pub fn is_forsaken(&self) -> bool {
        self.flags.amiss == Some(Amiss::BaselineGone)
    }

    /// Whether a stretch as long as requests wait for each other shows that the baseline is gone: by this weight, and by what
    /// has come to it so far, so many should have come that chance explains no such silence.
    pub(super) fn misses_baseline(&self, tick: &Tick) -> bool {
        const SURELY: f64 = 20.0;
        let long = tick.seconds >= (1.0 - JITTER) * PATIENT;
        tick.baseline.requests == 0 && long && tick.candidate.requests as f64 * self.beside() >= SURELY
    }

    /// How many requests come to the baseline for one to the candidate, at least: by this weight, and by what has come so far.
    pub(super) fn beside(&self) -> f64 {
        let weight = f64::from(self.weight);
        let Arms { candidate, baseline } = self.in_release;
        let so_far = baseline.requests as f64 / (candidate.requests as f64).max(1.0);
        ((100.0 - weight) / weight.max(1.0)).min(so_far)
    }

    /// Whether nothing is left to compare the candidate with: its baseline is gone, and the past tells too little.
    pub(in crate::stats) fn is_blind(&self) -> bool {
        self.is_forsaken() && !self.can_be_forsaken()
    }

    /// Whether the past tells enough to judge a candidate whose baseline is gone.
    pub(in crate::stats) fn can_be_forsaken(&self) -> bool {
        let past = self.past_alone().and_then(|past| past.rate());
        past.is_some_and(|rate| ALONE.rate(rate) < 1.0)
    }

    /// Weighs the candidate's counts against the past, in the release's own wager: bets against what is far worse (see
    /// [`crate::stats::without_baseline`]), because the comparison has nothing to say. Whether it could.
    pub(super) fn observe_forsaken(&mut self, tick: &Tick) -> bool {
        let Some(past) = self.past_alone().filter(|_| tick.candidate.requests > 0) else {
            return false;
        };
        let margin = if tick.warming { WARMUP } else { ALONE };
        let limit = margin.rate(past.rate().unwrap_or_default());
        if limit >= 1.0 {
            return false;
        }
        let beside = self.guard.rate(BASELINE);
        self.guard.remember(tick, &past);
        // Of the baseline nothing new is known.
        self.guard.last[0].rates[BASELINE] = beside as f32;
        let n = tick.candidate.requests as f64;
        let rate = limit.max(self.guard.lasting_rate(CANDIDATE));
        let bad = tick.candidate.bad.min(burst_limit(n * rate, 1.0)) as f64;
        let log_e = FAIL_BETS.map(|bet| (bad * bet.ln() - n * limit * (bet - 1.0)) / past.dispersion());
        let gained = self.fail.observe(&FAIL_PRIOR, &log_e, tick.seconds);
        self.withheld = WithheldEvidence::default();
        self.guard.gain(gained, 0.0);
        self.flags.failed = self.fail_evidence() >= self.settings().needed_to_fail();
        true
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
pub(super) fn at_most(c: Counts) -> f64 {
    let bad = c.bad as f64;
    ((bad + bad.sqrt() + 1.0) / (c.requests as f64).max(1.0)).min(1.0)
}

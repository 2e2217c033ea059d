//! What a release itself teaches about its baseline, for services whose past is not known.
//!
//! It replaces the history only where there is none, and learns from the ticks before the one that it is used on, so
//! that no bet ever depends on its own outcome.

use crate::stats::counts::Counts;

/// An estimate counts if it is this many standard deviations above what chance gives.
const DEVIATIONS: f64 = 2.5;
/// Pairs of ticks before an estimate is believed at all.
const PAIRS: f32 = 8.0;

/// Ticks after which the mean is good enough to tell an outage by.
const FIRST: u8 = 4;

/// The baseline so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::stats) struct Learned {
    /// Mean rate of bad requests, without times in which both arms were far worse.
    pub(in crate::stats) rate: f32,
    /// Sum over pairs of neighbouring ticks of the squared difference over what chance gives, and the pairs.
    pub(in crate::stats) squares: f32,
    pub(in crate::stats) pairs: f32,
    /// Ticks read, at most 255.
    pub(in crate::stats) ticks: u8,
    /// Ticks of the present burst in the baseline, and of the longest.
    pub(in crate::stats) run: u8,
    pub(in crate::stats) longest: u8,
}

impl Learned {
    /// Whether the mean can tell an outage.
    pub(in crate::stats) const fn settled(&self) -> bool {
        self.ticks >= FIRST
    }

    /// Takes a tick of the baseline into the mean; `all` are its requests in the release so far, this tick's included.
    pub(in crate::stats) fn mean(&mut self, tick: Counts, all: u64) {
        let (n, x) = (tick.requests as f64, tick.bad as f64);
        let rate = f64::from(self.rate);
        self.rate = (rate + (x - rate * n) / (all as f64).max(n).max(1.0)).max(0.0) as f32;
        self.ticks = self.ticks.saturating_add(1);
    }

    /// Takes a tick of the baseline and the one before it (requests and rate). Beyond `limit` it is a burst, which says
    /// nothing of clumps.
    pub(in crate::stats) fn scatter(&mut self, tick: Counts, before: (f64, f64), limit: u64) {
        let n = tick.requests as f64;
        let cut = |rate: f64| rate.min(limit as f64 / n);
        let (rate, rate_before) = (cut(tick.bad as f64 / n), cut(before.1));
        let common = (rate * n + rate_before * before.0) / (n + before.0);
        if n > 0.0 && before.0 > 0.0 && common > 0.0 {
            self.squares += ((rate - rate_before).powi(2) / (common * (1.0 / n + 1.0 / before.0))) as f32;
            self.pairs += 1.0;
        }
        self.run = if tick.bad > limit {
            self.run.saturating_add(1)
        } else {
            0
        };
        self.longest = self.longest.max(self.run);
    }

    /// By how much failures come in clumps: 1 unless that is significant.
    pub(in crate::stats) fn dispersion(&self) -> f64 {
        let pairs = f64::from(self.pairs.max(1.0));
        let ratio = f64::from(self.squares) / pairs;
        // Each tick is in two pairs, so the ratio varies more than that of independent pairs, whose variance is 2.
        if self.pairs >= PAIRS && ratio > 1.0 + DEVIATIONS * (3.0 / pairs).sqrt() {
            ratio
        } else {
            1.0
        }
    }
}

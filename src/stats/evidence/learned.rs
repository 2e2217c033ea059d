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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Random;

    /// A baseline of ticks with 1000 requests, failures drawn by `draw`, read without a limit.
    fn learn(mut draw: impl FnMut(&mut Random) -> u64, limit: u64) -> Learned {
        let (mut learned, mut random, mut before) = (Learned::default(), Random::new(3), (0.0, 0.0));
        for t in 1..=200 {
            let tick = Counts::new(1_000, draw(&mut random));
            learned.mean(tick, t * 1_000);
            learned.scatter(tick, before, limit);
            before = (1_000.0, tick.bad as f64 / 1_000.0);
        }
        learned
    }

    #[test]
    fn clumps_are_found_and_plain_chance_is_not() {
        let plain = learn(|r| r.binomial(1_000, 0.005), 1_000);
        assert!((plain.dispersion() - 1.0).abs() < 1e-12, "{plain:?}");
        assert!((plain.rate - 0.005).abs() < 0.0005 && plain.longest == 0 && plain.settled());
        // Each of about two causes drags two more: variance 5 times the mean.
        let clumps = learn(|r| (0..r.poisson(2.0)).map(|_| 1 + r.geometric(2.0)).sum(), 1_000);
        assert!(
            (3.5..6.5).contains(&clumps.dispersion()),
            "{}",
            clumps.dispersion()
        );
    }

    #[test]
    fn bursts_are_counted_but_are_no_clumps() {
        let mut t = 0;
        let bursts = learn(
            |r| {
                t += 1;
                r.binomial(1_000, 0.002) + if t % 50 < 3 { 200 } else { 0 }
            },
            8,
        );
        assert_eq!((bursts.longest, bursts.run), (3, 1));
        assert!(bursts.dispersion() < 3.0, "{}", bursts.dispersion());
    }

    #[test]
    fn a_few_ticks_prove_nothing() {
        let mut learned = Learned::default();
        for (t, bad) in [(1, 0), (2, 30), (3, 0), (4, 30)] {
            assert!(!learned.settled());
            learned.mean(Counts::new(1_000, bad), t * 1_000);
            learned.scatter(
                Counts::new(1_000, bad),
                (1_000.0, 0.03 - bad as f64 / 1_000.0),
                1_000,
            );
        }
        assert!(learned.settled() && learned.squares > 100.0);
        assert!((learned.dispersion() - 1.0).abs() < 1e-12);
        assert!((learned.rate - 0.015).abs() < 1e-6);
    }

    #[test]
    fn a_pair_without_a_neighbour_or_a_failure_says_nothing_of_clumps() {
        let mut learned = Learned::default();
        learned.scatter(Counts::new(1_000, 5), (0.0, 0.0), 1_000);
        learned.scatter(Counts::new(0, 0), (1_000.0, 0.005), 1_000);
        learned.scatter(Counts::new(1_000, 0), (1_000.0, 0.0), 1_000);
        assert_eq!((learned.squares, learned.pairs), (0.0, 0.0));
    }

    #[test]
    fn clumps_are_believed_only_beyond_two_and_a_half_deviations() {
        // Twelve pairs: the deviation is sqrt(3 / 12), so the line is 2.25 exactly.
        let after = |squares, pairs| Learned {
            squares,
            pairs,
            ..Learned::default()
        };
        for (squares, pairs, want) in [
            (27.0, 12.0, 1.0),
            (30.0, 12.0, 2.5),
            (70.0, 7.0, 1.0),
            (80.0, 8.0, 10.0),
            (0.0, 0.0, 1.0),
        ] {
            let got = after(squares, pairs).dispersion();
            assert!((got - want).abs() < 1e-12, "{squares} over {pairs}: {got}");
        }
    }

    #[test]
    fn a_burst_is_more_than_the_limit() {
        let mut learned = Learned::default();
        for (bad, run, longest) in [(8, 0, 0), (9, 1, 1), (20, 2, 2), (8, 0, 2), (9, 1, 2)] {
            learned.scatter(Counts::new(1_000, bad), (1_000.0, 0.004), 8);
            assert_eq!((learned.run, learned.longest), (run, longest), "{bad}");
        }
    }
}

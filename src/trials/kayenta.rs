//! Kayenta's NetflixACAJudge: a rank test on one point a minute, against an equal-size baseline.

use super::methods::{Method, Move, RUNGS};
use super::rank::shift;
use crate::stats::counts::Counts;
use crate::stats::history::PodCounts;
use crate::stats::random::Random;

/// The confidence that its sources fix.
const CONFIDENCE: f64 = 0.98;
/// Shifts below this share of the estimate are tolerated.
const TOLERANCE: f64 = 0.25;

/// What the rule says of one metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Not significantly different.
    Pass,
    /// Significantly higher.
    High,
    /// Significantly lower.
    Low,
    /// One side has no points.
    NoData,
}

/// Interval and estimate of the shift, and the class, of an experiment against its control.
pub fn classify(
    experiment: &[f64],
    control: &[f64],
    confidence: f64,
    tolerance: f64,
) -> (f64, f64, f64, Class) {
    if experiment.is_empty() || control.is_empty() {
        return (f64::NAN, f64::NAN, f64::NAN, Class::NoData);
    }
    let sorted = |v: &[f64]| {
        let mut v = v.to_vec();
        v.sort_by(f64::total_cmp);
        v
    };
    if sorted(experiment) == sorted(control) {
        return (0.0, 0.0, 0.0, Class::Pass);
    }
    let (low, high, estimate) = shift(experiment, control, confidence);
    let bound = tolerance * estimate.abs();
    let class = if low > bound {
        Class::High
    } else if high < -bound {
        Class::Low
    } else {
        Class::Pass
    };
    (low, high, estimate, class)
}

/// One release under the rule: rungs of ten minutes, judged every five on all points so far.
#[derive(Clone, Debug, Default)]
pub struct Kayenta {
    points: [Vec<f64>; 2],
    minute: [Counts; 2],
    seconds: f64,
    scrapes: f64,
    rung: usize,
}

impl Method for Kayenta {
    fn learn(&mut self, _: &[PodCounts]) {}

    fn start(&self) -> f64 {
        RUNGS[0]
    }

    fn scrape(&mut self, candidate: Counts, baseline: Counts, seconds: f64, random: &mut Random) -> Move {
        // As many of the incumbent's requests as the canary got stand for the fresh baseline.
        let n = candidate.requests.min(baseline.requests);
        let share = n as f64 / baseline.requests.max(1) as f64;
        let equal = Counts::new(n, random.binomial(baseline.bad, share));
        self.minute = [self.minute[0].plus(candidate), self.minute[1].plus(equal)];
        let before = self.seconds;
        self.seconds += seconds;
        self.scrapes += seconds;
        let passed = |period: f64, now: f64| (now / period).floor() > (before / period).floor();
        if passed(60.0, self.seconds) {
            for (points, counts) in self.points.iter_mut().zip(std::mem::take(&mut self.minute)) {
                points.extend(counts.rate());
            }
        }
        if passed(300.0, self.seconds) {
            let class = classify(&self.points[0], &self.points[1], CONFIDENCE, TOLERANCE).3;
            if matches!(class, Class::High | Class::NoData) {
                return Move::RollBack;
            }
        }
        if self.scrapes >= 600.0 - 1e-9 {
            self.scrapes = 0.0;
            self.rung += 1;
        }
        RUNGS.get(self.rung).map_or(Move::Promote, |w| Move::At(*w))
    }
}

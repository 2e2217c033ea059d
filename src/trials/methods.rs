//! The peers' rules, as their sources and documents state them.

use crate::stats::counts::Counts;
use crate::stats::history::PodCounts;
use crate::stats::random::Random;

/// The peers' ladder, in per cent.
pub const RUNGS: [f64; 4] = [10.0, 25.0, 50.0, 75.0];

/// What a method does after a scrape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Move {
    /// Go on at this weight, in per cent.
    At(f64),
    /// All traffic to the candidate.
    Promote,
    /// All traffic back.
    RollBack,
}

/// A rule that drives one release.
pub trait Method {
    /// Learns the baseline's past.
    fn learn(&mut self, past: &[PodCounts]);
    /// The weight to start with, in per cent.
    fn start(&self) -> f64;
    /// Takes one scrape of both arms.
    fn scrape(&mut self, candidate: Counts, baseline: Counts, seconds: f64, random: &mut Random) -> Move;
}

/// Collects scrapes into windows of a minute.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    candidate: Counts,
    seconds: f64,
}

impl Window {
    /// The candidate's counts of a full minute.
    fn add(&mut self, candidate: Counts, seconds: f64) -> Option<Counts> {
        self.candidate = self.candidate.plus(candidate);
        self.seconds += seconds;
        if self.seconds < 60.0 - 1e-9 {
            return None;
        }
        let full = self.candidate;
        *self = Self::default();
        Some(full)
    }
}

/// Flagger: a limit on the candidate's error rate, failed checks counted and never forgiven.
#[derive(Clone, Debug)]
pub struct Flagger {
    limit: f64,
    threshold: u32,
    failed: u32,
    rung: usize,
    window: Window,
}

impl Flagger {
    /// With a limit on the error rate and the number of failed checks that it takes.
    pub fn new(limit: f64, threshold: u32) -> Self {
        Self {
            limit,
            threshold,
            failed: 0,
            rung: 0,
            window: Window::default(),
        }
    }
}

impl Method for Flagger {
    fn learn(&mut self, _: &[PodCounts]) {}

    fn start(&self) -> f64 {
        RUNGS[0]
    }

    fn scrape(&mut self, candidate: Counts, _: Counts, seconds: f64, _: &mut Random) -> Move {
        if let Some(minute) = self.window.add(candidate, seconds) {
            if self.failed >= self.threshold {
                return Move::RollBack;
            }
            if minute.rate().is_none_or(|r| r >= self.limit) {
                self.failed += 1;
            } else {
                self.rung += 1;
            }
        }
        RUNGS.get(self.rung).map_or(Move::Promote, |w| Move::At(*w))
    }
}

/// Argo Rollouts: five minutes a rung, a measurement a minute, rolled back at the fourth failed one.
#[derive(Clone, Debug, Default)]
pub struct Argo {
    failed: u32,
    seconds: f64,
    rung: usize,
    window: Window,
}

impl Method for Argo {
    fn learn(&mut self, _: &[PodCounts]) {}

    fn start(&self) -> f64 {
        RUNGS[0]
    }

    fn scrape(&mut self, candidate: Counts, _: Counts, seconds: f64, _: &mut Random) -> Move {
        self.seconds += seconds;
        if let Some(minute) = self.window.add(candidate, seconds) {
            self.failed += u32::from(minute.rate().is_none_or(|r| r >= 0.01));
            if self.failed > 3 {
                return Move::RollBack;
            }
        }
        if self.seconds >= 300.0 - 1e-9 {
            self.seconds = 0.0;
            self.rung += 1;
        }
        RUNGS.get(self.rung).map_or(Move::Promote, |w| Move::At(*w))
    }
}

/// What one writes at home: a pooled two-proportion z test on all counts, looked at after every scrape.
#[derive(Clone, Debug, Default)]
pub struct PooledZ {
    candidate: Counts,
    baseline: Counts,
    seconds: f64,
    rung: usize,
}

impl Method for PooledZ {
    fn learn(&mut self, _: &[PodCounts]) {}

    fn start(&self) -> f64 {
        RUNGS[0]
    }

    fn scrape(&mut self, candidate: Counts, baseline: Counts, seconds: f64, _: &mut Random) -> Move {
        self.candidate = self.candidate.plus(candidate);
        self.baseline = self.baseline.plus(baseline);
        self.seconds += seconds;
        let (c, b) = (self.candidate, self.baseline);
        if let (Some(pc), Some(pb), Some(p)) = (c.rate(), b.rate(), c.plus(b).rate()) {
            let error = (p * (1.0 - p) * (1.0 / c.requests as f64 + 1.0 / b.requests as f64)).sqrt();
            if error > 0.0 && (pc - pb) / error > 2.326 {
                return Move::RollBack;
            }
        }
        if self.seconds >= 300.0 - 1e-9 {
            self.seconds = 0.0;
            self.rung += 1;
        }
        RUNGS.get(self.rung).map_or(Move::Promote, |w| Move::At(*w))
    }
}

//! The judge of this crate as a method: a ladder, holds, and the bake.

use super::gauge::Gauge;
use super::methods::{Method, Move, RUNGS};
use crate::stats::assessment::Verdict;
use crate::stats::counts::{Counts, Tick};
use crate::stats::evidence::Evidence;
use crate::stats::history::{PodCounts, background_of};
use crate::stats::random::Random;
use crate::stats::settings::Settings;

/// Weights in per cent and how long they last.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    /// Judged steps; the last is held until the verdict that promotes.
    pub weights: Vec<f64>,
    /// Seconds that a step lasts at least.
    pub hold: f64,
    /// Weight and seconds of the bake after the last verdict; none if the seconds are 0.
    pub bake: (f64, f64),
}

impl Ladder {
    /// The peers' ladder, with or without the bake.
    pub fn peers(bake_seconds: f64) -> Self {
        Self {
            weights: RUNGS.to_vec(),
            hold: 60.0,
            bake: (95.0, bake_seconds),
        }
    }

    /// The default of this crate.
    pub fn default_steps(bake_seconds: f64) -> Self {
        Self {
            weights: vec![10.0, 25.0, 80.0],
            hold: 60.0,
            bake: (95.0, bake_seconds),
        }
    }
}

/// One release under the judge.
#[derive(Clone, Debug)]
pub struct Serin {
    ladder: Ladder,
    evidence: Evidence,
    pods: u32,
    step: usize,
    held: f64,
    baking: bool,
    scrape: f64,
    gauge: Option<Gauge>,
}

impl Serin {
    /// A release with these settings, candidate pods and seconds between scrapes.
    pub fn new(settings: Settings, ladder: Ladder, pods: u32, scrape: f64) -> Self {
        let mut this = Self {
            ladder,
            evidence: Evidence::new(settings),
            pods,
            step: 0,
            held: 0.0,
            baking: false,
            scrape,
            gauge: None,
        };
        this.begin();
        this
    }

    /// The same with a gauge whose forecast may refuse the next step.
    #[must_use]
    pub fn with_gauge(self, gauge: Gauge) -> Self {
        Self {
            gauge: Some(gauge),
            ..self
        }
    }

    /// Whether the forecast refuses the step after this one.
    fn refused(&self) -> bool {
        let (Some(gauge), Some(next)) = (&self.gauge, self.ladder.weights.get(self.step + 1)) else {
            return false; // a forecast over everything is only a warning
        };
        !gauge.allows(self.ladder.weights[self.step], *next)
    }

    fn begin(&mut self) {
        let at = |step: usize| self.ladder.weights.get(step).copied();
        let last = at(self.step + 1).is_none();
        let weight = at(self.step).unwrap_or(100.0);
        self.evidence
            .begin_step(weight, at(self.step + 1).unwrap_or(100.0), last);
        self.evidence.set_candidate_pods(self.pods);
        if let Some(gauge) = &mut self.gauge {
            gauge.begin_step();
        }
        self.held = 0.0;
    }

    /// The evidence so far.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}

impl Method for Serin {
    fn learn(&mut self, past: &[PodCounts]) {
        let known = background_of(past, self.scrape, self.evidence.settings().tolerated());
        let requests: u64 = past.iter().flatten().map(|c| c.requests).sum();
        let pace = requests as f64 / (past.len() as f64 * self.scrape);
        self.evidence = Evidence::new(*self.evidence.settings())
            .with_background(known)
            .with_traffic(pace, &self.ladder.weights);
        self.begin();
    }

    fn start(&self) -> f64 {
        self.ladder.weights[0]
    }

    fn scrape(&mut self, candidate: Counts, baseline: Counts, seconds: f64, random: &mut Random) -> Move {
        self.evidence.observe(Tick::new(candidate, baseline, seconds));
        self.held += seconds;
        if let Some(gauge) = &mut self.gauge {
            gauge.read(candidate, baseline, seconds, random);
        }
        let verdict = self.evidence.verdict();
        if verdict == Verdict::Fail {
            return Move::RollBack;
        }
        if self.baking {
            let kept = self.evidence.is_suspect() || self.evidence.is_in_shared_fault();
            return if self.held >= self.ladder.bake.1 - 1e-9 && !kept {
                Move::Promote
            } else {
                Move::At(self.ladder.bake.0)
            };
        }
        let ready = verdict == Verdict::Pass && self.held >= self.ladder.hold - 1e-9;
        if ready && !self.refused() {
            self.step += 1;
            if self.step == self.ladder.weights.len() {
                if self.ladder.bake.1 <= 0.0 {
                    return Move::Promote;
                }
                self.baking = true;
                self.evidence.begin_step(self.ladder.bake.0, 100.0, true);
                self.held = 0.0;
                return Move::At(self.ladder.bake.0);
            }
            self.begin();
        }
        Move::At(self.ladder.weights[self.step])
    }
}

//! The evidence about one metric in one release.
//!
//! Three processes run side by side: FAIL over the whole release (is the candidate worse than tolerated?), RELEASE
//! over the whole release (is it better than unacceptable?) and STEP, begun anew at each step with a margin that is
//! wide while few users are exposed. All take the same ticks; none looks at a clock.
//!
//! Once a regression is proven the evidence is frozen: it shows the numbers of that moment.

mod margins;
mod verdict;

use std::sync::Arc;

use super::assessment::Arms;
use super::background::Background;
use super::counts::{Counts, Tick};
use super::evalue::{fail_log_e, pass_log_e};
use super::history::burst_limit;
use super::interval::RatioLikelihood;
use super::process::{Largest, MOST_DROPPED, Process};
pub use margins::step_multiplier;

use super::settings::{Margin, Settings};

/// Fail bets: multiples of the tolerated ratio. The first entry stands for cash.
const FAIL_BETS: [f64; 5] = [1.0, 1.7, 3.5, 12.0, 300.0];
const FAIL_PRIOR: [f64; 5] = [0.25, 0.35, 0.25, 0.12, 0.03];
/// Pass bets: rate ratios. The first entry stands for cash.
const PASS_BETS: [f64; 6] = [f64::INFINITY, 0.02, 0.2, 0.5, 0.8, 1.0];
const PASS_PRIOR: [f64; 6] = [0.15, 0.18, 0.15, 0.15, 0.17, 0.20];
/// While a step warms up only this much counts as a fault: cold caches are not a regression.
const WARMUP: Margin = Margin::new(2.0, 0.02);
/// Share of the fail bets that a new step deals out anew: new weights are where new faults show, and bets that long
/// health has worn down would take minutes to recover.
const NEW_DEAL: f64 = 0.5;
/// Share of the wealth that bets on gross faults during warm-up. A young step nearly always shows none, and losing
/// all bets on that would blind the judge for minutes; so only this much is at stake.
const WARMUP_STAKE: f64 = 0.1;
/// Ticks whose rates are remembered: one more than a burst may last.
const RECENT: usize = MOST_DROPPED + 1;

/// The log e-value of staking only a share of the wealth on a bet.
fn at_stake(share: f64, log_e: f64) -> f64 {
    if log_e > 30.0 {
        log_e + share.ln()
    } else {
        (share * log_e.exp_m1()).ln_1p()
    }
}

/// What does not change during a release; shared by copies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) settings: Settings,
    pub(super) background: Background,
    /// Requests a second of both arms together, if known beforehand.
    pub(super) pace: Option<f64>,
    /// The release can prove no rate below this.
    pub(super) release_floor: f64,
}

/// Everything known about one metric in one release. Feed it one [`Tick`] a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub(super) given: Arc<Given>,
    pub(super) fail: Process<5>,
    pub(super) largest: Largest,
    pub(super) release: Process<6>,
    pub(super) step: Process<6>,
    pub(super) step_best: f64,
    pub(super) ratio: RatioLikelihood,
    pub(super) in_release: Arms,
    pub(super) in_step: Arms,
    pub(super) release_seconds: f64,
    pub(super) step_seconds: f64,
    pub(super) multiplier: f32,
    pub(super) weight: f32,
    pub(super) step_floor: f32,
    pub(super) candidate_pods: u32,
    pub(super) recent: [[f32; RECENT]; 2],
    pub(super) flags: Flags,
}

/// The yes-or-no part of the state.
#[allow(clippy::struct_excessive_bools)] // four independent facts, no hidden state machine
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) last: bool,
    pub(super) failed: bool,
    pub(super) environment: bool,
    pub(super) warming: bool,
}

impl Evidence {
    /// No evidence yet and no history. Until [`Self::begin_step`] is called the strictest step is assumed.
    pub fn new(settings: Settings) -> Self {
        Self {
            given: Arc::new(Given {
                settings,
                background: Background::default(),
                pace: None,
                release_floor: 0.0,
            }),
            fail: Process::new(FAIL_PRIOR),
            largest: Largest::default(),
            release: Process::new(PASS_PRIOR),
            step: Process::new(PASS_PRIOR),
            step_best: 0.0,
            ratio: RatioLikelihood::default(),
            in_release: Arms::default(),
            in_step: Arms::default(),
            release_seconds: 0.0,
            step_seconds: 0.0,
            multiplier: step_multiplier(100.0, 100.0, true) as f32,
            weight: 100.0,
            step_floor: 0.0,
            candidate_pods: 1,
            recent: [[0.0; RECENT]; 2],
            flags: Flags {
                last: true,
                ..Flags::default()
            },
        }
    }

    /// The same, knowing how the baseline behaved before the release. Call it before the first tick.
    #[must_use]
    pub fn with_background(self, background: Background) -> Self {
        Self {
            given: Arc::new(Given {
                background,
                ..*self.given
            }),
            ..self
        }
    }

    /// The same without the interval of the ratio, which no verdict needs: an assessment shows none.
    #[must_use]
    pub fn without_ratio(self) -> Self {
        Self {
            ratio: RatioLikelihood::spared(),
            ..self
        }
    }

    /// The settings in force.
    pub fn settings(&self) -> &Settings {
        &self.given.settings
    }

    /// What is known of the baseline's past.
    pub fn background(&self) -> &Background {
        &self.given.background
    }

    /// A step begins: its evidence, counts and warm-up start anew; what speaks for or against the release stays.
    /// Weights in per cent, of this step and of its successor; `last` if promotion follows.
    pub fn begin_step(&mut self, weight: f64, next_weight: f64, last: bool) {
        self.fail.deal(&FAIL_PRIOR, NEW_DEAL);
        self.step = Process::new(PASS_PRIOR);
        self.step_best = 0.0;
        self.ratio = self.ratio.anew();
        self.in_step = Arms::default();
        self.step_seconds = 0.0;
        self.weight = weight as f32;
        self.multiplier = step_multiplier(weight, next_weight, last) as f32;
        self.step_floor = self.provable_in_step(weight) as f32;
        self.flags.last = last;
        self.flags.warming = self.settings().warmup_seconds() > 0.0;
    }

    /// How many candidate pods take part from now on. It matters only where history shows that pods differ.
    pub fn set_candidate_pods(&mut self, pods: u32) {
        self.candidate_pods = pods.max(1);
    }

    /// Takes the increments of one evaluation. Without requests in either arm only time passes. Ignored after a
    /// fail.
    pub fn observe(&mut self, tick: Tick) {
        if self.flags.failed {
            return;
        }
        let tick = Tick {
            candidate: tick.candidate.clipped(),
            baseline: tick.baseline.clipped(),
            seconds: if tick.seconds.is_finite() {
                tick.seconds.max(0.0)
            } else {
                0.0
            },
            warming: tick.warming || self.step_seconds < self.settings().warmup_seconds(),
        };
        self.flags.warming = tick.warming;
        self.step_seconds += tick.seconds;
        self.release_seconds += tick.seconds;
        self.in_step = self.in_step.plus(tick.candidate, tick.baseline);
        self.in_release = self.in_release.plus(tick.candidate, tick.baseline);
        let (Some(candidate), Some(baseline)) = (tick.candidate.rate(), tick.baseline.rate()) else {
            self.rest(tick.seconds);
            return;
        };
        self.remember(candidate, baseline);
        self.flags.environment = self.is_environment(candidate, baseline);
        self.ratio.observe(&tick);
        self.observe_fail(&tick, baseline);
        if !tick.warming {
            self.observe_pass(&tick, candidate);
        }
    }

    /// Time passes without evidence; bets are still dealt out anew.
    fn rest(&mut self, seconds: f64) {
        self.fail.observe(&FAIL_PRIOR, &[0.0; 5], seconds);
        self.release.observe(&PASS_PRIOR, &[0.0; 6], seconds);
        self.step.observe(&PASS_PRIOR, &[0.0; 6], seconds);
    }

    fn remember(&mut self, candidate: f64, baseline: f64) {
        for (ring, rate) in self.recent.iter_mut().zip([candidate, baseline]) {
            ring.rotate_right(1);
            ring[0] = rate as f32;
        }
    }

    /// Both arms far above normal: a shared fault. A candidate that is normal, or much better than a sick
    /// baseline, is not held for it.
    fn is_environment(&self, candidate: f64, baseline: f64) -> bool {
        let limit = (10.0 * self.usual_rate()).max(0.05);
        baseline > limit && candidate > limit && candidate > 0.5 * baseline
    }

    /// The baseline's normal rate: that of its history, or else of this release so far.
    fn usual_rate(&self) -> f64 {
        let known = self.background().rate();
        known.or_else(|| self.in_release.baseline.rate()).unwrap_or(0.0)
    }

    /// Counts above this in one tick of `arm` are cut: one burst must not decide. Trouble that lasts longer than a
    /// burst, or that the other arm shares, raises the limit.
    fn burst_limit(&self, arm: usize, requests: u64, other: f64) -> u64 {
        let usual = self.usual_rate();
        let lasting = self.recent[arm]
            .iter()
            .take(self.background().burst_ticks() + 1)
            .copied()
            .fold(f32::INFINITY, f32::min);
        burst_limit(requests as f64 * self.tolerated().rate(usual.max(other).max(f64::from(lasting))))
    }

    fn observe_fail(&mut self, tick: &Tick, baseline: f64) {
        let limit = self.burst_limit(0, tick.candidate.requests, baseline);
        let cut = Counts {
            bad: tick.candidate.bad.min(limit),
            ..tick.candidate
        };
        let tick = Tick {
            candidate: cut,
            ..*tick
        };
        let tolerated = self.tolerated();
        let margin = if tick.warming {
            Margin::new(
                tolerated.ratio.max(WARMUP.ratio),
                tolerated.absolute.max(WARMUP.absolute),
            )
        } else {
            tolerated
        };
        let dispersion = self.background().dispersion();
        let tempered = |bet: f64| {
            let e = fail_log_e(&tick, margin, bet * margin.ratio) / dispersion;
            if tick.warming {
                at_stake(WARMUP_STAKE, e)
            } else {
                e
            }
        };
        let log_e = FAIL_BETS.map(tempered);
        let increment = self.fail.observe(&FAIL_PRIOR, &log_e, tick.seconds);
        self.largest.observe(increment);
        self.flags.failed = self.fail_evidence() >= self.settings().needed_to_fail();
    }

    fn observe_pass(&mut self, tick: &Tick, candidate: f64) {
        let limit = self.burst_limit(1, tick.baseline.requests, candidate);
        let cut = Counts {
            bad: tick.baseline.bad.min(limit),
            ..tick.baseline
        };
        let tick = Tick {
            baseline: cut,
            ..*tick
        };
        let (strict, environment) = (self.unacceptable(), self.flags.environment);
        let dispersion = self.background().dispersion();
        let tempered = |margin: Margin, bet: f64| {
            let e = pass_log_e(&tick, margin, bet) / dispersion;
            // A shared fault proves nothing in the candidate's favour; what speaks against it still counts.
            if environment { e.min(0.0) } else { e }
        };
        let wide = self.unacceptable_in_step();
        self.release.observe(
            &PASS_PRIOR,
            &PASS_BETS.map(|bet| tempered(strict, bet)),
            tick.seconds,
        );
        self.step.observe(
            &PASS_PRIOR,
            &PASS_BETS.map(|bet| tempered(wide, bet)),
            tick.seconds,
        );
        self.step_best = self.step_best.max(self.step.evidence());
    }
}

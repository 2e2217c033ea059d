//! The evidence about one metric in one release.
//!
//! Three processes run side by side: FAIL over the whole release (is the candidate worse than tolerated?), RELEASE
//! over the whole release (is it better than unacceptable?) and STEP, begun anew at each step with a margin that is
//! wide while few users are exposed. All take the same ticks; none looks at a clock.
//!
//! Once a regression is proven the evidence is frozen: it shows the numbers of that moment.

mod fail;
pub(super) mod guard;
mod learned;
mod margins;
mod outage;
mod pass;
mod verdict;
pub(super) mod waiting;
mod without_baseline;

use std::sync::Arc;

use super::assessment::{Amiss, Arms, Warming};
use super::background::Background;
use super::counts::{Counts, Tick};
use super::interval::RatioLikelihood;
use super::process::Process;
use super::settings::Settings;
use super::without_baseline::Alone;
pub(super) use fail::WithheldEvidence;
use guard::{BASELINE, CANDIDATE, Guard, JITTER};
use learned::Learned;
pub use margins::step_multiplier;
use outage::{Outage, Rates};
use waiting::{PATIENT, Patience};

/// Fail bets: multiples of the tolerated ratio. The first entry stands for cash.
const FAIL_BETS: [f64; 5] = [1.0, 1.7, 3.5, 12.0, 300.0];
const FAIL_PRIOR: [f64; 5] = [0.25, 0.35, 0.25, 0.12, 0.03];
/// Pass bets: rate ratios. The first entry stands for cash.
const PASS_BETS: [f64; 6] = [f64::INFINITY, 0.02, 0.2, 0.5, 0.8, 1.0];
const PASS_PRIOR: [f64; 6] = [0.15, 0.18, 0.15, 0.15, 0.17, 0.20];
/// Share of the fail bets that a new step deals out anew: new weights are where new faults show, and bets that long
/// health has worn down would take minutes to recover.
const NEW_DEAL: f64 = 0.5;

/// What hardly changes during a release; shared by copies.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) settings: Settings,
    pub(super) background: Background,
    /// Requests a second of both arms together, if known beforehand.
    pub(super) pace: Option<f64>,
    /// The release can prove no rate below this.
    pub(super) release_floor: f64,
    pub(super) candidate_pods: u32,
    /// The step's weight says how many requests come to the baseline.
    pub(super) routed: bool,
    pub(super) stand: Stand,
}

/// What the candidate stands against in the present step.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stand {
    /// The baseline beside it.
    Beside,
    /// The past, as far as there is one: nothing runs beside it.
    Alone(Option<Box<Alone>>),
}

/// Everything known about one metric in one release. Feed it one [`Tick`] a scrape.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    pub(super) given: Arc<Given>,
    pub(super) fail: Process<5>,
    pub(super) guard: Guard,
    pub(super) withheld: WithheldEvidence,
    pub(super) learned: Learned,
    /// Log e-value of the bet on a gross fault in this warm-up.
    pub(super) gross: f32,
    pub(super) release: Process<6>,
    pub(super) step: Process<6>,
    pub(super) step_best: f64,
    pub(super) ratio: RatioLikelihood,
    pub(super) in_release: Arms,
    pub(super) in_step: Arms,
    pub(super) release_seconds: f32,
    pub(super) step_seconds: f32,
    /// Seconds since the candidate's last request.
    pub(super) idle: f32,
    pub(super) multiplier: f32,
    pub(super) weight: f32,
    pub(super) step_floor: f32,
    pub(super) flags: Flags,
}

/// The yes-or-no part of the state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) last: bool,
    pub(super) failed: bool,
    pub(super) amiss: Option<Amiss>,
    pub(super) warming: Option<Warming>,
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
                candidate_pods: 1,
                routed: false,
                stand: Stand::Beside,
            }),
            fail: Process::new(FAIL_PRIOR),
            guard: Guard::default(),
            withheld: WithheldEvidence::default(),
            learned: Learned::default(),
            gross: 0.0,
            release: Process::new(PASS_PRIOR),
            step: Process::new(PASS_PRIOR),
            step_best: 0.0,
            ratio: RatioLikelihood::default(),
            in_release: Arms::default(),
            in_step: Arms::default(),
            release_seconds: 0.0,
            step_seconds: 0.0,
            idle: 0.0,
            multiplier: step_multiplier(100.0, 100.0, true) as f32,
            weight: 100.0,
            step_floor: 0.0,
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
                ..(*self.given).clone()
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
        let waiting = self.guard.read(self.flags.warming.is_some());
        if waiting.seconds > 0.0 {
            self.weigh(&waiting);
        }
        self.fail.deal(&FAIL_PRIOR, NEW_DEAL);
        (self.gross, self.withheld) = (0.0, WithheldEvidence::default());
        self.step = Process::new(PASS_PRIOR);
        self.step_best = 0.0;
        self.ratio = self.ratio.anew();
        self.in_step = Arms::default();
        self.step_seconds = 0.0;
        self.weight = weight as f32;
        self.multiplier = step_multiplier(weight, next_weight, last) as f32;
        self.step_floor = self.provable_in_step(weight) as f32;
        self.flags.last = last;
        self.flags.warming = (self.settings().warmup_seconds() > 0.0).then_some(Warming::Step);
        self.stand_on(Stand::Beside);
    }

    /// How many candidate pods take part from now on. It matters only where history shows that pods differ.
    pub fn set_candidate_pods(&mut self, pods: u32) {
        if self.given.candidate_pods != pods.max(1) {
            Arc::make_mut(&mut self.given).candidate_pods = pods.max(1);
        }
    }

    /// Whether the step's weight says how many requests come to the baseline: a gateway shares them out, and the metric counts
    /// all of them.
    pub fn set_routed(&mut self, routed: bool) {
        if self.given.routed != routed {
            Arc::make_mut(&mut self.given).routed = routed;
        }
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
            warming: self.warms(tick.warming),
        };
        self.step_seconds += tick.seconds as f32;
        self.release_seconds += tick.seconds as f32;
        self.idle = if tick.candidate.requests > 0 {
            0.0
        } else {
            self.idle + tick.seconds as f32
        };
        self.in_step = self.in_step.plus(tick.candidate, tick.baseline);
        self.in_release = self.in_release.plus(tick.candidate, tick.baseline);
        if self.is_alone() {
            return self.observe_alone(&tick);
        }
        self.ratio.observe(&tick);
        if tick.baseline.requests > 0 && self.is_forsaken() {
            self.flags.amiss = None;
        }
        let patience = if self.is_forsaken() {
            Patience::default()
        } else {
            Patience {
                seconds: PATIENT,
                beside: self.given.routed.then(|| self.beside()),
            }
        };
        if let Some(tick) = self.guard.gather(&tick, &self.given.background, patience) {
            self.weigh(&tick);
        }
    }

    /// Whether the candidate has had no request for so long that nothing is known of it any more.
    pub fn is_idle(&self) -> bool {
        f64::from(self.idle) > PATIENT
    }

    /// Whether a scrape counts as one of a warm-up; `young`: of pods that are.
    fn warms(&mut self, young: bool) -> bool {
        // What is read together is as young as its youngest part.
        let before = self.flags.warming;
        let warming = if f64::from(self.step_seconds) < self.settings().warmup_seconds() {
            Some(Warming::Step)
        } else if young {
            Some(Warming::Pods)
        } else {
            before.filter(|_| self.guard.waits())
        };
        // Each warm-up has a stake of its own: what a calm one before has lost must not blind this one. What was
        // withheld from the bet before belongs to that.
        if warming.is_some() && before.is_none() && self.withheld.gross == 0.0 {
            self.gross = 0.0;
        }
        self.flags.warming = warming;
        warming.is_some()
    }

    /// Turns counts into evidence.
    fn weigh(&mut self, tick: &Tick) {
        if tick.candidate.requests == 0 || tick.baseline.requests == 0 {
            if self.misses_baseline(tick) {
                self.flags.amiss = Some(Amiss::BaselineGone);
            }
            // The requests have waited for those of a baseline that has none, and show that they fail no more.
            let waited = tick.candidate.requests > 0 && tick.seconds >= (1.0 - JITTER) * PATIENT;
            if waited && self.is_well(tick.candidate) && !self.is_forsaken() {
                (self.flags.amiss, self.guard.outage) = (None, Outage::default());
            }
            if !(self.is_forsaken() && self.observe_forsaken(tick)) {
                self.rest(tick.seconds);
            }
            return;
        }
        let past = self.past();
        self.guard.remember(tick, &past);
        let rates = (self.guard.rate(CANDIDATE), self.guard.rate(BASELINE));
        let known = past.rate().is_some();
        // What is usual must be known before anything can be unusual.
        let settled = known || self.learned.settled();
        if !settled {
            self.learn_mean(tick);
        }
        let before = self.flags.amiss;
        let both = self.is_environment(rates);
        let rates = Rates {
            limit: self.outage_rate(),
            known,
            recent: self.guard.recent_rate(BASELINE),
            lasting: self.guard.lasting_rate(BASELINE),
        };
        let expected = self.guard.outage.observe(tick, rates, past.dispersion());
        let outage = self.guard.outage;
        self.flags.amiss = (both || outage.is_shared()).then_some(Amiss::SharedFault);
        if settled && !(known || both || outage.is_unusual()) {
            self.learn_mean(tick);
        }
        self.observe_fail(tick);
        if !tick.warming {
            self.observe_pass(tick, expected);
        }
        // What both arms share is no clump of either, nor is its end.
        if !known && before.or(self.flags.amiss).is_none() {
            self.learn(tick);
        }
    }

    /// The baseline's past, or what this release has taught about it so far.
    fn past(&self) -> Background {
        let past = self.given.background;
        if past.rate().is_some() {
            return past;
        }
        Background::new(
            None,
            past.dispersion().max(self.learned.dispersion()),
            past.burst_ticks().max(usize::from(self.learned.longest)),
            past.pod_spread(),
        )
    }

    fn learn_mean(&mut self, tick: &Tick) {
        self.learned
            .mean(tick.baseline, self.in_release.baseline.requests);
    }

    fn learn(&mut self, tick: &Tick) {
        let before = self.guard.last[1];
        let share = f64::from(before.seconds) / tick.seconds.max(1e-3);
        let requests = tick.baseline.requests;
        let normal = self.usual_rate().max(self.guard.rate(CANDIDATE));
        let limit = self.burst_limit(requests, normal, self.learned.dispersion());
        let before = (requests as f64 * share, f64::from(before.rates[BASELINE]));
        self.learned.scatter(tick.baseline, before, limit);
    }

    /// Time passes without evidence; bets are still dealt out anew.
    fn rest(&mut self, seconds: f64) {
        if self.is_idle() {
            // Whether that was a burst will not be known any more.
            self.withheld = WithheldEvidence::default();
        }
        self.fail.observe(&FAIL_PRIOR, &[0.0; 5], self.dealt(seconds));
        self.release.observe(&PASS_PRIOR, &[0.0; 6], seconds);
        self.step.observe(&PASS_PRIOR, &[0.0; 6], seconds);
    }

    /// Both arms far above normal: a shared fault. A candidate that is normal, or much better than a sick
    /// baseline, is not held for it.
    fn is_environment(&self, (candidate, baseline): (f64, f64)) -> bool {
        let limit = self.outage_rate();
        baseline > limit && candidate > limit && candidate > 0.5 * baseline
    }

    /// Whether an arm fails no more than a service that is well.
    fn is_well(&self, arm: Counts) -> bool {
        arm.bad as f64 <= self.outage_rate() * outage::WELL * arm.requests as f64
    }

    /// A rate above this is far above normal.
    fn outage_rate(&self) -> f64 {
        // Few requests do not tell that a rate is low.
        let unsure = if self.background().rate().is_some() {
            0.0
        } else {
            1.0 / self.in_release.baseline.requests.max(1) as f64
        };
        (10.0 * (self.usual_rate() + unsure)).max(0.05)
    }

    /// The baseline's normal rate: that of its history, or else of this release so far.
    fn usual_rate(&self) -> f64 {
        let known = self.background().rate();
        known.unwrap_or_else(|| f64::from(self.learned.rate))
    }
}

#[cfg(test)]
mod tests;

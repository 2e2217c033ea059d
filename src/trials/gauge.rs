//! A gauge like CPU beside the counts: what the pods of both arms show, and the operator's own forecast of the next
//! step from it, in simulated releases.

use crate::stats::counts::Counts;
use crate::stats::random::Random;
use crate::stats::saturation::{Ahead, Fits, Load, Saturation, limits};

/// What a pod uses without traffic, as a share of its limit.
const IDLE: f64 = 0.1;
/// What the baseline's pods use with all of the traffic.
const BASELINE_AT_PEAK: f64 = 0.5;
/// Standard deviation of a reading, and how much of one stays in the next.
const NOISE: (f64, f64) = (0.03, 0.6);

/// The gauge of one simulated release, as many pods on either side.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    pods: u32,
    candidate: Arm,
    baseline: Arm,
    forecast: Saturation,
}

/// The true use of an arm's pods.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Arm {
    /// Use for each request a second to a pod, as a share of the limit.
    demand: f64,
    /// How far the last reading was off.
    error: f64,
}

impl Arm {
    fn new(at_peak: f64, peak: f64) -> Self {
        Self {
            demand: (at_peak - IDLE) / peak,
            error: 0.0,
        }
    }

    fn read(&mut self, pace: f64, random: &mut Random) -> Load {
        let (spread, stays) = NOISE;
        self.error = stays * self.error + (1.0 - stays * stays).sqrt() * spread * random.normal();
        Load {
            pace,
            used: (IDLE + self.demand * pace + self.error).max(0.0),
        }
    }
}

impl Gauge {
    /// A candidate that uses `at_peak` of its limit when its `pods` get `peak` requests a second together.
    pub fn new(peak: f64, at_peak: f64, pods: u32) -> Self {
        let each = peak / f64::from(pods.max(1));
        Self {
            pods: pods.max(1),
            candidate: Arm::new(at_peak, each),
            baseline: Arm::new(BASELINE_AT_PEAK, each),
            forecast: Saturation::default().following(),
        }
    }

    /// The weight changes.
    pub fn begin_step(&mut self) {
        self.forecast.begin_step();
    }

    /// Takes a reading after so many seconds with these requests.
    pub fn read(&mut self, candidate: Counts, baseline: Counts, seconds: f64, random: &mut Random) {
        let pods = f64::from(self.pods);
        let pace = |counts: Counts| counts.requests as f64 / seconds / pods;
        let mine = self.candidate.read(pace(candidate), random);
        let beside = self.baseline.read(pace(baseline), random);
        let mine = (candidate.requests > 0).then_some(mine);
        self.forecast.observe(mine, Some(beside));
    }

    /// Whether the step from `weight` to `next` per cent is within the limit, as far as the readings tell. Without
    /// enough of them it waits, as the operator does.
    pub fn allows(&self, weight: f64, next: f64) -> bool {
        let ahead = Ahead {
            weight,
            next,
            pods: self.pods,
            next_pods: self.pods,
            full_pods: self.pods,
            limit: limits::CPU,
        };
        self.forecast
            .outlook(&ahead)
            .is_some_and(|outlook| outlook.fits < Fits::Unsure)
    }
}

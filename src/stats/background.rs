//! What the past tells about the baseline's normal behaviour.
//!
//! None of it can make a verdict wrong in the direction of its error bound: a wrong past only costs time, or
//! protection against bursts.

use super::process::MOST_DROPPED;

/// The baseline's normal behaviour, as its history shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    rate: Option<f64>,
    dispersion: f64,
    burst_ticks: usize,
    pod_spread: f64,
}

impl Default for Background {
    /// No history: no typical rate, independent requests, bursts within one tick, pods alike.
    fn default() -> Self {
        Self {
            rate: None,
            dispersion: 1.0,
            burst_ticks: 1,
            pod_spread: 0.0,
        }
    }
}

impl Background {
    /// `rate`: typical bad rate, 0..=1. `dispersion`: variance of one pod's bad requests over that of independent
    /// ones, at least 1. `burst_ticks`: length of one pod's bursts in ticks, 1..=4. `pod_spread`: standard
    /// deviation of the log rate between pods, at least 0. Values outside are moved to the nearest end.
    pub fn new(rate: Option<f64>, dispersion: f64, burst_ticks: usize, pod_spread: f64) -> Self {
        let at_least = |x: f64, least: f64| if x.is_finite() { x.max(least) } else { least };
        Self {
            rate: rate.filter(|r| r.is_finite()).map(|r| r.clamp(0.0, 1.0)),
            dispersion: at_least(dispersion, 1.0),
            burst_ticks: burst_ticks.clamp(1, MOST_DROPPED),
            pod_spread: at_least(pod_spread, 0.0),
        }
    }

    /// Typical bad rate of the baseline; `None` without history.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// By how much failures come in clumps: 1 if they are independent.
    pub const fn dispersion(&self) -> f64 {
        self.dispersion
    }

    /// Ticks that one burst on one pod may last.
    pub const fn burst_ticks(&self) -> usize {
        self.burst_ticks
    }

    /// Spread of the log rate between pods.
    pub const fn pod_spread(&self) -> f64 {
        self.pod_spread
    }
}

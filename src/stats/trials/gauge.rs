//! A gauge like CPU beside the counts, and the forecast of the next step from it: what a saturation gate adds to the
//! judge in simulated releases.
//!
//! Utilisation of the candidate's pods is idle use plus a demand for each request. The demand is estimated by least
//! squares through the idle use, with a standard error that allows for neighbouring readings being alike, and the next
//! weight is refused where the upper end of the forecast (95 %, one-sided) passes the target.

use crate::stats::random::Random;

/// Above this share of the limit the next step is refused: response times grow with 1 / (1 - utilisation).
const TARGET: f64 = 0.80;
/// One-sided 95 % quantile of the normal distribution.
const QUANTILE: f64 = 1.645;
/// Readings before anything is forecast.
const LEAST: f64 = 4.0;

/// The gauge of one simulated release.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// Use without traffic, as a share of the limit; known from the baseline's pods.
    idle: f64,
    /// True use for each request a second of the candidate.
    demand: f64,
    /// Standard deviation of a reading, and how much of one stays in the next.
    noise: (f64, f64),
    error: f64,
    /// Sums over the readings: n, x², xy, y², and of residuals with their predecessors at the first estimate.
    sums: [f64; 4],
    before: Option<(f64, f64)>,
    lagged: [f64; 2],
}

impl Gauge {
    /// A candidate that uses `at_peak` of its limit when it gets `peak` requests a second, on top of a tenth when idle.
    pub const fn new(peak: f64, at_peak: f64) -> Self {
        Self {
            idle: 0.1,
            demand: (at_peak - 0.1) / peak,
            noise: (0.03, 0.6),
            error: 0.0,
            sums: [0.0; 4],
            before: None,
            lagged: [0.0; 2],
        }
    }

    /// Takes a reading while the candidate gets `rate` requests a second.
    pub fn read(&mut self, rate: f64, random: &mut Random) {
        let (spread, stays) = self.noise;
        self.error = stays * self.error + (1.0 - stays * stays).sqrt() * spread * random.normal();
        let y = self.demand * rate + self.error;
        for (sum, part) in self.sums.iter_mut().zip([1.0, rate * rate, rate * y, y * y]) {
            *sum += part;
        }
        if let Some((x0, y0)) = self.before.replace((rate, y)) {
            let d = self.slope();
            self.lagged[0] += (y - d * rate) * (y0 - d * x0);
            self.lagged[1] += (y - d * rate).powi(2);
        }
    }

    fn slope(&self) -> f64 {
        self.sums[2] / self.sums[1].max(1e-12)
    }

    /// Whether `rate` requests a second would be within the target, as far as the readings tell.
    pub fn allows(&self, rate: f64) -> bool {
        let [n, xx, xy, yy] = self.sums;
        if n < LEAST {
            return false;
        }
        let slope = self.slope();
        let spread = ((yy - slope * xy) / (n - 1.0)).max(0.0);
        let alike = (self.lagged[0] / self.lagged[1].max(1e-12)).clamp(0.0, 0.95);
        let error = (spread * (1.0 + alike) / (1.0 - alike) / xx.max(1e-12)).sqrt();
        self.idle + (slope + QUANTILE * error) * rate <= TARGET
    }
}

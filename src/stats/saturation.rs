//! Will a gauge (CPU, memory, connections) still fit at the next step? A forecast, not a test.
//!
//! What a pod uses is taken to be `idle + slope × requests a second`. The idle use is that of the baseline's pods, the
//! slope that of the candidate's. The forecast reaches one step ahead, at most to [`FAR`] times what a pod is asked now;
//! what lies beyond is worth a warning and no more. Response times grow as 1 / (1 - use): five-fold at 80 %, ten-fold at 90 %.
//!
//! Use is always the mean over an arm's pods, as a share of their limit.

mod line;

pub use line::Load;
use line::Sums;

/// The step is not forecast further than this multiple of the requests that a pod gets now.
pub const FAR: f64 = 2.5;
/// One-sided 95 % quantile of the normal distribution.
const QUANTILE: f64 = 1.645;
/// Two-sided 95 % quantile of the normal distribution.
const BOTH_SIDES: f64 = 1.96;
/// A forecast that the idle use alone moves by more than this share of the limit stops nobody.
const VAGUE: f64 = 0.1;
/// Readings that a forecast needs.
pub const NEEDED: u32 = 4;
/// A candidate that uses this much more a request is worth a warning.
pub const COSTLY: f64 = 1.25;

/// Shares of the limit up to which a pod may be used.
pub mod limits {
    /// CPU, of the limit (or of the autoscaler's target).
    pub const CPU: f64 = 0.8;
    /// Memory: it does not queue, it kills.
    pub const MEMORY: f64 = 0.85;
    /// Connections, file descriptors, pool entries, and whatever else is counted.
    pub const OTHER: f64 = 0.8;
}

/// The evidence about one gauge in one release: sums of fixed size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Saturation {
    candidate: Sums,
    baseline: Sums,
    /// Readings of this step, and the sums of their pace, its square, and use.
    step: [f64; 4],
    /// The idle use where it is known beforehand; negative where it is not.
    idle: f64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ahead {
    /// The weight of this step, in per cent.
    pub weight: f64,
    /// That of the next.
    pub next: f64,
    /// Candidate pods now.
    pub pods: u32,
    /// Candidate pods at the next step.
    pub next_pods: u32,
    /// Candidate pods at 100 %.
    pub full_pods: u32,
    /// The share of its limit up to which a pod may be used.
    pub limit: f64,
}

/// Whether the next step fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fits {
    /// It does.
    Yes,
    /// It does as far as anybody can tell; something further ahead, or less sure, does not.
    Warn,
    /// It does not: hold, or scale first.
    No,
}

/// The forecast. All uses are shares of a pod's limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The mean use in this step.
    pub used: f64,
    /// The use to expect at the next step.
    pub forecast: f64,
    /// Its upper end (95 %).
    pub upper: f64,
    /// The use to expect at 100 %.
    pub full: f64,
    /// What is allowed.
    pub limit: f64,
    /// The weight that is forecast, in per cent.
    pub weight: f64,
    /// Whether it fits.
    pub fits: Fits,
    /// How many candidate pods would suffice at the next step; `None` if no number does.
    pub pods: Option<u32>,
}

/// What a request costs in the candidate, relative to the baseline.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Lower end (95 %, both sides).
    pub low: f64,
    /// The ratio.
    pub ratio: f64,
    /// Upper end.
    pub high: f64,
}

impl Cost {
    /// Whether it is surely more, and by more than [`COSTLY`] as far as one can tell.
    pub fn is_high(&self) -> bool {
        self.ratio > COSTLY && self.low > 1.0
    }
}

impl Default for Saturation {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Saturation {
    /// No reading yet. `idle`: what a pod without requests uses, where that is known.
    pub fn new(idle: Option<f64>) -> Self {
        Self {
            candidate: Sums::EMPTY,
            baseline: Sums::EMPTY,
            step: [0.0; 4],
            idle: idle.filter(|it| it.is_finite() && *it >= 0.0).unwrap_or(-1.0),
        }
    }

    /// A step begins: its pace is what is carried forward. What is known of the line stays.
    pub fn begin_step(&mut self) {
        self.step = [0.0; 4];
    }

    /// Takes the readings of one scrape; `None` where an arm has none. Leave out what is still warming up.
    pub fn observe(&mut self, candidate: Option<Load>, baseline: Option<Load>) {
        let sound = |it: &Load| it.pace.is_finite() && it.used.is_finite() && it.pace >= 0.0;
        let (candidate, baseline) = (candidate.filter(sound), baseline.filter(sound));
        self.candidate.take(candidate);
        self.baseline.take(baseline);
        if let Some(Load { pace, used }) = candidate {
            let sums = [1.0, pace, pace * pace, used];
            self.step.iter_mut().zip(sums).for_each(|(sum, it)| *sum += it);
        }
    }

    /// Readings of the candidate in this step.
    pub fn readings(&self) -> u32 {
        self.step[0] as u32
    }

    /// The idle use and its standard error. It lies between nothing and what the candidate uses on average.
    fn idle(&self) -> (f64, f64) {
        let most = self.candidate.used().max(0.0);
        if self.idle >= 0.0 {
            return (self.idle.min(most), 0.0);
        }
        match self.baseline.intercept() {
            Some((idle, error)) => (idle.clamp(0.0, self.baseline.used().max(0.0)).min(most), error),
            // It may be anything between; nothing is what makes requests look dearest.
            None => (0.0, most),
        }
    }

    /// The forecast for the next step; `None` before there are [`NEEDED`] readings in this one, or without requests.
    pub fn outlook(&self, ahead: &Ahead) -> Option<Outlook> {
        let [n, paces, squares, uses] = self.step;
        let (idle, idle_error) = self.idle();
        let fit = self.candidate.through(idle)?;
        let pace = paces / n;
        if self.readings() < NEEDED || pace.is_nan() || pace <= 0.0 {
            return None;
        }
        let slope = fit.slope.max(0.0);
        let total = pace * f64::from(ahead.pods);
        let at = |weight: f64, pods: u32| total * weight / ahead.weight / f64::from(pods.max(1));
        let next = at(ahead.next, ahead.next_pods);
        let quantile = quantile(QUANTILE, self.candidate.readings() - 1.0);
        // Neither the slope nor the traffic that is carried forward is known exactly; nor, as a rule, the idle use.
        let traffic = ((squares / n - pace * pace).max(0.0) / (n - 1.0)).sqrt() / pace;
        let margin = quantile * fit.error.hypot(slope * traffic);
        let sway = quantile * idle_error * (1.0 + next * self.candidate.lever()).abs();
        let reach = (next * margin).hypot(sway);
        let forecast = idle + slope * next;
        // No pod uses less than nothing when idle: a line through zero bounds what a vague idle use can do.
        let steepest = self.candidate.through(0.0).map_or(f64::INFINITY, |fit| fit.slope);
        let upper = (forecast + reach).min(next * (steepest + margin).max((forecast / next) + margin));
        let full = idle + slope * at(100.0, ahead.full_pods);
        let far = next > pace * FAR * (1.0 + 1e-9);
        let sure = sway <= VAGUE || forecast - reach > ahead.limit;
        let fits = match (upper > ahead.limit, full > ahead.limit) {
            (true, _) if sure && !far => Fits::No,
            (true, _) | (false, true) => Fits::Warn,
            (false, false) => Fits::Yes,
        };
        let room = ahead.limit - idle;
        let enough = (slope + margin) * total * ahead.next / ahead.weight / room;
        Some(Outlook {
            used: uses / n,
            forecast,
            upper,
            full,
            limit: ahead.limit,
            weight: ahead.next,
            fits,
            pods: (room > 0.0).then(|| enough.ceil().clamp(1.0, f64::from(u32::MAX)) as u32),
        })
    }

    /// What a request costs; `None` where that cannot be told yet.
    pub fn cost(&self) -> Option<Cost> {
        let (idle, idle_error) = self.idle();
        let (mine, theirs) = (self.candidate.through(idle)?, self.baseline.through(idle)?);
        if mine.slope <= 0.0 || theirs.slope <= 0.0 {
            return None;
        }
        let parts = [mine, theirs].map(|fit| (fit.error / fit.slope).powi(2));
        // An error of the idle use moves both slopes, but not alike where the pods are not asked alike.
        let moved = self.candidate.lever() / mine.slope - self.baseline.lever() / theirs.slope;
        let variance = parts[0] + parts[1] + (moved * idle_error).powi(2);
        let freedom = [mine, theirs].map(|fit| fit.readings - 1.0);
        let scale = parts[0].powi(2) / freedom[0] + parts[1].powi(2) / freedom[1];
        let freedom = if scale > 0.0 {
            variance * variance / scale
        } else {
            f64::MAX
        };
        let reach = (quantile(BOTH_SIDES, freedom) * variance.sqrt()).exp();
        let ratio = mine.slope / theirs.slope;
        Some(Cost {
            low: ratio / reach,
            ratio,
            high: ratio * reach,
        })
    }

    /// The state as plain numbers, to be kept across restarts.
    pub fn checkpoint(&self) -> Vec<f64> {
        let mut copy = *self;
        copy.numbers().into_iter().map(|number| *number).collect()
    }

    /// The state that [`Self::checkpoint`] gave; `None` if it is not one.
    pub fn resume(numbers: &[f64]) -> Option<Self> {
        let mut resumed = Self::default();
        let slots = resumed.numbers();
        if slots.len() != numbers.len() || numbers.iter().any(|number| !number.is_finite()) {
            return None;
        }
        slots
            .into_iter()
            .zip(numbers)
            .for_each(|(slot, number)| *slot = *number);
        Some(resumed)
    }

    fn numbers(&mut self) -> Vec<&mut f64> {
        let sums = self
            .candidate
            .numbers()
            .into_iter()
            .chain(self.baseline.numbers());
        sums.chain(&mut self.step).chain([&mut self.idle]).collect()
    }
}

/// A quantile of Student's distribution with `freedom` degrees, from the normal one (Abramowitz and Stegun 26.7.5).
fn quantile(normal: f64, freedom: f64) -> f64 {
    let (z, v) = (normal, freedom.max(1.0));
    z + (z.powi(3) + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
}

#[cfg(test)]
mod tests;

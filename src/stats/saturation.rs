//! Will a gauge (CPU, memory, connections) still fit at the next step? A forecast, not a test.
//!
//! Model: `use = idle + slope × requests a second`. If the gauge is known to follow the traffic (CPU, a given `idle`, or a
//! baseline whose use follows its own traffic), idle comes from the baseline and slope from the candidate. Otherwise extra
//! use may be a larger footprint rather than costlier requests, and counts as idle unless [`Follows`] shows a slope. The
//! forecast reaches one step ahead, to at most [`FAR`] times the requests a pod gets now; beyond that it only warns.
//! Response times grow as 1 / (1 - use): five-fold at 80 %, ten-fold at 90 %.
//!
//! Use is always the mean over an arm's pods, as a share of their limit.

mod ahead;
mod follows;
mod line;

use ahead::Sure;
pub use ahead::{Ahead, FAR, Fits, Outlook};
use follows::Follows;
pub use line::Load;
use line::Sums;

/// One-sided 95 % quantile of the normal distribution.
const QUANTILE: f64 = 1.645;
/// Standard errors from which a slope counts as shown.
const SHOWN: f64 = 3.0;
/// Two-sided 95 % quantile of the normal distribution.
const BOTH_SIDES: f64 = 1.96;
/// A forecast that the idle use alone moves by more than this share of the limit stops nobody.
const VAGUE: f64 = 0.1;
/// Most readings that may count as one independent reading, where their correlation is not known.
const MAX_READINGS_PER_INDEPENDENT: f64 = 9.0;
/// Readings that a forecast needs.
pub const NEEDED: u32 = 4;
/// Readings of one step after which a forecast that is still too vague to refuse the next one is not waited for.
const PLENTY: f64 = 20.0;
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
    /// What the candidate's own readings tell of its slope.
    own: Follows,
    /// Not zero where it follows the traffic by its nature.
    by_nature: f64,
}

/// What the readings of one step come to.
#[derive(Clone, Copy, Debug)]
struct Step {
    readings: f64,
    /// The mean pace and use.
    pace: f64,
    used: f64,
    /// The standard error of the pace, as a share of it.
    doubt: f64,
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
            own: Follows::EMPTY,
            by_nature: 0.0,
        }
    }

    /// The same for what follows the traffic by its nature, as CPU does.
    #[must_use]
    pub const fn following(mut self) -> Self {
        self.by_nature = 1.0;
        self
    }

    /// A step begins: its pace is what is carried forward. What is known of the line stays.
    pub fn begin_step(&mut self) {
        self.step = [0.0; 4];
        self.own.begin_step();
    }

    /// Takes the readings of one scrape; `None` where an arm has none. Leave out what is still warming up.
    pub fn observe(&mut self, candidate: Option<Load>, baseline: Option<Load>) {
        let sound = |it: &Load| it.pace.is_finite() && it.used.is_finite() && it.pace >= 0.0;
        let (candidate, baseline) = (candidate.filter(sound), baseline.filter(sound));
        self.candidate.take(candidate);
        self.baseline.take(baseline);
        self.own.take(candidate);
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
        let within = |sums: &Sums| {
            let (idle, error) = sums.intercept()?;
            Some((idle.clamp(0.0, sums.used().max(0.0)).min(most), error))
        };
        // Weights that grow move the candidate's pace by half its size and more, the baseline's by little: after the
        // first step it is mostly the candidate that shows what its pods use when nobody asks them anything. Where the use
        // need not follow the traffic, its line says nothing of that.
        let mine = Some(&self.candidate).filter(|_| self.is_known_to_follow());
        match (within(&self.baseline), mine.and_then(within)) {
            (Some(theirs), Some(mine)) => together(theirs, mine),
            (Some(one), None) | (None, Some(one)) => one,
            // It may be anything between; nothing is what makes requests look dearest.
            (None, None) => (0.0, most),
        }
    }

    /// Whether a request is known to use some of it, whatever the candidate shows.
    fn is_known_to_follow(&self) -> bool {
        self.idle >= 0.0 || self.by_nature > 0.0 || self.baseline.follows()
    }

    /// The forecast for the next step; `None` before there are [`NEEDED`] readings in this one, or without requests.
    pub fn outlook(&self, ahead: &Ahead) -> Option<Outlook> {
        let step = self.step()?;
        let steep = self.along_idle_use(ahead, &step)?;
        if self.is_known_to_follow() {
            return Some(steep);
        }
        Some(self.along_own_changes(ahead, &step, &steep))
    }

    /// What this step's readings come to, if there are enough.
    fn step(&self) -> Option<Step> {
        let [n, paces, squares, uses] = self.step;
        let pace = paces / n;
        if self.readings() < NEEDED || pace <= 0.0 {
            return None;
        }
        Some(Step {
            readings: n,
            pace,
            used: uses / n,
            doubt: ((squares / n - pace * pace).max(0.0) / (n - 1.0)).sqrt() / pace,
        })
    }

    /// The forecast where the use follows the traffic: all beyond the idle use is what requests cost.
    fn along_idle_use(&self, ahead: &Ahead, step: &Step) -> Option<Outlook> {
        let (idle, idle_error) = self.idle();
        let fit = self.candidate.through(idle)?;
        let slope = fit.slope.max(0.0);
        let next = ahead.next_pace(step.pace);
        let quantile = quantile(QUANTILE, self.candidate.readings() - 1.0);
        // Neither the slope nor the traffic that is carried forward is known exactly; nor, as a rule, the idle use.
        let margin = quantile * fit.error.hypot(slope * step.doubt);
        let sway = quantile * idle_error * (1.0 + next * self.candidate.lever()).abs();
        let reach = (next * margin).hypot(sway);
        let forecast = idle + slope * next;
        // No pod uses less than nothing when idle: a line through zero bounds what a vague idle use can do.
        let steepest = self.candidate.through(0.0).map_or(f64::INFINITY, |fit| fit.slope);
        let upper = (forecast + reach).min(next * (steepest + margin).max((forecast / next) + margin));
        let full = idle + slope * ahead.full_pace(step.pace);
        let sure = match sway <= VAGUE || forecast - reach > ahead.limit {
            _ if ahead.is_far() => Sure::No,
            true => Sure::Yes,
            false if step.readings < PLENTY => Sure::Soon,
            false => Sure::No,
        };
        Some(Outlook {
            used: step.used,
            forecast,
            upper,
            full,
            limit: ahead.limit,
            weight: ahead.next,
            fits: ahead.fits(upper, full, sure),
            pods: ahead.pods_enough(idle, (slope + margin) * step.pace),
            if_it_follows: None,
        })
    }

    /// The forecast where nothing but the candidate itself can show that the use follows the traffic: from what it uses
    /// now, along the slope that it shows. `steep`: the same if all of it followed.
    fn along_own_changes(&self, ahead: &Ahead, step: &Step, steep: &Outlook) -> Outlook {
        let (slope, error) = self.own.slope().unwrap_or_default();
        let more = ahead.next_pace(step.pace) - step.pace;
        let quantile = quantile(QUANTILE, step.readings - 1.0);
        let level = self.own.spread() * (MAX_READINGS_PER_INDEPENDENT / step.readings).sqrt().min(1.0);
        let reach = quantile
            * level
                .hypot(error * more)
                .hypot(slope * step.doubt * (step.pace + more));
        let forecast = (step.used + slope * more).max(0.0);
        let upper = forecast + reach;
        let full = (step.used + slope * (ahead.full_pace(step.pace) - step.pace)).max(0.0);
        let sure = if ahead.is_far() && slope > 0.0 {
            Sure::No
        } else {
            Sure::Yes
        };
        let doubtful = Some(steep.forecast).filter(|it| *it > ahead.limit && upper <= ahead.limit);
        let fits = match ahead.fits(upper, full, sure) {
            Fits::Yes if doubtful.is_some() => Fits::Warn,
            it @ (Fits::Yes | Fits::Warn | Fits::Unsure | Fits::No) => it,
        };
        let idle = step.used - slope * step.pace;
        Outlook {
            forecast,
            upper,
            full,
            fits,
            // Where nothing is known to follow the traffic, less of it for each pod is no remedy.
            pods: ahead.pods_enough(idle, slope * step.pace).filter(|_| slope > 0.0),
            if_it_follows: doubtful,
            ..*steep
        }
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
        let reach = (quantile(BOTH_SIDES, variance * variance / scale) * variance.sqrt()).exp();
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
        let known = [&mut self.idle, &mut self.by_nature];
        sums.chain(&mut self.step)
            .chain(known)
            .chain(self.own.numbers())
            .collect()
    }
}

/// What two independent estimates of one number, each with its standard error, come to: the surer counts for more.
fn together((a, a_error): (f64, f64), (b, b_error): (f64, f64)) -> (f64, f64) {
    let all = a_error * a_error + b_error * b_error;
    if all <= 0.0 {
        return (f64::midpoint(a, b), 0.0);
    }
    let share = a_error * a_error / all;
    (a + (b - a) * share, a_error * b_error / all.sqrt())
}

/// A quantile of Student's distribution with `freedom` degrees, from the normal one (Abramowitz and Stegun 26.7.5).
fn quantile(normal: f64, freedom: f64) -> f64 {
    let (z, v) = (normal, freedom.max(1.0));
    z + (z.powi(3) + z) / (4.0 * v) + (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / (96.0 * v * v)
}

#[cfg(test)]
mod tests;

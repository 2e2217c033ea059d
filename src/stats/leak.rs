//! Does the candidate lose memory (or connections, or file descriptors) that the baseline keeps?
//!
//! The candidate's use minus the baseline's, as a robust trend over a step. What both do, such as a day's traffic, falls
//! out. A trend is a leak only if it is sure, if it has grown beyond what the baseline's own pods wander and differ by
//! (garbage collection), and if it does not die away (caches that fill). Then the question is when the limit is reached.
//!
//! The state is of fixed size: at most [`BLOCKS`] means of readings; when they are full, neighbours are merged.

mod trend;

use trend::{Trend, trend};

/// The most points that are kept.
pub const BLOCKS: usize = 48;
/// Shorter records say nothing, in seconds: one tooth of garbage collection may last as long.
pub const SHORTEST: f64 = 300.0;
/// A leak that may reach the limit within this time (seconds) holds the release: 4 h.
pub const HOLDS: f64 = 4.0 * 3600.0;
/// A leak that surely reaches the limit within this time (seconds) fails it: 30 min.
pub const FAILS: f64 = 1800.0;
/// Quantiles of the normal distribution for one side: what happens by chance once in a thousand, in a hundred, in twenty.
const SURE: f64 = 3.09;
const FAIRLY: f64 = 2.33;
const LIKELY: f64 = 1.645;
/// How far beyond the baseline's own wandering the candidate must have grown.
const BEYOND: f64 = 1.25;

/// What the pods of one arm use at one moment, as shares of their limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// How many pods.
    pub pods: u32,
    /// The mean over them.
    pub mean: f64,
    /// The least used one.
    pub least: f64,
    /// The most used one.
    pub most: f64,
}

impl Level {
    /// The level of pods that use so much, as shares of their limit; `None` without pods or with a value that is no
    /// number.
    pub fn of(used: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (mut pods, mut sum, mut least, mut most) = (0, 0.0, f64::INFINITY, f64::NEG_INFINITY);
        for one in used {
            if !one.is_finite() {
                return None;
            }
            pods += 1;
            sum += one;
            least = one.min(least);
            most = one.max(most);
        }
        (pods > 0).then(|| Self {
            pods,
            mean: sum / f64::from(pods),
            least,
            most,
        })
    }
}

/// The mean of some readings.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Block {
    /// Seconds since the record began.
    t: f32,
    /// Candidate minus baseline.
    value: f32,
}

/// The record of one gauge in one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Leak {
    blocks: [Block; BLOCKS],
    /// How many of them are in use, how many readings make one, and how many the last one has.
    length: u16,
    width: u16,
    filled: u16,
    /// Seconds of the record so far.
    seconds: f64,
    /// The most used candidate pod at the last reading.
    most: f64,
    /// Range of the baseline's mean in the record.
    range: [f64; 2],
    /// Over the whole release: the ranges of the baseline's pods at one time, and how many were taken.
    apart: [f64; 2],
}

/// What a leak means for the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Danger {
    /// None that would matter within hours.
    None,
    /// The weight must not grow.
    Holds,
    /// The candidate must go.
    Fails,
}

/// What the record shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// By how much of the limit a candidate pod grows in an hour, beyond the baseline's.
    pub hourly: f64,
    /// What the most used candidate pod uses now, as a share of its limit.
    pub used: f64,
    /// Seconds until that pod reaches its limit; infinite if it does not grow.
    pub until: f64,
    /// What follows.
    pub danger: Danger,
}

impl Default for Leak {
    fn default() -> Self {
        Self {
            blocks: [Block::default(); BLOCKS],
            length: 0,
            width: 1,
            filled: 1,
            seconds: 0.0,
            most: 0.0,
            range: [f64::MAX, f64::MIN],
            apart: [0.0; 2],
        }
    }
}

impl Leak {
    /// The record begins anew: the load has changed, or the pods have. What is known of the baseline's pods stays.
    pub fn begin(&mut self) {
        *self = Self {
            apart: self.apart,
            ..Self::default()
        };
    }

    /// Takes a reading of both arms, `seconds` after the one before. Leave out what is still warming up.
    pub fn observe(&mut self, candidate: Level, baseline: Level, seconds: f64) {
        if self.length > 0 && seconds.is_finite() {
            self.seconds += seconds.max(0.0);
        }
        self.most = candidate.most;
        self.range = [self.range[0].min(baseline.mean), self.range[1].max(baseline.mean)];
        if baseline.pods > 1 {
            // The range of a few pods, to that of a great many.
            let pods = f64::from(baseline.pods);
            let apart = (baseline.most - baseline.least) * (pods + 1.0) / (pods - 1.0);
            self.apart = [self.apart[0] + apart, self.apart[1] + 1.0];
        }
        self.put(candidate.mean - baseline.mean);
    }

    fn put(&mut self, value: f64) {
        if self.filled >= self.width {
            if usize::from(self.length) == BLOCKS {
                self.merge();
            }
            self.length += 1;
            self.filled = 0;
        }
        let n = f32::from(self.filled);
        let mean = |old: f32, new: f64| (old * n + new as f32) / (n + 1.0);
        let block = &mut self.blocks[usize::from(self.length.max(1) - 1)];
        *block = Block {
            t: mean(block.t, self.seconds),
            value: mean(block.value, value),
        };
        self.filled += 1;
    }

    /// Merges neighbours: half as many points of twice the width.
    fn merge(&mut self) {
        for at in 0..BLOCKS / 2 {
            let [a, b] = [self.blocks[2 * at], self.blocks[2 * at + 1]];
            self.blocks[at] = Block {
                t: f32::midpoint(a.t, b.t),
                value: f32::midpoint(a.value, b.value),
            };
        }
        self.blocks[BLOCKS / 2..].fill(Block::default());
        self.length = BLOCKS as u16 / 2;
        self.width = self.width.saturating_mul(2);
    }

    /// By how much the baseline's pods wander and differ anyway.
    fn wander(&self) -> f64 {
        let apart = self.apart[0] / self.apart[1].max(1.0);
        apart.max(self.range[1] - self.range[0]).max(0.0)
    }

    /// What the record shows; `None` before it is [`SHORTEST`] long.
    pub fn growth(&self) -> Option<Growth> {
        if self.seconds < SHORTEST {
            return None;
        }
        let points: Vec<(f64, f64)> = self.blocks[..usize::from(self.length)]
            .iter()
            .map(|block| (f64::from(block.t), f64::from(block.value)))
            .collect();
        let whole = trend(&points, SURE)?;
        let likely = trend(&points, LIKELY)?;
        let (early, late) = points.split_at(points.len() / 2);
        let halves = trend(early, FAIRLY).zip(trend(late, FAIRLY));
        let room = (1.0 - self.most).max(0.0);
        let grown = whole.slope * self.seconds;
        let leaks = whole.low > 0.0 && grown > BEYOND * self.wander();
        let danger = match halves {
            Some((early, late)) if leaks => self.danger(room, likely, whole, (early, late)),
            _ => Danger::None,
        };
        Some(Growth {
            hourly: whole.slope * 3600.0,
            used: self.most,
            until: if whole.slope > 0.0 {
                room / whole.slope
            } else {
                f64::INFINITY
            },
            danger,
        })
    }

    fn danger(&self, room: f64, likely: Trend, sure: Trend, (early, late): (Trend, Trend)) -> Danger {
        // What is still to come if each half of the record grows by the same factor against the one before.
        let half = self.seconds / 2.0;
        let to_come = |late: f64, early: f64| {
            let factor = late / early;
            if late <= 0.0 {
                0.0
            } else if early <= 0.0 || factor >= 1.0 {
                f64::INFINITY
            } else {
                late * half * factor / (1.0 - factor)
            }
        };
        let surely = to_come(late.low, early.high) > room && room < sure.low * FAILS;
        let maybe = to_come(late.high, early.low) > room && room < likely.high * HOLDS;
        if surely {
            Danger::Fails
        } else if maybe {
            Danger::Holds
        } else {
            Danger::None
        }
    }

    /// The state as plain numbers, to be kept across restarts: at most 1 KiB of them.
    pub fn checkpoint(&self) -> Vec<f64> {
        let blocks = self.blocks[..usize::from(self.length)].iter();
        let counts = [self.width, self.filled].map(f64::from);
        let rest = [
            self.seconds,
            self.most,
            self.range[0],
            self.range[1],
            self.apart[0],
            self.apart[1],
        ];
        let points = blocks.flat_map(|block| [f64::from(block.t), f64::from(block.value)]);
        counts.into_iter().chain(rest).chain(points).collect()
    }

    /// The state that [`Self::checkpoint`] gave; `None` if it is not one.
    pub fn resume(numbers: &[f64]) -> Option<Self> {
        let [
            width,
            filled,
            seconds,
            most,
            lowest,
            highest,
            apart,
            times,
            points @ ..,
        ] = numbers
        else {
            return None;
        };
        let count = |x: f64| (x.fract() == 0.0 && (1.0..=65535.0).contains(&x)).then_some(x as u16);
        let (width, filled) = (count(*width)?, count(*filled)?);
        let sound = points.len() % 2 == 0 && points.len() <= 2 * BLOCKS && filled <= width;
        if !sound || numbers.iter().any(|number| !number.is_finite()) {
            return None;
        }
        let mut blocks = [Block::default(); BLOCKS];
        for (slot, pair) in blocks.iter_mut().zip(points.chunks_exact(2)) {
            *slot = Block {
                t: pair[0] as f32,
                value: pair[1] as f32,
            };
        }
        Some(Self {
            blocks,
            length: (points.len() / 2) as u16,
            width,
            filled,
            seconds: *seconds,
            most: *most,
            range: [*lowest, *highest],
            apart: [*apart, *times],
        })
    }
}

#[cfg(test)]
mod tests;

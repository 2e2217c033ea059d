//! The evidence as plain numbers, to be kept across restarts.
//!
//! Resuming is bit-exact: an evidence that is written, read and fed the same ticks ends in the same bits.

mod without_baseline;

use std::fmt;
use std::sync::Arc;

use super::assessment::{Amiss, Warming};
use super::background::{Background, Bursts};
use super::counts::Counts;
use super::evidence::{Evidence, Flags, Given};
use super::settings::Settings;

/// The layout's version; a checkpoint of another version is refused.
const VERSION: u64 = 7;
const WHOLES: usize = 23;
/// The flags' bits that say that the past is calm, that it shows bursts, and that pods warm up.
const CALM: u32 = 4;
const BURSTY: u32 = 5;
/// Those that say that nothing runs beside the candidate, and that the evidence against the past follows.
const ALONE: u32 = 6;
const AGAINST_PAST: u32 = 7;
const YOUNG: u32 = 8;
/// And that the baseline is gone.
const FORSAKEN: u32 = 9;
/// And that requests are shared out by weight.
const ROUTED: u32 = 10;

/// An [`Evidence`] without its settings, as plain numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Real parts, in a fixed order.
    pub reals: Vec<f64>,
    /// Whole parts, in a fixed order; the first is the layout's version.
    pub wholes: Vec<u64>,
}

/// Why a checkpoint cannot be used; the evidence must start anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointError {
    /// Written by another version of the layout.
    Version,
    /// Too short, too long, or not numbers.
    Shape,
    /// A value that no evidence can have.
    Value,
}

fn flags(packed: u64) -> Flags {
    let bit = |at: u32| packed >> at & 1 == 1;
    Flags {
        last: bit(0),
        failed: bit(1),
        amiss: match (bit(2), bit(FORSAKEN)) {
            (_, true) => Some(Amiss::BaselineGone),
            (true, false) => Some(Amiss::SharedFault),
            (false, false) => None,
        },
        warming: match (bit(3), bit(YOUNG)) {
            (_, true) => Some(Warming::Pods),
            (true, false) => Some(Warming::Step),
            (false, false) => None,
        },
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the checkpoint was written by another version; the evidence restarts",
            Self::Shape => "the checkpoint is cut or altered; the evidence restarts",
            Self::Value => "the checkpoint holds impossible values; the evidence restarts",
        })
    }
}

impl std::error::Error for CheckpointError {}

/// Visits every real number of the state in one fixed order, to write or to read it.
fn reals(e: &mut Evidence, visit: &mut dyn FnMut(&mut f64)) {
    e.fail.weights.iter_mut().for_each(&mut *visit);
    visit(&mut e.fail.log_wealth);
    for process in [&mut e.release, &mut e.step] {
        process.weights.iter_mut().for_each(&mut *visit);
        visit(&mut process.log_wealth);
    }
    visit(&mut e.step_best);
    let mut narrow = |value: &mut f32| {
        let mut wide = f64::from(*value);
        visit(&mut wide);
        *value = wide as f32;
    };
    e.ratio.at_nodes.iter_mut().for_each(&mut narrow);
    for tick in &mut e.guard.last {
        let [candidate, baseline] = &mut tick.rates;
        [&mut tick.seconds, &mut tick.gain, candidate, baseline]
            .into_iter()
            .for_each(&mut narrow);
    }
    e.withheld.plain.iter_mut().for_each(&mut narrow);
    for value in [
        &mut e.guard.largest,
        &mut e.guard.waiting.seconds,
        &mut e.guard.waiting.waited,
        &mut e.withheld.seconds,
        &mut e.withheld.gross,
        &mut e.gross,
        &mut e.learned.rate,
        &mut e.learned.squares,
        &mut e.learned.pairs,
        &mut e.multiplier,
        &mut e.weight,
        &mut e.step_floor,
        &mut e.release_seconds,
        &mut e.step_seconds,
        &mut e.idle,
        &mut e.ratio.estimate,
    ] {
        narrow(value);
    }
    for point in &mut e.ratio.inside {
        let mut wide = f64::from(*point);
        visit(&mut wide);
        *point = wide as u16;
    }
}

/// Visits every whole number of the state but the counts and the flags.
fn wholes(e: &mut Evidence, visit: &mut dyn FnMut(&mut u64)) {
    let pods = &mut Arc::make_mut(&mut e.given).candidate_pods;
    for value in std::iter::once(pods).chain(e.guard.waiting.counts.iter_mut().flatten()) {
        let mut wide = u64::from(*value);
        visit(&mut wide);
        *value = u32::try_from(wide).unwrap_or(u32::MAX);
    }
    for few in [
        &mut e.guard.touched,
        &mut e.guard.lasting,
        &mut e.guard.outage.baseline,
        &mut e.guard.outage.candidate,
        &mut e.learned.ticks,
        &mut e.learned.run,
        &mut e.learned.longest,
    ] {
        let mut wide = u64::from(*few);
        visit(&mut wide);
        *few = u8::try_from(wide).unwrap_or(u8::MAX);
    }
}

impl Evidence {
    /// The state as plain numbers.
    pub fn checkpoint(&self) -> Checkpoint {
        let mut copy = self.clone();
        let mut values = Vec::with_capacity(64);
        reals(&mut copy, &mut |x| values.push(*x));
        let b = self.background();
        values.extend([
            b.rate().unwrap_or(-1.0),
            b.dispersion(),
            b.pod_spread(),
            b.tick_seconds(),
            self.given.pace.unwrap_or(-1.0),
            self.given.release_floor,
        ]);
        let against_past = self.past_on_trial();
        values.extend(against_past.into_iter().flat_map(without_baseline::reals));
        let f = self.flags;
        let flags = [
            f.last,
            f.failed,
            f.amiss == Some(Amiss::SharedFault),
            f.warming.is_some(),
            b.calm(),
            b.bursty(),
            self.is_alone(),
            against_past.is_some(),
            f.warming == Some(Warming::Pods),
            f.amiss == Some(Amiss::BaselineGone),
            self.given.routed,
        ];
        let packed = flags
            .iter()
            .enumerate()
            .map(|(bit, on)| u64::from(*on) << bit)
            .sum();
        let mut whole = vec![VERSION, packed, b.burst_ticks() as u64];
        wholes(&mut copy, &mut |x| whole.push(*x));
        for counts in [
            self.in_release.candidate,
            self.in_release.baseline,
            self.in_step.candidate,
            self.in_step.baseline,
        ] {
            whole.extend([counts.requests, counts.bad]);
        }
        Checkpoint {
            reals: values,
            wholes: whole,
        }
    }

    /// The evidence that a checkpoint was taken of, under these settings.
    ///
    /// # Errors
    /// The checkpoint is of another version, or not one that any evidence can have.
    pub fn resume(settings: Settings, from: &Checkpoint) -> Result<Self, CheckpointError> {
        let [version, packed, burst, whole @ ..] = from.wholes.as_slice() else {
            return Err(CheckpointError::Shape);
        };
        if *version != VERSION {
            return Err(CheckpointError::Version);
        }
        if from.wholes.len() != WHOLES {
            return Err(CheckpointError::Shape);
        }
        if from.reals.iter().any(|x| x.is_nan()) {
            return Err(CheckpointError::Value);
        }
        let mut evidence = Self::new(settings);
        let mut input = from.reals.iter().copied();
        let mut complete = true;
        reals(&mut evidence, &mut |x| match input.next() {
            Some(value) => *x = value,
            None => complete = false,
        });
        let rest: Vec<f64> = input.collect();
        let (&[rate, dispersion, spread, tick, pace, floor], past) =
            rest.split_first_chunk().ok_or(CheckpointError::Shape)?;
        if !complete {
            return Err(CheckpointError::Shape);
        }
        let stand =
            without_baseline::stand(&settings, (packed >> ALONE & 1, packed >> AGAINST_PAST & 1), past)?;
        let burst = usize::try_from(*burst).map_err(|_| CheckpointError::Value)?;
        let background = Background::new((rate >= 0.0).then_some(rate), dispersion, burst, spread)
            .with_tick_seconds(tick)
            .with_bursts(match (packed >> CALM & 1, packed >> BURSTY & 1) {
                (1, _) => Bursts::None,
                (_, 1) => Bursts::Seen,
                _ => Bursts::Unknown,
            });
        let pace = (pace > 0.0).then_some(pace);
        let given = Given {
            background,
            pace,
            release_floor: floor,
            candidate_pods: 1,
            routed: packed >> ROUTED & 1 == 1,
            stand,
            settings,
        };
        evidence.given = Arc::new(given);
        let mut whole = whole.iter().copied();
        wholes(&mut evidence, &mut |x| *x = whole.next().unwrap_or_default());
        let pods = evidence.given.candidate_pods;
        evidence.set_candidate_pods(pods);
        let arms = [
            &mut evidence.in_release.candidate,
            &mut evidence.in_release.baseline,
            &mut evidence.in_step.candidate,
            &mut evidence.in_step.baseline,
        ];
        for arm in arms {
            *arm = Counts {
                requests: whole.next().unwrap_or_default(),
                bad: whole.next().unwrap_or_default(),
            };
        }
        evidence.flags = flags(*packed);
        Ok(evidence)
    }
}

#[cfg(test)]
mod tests;

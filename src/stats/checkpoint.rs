//! The evidence as plain numbers, to be kept across restarts.
//!
//! Resuming is bit-exact: an evidence that is written, read and fed the same ticks ends in the same bits. The text
//! form writes the bits of each number, because decimal parsers may be off by the last one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::background::Background;
use super::counts::Counts;
use super::evidence::{Evidence, Flags, Given};
use super::settings::Settings;

/// The layout's version; a checkpoint of another version is refused.
const VERSION: u64 = 1;
const WHOLES: usize = 12;

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

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Version => "the checkpoint was written by another version; the evidence starts anew",
            Self::Shape => "the checkpoint is cut or altered; the evidence starts anew",
            Self::Value => "the checkpoint holds impossible values; the evidence starts anew",
        })
    }
}

impl std::error::Error for CheckpointError {}

/// Visits every real number of the state in one fixed order, to write or to read it.
fn reals(e: &mut Evidence, visit: &mut dyn FnMut(&mut f64)) {
    e.fail.weights.iter_mut().for_each(&mut *visit);
    visit(&mut e.fail.log_wealth);
    e.largest.values.iter_mut().for_each(&mut *visit);
    for process in [&mut e.release, &mut e.step] {
        process.weights.iter_mut().for_each(&mut *visit);
        visit(&mut process.log_wealth);
    }
    e.ratio.at_nodes.iter_mut().for_each(&mut *visit);
    for narrow in e.recent.iter_mut().flatten().chain([
        &mut e.multiplier,
        &mut e.weight,
        &mut e.step_floor,
        &mut e.ratio.estimate,
    ]) {
        let mut wide = f64::from(*narrow);
        visit(&mut wide);
        *narrow = wide as f32;
    }
    for point in &mut e.ratio.inside {
        let mut wide = f64::from(*point);
        visit(&mut wide);
        *point = wide as u16;
    }
    for value in [&mut e.step_best, &mut e.release_seconds, &mut e.step_seconds] {
        visit(value);
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
            self.given.pace.unwrap_or(-1.0),
            self.given.release_floor,
        ]);
        let f = self.flags;
        let flags = [f.last, f.failed, f.environment, f.warming];
        let packed = flags
            .iter()
            .enumerate()
            .map(|(bit, on)| u64::from(*on) << bit)
            .sum();
        let mut wholes = vec![
            VERSION,
            packed,
            u64::from(self.candidate_pods),
            b.burst_ticks() as u64,
        ];
        for counts in [
            self.in_release.candidate,
            self.in_release.baseline,
            self.in_step.candidate,
            self.in_step.baseline,
        ] {
            wholes.extend([counts.requests, counts.bad]);
        }
        Checkpoint {
            reals: values,
            wholes,
        }
    }

    /// The evidence that a checkpoint was taken of, under these settings.
    pub fn resume(settings: Settings, from: &Checkpoint) -> Result<Self, CheckpointError> {
        let [version, packed, pods, burst, counts @ ..] = from.wholes.as_slice() else {
            return Err(CheckpointError::Shape);
        };
        if *version != VERSION {
            return Err(CheckpointError::Version);
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
        let [rate, dispersion, spread, pace, floor] = rest[..] else {
            return Err(CheckpointError::Shape);
        };
        if counts.len() + 4 != WHOLES {
            return Err(CheckpointError::Shape);
        }
        if !complete {
            return Err(CheckpointError::Shape);
        }
        let pods = u32::try_from(*pods).map_err(|_| CheckpointError::Value)?;
        let burst = usize::try_from(*burst).map_err(|_| CheckpointError::Value)?;
        let background = Background::new((rate >= 0.0).then_some(rate), dispersion, burst, spread);
        let pace = (pace > 0.0).then_some(pace);
        let given = Given {
            background,
            pace,
            release_floor: floor,
            ..*evidence.given
        };
        evidence.given = Arc::new(given);
        evidence.set_candidate_pods(pods);
        let arms = [
            &mut evidence.in_release.candidate,
            &mut evidence.in_release.baseline,
            &mut evidence.in_step.candidate,
            &mut evidence.in_step.baseline,
        ];
        for (arm, pair) in arms.into_iter().zip(counts.chunks_exact(2)) {
            *arm = Counts {
                requests: pair[0],
                bad: pair[1],
            };
        }
        let bit = |at: u32| packed >> at & 1 == 1;
        evidence.flags = Flags {
            last: bit(0),
            failed: bit(1),
            environment: bit(2),
            warming: bit(3),
        };
        Ok(evidence)
    }
}

impl fmt::Display for Checkpoint {
    /// Hexadecimal words separated by dots, whole parts first, zero as nothing; about 1 KiB.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self
            .wholes
            .iter()
            .copied()
            .chain(self.reals.iter().map(|x| x.to_bits()));
        for (at, word) in words.enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            if word != 0 {
                write!(f, "{word:x}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let parse = |word: &str| {
            if word.is_empty() {
                Ok(0)
            } else {
                u64::from_str_radix(word, 16)
            }
        };
        let words = text
            .split('.')
            .map(parse)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| CheckpointError::Shape)?;
        if words.len() < WHOLES {
            return Err(CheckpointError::Shape);
        }
        let (wholes, reals) = words.split_at(WHOLES);
        Ok(Self {
            wholes: wholes.to_vec(),
            reals: reals.iter().copied().map(f64::from_bits).collect(),
        })
    }
}

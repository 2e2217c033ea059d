//! One counter over time: whether a lower value is of a process that has begun again, or merely an older sample.
//!
//! One of several servers of the same samples may be behind the one that answered before, by no more than
//! [`MAX_AGE`]: its value is then one that the counter had, and not lower than it was that long ago.

use jiff::Timestamp;

use super::{MAX_AGE, RESETS_WITHIN};

/// What is known of a counter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    value: f64,
    /// Which stretch of time, each as long as [`MAX_AGE`], the value was read in.
    stretch: i64,
    /// The first value of this process in that stretch, and in the two before it.
    firsts: [Option<f64>; 3],
    /// The series existed before our first reading of it; nobody knows since when.
    predates_us: bool,
    /// The falls that were acted on lately: at which evaluations, and how many.
    falls: Vec<(Timestamp, u64)>,
}

/// What a value says about the process behind a counter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum ResetCheck {
    /// It has restarted.
    Restarted,
    /// It may have restarted: the counter, which had this value, is too young to tell.
    Lower(f64),
    /// It is the same process; the counter had this value before.
    GoesOn(f64),
    /// It cannot be decided: a young counter looks the same in both cases.
    Undecided,
}

impl Series {
    /// A counter that has begun since the reading before.
    pub(super) fn new(value: f64, at: Timestamp) -> Self {
        Self {
            value,
            stretch: stretch(at),
            firsts: [Some(value), None, None],
            predates_us: false,
            falls: Vec::new(),
        }
    }

    /// A counter that existed before our first reading: most of its value is older than any sample that may still arrive. So
    /// many `falls` the server has seen by then.
    pub(super) fn base(value: f64, at: Timestamp, falls: u64) -> Self {
        Self {
            predates_us: true,
            falls: (falls > 0).then_some((at, falls)).into_iter().collect(),
            ..Self::new(value, at)
        }
    }

    pub(super) const fn value(&self) -> f64 {
        self.value
    }

    /// Classifies `value`: the same process, a restarted one, or undecidable. A value below every sample that may still
    /// arrive late is a restart.
    ///
    /// A restart passes for a late sample only if the new process has counted within one reading what the old one had
    /// counted up to [`MAX_AGE`] ago. That is corrected once the value has stayed below for two stretches: the new
    /// process then counts from 0 in full.
    pub(super) fn reset(&self, value: f64, at: Timestamp) -> ResetCheck {
        let known = match stretch(at) - self.stretch {
            0 => self.firsts[2].and(self.firsts[1]),
            1 => self.firsts[1].and(self.firsts[0]),
            _ => Some(self.value),
        };
        let floor = known.or_else(|| self.predates_us.then_some(self.value / 2.0));
        match floor {
            Some(floor) if value < floor => ResetCheck::Restarted,
            Some(_) => ResetCheck::GoesOn(self.value),
            None if value < self.value => ResetCheck::Lower(self.value),
            None => ResetCheck::Undecided,
        }
    }

    /// Whether one of the `falls` that the server has seen within [`RESETS_WITHIN`] was not acted on: it remembers them for
    /// so long, and an older sample must not count in full again for that.
    pub(super) fn has_fallen_anew(&self, falls: u64, at: Timestamp) -> bool {
        let known = self.falls.iter().filter(|(when, _)| is_recent(*when, at));
        falls > known.fold(0, |sum, (_, falls)| falls.saturating_add(sum))
    }

    /// The counter has begun again at 0, and the server has seen so many `falls`: perhaps not yet this one, which it will
    /// tell later.
    pub(super) fn restart(&mut self, value: f64, at: Timestamp, falls: u64) {
        let mut known = std::mem::take(&mut self.falls);
        known.retain(|(when, _)| is_recent(*when, at));
        let before = known
            .iter()
            .fold(0, |sum: u64, (_, falls)| sum.saturating_add(*falls));
        known.push((at, falls.saturating_sub(before).max(1)));
        *self = Self {
            falls: known,
            ..Self::new(value, at)
        };
    }

    /// The same process counts on.
    pub(super) fn grow(&mut self, value: f64, at: Timestamp) {
        let stretch = stretch(at);
        let [newest, middle, _] = self.firsts;
        self.firsts = match stretch - self.stretch {
            0 => self.firsts,
            1 => [Some(value), newest, middle],
            2 => [Some(value), None, newest],
            _ => [Some(value), None, None],
        };
        (self.value, self.stretch) = (value, stretch);
    }
}

/// Whether what the server saw `when` is among what it tells of at `at`.
fn is_recent(when: Timestamp, at: Timestamp) -> bool {
    at.duration_since(when).unsigned_abs() < RESETS_WITHIN
}

/// Aligned to the Unix epoch, so that a replay of the same samples finds the same stretches.
fn stretch(at: Timestamp) -> i64 {
    let length = i64::try_from(MAX_AGE.as_secs()).unwrap_or(i64::MAX);
    at.as_second().div_euclid(length)
}

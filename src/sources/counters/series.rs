//! One counter over time: whether a lower value is of a process that has begun again, or merely an older sample.
//!
//! One of several servers of the same samples may be behind the one that answered before, by no more than
//! [`MAX_AGE`]: its value is then one that the counter had, and not lower than it was that long ago.

use jiff::Timestamp;

use super::MAX_AGE;

/// What is known of a counter.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    value: f64,
    /// Which stretch of time, each as long as [`MAX_AGE`], the value was read in.
    stretch: i64,
    /// The first value of this process in that stretch, and in the two before it.
    firsts: [Option<f64>; 3],
    /// It had counted for nobody knows how long when it was first read.
    old: bool,
}

/// What a value says of the process that counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Sign {
    /// It has begun again.
    Begun,
    /// It may have: the counter, which had this value, is too young to tell by itself.
    Lower(f64),
    /// It goes on, with a counter that had this value.
    GoesOn(f64),
    /// Nothing: a counter that is too young would say the same in both cases.
    Nothing,
}

impl Series {
    /// A counter that has begun since the reading before.
    pub(super) fn new(value: f64, at: Timestamp) -> Self {
        Self {
            value,
            stretch: stretch(at),
            firsts: [Some(value), None, None],
            old: false,
        }
    }

    /// A counter that was there before the first reading of it: most of what it shows is older than any sample that may
    /// still be told.
    pub(super) fn base(value: f64, at: Timestamp) -> Self {
        Self {
            old: true,
            ..Self::new(value, at)
        }
    }

    pub(super) const fn value(&self) -> f64 {
        self.value
    }

    /// What `value` says: a process has begun again that shows less than any sample that may still be told.
    ///
    /// A process that has begun again is taken for an older sample only if it has served as much within one reading as
    /// the one before it in all its life but the last minutes, so the process before must have lived that long. Even
    /// then it is found out as soon as it has stayed below for two stretches, and counts from 0 with all that it has.
    pub(super) fn sign(&self, value: f64, at: Timestamp) -> Sign {
        let known = match stretch(at) - self.stretch {
            0 => self.firsts[2].and(self.firsts[1]),
            1 => self.firsts[1].and(self.firsts[0]),
            _ => Some(self.value),
        };
        let floor = known.or_else(|| self.old.then_some(self.value / 2.0));
        match floor {
            Some(floor) if value < floor => Sign::Begun,
            Some(_) => Sign::GoesOn(self.value),
            None if value < self.value => Sign::Lower(self.value),
            None => Sign::Nothing,
        }
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

/// Counted from the beginning of time, so that whoever reads the same samples later finds the same.
fn stretch(at: Timestamp) -> i64 {
    let length = i64::try_from(MAX_AGE.as_secs()).unwrap_or(i64::MAX);
    at.as_second().div_euclid(length)
}

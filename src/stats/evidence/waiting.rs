//! Scrapes that are read together: because they are short, or because one arm waits for requests of the other.

use crate::stats::counts::{Counts, Tick};

/// How long, in seconds, requests of one arm wait for requests of the other. Each target is scraped at a moment of its own:
/// where that happens more rarely than the judge evaluates, the arms' counters move in different evaluations. Scrapes more
/// than two minutes apart are not comparable, and after five minutes samples are stale.
pub(in crate::stats) const PATIENT: f64 = 150.0;
/// How long requests of the candidate wait for those of a baseline of which few have been counted, in seconds.
const SHORT_PATIENT: f64 = 60.0;
/// So many more requests of the baseline are expected than are counted while only the candidate's pods have been scraped.
const FEWER: f64 = 4.0;
/// Fewer expected requests say nothing of how many there should be.
const EXPECTED: f64 = 20.0;

/// Scrapes that wait to be read together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::stats) struct Waiting {
    pub(in crate::stats) seconds: f32,
    /// Those of them after the first scrape.
    pub(in crate::stats) waited: f32,
    /// Requests and bad ones by arm.
    pub(in crate::stats) counts: [[u32; 2]; 2],
}

impl Waiting {
    /// A tick that is to wait; `None` if it has too many requests for the room that there is.
    pub(super) fn of(tick: &Tick, waited: f32) -> Option<Self> {
        let narrow = |arm: Counts| Some([arm.requests.try_into().ok()?, arm.bad.try_into().ok()?]);
        Some(Self {
            seconds: tick.seconds as f32,
            waited,
            counts: [narrow(tick.candidate)?, narrow(tick.baseline)?],
        })
    }
}

/// How requests of one arm wait for those of the other.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::stats) struct Patience {
    /// Where the other arm has none, for so many seconds.
    pub(in crate::stats) seconds: f64,
    /// How many of the baseline come to one of the candidate, if that is known. A provider that was away scrapes one pod
    /// after the other: the first reading then shows the failures of the candidate's minutes and hardly any request beside
    /// them, the next one the other way round, and neither could be compared.
    pub(in crate::stats) beside: Option<f64>,
}

impl Patience {
    /// Whether what was counted waits for more; for so many seconds it has already.
    pub(super) fn lasts(self, tick: &Tick, waited: f32) -> bool {
        if (tick.candidate.requests == 0) != (tick.baseline.requests == 0) {
            return tick.seconds < self.seconds;
        }
        let expected = self.beside.unwrap_or_default() * tick.candidate.requests as f64;
        let few = expected >= EXPECTED && tick.baseline.requests as f64 * FEWER < expected;
        few && f64::from(waited) < SHORT_PATIENT
    }
}

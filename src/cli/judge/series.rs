//! Increments of raw cumulative series.
//!
//! A counter that fell was reset and counts from 0. So does one whose process restarted, even if it has grown beyond its old
//! value since. A new series counts from 0 only if it began after the last line; otherwise its first sample is only a base.
//! Errors may show a line earlier or later than their requests, or in another series: the arm is clipped as a whole, and what
//! exceeds its requests waits for the next ones. If errors fall while their requests do not, the sample is an older one and
//! the counter stays where it was; only if most of the errors stay away was the counter reset.

use std::collections::BTreeMap;

use super::line::Series;
use crate::sources::counters::Carry;
use crate::stats::Counts;

/// A start that is told later than before by no more than this is the same one, in seconds: many reckon it from an uptime in
/// whole seconds.
const ROUNDING: f64 = 1.5;
/// What was not seen for so long is forgotten, in seconds of the stream: a release may see thousands of pods.
const MEMORY: f64 = 600.0;
/// An errors' counter that fell below half of what it was, and has stayed below that for so many lines, has begun anew.
const BEGUN_ANEW: u8 = 3;

/// The last sample of a series.
#[derive(Clone, Copy, Debug)]
struct Sample {
    requests: u64,
    bad: u64,
    started: Option<f64>,
    /// When it was seen.
    at: f64,
    /// In so many lines in a row the errors have been fewer than they were, in the first of them less than half.
    fewer: u8,
}

impl Sample {
    /// Whether the process of which this is a later sample is another one; the last line was at `since`.
    fn is_reset(&self, later: &Self, since: Option<f64>) -> bool {
        let began_anew = match (self.started, later.started) {
            (Some(before), Some(now)) => now > before + ROUNDING,
            (None, Some(now)) => since.is_some_and(|since| now > since),
            (_, None) => false,
        };
        // Requests and errors of one process fall together; a lower total means that both were reset.
        began_anew || later.requests < self.requests
    }

    /// The errors from which a later total of the same process counts, and in how many lines these have been fewer. Another
    /// server's older sample shows fewer errors for a line or two; a counter that stays below has begun anew, and counts in
    /// full.
    const fn bad_before(&self, later: u64) -> (u64, u8) {
        if later >= self.bad || self.fewer == 0 && later >= self.bad / 2 {
            (self.bad, 0)
        } else if self.fewer + 1 < BEGUN_ANEW {
            (self.bad, self.fewer + 1)
        } else {
            (0, 0)
        }
    }
}

/// The last samples of one arm's series.
#[derive(Debug, Default)]
pub(super) struct Counters {
    last: BTreeMap<Box<str>, Sample>,
    carry: Carry,
}

impl Counters {
    /// The arm's increments at `t` since the last line, which was at `since` (`None` for the first line).
    pub(super) fn take(&mut self, series: &[Series<'_>], since: Option<f64>, t: f64) -> Counts {
        let (mut sum, mut all_bad) = (0_u64, 0_u64);
        for one in series {
            let mut now = Sample {
                requests: one.n.0,
                bad: one.x.0,
                started: one.started,
                at: t,
                fewer: 0,
            };
            let from = if let Some(slot) = self.last.get_mut(one.name.as_ref()) {
                let before = *slot;
                let reset = before.is_reset(&now, since);
                now.started = now.started.or(before.started);
                let base = if reset {
                    (0, 0)
                } else {
                    let (bad, fewer) = before.bad_before(now.bad);
                    now.fewer = fewer;
                    (before.requests, bad)
                };
                now.bad = now.bad.max(base.1);
                *slot = now;
                Some(base)
            } else {
                self.last.insert(one.name.as_ref().into(), now);
                let born = |since: f64| one.started.is_some_and(|started| started >= since);
                since.is_some_and(born).then_some((0, 0))
            };
            if let Some((requests, bad)) = from {
                sum = sum.saturating_add(now.requests - requests);
                all_bad = all_bad.saturating_add(now.bad - bad);
            }
        }
        if self.last.len() > series.len() {
            self.last.retain(|_, sample| t - sample.at <= MEMORY);
        }
        Counts::new(sum, self.carry.take(sum, all_bad))
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::line::Whole;
    use super::*;

    fn sample(name: &str, started: Option<f64>, n: u64, x: u64) -> Series<'_> {
        Series {
            name: Cow::Borrowed(name),
            started,
            n: Whole(n),
            x: Whole(x),
        }
    }

    /// Takes samples 15 s apart, the first one at 15.
    fn taken(lines: &[&[Series<'_>]]) -> Vec<(u64, u64)> {
        let mut counters = Counters::default();
        let mut since = None;
        let mut all = Vec::new();
        for line in lines {
            let t = since.unwrap_or_default() + 15.0;
            let counts = counters.take(line, since, t);
            all.push((counts.requests, counts.bad));
            since = Some(t);
        }
        all
    }

    #[test]
    fn resets_new_and_vanished_series() {
        let all = taken(&[
            &[sample("a", Some(-30.0), 1000, 5)],
            &[sample("a", None, 1100, 6)],
            // A reset, and a pod that started since the last line.
            &[sample("a", None, 40, 0), sample("b", Some(31.0), 7, 7)],
            // An old pod seen for the first time sets its base only; one that is gone adds nothing.
            &[sample("c", Some(1.0), 9000, 9)],
            &[sample("c", Some(1.0), 9010, 9)],
        ]);
        assert_eq!(all, [(0, 0), (100, 1), (47, 7), (0, 0), (10, 0)]);
    }

    #[test]
    fn a_process_that_began_anew_counts_from_0_whatever_it_shows() {
        let two = |first, second| {
            taken(&[
                &[sample("a", first, 90, 10)],
                &[sample("a", second, 100, 80)],
                &[sample("a", second, 110, 81)],
            ])
        };
        assert_eq!(two(Some(0.0), Some(16.0)), [(0, 0), (100, 80), (10, 1)]);
        // Also if it is the first time that its start is told, but only if that is after the line before.
        assert_eq!(two(None, Some(16.0)), [(0, 0), (100, 80), (10, 1)]);
        // The errors that exceed the ten requests of the same process wait for the next ten.
        assert_eq!(two(None, Some(14.0)), [(0, 0), (10, 10), (10, 10)]);
        // A start that is rounded, that is not told any more, or that is told earlier is no other process.
        for second in [Some(1.0), None, Some(-20.0)] {
            assert_eq!(two(Some(0.0), second), [(0, 0), (10, 10), (10, 10)], "{second:?}");
        }
        // What was told once is not forgotten with one silent line.
        let silent = taken(&[
            &[sample("a", Some(0.0), 90, 10)],
            &[sample("a", None, 95, 10)],
            &[sample("a", Some(20.0), 100, 80)],
        ]);
        assert_eq!(silent[2], (100, 80));
    }

    /// A server that is behind, or a replica that takes turns with another.
    #[test]
    fn an_older_total_of_errors_adds_none_now_or_later() {
        let totals = |bad: &[u64]| {
            let lines: Vec<[Series<'_>; 1]> = (1..)
                .zip(bad)
                .map(|(at, bad)| [sample("a", None, 20_000 + 150 * at, *bad)])
                .collect();
            let lines: Vec<&[Series<'_>]> = lines.iter().map(|line| &line[..]).collect();
            let taken = taken(&lines).into_iter().map(|(_, bad)| bad);
            taken.skip(1).collect::<Vec<_>>()
        };
        assert_eq!(totals(&[1_000, 999, 1_000, 998, 1_002, 1_003]), [0, 0, 0, 2, 1]);
        // Few errors fall by more than half in an older sample, which a server's other replica may tell again and again.
        assert_eq!(totals(&[2, 0, 2, 0, 2, 0, 2, 0, 0, 2]), [0; 9]);
        // Errors whose counter is another process's, which began anew: known in the third line.
        assert_eq!(totals(&[1_000, 3, 5, 5, 6]), [0, 0, 5, 1]);
        assert_eq!(totals(&[1_000, 3, 600, 700, 710]), [0, 0, 150, 150]);
    }

    #[test]
    fn what_was_not_seen_for_long_is_forgotten() {
        let mut counters = Counters::default();
        for k in 0..10_000_u32 {
            let t = f64::from(k);
            let (mine, other) = (format!("pod-{k}"), format!("pod-{}", k / 100));
            let line = [
                sample("stays", None, u64::from(k), 0),
                sample(&mine, None, 9, 0),
                sample(&other, None, 9, 0),
            ];
            let line = if mine == other { &line[..2] } else { &line[..] };
            counters.take(line, (k > 0).then_some(t - 1.0), t);
            assert!(counters.last.len() <= 610, "{}", counters.last.len());
        }
        // Ten minutes of absence are remembered, more are not: then the first sample is a base again.
        for (gap, counted) in [(600.0, 5), (601.0, 0)] {
            let t = 9_999.0 + gap;
            counters.take(&[sample("gone", None, 10, 0)], Some(9_998.0), 9_999.0);
            counters.take(&[sample("stays", None, 1, 0)], Some(9_999.0), t - 0.5);
            let seen = counters.take(&[sample("gone", None, 15, 0)], Some(t - 0.5), t);
            assert_eq!(seen.requests, counted, "{gap}");
            counters = Counters::default();
        }
    }
}

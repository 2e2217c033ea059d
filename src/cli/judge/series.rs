//! Increments of raw cumulative series.
//!
//! A counter that fell was reset and counts from 0. A series that is new counts from 0 only if it began after the
//! last line; otherwise its first sample is no more than a base.

use std::collections::BTreeMap;

use super::line::Series;
use crate::stats::Counts;

/// The last samples of one arm's series.
#[derive(Debug, Default)]
pub(super) struct Counters {
    last: BTreeMap<String, (u64, u64)>,
}

/// What a counter grew by.
const fn grown(now: u64, before: u64) -> u64 {
    if now < before { now } else { now - before }
}

impl Counters {
    /// The arm's increments since the last line, which was at `since` (`None` for the first line).
    pub(super) fn take(&mut self, series: &[Series<'_>], since: Option<f64>) -> Counts {
        let mut sum = Counts::default();
        for one in series {
            let now = (one.n.0, one.x.0);
            let born = |s: f64| one.started.is_some_and(|started| started >= s);
            let before = if let Some(slot) = self.last.get_mut(one.name.as_ref()) {
                Some(std::mem::replace(slot, now))
            } else {
                self.last.insert(one.name.clone().into_owned(), now);
                since.is_some_and(born).then_some((0, 0))
            };
            if let Some((requests, bad)) = before {
                // Requests and errors of one process fall together; a lower total means that both began anew.
                let reset = now.0 < requests;
                let bad = if reset { now.1 } else { grown(now.1, bad) };
                sum = sum.plus(Counts::new(grown(now.0, requests), bad));
            }
        }
        sum
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

    #[test]
    fn resets_new_and_vanished_series() {
        let mut counters = Counters::default();
        assert_eq!(
            counters.take(&[sample("a", Some(-30.0), 1000, 5)], None),
            Counts::default()
        );
        assert_eq!(
            counters.take(&[sample("a", None, 1100, 6)], Some(15.0)),
            Counts::new(100, 1)
        );
        // A reset, and a pod that started since the last line.
        let two = [sample("a", None, 40, 0), sample("b", Some(31.0), 7, 7)];
        assert_eq!(counters.take(&two, Some(30.0)), Counts::new(47, 7));
        // An old pod seen for the first time sets its base only; one that is gone adds nothing.
        assert_eq!(
            counters.take(&[sample("c", Some(1.0), 9000, 9)], Some(45.0)),
            Counts::default()
        );
        assert_eq!(
            counters.take(&[sample("c", Some(1.0), 9010, 9)], Some(60.0)),
            Counts::new(10, 0)
        );
    }
}

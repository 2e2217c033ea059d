//! What the judge is fed: integer increments of cumulative counters, one pair of arms a scrape.

/// Requests and how many of them were bad, in one arm.
///
/// `bad` larger than `requests` is read as equal to it wherever the judge uses the pair: two counters of one
/// process are never scraped in quite the same instant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Requests (or other trials: pod-seconds, jobs).
    pub requests: u64,
    /// How many of them were bad: failed, or slower than an edge.
    pub bad: u64,
}

impl Counts {
    /// A pair with `bad` clipped to `requests`.
    pub const fn new(requests: u64, bad: u64) -> Self {
        Self {
            requests,
            bad: if bad > requests { requests } else { bad },
        }
    }

    /// The same pair with `bad` clipped to `requests`.
    #[must_use]
    pub const fn clipped(self) -> Self {
        Self::new(self.requests, self.bad)
    }

    /// The share of bad requests in 0..=1; `None` without requests.
    pub fn rate(self) -> Option<f64> {
        (self.requests > 0).then(|| self.clipped().bad as f64 / self.requests as f64)
    }

    /// Both pairs together, saturating.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let (a, b) = (self.clipped(), other.clipped());
        Self {
            requests: a.requests.saturating_add(b.requests),
            bad: a.bad.saturating_add(b.bad),
        }
    }
}

/// The increments of both arms between two evaluations.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tick {
    /// The version on trial.
    pub candidate: Counts,
    /// What runs beside it, over the same span.
    pub baseline: Counts,
    /// The length of the span in seconds; not negative.
    pub seconds: f64,
    /// The caller knows that candidate pods which took part are still warming up. The first
    /// `warmup_seconds` of each step count as warming whatever is said here.
    pub warming: bool,
}

impl Tick {
    /// A tick whose pods are warm.
    pub const fn new(candidate: Counts, baseline: Counts, seconds: f64) -> Self {
        Self {
            candidate,
            baseline,
            seconds,
            warming: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_never_exceeds_requests() {
        assert_eq!(Counts::new(3, 5), Counts { requests: 3, bad: 3 });
        assert_eq!(Counts { requests: 2, bad: 9 }.rate(), Some(1.0));
        assert_eq!(
            Counts { requests: 2, bad: 9 }.plus(Counts::new(1, 0)),
            Counts { requests: 3, bad: 2 }
        );
        assert_eq!(Counts::default().rate(), None);
    }
}

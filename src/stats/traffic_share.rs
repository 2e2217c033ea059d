//! Is the traffic split as it was asked for?
//!
//! The evidence is that of Lindon and Malek (NeurIPS 2022): a Dirichlet mixture of multinomial likelihoods over that
//! of the asked shares. It depends on the counts alone and may be looked at at any time. A route that is not honoured
//! is a finding of its own, not evidence for or against the candidate.

use super::assessment::Arms;
use super::special::ln_gamma;

/// Weight of the prior: as firm as so many requests.
const CONCENTRATION: f64 = 100.0;
/// Evidence that it takes: one false alarm in ten thousand.
const NEEDED: f64 = 9.21;
/// Deviations below this many percentage points are not worth an alarm, however sure.
const TOLERATED_POINTS: f64 = 5.0;

/// Log e-value of `counts` against the `shares` that were asked for, which sum to 1.
pub fn log_e_of_shares(shares: &[f64], concentration: f64, counts: &[u64]) -> f64 {
    let n: f64 = counts.iter().map(|count| *count as f64).sum();
    let mut log_e = ln_gamma(concentration) - ln_gamma(concentration + n);
    for (share, count) in shares.iter().zip(counts) {
        let (prior, count) = (concentration * share, *count as f64);
        log_e += ln_gamma(prior + count) - ln_gamma(prior) - count * share.ln();
    }
    log_e
}

/// The candidate's share that the traffic really has, in per cent, if it is surely and noticeably not `weight` (per
/// cent). Counts are those since the weight was set.
pub fn not_honoured(weight: f64, counts: Arms) -> Option<f64> {
    let asked = weight / 100.0;
    let (c, b) = (counts.candidate.requests, counts.baseline.requests);
    if !(asked > 0.0 && asked <= 1.0) || c.saturating_add(b) == 0 {
        return None;
    }
    let asked = if asked < 1.0 {
        asked
    } else {
        // A single request of the baseline would be proof, but some may be under way on connections from before: what
        // must be sure is that they are more than is tolerated.
        1.0 - TOLERATED_POINTS / 100.0
    };
    let seen = 100.0 * c as f64 / (c as f64 + b as f64);
    if (seen - weight).abs() <= TOLERATED_POINTS.min(weight / 2.0) {
        return None;
    }
    let sure = log_e_of_shares(&[asked, 1.0 - asked], CONCENTRATION, &[c, b]) >= NEEDED;
    sure.then_some(seen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Counts;

    fn arms(c: u64, b: u64) -> Arms {
        Arms {
            candidate: Counts::new(c, 0),
            baseline: Counts::new(b, 0),
        }
    }

    #[test]
    fn a_route_that_is_not_honoured_is_found() {
        assert_eq!(not_honoured(10.0, arms(100, 900)), None);
        assert_eq!(not_honoured(10.0, arms(2, 8)), None);
        assert_eq!(not_honoured(10.0, arms(1_200, 8_800)), None);
        assert_eq!(not_honoured(10.0, arms(0, 1_000)), Some(0.0));
        assert_eq!(not_honoured(10.0, arms(500, 500)), Some(50.0));
        assert_eq!(not_honoured(100.0, arms(10, 0)), None);
        assert_eq!(not_honoured(100.0, arms(9_600, 400)), None);
        assert_eq!(not_honoured(100.0, arms(8, 2)), None);
        assert_eq!(not_honoured(100.0, arms(1_000, 9_000)), Some(10.0));
        assert_eq!(not_honoured(100.0, arms(0, 1_000)), Some(0.0));
        assert_eq!(not_honoured(98.0, arms(9_700, 300)), None);
        assert!(not_honoured(10.0, arms(u64::MAX, u64::MAX)).is_some());
    }

    #[test]
    fn a_weight_that_is_none_is_not_judged() {
        for weight in [0.0, -10.0, 150.0, f64::NAN] {
            assert_eq!(not_honoured(weight, arms(5_000, 5_000)), None, "{weight}");
        }
        assert_eq!(not_honoured(10.0, arms(0, 0)), None);
    }

    #[test]
    fn what_counts_is_how_far_from_the_asked_share_it_is_and_how_surely() {
        // Six points beyond 10 %, but chance may do that with a hundred requests: ln E is 0.5, not 9.21.
        assert_eq!(not_honoured(10.0, arms(16, 84)), None);
        assert_eq!(not_honoured(10.0, arms(1_600, 8_400)), Some(16.0));
        // Up to 10 % half of the asked share counts, beyond that five points.
        assert_eq!(not_honoured(4.0, arms(8_000, 92_000)), Some(8.0));
        assert_eq!(not_honoured(4.0, arms(5_900, 94_100)), None);
        assert_eq!(not_honoured(40.0, arms(44_900, 55_100)), None);
        assert_eq!(not_honoured(40.0, arms(45_100, 54_900)), Some(45.1));
    }
}

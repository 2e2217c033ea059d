//! Several metrics, or several edges of one histogram, judged together.
//!
//! The average of e-values is an e-value however the metrics depend on each other, so one weighted average bounds
//! the false rollbacks of all together. A pass needs every gating metric: no correction is due there, because a bad
//! candidate must deceive the very metric that it is bad in.

use super::assessment::{Evidenced, Missing, Verdict};
use super::evidence::Evidence;

/// Share of false discoveries among the metrics that are named as culprits.
const FALSE_DISCOVERY: f64 = 0.1;

/// One metric's part in the joint verdict.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Its evidence.
    pub evidence: &'a Evidence,
    /// Its share of the error probability; the shares of all parts sum to 1. Its evidence must have been made with
    /// [`super::Settings::sharing`] of the same share, so that it does not freeze before the joint verdict.
    pub weight: f64,
    /// Whether a pass needs it; otherwise it can fail a release but not hold it.
    pub gating: bool,
    /// Whether some comparison of its metric has something to be compared with: a baseline, or the past where that is gone.
    /// Then it need not be this one for its proof to stay.
    pub covered: bool,
}

/// The verdict on all metrics together.
#[derive(Clone, Debug, PartialEq)]
pub struct Joint {
    /// Fail as soon as the average evidence suffices, Pass when every gating metric passes.
    pub verdict: Verdict,
    /// The average evidence for a regression.
    pub fail: Evidenced,
    /// The metrics, by position, that the evidence points at; empty unless some do.
    pub culprits: Vec<usize>,
    /// What the slowest gating metric lacks.
    pub missing: Missing,
}

/// The log of a weighted average of e-values that are given as logs, with weights that sum to 1.
pub fn average(parts: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let logs = parts.map(|(weight, log_e)| weight.ln() + log_e);
    let top = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if top.is_finite() {
        top + logs.map(|l| (l - top).exp()).sum::<f64>().ln()
    } else {
        top
    }
}

/// The joint verdict; `alpha` is the whole release's bound on false rollbacks. Without parts: Continue.
pub fn joint(parts: &[Part<'_>], alpha: f64) -> Joint {
    let log_e: Vec<f64> = parts.iter().map(|p| p.evidence.fail_evidence()).collect();
    let fail = against(parts.iter().copied(), alpha);
    let gating = parts.iter().filter(|p| p.gating);
    Joint {
        verdict: verdict(parts.iter().copied(), fail),
        fail,
        culprits: culprits(&log_e),
        missing: slowest(gating.map(|p| p.evidence.missing())),
    }
}

/// The average evidence for a regression.
pub(super) fn against<'a>(parts: impl Iterator<Item = Part<'a>> + Clone, alpha: f64) -> Evidenced {
    Evidenced {
        evidence: average(parts.map(|p| (p.weight, p.evidence.fail_evidence()))),
        needed: -alpha.ln(),
    }
}

/// The verdict alone: far cheaper than all of [`joint`].
pub(super) fn verdict<'a>(parts: impl Iterator<Item = Part<'a>>, fail: Evidenced) -> Verdict {
    let (mut gates, mut passed, mut failed) = (0, 0, fail.reached());
    for part in parts {
        // An informational metric under suspicion does not hold; a failed one fails the release all the same.
        let own = part.evidence.verdict_among(part.covered);
        failed |= own == Verdict::Fail;
        gates += usize::from(part.gating);
        passed += usize::from(part.gating && own == Verdict::Pass);
    }
    match (failed, gates) {
        (true, _) => Verdict::Fail,
        (false, 1..) if gates == passed => Verdict::Pass,
        (false, _) => Verdict::Continue,
    }
}

/// The e-BH rule: with `m` e-values, the `k` largest are named for the largest `k` with the k-th at least
/// `m / (0.1 k)`.
fn culprits(log_e: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..log_e.len()).collect();
    order.sort_by(|a, b| log_e[*b].total_cmp(&log_e[*a]).then(a.cmp(b)));
    let named = (1..=order.len())
        .rev()
        .find(|k| log_e[order[k - 1]] >= (order.len() as f64 / (FALSE_DISCOVERY * *k as f64)).ln())
        .unwrap_or(0);
    order.truncate(named);
    order
}

fn slowest(all: impl Iterator<Item = Missing>) -> Missing {
    let most = |a: Option<f64>, b: Option<f64>| a.zip(b).map(|(a, b)| a.max(b));
    all.fold(
        Missing {
            requests: Some(0),
            seconds: Some(0.0),
        },
        |worst, m| Missing {
            requests: worst.requests.zip(m.requests).map(|(a, b)| a.max(b)),
            seconds: most(worst.seconds, m.seconds),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Counts, Settings, Tick};

    #[test]
    fn an_average_of_logs() {
        let e = average([(0.5, 2.0_f64.ln()), (0.5, 4.0_f64.ln())].into_iter());
        assert!((e - 3.0_f64.ln()).abs() < 1e-12);
        assert!((average([(0.5, 900.0), (0.5, -900.0)].into_iter()) - (900.0 - 2.0_f64.ln())).abs() < 1e-9);
        assert!(average(std::iter::empty()) < f64::MIN);
    }

    #[test]
    fn culprits_are_named_by_their_rank() {
        assert_eq!(culprits(&[0.0, 9.0, -1.0]), [1]);
        assert_eq!(culprits(&[3.0, 9.0, 0.0, 3.1]), [1, 3, 0]);
        assert_eq!(culprits(&[1.0, 1.0]), Vec::<usize>::new());
        assert_eq!(culprits(&[]), Vec::<usize>::new());
    }

    #[test]
    fn one_bad_metric_fails_all_and_one_silent_gate_holds_all() {
        let make = |bad: u64| {
            let mut e = Evidence::new(Settings::default().sharing(0.5));
            e.begin_step(10.0, 25.0, false);
            for _ in 0..60 {
                e.observe(Tick::new(Counts::new(500, bad), Counts::new(4_500, 4), 15.0));
            }
            e
        };
        let (good, bad, silent) = (make(0), make(40), Evidence::new(Settings::default().sharing(0.5)));
        let part = |evidence, gating| Part {
            evidence,
            weight: 0.5,
            gating,
            covered: true,
        };
        let failed = joint(&[part(&good, true), part(&bad, true)], 0.01);
        assert_eq!((failed.verdict, failed.culprits), (Verdict::Fail, vec![1]));
        assert_eq!(
            joint(&[part(&good, true), part(&bad, false)], 0.01).verdict,
            Verdict::Fail
        );
        assert_eq!(
            joint(&[part(&good, true), part(&good, true)], 0.01).verdict,
            Verdict::Pass
        );
        let held = joint(&[part(&good, true), part(&silent, true)], 0.01);
        assert_eq!((held.verdict, held.missing.seconds), (Verdict::Continue, None));
        assert_eq!(
            joint(&[part(&good, true), part(&silent, false)], 0.01).verdict,
            Verdict::Pass
        );
        assert_eq!(joint(&[part(&silent, false)], 0.01).verdict, Verdict::Continue);
        assert_eq!(joint(&[], 0.01).verdict, Verdict::Continue);
    }
}

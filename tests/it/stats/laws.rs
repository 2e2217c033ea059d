//! Laws of the one-tick evidence.

use proptest::prelude::*;
use serin::stats::evalue::{fail_log_e, pass_log_e};
use serin::stats::{Counts, Margin, Tick};

fn binomial(n: u64, p: f64) -> Vec<f64> {
    let mut mass = vec![1.0];
    for _ in 0..n {
        let mut next = vec![0.0; mass.len() + 1];
        for (k, m) in mass.iter().enumerate() {
            next[k] += m * (1.0 - p);
            next[k + 1] += m * p;
        }
        mass = next;
    }
    mass
}

fn tick(candidate: (u64, u64), baseline: (u64, u64)) -> Tick {
    Tick::new(
        Counts::new(candidate.0, candidate.1),
        Counts::new(baseline.0, baseline.1),
        15.0,
    )
}

/// The largest expectation of e over the whole small grid, on the edge of the null.
fn largest_expectation(f: fn(&Tick, Margin, f64) -> f64, margin: Margin, bets: &[f64]) -> f64 {
    let mut worst = 0.0_f64;
    for candidate in 1..=12 {
        for baseline in 1..=12 {
            for bet in bets {
                let e = |c, b| f(&tick((candidate, c), (baseline, b)), margin, *bet).exp();
                let table: Vec<Vec<f64>> = (0..=candidate)
                    .map(|c| (0..=baseline).map(|b| e(c, b)).collect())
                    .collect();
                for step in 0..=100 {
                    let rate = f64::from(step) / 100.0;
                    let trial = margin.rate(rate);
                    if trial > 1.0 {
                        break;
                    }
                    let (pc, pb) = (binomial(candidate, trial), binomial(baseline, rate));
                    let mut sum = 0.0;
                    for (row, c) in table.iter().zip(&pc) {
                        for (e, b) in row.iter().zip(&pb) {
                            sum += e * c * b;
                        }
                    }
                    worst = worst.max(sum);
                }
            }
        }
    }
    worst
}

#[test]
fn fail_evidence_is_at_most_one_in_expectation() {
    for margin in [
        Margin::new(1.05, 5e-5),
        Margin::new(1.0, 0.0),
        Margin::new(5.0, 0.02),
    ] {
        let bets = [1.7, 3.5, 12.0, 300.0].map(|k| k * margin.ratio);
        let worst = largest_expectation(fail_log_e, margin, &bets);
        assert!((0.5..=1.0 + 1e-12).contains(&worst), "{margin:?}: {worst}");
    }
}

#[test]
fn pass_evidence_is_at_most_one_in_expectation() {
    for margin in [
        Margin::new(1.5, 1e-3),
        Margin::new(9.0, 6e-3),
        Margin::new(1.05, 0.0),
    ] {
        let worst = largest_expectation(pass_log_e, margin, &[0.02, 0.2, 0.5, 0.8, 1.0]);
        assert!((0.5..=1.0 + 1e-12).contains(&worst), "{margin:?}: {worst}");
    }
}

fn arm() -> impl Strategy<Value = (u64, u64)> {
    (1_u64..100_000).prop_flat_map(|n| (Just(n), 0..=n.min(2_000)))
}

/// Equal up to the rounding of terms as large as `scale`.
fn same(a: f64, b: f64, scale: f64) -> bool {
    (a - b).abs() <= 1e-9 * scale.max(1.0)
}

proptest! {
    #[test]
    fn swapping_arms_and_inverting_ratios_changes_nothing(
        c in arm(), b in arm(), r0 in 1.0_f64..3.0, factor in 1.01_f64..50.0,
    ) {
        let bet = r0 * factor;
        let there = fail_log_e(&tick(c, b), Margin::new(r0, 0.0), bet);
        let back = pass_log_e(&tick(b, c), Margin::new(1.0 / r0, 0.0), 1.0 / bet);
        prop_assert!(same(there, back, (c.1 + b.1) as f64), "{there} {back}");
    }

    #[test]
    fn each_failure_of_the_candidate_counts_against_it(c in arm(), b in arm(), bet in 1.1_f64..300.0) {
        let margin = Margin::new(1.05, 5e-5);
        let more = (c.0, (c.1 + 1).min(c.0));
        prop_assert!(fail_log_e(&tick(more, b), margin, bet) >= fail_log_e(&tick(c, b), margin, bet));
        let strict = Margin::new(1.5, 1e-3);
        let bet = 1.0 / bet;
        prop_assert!(pass_log_e(&tick(more, b), strict, bet) <= pass_log_e(&tick(c, b), strict, bet));
    }

    #[test]
    fn ticks_of_one_split_add_up(
        n in (1_u64..5_000, 1_u64..5_000), x in (0_u64..50, 0_u64..50), times in 2_u64..6, bet in 1.1_f64..300.0,
    ) {
        let margin = Margin::new(1.05, 5e-5);
        let one = tick((n.0, x.0), (n.1, x.1));
        let many = Tick::new(
            Counts::new(one.candidate.requests * times, one.candidate.bad * times),
            Counts::new(one.baseline.requests * times, one.baseline.bad * times),
            15.0,
        );
        let (apart, together) = (times as f64 * fail_log_e(&one, margin, bet), fail_log_e(&many, margin, bet));
        prop_assert!(same(apart, together, apart.abs() + 100.0), "{apart} {together}");
    }

    #[test]
    fn only_the_split_of_the_traffic_matters_not_its_size(
        n in (1_u64..5_000, 1_u64..5_000), x in (0_u64..50, 0_u64..50), times in 2_u64..50, bet in 1.1_f64..300.0,
    ) {
        // Without an absolute part the same failures among more requests say the same: the rate itself cancels.
        let margin = Margin::new(1.05, 0.0);
        let x = (x.0.min(n.0), x.1.min(n.1));
        let (few, many) = (
            fail_log_e(&tick((n.0, x.0), (n.1, x.1)), margin, bet),
            fail_log_e(&tick((n.0 * times, x.0), (n.1 * times, x.1)), margin, bet),
        );
        prop_assert!(same(few, many, few.abs() + 100.0), "{few} {many}");
    }

    #[test]
    fn silence_earns_no_more_than_the_rule_of_three(n in 1_u64..1_000_000, b in 0_u64..1_000_000, bet in 0.0_f64..1.49) {
        let e = pass_log_e(&tick((n, 0), (b, 0)), Margin::new(1.5, 1e-3), bet);
        prop_assert!((0.0..=n as f64 * 1e-3 * (1.0 + 1e-12)).contains(&e), "{e}");
    }
}

#[test]
fn bets_next_to_the_margin_keep_their_digits() {
    // One failure in the baseline loses ln(1 + n_c (r0 - r) / (n_c r + n_b)), here about -5e-13 nats.
    let off = 1e-12;
    let e = fail_log_e(
        &tick((1_000, 0), (1_000, 1_000)),
        Margin::new(1.0, 0.0),
        1.0 + off,
    );
    let exact = -1_000.0 * (1.0 + off - 1.0) / (2.0 + off);
    assert!((e / exact - 1.0).abs() < 1e-9, "{e} {exact}");
    // A bet on the wrong side of the margin is void.
    let tick = tick((1_000, 30), (1_000, 10));
    assert_eq!(fail_log_e(&tick, Margin::new(2.0, 0.0), 1.5), 0.0);
    assert_eq!(pass_log_e(&tick, Margin::new(1.5, 0.0), 2.0), 0.0);
}

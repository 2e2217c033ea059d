//! Exact tests of counts, made of the judge's own special functions.

use serin::stats::special::{beta_regularized, ln_gamma};

fn ln_choose(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

/// The probability that at least `k` of `n` happen with probability `p` each.
pub(crate) fn binomial_at_least(k: u64, n: u64, p: f64) -> f64 {
    match k {
        0 => 1.0,
        k if k > n => 0.0,
        k => beta_regularized(k as f64, (n - k) as f64 + 1.0, p),
    }
}

/// The probability of more than `k` where `mean` are expected.
pub(crate) fn poisson_above(k: u64, mean: f64) -> f64 {
    if mean <= 0.0 {
        return 0.0;
    }
    let mass = |i: f64| (i * mean.ln() - mean - ln_gamma(i + 1.0)).exp();
    let start = k as f64 + 1.0;
    if start > mean {
        // The upper tail itself: terms fall from here on.
        let (mut term, mut sum, mut i) = (mass(start), 0.0, start);
        while term > sum * 1e-17 {
            sum += term;
            i += 1.0;
            term *= mean / i;
        }
        return sum;
    }
    1.0 - (0..=k).map(|i| mass(i as f64)).sum::<f64>()
}

/// The smallest count that is not exceeded with probability `p`.
pub(crate) fn poisson_quantile(p: f64, mean: f64) -> u64 {
    let (mut low, mut high) = (0_u64, 1_u64);
    let enough = |k: u64| poisson_above(k, mean) <= 1.0 - p;
    while !enough(high) {
        high *= 2;
    }
    while low < high {
        let middle = low.midpoint(high);
        if enough(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// Fisher's exact test of a 2×2 table, given row by row, two-sided.
#[allow(clippy::many_single_char_names)] // the names of the literature
pub(crate) fn fisher_two_sided(table: [u64; 4]) -> f64 {
    let [a, b, c, d] = table.map(|x| x as f64);
    let (row, column, n) = (a + b, a + c, a + b + c + d);
    let mass = |x: f64| (ln_choose(row, x) + ln_choose(n - row, column - x) - ln_choose(n, column)).exp();
    let (least, most) = ((row + column - n).max(0.0) as u64, row.min(column) as u64);
    let seen = mass(a) * (1.0 + 1e-9);
    (least..=most)
        .map(|x| mass(x as f64))
        .filter(|m| *m <= seen)
        .sum()
}

#[test]
fn all_of_them_happen_as_often_as_each_does_and_more_never() {
    assert!((binomial_at_least(5, 5, 0.5) - 1.0 / 32.0).abs() < 1e-15);
    assert!((binomial_at_least(1, 1, 0.3) - 0.3).abs() < 1e-15);
    assert_eq!(
        (binomial_at_least(6, 5, 0.5), binomial_at_least(0, 0, 0.5)),
        (0.0, 1.0)
    );
}

#[test]
fn both_tails_of_a_count_keep_their_digits() {
    // Values of mpmath: the regularized incomplete gamma function P(k + 1, mean).
    for (k, mean, want) in [
        (30, 1.0, 4.618_047_461_027_192e-35),
        (10, 3.0, 2.923_369_506_473_365_6e-4),
        (4, 4.0, 0.371_163_064_820_126_5),
        (3, 4.0, 0.566_529_879_633_291),
        (2, 10.0, 0.997_230_604_284_488_4),
    ] {
        let got = poisson_above(k, mean);
        assert!(
            (got - want).abs() < 1e-13 * want,
            "more than {k} of {mean}: {got:?}"
        );
    }
    // Nothing is expected, or so little that its chance is below any double.
    assert_eq!((poisson_above(0, 0.0), poisson_above(1_000, 1e-3)), (0.0, 0.0));
}

#[test]
fn a_table_whose_margins_overlap_has_no_empty_cell_to_reach() {
    // [[4, 1], [3, 0]]: the first cell is 4 or more of 5. By hand: C(5,4)·C(3,3)/C(8,7) = 5/8, and C(5,5)·C(3,2)/C(8,7) = 3/8.
    assert!((fisher_two_sided([4, 1, 3, 0]) - 1.0).abs() < 1e-12);
    assert!((fisher_two_sided([5, 0, 2, 1]) - 0.375).abs() < 1e-12);
}

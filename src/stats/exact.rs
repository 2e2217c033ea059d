//! Exact tests of counts, for the benchmark's own error bars and for comparison with other tools.

use super::special::{beta_regularized, ln_gamma};

fn ln_choose(n: f64, k: f64) -> f64 {
    ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0)
}

/// The probability that at least `k` of `n` happen with probability `p` each.
pub fn binomial_at_least(k: u64, n: u64, p: f64) -> f64 {
    match k {
        0 => 1.0,
        k if k > n => 0.0,
        k => beta_regularized(k as f64, (n - k) as f64 + 1.0, p),
    }
}

/// The probability of more than `k` where `mean` are expected.
pub fn poisson_above(k: u64, mean: f64) -> f64 {
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
pub fn poisson_quantile(p: f64, mean: f64) -> u64 {
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
pub fn fisher_two_sided(table: [u64; 4]) -> f64 {
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

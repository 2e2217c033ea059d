//! Special functions that `std` lacks.

use std::f64::consts::PI;

/// From here on Stirling's series is exact to the last digit.
const STIRLING_FROM: f64 = 15.0;

/// ln Γ(x) - ((x - ½) ln x - x + ½ ln 2π) for large x.
fn stirling_tail(x: f64) -> f64 {
    let s = 1.0 / (x * x);
    (1.0 / 12.0 - s * (1.0 / 360.0 - s * (1.0 / 1260.0 - s * (1.0 / 1680.0 - s / 1188.0)))) / x
}

/// The same for any x above 0.
fn tail(x: f64) -> f64 {
    if x >= STIRLING_FROM {
        stirling_tail(x)
    } else {
        ln_gamma(x) - ((x - 0.5) * x.ln() - x + 0.5 * (2.0 * PI).ln())
    }
}

/// The natural logarithm of Γ(x) for x above 0.
pub fn ln_gamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut shifted, mut product) = (x, 1.0);
    while shifted < STIRLING_FROM {
        product *= shifted;
        shifted += 1.0;
    }
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * PI).ln() + stirling_tail(shifted) - product.ln()
}

/// The regularized incomplete beta function I_x(a, b) for a, b above 0 and x in 0..=1.
pub fn beta_regularized(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_regularized(b, a, 1.0 - x);
    }
    // x^a (1-x)^b / B(a, b), with the large terms cancelled before they are rounded.
    let n = a + b;
    let front =
        a * (x * n / a).ln() + b * ((1.0 - x) * n / b).ln() + 0.5 * (a * b / (2.0 * PI * n)).ln() + tail(n)
            - tail(a)
            - tail(b);
    front.exp() / a * beta_fraction(a, b, x)
}

/// Lentz's method for the continued fraction of the incomplete beta function.
#[allow(clippy::many_single_char_names)] // the names of the literature
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut value = d;
    for m in 1..100_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        for term in [even, odd] {
            d = 1.0 / guard(1.0 + term * d);
            c = guard(1.0 + term / c);
            value *= c * d;
        }
        if (c * d - 1.0).abs() < 1e-16 {
            break;
        }
    }
    value
}

/// The x with I_x(a, b) = p.
pub fn beta_quantile(a: f64, b: f64, p: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if beta_regularized(a, b, middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The exact (Clopper–Pearson) two-sided interval of a share: `bad` of `n`, at `confidence`.
pub fn share_interval(bad: u64, n: u64, confidence: f64) -> (f64, f64) {
    let (x, n) = (bad as f64, n as f64);
    let side = (1.0 - confidence) / 2.0;
    let low = if x <= 0.0 {
        0.0
    } else {
        beta_quantile(x, n - x + 1.0, side)
    };
    let high = if x >= n {
        1.0
    } else {
        beta_quantile(x + 1.0, n - x, 1.0 - side)
    };
    (low, high)
}

/// The probability that a standard normal variable exceeds `z`.
pub fn normal_above(z: f64) -> f64 {
    if z < 0.0 {
        return 1.0 - normal_above(-z);
    }
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    if z < 4.0 {
        let (mut term, mut sum, mut k) = (z, z, 1.0);
        while term > 1e-18 {
            k += 2.0;
            term *= z * z / k;
            sum += term;
        }
        return 0.5 - density * sum;
    }
    let fraction = (1..200).rev().fold(0.0, |f, k| f64::from(k) / (z + f));
    density / (z + fraction)
}

/// The `z` that a standard normal variable exceeds with probability `p`.
pub fn normal_quantile_above(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if normal_above(middle) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equal to so many parts of it.
    fn near(got: f64, want: f64, relative: f64, what: &str) {
        assert!(
            (got - want).abs() <= relative * want.abs(),
            "{what}: {got:?}, not {want:?}"
        );
    }

    // All values here are from mpmath, with 40 digits.

    #[test]
    fn the_series_are_exact_to_the_last_digits_where_they_begin() {
        // The term after the last is below 3e-16 here: each term that is there shows.
        near(stirling_tail(15.0), 0.005_554_733_551_962_801, 1e-13, "tail(15)");
        near(stirling_tail(20.0), 0.004_166_319_691_996_922, 1e-13, "tail(20)");
        for (x, want) in [
            (0.5, 0.572_364_942_924_700_1),
            (4.0, 1.791_759_469_228_055),
            (15.0, 25.191_221_182_738_68),
            (100.0, 359.134_205_369_575_4),
        ] {
            near(ln_gamma(x), want, 1e-14, &format!("ln_gamma({x})"));
        }
    }

    #[test]
    fn the_gamma_function_is_for_numbers_above_nothing() {
        for x in [0.0, -0.5, -3.0, f64::NAN] {
            assert!(ln_gamma(x).is_nan(), "{x}");
        }
    }

    #[test]
    fn a_share_lies_below_the_middle_of_a_symmetric_one_half_of_the_time() {
        // On the very line between the two forms of the fraction: (a + 1) / (a + b + 2).
        for a in [1.0, 2.0, 7.5] {
            near(beta_regularized(a, a, 0.5), 0.5, 1e-14, &format!("{a}"));
        }
        near(beta_regularized(2.0, 3.0, 0.4), 0.5248, 1e-14, "(2, 3, 0.4)");
        assert_eq!(
            (beta_regularized(2.0, 3.0, 0.0), beta_regularized(2.0, 3.0, 1.0)),
            (0.0, 1.0)
        );
        // No share lies below the lowest, however flat the function begins.
        assert!(beta_quantile(10.0, 3.0, 0.0) < 1e-50);
    }

    #[test]
    fn the_normal_distribution_is_exact_in_its_tails_too() {
        for (z, want) in [
            (-3.0, 0.998_650_101_968_369_9),
            (-1.0, 0.841_344_746_068_542_9),
            (0.0, 0.5),
            (0.5, 0.308_537_538_725_986_9),
            (1.96, 0.024_997_895_148_220_436),
            (3.5, 2.326_290_790_355_250_4e-4),
            (4.0, 3.167_124_183_311_992e-5),
            (4.5, 3.397_673_124_730_060_4e-6),
            (6.0, 9.865_876_450_376_98e-10),
            (10.0, 7.619_853_024_160_526e-24),
            (30.0, 4.906_713_927_148_187e-198),
        ] {
            // Up to 4 it is a difference from one half.
            let digits = if z < 4.0 { 1e-12 } else { 1e-13 };
            near(normal_above(z), want, digits, &format!("above {z}"));
        }
        for (p, want) in [
            (0.05, 1.644_853_626_951_472_7),
            (0.975, -1.959_963_984_540_054),
            (1e-6, 4.753_424_308_822_899),
        ] {
            near(
                normal_quantile_above(p),
                want,
                1e-12,
                &format!("exceeded with {p}"),
            );
        }
        // What is sure is exceeded from the lowest end on.
        assert!(normal_quantile_above(1.0) < -39.9);
    }
}

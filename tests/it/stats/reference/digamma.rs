//! The digamma function: the slope of the judge's `ln_gamma`, from a series of its own.

use serin::stats::special::ln_gamma;

/// From here on the series is exact to the last digit.
const SERIES_FROM: f64 = 15.0;

/// The derivative of `ln_gamma` for x above 0.
pub(crate) fn digamma(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return f64::NAN;
    }
    let (mut shifted, mut sum) = (x, 0.0);
    while shifted < SERIES_FROM {
        sum += 1.0 / shifted;
        shifted += 1.0;
    }
    let s = 1.0 / (shifted * shifted);
    let series = s * (1.0 / 12.0 - s * (1.0 / 120.0 - s * (1.0 / 252.0 - s * (1.0 / 240.0 - s / 132.0))));
    shifted.ln() - 0.5 / shifted - series - sum
}

#[test]
fn the_series_is_exact_to_the_last_digits_where_it_begins() {
    // Values of mpmath, with 40 digits.
    for (x, want) in [
        (0.1, -10.423_754_940_411_076),
        (3.0, 0.922_784_335_098_467_1),
        (15.0, 2.674_346_661_660_793_7),
        (16.0, 2.741_013_328_327_460_4),
        (100.0, 4.600_161_852_738_087_f64),
    ] {
        let got = digamma(x);
        assert!(
            (got - want).abs() <= 1e-15 * want.abs(),
            "{x}: {got:?}, not {want:?}"
        );
    }
    for x in [0.0, -0.5, -3.0, f64::NAN] {
        assert!(digamma(x).is_nan(), "{x}");
    }
}

#[test]
fn it_is_the_slope_of_the_logarithm_of_gamma() {
    for x in [0.3, 1.0, 2.5, 14.9, 15.1, 40.0] {
        let h = 1e-5 * x;
        let slope = (ln_gamma(x + h) - ln_gamma(x - h)) / (2.0 * h);
        assert!(
            (slope - digamma(x)).abs() < 1e-8 * (1.0 + digamma(x).abs()),
            "{x}: {slope}"
        );
    }
}

//! The shift of two samples that the rank test of Mann and Whitney accepts, with ties.

use crate::stats::special::normal_quantile_above;

/// U of the first sample: pairs in which it is larger, ties counted half.
pub fn u_statistic(x: &[f64], y: &[f64]) -> f64 {
    let against = |a: f64, b: f64| {
        if a > b {
            1.0
        } else if a < b {
            0.0
        } else {
            0.5
        }
    };
    x.iter()
        .flat_map(|a| y.iter().map(move |b| against(*a, *b)))
        .sum()
}

/// The standard deviation of U, corrected for ties.
pub fn deviation(x: &[f64], y: &[f64]) -> f64 {
    let mut all: Vec<f64> = x.iter().chain(y).copied().collect();
    all.sort_by(f64::total_cmp);
    let (n, pairs) = (all.len() as f64, (x.len() * y.len()) as f64);
    let ties: f64 = all
        .chunk_by(|a, b| a.total_cmp(b).is_eq())
        .map(|run| run.len() as f64)
        .map(|t| t * t * t - t)
        .sum();
    (pairs / 12.0 * ((n + 1.0) - ties / (n * (n - 1.0))))
        .max(0.0)
        .sqrt()
}

/// The interval and the estimate of the shift of `x` against `y` at `confidence`, as R's `wilcox.test` finds them:
/// the roots of the test statistic by Brent's method with an absolute tolerance of 1e-4.
pub fn shift(x: &[f64], y: &[f64], confidence: f64) -> (f64, f64, f64) {
    let least = |v: &[f64]| v.iter().copied().fold(f64::INFINITY, f64::min);
    let most = |v: &[f64]| v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let (low, high) = (least(x) - most(y), most(x) - least(y));
    let z = normal_quantile_above((1.0 - confidence) / 2.0);
    let mean = (x.len() * y.len()) as f64 / 2.0;
    let statistic = |mu: f64, corrected: bool| {
        let moved: Vec<f64> = x.iter().map(|v| v - mu).collect();
        let gap = u_statistic(&moved, y) - mean;
        let half = if corrected && gap != 0.0 {
            0.5 * gap.signum()
        } else {
            0.0
        };
        let sigma = deviation(&moved, y);
        if sigma > 0.0 { (gap - half) / sigma } else { 0.0 }
    };
    let root = |goal: f64, corrected: bool| {
        let f = |mu: f64| statistic(mu, corrected) - goal;
        let (at_low, at_high) = (f(low), f(high));
        if at_low <= 0.0 {
            low
        } else if at_high >= 0.0 {
            high
        } else {
            brent(&f, (low, at_low), (high, at_high))
        }
    };
    (root(z, true), root(-z, true), root(0.0, true))
}

/// Brent's root finder with an absolute tolerance of 1e-4.
#[allow(clippy::many_single_char_names, clippy::float_cmp)] // the names and the tests of the published algorithm
fn brent(f: &dyn Fn(f64) -> f64, low: (f64, f64), high: (f64, f64)) -> f64 {
    const TOLERANCE: f64 = 1e-4;
    let ((mut a, mut fa), (mut b, mut fb)) = (low, high);
    let (mut c, mut fc) = (a, fa);
    for _ in 0..1001 {
        let previous = b - a;
        if fc.abs() < fb.abs() {
            (a, fa) = (b, fb);
            (b, fb) = (c, fc);
            (c, fc) = (a, fa);
        }
        let tolerance = 2.0 * f64::EPSILON * b.abs() + TOLERANCE / 2.0;
        let mut step = (c - b) / 2.0;
        if step.abs() <= tolerance || fb == 0.0 {
            return b;
        }
        if previous.abs() >= tolerance && fa.abs() > fb.abs() {
            let gap = c - b;
            let s = fb / fa;
            let (mut p, mut q) = if a == c {
                (gap * s, 1.0 - s)
            } else {
                let (q, r) = (fa / fc, fb / fc);
                (
                    s * (gap * q * (q - r) - (b - a) * (r - 1.0)),
                    (q - 1.0) * (r - 1.0) * (s - 1.0),
                )
            };
            if p > 0.0 {
                q = -q;
            } else {
                p = -p;
            }
            if p < 0.75 * gap * q - (tolerance * q).abs() / 2.0 && p < (previous * q / 2.0).abs() {
                step = p / q;
            }
        }
        if step.abs() < tolerance {
            step = if step > 0.0 { tolerance } else { -tolerance };
        }
        (a, fa) = (b, fb);
        b += step;
        fb = f(b);
        if (fb > 0.0) == (fc > 0.0) {
            (c, fc) = (a, fa);
        }
    }
    b
}

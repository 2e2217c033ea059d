//! How much traffic a proof takes.

use super::settings::Margin;

/// Rates below this are treated as this: a baseline without a single error is not free of them for ever.
const LEAST_RATE: f64 = 1e-12;

/// Evidence per request, in nats, that a source of rate `p` yields against the rate `mu`: the Kullback–Leibler
/// divergence of two Poisson rates. Both are rates in 0..=1, `mu` above 0.
pub fn divergence(p: f64, mu: f64) -> f64 {
    let p = p.max(LEAST_RATE);
    mu - p + p * (p / mu).ln()
}

/// The smallest rate that `n` requests of true rate `p` can be proven to lie below with `nats`, but not less than
/// `least`.
pub fn provable_rate(n: f64, p: f64, least: f64, nats: f64) -> f64 {
    let enough = |mu: f64| n * divergence(p, mu) >= nats;
    // Nothing is proven to lie below what it is.
    let floor = p.max(LEAST_RATE);
    if least > floor && enough(least) {
        return least;
    }
    let (mut low, mut high) = (least.max(p), least.max(floor) * 2.0);
    while !enough(high) && high < 1e6 {
        high *= 2.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

/// Expected log e-value per candidate request of a pass bet on `r`, for true rates `(candidate, baseline)` and
/// `others` baseline requests to each candidate request.
pub(super) fn pass_growth(margin: Margin, r: f64, rates: (f64, f64), others: f64) -> f64 {
    if r >= margin.ratio {
        return 0.0;
    }
    let ln_b = ((margin.ratio + others) / (r + others)).ln();
    let ln_a = (r / margin.ratio).ln() + ln_b;
    rates.0 * ln_a + others * rates.1 * ln_b - margin.absolute * ln_a.exp_m1()
}

/// Candidate requests until a mixture of `weights` whose bets grow by `growth` nats a request has grown by
/// `short` nats; `None` if no bet grows.
pub(super) fn requests_to_grow<const K: usize>(
    weights: &[f64; K],
    growth: &[f64; K],
    short: f64,
) -> Option<f64> {
    if short <= 0.0 {
        return Some(0.0);
    }
    // The best single bet reaches the mark no sooner than the mixture, so this starts right of the root; the log
    // of the mixture is convex, so Newton's steps then come down to it without passing it.
    let mut n = weights
        .iter()
        .zip(growth)
        .filter(|(_, g)| **g > 1e-15)
        .map(|(w, g)| (short - w.ln()) / g)
        .fold(f64::INFINITY, f64::min);
    if !n.is_finite() {
        return None;
    }
    for _ in 0..20 {
        let top = growth.iter().map(|g| g * n).fold(f64::NEG_INFINITY, f64::max);
        let (mut sum, mut slope) = (0.0, 0.0);
        for (w, g) in weights.iter().zip(growth) {
            let part = w * (g * n - top).exp();
            sum += part;
            slope += part * g;
        }
        let excess = top + sum.ln() - short;
        if excess.abs() < 1e-6 {
            break;
        }
        n = (n - excess * sum / slope).max(0.0);
    }
    Some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_provable_without_requests() {
        assert!(provable_rate(0.0, 0.0, 0.001, 3.0) >= 1e6);
        // Sixty requests without a failure are worth 60 × 0.05 = 3 nats against five per cent: just enough.
        assert!((provable_rate(60.0, 0.0, 0.001, 3.0) - 0.05).abs() < 1e-9);
        assert!((provable_rate(60.0, 0.0, 0.051, 3.0) - 0.051).abs() < 1e-15);
        // Against a margin of nothing nobody proves anything: it is widened like any other.
        assert!((provable_rate(60.0, 0.0, 0.0, 3.0) - 0.05).abs() < 1e-9);
    }

    #[test]
    fn a_lone_bet_needs_what_is_short_over_what_each_request_brings() {
        for (growth, short) in [(0.5, 2.0), (0.01, 3.0), (0.5, 2_000.0)] {
            let needed = requests_to_grow(&[1.0], &[growth], short).unwrap();
            assert!(
                (needed - short / growth).abs() < 1e-3,
                "{growth} {short}: {needed}"
            );
        }
        // Half in cash: ln(½ + ½ e^n) = 3 at n = ln(2 e³ - 1).
        let half = requests_to_grow(&[0.5, 0.5], &[0.0, 1.0], 3.0).unwrap();
        assert!((half - (2.0 * 3.0_f64.exp() - 1.0).ln()).abs() < 1e-5, "{half}");
        // The other half loses as fast as this one wins: ½ e^n + ½ e^-n = e³, so n = arcosh e³.
        let torn = requests_to_grow(&[0.5, 0.5], &[-1.0, 1.0], 3.0).unwrap();
        assert!((torn - 3.0_f64.exp().acosh()).abs() < 1e-5, "{torn}");
    }

    #[test]
    fn what_does_not_grow_is_not_waited_for() {
        assert_eq!(requests_to_grow(&[0.5, 0.5], &[0.0, -1.0], 1.0), None);
        assert_eq!(requests_to_grow(&[1.0], &[1e-15], 1.0), None);
        assert_eq!(requests_to_grow(&[1.0, 0.0], &[0.0, 1.0], 1.0), None);
        // Nothing is short: nothing is waited for either.
        assert_eq!(requests_to_grow(&[1.0], &[-1.0], 0.0), Some(0.0));
        assert_eq!(requests_to_grow(&[1.0], &[-1.0], -2.0), Some(0.0));
    }
}

//! The evidence of one tick, in closed form.
//!
//! For independent requests both functions have expectation at most 1 (on the plain scale) under their null,
//! whatever the baseline's level is: it cancels. So shared outages, daily drift and changing weights do not matter,
//! and neither do small numbers. Equality holds for Poisson counts.

use super::counts::Tick;
use super::settings::Margin;

/// `ln a` and `ln b` of a bet on the rate ratio `r` against the margin ratio `r0`.
fn exponents(requests: (f64, f64), r0: f64, r: f64) -> (f64, f64) {
    let (candidate, baseline) = requests;
    let total = candidate.mul_add(r, baseline);
    if total <= 0.0 {
        return (0.0, 0.0);
    }
    let shift = candidate * (r0 - r) / total;
    // `ln_1p` keeps all digits for r close to r0; elsewhere the plain quotient loses none.
    let b = if shift.abs() < 0.5 {
        shift.ln_1p()
    } else {
        (candidate.mul_add(r0, baseline) / total).ln()
    };
    ((r / r0).ln() + b, b)
}

fn log_e(tick: &Tick, margin: Margin, r: f64) -> f64 {
    let (c, b) = (tick.candidate.clipped(), tick.baseline.clipped());
    let n = (c.requests as f64, b.requests as f64);
    let (ln_a, ln_b) = exponents(n, margin.ratio, r);
    c.bad as f64 * ln_a + b.bad as f64 * ln_b - n.0 * margin.absolute * ln_a.exp_m1()
}

/// Log e-value of one tick against "the candidate's rate is at most `margin`", betting on the ratio `r`.
///
/// `r` must exceed `margin.ratio`; otherwise the bet is void and the result 0. Each bad candidate request raises
/// it, each bad baseline request lowers it.
pub fn fail_log_e(tick: &Tick, margin: Margin, r: f64) -> f64 {
    if r > margin.ratio {
        log_e(tick, margin, r)
    } else {
        0.0
    }
}

/// Log e-value of one tick against "the candidate's rate is at least `margin`", betting on the ratio `r`.
///
/// `r` must be below `margin.ratio`; otherwise the bet is void and the result 0. Requests without errors raise it
/// by at most `requests × margin.absolute`.
pub fn pass_log_e(tick: &Tick, margin: Margin, r: f64) -> f64 {
    if r < margin.ratio {
        log_e(tick, margin, r)
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::counts::Counts;

    #[test]
    fn a_bet_close_to_the_margin_keeps_its_digits_and_so_does_one_far_off() {
        // A single failure against 1000 and 3000 requests, margin ratio 1: `ln a` where it is the candidate's, `ln b` where
        // it is the baseline's, from mpmath with 40 digits.
        let tick = |bad: (u64, u64)| Tick::new(Counts::new(1_000, bad.0), Counts::new(3_000, bad.1), 15.0);
        let margin = Margin::new(1.0, 0.0);
        for (bet, ln_a, ln_b) in [
            (
                1.0 + 1e-9,
                7.500_000_615_865_282e-10,
                -2.500_000_206_538_427_4e-10,
            ),
            (2.0, 0.470_003_629_245_735_5, -0.223_143_551_314_209_76),
        ] {
            for (bad, want) in [((1, 0), ln_a), ((0, 1), ln_b)] {
                let got = fail_log_e(&tick(bad), margin, bet);
                assert!((got / want - 1.0).abs() < 1e-9, "{bet} {bad:?}: {got:?}");
            }
        }
        let pass = pass_log_e(&tick((0, 1)), margin, 1.0 - 1e-9);
        assert!(
            (pass / 2.499_999_929_607_671_3e-10 - 1.0).abs() < 1e-9,
            "{pass:?}"
        );
    }
}

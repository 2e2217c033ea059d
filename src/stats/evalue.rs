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

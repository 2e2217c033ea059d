//! An interval for the rate ratio candidate / baseline that holds at every moment at once.
//!
//! For each ratio on a grid the log-likelihood of "which arm did this bad request come from" is summed over the
//! ticks. A ratio stays in the interval while a mixture over all ratios has not outbid it by 1/level. The sums are
//! kept at a few Chebyshev nodes only: the function is analytic, so the grid's values follow from them to far
//! better than the grid's own step, and the state stays small.
//!
//! The interval is not intersected with earlier ones. It is valid without that, and it can move when the ratio
//! itself moves, as in a slow leak.

use std::sync::OnceLock;

use super::assessment::Ratio;
use super::counts::Tick;

/// Nodes at which the log-likelihood is kept.
pub(super) const NODES: usize = 22;
/// Points of the grid on which the interval is read.
const POINTS: usize = 257;
/// The grid spans `exp(-SPAN)..=exp(SPAN)`: a hundredth to a hundredfold.
const SPAN: f64 = 2.0 * std::f64::consts::LN_10;
/// Standard deviation of the prior of the log ratio.
const PRIOR_SPREAD: f64 = 1.5;
/// Probability that the interval ever misses a constant true ratio.
pub const MISS: f64 = 0.05;

struct Tables {
    nodes: [f64; NODES],
    log_prior: [f64; POINTS],
    /// Interpolation weights: value at grid point = Σ weight × value at node.
    weights: Vec<[f64; NODES]>,
}

fn grid(point: usize) -> f64 {
    SPAN * (2.0 * point as f64 / (POINTS - 1) as f64 - 1.0)
}

fn interpolation(nodes: &[f64; NODES], u: f64) -> [f64; NODES] {
    // Second barycentric formula with the weights of the first-kind Chebyshev points.
    let mut weights = [0.0; NODES];
    let mut sum = 0.0;
    for (j, node) in nodes.iter().enumerate() {
        let gap = u - node;
        if gap.abs() < 1e-12 {
            let mut exact = [0.0; NODES];
            exact[j] = 1.0;
            return exact;
        }
        let sign = if j % 2 == 0 { 1.0 } else { -1.0 };
        let angle = std::f64::consts::PI * (2 * j + 1) as f64 / (2 * NODES) as f64;
        weights[j] = sign * angle.sin() / gap;
        sum += weights[j];
    }
    weights.map(|w| w / sum)
}

fn tables() -> &'static Tables {
    static TABLES: OnceLock<Tables> = OnceLock::new();
    TABLES.get_or_init(|| {
        let mut nodes = [0.0; NODES];
        for (j, node) in nodes.iter_mut().enumerate() {
            *node = SPAN * (std::f64::consts::PI * (2 * j + 1) as f64 / (2 * NODES) as f64).cos();
        }
        let mut log_prior = [0.0; POINTS];
        for (k, p) in log_prior.iter_mut().enumerate() {
            *p = -0.5 * (grid(k) / PRIOR_SPREAD).powi(2);
        }
        let total: f64 = log_prior.iter().map(|p| p.exp()).sum();
        for p in &mut log_prior {
            *p -= total.ln();
        }
        let weights = (0..POINTS).map(|k| interpolation(&nodes, grid(k))).collect();
        Tables {
            nodes,
            log_prior,
            weights,
        }
    })
}

/// The log-likelihood of the rate ratio so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RatioLikelihood {
    pub(super) at_nodes: [f64; NODES],
}

impl RatioLikelihood {
    /// Takes one tick; one without requests in either arm, or without a bad one, says nothing.
    pub fn observe(&mut self, tick: &Tick) {
        let (c, b) = (tick.candidate.clipped(), tick.baseline.clipped());
        let bad = c.bad + b.bad;
        if c.requests == 0 || b.requests == 0 || bad == 0 {
            return;
        }
        let share = c.requests as f64 / (c.requests as f64 + b.requests as f64);
        for (value, u) in self.at_nodes.iter_mut().zip(&tables().nodes) {
            *value += c.bad as f64 * u - bad as f64 * (share * u.exp_m1()).ln_1p();
        }
    }

    /// The interval and the likeliest ratio at error probability `miss`; `None` before the first bad request.
    /// An end of the grid inside the interval means no bound on that side.
    pub fn interval(&self, miss: f64) -> Option<Ratio> {
        if self.at_nodes.iter().all(|v| *v == 0.0) {
            return None;
        }
        let tables = tables();
        let mut values = [0.0; POINTS];
        for (value, weights) in values.iter_mut().zip(&tables.weights) {
            *value = weights.iter().zip(&self.at_nodes).map(|(w, v)| w * v).sum();
        }
        let top = values
            .iter()
            .zip(&tables.log_prior)
            .map(|(v, p)| v + p)
            .fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = values
            .iter()
            .zip(&tables.log_prior)
            .map(|(v, p)| (v + p - top).exp())
            .sum();
        let floor = top + sum.ln() + miss.ln();
        let low = values.iter().position(|v| *v > floor)?;
        let high = values.iter().rposition(|v| *v > floor)?;
        Some(Ratio {
            low: if low == 0 { 0.0 } else { grid(low).exp() },
            estimate: estimate(&values),
            high: (high < POINTS - 1).then(|| grid(high).exp()),
        })
    }
}

/// The maximum of a concave function on the grid, refined by a parabola; 0 or `None` at the ends.
fn estimate(values: &[f64; POINTS]) -> Option<f64> {
    let (best, _) =
        values.iter().enumerate().fold(
            (0, f64::NEG_INFINITY),
            |(at, top), (k, v)| if *v > top { (k, *v) } else { (at, top) },
        );
    if best == 0 {
        return Some(0.0);
    }
    if best == POINTS - 1 {
        return None;
    }
    let (a, b, c) = (values[best - 1], values[best], values[best + 1]);
    let curve = a - 2.0 * b + c;
    let shift = if curve < 0.0 { 0.5 * (a - c) / curve } else { 0.0 };
    let step = grid(1) - grid(0);
    Some((grid(best) + shift * step).exp())
}

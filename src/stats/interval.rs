//! An interval for the rate ratio candidate / baseline that holds at every moment at once.
//!
//! For each ratio on a grid the log-likelihood of "which arm did this bad request come from" is summed over the
//! ticks. A ratio stays in the interval while a mixture over all ratios has not outbid it by 1/level. The sums are
//! kept at a few Chebyshev nodes only: the function is analytic, so the grid's values follow from them to far
//! better than the grid's own step, and the state stays small.
//!
//! Each interval is cut with all earlier ones. When nothing is left the ratio itself has moved, as in a slow leak,
//! and the latest interval stands alone.

use std::sync::OnceLock;

use super::assessment::Ratio;
use super::counts::Tick;

/// Nodes at which the log-likelihood is kept.
pub(super) const NODES: usize = 17;
/// Points of the grid on which the interval is read.
const POINTS: usize = 257;
const LAST: u16 = POINTS as u16 - 1;
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

/// The log-likelihood of the rate ratio so far, and the interval that follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RatioLikelihood {
    pub(super) at_nodes: [f32; NODES],
    /// First and last grid point inside.
    pub(super) inside: [u16; 2],
    /// The likeliest ratio; infinite above the grid, negative before the first bad request.
    pub(super) estimate: f32,
}

impl Default for RatioLikelihood {
    fn default() -> Self {
        Self {
            at_nodes: [0.0; NODES],
            inside: [0, LAST],
            estimate: -1.0,
        }
    }
}

/// The estimate of one that takes no ticks.
const SPARED: f32 = -2.0;

impl RatioLikelihood {
    /// One that takes no ticks and gives no interval: for simulations, whose time it would take the half of.
    pub(super) fn spared() -> Self {
        Self {
            estimate: SPARED,
            ..Self::default()
        }
    }

    /// The same without what it has seen.
    pub(super) fn anew(&self) -> Self {
        if self.is_spared() { *self } else { Self::default() }
    }

    fn is_spared(&self) -> bool {
        self.estimate <= SPARED
    }

    /// Takes one tick; one without requests in either arm, or without a bad one, says nothing.
    pub fn observe(&mut self, tick: &Tick) {
        if self.is_spared() {
            return;
        }
        let (c, b) = (tick.candidate.clipped(), tick.baseline.clipped());
        let bad = c.bad as f64 + b.bad as f64;
        if c.requests == 0 || b.requests == 0 || bad == 0.0 {
            return;
        }
        let share = c.requests as f64 / (c.requests as f64 + b.requests as f64);
        for (value, u) in self.at_nodes.iter_mut().zip(&tables().nodes) {
            *value = (f64::from(*value) + c.bad as f64 * u - bad * (share * u.exp_m1()).ln_1p()) as f32;
        }
        self.narrow();
    }

    /// Reads the interval off the grid and cuts the earlier ones with it.
    fn narrow(&mut self) {
        let tables = tables();
        let mut values = [0.0; POINTS];
        for (value, weights) in values.iter_mut().zip(&tables.weights) {
            let parts = weights.iter().zip(&self.at_nodes);
            *value = parts.map(|(w, v)| w * f64::from(*v)).sum();
        }
        let prior = &tables.log_prior;
        let top = values
            .iter()
            .zip(prior)
            .map(|(v, p)| v + p)
            .fold(f64::NEG_INFINITY, f64::max);
        let parts = values.iter().zip(prior).map(|(v, p)| v + p - top);
        // What is below e⁻⁴⁰ of the largest part is below its rounding.
        let sum: f64 = parts.filter(|part| *part > -40.0).map(f64::exp).sum();
        let floor = top + sum.ln() + MISS.ln();
        let low = values.iter().position(|v| *v > floor).map_or(0, |at| at as u16);
        let high = values
            .iter()
            .rposition(|v| *v > floor)
            .map_or(LAST, |at| at as u16);
        let cut = [low.max(self.inside[0]), high.min(self.inside[1])];
        self.inside = if cut[0] <= cut[1] { cut } else { [low, high] };
        self.estimate = estimate(&values);
    }

    /// The interval and the likeliest ratio; `None` before the first bad request. An end of the grid inside the
    /// interval means no bound on that side. The interval never widens again, so the likeliest ratio of a rate that has
    /// moved since may lie outside: then its nearer end is told.
    pub fn interval(&self) -> Option<Ratio> {
        if self.estimate < 0.0 {
            return None;
        }
        let [low, high] = self.inside;
        let low = if low == 0 {
            0.0
        } else {
            grid(usize::from(low)).exp()
        };
        let high = (high < LAST).then(|| grid(usize::from(high)).exp());
        let within = f64::from(self.estimate)
            .min(high.unwrap_or(f64::INFINITY))
            .max(low);
        Some(Ratio {
            low,
            estimate: within.is_finite().then_some(within),
            high,
        })
    }
}

/// The maximum of a concave function on the grid, refined by a parabola; 0 or infinite at the ends.
fn estimate(values: &[f64; POINTS]) -> f32 {
    let mut best = 0;
    for (k, value) in values.iter().enumerate() {
        if *value > values[best] {
            best = k;
        }
    }
    if best == 0 {
        return 0.0;
    }
    if best == POINTS - 1 {
        return f32::INFINITY;
    }
    let (a, b, c) = (values[best - 1], values[best], values[best + 1]);
    let curve = a - 2.0 * b + c;
    let shift = if curve < 0.0 { 0.5 * (a - c) / curve } else { 0.0 };
    let step = grid(1) - grid(0);
    (grid(best) + shift * step).exp() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Counts;

    #[test]
    fn a_few_nodes_carry_the_whole_likelihood() {
        // Shares all over the place and thousands of failures: the interpolated grid must still be exact enough
        // that no end moves by a grid step, a change of 0.1 nats at these counts.
        let ticks: Vec<Tick> = (0..400)
            .map(|t| {
                Tick::new(
                    Counts::new(50 + t * 7, 6 + t % 5),
                    Counts::new(3_000 - t * 7, 9),
                    15.0,
                )
            })
            .collect();
        let mut ratio = RatioLikelihood::default();
        let mut exact = vec![0.0; POINTS];
        for tick in &ticks {
            ratio.observe(tick);
            let (c, b) = (tick.candidate, tick.baseline);
            let share = c.requests as f64 / (c.requests + b.requests) as f64;
            for (k, value) in exact.iter_mut().enumerate() {
                let m = (c.bad + b.bad) as f64;
                *value += c.bad as f64 * grid(k) - m * (share * grid(k).exp_m1()).ln_1p();
            }
        }
        let best = exact.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for (k, want) in exact.iter().enumerate().filter(|(_, v)| **v > best - 30.0) {
            let got: f64 = tables().weights[k]
                .iter()
                .zip(&ratio.at_nodes)
                .map(|(w, v)| w * f64::from(*v))
                .sum();
            assert!((got - want).abs() < 0.1, "at {}: {got} {want}", grid(k).exp());
        }
    }

    #[test]
    fn a_ratio_that_moves_is_followed() {
        let mut ratio = RatioLikelihood::default();
        for bad in [5, 80] {
            for _ in 0..200 {
                ratio.observe(&Tick::new(Counts::new(500, bad), Counts::new(500, 5), 15.0));
            }
        }
        let now = ratio.interval().unwrap();
        assert!(now.low > 3.0 && now.low <= now.high.unwrap(), "{now:?}");
    }

    #[test]
    fn the_ratio_never_lies_outside_its_interval() {
        // Ten times as bad at first, then as good as the baseline: the likeliest ratio leaves the interval.
        let mut ratio = RatioLikelihood::default();
        let mut outside = 0;
        for bad in [50; 20].into_iter().chain([5; 400]) {
            ratio.observe(&Tick::new(Counts::new(500, bad), Counts::new(500, 5), 15.0));
            let now = ratio.interval().unwrap();
            let (told, high) = (now.estimate.unwrap(), now.high.unwrap());
            assert!(now.low <= told && told <= high, "{now:?}");
            outside += usize::from(f64::from(ratio.estimate) < now.low);
        }
        assert!(outside > 0, "{ratio:?}");
    }

    #[test]
    fn at_a_node_nothing_but_its_own_value_counts() {
        let nodes = tables().nodes;
        for (j, node) in nodes.iter().enumerate() {
            let weights = interpolation(&nodes, *node);
            for (k, weight) in weights.iter().enumerate() {
                assert!((weight - f64::from(u8::from(j == k))).abs() < 1e-300, "{j} {k}");
            }
        }
    }

    /// What a single tick leaves.
    fn after(candidate: (u64, u64), baseline: (u64, u64)) -> RatioLikelihood {
        let mut ratio = RatioLikelihood::default();
        ratio.observe(&Tick::new(
            Counts::new(candidate.0, candidate.1),
            Counts::new(baseline.0, baseline.1),
            15.0,
        ));
        ratio
    }

    #[test]
    fn one_tick_tells_the_quotient_of_its_rates() {
        // The likelihood of one tick is highest there; the parabola finds it to a ten-thousandth.
        for (candidate, baseline, want) in [
            ((1_000, 30), (1_000, 30), 1.0_f64),
            ((1_000, 30), (1_000, 20), 1.5),
            ((200, 30), (1_000, 50), 3.0),
            ((3_000, 40), (1_000, 50), 4.0 / 15.0),
        ] {
            let told = after(candidate, baseline).interval().unwrap().estimate.unwrap();
            assert!(
                (told / want - 1.0).abs() < 1e-4,
                "{candidate:?} {baseline:?}: {told}"
            );
        }
    }

    #[test]
    fn the_ends_are_where_the_mixture_has_outbid_a_ratio_twentyfold() {
        // Grid points, computed beside the code from the plain definition: the likelihood at each of the 257 ratios
        // against its mean under the prior.
        for (candidate, baseline, ticks, inside) in [
            ((1_000, 1), (1_000, 1), 1, [0, 256]),
            ((1_000, 0), (1_000, 3), 1, [0, 162]),
            ((200, 30), (1_000, 50), 1, [138, 178]),
            ((100, 2), (900, 3), 1, [88, 253]),
            ((1_000, 5), (1_000, 5), 3, [98, 158]),
        ] {
            let mut ratio = RatioLikelihood::default();
            for _ in 0..ticks {
                ratio.observe(&Tick::new(
                    Counts::new(candidate.0, candidate.1),
                    Counts::new(baseline.0, baseline.1),
                    15.0,
                ));
            }
            assert_eq!(ratio.inside, inside, "{candidate:?} {baseline:?}");
        }
    }

    #[test]
    fn a_tick_without_a_failure_or_with_an_empty_arm_says_nothing() {
        for (candidate, baseline) in [
            ((100, 0), (900, 0)),
            ((0, 0), (900, 5)),
            ((100, 5), (0, 0)),
            ((0, 0), (0, 0)),
        ] {
            let ratio = after(candidate, baseline);
            assert_eq!(ratio, RatioLikelihood::default());
            assert_eq!(ratio.interval(), None);
        }
    }

    #[test]
    fn where_one_arm_alone_fails_the_ratio_has_no_bound_on_that_side() {
        let none = after((1_000, 0), (1_000, 50)).interval().unwrap();
        assert_eq!((none.low, none.estimate), (0.0, Some(0.0)));
        assert!(none.high.is_some_and(|high| high < 1.0), "{none:?}");
        let all = after((1_000, 50), (1_000, 0)).interval().unwrap();
        assert_eq!((all.estimate, all.high), (None, None));
        assert!(all.low > 1.0, "{all:?}");
    }

    #[test]
    fn the_likeliest_ratio_is_the_top_of_a_parabola_or_an_end() {
        let step = grid(1) - grid(0);
        // A parabola whose top lies beside the grid's points is found where it is.
        for top in [-1.0, 0.3 * step, 0.0, 2.0 + 0.4 * step] {
            let mut values = [0.0; POINTS];
            for (k, value) in values.iter_mut().enumerate() {
                *value = -3.0 * (grid(k) - top).powi(2);
            }
            let told = f64::from(estimate(&values));
            assert!((told / top.exp() - 1.0).abs() < 1e-6, "{top}: {told}");
        }
        let ramp = |up: f64| std::array::from_fn(|k| up * k as f64);
        assert_eq!(
            (estimate(&ramp(-1.0)), estimate(&ramp(1.0))),
            (0.0, f32::INFINITY)
        );
        // It rises no more at the end: the top lies half a step before it.
        let mut level: [f64; POINTS] = ramp(1.0);
        level[POINTS - 1] = level[POINTS - 2];
        let told = f64::from(estimate(&level));
        assert!((told.ln() - (SPAN - 0.5 * step)).abs() < 1e-6, "{told}");
        // So high that the bend is rounded away: it is told as it stands.
        let mut high = [0.0; POINTS];
        (high[99], high[100], high[101]) = (2_f64.powi(54) - 2.0, 2_f64.powi(54), 2_f64.powi(54));
        assert!((f64::from(estimate(&high)) / grid(100).exp() - 1.0).abs() < 1e-6);
    }
}

//! A test process: a mixture of bets, re-balanced after each tick.
//!
//! Weights are kept normalised and beside them the log of the wealth, so nothing can overflow or underflow however
//! long a release takes. A part of the wealth stays in cash: after a long quiet time the loss is bounded and a late
//! regression is still seen. Before each tick a small share of all wealth is dealt out anew (fixed share), for the
//! same reason. Both keep the process a supermartingale, for bets are made before the tick is seen.

/// Seconds after which about two thirds of the old bets have been dealt out anew.
const MEMORY_SECONDS: f64 = 6000.0;

/// Share of the wealth that is dealt out anew before a tick of `seconds`; none if it has no length.
fn fixed_share(seconds: f64) -> f64 {
    if seconds > 0.0 {
        (seconds / MEMORY_SECONDS).clamp(1e-9, 0.5)
    } else {
        0.0
    }
}

/// A mixture of `K` bets; the first is cash and never wins or loses.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Process<const K: usize> {
    pub(super) weights: [f64; K],
    pub(super) log_wealth: f64,
}

impl<const K: usize> Process<K> {
    /// A process with wealth 1 spread as `prior`, whose entries sum to 1.
    pub const fn new(prior: [f64; K]) -> Self {
        Self {
            weights: prior,
            log_wealth: 0.0,
        }
    }

    /// The log of the wealth: the evidence in nats.
    pub const fn evidence(&self) -> f64 {
        self.log_wealth
    }

    /// Takes one tick of `seconds` with these log e-values (the first is cash: 0) and returns the increment. Between
    /// calls with no seconds nothing is dealt: they multiply like parts of one tick.
    pub fn observe(&mut self, prior: &[f64; K], log_e: &[f64; K], seconds: f64) -> f64 {
        self.deal(prior, fixed_share(seconds));
        // A bet whose share is too small for a double cannot come back before the next deal, whatever it would win.
        let alive = self.weights.iter().zip(log_e).filter(|(w, _)| **w > 0.0);
        let top = alive.map(|(_, e)| *e).fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        for (w, e) in self.weights.iter_mut().zip(log_e) {
            *w *= (e - top).min(0.0).exp();
            sum += *w;
        }
        for w in &mut self.weights {
            *w /= sum;
        }
        let increment = top + sum.ln();
        self.log_wealth += increment;
        increment
    }

    /// Multiplies the wealth by what a bet beside these has made of each unit of it, given as a log.
    pub(super) const fn multiply(&mut self, log_e: f64) {
        self.log_wealth += log_e;
    }

    /// Deals a share of the wealth out anew as `prior`; the wealth stays.
    pub fn deal(&mut self, prior: &[f64; K], share: f64) {
        for (w, p) in self.weights.iter_mut().zip(prior) {
            *w = (1.0 - share) * *w + share * p;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_dealt_between_the_parts_of_one_tick() {
        let prior = [0.2, 0.3, 0.5];
        let mut process = Process::new(prior);
        process.observe(&prior, &[0.0, 1.0, -1.0], 15.0);
        let before = process.weights;
        process.observe(&prior, &[0.0; 3], 0.0);
        for (now, then) in process.weights.iter().zip(before) {
            assert!((now - then).abs() < 1e-12, "{now} {then}");
        }
    }

    #[test]
    fn what_is_dealt_anew_grows_with_time_up_to_one_half() {
        let shares = |seconds: &[f64]| seconds.iter().map(|it| fixed_share(*it)).collect::<Vec<_>>();
        assert_eq!(shares(&[0.0, -1.0, f64::NAN]), [0.0; 3]);
        assert_eq!(shares(&[1e-9, 60.0, 3_000.0, 1e9]), [1e-9, 0.01, 0.5, 0.5]);
    }
}

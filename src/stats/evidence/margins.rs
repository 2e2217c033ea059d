//! Which line the evidence is measured against: the configured margins, widened for early steps, for pods that
//! differ, and for traffic that cannot prove them. All is fixed before the ticks that it is used on.

use std::sync::Arc;

use super::{Evidence, Given};
use crate::stats::forecast::provable_rate;
use crate::stats::settings::Margin;

/// One-sided 95 % quantile of the normal distribution: how far pods alike may differ by chance.
const POD_QUANTILE: f64 = 1.645;
/// What a step is planned to last, in seconds, when asking what its traffic can prove.
const PLANNED_STEP_SECONDS: f64 = 600.0;
/// Traffic may widen the absolute part of the unacceptable margin to so much at most. Each request without a failure is
/// worth at most this many nats, so nothing is ever promoted on fewer than 60 of them (3 nats), however thin the
/// traffic; in an early step, whose line is a multiple of it, nothing passes on fewer than 10.
const WIDEST: f64 = 0.05;
/// By how much the unacceptable margin is widened for the proof that leaves a step.
///
/// The last step's successor is everybody: 1.5. Before that a proof may be coarser as long as a candidate that just
/// slips through it does, at the step's own weight, no more harm than the strict margin allows at full weight, and
/// at the next weight no more than twice that; never coarser than sixfold. Weights in per cent.
pub fn step_multiplier(weight: f64, next_weight: f64, last: bool) -> f64 {
    if last {
        return 1.5;
    }
    let own = 100.0 / weight.max(1.0);
    let next = 200.0 / next_weight.max(1.0);
    own.min(next).clamp(1.5, 6.0)
}

impl Evidence {
    /// The same, knowing what traffic to expect: `pace` requests a second in both arms together, over steps of these
    /// weights (per cent). Where that cannot prove the unacceptable margin in sensible time (ten minutes a step),
    /// the margin is widened to what it can prove: [`Self::provable`]; but by five points of absolute rate at most, for
    /// one or two requests prove nothing. Call it after [`Self::with_background`].
    #[must_use]
    pub fn with_traffic(self, pace: f64, weights: &[f64]) -> Self {
        if !(pace.is_finite() && pace > 0.0) {
            return self;
        }
        let requests = weights
            .iter()
            .map(|w| pace * w / 100.0 * PLANNED_STEP_SECONDS)
            .sum::<f64>();
        let release_floor = self.provable_with(requests / 4.0).min(self.widest());
        Self {
            given: Arc::new(Given {
                pace: Some(pace),
                release_floor,
                ..(*self.given).clone()
            }),
            ..self
        }
    }

    /// The lowest candidate rate that `requests` of it can exclude when it behaves as the baseline did.
    fn provable_with(&self, requests: f64) -> f64 {
        let usual = self.background().rate().unwrap_or(0.0);
        provable_rate(
            requests,
            usual,
            self.settings().unacceptable().rate(usual),
            self.settings().needed_to_pass() + 2.0,
        )
    }

    /// What a step of this weight (per cent) can prove with the expected traffic; 0 if none is known. The step's own
    /// multiplier holds for the widest margin too.
    pub(super) fn provable_in_step(&self, weight: f64) -> f64 {
        let planned = |pace| pace * weight.max(0.0) / 100.0 * PLANNED_STEP_SECONDS;
        let widest = self.widest() * f64::from(self.multiplier);
        self.given
            .pace
            .map_or(0.0, |pace| self.provable_with(planned(pace)).min(widest))
    }

    /// The highest candidate rate that thin traffic may widen the unacceptable margin to.
    fn widest(&self) -> f64 {
        let usual = self.background().rate().unwrap_or(0.0);
        self.settings().unacceptable().ratio.mul_add(usual, WIDEST)
    }

    /// The candidate rate that a promotion excludes, for the usual baseline rate; above the plain margin's where
    /// the expected traffic cannot prove that.
    pub fn provable(&self) -> f64 {
        let usual = self.background().rate().unwrap_or(0.0);
        self.settings()
            .unacceptable()
            .rate(usual)
            .max(self.given.release_floor)
    }

    /// The factor by which pods alike may differ, for as many as take part.
    fn pod_factor(&self) -> f64 {
        (POD_QUANTILE * self.background().pod_spread() / f64::from(self.given.candidate_pods).sqrt()).exp()
    }

    pub(super) fn tolerated(&self) -> Margin {
        let margin = self.settings().tolerated();
        Margin {
            ratio: margin.ratio * self.pod_factor(),
            ..margin
        }
    }

    /// From here on a candidate must not be promoted, as far as the traffic can tell.
    pub(super) fn unacceptable(&self) -> Margin {
        self.at_least(self.apart(), self.given.release_floor)
    }

    /// The same for the proof that leaves this step.
    pub(super) fn unacceptable_in_step(&self) -> Margin {
        self.at_least(
            self.apart().times(f64::from(self.multiplier)),
            f64::from(self.step_floor),
        )
    }

    /// The configured margin, widened by what pods differ.
    fn apart(&self) -> Margin {
        let margin = self.settings().unacceptable();
        Margin {
            ratio: margin.ratio * self.pod_factor(),
            ..margin
        }
    }

    /// A margin raised so that it lies at `floor` for the usual baseline rate.
    fn at_least(&self, margin: Margin, floor: f64) -> Margin {
        let usual = self.background().rate().unwrap_or(0.0);
        Margin {
            absolute: margin.absolute.max(floor - margin.ratio * usual),
            ..margin
        }
    }
}

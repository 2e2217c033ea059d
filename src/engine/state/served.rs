//! Requests that came to a candidate whose weight is zero. Who forgot these when a process ends, or the metrics that showed
//! them, would take the pods from under them.

use serde::{Deserialize, Serialize};

use super::{Phase, PromotionStage, Watched};
use crate::engine::quantity::Moment;

/// What was last told of such requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Served {
    /// How many came in a million seconds: a whole number is read as it was written.
    pub micro: u64,
    /// Only requests that came by the route were counted.
    pub routed: bool,
    /// When that was last told; absent while the metrics tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub told: Option<Moment>,
}

impl Served {
    /// So many a second.
    pub fn new(per_second: f64, routed: bool, told: Option<Moment>) -> Self {
        let micro = (per_second * 1e6).round() as u64;
        Self { micro, routed, told }
    }

    /// How many came in a second.
    pub fn per_second(&self) -> f64 {
        self.micro as f64 / 1e6
    }
}

impl Phase {
    /// Whose requests should come no more, and since when that is decided.
    pub fn watched(&self) -> Option<Watched> {
        let (revision, since) = match self {
            Self::RollingBack(retreat) => (&retreat.revision, retreat.entered),
            Self::Promoting(promotion) if promotion.stage == PromotionStage::Baking => {
                (&promotion.revision, promotion.entered)
            }
            Self::Deleting(removal) => return removal.watched.clone(),
            Self::Promoting(_) | Self::Adopting | Self::Idle | Self::Releasing(_) | Self::RolledBack(_) => {
                return None;
            }
        };
        let revision = revision.clone();
        Some(Watched { revision, since })
    }

    /// What was last told of requests that its candidate should not get.
    pub const fn served(&self) -> Option<Served> {
        match self {
            Self::RollingBack(retreat) => retreat.served,
            Self::Promoting(promotion) if matches!(promotion.stage, PromotionStage::Baking) => {
                promotion.served
            }
            Self::Deleting(removal) => removal.served,
            Self::Promoting(_) | Self::Adopting | Self::Idle | Self::Releasing(_) | Self::RolledBack(_) => {
                None
            }
        }
    }
}

/// The moment that is counted from, if there is one.
pub(super) fn told(served: &mut Option<Served>) -> Option<&mut Moment> {
    served.as_mut()?.told.as_mut()
}

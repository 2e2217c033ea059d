//! What `analysis.preset` stands for: confidence, margins, holds and bake in one word. A field that is set in the
//! Rollout goes before its preset.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Margin, MetricKind};

/// How much proof a release needs, and how long it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Preset {
    /// Little traffic at stake: short holds, wider margins.
    Fast,
    /// The default.
    #[default]
    Balanced,
    /// Much at stake: long holds, more proof, and rolled back on less.
    Cautious,
}

impl Preset {
    /// Chance that a release within the tolerated margin is rolled back.
    pub const fn false_rollback(self) -> f64 {
        match self {
            Self::Fast | Self::Balanced => 0.01,
            Self::Cautious => 0.02,
        }
    }

    /// Chance that a release beyond the unacceptable margin is promoted.
    pub const fn wrong_promotion(self) -> f64 {
        match self {
            Self::Fast => 0.1,
            Self::Balanced => 0.05,
            Self::Cautious => 0.01,
        }
    }

    /// A difference that is not worth a rollback.
    pub const fn tolerated(self, kind: MetricKind) -> Margin {
        match kind {
            MetricKind::ErrorRate => margin(1.05, 0.000_05),
            MetricKind::Latency => margin(1.05, 0.002),
        }
    }

    /// A difference that a promotion must rule out.
    pub const fn unacceptable(self, kind: MetricKind) -> Margin {
        match (kind, self) {
            (MetricKind::ErrorRate, Self::Fast) => margin(2.0, 0.002),
            (MetricKind::ErrorRate, Self::Balanced) => margin(1.5, 0.001),
            (MetricKind::ErrorRate, Self::Cautious) => margin(1.3, 0.000_5),
            (MetricKind::Latency, Self::Fast) => margin(2.0, 0.01),
            (MetricKind::Latency, Self::Balanced) => margin(1.5, 0.005),
            (MetricKind::Latency, Self::Cautious) => margin(1.3, 0.003),
        }
    }

    /// The shortest stay at a step that is not the last.
    pub const fn hold(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fast => 30,
            Self::Balanced => 60,
            Self::Cautious => 300,
        })
    }

    /// The bake after the last step's verdict, long enough for slow leaks.
    pub const fn last_hold(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fast => 120,
            Self::Balanced => 600,
            Self::Cautious => 1800,
        })
    }

    /// How long the promoted pods are watched before the candidate goes.
    pub const fn bake(self) -> Duration {
        Duration::from_secs(match self {
            Self::Fast => 60,
            Self::Balanced => 300,
            Self::Cautious => 900,
        })
    }
}

const fn margin(ratio: f64, absolute: f64) -> Margin {
    Margin { ratio, absolute }
}

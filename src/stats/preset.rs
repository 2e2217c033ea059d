//! Three ready-made sets of settings.

use super::settings::{Margin, Settings};

/// How much proof a release is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// Coarser proof, sooner: for services that can bear a small regression for a while.
    Fast,
    /// The default.
    #[default]
    Balanced,
    /// Tighter margins and a longer bake; rolls back on slighter evidence.
    Cautious,
}

impl Preset {
    /// The judge's settings for a metric that counts failures.
    pub fn settings(self) -> Settings {
        let tolerated = Margin::new(1.05, 5e-5);
        let (unacceptable, alpha, beta) = match self {
            Self::Fast => (Margin::new(2.0, 2e-3), 0.01, 0.1),
            Self::Balanced => (Margin::new(1.5, 1e-3), 0.01, 0.05),
            Self::Cautious => (Margin::new(1.3, 5e-4), 0.02, 0.02),
        };
        Settings::new(tolerated, unacceptable, alpha, beta).unwrap_or_default()
    }

    /// Seconds that a step lasts at least.
    pub const fn hold_seconds(self) -> f64 {
        match self {
            Self::Fast => 30.0,
            Self::Balanced => 60.0,
            Self::Cautious => 120.0,
        }
    }

    /// Seconds of the bake in the last step.
    pub const fn bake_seconds(self) -> f64 {
        match self {
            Self::Fast => 300.0,
            Self::Balanced => 600.0,
            Self::Cautious => 1800.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_preset_is_valid_and_they_differ() {
        assert_eq!(Preset::Balanced.settings(), Settings::default());
        for preset in [Preset::Fast, Preset::Cautious] {
            assert_ne!(preset.settings(), Settings::default());
        }
    }
}

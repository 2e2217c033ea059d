//! What counts as a regression and how sure the judge must be.

use std::fmt;

/// A line `ratio × baseline rate + absolute` that divides candidate rates.
///
/// The absolute part keeps a baseline without errors meaningful, the relative part scales with a busy one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    /// Factor on the baseline's rate; 1.05 tolerates five per cent more errors.
    pub ratio: f64,
    /// Added to it; a rate in 0..1.
    pub absolute: f64,
}

impl Margin {
    /// A margin from its two parts; validated by [`Settings::new`].
    pub const fn new(ratio: f64, absolute: f64) -> Self {
        Self { ratio, absolute }
    }

    /// The candidate rate on the line for a baseline rate.
    pub fn rate(self, baseline: f64) -> f64 {
        self.ratio.mul_add(baseline, self.absolute)
    }

    /// Both parts multiplied.
    #[must_use]
    pub fn times(self, factor: f64) -> Self {
        Self {
            ratio: self.ratio * factor,
            absolute: self.absolute * factor,
        }
    }

    fn valid(self) -> bool {
        self.ratio.is_finite() && self.ratio >= 1.0 && (0.0..1.0).contains(&self.absolute)
    }
}

/// The judge's settings for one metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    tolerated: Margin,
    unacceptable: Margin,
    alpha: f64,
    beta: f64,
    warmup_seconds: f64,
}

/// Which setting cannot be used, and what it must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingsError {
    /// The tolerated margin has a ratio below 1 or an absolute part outside 0..1.
    Tolerated,
    /// The unacceptable margin has a ratio below 1 or an absolute part outside 0..1.
    Unacceptable,
    /// The unacceptable margin is not above the tolerated one.
    Order,
    /// The probability of a false rollback is not in 0..0.5.
    Alpha,
    /// The probability of a wrong promotion is not in 0..0.5.
    Beta,
    /// The warm-up is negative or not finite.
    Warmup,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tolerated => "tolerated: ratio must be at least 1 and absolute between 0 and 1",
            Self::Unacceptable => "unacceptable: ratio must be at least 1 and absolute between 0 and 1",
            Self::Order => {
                "unacceptable must be above tolerated: raise its ratio or absolute, neither part may be lower"
            }
            Self::Alpha => "falseRollback must be above 0 and at most 0.5",
            Self::Beta => "wrongPromotion must be above 0 and at most 0.5",
            Self::Warmup => "the warm-up must be zero or more seconds",
        })
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Checked settings. `alpha` bounds the probability of a false rollback over a whole release, `beta` that of
    /// promoting a candidate on the unacceptable margin.
    ///
    /// # Errors
    /// A margin or a probability cannot be used.
    pub fn new(
        tolerated: Margin,
        unacceptable: Margin,
        alpha: f64,
        beta: f64,
    ) -> Result<Self, SettingsError> {
        if !tolerated.valid() {
            return Err(SettingsError::Tolerated);
        }
        if !unacceptable.valid() {
            return Err(SettingsError::Unacceptable);
        }
        let lower = unacceptable.ratio < tolerated.ratio || unacceptable.absolute < tolerated.absolute;
        if lower || unacceptable == tolerated {
            return Err(SettingsError::Order);
        }
        if !(alpha > 0.0 && alpha <= 0.5) {
            return Err(SettingsError::Alpha);
        }
        if !(beta > 0.0 && beta <= 0.5) {
            return Err(SettingsError::Beta);
        }
        Ok(Self {
            tolerated,
            unacceptable,
            alpha,
            beta,
            ..Self::default()
        })
    }

    /// The same with another warm-up: seconds from the start of a step in which only gross faults count.
    ///
    /// # Errors
    /// It is negative or not finite.
    pub fn with_warmup(self, seconds: f64) -> Result<Self, SettingsError> {
        if seconds.is_finite() && seconds >= 0.0 {
            Ok(Self {
                warmup_seconds: seconds,
                ..self
            })
        } else {
            Err(SettingsError::Warmup)
        }
    }

    /// The same with a share (0..=1) of the probability of a false rollback, for one of several metrics.
    #[must_use]
    pub fn sharing(self, share: f64) -> Self {
        Self {
            alpha: (self.alpha * share).clamp(1e-12, self.alpha),
            ..self
        }
    }

    /// Up to here the candidate is as good as the baseline; the fail test rejects it.
    pub const fn tolerated(&self) -> Margin {
        self.tolerated
    }

    /// From here on the candidate must not be promoted; the pass tests reject it.
    pub const fn unacceptable(&self) -> Margin {
        self.unacceptable
    }

    /// Bound on the probability of a false rollback.
    pub const fn alpha(&self) -> f64 {
        self.alpha
    }

    /// Bound on the probability of a wrong promotion.
    pub const fn beta(&self) -> f64 {
        self.beta
    }

    /// Seconds of warm-up at the start of each step.
    pub const fn warmup_seconds(&self) -> f64 {
        self.warmup_seconds
    }

    /// Evidence in nats that a fail needs: ln(1/alpha).
    pub fn needed_to_fail(&self) -> f64 {
        -self.alpha.ln()
    }

    /// Evidence in nats that a pass needs: ln(1/beta).
    pub fn needed_to_pass(&self) -> f64 {
        -self.beta.ln()
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tolerated: Margin::new(1.05, 5e-5),
            unacceptable: Margin::new(1.5, 1e-3),
            alpha: 0.01,
            beta: 0.05,
            warmup_seconds: 30.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_makes_no_sense() {
        let (t, u) = (Margin::new(1.05, 5e-5), Margin::new(1.5, 1e-3));
        assert_eq!(Settings::new(t, u, 0.01, 0.05), Ok(Settings::default()));
        let cases = [
            (Margin::new(0.9, 0.0), u, 0.01, 0.05, SettingsError::Tolerated),
            (
                Margin::new(f64::NAN, 0.0),
                u,
                0.01,
                0.05,
                SettingsError::Tolerated,
            ),
            (t, Margin::new(1.5, 1.0), 0.01, 0.05, SettingsError::Unacceptable),
            (t, Margin::new(1.5, -0.1), 0.01, 0.05, SettingsError::Unacceptable),
            (t, t, 0.01, 0.05, SettingsError::Order),
            (t, Margin::new(1.04, 0.1), 0.01, 0.05, SettingsError::Order),
            (t, Margin::new(2.0, 1e-5), 0.01, 0.05, SettingsError::Order),
            (t, u, 0.0, 0.05, SettingsError::Alpha),
            (t, u, 0.6, 0.05, SettingsError::Alpha),
            (t, u, 0.01, f64::NAN, SettingsError::Beta),
        ];
        for (t, u, a, b, want) in cases {
            assert_eq!(Settings::new(t, u, a, b), Err(want));
        }
        assert_eq!(Settings::default().with_warmup(-1.0), Err(SettingsError::Warmup));
    }
}

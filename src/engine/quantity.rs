//! The units of a release: a weight, a revision, a moment.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time. The engine compares moments; only the shell knows which one is now.
pub type Moment = jiff::Timestamp;

/// `since + span`, or the end of time where that is later.
#[must_use]
pub fn after(since: Moment, span: Duration) -> Moment {
    since.checked_add(span).unwrap_or(Moment::MAX)
}

/// A share of the requests, in whole per cent: 0 to 100.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Weight(u8);

impl Weight {
    /// No request.
    pub const NONE: Self = Self(0);
    /// Every request.
    pub const FULL: Self = Self(100);

    /// A weight of `percent`, or the nearest possible one.
    pub const fn clamped(percent: u8) -> Self {
        Self(if percent > 100 { 100 } else { percent })
    }

    /// The per cent, 0 to 100.
    pub const fn percent(self) -> u8 {
        self.0
    }

    /// What is left for the other side.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(100 - self.0)
    }

    /// How many of `replicas` pods carry this weight: rounded up, and at least one for any weight above zero.
    pub fn share_of(self, replicas: u32) -> u32 {
        let needed = (u64::from(self.0) * u64::from(replicas)).div_ceil(100);
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        if self.0 == 0 { 0 } else { needed.max(1) }
    }
}

impl TryFrom<u8> for Weight {
    type Error = String;

    fn try_from(percent: u8) -> Result<Self, String> {
        if percent > 100 {
            Err(format!("a weight of {percent} % is above 100 %"))
        } else {
            Ok(Self(percent))
        }
    }
}

impl From<Weight> for u8 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", self.0)
    }
}

/// The short name of a pod template: equal names mean equal templates (without `pod-template-hash`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(String);

impl Revision {
    /// A revision of this name, which must be fit for a label value and the end of an object's name.
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capacity_is_rounded_up_and_never_zero_for_a_weight() {
        for (weight, replicas, needed) in [
            (0, 10, 0),
            (10, 10, 1),
            (10, 11, 2),
            (1, 3, 1),
            (25, 4, 1),
            (80, 4, 4),
            (100, 7, 7),
            (10, 0, 1),
        ] {
            assert_eq!(
                Weight::clamped(weight).share_of(replicas),
                needed,
                "{weight} % of {replicas}"
            );
        }
    }

    #[test]
    fn a_weight_above_a_hundred_is_refused() {
        assert!(serde_json::from_str::<Weight>("101").is_err());
        assert_eq!(serde_json::from_str::<Weight>("100").ok(), Some(Weight::FULL));
    }
}

//! Durations as Kubernetes users write them: `90s`, `1h30m`, `250ms`.
//!
//! The notation is Gateway API's (GEP-2257): one to four numbers of at most five digits with a unit each, no
//! fractions and no sign, so that every value is exact and bounded. Bounds of single fields are in [`super::rules`].

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The pattern of a duration, as the CRDs carry it.
pub const PATTERN: &str = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
/// The longest text that fits [`PATTERN`].
pub const MAX_LENGTH: u64 = 28;

/// A length of time, to the millisecond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(std::time::Duration);

/// Why a text is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a duration: write numbers with h, m, s or ms, such as 90s or 1h30m")]
pub struct DurationError(String);

impl Duration {
    /// A duration of whole seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(std::time::Duration::from_secs(seconds))
    }

    /// A duration of whole milliseconds.
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(std::time::Duration::from_millis(milliseconds))
    }

    /// The standard library's type of the same length.
    pub const fn get(self) -> std::time::Duration {
        self.0
    }

    /// The length in seconds.
    pub const fn as_secs_f64(self) -> f64 {
        self.0.as_secs_f64()
    }
}

/// Reads a duration such as `90s` or `1h30m`.
///
/// # Errors
/// [`DurationError`] when the text does not fit [`PATTERN`].
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let error = || DurationError(text.chars().take(40).collect());
    let mut rest = text;
    let mut millis = 0_u64;
    for _ in 0..4 {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits == 0 || digits > 5 {
            return Err(error());
        }
        let (number, tail) = rest.split_at(digits);
        let number: u64 = number.parse().map_err(|_| error())?;
        let (factor, tail) = unit(tail).ok_or_else(error)?;
        millis += number * factor;
        if tail.is_empty() {
            return Ok(Duration::from_millis(millis));
        }
        rest = tail;
    }
    Err(error())
}

/// The unit at the start of `text` in milliseconds, and what follows it.
fn unit(text: &str) -> Option<(u64, &str)> {
    [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)]
        .into_iter()
        .find_map(|(name, factor)| text.strip_prefix(name).map(|tail| (factor, tail)))
}

impl FromStr for Duration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

/// The shortest text in falling units: `90s` shows as `1m30s`, nothing as `0s`.
impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.as_millis();
        if millis == 0 {
            return f.write_str("0s");
        }
        let parts = [
            (millis / 3_600_000, "h"),
            (millis / 60_000 % 60, "m"),
            (millis / 1_000 % 60, "s"),
            (millis % 1_000, "ms"),
        ];
        parts
            .iter()
            .filter(|(number, _)| *number > 0)
            .try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

super::text::written_as_text!(Duration);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, millis: u64, shown: &str) {
        let duration = parse(text).unwrap();
        assert_eq!(duration, Duration::from_millis(millis));
        assert_eq!(duration.to_string(), shown);
        assert_eq!(parse(shown), Ok(duration));
    }

    #[test]
    fn reads_and_shows_go_notation() {
        check("90s", 90_000, "1m30s");
        check("1h30m", 5_400_000, "1h30m");
        check("250ms", 250, "250ms");
        check("0s", 0, "0s");
        check("1m1ms", 60_001, "1m1ms");
        check("99999h", 99_999 * 3_600_000, "99999h");
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "1.5h",
            "1d",
            "100000s",
            "1s1s1s1s1s",
            "1 s",
            "1s ",
            "١s",
            "1S",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn agrees_with_the_pattern_of_the_crd() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for text in [
            "90s",
            "1h30m",
            "1ms1ms",
            "",
            "1",
            "1s1",
            "123456s",
            "1s1s1s1s1s",
            "1m5",
            "5µs",
        ] {
            assert_eq!(pattern.is_match(text), parse(text).is_ok(), "{text:?}");
        }
    }
}

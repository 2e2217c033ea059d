//! Quantities as Kubernetes users write them: `500m`, `2`, `512Mi`, `1e3`.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// The pattern of a quantity, as the CRDs carry it: without a sign.
pub const PATTERN: &str =
    "^[0-9]{1,15}([.][0-9]{1,9})?(n|u|m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][+-]?[0-9]{1,2})?$";
/// The longest text that fits [`PATTERN`].
pub const MAX_LENGTH: u64 = 29;

/// What each suffix multiplies by. Two letters go first, so that `Mi` is not taken for `M`.
const UNITS: [(&str, f64); 15] = [
    ("Ki", 1024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("Pi", 1_125_899_906_842_624.0),
    ("Ei", 1_152_921_504_606_846_976.0),
    ("n", 1e-9),
    ("u", 1e-6),
    ("m", 1e-3),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("E", 1e18),
];

/// A number that is not negative, as it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    text: String,
    value: f64,
}

/// Why a text is not a quantity.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a quantity: write a number with a unit such as m, k, M, Ki, Mi or Gi, or without one")]
pub struct QuantityError(String);

impl Quantity {
    /// The number.
    pub const fn value(&self) -> f64 {
        self.value
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || QuantityError(text.chars().take(40).collect());
        let unit = UNITS.iter().find(|(unit, _)| text.ends_with(unit));
        let (number, factor) = unit.map_or((text, 1.0), |(unit, factor)| {
            (&text[..text.len() - unit.len()], *factor)
        });
        let exponent = unit.is_none() && number.contains(['e', 'E']);
        let plain = |c: char| c.is_ascii_digit() || c == '.' || (exponent && "eE+-".contains(c));
        let sound = number.starts_with(|c: char| c.is_ascii_digit())
            && number.ends_with(|c: char| c.is_ascii_digit())
            && number.chars().all(plain);
        let value: f64 = number.parse().map_err(|_| error())?;
        if !sound || !value.is_finite() {
            return Err(error());
        }
        Ok(Self {
            text: text.to_owned(),
            value: value * factor,
        })
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

super::text::written_as_text!(Quantity);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kubernetes_writes() {
        for (text, value) in [
            ("500m", 0.5),
            ("2", 2.0),
            ("0.25", 0.25),
            ("512Mi", 536_870_912.0),
            ("1Gi", 1_073_741_824.0),
            ("129M", 129e6),
            ("1e3", 1000.0),
            ("1E3", 1000.0),
            ("2E", 2e18),
            ("0", 0.0),
        ] {
            let read: Quantity = text.parse().unwrap();
            assert!((read.value() - value).abs() <= 1e-9 * value, "{text}");
            assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn agrees_with_the_pattern_of_the_crd() {
        let pattern = regex::Regex::new(PATTERN).unwrap();
        for text in [
            "", "m", "-1", "+1", "1 Gi", "1gi", ".5", "5.", "1.5.2", "1e", "e3", "1em", "NaN", "inf", "1Mi2",
            "500m", "1.5Gi", "1e3", "1e-3", "7",
        ] {
            assert_eq!(
                pattern.is_match(text),
                text.parse::<Quantity>().is_ok(),
                "{text:?}"
            );
        }
    }
}

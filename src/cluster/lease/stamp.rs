//! The fence on objects: under which term they were last written.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// The number of a term: raised by every acquisition, never lowered.
pub type Epoch = u32;

/// The highest epoch that is believed. Two acquisitions a second reach it after 17 years: what is above was forged,
/// and must not be able to bring the Lease's 31-bit counter to its end.
pub(super) const EPOCH_MAX: Epoch = 1 << 30;

/// `<lease uid>/<epoch>`, written on every managed object of an active release.
///
/// Stamps of different Leases have no order: the Lease itself must be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    lease: String,
    epoch: Epoch,
}

impl Stamp {
    /// The stamp of term `epoch` of the Lease with uid `lease`.
    pub fn new(lease: impl Into<String>, epoch: Epoch) -> Self {
        Self {
            lease: lease.into(),
            epoch,
        }
    }

    /// The uid of the Lease.
    pub fn lease(&self) -> &str {
        &self.lease
    }

    /// The number of the term.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }
}

impl PartialOrd for Stamp {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.lease == other.lease).then(|| self.epoch.cmp(&other.epoch))
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.lease, self.epoch)
    }
}

/// A text that is no stamp.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a stamp: it must read <uid>/<epoch>")]
pub struct StampError(String);

impl FromStr for Stamp {
    type Err = StampError;

    fn from_str(text: &str) -> Result<Self, StampError> {
        let refuse = || StampError(text.chars().take(64).collect());
        let (lease, epoch) = text.split_once('/').ok_or_else(refuse)?;
        let sound = !lease.is_empty()
            && lease.len() <= 64
            && lease.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        // Only the form that `Display` gives: no sign, no leading zero.
        let number = epoch.parse::<Epoch>().ok().filter(|n| n.to_string() == epoch);
        match number {
            Some(epoch) if sound => Ok(Self::new(lease, epoch)),
            _ => Err(refuse()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_read_as_it_was_written() {
        let stamp = Stamp::new("0f9e-1", 12);
        assert_eq!(stamp.to_string(), "0f9e-1/12");
        assert_eq!("0f9e-1/12".parse(), Ok(stamp));
        for text in [
            "",
            "/1",
            "a",
            "a/",
            "a/-1",
            "a/+1",
            "a/01",
            "a/1/2",
            "a b/1",
            "a/99999999999",
        ] {
            assert!(text.parse::<Stamp>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_stamps_of_one_lease_have_an_order() {
        let stamp = Stamp::new("a", 2);
        assert!(stamp > Stamp::new("a", 1));
        assert!(stamp < Stamp::new("a", 3));
        assert_eq!(stamp.partial_cmp(&Stamp::new("b", 1)), None);
    }
}

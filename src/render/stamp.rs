//! The mark of the controller that writes: which lease it holds, and the how-manieth holder it is.

use std::fmt;
use std::str::FromStr;

/// `<lease uid>/<epoch>`: on the status and on every managed object of an active release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Uid of the Lease.
    pub lease: String,
    /// Raised by every acquisition and every start of a process.
    pub epoch: u64,
}

impl Stamp {
    /// Whether `self` was given out after `other`. Stamps of different leases cannot be compared: neither is.
    pub fn outranks(&self, other: &Self) -> bool {
        self.lease == other.lease && self.epoch > other.epoch
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.lease, self.epoch)
    }
}

impl FromStr for Stamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (lease, epoch) = text.rsplit_once('/')?;
            let epoch = epoch.parse().ok()?;
            (!lease.is_empty()).then(|| Self {
                lease: lease.to_owned(),
                epoch,
            })
        };
        read().ok_or_else(|| format!("`{text}` is not a stamp: `<lease uid>/<epoch>` is expected"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(text: &str) -> Stamp {
        text.parse().unwrap()
    }

    #[test]
    fn it_is_read_back_as_written() {
        assert_eq!(stamp("a-b-c/17").to_string(), "a-b-c/17");
        for wrong in ["", "a", "a/", "/1", "a/-1", "a/x"] {
            assert!(wrong.parse::<Stamp>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_a_later_epoch_of_the_same_lease_outranks() {
        assert!(stamp("a/10").outranks(&stamp("a/9")));
        assert!(!stamp("a/9").outranks(&stamp("a/9")));
        assert!(!stamp("b/10").outranks(&stamp("a/9")));
    }
}

//! The rules of the election: a pure function of what was seen, when it was seen, and the time.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use tokio::time::Instant;

use super::Timing;
use super::stamp::{EPOCH_MAX, Epoch, Stamp};

/// A holder may ask others to wait, but not longer than this.
const DURATION_MAX: Duration = Duration::from_mins(1);

/// The Lease as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its uid.
    pub uid: String,
    /// Its `resourceVersion`, the condition of the next write.
    pub version: String,
    /// The holder's identity; `None` when it was released.
    pub holder: Option<String>,
    /// `leaseTransitions`: the epoch of the present term.
    pub epoch: Epoch,
    /// How long others must wait, by the holder's own word.
    pub duration: Option<Duration>,
    /// When the holder says it renewed: compared with itself only, never with a clock.
    pub renewed: Option<String>,
}

impl Record {
    /// The record in a Lease that the API server gave; `None` for one without metadata.
    pub fn of(lease: &Lease) -> Option<Self> {
        let spec = lease.spec.clone().unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|n| u64::try_from(n).ok());
        Some(Self {
            uid: lease.metadata.uid.clone()?,
            version: lease.metadata.resource_version.clone()?,
            holder: spec.holder_identity.filter(|holder| !holder.is_empty()),
            epoch: spec
                .lease_transitions
                .and_then(|n| Epoch::try_from(n).ok())
                .unwrap_or(0),
            duration: seconds.map(Duration::from_secs),
            renewed: spec.renew_time.map(|time| time.0.to_string()),
        })
    }

    /// The stamp of the term that it tells of.
    pub fn stamp(&self) -> Stamp {
        Stamp::new(&self.uid, self.epoch)
    }

    /// The epoch of a term that begins now; `floor` is the highest one that any object carries.
    pub fn next_epoch(previous: Option<&Self>, floor: Epoch) -> Epoch {
        let floor = if floor < EPOCH_MAX { floor } else { 0 };
        let last = previous.map_or(0, |record| record.epoch).max(floor);
        last.saturating_add(1)
    }

    /// The same holder said the same: only what others may write (labels, say) differs.
    fn unchanged(&self, other: &Self) -> bool {
        let version = other.version.clone();
        Self {
            version,
            ..self.clone()
        } == *other
    }
}

/// What was last seen of the Lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The Lease; `None` when there is none.
    pub record: Option<Record>,
    /// When it was first seen to be so.
    pub since: Instant,
}

impl Observed {
    /// What is known after `record` was seen at `now`: a holder that says nothing new gets no new time.
    #[must_use]
    pub fn update(previous: Option<&Self>, record: Option<Record>, now: Instant) -> Self {
        let since = previous
            .filter(|old| match (&old.record, &record) {
                (Some(old), Some(new)) => old.unchanged(new),
                (None, None) => true,
                _ => false,
            })
            .map_or(now, |old| old.since);
        Self { record, since }
    }
}

/// A time of leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// What this term's writes carry.
    pub stamp: Stamp,
    /// When the last renewal that succeeded was sent.
    pub renewed: Instant,
    /// When it ends unless it is renewed.
    pub until: Instant,
}

impl Term {
    /// The term that a write sent at `sent` has begun or prolonged.
    pub fn new(stamp: Stamp, sent: Instant, timing: &Timing) -> Self {
        Self {
            stamp,
            renewed: sent,
            until: sent + timing.valid,
        }
    }
}

/// What the elector does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseStep {
    /// Read the Lease: nothing is known, or what is known may be wrong.
    Read,
    /// Create the Lease.
    Create,
    /// Take a Lease that nobody holds any more.
    Take,
    /// Renew the term.
    Renew,
    /// Lead until then.
    Hold(Instant),
    /// Watch another holder; if it says nothing by then it is gone.
    Follow(Instant),
    /// The term is over: no more writes.
    Lose(&'static str),
}

/// The next step of `me`, which leads if there is a `term`. Total, and free of effects.
pub fn decide(
    now: Instant,
    observed: Option<&Observed>,
    term: Option<&Term>,
    me: &str,
    timing: &Timing,
) -> LeaseStep {
    if term.is_some_and(|term| term.until <= now) {
        return LeaseStep::Lose("the Lease could not be renewed in time");
    }
    let Some(observed) = observed else {
        return LeaseStep::Read;
    };
    match (&observed.record, term) {
        (None, None) => LeaseStep::Create,
        (None, Some(_)) => LeaseStep::Lose("the Lease was deleted"),
        (Some(record), Some(term)) if record.holder.as_deref() == Some(me) => {
            if record.stamp() != term.stamp {
                LeaseStep::Lose("the Lease's counter was changed by somebody else")
            } else if term.renewed + timing.renew <= now {
                LeaseStep::Renew
            } else {
                LeaseStep::Hold(term.renewed + timing.renew)
            }
        }
        (Some(_), Some(_)) => LeaseStep::Lose("another process holds the Lease"),
        // Our own write whose answer was lost: when it was done is not known, so the term begins with a renewal.
        (Some(record), None) if record.holder.as_deref() == Some(me) => LeaseStep::Renew,
        (Some(record), None) => {
            let duration = record.duration.unwrap_or(timing.duration).min(DURATION_MAX);
            let end = observed.since + duration.max(timing.duration);
            if record.holder.is_none() || end <= now {
                LeaseStep::Take
            } else {
                LeaseStep::Follow(end)
            }
        }
    }
}

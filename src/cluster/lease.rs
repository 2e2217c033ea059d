//! Who may act: leadership by a Lease, as a value that expires.
//!
//! Invariants: [`Leadership::check`] says no before any other process can hold the Lease, whatever happens to this
//! one's calls; an expiry is measured from when *we* saw the Lease change, on a monotonic clock, so that no clock of
//! another machine matters; every acquisition raises the epoch, and a holder is one process, so that a restarted
//! process is a new holder. Nothing rests on the Lease alone: every write is conditional and stamped.

mod decide;
mod elect;
#[cfg(test)]
mod fake;
mod stamp;
#[cfg(test)]
mod tests;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use tokio::sync::watch;
use tokio::time::Instant;

use super::client::{self, Clients};
use super::error::{Call, Error};
pub use decide::{LeaseStep, Observed, Record, Term, decide};
pub use elect::{Elector, Lost};
pub use stamp::{Epoch, Stamp, StampError};

const RESOURCE: &str = "leases.coordination.k8s.io";

/// The Lease and who wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Namespace of the Lease: the operator's own.
    pub namespace: String,
    /// Name of the Lease.
    pub name: String,
    /// Who asks: unique for each process, see [`identity`].
    pub identity: String,
    /// The periods.
    pub timing: Timing,
}

/// The periods of an election. They must grow in this order: `retry`, `renew`, `valid`, `duration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// How long others wait after the last change that they saw.
    pub duration: Duration,
    /// How long the holder acts after it sent its last renewal that succeeded. What it began to write by then ends
    /// by its deadline before `duration` is over.
    pub valid: Duration,
    /// Time between renewals: one call each.
    pub renew: Duration,
    /// Time between attempts that fail, and the deadline of each.
    pub retry: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            duration: Duration::from_secs(15),
            valid: Duration::from_secs(10),
            renew: Duration::from_secs(5),
            retry: Duration::from_secs(2),
        }
    }
}

/// An identity for this process: `host` (the pod's name) and a number that no other process has.
pub fn identity(host: &str) -> String {
    format!("{host}_{}", uuid::Uuid::new_v4())
}

/// What the elector knows.
#[derive(Clone, Debug, Default, PartialEq)]
struct View {
    term: Option<Term>,
    holder: Option<String>,
    known: bool,
}

/// A cheap handle on the leadership of this process. Ask it at every write.
#[derive(Clone)]
pub struct Leadership {
    view: watch::Receiver<View>,
    leases: Api<Lease>,
    settings: Settings,
}

impl Leadership {
    /// The present term, if this process leads at this instant.
    pub fn term(&self) -> Option<Term> {
        let view = self.view.borrow();
        view.term.clone().filter(|term| Instant::now() < term.until)
    }

    /// The epoch under which this process may write at this instant.
    pub fn check(&self) -> Option<Epoch> {
        self.term().map(|term| term.stamp.epoch())
    }

    /// Whether what was decided under `stamp` may still be written.
    pub fn holds(&self, stamp: &Stamp) -> bool {
        self.term().is_some_and(|term| term.stamp == *stamp)
    }

    /// Whether the Lease has been read since the start: then somebody's leadership is known.
    pub fn known(&self) -> bool {
        self.view.borrow().known
    }

    /// Waits until the Lease has been read once. Ends early when the elector is gone.
    pub async fn settled(&self) {
        let mut view = self.view.clone();
        while !self.known() && view.changed().await.is_ok() {}
    }

    /// The identity of the present holder, as last seen.
    pub fn holder(&self) -> Option<String> {
        self.view.borrow().holder.clone()
    }

    /// Waits until this process leads. Ends with `None` when the elector is gone.
    pub async fn acquired(&self) -> Option<Term> {
        let mut view = self.view.clone();
        loop {
            if let Some(term) = self.term() {
                return Some(term);
            }
            view.changed().await.ok()?;
        }
    }

    /// Reads the Lease itself before a risky write: the term, if this process still holds it.
    ///
    /// # Errors
    /// The Lease could not be read; nothing risky may be written then.
    pub async fn still_leader(&self) -> Result<Option<Term>, Error> {
        let Some(term) = self.term() else {
            return Ok(None);
        };
        let what = Call::new("get", RESOURCE)
            .within(&self.settings.namespace)
            .on(&self.settings.name);
        let get = self.leases.get_opt(&self.settings.name);
        let live = client::call(what, self.settings.timing.renew, get).await?;
        let mine = live.as_ref().and_then(Record::of).is_some_and(|record| {
            record.holder.as_deref() == Some(self.settings.identity.as_str()) && record.stamp() == term.stamp
        });
        Ok(Some(term).filter(|term| mine && Instant::now() < term.until))
    }
}

/// An election over the Lease of `settings`, and the handle on its outcome.
pub fn elector(
    clients: &Clients,
    clock: std::sync::Arc<dyn crate::ports::Clock>,
    settings: Settings,
) -> (Elector, Leadership) {
    let (sender, view) = watch::channel(View::default());
    let leadership = Leadership {
        view,
        leases: Api::namespaced(clients.read.clone(), &settings.namespace),
        settings: settings.clone(),
    };
    (Elector::new(clients, clock, settings, sender), leadership)
}

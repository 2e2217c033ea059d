//! What the parts of the world share, behind one lock that is never held across an await.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::api_server::store::Store;
use super::api_server::write::Writer;
use super::controllers::Cluster;
use super::faults::Faults;
use super::prometheus::Database;
use super::rng::Rng;
use super::trace::Trace;
use super::traffic::Traffic;
use super::traffic::gateway::Gateway;

/// The whole state.
pub(super) struct State {
    pub(super) store: Store,
    /// Names and uids.
    pub(super) ids: Rng,
    /// CRD schemas by qualified resource name.
    pub(super) schemas: BTreeMap<String, Value>,
    pub(super) trace: Trace,
    pub(super) faults: Faults,
    /// Counts the times that all watches were cut.
    pub(super) watches_cut: u64,
    /// Watches deliver nothing while this is set.
    pub(super) watches_held: bool,
    /// The time at which the world began.
    pub(super) epoch: Timestamp,
    pub(super) cluster: Cluster,
    pub(super) gateway: Gateway,
    pub(super) traffic: Traffic,
    pub(super) metrics: Database,
}

impl State {
    /// A writer for one of the cluster's own controllers.
    pub(super) fn writer<'a>(&'a mut self, now: Timestamp, manager: &'a str) -> Writer<'a> {
        Writer {
            store: &mut self.store,
            ids: &mut self.ids,
            schemas: &self.schemas,
            now,
            user: manager,
            manager,
            dry_run: false,
        }
    }
}

/// The state, its clock, and the bell that wakes the watches.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Rung after every change.
    pub(super) changed: Notify,
    start: Instant,
    epoch: Timestamp,
    /// Virtual time that an API call takes.
    pub(super) latency: Duration,
}

impl Shared {
    pub(super) fn new(state: State, epoch: Timestamp, latency: Duration) -> Self {
        Self {
            state: Mutex::new(state),
            changed: Notify::new(),
            start: Instant::now(),
            epoch,
            latency,
        }
    }

    /// The state. A panic elsewhere does not make it unusable.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time since the world began.
    pub(super) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// The world's wall clock.
    pub(super) fn now(&self) -> Timestamp {
        self.epoch + SignedDuration::try_from(self.elapsed()).unwrap_or(SignedDuration::MAX)
    }
}

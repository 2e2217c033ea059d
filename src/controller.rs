//! The shell: a worker for each Rollout, all under one leadership.
//!
//! Each worker reads like the figure in ARCHITECTURE.md: observe, decide, check, commit, apply, tell. A worker that panics
//! or errs takes nobody with it.

mod contest;
mod failures;
mod live;
pub(crate) mod measure;
mod memory;
mod spec;
mod sweep;
mod undone_writes;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;

use kube::Client;
use serde_json::Value;
use tokio::task::{AbortHandle, JoinSet};

use crate::cluster::apply::Writer;
use crate::cluster::cache::{Cache, Kind};
use crate::cluster::client::{Clients, DEADLINE, Listener};
use crate::cluster::events::{Events, events};
use crate::cluster::lease::{self, Epoch, Leadership, Lost, Stamp};
use crate::cluster::watches;
use crate::engine::plan::GateMode;
use crate::ports::{Clock, Providers, SourceError};
use crate::telemetry::{Gate, Metrics, Readiness};
pub use live::Live;

/// One process of Serin: everything it needs from outside, as values.
pub struct Operator {
    clients: Clients,
    clock: Arc<dyn Clock>,
    providers: Arc<dyn Providers>,
    gate: GateMode,
    lease: lease::Settings,
    namespaces: Vec<String>,
    metrics: Arc<Metrics>,
    readiness: Readiness,
    live: Live,
}

/// What all workers of one term share.
struct Shared {
    cache: Cache,
    client: Client,
    writer: Writer,
    leadership: Leadership,
    events: Events,
    clock: Arc<dyn Clock>,
    providers: Arc<dyn Providers>,
    gate: GateMode,
    metrics: Arc<Metrics>,
    live: Live,
}

impl Operator {
    /// An operator for all namespaces. Nothing is sent yet.
    pub fn new(
        clients: Clients,
        clock: Arc<dyn Clock>,
        providers: Arc<dyn Providers>,
        gate: GateMode,
        lease: lease::Settings,
    ) -> Self {
        let (metrics, readiness) = (Arc::new(Metrics::new()), Readiness::default());
        let (counts, host) = (Arc::clone(&metrics), clients.host.clone());
        let listener: Listener = Arc::new(move |method, code| counts.requested(&host, method, code));
        Self {
            clients: clients.heard(&listener),
            clock,
            providers,
            gate,
            lease,
            namespaces: Vec::new(),
            metrics,
            readiness,
            live: Live::default(),
        }
    }

    /// Watches only these namespaces; none named: all.
    #[must_use]
    pub fn within(mut self, namespaces: Vec<String>) -> Self {
        self.namespaces = namespaces;
        self
    }

    /// The figures about this process, and the gates of its readiness.
    pub fn telemetry(&self) -> (Arc<Metrics>, Readiness) {
        (Arc::clone(&self.metrics), self.readiness.clone())
    }

    /// The verdicts as they stand between two writes of the status.
    pub fn live(&self) -> Live {
        self.live.clone()
    }

    /// Follows, leads, and ends when `shutdown` does.
    ///
    /// # Errors
    /// [`Lost`]: it led and does not any more; the process must end.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), Lost> {
        let (warm, known) = (self.readiness.gate("caches"), self.readiness.gate("leadership"));
        let cache = Cache::default();
        let mut tasks = JoinSet::new();
        let watches = watches::start(&mut tasks, &self.clients.read, &self.namespaces, &cache);
        let mut changes = cache.changes("");
        tokio::pin!(shutdown);
        while !cache.is_warm(watches) {
            tokio::select! {
                () = &mut shutdown => return Ok(()),
                _ = changes.changed() => {}
            }
        }
        warm.open();
        let (events, publisher) = events(&self.clients, Arc::clone(&self.clock), &self.lease.identity);
        tasks.spawn(publisher.run());
        let (elector, leadership) =
            lease::elector(&self.clients, Arc::clone(&self.clock), self.lease.clone());
        let stamps = cache.clone();
        let outcome = tokio::select! {
            outcome = elector.run(move || highest_epoch(&stamps), shutdown) => outcome,
            () = self.lead(&cache, leadership, events, known) => Ok(()),
        };
        self.metrics.leads(&self.lease.name, false);
        outcome
    }

    /// Waits for leadership and works under it; never ends before the elector does.
    async fn lead(&self, cache: &Cache, leadership: Leadership, events: Events, known: Gate) {
        while !leadership.known() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        known.open();
        self.metrics.leads(&self.lease.name, false);
        let Some(term) = leadership.acquired().await else {
            return;
        };
        tracing::info!(stamp = %term.stamp, "this process leads");
        self.metrics.leads(&self.lease.name, true);
        let shared = Shared {
            cache: cache.clone(),
            client: self.clients.write.clone(),
            writer: Writer::new(self.clients.write.clone(), DEADLINE, term.stamp),
            leadership,
            events,
            clock: Arc::clone(&self.clock),
            providers: Arc::clone(&self.providers),
            gate: self.gate,
            metrics: Arc::clone(&self.metrics),
            live: self.live.clone(),
        };
        let shared = Arc::new(shared);
        tokio::select! {
            () = supervise(Arc::clone(&shared)) => {}
            () = sweep::run(shared) => {}
        }
        self.metrics.leads(&self.lease.name, false);
        // What was lost is the elector's to say.
        std::future::pending::<()>().await;
    }
}

/// Keeps one worker alive for each Rollout, until leadership is lost.
async fn supervise(shared: Arc<Shared>) {
    let mut changes = shared.cache.changes("");
    let mut tasks: JoinSet<(String, String)> = JoinSet::new();
    let mut workers: BTreeMap<(String, String), AbortHandle> = BTreeMap::new();
    let mut providers = BTreeSet::new();
    while shared.leadership.check().is_some() {
        changes.borrow_and_update();
        let known: BTreeSet<_> = shared.cache.keys(Kind::MetricProvider).into_iter().collect();
        for (_, gone) in providers.difference(&known) {
            shared.metrics.forget_provider(gone, SourceError::LABELS);
        }
        providers = known;
        for key in shared.cache.keys(Kind::Rollout) {
            if workers.get(&key).is_none_or(AbortHandle::is_finished) {
                let worker = worker::Worker::new(Arc::clone(&shared), key.clone());
                let name = key.clone();
                let handle = tasks.spawn(async move {
                    worker.run().await;
                    name
                });
                workers.insert(key, handle);
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            // A worker ends when its Rollout is gone; one that panicked is begun anew.
            Some(ended) = tasks.join_next(), if !tasks.is_empty() => match ended {
                Ok(key) => { workers.remove(&key); }
                Err(error) => {
                    tracing::error!(%error, "a worker ended early; it is begun anew");
                    tokio::time::sleep(worker::RETRY).await;
                }
            },
        }
    }
}

/// The highest epoch that any Rollout's status carries.
fn highest_epoch(cache: &Cache) -> Epoch {
    let stamp = |(namespace, name): &(String, String)| {
        let rollout = cache.get(Kind::Rollout, namespace, name)?;
        let stamp: Stamp = rollout
            .pointer("/status/stamp")
            .and_then(Value::as_str)?
            .parse()
            .ok()?;
        Some(stamp.epoch())
    };
    cache
        .keys(Kind::Rollout)
        .iter()
        .filter_map(stamp)
        .max()
        .unwrap_or_default()
}

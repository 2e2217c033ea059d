//! A simulated cluster: a Kubernetes API in this process, with its controllers, a gateway, traffic and metrics.
//!
//! The real `kube` client talks to it through a tower service, so that the operator runs in it unchanged: in the demo
//! and in tests. It runs in tokio's time; under `tokio::time::pause()` an hour takes a moment. All chance
//! comes from one seed, and all order from sorted maps: the same seed gives the same trace.
//!
//! Where the real server has a rule that Serin meets, the world has it too; what Serin never asks for is left out.
//! Nothing here reads the wall clock, opens a socket, or knows what a release is.

mod api_server;
mod clock;
mod controllers;
mod faults;
mod image;
mod json;
mod object;
mod prometheus;
mod rng;
mod setup;
mod shop;
mod state;
mod step;
mod trace;
mod traffic;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use clock::VirtualClock;
pub use faults::{Fault, FaultRule};
pub use image::{ErrorRate, Exposition, Health, Image, Moment};
pub use prometheus::{MetricFault, Metrics, Simulated};
pub use setup::WorldError;
pub use shop::{ROLLOUT, Shop};
pub use step::STEP;
pub use trace::Call;
pub use traffic::{Load, Outage, RequestRate, Seen};

use api_server::serve::Server;
use api_server::store::Store;
use rng::Rng;
use state::{Shared, State};

/// The user of [`World::client`].
pub const ADMIN: &str = "kubernetes-admin";

/// How a world is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Seed of everything that is left to chance.
    pub seed: u64,
    /// The world's time at its beginning.
    pub epoch: Timestamp,
    /// Virtual time that each API call takes; above zero, so that a caller in a loop lets time pass.
    pub latency: Duration,
    /// Time between two scrapes.
    pub scrape: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 1,
            // 2026-01-01T00:00:00Z
            epoch: Timestamp::constant(1_767_225_600, 0),
            latency: Duration::from_millis(2),
            scrape: Duration::from_secs(5),
        }
    }
}

/// A simulated cluster. Clones are handles to the same one.
#[derive(Clone)]
pub struct World {
    shared: Arc<Shared>,
}

impl World {
    /// An empty cluster with the namespaces `default` and `kube-system`. Needs a tokio runtime from here on.
    pub fn new(options: &Options) -> Self {
        let state = State {
            store: Store::default(),
            ids: Rng::new(options.seed, 1),
            schemas: BTreeMap::new(),
            trace: trace::Trace::default(),
            faults: faults::Faults::default(),
            watches_cut: 0,
            watches_held: false,
            epoch: options.epoch,
            cluster: controllers::Cluster::new(),
            gateway: traffic::gateway::Gateway::new(),
            traffic: traffic::Traffic::new(Rng::new(options.seed, 2)),
            metrics: prometheus::Database::new(options.scrape),
        };
        let world = Self {
            shared: Arc::new(Shared::new(state, options.epoch, options.latency)),
        };
        world.found();
        world
    }

    /// A client with all rights.
    pub fn client(&self) -> kube::Client {
        self.client_as(ADMIN)
    }

    /// A client that calls as the given user, which the trace and the admission gate see. There is no RBAC;
    /// refuse a right with a [`FaultRule`] of status 403.
    pub fn client_as(&self, user: &str) -> kube::Client {
        let server = Server {
            shared: Arc::clone(&self.shared),
            user: user.into(),
        };
        kube::Client::new(server, "default")
    }

    /// The world's wall clock.
    pub fn clock(&self) -> VirtualClock {
        VirtualClock {
            shared: Arc::clone(&self.shared),
        }
    }

    /// Virtual time since the world began.
    pub fn elapsed(&self) -> Duration {
        self.shared.elapsed()
    }

    /// The API calls so far (the newest 100,000), oldest first.
    pub fn trace(&self) -> Vec<Call> {
        self.shared.lock().trace.calls.iter().cloned().collect()
    }

    /// Adds a fault; rules added earlier come first.
    pub fn inject(&self, rule: FaultRule) {
        self.shared.lock().faults.rules.push(rule);
    }

    /// Removes all faults.
    pub fn heal(&self) {
        self.shared.lock().faults.rules.clear();
    }

    /// Ends every open watch, as a restart of the server does.
    pub fn cut_watches(&self) {
        self.shared.lock().watches_cut += 1;
        self.shared.changed.notify_waiters();
    }

    /// Forgets past changes, so that a watch which starts before now gets 410.
    pub fn compact(&self) {
        self.shared.lock().store.compact();
    }

    /// Holds back all watch events (caches go stale), or lets them through again.
    pub fn hold_watches(&self, held: bool) {
        self.shared.lock().watches_held = held;
        self.shared.changed.notify_waiters();
    }

    /// Serves a CRD's own rules for defaults and unknown fields; the kind itself must be among the served ones.
    pub fn install_crd(&self, crd: &serde_json::Value) {
        let name = json::name(crd).to_owned();
        if let Some(schema) = crd.pointer("/spec/versions/0/schema/openAPIV3Schema") {
            self.shared.lock().schemas.insert(name, schema.clone());
        }
    }
}

//! Figures under the names that controllers of controller-runtime and client-go share, so that dashboards and alerts
//! made for all of them hold for this one.
//!
//! Invariants: each is counted where it happens; the labels are those of the originals, and their values few.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use super::{One, about, add, short};

/// What is reconciled: the controller's name, and its queue's.
const CONTROLLER: &str = "rollout";

type Two = [(&'static str, &'static str); 2];
type Request = [(&'static str, String); 3];

/// How a reconcile ended, in the words of controller-runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconciled {
    /// Nothing is due before something changes.
    Success,
    /// It is done again at once.
    Requeue,
    /// It is done again at a time of its own.
    RequeueAfter,
    /// It failed; the label of the first error.
    Error(&'static str),
}

impl Reconciled {
    const fn label(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Requeue => "requeue",
            Self::RequeueAfter => "requeue_after",
            Self::Error(_) => "error",
        }
    }
}

/// One that waits in the queue for as long as this lives.
#[derive(Debug)]
#[must_use]
pub struct Waits(Gauge);

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[derive(Debug)]
pub(super) struct Conventional {
    reconciles: Family<Two, Counter>,
    errors: Family<One, Counter>,
    seconds: Family<One, Histogram, fn() -> Histogram>,
    queue: Family<Two, Gauge>,
    requests: Family<Request, Counter>,
    leads: Family<[(&'static str, String); 1], Gauge>,
}

impl Conventional {
    pub(super) fn new() -> Self {
        Self {
            reconciles: Family::default(),
            errors: Family::default(),
            seconds: Family::new_with_constructor(short),
            queue: Family::default(),
            requests: Family::default(),
            leads: Family::default(),
        }
    }

    pub(super) fn register(&self, to: &mut Registry) {
        add(to, about::TURNS, self.reconciles.clone());
        add(to, about::TURN_ERRORS, self.errors.clone());
        add(to, about::TURN_SECONDS, self.seconds.clone());
        add(to, about::DEPTH, self.queue.clone());
        add(to, about::REQUESTS, self.requests.clone());
        add(to, about::MASTER, self.leads.clone());
    }

    pub(super) fn reconciled(&self, took: Duration, ended: Reconciled) {
        let by_result = [("controller", CONTROLLER), ("result", ended.label())];
        self.reconciles.get_or_create(&by_result).inc();
        let labels = [("controller", CONTROLLER)];
        self.seconds.get_or_create(&labels).observe(took.as_secs_f64());
        // It is there, at 0, before the first error: otherwise an increase would not see that one.
        let errors = self.errors.get_or_create(&labels);
        errors.inc_by(u64::from(matches!(ended, Reconciled::Error(_))));
        let _ = self.depth();
    }

    fn depth(&self) -> Gauge {
        let labels = [("name", CONTROLLER), ("controller", CONTROLLER)];
        self.queue.get_or_create(&labels).clone()
    }

    pub(super) fn waits(&self) -> Waits {
        let depth = self.depth();
        depth.inc();
        Waits(depth)
    }

    pub(super) fn requested(&self, host: &str, method: &str, code: Option<u16>) {
        let code = code.map_or_else(|| "<error>".to_owned(), |code| code.to_string());
        let labels = [
            ("code", code),
            ("host", host.to_owned()),
            ("method", method.to_owned()),
        ];
        self.requests.get_or_create(&labels).inc();
    }

    pub(super) fn leads(&self, lease: &str, leads: bool) {
        let labels = [("name", lease.to_owned())];
        self.leads.get_or_create(&labels).set(i64::from(leads));
    }
}

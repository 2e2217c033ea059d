//! Metrics in the Prometheus text form: those whose names begin with `serin_`, and a few under the names that all
//! controllers share.
//!
//! One value owns the registry; what belongs to one Rollout goes away with it ([`Metrics::forget`]).

mod about;
mod conventional;
mod rollouts;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

pub use about::{About, FAMILIES};
use conventional::Conventional;
pub use conventional::{Reconciled, Waits};
pub use rollouts::{Rate, RateArm, RolloutKey, WeightArm, WeightKind};
use rollouts::{Rollouts, Series};

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

type One = [(&'static str, &'static str); 1];
type Provider = [(&'static str, String); 1];
type ProviderError = [(&'static str, String); 2];
type Durations = Family<Provider, Histogram, fn() -> Histogram>;

/// All metrics of one process. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    rollouts: Arc<Rollouts>,
    release_seconds: Family<One, Histogram, fn() -> Histogram>,
    query_seconds: Durations,
    query_errors: Family<ProviderError, Counter>,
    reconciles: Family<One, Counter>,
    reconcile_errors: Family<One, Counter>,
    reconcile_seconds: Histogram,
    writes: Family<One, Counter>,
    dropped: Counter<u64, AtomicU64>,
    leader: Gauge,
    conventional: Conventional,
}

/// Calls of the API server and reconciles: a millisecond to ten seconds.
fn short() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0])
}

/// Releases: ten seconds to a day.
fn long() -> Histogram {
    Histogram::new([
        10.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 43200.0, 86400.0,
    ])
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// An empty set.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        let rollouts = Arc::new(Rollouts::default());
        registry.register_collector(Box::new(rollouts.clone()));
        let version = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        add(&mut registry, about::BUILD, version);
        let metrics = Self {
            rollouts,
            release_seconds: Family::new_with_constructor(long),
            query_seconds: Family::new_with_constructor(short),
            query_errors: Family::default(),
            reconciles: Family::default(),
            reconcile_errors: Family::default(),
            reconcile_seconds: short(),
            writes: Family::default(),
            dropped: Counter::default(),
            leader: Gauge::default(),
            conventional: Conventional::new(),
            registry: Registry::default(),
        };
        metrics.register(&mut registry);
        Self { registry, ..metrics }
    }

    fn register(&self, to: &mut Registry) {
        add(to, about::RELEASE_SECONDS, self.release_seconds.clone());
        add(to, about::QUERY_SECONDS, self.query_seconds.clone());
        add(to, about::QUERY_ERRORS, self.query_errors.clone());
        add(to, about::RECONCILES, self.reconciles.clone());
        add(to, about::RECONCILE_ERRORS, self.reconcile_errors.clone());
        add(to, about::RECONCILE_SECONDS, self.reconcile_seconds.clone());
        add(to, about::WRITES, self.writes.clone());
        add(to, about::DROPPED, self.dropped.clone());
        add(to, about::LEADER, self.leader.clone());
        self.conventional.register(to);
    }

    /// All metrics as text of the type [`CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    /// `rollout` is in `phase`, one of `phases`: `serin_rollout_phase`.
    pub fn phase(&self, rollout: &RolloutKey, phase: &'static str, phases: &'static [&'static str]) {
        self.rollouts
            .change(rollout, |series| series.phase = Some((phase, phases)));
    }

    /// The weight of an arm in per cent, wanted or seen; `None`: not known: `serin_rollout_weight`.
    pub fn weight(&self, rollout: &RolloutKey, arm: WeightArm, kind: WeightKind, percent: Option<f64>) {
        self.rollouts
            .change(rollout, |series| series.weigh(arm, kind, percent));
    }

    /// What the judge sees at the present step; nothing outside a release: `serin_analysis_value`.
    pub fn judged(&self, rollout: &RolloutKey, rates: impl IntoIterator<Item = Rate>) {
        self.rollouts.change(rollout, |series| series.judge(rates));
    }

    /// A verdict was reached: `serin_analysis_verdict_total`.
    pub fn verdict(&self, rollout: &RolloutKey, verdict: &'static str) {
        self.count(rollout, |series| series.verdicts.entry(verdict).or_default());
    }

    /// A candidate was rolled back: `serin_rollbacks_total`.
    pub fn rolled_back(&self, rollout: &RolloutKey, reason: &'static str) {
        self.count(rollout, |series| series.rollbacks.entry(reason).or_default());
    }

    /// Somebody's change of an object under care was undone: `serin_drift_corrections_total`; `object` is a kind.
    pub fn drift_corrected(&self, rollout: &RolloutKey, object: &'static str) {
        self.count(rollout, |series| series.drift.entry(object).or_default());
    }

    /// A decision broke an invariant: `serin_breaches_total`.
    pub fn breached(&self, rollout: &RolloutKey) {
        self.count(rollout, |series| &mut series.breaches);
    }

    fn count(&self, rollout: &RolloutKey, counter: impl FnOnce(&mut Series) -> &mut u64) {
        self.rollouts.change(rollout, |series| {
            let value = counter(series);
            *value = value.saturating_add(1);
        });
    }

    /// The Rollout is gone: all its series go.
    pub fn forget(&self, rollout: &RolloutKey) {
        self.rollouts.forget(rollout);
    }

    /// These may be counted of it: reasons of rollbacks, and kinds of objects under care. They are there, at 0, before the
    /// first time: otherwise an increase would not see that one.
    pub fn expect(
        &self,
        rollout: &RolloutKey,
        reasons: impl IntoIterator<Item = &'static str>,
        objects: impl IntoIterator<Item = &'static str>,
    ) {
        self.rollouts.change(rollout, |series| {
            for reason in reasons {
                series.rollbacks.entry(reason).or_default();
            }
            for object in objects {
                series.drift.entry(object).or_default();
            }
        });
    }

    /// The same of a provider: reasons why a query gives nothing.
    pub fn expect_provider(&self, provider: &str, reasons: impl IntoIterator<Item = &'static str>) {
        for reason in reasons {
            let _ = self.query_errors.get_or_create(&query_error(provider, reason));
        }
    }

    /// The provider is gone: its series go, as far as they are of these reasons.
    pub fn forget_provider(&self, provider: &str, reasons: impl IntoIterator<Item = &'static str>) {
        self.query_seconds.remove(&[("provider", provider.to_owned())]);
        for reason in reasons {
            self.query_errors.remove(&query_error(provider, reason));
        }
    }

    /// A release ended: `serin_rollout_duration_seconds`.
    pub fn ended(&self, outcome: &'static str, took: Duration) {
        self.release_seconds
            .get_or_create(&[("outcome", outcome)])
            .observe(took.as_secs_f64());
    }

    /// A provider was asked: `serin_provider_query_duration_seconds`, `serin_provider_query_errors_total`.
    pub fn queried(&self, provider: &str, took: Duration, error: Option<&'static str>) {
        self.query_seconds
            .get_or_create(&[("provider", provider.to_owned())])
            .observe(took.as_secs_f64());
        if let Some(reason) = error {
            let labels = query_error(provider, reason);
            self.query_errors.get_or_create(&labels).inc();
        }
    }

    /// A reconcile ended: `serin_reconcile_total`, `_errors_total`, `_duration_seconds`, and the same under
    /// `controller_runtime_`.
    pub fn reconciled(&self, took: Duration, ended: Reconciled) {
        let result = match ended {
            Reconciled::Error(reason) => {
                self.reconcile_errors.get_or_create(&[("reason", reason)]).inc();
                "error"
            }
            Reconciled::Success | Reconciled::Requeue | Reconciled::RequeueAfter => "success",
        };
        self.reconciles.get_or_create(&[("result", result)]).inc();
        self.reconcile_seconds.observe(took.as_secs_f64());
        self.conventional.reconciled(took, ended);
    }

    /// A Rollout waits for a reconcile until what is returned is dropped: `workqueue_depth`.
    pub fn waits(&self) -> Waits {
        self.conventional.waits()
    }

    /// A request was sent to the API server at `host`: `rest_client_requests_total`; `code`: of the answer, if one came.
    pub fn requested(&self, host: &str, method: &str, code: Option<u16>) {
        self.conventional.requested(host, method, code);
    }

    /// Something was written to the API server: `serin_writes_total`; `kind` is `route`, `status`, `event`, ….
    pub fn wrote(&self, kind: &'static str) {
        self.writes.get_or_create(&[("kind", kind)]).inc();
    }

    /// How many events were dropped since the start: `serin_events_dropped_total`.
    pub fn events_dropped(&self, total: u64) {
        let known = self.dropped.get();
        self.dropped.inc_by(total.saturating_sub(known));
    }

    /// Whether this process leads by the Lease `lease`: `serin_leader`, `leader_election_master_status`.
    pub fn leads(&self, lease: &str, leads: bool) {
        self.leader.set(i64::from(leads));
        self.conventional.leads(lease, leads);
    }
}

fn query_error(provider: &str, reason: &str) -> ProviderError {
    [("provider", provider.to_owned()), ("reason", reason.to_owned())]
}

fn add(to: &mut Registry, about: About, metric: impl Metric) {
    to.register(about.name, about.help, metric);
}

//! The wire: `Rollout`, `RolloutAction` and `MetricProvider` as the API server stores them.
//!
//! Invariants: every string and list is bounded; a default lives in one place and shows in the generated CRD as
//! well as in deserialization; what one field cannot say alone is a rule in [`rules`], which yields the CEL of the
//! CRD and the offline checks. This room holds no behaviour: it must not know clients, clocks, or the engine.

pub mod action;
pub mod analysis;
pub mod crd;
pub mod duration;
pub mod gauge;
mod numbers;
pub mod preset;
pub mod provider;
pub mod quantity;
pub mod rollout;
pub mod rules;
pub mod status;
mod text;
pub mod traffic;

pub use action::{Action, ActionPhase, RolloutAction, RolloutActionSpec, RolloutActionStatus};
pub use analysis::{
    Analysis, Baseline, BaselineKind, Confidence, Latency, LatencyUnit, Margin, Metric, MetricKind,
    MetricPreset, OnDoubt, Query,
};
pub use duration::Duration;
pub use gauge::{Gauge, GaugePreset};
pub use numbers::{Arm, Past, Ratio, VerdictNumbers};
pub use preset::Preset;
pub use provider::{Header, MetricProvider, MetricProviderSpec, Tls};
pub use quantity::Quantity;
pub use rollout::{
    Approval, OnDelete, Promotion, Rollback, RollbackMode, Rollout, RolloutSpec, Step, Workload,
    WorkloadKind, WorkloadVersion,
};
pub use status::{
    HistoryEntry, Mark, MetricStatus, Original, Outcome, Phase, ReleaseStatus, RolloutStatus, StableStatus,
    Verdict, VerdictStatus, WeightStatus,
};
pub use traffic::{GatewayApi, RouteKind, RouteReference, Traffic};

/// The API group of every kind here.
pub const GROUP: &str = "serin.dev";
/// The one version that is served and stored.
pub const VERSION: &str = "v1alpha1";
/// Highest number of steps of a release.
pub const MAX_STEPS: u32 = 20;
/// Highest number of routes, metrics and similar small lists.
pub const MAX_ITEMS: u32 = 16;
/// Highest number of gauges.
pub const MAX_GAUGES: u32 = 8;
/// Releases kept in `status.history`.
pub const MAX_HISTORY: u32 = 10;

/// Moments kept in `status.release.trail`.
pub const MAX_TRAIL: u32 = 64;
/// The most verdicts that the status keeps: a line for each step, metric and gauge.
pub const MAX_VERDICTS: u32 = MAX_STEPS * (MAX_ITEMS + MAX_GAUGES);

/// A DNS-1123 subdomain: the names of most objects.
pub(crate) const SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";
/// A DNS-1123 label: the names of Services and namespaces, and our own names inside a spec.
pub(crate) const LABEL: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

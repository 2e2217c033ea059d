//! What one look at the metrics needs: whose, where, and until when they are visible.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::Shared;
use super::timed::Timed;
use super::trial::{Kept, Pace};
use crate::api;
use crate::cluster::cache::Kind;
use crate::cluster::observe::{self, ready};
use crate::cluster::snapshot::Snapshot;
use crate::engine::observation::Problem;
use crate::engine::{Moment, Plan, Revision, reason};
use crate::ports::MetricSource;
use crate::render::json::{number, text};
use crate::sources::promql::{Arm, pods_of_deployment};

/// Everything that one look needs.
pub(super) struct Look<'a> {
    pub(super) shared: &'a Shared,
    pub(super) snapshot: &'a Snapshot,
    pub(super) spec: &'a api::RolloutSpec,
    pub(super) plan: &'a Plan,
    /// Since when the weight that is committed is in force.
    pub(super) settled: Option<Moment>,
    pub(super) now: Moment,
}

impl Look<'_> {
    fn provider(&self) -> Option<Arc<Value>> {
        self.shared
            .cache
            .get(Kind::MetricProvider, "", &self.spec.analysis.provider)
    }

    pub(super) fn source(&self) -> Result<Arc<dyn MetricSource>, Problem> {
        let (provider, name) = (self.provider(), &self.spec.analysis.provider);
        let source = self
            .shared
            .providers
            .source(name, &self.snapshot.namespace, provider.as_deref());
        let inner = source.map_err(|message| Problem {
            reason: reason::PROVIDER_NOT_FOUND,
            message,
        })?;
        Ok(Arc::new(Timed {
            inner,
            name: name.clone(),
            metrics: Arc::clone(&self.shared.metrics),
        }))
    }

    /// Where its `MetricProvider` is, if there is one.
    pub(super) fn address(&self) -> Option<String> {
        self.provider()
            .map(|provider| text(&provider, "/spec/address").to_owned())
    }

    fn lag(&self) -> Duration {
        self.shared.providers.lag(self.provider().as_deref())
    }

    pub(super) fn pace(&self) -> Pace {
        Pace {
            interval: self.plan.analysis.interval,
            lag: self.lag(),
        }
    }

    /// The latest moment whose samples are visible.
    pub(super) fn sampled(&self) -> Moment {
        self.now.checked_sub(self.lag()).unwrap_or(self.now)
    }

    /// The trial that the status keeps.
    pub(super) fn kept(&self) -> Option<Kept> {
        let kept = self.snapshot.rollout.pointer("/status/evidence")?;
        serde_json::from_value(kept.clone()).ok()
    }

    /// How the evidence grew until the status was written.
    pub(super) fn trail(&self) -> Vec<api::Mark> {
        let trail = self.snapshot.rollout.pointer("/status/release/trail").cloned();
        trail
            .and_then(|trail| serde_json::from_value(trail).ok())
            .unwrap_or_default()
    }

    /// Pods that the user's Deployment asks for.
    pub(super) fn replicas(&self) -> u32 {
        let workload = self.snapshot.workload.as_ref();
        workload
            .and_then(|workload| number(workload, "/spec/replicas"))
            .unwrap_or(1)
            .max(1)
    }

    /// The pods that serve behind the user's own Service.
    pub(super) fn serving(&self) -> BTreeSet<&str> {
        ready::endpoints(self.snapshot, observe::arms(&self.snapshot.rollout).stable)
    }

    /// The candidate's arm and the stable one.
    pub(super) fn arms(&self, revision: &Revision) -> (Arm, Arm) {
        let workload = text(&self.snapshot.rollout, "/spec/workload/name");
        let candidate = crate::render::names::candidate(workload, revision);
        let arms = observe::arms(&self.snapshot.rollout);
        let ports = observe::stable_ports(self.snapshot);
        let arm = |service: &str, deployment: &str| Arm {
            namespace: self.snapshot.namespace.clone(),
            service: service.to_owned(),
            ports: ports.clone(),
            pods: pods_of_deployment(deployment),
            edges: Vec::new(),
        };
        (arm(&candidate, &candidate), arm(arms.stable, workload))
    }
}

//! What Serin makes and removes: the candidate's Deployment and Service.

use serde_json::Value;

use super::live::Look;
use super::{Applied, ApplyError, Blocked, Job, Writer};
use crate::cluster::cache::Kind;
use crate::cluster::snapshot::Snapshot;
use crate::engine::quantity::Revision;
use crate::engine::reason;
use crate::render::json::text;
use crate::render::{candidate, names, route, selector};

impl Writer {
    pub(super) async fn candidate(
        &self,
        revision: &Revision,
        replicas: u32,
        job: &Job<'_>,
    ) -> Result<Applied, ApplyError> {
        let snapshot = job.snapshot;
        let name = names::candidate(text(&snapshot.rollout, "/spec/workload/name"), revision);
        let named = |object: &&Value| text(object, "/metadata/name") == name;
        let deployment = snapshot.candidates.iter().find(named);
        let service = snapshot.candidate_services.iter().find(named);
        let stamp = self.stamp.to_string();
        let mut applied = Applied::default();
        if let Some(deployment) = deployment {
            if replicas == 0 && any_route(snapshot, |route| route::gives_traffic(route, &name)) {
                return Err(still_routed(&name));
            }
            let ops = candidate::scale(deployment, replicas, &stamp);
            if ops.is_some() {
                self.live(job, Look::Scale).await?;
            }
            applied.and(self.patch(Kind::Deployment, deployment, ops).await?);
            if service.is_some() {
                return Ok(applied);
            }
        }
        // Nothing is made anew for a revision that is going down.
        if replicas == 0 {
            return Ok(applied);
        }
        let workload = job.workload()?;
        let stable = snapshot.service.as_ref().ok_or_else(|| {
            Blocked::new(
                reason::SERVICE_NOT_FOUND,
                format!(
                    "no Service for the stable pods of Deployment {}: create it, or name another one in \
                     spec.traffic.service",
                    text(workload, "/metadata/name")
                ),
            )
        })?;
        let key = selector::suffix_key(&selector::Scene {
            workload,
            service: stable,
            neighbours: &snapshot.neighbours,
            candidate: deployment,
            revision,
        })
        .map_err(Blocked::from)?;
        let order = candidate::Order {
            rollout: &snapshot.rollout,
            revision,
            key: &key,
            stamp: &stamp,
        };
        if deployment.is_none() {
            self.live(job, Look::Scale).await?;
            let template =
                candidate::template_of(workload, &snapshot.replica_sets, revision).map_err(Blocked::from)?;
            let wanted = candidate::deployment(workload, &template, replicas, &order);
            applied.and(self.create(Kind::Deployment, &wanted).await?);
        }
        if service.is_none() {
            let wanted = candidate::service(stable, &order).map_err(Blocked::from)?;
            applied.and(self.create(Kind::Service, &wanted).await?);
        }
        Ok(applied)
    }

    /// Removes every candidate that no route names any more.
    pub(super) async fn retire(&self, snapshot: &Snapshot) -> Result<Applied, ApplyError> {
        let mut applied = Applied::default();
        let services = snapshot
            .candidate_services
            .iter()
            .map(|object| (Kind::Service, object));
        let deployments = snapshot
            .candidates
            .iter()
            .map(|object| (Kind::Deployment, object));
        for (kind, object) in deployments.chain(services) {
            let name = text(object, "/metadata/name");
            if any_route(snapshot, |route| route::names_service(route, name)) {
                return Err(still_routed(name));
            }
            if !candidate::is_ours(object, &snapshot.rollout) {
                return Err(ApplyError::Foreign {
                    kind: kind.resource().2,
                    name: format!("{}/{name}", snapshot.namespace),
                });
            }
            if object.pointer("/metadata/deletionTimestamp").is_none() {
                applied.and(self.delete(kind, object).await?);
            }
        }
        Ok(applied)
    }
}

fn any_route(snapshot: &Snapshot, wanted: impl Fn(&Value) -> bool) -> bool {
    snapshot
        .routes
        .iter()
        .filter_map(|(_, route)| route.as_ref())
        .any(wanted)
}

fn still_routed(name: &str) -> ApplyError {
    Blocked::new(
        reason::CANDIDATE_STILL_ROUTED,
        format!("a route still names {name}: it is kept until none does"),
    )
    .into()
}

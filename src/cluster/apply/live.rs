//! The live read before risk: what a risky write rests on, asked of the server and not of a cache.

use serde_json::Value;

use super::{ApplyError, Job, Writer};
use crate::cluster::cache::Kind;
use crate::render::json::{number, text};
use crate::render::names;

/// How much must be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Rollout and Lease: the candidate's scale changes, which no request notices.
    Scale,
    /// These, the routes and the candidate: its share grows.
    Traffic,
    /// All of these and the Deployment: its pods may change.
    Workload,
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Live {
    /// The routes, in the Rollout's order.
    pub routes: Vec<Value>,
    /// The user's Deployment.
    pub workload: Option<Value>,
}

impl Writer {
    /// Reads what the decision rested on and compares.
    pub(super) async fn live(&self, job: &Job<'_>, look: Look) -> Result<Live, ApplyError> {
        let ((), (), routes, (), workload) = futures::try_join!(
            self.live_rollout(job),
            self.live_lease(job),
            self.live_routes(job, look),
            self.live_candidate(job, look),
            self.live_workload(job, look),
        )?;
        Ok(Live { routes, workload })
    }

    async fn live_lease(&self, job: &Job<'_>) -> Result<(), ApplyError> {
        match job.leader.live().await? {
            Some(stamp) if stamp == self.stamp => Ok(()),
            _ => Err(ApplyError::NotLeader),
        }
    }

    async fn live_rollout(&self, job: &Job<'_>) -> Result<(), ApplyError> {
        let seen = &job.snapshot.rollout;
        let live = self.same(Kind::Rollout, seen).await?;
        self.fence(&live)?;
        // Its own finalizer may have been written since; what counts is that neither the wish nor the log has moved.
        let fields = ["/metadata/generation", "/metadata/deletionTimestamp", "/status"];
        unchanged(seen, &live, &fields)
    }

    async fn live_routes(&self, job: &Job<'_>, look: Look) -> Result<Vec<Value>, ApplyError> {
        let mut routes = Vec::new();
        if look == Look::Scale {
            return Ok(routes);
        }
        for seen in job.snapshot.routes.iter().filter_map(|(_, route)| route.as_ref()) {
            let live = self.same(Kind::HttpRoute, seen).await?;
            self.fence(&live)?;
            unchanged(seen, &live, &["/metadata/generation"])?;
            routes.push(live);
        }
        Ok(routes)
    }

    async fn live_candidate(&self, job: &Job<'_>, look: Look) -> Result<(), ApplyError> {
        let Some(revision) = job.revision().filter(|_| look != Look::Scale) else {
            return Ok(());
        };
        let name = names::candidate(text(&job.snapshot.rollout, "/spec/workload/name"), &revision);
        let seen = job
            .snapshot
            .candidates
            .iter()
            .find(|candidate| text(candidate, "/metadata/name") == name);
        let Some(seen) = seen else {
            return Err(stale(&format!("Deployment {name} is not there")));
        };
        let live = self.same(Kind::Deployment, seen).await?;
        self.fence(&live)?;
        for field in ["/spec/replicas", "/status/readyReplicas"] {
            let pods = |object: &Value| number(object, field).unwrap_or(0);
            if pods(&live) < pods(seen) {
                return Err(stale(&format!("Deployment {name} has fewer pods than before")));
            }
        }
        Ok(())
    }

    async fn live_workload(&self, job: &Job<'_>, look: Look) -> Result<Option<Value>, ApplyError> {
        if look != Look::Workload {
            return Ok(None);
        }
        let seen = job.workload()?;
        let live = self.same(Kind::Deployment, seen).await?;
        self.fence(&live)?;
        unchanged(seen, &live, &["/spec/template", "/spec/selector"])?;
        Ok(Some(live))
    }

    /// The object as it is now, which must be the very one that was seen.
    async fn same(&self, kind: Kind, seen: &Value) -> Result<Value, ApplyError> {
        let (namespace, name) = (text(seen, "/metadata/namespace"), text(seen, "/metadata/name"));
        let live = self.get(kind, namespace, name).await?;
        live.filter(|live| live["metadata"]["uid"] == seen["metadata"]["uid"])
            .ok_or_else(|| {
                stale(&format!(
                    "{} {namespace}/{name} is another one or gone",
                    kind.resource().2
                ))
            })
    }
}

fn unchanged(seen: &Value, live: &Value, fields: &[&str]) -> Result<(), ApplyError> {
    match fields
        .iter()
        .find(|field| seen.pointer(field) != live.pointer(field))
    {
        Some(field) => Err(stale(&format!(
            "{} {}: {} has changed",
            text(live, "/kind"),
            text(live, "/metadata/name"),
            field.trim_start_matches('/').replace('/', ".")
        ))),
        None => Ok(()),
    }
}

fn stale(why: &str) -> ApplyError {
    ApplyError::Stale(why.to_owned())
}

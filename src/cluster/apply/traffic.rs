//! The route's writes. More traffic is written only over a live read. Less traffic is always safe: it is written at once,
//! and again over a fresh read if somebody else was faster.

use serde_json::Value;

use super::live::Look;
use super::{Applied, ApplyError, Blocked, Job, Writer};
use crate::cluster::cache::Kind;
use crate::cluster::error::Class;
use crate::cluster::observe::{arms, originals};
use crate::engine::Weight;
use crate::render::json::text;
use crate::render::{names, route};

/// How often a write of less traffic is tried before the conflict goes up to the loop.
const ATTEMPTS: usize = 3;

impl Writer {
    pub(super) async fn route(&self, weight: Weight, up: bool, job: &Job<'_>) -> Result<Applied, ApplyError> {
        let snapshot = job.snapshot;
        let stamp = self.stamp.to_string();
        let (arms, originals) = (arms(&snapshot.rollout), originals(&snapshot.rollout));
        let candidate = job
            .revision()
            .map(|revision| names::candidate(arms.workload, &revision));
        if weight > Weight::NONE && candidate.is_none() {
            return Err(ApplyError::Stale("no release has a candidate".into()));
        }
        let share = route::Share {
            arms,
            // On the way down nothing is named that is not there.
            candidate: candidate.as_deref().filter(|_| up || weight > Weight::NONE),
            weight,
        };
        let plan = |route: &Value| {
            route::weigh(route, &share, &originals, &stamp).map_err(|problem| Blocked::from(problem).into())
        };
        let mut applied = Applied::default();
        if up {
            let routes = if weight > Weight::NONE {
                self.live(job, Look::Traffic).await?.routes
            } else {
                // Nobody's share grows: the condition on the version is enough.
                snapshot
                    .routes
                    .iter()
                    .filter_map(|(_, route)| route.clone())
                    .collect()
            };
            for route in routes {
                let ops = plan(&route)?;
                applied.and(self.patch(Kind::HttpRoute, &route, ops).await?);
            }
            return Ok(applied);
        }
        let mut first = None;
        for route in snapshot.routes.iter().filter_map(|(_, route)| route.as_ref()) {
            // One route that refuses must not keep the others from giving traffic back.
            match self.lower(route, &plan).await {
                Ok(done) => applied.and(done),
                Err(error) => first = first.or(Some(error)),
            }
        }
        first.map_or(Ok(applied), Err)
    }

    async fn lower(
        &self,
        seen: &Value,
        plan: &(impl Fn(&Value) -> Result<Option<Vec<Value>>, ApplyError> + Sync),
    ) -> Result<Applied, ApplyError> {
        let mut route = seen.clone();
        let mut attempt = 1;
        loop {
            let ops = plan(&route)?;
            match self.patch(Kind::HttpRoute, &route, ops).await {
                Err(error @ ApplyError::Call(_))
                    if error.class() == Class::Conflict && attempt < ATTEMPTS =>
                {
                    let (namespace, name) = (text(seen, "/metadata/namespace"), text(seen, "/metadata/name"));
                    let live = self.get(Kind::HttpRoute, namespace, name).await?;
                    route = live.ok_or(error)?;
                    attempt += 1;
                }
                answer => return answer,
            }
        }
    }

    pub(super) async fn restore_route(&self, job: &Job<'_>) -> Result<Applied, ApplyError> {
        let rollout = &job.snapshot.rollout;
        let (arms, originals) = (arms(rollout), originals(rollout));
        let mut applied = Applied::default();
        for route in job.snapshot.routes.iter().filter_map(|(_, route)| route.as_ref()) {
            let ops = route::restore(route, &arms, &originals);
            applied.and(self.patch(Kind::HttpRoute, route, ops).await?);
        }
        Ok(applied)
    }
}

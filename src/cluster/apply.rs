//! Effects become writes.
//!
//! Invariants: every write is conditional on the version that the decision saw, or on one read live just before; it
//! is sent once; more traffic, another scale or an opened gate needs a live look at what it rests on, less traffic
//! never does; an object that does not carry our label is never taken for ours.

mod call;
mod candidate;
mod error;
mod live;
mod status;
mod traffic;

use std::time::Duration;

use kube::Client;
use serde_json::Value;

pub use error::{ApplyError, Blocked};

use super::cache::Kind;
use super::error::Error;
use super::lease::{Leadership, Stamp};
use super::observe;
use super::snapshot::Snapshot;
use crate::engine::quantity::{Moment, Revision};
use crate::engine::state::{Phase, State};
use crate::engine::{Effect, observation, reason};
use crate::ports::BoxFuture;
use crate::render::{gate, patch};

/// Who may write.
pub trait Leader: Send + Sync {
    /// Whether what was decided under `stamp` may still be written, as far as this process knows.
    fn holds(&self, stamp: &Stamp) -> bool;
    /// The stamp under which this process leads according to the Lease itself, read now.
    fn live(&self) -> BoxFuture<'_, Result<Option<Stamp>, Error>>;
}

impl Leader for Leadership {
    fn holds(&self, stamp: &Stamp) -> bool {
        Self::holds(self, stamp)
    }

    fn live(&self) -> BoxFuture<'_, Result<Option<Stamp>, Error>> {
        Box::pin(async { Ok(self.still_leader().await?.map(|term| term.stamp)) })
    }
}

/// What a decision rested on.
#[derive(Clone, Copy)]
pub struct Job<'a> {
    /// The objects, with the Rollout as it is after the commit.
    pub snapshot: &'a Snapshot,
    /// The committed state.
    pub state: &'a State,
    /// Now.
    pub now: Moment,
    /// Who leads.
    pub leader: &'a dyn Leader,
}

impl Job<'_> {
    /// The revision that the candidate has, or is to have.
    fn revision(&self) -> Option<Revision> {
        match &self.state.phase {
            // What shall serve in its stead may be another revision, of which there is no candidate.
            Phase::Deleting(_) => observe::candidate(self.snapshot, None).revision,
            Phase::Adopting
            | Phase::Idle
            | Phase::Releasing(_)
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Promoting(_) => self.state.active().cloned(),
        }
    }

    fn workload(&self) -> Result<&Value, ApplyError> {
        self.snapshot.workload.as_ref().ok_or_else(|| {
            Blocked::new(
                reason::WORKLOAD_NOT_FOUND,
                format!("no Deployment in namespace {} to act on", self.snapshot.namespace),
            )
            .into()
        })
    }
}

/// What an effect has changed: the answers of the server, for the cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Applied {
    /// Objects as they are now.
    pub written: Vec<(Kind, Value)>,
    /// Objects that were deleted, as they were.
    pub deleted: Vec<(Kind, Value)>,
}

impl Applied {
    /// How many writes were sent and answered.
    pub fn writes(&self) -> usize {
        self.written.len() + self.deleted.len()
    }

    fn and(&mut self, other: Self) {
        self.written.extend(other.written);
        self.deleted.extend(other.deleted);
    }
}

/// Writes what was decided, under one stamp.
#[derive(Clone)]
pub struct Writer {
    /// A client that never repeats a request.
    client: Client,
    /// The longest that one call may take.
    deadline: Duration,
    /// Under which every object is written.
    stamp: Stamp,
}

impl Writer {
    /// A writer for the term of `stamp`. `client` must not repeat requests.
    pub fn new(client: Client, deadline: Duration, stamp: Stamp) -> Self {
        Self {
            client,
            deadline,
            stamp,
        }
    }

    /// The stamp under which it writes.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Makes one wanted fact true. Doing it twice changes nothing. (Boxed inside, to keep the caller's future small.)
    ///
    /// # Errors
    /// See [`ApplyError::class`] for what to do.
    pub async fn apply(&self, effect: &Effect, job: &Job<'_>) -> Result<Applied, ApplyError> {
        if !job.leader.holds(&self.stamp) {
            return Err(ApplyError::NotLeader);
        }
        let snapshot = job.snapshot;
        match effect {
            Effect::Guard => Box::pin(self.guard(job)).await,
            Effect::Route { weight, up } => Box::pin(self.route(*weight, *up, job)).await,
            Effect::RestoreRoute => Box::pin(self.restore_route(job)).await,
            Effect::Candidate { revision, replicas } => {
                Box::pin(self.candidate(revision, *replicas, job)).await
            }
            Effect::Retire => Box::pin(self.retire(snapshot)).await,
            Effect::Unpause { template } => Box::pin(self.unpause(template, job)).await,
            Effect::Pause => {
                let workload = job.workload()?;
                let ops = gate::pause(workload, &self.stamp.to_string());
                self.patch(Kind::Deployment, workload, ops).await
            }
            Effect::Purge { keep } => Box::pin(self.purge(keep, job)).await,
            Effect::Release { resume } => match &snapshot.workload {
                Some(workload) => {
                    let ops = gate::release(workload, *resume);
                    self.patch(Kind::Deployment, workload, ops).await
                }
                None => Ok(Applied::default()),
            },
            Effect::RemoveFinalizer => {
                let ops = gate::remove_finalizer(&snapshot.rollout);
                self.patch(Kind::Rollout, &snapshot.rollout, ops).await
            }
            Effect::Finish { id, refusal } => self.finish(id, refusal.as_deref(), job).await,
        }
    }

    /// Takes the gate from a Deployment that its Rollout does not name any more; `resume`: it may run.
    ///
    /// # Errors
    /// See [`ApplyError::class`].
    pub async fn leave(&self, workload: &Value, resume: bool) -> Result<Applied, ApplyError> {
        self.patch(Kind::Deployment, workload, gate::release(workload, resume))
            .await
    }

    /// The finalizer comes first: a gate without one would outlive its Rollout.
    async fn guard(&self, job: &Job<'_>) -> Result<Applied, ApplyError> {
        let rollout = &job.snapshot.rollout;
        let workload = job.workload()?;
        let mut applied = self
            .patch(Kind::Rollout, rollout, gate::add_finalizer(rollout))
            .await?;
        applied.and(
            self.patch(Kind::Deployment, workload, gate::label(workload, rollout))
                .await?,
        );
        Ok(applied)
    }

    async fn unpause(&self, template: &Revision, job: &Job<'_>) -> Result<Applied, ApplyError> {
        let live = self.live(job, live::Look::Workload).await?;
        let workload = match &live.workload {
            Some(workload) => workload,
            None => job.workload()?,
        };
        let ops = gate::unpause(workload, template, &self.stamp.to_string()).map_err(Blocked::from)?;
        self.patch(Kind::Deployment, workload, ops).await
    }

    async fn purge(&self, keep: &Revision, job: &Job<'_>) -> Result<Applied, ApplyError> {
        let workload = job.workload()?;
        let sets = &job.snapshot.replica_sets;
        let steps = gate::purge(workload, sets, keep, &self.stamp.to_string()).map_err(Blocked::from)?;
        let mut applied = Applied::default();
        for step in steps {
            if step.scale {
                self.scale_set(&job.snapshot.namespace, &step.name, &step.ops)
                    .await?;
            } else {
                applied.and(self.patch(Kind::Deployment, workload, Some(step.ops)).await?);
            }
        }
        Ok(applied)
    }

    /// Writes our stamp on every managed object of an active release, so that a delayed write of an earlier holder
    /// finds another version. Call it before the first decision of a term. What one object refuses keeps no other from
    /// its stamp: the answers, and what failed.
    pub async fn touch(&self, snapshot: &Snapshot) -> (Applied, Vec<ApplyError>) {
        let stamp = self.stamp.to_string();
        let routes = snapshot
            .routes
            .iter()
            .filter_map(|(_, route)| Some((Kind::HttpRoute, route.as_ref()?)));
        let deployments = snapshot.candidates.iter().chain(&snapshot.workload);
        let all = routes.chain(deployments.map(|deployment| (Kind::Deployment, deployment)));
        let touches = all.map(|(kind, object)| self.patch(kind, object, patch::touch(object, &stamp)));
        let (mut applied, mut errors) = (Applied::default(), Vec::new());
        // At once: a server that does not answer costs one deadline, not one for each.
        for answer in futures::future::join_all(touches).await {
            match answer {
                Ok(done) => applied.and(done),
                Err(error) => errors.push(error),
            }
        }
        (applied, errors)
    }
}

impl From<observation::Problem> for Blocked {
    fn from(problem: observation::Problem) -> Self {
        Self::new(problem.reason, problem.message)
    }
}

//! What the shell has seen: one immutable snapshot, with the unknown as a value of its own.

use std::collections::BTreeMap;

use super::judge::Evidence;
use super::quantity::{Moment, Revision, Weight};
use super::reason;

/// A snapshot of everything that a decision may rest on.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// The Rollout carries a deletion timestamp.
    pub deleting: bool,
    /// The spec could not be turned into a plan, or names something that is not there.
    pub problems: Vec<Problem>,
    /// The user's Deployment; `None` where it could not be found.
    pub workload: Option<Workload>,
    /// The candidate's Deployment and Service.
    pub candidate: Candidate,
    /// The managed routes taken together.
    pub route: Route,
    /// Whether the gate holds.
    pub gate: Gate,
    /// What preflight has found; `None` while it is still looking.
    pub preflight: Option<Vec<Problem>>,
    /// What the judge says of the current rung.
    pub evidence: Evidence,
    /// What still comes to a candidate whose weight is zero.
    pub residual: Residual,
    /// Requests by people that are not finished, aborts first, then by age.
    pub actions: Vec<Action>,
    /// What the API server keeps refusing of that which is to be done, or somebody else keeps undoing. It is tried again.
    pub refusal: Option<Problem>,
}

/// What the metrics tell of requests to a version whose weight in force is zero. A gateway may accept a route and not follow
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Residual {
    /// Nothing can be told.
    #[default]
    Unknown,
    /// The next readings will tell.
    Awaited,
    /// None come any more.
    Gone,
    /// Some still come.
    Comes {
        /// How many, roughly: it stays the same while they are about as many.
        per_second: f64,
        /// Only requests that came by the route are counted.
        routed: bool,
    },
    /// Some came when that could last be told, and nothing can be told since.
    Came {
        /// How many came, roughly.
        per_second: f64,
        /// Only requests that came by the route were counted.
        routed: bool,
        /// When that was last told.
        told: Moment,
    },
}

/// Something that stops a release, in words for the person who can cure it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// CamelCase, for conditions and events.
    pub reason: &'static str,
    /// What failed, on which object and field, and what to do.
    pub message: String,
}

/// The user's Deployment.
#[allow(clippy::struct_excessive_bools)] // each one is a fact of its own about the object
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload {
    /// Revision of `spec.template`.
    pub template: Revision,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.replicas`.
    pub replicas: u32,
    /// The controller has seen the latest generation.
    pub observed: bool,
    /// Pods by revision, from the ReplicaSets.
    pub revisions: BTreeMap<Revision, Pods>,
    /// Ready endpoints behind the stable Service.
    pub endpoints: u32,
    /// Since when pods and endpoints are these, as far as this process has seen.
    pub since: Moment,
    /// Since when the Deployment reports `ProgressDeadlineExceeded`. It goes on to do so while it is paused, and until pods of
    /// another template make progress.
    pub overdue: Option<Moment>,
    /// The gate's label, finalizer and (where it is kept so) pause are in place.
    pub gated: bool,
}

/// The pods of one revision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pods {
    /// How many are asked for.
    pub desired: u32,
    /// How many are ready.
    pub ready: u32,
}

impl Workload {
    /// The pods of `revision`.
    pub fn pods(&self, revision: &Revision) -> Pods {
        self.revisions.get(revision).copied().unwrap_or_default()
    }

    /// Whether any revision but `keep` has pods.
    pub fn stray(&self, keep: &Revision) -> bool {
        self.revisions
            .iter()
            .any(|(revision, pods)| revision != keep && pods.desired > 0)
    }

    /// Whether `revision` alone serves, with every replica ready.
    pub fn serves(&self, revision: &Revision) -> bool {
        self.observed && self.pods(revision).ready >= self.replicas && !self.stray(revision)
    }
}

/// Serin's temporary Deployment for the new revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Candidate {
    /// The revision that it runs; `None` where there is no candidate.
    pub revision: Option<Revision>,
    /// Its Service is there too.
    pub service: bool,
    /// One of the two is on its way out: somebody has deleted it.
    pub going: bool,
    /// `spec.replicas`.
    pub desired: u32,
    /// Ready endpoints behind its Service.
    pub ready: u32,
    /// Why its pods cannot be had (quota, image, crash), where the cluster says so.
    pub trouble: Option<String>,
    /// Objects of other revisions or of a release that is over are still there.
    pub leftovers: bool,
    /// How its pods have crashed.
    pub crashes: Crashes,
}

/// Crashes of a candidate's pods since they were made, as their statuses tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Crashes {
    /// Pods that have crashed.
    pub pods: u32,
    /// Restarts of their containers, in all.
    pub restarts: u32,
    /// How one of them ended, in words.
    pub how: Option<String>,
}

/// The managed routes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// It cannot be used; traffic is where it was.
    Unusable(Problem),
    /// Seen.
    Seen {
        /// The candidate's share, where all managed rules agree on one.
        weight: Option<Weight>,
        /// The highest share that any managed rule gives to a candidate.
        highest: Weight,
        /// A rule names the candidate, or differs from the user's original.
        touched: bool,
        /// Every managed rule names a candidate, with whatever share.
        named: bool,
        /// Since when every parent accepts the present generation, as far as this process has seen.
        accepted_since: Option<Moment>,
        /// Why a parent does not accept, or which one has not spoken yet.
        refusal: Option<String>,
    },
}

impl Route {
    /// Whether `weight` is in force everywhere: written, accepted, and `propagation` ago.
    pub fn settled(&self, weight: Weight, propagation: std::time::Duration, now: Moment) -> Option<Moment> {
        let Self::Seen {
            weight: Some(seen),
            highest,
            accepted_since: Some(since),
            ..
        } = self
        else {
            return None;
        };
        let settled = since.checked_add(propagation).ok()?;
        (*seen == weight && *highest <= weight && settled <= now).then_some(settled)
    }

    /// The highest share that a candidate may have at this moment.
    pub fn highest(&self) -> Weight {
        match self {
            Self::Unusable(_) => Weight::NONE,
            Self::Seen { highest, .. } => *highest,
        }
    }

    /// Whether it is known not to exist (any more), or to name neither the stable Service nor a candidate, so that it sends
    /// nobody to one. A route that cannot be used for another reason may still send requests to a candidate.
    pub fn gone(&self) -> bool {
        let gone = [reason::ROUTE_NOT_FOUND, reason::ROUTE_WITHOUT_SERVICE];
        matches!(self, Self::Unusable(problem) if gone.contains(&problem.reason))
    }

    /// Whether it is known to give no candidate a share.
    pub fn bare(&self) -> bool {
        match self {
            Self::Unusable(_) => self.gone(),
            Self::Seen { highest, .. } => *highest == Weight::NONE,
        }
    }

    /// Whether anything of Serin is still in it.
    pub fn touched(&self) -> bool {
        matches!(self, Self::Seen { touched, highest, .. } if *touched || *highest > Weight::NONE)
    }
}

/// Whether an unproven template is kept from rolling out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gate {
    /// Proven by a dry run.
    Closed,
    /// Proven open.
    Open(Problem),
    /// Not proven yet.
    Unknown,
}

/// A request by a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// Uid of the `RolloutAction`.
    pub id: String,
    /// When it was asked, as its object says: whole seconds.
    pub created: Moment,
    /// What is asked.
    pub verb: Verb,
    /// The revision that it is meant for.
    pub revision: Option<Revision>,
}

/// What a person can ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Let the release leave a step that waits for approval.
    Approve,
    /// Keep the weight.
    Pause,
    /// Go on.
    Resume,
    /// Take the candidate back.
    Abort,
}

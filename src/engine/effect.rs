//! What is to be done. Every effect is idempotent and says the wanted end, never a difference.

use super::quantity::{Revision, Weight};

/// One wanted fact about the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Finalizer on the Rollout and the gate on the Deployment.
    Guard,
    /// The route gives the candidate this weight.
    Route {
        /// The candidate's share.
        weight: Weight,
        /// More than the route gives now: needs a live read before it is written. Up to 0: the route names the
        /// candidate, which has no share yet, so the version that was seen is fence enough.
        up: bool,
    },
    /// The candidate's Deployment and Service exist for `revision` with this many replicas.
    Candidate {
        /// The revision.
        revision: Revision,
        /// How many pods.
        replicas: u32,
    },
    /// The Deployment is no longer paused, provided that it still holds `template`.
    Unpause {
        /// The approved (or still serving) template.
        template: Revision,
    },
    /// The Deployment is paused.
    Pause,
    /// Every ReplicaSet but that of `keep` has no pods; the Deployment is paused meanwhile.
    Purge {
        /// The revision whose pods stay.
        keep: Revision,
    },
    /// The user's route is as it was before the release.
    RestoreRoute,
    /// No candidate's Deployment or Service is left.
    Retire,
    /// The gate is taken off the Deployment; it is unpaused only if `resume`.
    Release {
        /// The template that the Deployment holds is the one that serves.
        resume: bool,
    },
    /// The Rollout may go.
    RemoveFinalizer,
    /// The `RolloutAction` is over.
    Finish {
        /// Its uid.
        id: String,
        /// `None`: done; otherwise why it was refused.
        refusal: Option<String>,
    },
}

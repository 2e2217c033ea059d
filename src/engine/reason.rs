//! The words: what is waited for, and what is told. One source for conditions, events, logs and the CLI.

use serde::{Deserialize, Serialize};

use super::quantity::Moment;

/// What a Rollout waits for. Every wait has an end: a moment, or a named person or event in `message`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// CamelCase label, for the condition.
    pub reason: String,
    /// For whom or what, in a sentence that does not change while the wait goes on.
    pub message: String,
    /// When the wait ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

impl Waiting {
    /// A wait for an event.
    pub fn on(reason: &str, message: impl Into<String>) -> Self {
        Self {
            reason: reason.to_owned(),
            message: message.into(),
            until: None,
        }
    }

    /// Whether it is part of the ordinary course and needs nobody: how it is getting on is news for the report, but
    /// no decision.
    pub fn is_progress(&self) -> bool {
        matches!(
            self.reason.as_str(),
            PREFLIGHT
                | SCALING
                | SHIFTING
                | JUDGING
                | BAKING
                | PROMOTING
                | RETURNING
                | ROLLING_BACK
                | CLEARING
                | DELETING
        )
    }

    /// The same with an end.
    #[must_use]
    pub fn until(mut self, moment: Option<Moment>) -> Self {
        self.until = moment;
        self
    }
}

/// Something worth telling: said once, when the state changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// CamelCase, one of the constants of this module.
    pub reason: &'static str,
    /// It needs somebody's attention.
    pub warning: bool,
    /// A detail of what an event has told already: for the log only.
    pub detail: bool,
    /// What happened, to what, and why.
    pub message: String,
}

impl Note {
    /// Good or neutral news.
    pub fn normal(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            warning: false,
            detail: false,
            message: message.into(),
        }
    }

    /// A step on a way that an event has announced: for the log.
    pub fn detail(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            detail: true,
            ..Self::normal(reason, message)
        }
    }

    /// Bad news.
    pub fn warning(reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            reason,
            warning: true,
            detail: false,
            message: message.into(),
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => { $($(#[$doc])* pub const $name: &str = $text;)* };
}

reasons! {
    /// A Deployment was taken under care.
    ADOPTED = "Adopted";
    /// The first revision is not serving yet.
    FIRST_REVISION = "FirstRevision";
    /// The gate is being put on the Deployment.
    GATING = "Gating";
    /// A template reached the pods without a release.
    UNGATED = "Ungated";
    /// The gate does not hold, or was passed by.
    GATE_OPEN = "GateOpen";
    /// Somebody un-paused a held Deployment.
    GATE_BYPASSED = "GateBypassed";
    /// A new revision was seen.
    RELEASE_STARTED = "ReleaseStarted";
    /// Preflight is looking.
    PREFLIGHT = "Preflight";
    /// The owner changed the steps in mid-release.
    STEPS_CHANGED = "StepsChanged";
    /// The candidate is getting its capacity.
    SCALING = "Scaling";
    /// The gateway is taking over a new weight.
    SHIFTING = "Shifting";
    /// The route has not taken the weight in time.
    ROUTE_NOT_ACCEPTED = "RouteNotAccepted";
    /// Somebody else keeps changing a route that is being weighed.
    ROUTE_CONTESTED = "RouteContested";
    /// The release of another Rollout weighs the same rule of a route.
    ROUTE_BUSY = "RouteBusy";
    /// A route of the spec does not exist.
    ROUTE_NOT_FOUND = "RouteNotFound";
    /// No rule of a route names the stable Service, nor a candidate.
    ROUTE_WITHOUT_SERVICE = "RouteWithoutService";
    /// The candidate's share of the requests is not its weight.
    SHARE_NOT_HONOURED = "ShareNotHonoured";
    /// At the next weight the pods would use more than is good for them.
    WOULD_SATURATE = "WouldSaturate";
    /// The candidate's pods lose something that those beside them keep.
    LEAKING = "Leaking";
    /// A gauge that the Rollout asks for says nothing.
    GAUGES_UNKNOWN = "GaugesUnknown";
    /// The evidence grows.
    JUDGING = "Judging";
    /// The weight is kept for the rest of the hold.
    BAKING = "Baking";
    /// The metrics are away.
    NO_DATA = "NoData";
    /// The deadline passed without a verdict.
    INCONCLUSIVE = "Inconclusive";
    /// A person must approve.
    WAITING_FOR_APPROVAL = "WaitingForApproval";
    /// A person asked to keep the weight.
    PAUSED = "Paused";
    /// The candidate's weight changed.
    WEIGHT_CHANGED = "WeightChanged";
    /// The candidate lost its ready pods under traffic.
    CAPACITY_LOST = "CapacityLost";
    /// The candidate is being rolled back.
    ROLLING_BACK = "RollingBack";
    /// The candidate has been rolled back.
    ROLLED_BACK = "RolledBack";
    /// The proven revision is becoming the Deployment.
    PROMOTING = "Promoting";
    /// Traffic comes back to the promoted Deployment.
    RETURNING = "Returning";
    /// With all traffic on them the promoted pods are far worse than the service was before.
    PROMOTED_PODS_SUSPECT = "PromotedPodsSuspect";
    /// The promotion could not be completed.
    PROMOTION_FAILED = "PromotionFailed";
    /// The new revision serves.
    PROMOTED = "Promoted";
    /// The old template was put back.
    REVERTED = "Reverted";
    /// The Rollout is going away.
    DELETING = "Deleting";
    /// The status carries times that have not come yet.
    CLOCK_AHEAD = "ClockAhead";
    /// The Deployment is not there.
    WORKLOAD_NOT_FOUND = "WorkloadNotFound";
    /// The stable revision has no ready pod.
    STABLE_NOT_READY = "StableNotReady";
    /// Objects of an earlier release are still going.
    CLEARING = "Clearing";
    /// The committed state in the status cannot be read.
    STATUS_UNREADABLE = "StatusUnreadable";
    /// Nothing is to be done.
    HEALTHY = "Healthy";

    /// The spec cannot be used.
    INVALID_SPEC = "InvalidSpec";
    /// The metric provider that the spec names is not there, or cannot be used.
    PROVIDER_NOT_FOUND = "ProviderNotFound";
    /// A query of the spec cannot be used.
    INVALID_QUERY = "InvalidQuery";
    /// No series counts the stable pods' requests, or they stand still.
    METRICS_NOT_FOUND = "MetricsNotFound";
    /// The provider's samples come later than its `lag`.
    METRICS_LATE = "MetricsLate";
    /// The past is too poor for steps with all traffic.
    PAST_TELLS_NOTHING = "PastTellsNothing";
    /// An older Rollout releases the same Deployment.
    WORKLOAD_CONTESTED = "WorkloadContested";
    /// The stable Service is not there.
    SERVICE_NOT_FOUND = "ServiceNotFound";
    /// The stable Service selects none of the Deployment's pods.
    SERVICE_SELECTS_NOTHING = "ServiceSelectsNothing";
    /// The stable Service is of a kind that has no copy for a candidate.
    UNSUPPORTED_SERVICE = "UnsupportedService";
    /// Another object would select the candidate's pods.
    SELECTOR_OVERLAP = "SelectorOverlap";
    /// A NetworkPolicy selects the stable pods only.
    NETWORK_POLICY_MISSES = "NetworkPolicyMisses";
    /// A policy is attached to the stable Service, and none to the candidate's.
    POLICY_MISSES = "PolicyMisses";
    /// The weights of a route cannot be divided exactly.
    ROUTE_WEIGHTS = "RouteWeights";
    /// A route still names the candidate that is to be deleted.
    CANDIDATE_STILL_ROUTED = "CandidateStillRouted";
    /// The Deployment holds another template than the approved one.
    TEMPLATE_CHANGED = "TemplateChanged";
    /// The template of the candidate's revision cannot be found.
    TEMPLATE_GONE = "TemplateGone";
    /// The ReplicaSet that should keep its pods is gone.
    REVISION_GONE = "RevisionGone";
    /// No Rollout names the Deployment any more.
    GATE_TAKEN_OFF = "GateTakenOff";
    /// An object that has the candidate's name was not made by Serin.
    NAME_TAKEN = "NameTaken";
    /// A right is missing.
    ACCESS_DENIED = "AccessDenied";
    /// The API server does not accept an object.
    REFUSED_BY_SERVER = "RefusedByServer";
    /// A conditional patch does not fit.
    PATCH_REFUSED = "PatchRefused";
    /// The API server does not answer, or fails.
    SERVER_UNAVAILABLE = "ServerUnavailable";
    /// The objects change faster than they can be written.
    CONFLICT = "Conflict";
    /// A write was accepted and is not there, or is undone again and again.
    WRITE_NOT_KEPT = "WriteNotKept";
    /// An object carries the stamp of a later leader than there is.
    STAMP_TAMPERED = "StampTampered";
    /// This process does not lead any more.
    NOT_LEADER = "NotLeader";
    /// Serin sent a request that makes no sense.
    INTERNAL_ERROR = "InternalError";
    /// A decision would break an invariant of the engine.
    INVARIANT_VIOLATED = "InvariantViolated";
}

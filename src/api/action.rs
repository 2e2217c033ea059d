//! `RolloutAction`: one decision of a person about one revision, as an object of its own, so that RBAC, audit logs
//! and admission policies apply to it.
#![allow(clippy::duplicated_attributes)] // every `printcolumn` has a type and a path

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A person's decision about a release. It is applied once and cannot be changed.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "serin.dev",
    version = "v1alpha1",
    kind = "RolloutAction",
    namespaced,
    status = "RolloutActionStatus",
    shortname = "sra",
    category = "delivery",
    doc = "A RolloutAction approves, pauses, resumes or aborts a release of one revision.",
    printcolumn(name = "Rollout", type_ = "string", json_path = ".spec.rollout"),
    printcolumn(name = "Action", type_ = "string", json_path = ".spec.action"),
    printcolumn(name = "Revision", type_ = "string", json_path = ".spec.revision"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutActionSpec {
    /// The Rollout, in the action's own namespace.
    #[schemars(length(min = 1, max = 253), pattern(super::SUBDOMAIN))]
    pub rollout: String,
    /// The revision that is meant, from `status.release.revision`; any other is rejected. Only an abort may leave it
    /// out, and means the active one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), pattern(super::LABEL))]
    pub revision: Option<String>,
    /// What is to be done.
    pub action: Action,
    /// Why, for the history.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub reason: Option<String>,
}

/// What is to be done with a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Action {
    /// Let a step that requires approval be left.
    Approve,
    /// Hold the release where it is.
    Pause,
    /// End a pause.
    Resume,
    /// Give the traffic back to the incumbent.
    Abort,
}

impl Action {
    /// The name as it stands in the spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "Approve",
            Self::Pause => "Pause",
            Self::Resume => "Resume",
            Self::Abort => "Abort",
        }
    }
}

/// What became of an action.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutActionStatus {
    /// Whether it was applied.
    #[serde(default)]
    pub phase: ActionPhase,
    /// What it did, or why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// When that was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

/// Whether an action was applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ActionPhase {
    /// Not seen yet.
    #[default]
    Pending,
    /// Applied.
    Done,
    /// Not applicable; the message says why.
    Rejected,
}

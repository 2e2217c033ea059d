//! `Rollout`: which workload is released how. Everything but the workload's name and the routes has a default.
#![allow(clippy::duplicated_attributes)] // every `printcolumn` has a type and a path

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Analysis, Duration, RolloutStatus, Traffic};

/// Weights of a release when the Rollout names neither `weights` nor `steps`.
pub const DEFAULT_WEIGHTS: [i32; 3] = [10, 25, 100];

/// How new versions of one workload are released.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "serin.dev",
    version = "v1alpha1",
    kind = "Rollout",
    namespaced,
    status = "RolloutStatus",
    shortname = "sro",
    category = "delivery",
    doc = "A Rollout takes each new version of a workload through rising shares of its traffic, and promotes it or rolls it back on evidence.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Step", type_ = "integer", json_path = ".status.release.step"),
    printcolumn(
        name = "Weight",
        type_ = "integer",
        json_path = ".status.release.weight.observed"
    ),
    printcolumn(name = "Verdict", type_ = "string", json_path = ".status.release.verdict"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RolloutSpec {
    /// The workload whose template is released; it stays the user's own.
    pub workload: Workload,
    /// How its requests are divided.
    pub traffic: Traffic,
    /// The short form of the steps: rising per cents of traffic, the last 100. By default 10, 25, 100. Not together
    /// with `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = super::MAX_STEPS), inner(range(min = 1, max = 100)))]
    pub weights: Option<Vec<i32>>,
    /// The long form of the steps. Not together with `weights`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = super::MAX_STEPS))]
    pub steps: Option<Vec<Step>>,
    /// The comparison that every step must pass.
    #[serde(default)]
    pub analysis: Analysis,
    /// How a failed version is rolled back.
    #[serde(default)]
    pub rollback: Rollback,
    /// How a proven version becomes the stable one.
    #[serde(default)]
    pub promotion: Promotion,
    /// How long pods may take to become ready before the release is rolled back, 10s to 24h.
    #[serde(default = "progress_deadline")]
    pub progress_deadline: Duration,
    /// Holds the release where it is; a failing one is still rolled back.
    #[serde(default)]
    pub paused: bool,
    /// What deleting the Rollout does to a workload whose template does not serve yet.
    #[serde(default)]
    pub on_delete: OnDelete,
}

impl RolloutSpec {
    /// The name of the stable pods' Service: `traffic.service`, by default the workload's name.
    pub fn service(&self) -> &str {
        self.traffic.service.as_deref().unwrap_or(&self.workload.name)
    }

    /// The steps in the long form, whichever form is written; [`DEFAULT_WEIGHTS`] when none is.
    pub fn steps(&self) -> Vec<Step> {
        match (&self.steps, &self.weights) {
            (Some(steps), _) => steps.clone(),
            (None, Some(weights)) => weights.iter().copied().map(Step::at).collect(),
            (None, None) => DEFAULT_WEIGHTS.map(Step::at).to_vec(),
        }
    }
}

impl RolloutSpec {
    /// The shortest stay at `step`: its own, else the preset's for the last step or for the others.
    pub fn hold(&self, step: &Step) -> Duration {
        let preset = self.analysis.preset;
        step.hold.unwrap_or_else(|| match step.weight {
            100 => preset.last_hold(),
            _ => preset.hold(),
        })
    }

    /// How long promoted pods are watched: the Rollout's own, else the preset's.
    pub fn bake(&self) -> Duration {
        self.promotion.bake.unwrap_or_else(|| self.analysis.preset.bake())
    }

    /// Time between two shares of returning traffic: the promotion's own, else the analysis's warm-up.
    pub fn return_warm_up(&self) -> Duration {
        self.promotion.warm_up.unwrap_or(self.analysis.warm_up)
    }
}

const fn progress_deadline() -> Duration {
    Duration::from_secs(600)
}

/// A workload of the Rollout's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Workload {
    /// Its API version.
    #[serde(default)]
    pub api_version: WorkloadVersion,
    /// Its kind.
    #[serde(default)]
    pub kind: WorkloadKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253), pattern(super::SUBDOMAIN))]
    pub name: String,
}

/// API versions of workloads that Serin can release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadVersion {
    /// apps/v1.
    #[default]
    #[serde(rename = "apps/v1")]
    AppsV1,
}

/// Kinds of workloads that Serin can release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum WorkloadKind {
    /// A Deployment.
    #[default]
    Deployment,
}

/// One share of the traffic and what it takes to leave it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Per cent of the traffic, 1 to 100; higher than the step before, 100 in the last.
    #[schemars(range(min = 1, max = 100))]
    pub weight: i32,
    /// The shortest stay, 0s to 168h; by default the preset's (1m, 10m in the last step).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Duration>,
    /// When `analysis.onInconclusive` applies, counted from the step's start, 10s to 720h; longer than the hold.
    #[serde(default = "step_deadline")]
    pub deadline: Duration,
    /// Whether a person must approve before the next step.
    #[serde(default)]
    pub approval: Approval,
}

impl Step {
    /// A step at `weight` per cent with every default.
    pub const fn at(weight: i32) -> Self {
        Self {
            weight,
            hold: None,
            deadline: step_deadline(),
            approval: Approval::NotRequired,
        }
    }
}

const fn step_deadline() -> Duration {
    Duration::from_secs(3600)
}

/// Whether a step waits for a person.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Approval {
    /// The verdict suffices.
    #[default]
    NotRequired,
    /// The step is left only when a RolloutAction approves this revision.
    Required,
}

/// How a failed version is rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollback {
    /// How traffic goes back.
    pub mode: RollbackMode,
    /// How long the candidate runs on at weight 0, for streams that weight does not end; 0s to 1h.
    pub drain: Duration,
    /// How long the failed candidate's Deployment is kept at 0 replicas for inspection; 0s to 168h.
    pub keep: Duration,
}

impl Default for Rollback {
    fn default() -> Self {
        Self {
            mode: RollbackMode::default(),
            drain: Duration::from_secs(30),
            keep: Duration::from_secs(600),
        }
    }
}

/// How traffic goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RollbackMode {
    /// All of it in one change.
    #[default]
    Immediate,
}

/// How a proven version becomes the stable one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Promotion {
    /// How long the candidate stands by, to take the traffic again, once the promoted pods have all of it, 0s to 168h; by
    /// default the preset's (5m). They are compared with it while traffic comes back, and with the service's past in this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bake: Option<Duration>,
    /// Time between two shares of returning traffic, 0s to 30m; by default `analysis.warmUp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<Duration>,
    /// How long the workload's own rolling update may take before the promotion fails, 10s to 168h; the return of the traffic
    /// and the bake come after it. So long, too, pods may be missing on both sides, and a deletion waits for all pods.
    pub deadline: Duration,
}

impl Default for Promotion {
    fn default() -> Self {
        Self {
            bake: None,
            warm_up: None,
            deadline: Duration::from_secs(3600),
        }
    }
}

/// What deleting a Rollout does to a workload whose template does not serve yet. One whose template serves is always
/// resumed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDelete {
    /// The workload stays paused: the version that serves goes on serving.
    #[default]
    Hold,
    /// The workload is resumed, which ships the unproven version.
    Resume,
}

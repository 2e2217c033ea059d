//! `Rollout.status`: what a release does, why, and what it waits for.
//!
//! People and tools read everything here but `course`, `evidence`, `stamp` and `originals`, which are the controller's own
//! memory: its decisions live nowhere else. Lists are bounded by the controller and by the schema.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::VerdictNumbers;

/// The observed state of a Rollout. Conditions follow kstatus: `Ready`, and while they hold `Reconciling`, `Stalled`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// The `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Conditions by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// Where the release is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The release that runs, or the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseStatus>,
    /// The version that serves everyone who is not in the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<StableStatus>,
    /// Past releases, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = super::MAX_HISTORY))]
    pub history: Vec<HistoryEntry>,
    /// What happens or is awaited, in one sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub message: Option<String>,
    /// Who wrote this status: `<lease uid>/<epoch>`. An older writer loses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub stamp: Option<String>,
    /// What was in managed objects before Serin's first change, to be put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub originals: Vec<Original>,
    /// The controller's committed state. Not for other readers: its form changes without notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "opaque")]
    pub course: Option<serde_json::Value>,
    /// What the judge knows, for the next process. Not for other readers: its form changes without notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "opaque")]
    pub evidence: Option<serde_json::Value>,
}

/// What is measured in a release.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetricStatus {
    /// The metric's name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// Where it comes from: a preset, or a query of your own. Absent where it is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub source: Option<String>,
    /// What should be known about it: why it is not judged, or what so little traffic can prove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub note: Option<String>,
}

/// An object whose fields the API server keeps as they are.
fn opaque(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true })
}

/// Where a release is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Not taken over yet: something named in the message is missing.
    Pending,
    /// The workload's template serves; nothing to do.
    Idle,
    /// A new version was seen; what a release needs is checked.
    Preflight,
    /// Pods of the candidate are awaited.
    Scaling,
    /// A weight is on its way through the gateway.
    Shifting,
    /// The candidate is compared with its baseline.
    Judging,
    /// The weight stays until what the message names has come.
    Holding,
    /// The last step has passed; its hold runs.
    Baking,
    /// The workload rolls to the proven version without traffic.
    Promoting,
    /// Traffic returns from the candidate to the workload.
    Returning,
    /// The proven version is the stable one; the candidate is removed.
    Promoted,
    /// Traffic goes back to the incumbent and the candidate drains.
    RollingBack,
    /// The version was rolled back and is not tried again.
    RolledBack,
    /// The Rollout is being deleted.
    Deleting,
}

impl Phase {
    /// Every name.
    pub const NAMES: &[&str] = &[
        "Pending",
        "Idle",
        "Preflight",
        "Scaling",
        "Shifting",
        "Judging",
        "Holding",
        "Baking",
        "Promoting",
        "Returning",
        "Promoted",
        "RollingBack",
        "RolledBack",
        "Deleting",
    ];

    /// The name as it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Idle => "Idle",
            Self::Preflight => "Preflight",
            Self::Scaling => "Scaling",
            Self::Shifting => "Shifting",
            Self::Judging => "Judging",
            Self::Holding => "Holding",
            Self::Baking => "Baking",
            Self::Promoting => "Promoting",
            Self::Returning => "Returning",
            Self::Promoted => "Promoted",
            Self::RollingBack => "RollingBack",
            Self::RolledBack => "RolledBack",
            Self::Deleting => "Deleting",
        }
    }
}

/// One attempt to bring one revision to 100 %.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseStatus {
    /// The revision, as RolloutActions name it.
    #[schemars(length(max = 63))]
    pub revision: String,
    /// The step, from 1; 0 before the first.
    #[schemars(range(min = 0, max = 20))]
    pub step: i32,
    /// How many steps there are.
    #[schemars(range(min = 0, max = 20))]
    pub steps: i32,
    /// The candidate's share of the traffic.
    pub weight: WeightStatus,
    /// The verdict on the current step as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// When the release began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the current phase was entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entered_at: Option<Time>,
    /// When the current phase gives up waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Time>,
    /// What is awaited, and who can bring it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting_for: Option<String>,
    /// The verdicts of the release, a line per step and metric.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = super::MAX_VERDICTS))]
    pub verdicts: Vec<VerdictStatus>,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = super::MAX_ITEMS + super::MAX_GAUGES))]
    pub metrics: Vec<MetricStatus>,
    /// How the evidence grew, thinned out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = super::MAX_TRAIL))]
    pub trail: Vec<Mark>,
}

/// The evidence at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// The evaluation that it rests on.
    pub at: Time,
    /// The step, from 1.
    #[schemars(range(min = 0, max = 20))]
    pub step: i32,
    /// The candidate's weight in per cent.
    #[schemars(range(min = 0, max = 100))]
    pub weight: i32,
    /// Evidence against the candidate as a share of what a rollback needs; 0 where there is none.
    pub against: f64,
    /// Evidence for it as a share of what leaving the step needs, of the metric that lacks most; 1 where it suffices.
    #[serde(rename = "for")]
    pub in_favour: f64,
    /// Seconds until it is expected to suffice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_seconds: Option<f64>,
}

/// The candidate's share of the traffic in per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WeightStatus {
    /// What was decided.
    #[schemars(range(min = 0, max = 100))]
    pub desired: i32,
    /// What the route says. While its gateway has not accepted that yet, `waitingFor` tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100))]
    pub observed: Option<i32>,
}

/// What the evidence says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// Proved not to be unacceptably worse.
    Pass,
    /// Proved to be worse than tolerated.
    Fail,
    /// More requests are needed.
    Continue,
    /// The deadline passed without proof of either.
    Inconclusive,
}

impl Verdict {
    /// The name as it stands in the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "Pass",
            Self::Fail => "Fail",
            Self::Continue => "Continue",
            Self::Inconclusive => "Inconclusive",
        }
    }
}

/// The verdict of one metric at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictStatus {
    /// The step, from 1.
    #[schemars(range(min = 0, max = 20))]
    pub step: i32,
    /// The metric's name; of the promoted pods `NAME of the return`.
    #[schemars(length(max = 80))]
    pub metric: String,
    /// What the evidence says.
    pub verdict: Verdict,
    /// The same in a sentence, with the numbers.
    #[schemars(length(max = 1024))]
    pub reason: String,
    /// The numbers behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbers: Option<VerdictNumbers>,
}

/// The version that serves everyone who is not in the canary.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StableStatus {
    /// The revision.
    #[schemars(length(max = 63))]
    pub revision: String,
}

/// How a release ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// The revision became the stable one.
    Promoted,
    /// The revision was rolled back.
    RolledBack,
    /// A person ended it.
    Aborted,
    /// A newer template took its place.
    Superseded,
    /// The template was put back to the one that serves.
    Reverted,
}

/// A past release.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryEntry {
    /// The revision.
    #[schemars(length(max = 63))]
    pub revision: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in one CamelCase word.
    #[schemars(length(max = 128))]
    pub reason: String,
    /// When it began.
    pub started_at: Time,
    /// When it ended.
    pub ended_at: Time,
    /// How long it took, in seconds.
    pub seconds: i64,
    /// What was proved or seen, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub evidence: Option<String>,
}

/// A value of a managed object as it was before Serin's first change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Original {
    /// Kind of the object.
    #[schemars(length(max = 63))]
    pub kind: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its uid; an object made anew is another one.
    #[schemars(length(max = 128))]
    pub uid: String,
    /// Index of the rule.
    #[schemars(range(min = 0, max = 255))]
    pub rule: i32,
    /// Name of the backend in that rule.
    #[schemars(length(max = 253))]
    pub backend: String,
    /// Its weight; absent where none was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<i32>,
}

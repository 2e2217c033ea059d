//! The numbers behind a verdict, as the status tells them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The numbers behind a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VerdictNumbers {
    /// Requests of the candidate.
    pub candidate: Arm,
    /// Requests of the baseline in the same time.
    pub baseline: Arm,
    /// What it is compared with while it has all traffic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Past>,
    /// The candidate's rate as a multiple of the baseline's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<Ratio>,
    /// Log evidence so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<f64>,
    /// Log evidence that the verdict needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<f64>,
    /// Requests of the candidate that are still missing, as far as can be foreseen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_requests: Option<i64>,
    /// Seconds until they are expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing_seconds: Option<f64>,
}

/// What a candidate with all traffic is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Past {
    /// The rate of bad requests that the service had, 0 to 1.
    pub rate: f64,
    /// Up to this rate the candidate is not rolled back.
    pub limit: f64,
}

/// Counts of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Arm {
    /// All requests.
    pub total: i64,
    /// Bad ones among them.
    pub bad: i64,
}

/// A ratio with its confidence interval; a bound that is not known is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ratio {
    /// Lower end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Best estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
}

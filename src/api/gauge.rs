//! What a pod may run out of: CPU, memory, connections, and whatever else is a level rather than a count.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Quantity;

/// A level of each pod, read beside the metrics. It is no test of the candidate but a forecast: whether the next weight
/// still fits, and whether pods lose something that those beside them keep. Exactly one of `preset` and `query` is set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Gauge {
    /// Its name in status and events. With a query of your own `cpu` and `memory` are taken for what they say: CPU
    /// follows the requests and does not leak, memory may be filled to 85 %, everything else to 80 %.
    #[schemars(length(min = 1, max = 63), pattern(super::LABEL))]
    pub name: String,
    /// Ready-made queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<GaugePreset>,
    /// Your own query: PromQL that gives one value for each pod of an arm, with a label `pod` or `instance`.
    /// `{{namespace}}`, `{{service}}`, and as regular expressions `{{ports}}` and `{{pods}}`, stand for the arm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub query: Option<String>,
    /// What one pod may use, in the unit of its values: cores, bytes, connections. By default CPU and memory have the
    /// limits of the candidate's template, and connections the process's own limit of open files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
    /// What one pod uses without requests, in the same unit, at most the limit. By default it is read off the stable pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<Quantity>,
    /// Whether the gauge is left out where it has no limit or no values. Otherwise the release waits for them.
    #[serde(default)]
    pub optional: bool,
}

impl Gauge {
    /// An optional gauge of a preset with every default.
    pub fn of(name: &str, preset: GaugePreset) -> Self {
        Self {
            name: name.into(),
            preset: Some(preset),
            query: None,
            limit: None,
            idle: None,
            optional: true,
        }
    }
}

/// Ready-made queries for levels of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum GaugePreset {
    /// Cores that are busy: `container_cpu_usage_seconds_total` of cAdvisor, else the process's own
    /// `process_cpu_seconds_total`.
    Cpu,
    /// Bytes in use: `container_memory_working_set_bytes` of cAdvisor, else the process's own
    /// `process_resident_memory_bytes`.
    Memory,
    /// Open files, of which each connection is one: the process's own `process_open_fds`.
    Connections,
}

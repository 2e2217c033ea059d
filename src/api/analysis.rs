//! What is compared, how strictly, and what happens in doubt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Duration, Gauge, GaugePreset, Preset};

/// The comparison of the candidate with its baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Analysis {
    /// Time between two looks at the metrics, 1s to 5m; best the scrape interval.
    pub interval: Duration,
    /// Confidence, margins, holds and bake in one word.
    pub preset: Preset,
    /// Time at the start of a step, and of a pod that comes in mid-step, in which only gross faults count, 0s to 30m.
    pub warm_up: Duration,
    /// What the candidate is compared with.
    pub baseline: Baseline,
    /// The MetricProvider that is asked; `default` comes from the controller's own settings.
    #[schemars(length(min = 1, max = 253), pattern(super::SUBDOMAIN))]
    pub provider: String,
    /// What is measured. By default the error rate, and latency where a histogram is found, each by the first preset
    /// that has data.
    #[schemars(length(min = 1, max = super::MAX_ITEMS))]
    pub metrics: Vec<Metric>,
    /// What a pod may run out of. By default CPU and memory, where the template sets limits and the provider has the
    /// values; an empty list looks at none.
    #[schemars(length(max = super::MAX_GAUGES))]
    pub gauges: Vec<Gauge>,
    /// Error probabilities of the whole release; by default those of the preset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// What to do when a step's deadline passes without a verdict.
    pub on_inconclusive: OnDoubt,
    /// What to do when there has been no usable data for `noDataDeadline`.
    pub on_no_data: OnDoubt,
    /// How long data may be missing before `onNoData` applies, 10s to 24h.
    pub no_data_deadline: Duration,
}

impl Default for Analysis {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(15),
            preset: Preset::default(),
            warm_up: Duration::from_secs(30),
            baseline: Baseline::default(),
            provider: "default".into(),
            metrics: vec![Metric::named("error-rate"), Metric::latency("latency")],
            gauges: vec![
                Gauge::of("cpu", GaugePreset::Cpu),
                Gauge::of("memory", GaugePreset::Memory),
            ],
            confidence: None,
            on_inconclusive: OnDoubt::default(),
            on_no_data: OnDoubt::default(),
            no_data_deadline: Duration::from_secs(600),
        }
    }
}

impl Analysis {
    /// The chance of a false rollback in force: the Rollout's own, else its preset's.
    pub fn false_rollback(&self) -> f64 {
        self.confidence
            .and_then(|c| c.false_rollback)
            .unwrap_or_else(|| self.preset.false_rollback())
    }

    /// The chance of a wrong promotion in force: the Rollout's own, else its preset's.
    pub fn wrong_promotion(&self) -> f64 {
        self.confidence
            .and_then(|c| c.wrong_promotion)
            .unwrap_or_else(|| self.preset.wrong_promotion())
    }

    /// The margin of `metric` that is not worth a rollback: its own, else the preset's.
    pub fn tolerated(&self, metric: &Metric) -> Margin {
        metric
            .tolerated
            .unwrap_or_else(|| self.preset.tolerated(metric.kind))
    }

    /// The margin of `metric` that a promotion must rule out: its own, else the preset's.
    pub fn unacceptable(&self, metric: &Metric) -> Margin {
        metric
            .unacceptable
            .unwrap_or_else(|| self.preset.unacceptable(metric.kind))
    }
}

/// What the candidate is compared with, and the traffic that the comparison keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Baseline {
    /// Whose metrics are the baseline.
    pub kind: BaselineKind,
    /// Per cent of the traffic kept on the incumbent in the last step until its verdict, 1 to 50. Without any there would
    /// be no proof.
    #[schemars(range(min = 1, max = 50))]
    pub share: i32,
    /// Per cent of the traffic kept on the incumbent from that verdict to the end of the hold, 0 to 50. With 0 the
    /// candidate is compared with the past instead, and only what is far worse takes it back.
    #[schemars(range(min = 0, max = 50))]
    pub bake_share: i32,
}

impl Default for Baseline {
    fn default() -> Self {
        Self {
            kind: BaselineKind::default(),
            share: 20,
            bake_share: 5,
        }
    }
}

/// Whose metrics are the baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BaselineKind {
    /// The stable pods that run beside the candidate.
    #[default]
    Stable,
}

/// One thing that is measured as a share of bad requests. At most one of `preset` and an own query (`query`,
/// `latency.buckets` or `latency.histogram`) is set; with neither, the first preset that has data is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name in status, events and metrics.
    #[schemars(length(min = 1, max = 63), pattern(super::LABEL))]
    pub name: String,
    /// What makes a request bad: that it failed, or that it took long.
    #[serde(default)]
    pub kind: MetricKind,
    /// Ready-made queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<MetricPreset>,
    /// Your own queries, for an error rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<Query>,
    /// What is particular to latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// A difference that is not worth a rollback; by default the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerated: Option<Margin>,
    /// A difference that a promotion must rule out; by default the preset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unacceptable: Option<Margin>,
    /// Whether a promotion needs this metric's pass. Without it the metric can only roll back.
    #[serde(default = "yes")]
    pub gating: bool,
    /// Whether the metric is left out where no preset has its data. Otherwise the release waits for them.
    #[serde(default)]
    pub optional: bool,
}

impl Metric {
    /// A gating metric with every default.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            kind: MetricKind::ErrorRate,
            preset: None,
            query: None,
            latency: None,
            tolerated: None,
            unacceptable: None,
            gating: true,
            optional: false,
        }
    }

    /// An optional latency metric with every default.
    pub fn latency(name: &str) -> Self {
        Self {
            kind: MetricKind::Latency,
            optional: true,
            ..Self::named(name)
        }
    }
}

const fn yes() -> bool {
    true
}

/// What makes a request bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MetricKind {
    /// It failed.
    #[default]
    ErrorRate,
    /// It took longer than an edge of the histogram. The edges near the baseline's median, 90th and 99th percentile are
    /// compared.
    Latency,
}

/// What is particular to latency.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Latency {
    /// Per cent by which the candidate may be slower, 0 to 100: its requests beyond an edge are compared with the
    /// baseline's beyond a lower one.
    #[schemars(range(min = 0, max = 100))]
    pub slowdown: i32,
    /// An edge of your own beside those three: the nearest that the histogram has, at or below this time, 1ms to 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub objective: Option<Duration>,
    /// Your own query: PromQL for the cumulative buckets of an arm, raw, with their label `le`. `{{le}}` stands for the
    /// edges that are needed, the other placeholders are those of `query`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub buckets: Option<String>,
    /// The same for native histograms: PromQL for the histograms of an arm, raw. Presets need none: where they find no
    /// buckets they look for native histograms.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub histogram: Option<String>,
    /// The unit of your own query: that of its edges.
    pub unit: LatencyUnit,
}

/// The unit of a histogram's edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LatencyUnit {
    /// Seconds, as most client libraries count.
    #[default]
    Seconds,
    /// Milliseconds, as Envoy and Istio count.
    Milliseconds,
}

impl LatencyUnit {
    /// How many seconds it is.
    pub const fn seconds(self) -> f64 {
        match self {
            Self::Seconds => 1.0,
            Self::Milliseconds => 0.001,
        }
    }
}

/// Ready-made queries for common sources of request counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MetricPreset {
    /// Contour's Envoy: `envoy_cluster_upstream_rq` of the Service's clusters; bad are codes 500 to 599.
    Contour,
    /// Envoy Gateway whose EnvoyProxy says `mergeBackends: {}`: `envoy_cluster_upstream_rq` of the Service's clusters; bad
    /// are codes 500 to 599.
    EnvoyGateway,
    /// The pods' own `http_requests_total` with a label `code` or `status`; bad are codes 500 to 599.
    HttpRequests,
    /// Istio's `istio_requests_total`, as the sender's sidecar counts. Not tried against the real thing yet, like
    /// Linkerd's: taken only where it is named.
    Istio,
    /// Linkerd's outbound counters by backend.
    Linkerd,
    /// Traefik as a Gateway API gateway: `traefik_service_requests_total` of the Service's backends.
    Traefik,
}

impl MetricPreset {
    /// The name as it stands in the spec.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Contour => "contour",
            Self::HttpRequests => "http-requests",
            Self::Istio => "istio",
            Self::EnvoyGateway => "envoy-gateway",
            Self::Linkerd => "linkerd",
            Self::Traefik => "traefik",
        }
    }
}

/// PromQL for raw cumulative counters, without `rate` or `increase`: Serin takes the differences, series by series.
/// `{{namespace}}`, `{{service}}`, and as regular expressions `{{ports}}` and `{{pods}}`, stand for the arm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Counter of all requests of an arm.
    #[schemars(length(min = 1, max = 2048))]
    pub total: String,
    /// Counter of its bad requests.
    #[schemars(length(min = 1, max = 2048))]
    pub bad: String,
}

/// A bound on the candidate's rate of bad requests: `ratio × baseline + absolute`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Margin {
    /// Multiple of the baseline's rate, 1 to 100.
    #[schemars(range(min = 1, max = 100))]
    pub ratio: f64,
    /// Share of requests on top of that, 0 to 0.5.
    #[schemars(range(min = 0, max = 0.5))]
    pub absolute: f64,
}

/// Error probabilities that hold for the whole release, however often the data is looked at. What is not set comes from
/// the preset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Confidence {
    /// Chance that a release within the tolerated margin is rolled back, 0.0001 to 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_rollback: Option<f64>,
    /// Chance that a release beyond the unacceptable margin is promoted, 0.0001 to 0.2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong_promotion: Option<f64>,
}

/// What to do when nothing can be proved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDoubt {
    /// Keep the weight and wait for data or a person.
    #[default]
    Hold,
    /// Give the traffic back to the incumbent.
    Rollback,
}

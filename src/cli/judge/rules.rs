//! What holds for all streams: the analysis of a Rollout, or its defaults.

use super::metric::Metric;
use crate::api::{self, Analysis, MetricKind};
use crate::engine::plan;
use crate::stats::{Margin, Rule, Settings};

/// Parts of the chance of a false rollback, as in a Rollout: failures matter most.
const ERRORS_WEIGHT: f64 = plan::MetricKind::ErrorRate.weight();
const LATENCY_WEIGHT: f64 = plan::MetricKind::Latency {
    slowdown: 0.0,
    objective: None,
}
.weight();

/// What holds for all streams.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) analysis: Analysis,
}

impl Rules {
    /// The settings of a metric, before its share among several; `latency` has margins of its own.
    pub(super) fn settings(&self, name: &str, latency: bool) -> Result<Settings, String> {
        let wire = self.analysis.metrics.iter().find(|m| m.name == name);
        let kind = if latency {
            MetricKind::Latency
        } else {
            MetricKind::ErrorRate
        };
        let preset = self.analysis.preset;
        let margin = |set: Option<api::Margin>, usual: api::Margin| {
            let margin = set.unwrap_or(usual);
            Margin::new(margin.ratio, margin.absolute)
        };
        let tolerated = margin(wire.and_then(|m| m.tolerated), preset.tolerated(kind));
        let unacceptable = margin(wire.and_then(|m| m.unacceptable), preset.unacceptable(kind));
        let warm_up = std::time::Duration::from(self.analysis.warm_up).as_secs_f64();
        Settings::new(
            tolerated,
            unacceptable,
            self.analysis.false_rollback(),
            self.analysis.wrong_promotion(),
        )
        .and_then(|s| s.with_warmup(warm_up))
        .map_err(|wrong| format!("metric {name}: {wrong}"))
    }

    /// How a metric is judged.
    pub(super) fn rule(&self, metric: &Metric) -> Result<Rule, String> {
        let latency = metric.edges.is_some();
        Ok(Rule {
            settings: self.settings(&metric.name, latency)?,
            weight: if latency { LATENCY_WEIGHT } else { ERRORS_WEIGHT },
            gating: self.gating(&metric.name),
            parts: metric.parts(),
        })
    }

    fn gating(&self, name: &str) -> bool {
        self.analysis
            .metrics
            .iter()
            .find(|m| m.name == name)
            .is_none_or(|m| m.gating)
    }

    pub(super) fn hold(&self, last: bool) -> f64 {
        let preset = self.analysis.preset;
        std::time::Duration::from(if last { preset.last_hold() } else { preset.hold() }).as_secs_f64()
    }
}

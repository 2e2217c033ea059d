//! What holds for all streams: the analysis of a Rollout, or its defaults.

use super::line::Line;
use super::metric::{Metric, is_latency};
use crate::api::{self, Analysis, MetricKind};
use crate::engine::Plan;
use crate::engine::plan::{self, RungKind};
use crate::stats::{Margin, Rule, Settings};

/// Parts of the chance of a false rollback, as in a Rollout: failures matter most.
const ERRORS_WEIGHT: f64 = plan::MetricKind::ErrorRate.weight();
const LATENCY_WEIGHT: f64 = plan::MetricKind::Latency {
    slowdown: 0.0,
    objective: None,
}
.weight();

/// The step after one that is neither last nor told: ladders mostly grow by about this factor.
const USUAL_GROWTH: f64 = 2.5;
/// The weights that thin traffic is measured against where no ladder is known beforehand.
const USUAL_WEIGHTS: [f64; 3] = [10.0, 25.0, 80.0];

/// The steps of a whole Rollout.
#[derive(Debug)]
pub(super) struct Ladder {
    /// For each step the weight at which it is proven, in per cent.
    weights: Vec<f64>,
    /// For each step the shortest stay, in seconds; for the last one the bake.
    holds: Vec<f64>,
}

impl Ladder {
    /// The steps of a plan.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut ladder = Self {
            weights: Vec::new(),
            holds: Vec::new(),
        };
        for rung in &plan.rungs {
            let hold = rung.hold.as_secs_f64();
            match rung.kind {
                RungKind::Proof => {
                    ladder.weights.push(f64::from(rung.weight.percent()));
                    ladder.holds.push(hold);
                }
                // The last step's own hold is that of its bake.
                RungKind::Bake => {
                    ladder.holds.pop();
                    ladder.holds.push(hold);
                }
            }
        }
        ladder
    }
}

/// What holds for all streams.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) analysis: Analysis,
    /// All requests are divided by the weights, so that their shares must be these.
    pub(super) routed: bool,
    ladder: Option<Ladder>,
    /// Seconds between two scrapes as the analysis has it, and seconds of warm-up.
    pub(super) interval: f64,
    pub(super) warm_up: f64,
}

impl Rules {
    /// The rules of an analysis, and of the steps around it where they are known.
    pub(super) fn of(analysis: Analysis, ladder: Option<Ladder>) -> Self {
        Self {
            interval: analysis.interval.as_secs_f64(),
            warm_up: analysis.warm_up.as_secs_f64(),
            analysis,
            routed: true,
            ladder,
        }
    }

    /// Checks a stream's first line against the metrics that the configuration lists: what the configuration says of a metric
    /// that the line lacks would not count. A metric that is not listed is judged by the rules for all. A configuration that
    /// lists none accepts any.
    pub(super) fn fit(&self, line: &Line<'_>) -> Result<(), String> {
        let listed = &self.analysis.metrics;
        if *listed == Analysis::default().metrics {
            return Ok(());
        }
        let named = |name: &str| listed.iter().find(|metric| metric.name == name);
        for (name, arms) in line.metrics.iter() {
            let wants = named(name).is_some_and(|metric| metric.kind == MetricKind::Latency);
            if wants && !is_latency(arms) {
                return Err(format!(
                    "metric {name}: the configuration has it as Latency, but the line has no buckets"
                ));
            }
        }
        let absent = |metric: &&api::Metric| {
            metric.gating && !metric.optional && line.metrics.get(&metric.name).is_none()
        };
        match listed.iter().find(absent) {
            Some(metric) => {
                let names: Vec<&str> = line.metrics.iter().map(|(name, _)| name).collect();
                Err(format!(
                    "the line has {}, but the configuration wants {} for a pass: call them alike, or set `optional: true`",
                    names.join(", "),
                    metric.name
                ))
            }
            None => Ok(()),
        }
    }

    /// The weights of all steps, as far as they are known beforehand.
    pub(super) fn weights(&self) -> &[f64] {
        self.ladder
            .as_ref()
            .map_or(&USUAL_WEIGHTS, |ladder| &ladder.weights)
    }

    /// The weight of the step after `step`, which has `weight`.
    pub(super) fn next(&self, step: u32, weight: f64) -> f64 {
        let known = self
            .ladder
            .as_ref()
            .and_then(|ladder| ladder.weights.get(step as usize + 1));
        known
            .copied()
            .unwrap_or_else(|| (weight * USUAL_GROWTH).min(100.0))
    }

    /// Whether the weight of the step after a line's is said, there or by the steps of the configuration.
    pub(super) fn knows_next(&self, line: &Line<'_>) -> bool {
        let ladder = self.ladder.as_ref();
        line.next.is_some() || ladder.is_some_and(|ladder| ladder.weights.len() > line.step as usize + 1)
    }

    /// The slow-down that a metric tolerates (0.1 is a tenth), and an edge of the user's own in seconds.
    pub(super) fn slowdown(&self, name: &str) -> (f64, Option<f64>) {
        let wire = self.analysis.metrics.iter().find(|metric| metric.name == name);
        let latency = wire.and_then(|metric| metric.latency.as_ref());
        latency.map_or((0.0, None), |latency| {
            let objective = latency.objective.map(api::Duration::as_secs_f64);
            (f64::from(latency.slowdown) / 100.0, objective)
        })
    }

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
        Settings::new(
            tolerated,
            unacceptable,
            self.analysis.false_rollback(),
            self.analysis.wrong_promotion(),
        )
        .and_then(|s| s.with_warmup(self.warm_up))
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

    /// Whether a pass needs this metric.
    pub(super) fn gating(&self, name: &str) -> bool {
        self.analysis
            .metrics
            .iter()
            .find(|m| m.name == name)
            .is_none_or(|m| m.gating)
    }

    /// The shortest stay at a step in seconds; in the last one that of the bake.
    pub(super) fn hold(&self, step: u32, last: bool) -> f64 {
        let preset = self.analysis.preset;
        let usual = if last { preset.last_hold() } else { preset.hold() };
        let known = self.ladder.as_ref().and_then(|ladder| {
            let holds = &ladder.holds;
            if last {
                holds.last()
            } else {
                holds.get(step as usize)
            }
        });
        known.copied().unwrap_or_else(|| usual.as_secs_f64())
    }
}

//! From the wire to a plan. What the API server's rules already refuse is refused here again in one line each,
//! because a rule can be switched off and the engine must not depend on it.

use std::time::Duration;

use super::{
    Analysis, GateMode, Margin, Metric, MetricKind, OnSilence, Plan, Promotion, Rollback, Step, rungs,
};
use crate::api;
use crate::engine::quantity::Weight;

/// How long a route's acceptance may take before the wait is reported.
const ROUTE_DEADLINE: Duration = Duration::from_secs(10);
/// How long preflight may look before its wait is called long; it goes on.
const PREFLIGHT_DEADLINE: Duration = Duration::from_mins(5);
/// Shares of the traffic that come back to the promoted Deployment, one after the other.
const RETURNS: [u8; 3] = [25, 50, 100];

impl Plan {
    /// The plan of a spec, or everything that is wrong with it: one sentence each, naming field and remedy.
    ///
    /// # Errors
    /// All violations at once.
    pub fn admit(spec: &api::RolloutSpec, gate: GateMode) -> Result<Self, Vec<String>> {
        let steps: Vec<Step> = spec.steps().iter().map(|step| self::step(spec, step)).collect();
        let wrong = violations(spec, &steps);
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let share = Weight::clamped(percent(spec.analysis.baseline.share));
        let bake_share = Weight::clamped(percent(spec.analysis.baseline.bake_share));
        Ok(Self {
            rungs: rungs(&steps, share, bake_share, spec.analysis.preset.hold().into()),
            steps: steps.len(),
            preflight_deadline: PREFLIGHT_DEADLINE,
            scaling_deadline: spec.progress_deadline.into(),
            route_deadline: ROUTE_DEADLINE,
            propagation: spec.traffic.propagation.into(),
            on_inconclusive: silence(spec.analysis.on_inconclusive),
            on_no_data: silence(spec.analysis.on_no_data),
            no_data_deadline: spec.analysis.no_data_deadline.into(),
            rollback: Rollback {
                drain: spec.rollback.drain.into(),
                keep: spec.rollback.keep.into(),
            },
            promotion: Promotion {
                returns: RETURNS.map(Weight::clamped).to_vec(),
                warm_up: spec.return_warm_up().into(),
                bake: spec.bake().into(),
                deadline: spec.promotion.deadline.into(),
            },
            paused: spec.paused,
            gate,
            resume_on_delete: spec.on_delete == api::OnDelete::Resume,
            analysis: analysis(&spec.analysis),
        })
    }
}

fn step(spec: &api::RolloutSpec, step: &api::Step) -> Step {
    Step {
        weight: Weight::clamped(percent(step.weight)),
        hold: spec.hold(step).into(),
        deadline: step.deadline.into(),
        approval: step.approval == api::Approval::Required,
    }
}

fn percent(value: i32) -> u8 {
    u8::try_from(value.clamp(0, 100)).unwrap_or(100)
}

const fn silence(choice: api::OnDoubt) -> OnSilence {
    match choice {
        api::OnDoubt::Hold => OnSilence::Hold,
        api::OnDoubt::Rollback => OnSilence::Rollback,
    }
}

fn analysis(wire: &api::Analysis) -> Analysis {
    let margin = |margin: api::Margin| Margin {
        ratio: margin.ratio,
        absolute: margin.absolute,
    };
    Analysis {
        interval: wire.interval.into(),
        warm_up: wire.warm_up.into(),
        false_rollback: wire.false_rollback(),
        wrong_promotion: wire.wrong_promotion(),
        metrics: wire
            .metrics
            .iter()
            .map(|metric| Metric {
                name: metric.name.clone(),
                kind: kind(metric),
                optional: metric.optional,
                gating: metric.gating,
                tolerated: margin(wire.tolerated(metric)),
                unacceptable: margin(wire.unacceptable(metric)),
            })
            .collect(),
    }
}

fn kind(metric: &api::Metric) -> MetricKind {
    match metric.kind {
        api::MetricKind::ErrorRate => MetricKind::ErrorRate,
        api::MetricKind::Latency => {
            let latency = metric.latency.clone().unwrap_or_default();
            MetricKind::Latency {
                slowdown: f64::from(latency.slowdown.clamp(0, 100)) / 100.0,
                objective: latency.objective.map(api::Duration::as_secs_f64),
            }
        }
    }
}

fn violations(spec: &api::RolloutSpec, steps: &[Step]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |sound: bool, what: &str| {
        if !sound {
            wrong.push(what.to_owned());
        }
    };
    must(
        !(spec.weights.is_some() && spec.steps.is_some()),
        "`spec.weights` and `spec.steps` exclude each other: remove one",
    );
    must(!steps.is_empty(), "`spec.steps` is empty: name at least one step");
    must(
        steps.windows(2).all(|pair| pair[0].weight < pair[1].weight),
        "`spec.steps`: each weight must be above the one before",
    );
    must(
        steps.first().is_none_or(|step| step.weight > Weight::NONE),
        "`spec.steps`: the first weight must be at least 1",
    );
    must(
        steps.last().is_none_or(|step| step.weight == Weight::FULL),
        "`spec.steps`: the last weight must be 100",
    );
    must(
        spec.traffic.gateway_api.is_some(),
        "`spec.traffic`: name a router, for example `gatewayAPI`",
    );
    must(
        !spec.analysis.metrics.is_empty(),
        "`spec.analysis.metrics` is empty: name at least one metric",
    );
    must(
        spec.analysis
            .metrics
            .iter()
            .any(|metric| metric.gating && !metric.optional),
        "`spec.analysis.metrics`: at least one metric must gate and not be optional",
    );
    must(
        spec.analysis.baseline.share >= 1,
        "`spec.analysis.baseline.share` must be at least 1: a promotion needs a proof beside a baseline; to give the \
         candidate all traffic after it, set `bakeShare: 0`",
    );
    must(
        spec.analysis.interval.as_secs_f64() >= 1.0,
        "`spec.analysis.interval` must be at least 1s",
    );
    for (index, metric) in spec.analysis.metrics.iter().enumerate() {
        let (low, high) = (
            spec.analysis.tolerated(metric),
            spec.analysis.unacceptable(metric),
        );
        if !(low.ratio <= high.ratio
            && low.absolute <= high.absolute
            && (low.ratio, low.absolute) != (high.ratio, high.absolute))
        {
            wrong.push(format!(
                "`spec.analysis.metrics[{index}]`: `tolerated` must lie below `unacceptable`"
            ));
        }
    }
    wrong
}

#[cfg(test)]
impl Plan {
    /// A plan of defaults that keeps so much of the traffic beside the bake, for tests.
    pub(crate) fn with_bake_share(per_cent: i32) -> Self {
        let spec = serde_json::json!({
            "workload": {"name": "app"},
            "traffic": {"gatewayAPI": {"routes": [{"name": "app"}]}},
            "analysis": {"baseline": {"bakeShare": per_cent}},
        });
        let spec = serde_json::from_value(spec).expect("a spec");
        Self::admit(&spec, GateMode::Admission).expect("a plan")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::RungKind;
    use super::*;

    /// The holds of the last step, until the verdict and for the bake, in seconds.
    fn last(steps: &str) -> (u64, u64) {
        let spec = format!(
            "{{workload: {{name: app}}, traffic: {{gatewayAPI: {{routes: [{{name: app}}]}}}}, steps: {steps}}}"
        );
        let plan = Plan::admit(&serde_yaml::from_str(&spec).unwrap(), GateMode::Admission).unwrap();
        let hold = |kind| {
            let rung = plan.rungs.iter().rev().find(|rung| rung.kind == kind);
            rung.map_or(Duration::MAX, |rung| rung.hold).as_secs()
        };
        (hold(RungKind::Proof), hold(RungKind::Bake))
    }

    #[test]
    fn a_short_last_step_is_short_before_its_verdict_too() {
        assert_eq!(last("[{weight: 10}, {weight: 100, hold: 3s}]"), (3, 3));
        assert_eq!(last("[{weight: 10}, {weight: 100, hold: 1h}]"), (60, 3600));
        assert_eq!(last("[{weight: 10, hold: 1h}, {weight: 100}]"), (60, 600));
    }

    #[test]
    fn without_a_baseline_until_the_verdict_there_is_no_plan() {
        let admitted = |share: i32| {
            let spec = serde_json::json!({
                "workload": {"name": "app"},
                "traffic": {"gatewayAPI": {"routes": [{"name": "app"}]}},
                "analysis": {"baseline": {"share": share, "bakeShare": 0}},
            });
            let spec = serde_json::from_value(spec).unwrap();
            Plan::admit(&spec, GateMode::Admission)
        };
        let wrong = admitted(0).unwrap_err();
        assert!(
            wrong[0].starts_with("`spec.analysis.baseline.share` must be at least 1: "),
            "{wrong:?}"
        );
        let plan = admitted(1).unwrap();
        let weights: Vec<u8> = plan.rungs.iter().map(|rung| rung.weight.percent()).collect();
        assert_eq!(weights, [10, 25, 99, 100]);
    }
}

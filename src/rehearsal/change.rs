//! Settings of a Rollout that a rehearsal may suggest to change.

use std::fmt;
use std::time::Duration;

use crate::api::{self, MetricKind, OnDoubt, Preset, RolloutSpec, Step};
use crate::engine::words::percent;

/// One change of a spec.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Each step may last so long until the lack of a verdict counts.
    Deadline(Duration),
    /// The margin that a promotion must rule out gets this absolute part, in all gating error rates.
    Unacceptable(f64),
    /// The first step has this weight; lower ones are left out.
    Start(i32),
    /// So many per cent stay on the incumbent in the last step until its verdict.
    Share(i32),
    /// Another preset.
    Preset(Preset),
    /// The metric of this name can only roll back.
    Ungate(String),
    /// What has no verdict at its deadline is rolled back.
    RollBack,
    /// The last step is held for so long after its verdict.
    LastHold(Duration),
}

impl Change {
    /// The changed spec.
    #[must_use]
    pub fn apply(&self, spec: &RolloutSpec) -> RolloutSpec {
        let mut spec = spec.clone();
        match self {
            Self::Deadline(to) => each(&mut spec, |step| step.deadline = step.deadline.max(span(*to))),
            Self::Unacceptable(absolute) => {
                let usual = spec.analysis.clone();
                for metric in &mut spec.analysis.metrics {
                    if !metric.gating || metric.kind != MetricKind::ErrorRate {
                        continue;
                    }
                    let margin = usual.unacceptable(metric);
                    metric.unacceptable = Some(api::Margin {
                        absolute: margin.absolute.max(*absolute),
                        ..margin
                    });
                }
            }
            Self::Start(weight) => {
                let mut steps = spec.steps();
                let first = steps.iter().position(|step| step.weight >= *weight).unwrap_or(0);
                steps.drain(..first);
                if steps.first().is_some_and(|step| step.weight > *weight) {
                    steps.insert(0, Step::at(*weight));
                }
                set(&mut spec, steps);
            }
            Self::Share(share) => spec.analysis.baseline.share = *share,
            Self::Preset(preset) => spec.analysis.preset = *preset,
            Self::Ungate(name) => {
                let named = spec
                    .analysis
                    .metrics
                    .iter_mut()
                    .filter(|metric| metric.name == *name);
                named.for_each(|metric| metric.gating = false);
            }
            Self::RollBack => spec.analysis.on_inconclusive = OnDoubt::Rollback,
            Self::LastHold(to) => {
                let mut steps = spec.steps();
                if let Some(last) = steps.last_mut() {
                    last.hold = Some(span(*to));
                    last.deadline = last.deadline.max(span(*to * 2));
                }
                set(&mut spec, steps);
            }
        }
        spec
    }
}

fn span(duration: Duration) -> api::Duration {
    api::Duration::from_secs(duration.as_secs())
}

fn each(spec: &mut RolloutSpec, change: impl Fn(&mut Step)) {
    let mut steps = spec.steps();
    steps.iter_mut().for_each(change);
    set(spec, steps);
}

/// In the short form where that can say it.
fn set(spec: &mut RolloutSpec, steps: Vec<Step>) {
    let plain = spec.steps.is_none() && steps.iter().all(|step| *step == Step::at(step.weight));
    if plain {
        spec.weights = Some(steps.iter().map(|step| step.weight).collect());
    } else {
        (spec.weights, spec.steps) = (None, Some(steps));
    }
}

/// What to do, and the fields for it.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Deadline(to) => write!(f, "give each step {} (`steps[].deadline`)", span(*to)),
            Self::Unacceptable(absolute) => write!(
                f,
                "widen what a promotion must rule out (`unacceptable.absolute: {absolute}`, that is {})",
                percent(*absolute)
            ),
            Self::Start(weight) => write!(f, "start at {weight} % (`steps[0].weight`)"),
            Self::Share(share) => write!(
                f,
                "keep {share} % beside it in the last step until its verdict (`analysis.baseline.share`)"
            ),
            Self::Preset(preset) => write!(f, "ask for less proof (`analysis.preset: {preset:?}`)"),
            Self::Ungate(name) => write!(f, "let `{name}` roll back but not hold (its `gating: false`)"),
            Self::RollBack => {
                f.write_str("take back what has no verdict (`analysis.onInconclusive: Rollback`)")
            }
            Self::LastHold(to) => write!(
                f,
                "watch the last step for {} (`hold` of the last of `steps`)",
                span(*to)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> RolloutSpec {
        serde_json::from_value(serde_json::json!({
            "workload": {"name": "checkout"},
            "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}},
        }))
        .unwrap()
    }

    #[test]
    fn a_change_keeps_what_it_is_not_about() {
        let weights = |spec: &RolloutSpec| spec.steps().iter().map(|step| step.weight).collect::<Vec<_>>();
        let late = Change::Deadline(Duration::from_hours(3)).apply(&spec());
        assert_eq!(weights(&late), [10, 25, 100]);
        assert!(
            late.steps()
                .iter()
                .all(|step| step.deadline == api::Duration::from_secs(10_800))
        );
        let sooner = Change::Deadline(Duration::from_mins(1)).apply(&spec());
        assert_eq!(
            sooner.steps(),
            spec().steps(),
            "a deadline is raised, never lowered"
        );
        for (start, want) in [(25, vec![25, 100]), (50, vec![50, 100]), (10, vec![10, 25, 100])] {
            let changed = Change::Start(start).apply(&spec());
            assert_eq!(weights(&changed), want);
            assert!(changed.steps.is_none(), "the short form stays");
        }
        let held = Change::LastHold(Duration::from_hours(2)).apply(&spec());
        let last = held.steps().pop().unwrap();
        assert!(last.hold < Some(last.deadline), "{last:?}");
        let wide = Change::Unacceptable(0.01).apply(&spec());
        assert_eq!(
            wide.analysis
                .unacceptable(&wide.analysis.metrics[0])
                .absolute
                .to_string(),
            "0.01"
        );
    }
}

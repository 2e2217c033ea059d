//! What a worker tells: events, logs and figures, in the words of the decision.

use serde_json::Value;

use super::{RESYNC, Turn, Worker};
use crate::api;
use crate::cluster::apply::Applied;
use crate::cluster::events::{Notice, Reference};
use crate::cluster::field_owners;
use crate::cluster::snapshot::Snapshot;
use crate::controller::contest::Contest;
use crate::engine::judge::{Evidence, Verdict};
use crate::engine::observation::{Observation, Route};
use crate::engine::reason::{self, Note};
use crate::engine::state::Cause;
use crate::engine::{Decision, Effect, Moment, State, Weight, report};
use crate::render::json::text;
use crate::telemetry::metrics::{Rate, RateArm, WeightArm, WeightKind};

/// Why a candidate may be rolled back.
const CAUSES: [Cause; 10] = [
    Cause::Regression,
    Cause::Leaking,
    Cause::NotReady,
    Cause::CapacityLost,
    Cause::Crashing,
    Cause::Inconclusive,
    Cause::NoData,
    Cause::Aborted,
    Cause::Superseded,
    Cause::Reverted,
];
/// The kind of object whose drift is corrected.
const ROUTE: &str = "HTTPRoute";

impl Worker {
    /// After the commit, never before.
    pub(super) fn tell(&self, snapshot: &Snapshot, before: &State, decision: &Decision) {
        let known = before.history.first();
        for outcome in decision.next.history.iter().take_while(|it| Some(*it) != known) {
            let took = outcome.ended.duration_since(outcome.started);
            let label = outcome.cause.map_or(reason::PROMOTED, |cause| cause.label());
            self.shared
                .metrics
                .ended(label, took.try_into().unwrap_or_default());
        }
        for note in &decision.notes {
            self.publish(snapshot, note);
            if note.reason == reason::ROLLING_BACK {
                let cause = decision.next.history.first().and_then(|outcome| outcome.cause);
                self.shared
                    .metrics
                    .rolled_back(&self.key, cause.map_or("unknown", |cause| cause.label()));
            }
        }
    }

    /// The gauges: as things stand, whether or not the status says so yet.
    pub(super) fn show(&mut self, decision: &Decision, seen: &Observation) {
        self.count_verdict(&seen.evidence);
        self.shared
            .metrics
            .expect(&self.key, CAUSES.map(Cause::label), [ROUTE]);
        let phases = api::Phase::NAMES;
        self.shared
            .metrics
            .phase(&self.key, report::phase(&decision.next).as_str(), phases);
        let desired = Some(decision.next.weight());
        let observed = match &seen.route {
            Route::Seen { weight, .. } => *weight,
            Route::Unusable(_) => None,
        };
        for (kind, weight) in [(WeightKind::Desired, desired), (WeightKind::Observed, observed)] {
            let percent = |weight: Weight| Some(f64::from(weight.percent()));
            let shares = [
                (WeightArm::Candidate, weight.and_then(percent)),
                (WeightArm::Stable, weight.map(Weight::rest).and_then(percent)),
            ];
            for (arm, percent) in shares {
                self.shared.metrics.weight(&self.key, arm, kind, percent);
            }
        }
    }

    /// A verdict is one however long it stands.
    fn count_verdict(&mut self, evidence: &Evidence) {
        let label = match evidence.verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            Verdict::Continue => return,
        };
        let Some(revision) = &evidence.revision else {
            return;
        };
        let judged = (revision.clone(), evidence.rung, evidence.verdict);
        if self.judged.as_ref() != Some(&judged) {
            self.judged = Some(judged);
            self.shared.metrics.verdict(&self.key, label);
        }
    }

    pub(super) fn publish(&self, snapshot: &Snapshot, note: &Note) {
        let (rollout, namespace) = (&self.key.name, &self.key.namespace);
        if note.warning {
            tracing::warn!(%rollout, %namespace, reason = note.reason, "{}", note.message);
        } else {
            tracing::info!(%rollout, %namespace, reason = note.reason, "{}", note.message);
        }
        if note.detail {
            return;
        }
        self.shared.metrics.wrote("event");
        self.shared.events.publish(Notice {
            regarding: Reference {
                api_version: format!("{}/{}", api::GROUP, api::VERSION),
                kind: "Rollout".into(),
                namespace: namespace.clone(),
                name: rollout.clone(),
                uid: Some(text(&snapshot.rollout, "/metadata/uid").to_owned()),
            },
            related: None,
            reason: note.reason.to_owned(),
            action: "Release",
            warning: note.warning,
            note: note.message.clone(),
        });
        self.shared.metrics.events_dropped(self.shared.events.dropped());
    }

    /// A violated invariant: nothing is done, and somebody must look.
    pub(super) fn alarm(&mut self, snapshot: &Snapshot, breaches: &str) -> Turn {
        self.failure.get_or_insert("breach");
        self.publish(
            snapshot,
            &Note::warning(reason::INVARIANT_VIOLATED, format!("nothing is done: {breaches}")),
        );
        self.shared.metrics.breached(&self.key);
        Turn::Rest(RESYNC)
    }

    pub(super) fn count(&self, effect: &Effect, writes: usize) {
        for _ in 0..writes {
            self.shared.metrics.wrote(kind(effect));
        }
    }

    /// A route was written: whether that put back what somebody else had changed, and what is to be said of it.
    pub(super) fn undo(
        &mut self,
        snapshot: &Snapshot,
        (effect, applied): (&Effect, &Applied),
        weight: Weight,
        now: Moment,
    ) {
        if matches!(effect, Effect::RestoreRoute) {
            self.contest = Contest::default();
        }
        if !matches!(effect, Effect::Route { .. }) || applied.writes() == 0 {
            return;
        }
        let written = |route: &&Value| {
            let mut written = applied.written.iter().map(|(_, object)| object);
            written.any(|object| object["metadata"]["uid"] == route["metadata"]["uid"])
        };
        let mut routes = snapshot.routes.iter().filter_map(|(_, route)| route.as_ref());
        let changed = routes.by_ref().filter(written).find_map(|route| {
            let name = format!("{}/{}", self.key.namespace, text(route, "/metadata/name"));
            Some((name, field_owners::since_ours(route)?))
        });
        let changed = changed.as_ref().map(|(name, writer)| (name.as_str(), *writer));
        let Some(undone) = self.contest.wrote(weight, changed, now) else {
            return;
        };
        self.shared.metrics.drift_corrected(&self.key, ROUTE);
        if let Some(problem) = undone.news {
            self.publish(snapshot, &Note::warning(problem.reason, problem.message));
        }
    }
}

/// The rates behind the verdicts. Who has had no request has none.
pub(super) fn rates(verdicts: &[api::VerdictStatus]) -> Vec<Rate> {
    let share = |arm: api::Arm| (arm.total > 0).then(|| arm.bad as f64 / arm.total as f64);
    let mut rates = Vec::new();
    for verdict in verdicts {
        let Some(numbers) = verdict.numbers else {
            continue;
        };
        let arms = [
            (RateArm::Candidate, share(numbers.candidate)),
            (RateArm::Baseline, share(numbers.baseline)),
            (RateArm::Past, numbers.past.map(|past| past.rate)),
        ];
        rates.extend(arms.into_iter().filter_map(|(arm, value)| {
            Some(Rate {
                check: verdict.metric.clone(),
                arm,
                value: value?,
            })
        }));
    }
    rates
}

/// What an effect does, for "could not …".
pub(super) const fn name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Guard => "set the gate",
        Effect::Route { .. } => "set the route's weights",
        Effect::Candidate { .. } => "bring up the candidate",
        Effect::Unpause { .. } => "resume the Deployment",
        Effect::Pause => "pause the Deployment",
        Effect::Purge { .. } => "remove unapproved pods",
        Effect::RestoreRoute => "restore the route",
        Effect::Retire => "remove the candidate",
        Effect::Release { .. } => "take the gate off",
        Effect::RemoveFinalizer => "remove the finalizer",
        Effect::Finish { .. } => "finish an action",
    }
}

/// The kind of object that an effect writes.
const fn kind(effect: &Effect) -> &'static str {
    match effect {
        Effect::Route { .. } | Effect::RestoreRoute => "route",
        Effect::Candidate { .. } | Effect::Retire => "candidate",
        Effect::Unpause { .. } | Effect::Pause | Effect::Purge { .. } | Effect::Release { .. } => "workload",
        Effect::Guard | Effect::RemoveFinalizer => "gate",
        Effect::Finish { .. } => "action",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(metric: &str, numbers: Option<api::VerdictNumbers>) -> api::VerdictStatus {
        api::VerdictStatus {
            step: 1,
            metric: metric.into(),
            verdict: api::Verdict::Continue,
            reason: "evidence grows".into(),
            numbers,
        }
    }

    #[test]
    fn every_cause_is_expected() {
        // A new one makes this match incomplete: it belongs into the list too.
        let place = |cause: Cause| match cause {
            Cause::Regression => 0,
            Cause::Leaking => 1,
            Cause::NotReady => 2,
            Cause::CapacityLost => 3,
            Cause::Crashing => 4,
            Cause::Inconclusive => 5,
            Cause::NoData => 6,
            Cause::Aborted => 7,
            Cause::Superseded => 8,
            Cause::Reverted => 9,
        };
        assert_eq!(CAUSES.map(place), std::array::from_fn(|at| at));
    }

    #[test]
    fn every_arm_with_requests_has_its_rate() {
        let beside = api::VerdictNumbers {
            candidate: api::Arm { total: 12, bad: 3 },
            baseline: api::Arm { total: 100, bad: 1 },
            ..api::VerdictNumbers::default()
        };
        let alone = api::VerdictNumbers {
            candidate: api::Arm { total: 4, bad: 0 },
            past: Some(api::Past {
                rate: 0.125,
                limit: 0.5,
            }),
            ..api::VerdictNumbers::default()
        };
        let verdicts = [
            verdict("error-rate", Some(beside)),
            verdict("latency", Some(alone)),
            verdict("memory", None),
        ];
        let rate = |check: &str, arm, value| Rate {
            check: check.into(),
            arm,
            value,
        };
        let expected = [
            rate("error-rate", RateArm::Candidate, 0.25),
            rate("error-rate", RateArm::Baseline, 0.01),
            rate("latency", RateArm::Candidate, 0.0),
            rate("latency", RateArm::Past, 0.125),
        ];
        assert_eq!(rates(&verdicts), expected);
    }
}

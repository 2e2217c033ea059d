//! When pods under judgement were young, that is, still warming up. Meanwhile only gross faults count, and nothing counts in
//! their favour.
//!
//! Invariants: a pod is young once, from its first readiness on; within a step, and beyond its own warm-up, pods are
//! young for [`MOST`] warm-ups at most in all, however many come; what is kept of it in the status gives a new process
//! the same answers about every reading, whether or not the pods are still there.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use serde_json::Value;

use crate::cluster::observe::ready::Newcomer;
use crate::engine::Moment;
use crate::engine::quantity::after;

/// How many warm-ups the pods of a step may take beyond its own. A candidate whose pods are replaced again and again is
/// judged all the same.
const MOST: i32 = 3;

/// From the first moment of youth to the last.
pub(super) type Span = (Moment, Moment);

/// The step that pods may come in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    pub(super) entered: Moment,
    pub(super) warm_up: Duration,
}

/// When pods were young.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Young {
    /// In order, without touching each other.
    spans: Vec<Span>,
    /// Pods that were ready before: to become ready again makes nobody young.
    known: BTreeSet<String>,
}

impl Young {
    /// What an earlier process has kept.
    pub(super) fn resume(spans: Vec<Span>) -> Self {
        Self {
            spans: spans.into_iter().fold(Vec::new(), with),
            known: BTreeSet::new(),
        }
    }

    /// What to keep.
    pub(super) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Whether the evidence that the status keeps says all of it.
    pub(super) fn is_in(&self, evidence: Option<&Value>) -> bool {
        let kept = || serde_json::from_value::<Vec<Span>>(evidence?.get("young")?.clone()).ok();
        self.spans.is_empty() || kept().is_some_and(|kept| self.spans.iter().all(|span| kept.contains(span)))
    }

    /// Whether a pod was young at any time between these moments.
    pub(super) fn between(&self, from: Moment, until: Moment) -> bool {
        self.spans
            .iter()
            .any(|(begins, ends)| *begins < until && from < *ends)
    }

    /// A step begins: readings before `read` are judged, and what was young before both is forgotten.
    pub(super) fn begin_step(&mut self, entered: Moment, read: Moment) {
        self.spans.retain(|(_, ends)| *ends > entered.min(read));
        self.known.clear();
    }

    /// Candidate pods that are ready. Those that were made before the step have their warm-up in that of the step: it
    /// begins when they are ready.
    pub(super) fn see(&mut self, pods: Vec<Newcomer>, step: Step) {
        for pod in pods.into_iter().filter(|pod| pod.created >= step.entered) {
            if self.known.insert(pod.uid) {
                self.add(pod.ready, step);
            }
        }
    }

    /// Pods of which nothing but names is known: those that were not there at the first look are new.
    pub(super) fn meet(&mut self, pods: BTreeSet<&str>, now: Moment, step: Step) {
        let first = self.known.is_empty();
        for pod in pods {
            if self.known.insert(pod.to_owned()) && !first {
                self.add(now, step);
            }
        }
    }

    /// A pod is young from here on, as far as the step's allowance goes.
    fn add(&mut self, begins: Moment, step: Step) {
        let later = |moment: Moment| after(moment, step.warm_up);
        let most = SignedDuration::try_from(step.warm_up)
            .unwrap_or(SignedDuration::MAX)
            .saturating_mul(MOST);
        let over = |spans: &[Span]| {
            length(spans, later(step.entered))
                .saturating_sub(most)
                .max(SignedDuration::ZERO)
        };
        let wanted = with(self.spans.clone(), (begins, later(begins)));
        let Ok(ends) = later(begins).checked_sub(over(&wanted)) else {
            return;
        };
        if ends > begins {
            let spans = with(self.spans.clone(), (begins, ends));
            if over(&spans).is_zero() {
                self.spans = spans;
            }
        }
    }
}

/// The spans with another one.
fn with(mut spans: Vec<Span>, mut new: Span) -> Vec<Span> {
    spans.retain(|span| {
        let touches = span.0 <= new.1 && new.0 <= span.1;
        if touches {
            new = (span.0.min(new.0), span.1.max(new.1));
        }
        !touches
    });
    spans.push(new);
    spans.sort_unstable();
    spans
}

/// How long they last together after a moment.
fn length(spans: &[Span], after: Moment) -> SignedDuration {
    let lengths = spans
        .iter()
        .map(|(begins, ends)| ends.duration_since((*begins).max(after)));
    lengths
        .map(|length| length.max(SignedDuration::ZERO))
        .fold(SignedDuration::ZERO, SignedDuration::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: i64) -> Moment {
        Moment::from_second(at).expect("in range")
    }

    fn step() -> Step {
        Step {
            entered: second(100),
            warm_up: Duration::from_secs(30),
        }
    }

    fn pod(uid: &str, created: i64, ready: i64) -> Vec<Newcomer> {
        vec![Newcomer {
            uid: uid.to_owned(),
            created: second(created),
            ready: second(ready),
        }]
    }

    fn seconds(young: &Young) -> Vec<(i64, i64)> {
        let spans = young.spans().iter();
        spans
            .map(|(from, until)| (from.as_second(), until.as_second()))
            .collect()
    }

    #[test]
    fn a_pod_that_comes_in_mid_step_is_young_once() {
        let mut young = Young::default();
        young.see(pod("there", 90, 99), step());
        assert_eq!(seconds(&young), [], "the step's own warm-up is for those");
        young.see(pod("there", 90, 200), step());
        assert_eq!(seconds(&young), [], "nor is it young for a probe that failed");
        young.see(pod("new", 190, 210), step());
        young.see(pod("new", 190, 300), step());
        young.see(pod("next", 190, 220), step());
        assert_eq!(seconds(&young), [(210, 250)]);
        for (from, until, warming) in [
            (195, 210, false),
            (196, 211, true),
            (240, 255, true),
            (249, 250, true),
            (250, 265, false),
        ] {
            assert_eq!(young.between(second(from), second(until)), warming, "{from}");
        }
    }

    #[test]
    fn pods_that_come_again_and_again_are_young_for_three_warm_ups_at_most() {
        let mut young = Young::default();
        for turn in 0..50 {
            young.see(pod(&turn.to_string(), 150 + 40 * turn, 152 + 40 * turn), step());
        }
        assert_eq!(seconds(&young), [(152, 182), (192, 222), (232, 262)]);
        // What lies in the step's own warm-up costs nothing, and the last pod gets what is left.
        let mut young = Young::default();
        for (turn, ready) in [110, 150, 190, 230, 270].into_iter().enumerate() {
            young.see(pod(&turn.to_string(), 105, ready), step());
        }
        assert_eq!(seconds(&young), [(110, 140), (150, 180), (190, 220), (230, 250)]);
    }

    #[test]
    fn what_was_kept_gives_the_same_spans_whoever_is_still_there() {
        let mut young = Young::default();
        for (turn, ready) in [150, 190, 230, 250].into_iter().enumerate() {
            young.see(pod(&turn.to_string(), 105, ready), step());
        }
        let mut other = Young::resume(young.spans().to_vec());
        other.see(pod("1", 105, 190), step());
        other.see(pod("3", 105, 250), step());
        assert_eq!(other.spans(), young.spans());
        assert_eq!(Young::resume(Vec::new()).spans(), []);
    }

    #[test]
    fn a_step_forgets_what_is_judged_and_allows_anew() {
        let mut young = Young::default();
        for ready in [150, 190, 230] {
            young.see(pod(&ready.to_string(), 105, ready), step());
        }
        let next = Step {
            entered: second(250),
            ..step()
        };
        young.begin_step(next.entered, second(215));
        assert_eq!(
            seconds(&young),
            [(190, 220), (230, 260)],
            "a reading of 190 to 230 is still to come"
        );
        young.see(pod("230", 105, 300), next);
        young.see(pod("new", 260, 300), next);
        assert_eq!(seconds(&young), [(190, 220), (230, 260), (300, 330)]);
        young.begin_step(second(400), second(399));
        assert_eq!(seconds(&young), []);
    }

    #[test]
    fn where_only_names_are_known_the_first_are_not_new() {
        let mut young = Young::default();
        young.meet(["a", "b"].into(), second(150), step());
        young.meet(["b"].into(), second(200), step());
        young.meet(["a", "b"].into(), second(210), step());
        assert_eq!(seconds(&young), []);
        young.meet(["a", "c"].into(), second(220), step());
        assert_eq!(seconds(&young), [(220, 250)]);
    }
}

//! An independent look at every decision. A breach holds the release, raises an alarm, and acts on nothing.
//!
//! Written without the helpers of `decide`, so that one mistake is not made twice.

use std::fmt;

use super::decide::Decision;
use super::effect::Effect;
use super::judge::Verdict;
use super::observation::Observation;
use super::plan::Plan;
use super::quantity::Weight;
use super::state::{Phase, PromotionStage, State};

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach(pub &'static str);

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Every invariant that `decision` violates; empty for a sound one.
pub fn check(plan: &Plan, before: &State, seen: &Observation, decision: &Decision) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let mut must = |sound: bool, what| {
        if !sound {
            breaches.push(Breach(what));
        }
    };
    must(
        grows_on_proof(plan, before, seen, &decision.next),
        "the weight grows without a pass of this revision at this step",
    );
    must(
        retreats_at_once(before, seen, &decision.next),
        "a failed, aborted or replaced revision keeps its weight",
    );
    must(
        has_capacity(plan, seen, decision),
        "weight is given to a track without ready capacity for it",
    );
    must(
        keeps_incumbent(decision),
        "the incumbent's pods are touched while they may have to serve",
    );
    must(
        never_silent(&decision.next),
        "a state waits and says neither for whom nor until when",
    );
    must(
        downs_before_ends(seen, decision),
        "a candidate that may bear traffic loses its pods",
    );
    breaches
}

/// Weight above what was committed needs one more passed rung, and a passed rung needs a fresh pass.
fn grows_on_proof(plan: &Plan, before: &State, seen: &Observation, next: &State) -> bool {
    let Phase::Releasing(new) = &next.phase else {
        return true;
    };
    if new.weight > plan.rung(new.passed).weight {
        return false;
    }
    let (old_passed, old_entered) = match &before.phase {
        Phase::Releasing(old) if old.revision == new.revision => (old.passed, old.entered),
        _ => (0, new.started),
    };
    if new.passed <= old_passed {
        return true;
    }
    let fresh = seen.evidence.silent.is_none()
        && seen.evidence.revision.as_ref() == Some(&new.revision)
        && seen.evidence.rung == old_passed
        && seen.evidence.at.is_some_and(|at| at > old_entered)
        && seen.evidence.verdict == Verdict::Pass;
    new.passed == old_passed + 1 && fresh
}

fn retreats_at_once(before: &State, seen: &Observation, next: &State) -> bool {
    let Some(active) = before.active() else {
        return true;
    };
    let condemned = matches!(before.phase, Phase::Releasing(_))
        && seen.workload.is_some()
        && seen.evidence.verdict == Verdict::Fail
        && seen.evidence.revision.as_ref() == Some(active);
    let retreating = matches!(before.phase, Phase::RollingBack(_) | Phase::RolledBack(_));
    let same = next.active() == Some(active);
    !(condemned || retreating) || !same || next.weight() == Weight::NONE
}

fn has_capacity(plan: &Plan, seen: &Observation, decision: &Decision) -> bool {
    let Some(workload) = &seen.workload else {
        return decision
            .effects
            .iter()
            .all(|effect| !matches!(effect, Effect::Route { up: true, .. }));
    };
    let returning = matches!(&decision.next.phase, Phase::Promoting(promotion) if promotion.stage != PromotionStage::Handover);
    decision.effects.iter().all(|effect| match effect {
        Effect::Route { weight, up: true } if !returning => {
            let _ = plan;
            seen.candidate.ready
                >= weight
                    .share_of(workload.replicas)
                    .min(match &decision.next.phase {
                        Phase::Releasing(release) => release.granted.max(1),
                        _ => 1,
                    })
        }
        _ => true,
    })
}

/// Only a promotion, or the removal in the midst of one, may roll the user's Deployment to a new template.
fn keeps_incumbent(decision: &Decision) -> bool {
    let stable = decision.next.stable.as_ref();
    decision
        .effects
        .iter()
        .all(|effect| match (effect, &decision.next.phase) {
            (
                Effect::Unpause { template } | Effect::Purge { keep: template },
                Phase::Promoting(promotion),
            ) => promotion.stage != PromotionStage::Handover && *template == promotion.revision,
            (Effect::Purge { keep }, Phase::Deleting(removal)) => removal.approved.as_ref() == Some(keep),
            (Effect::Unpause { .. }, Phase::Adopting) => true,
            (Effect::Unpause { template } | Effect::Purge { keep: template }, _) => stable == Some(template),
            _ => true,
        })
}

fn never_silent(next: &State) -> bool {
    match &next.phase {
        Phase::Idle => true,
        Phase::Adopting
        | Phase::Releasing(_)
        | Phase::RollingBack(_)
        | Phase::RolledBack(_)
        | Phase::Promoting(_)
        | Phase::Deleting(_) => next
            .waiting
            .as_ref()
            .is_some_and(|waiting| !waiting.message.is_empty()),
    }
}

fn downs_before_ends(seen: &Observation, decision: &Decision) -> bool {
    decision.effects.iter().all(|effect| match effect {
        Effect::Retire => seen.route.highest() == Weight::NONE && decision.next.weight() == Weight::NONE,
        Effect::Candidate { replicas, .. } => {
            *replicas >= seen.candidate.desired || seen.route.highest() == Weight::NONE
        }
        Effect::RemoveFinalizer => seen.route.highest() == Weight::NONE,
        _ => true,
    })
}

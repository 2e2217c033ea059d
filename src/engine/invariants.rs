//! An independent look at every decision. A breach holds the release, raises an alarm, and acts on nothing.
//!
//! Written without the helpers of `decide`, so that one mistake is not made twice.

#![allow(clippy::wildcard_enum_match_arm)] // each rule names what it is about, and lets the rest pass

use std::fmt;

use super::decide::Decision;
use super::effect::Effect;
use super::gauge::{Leak, Room};
use super::judge::Verdict;
use super::observation::{Candidate, Observation, Route, Verb, Workload};
use super::plan::Plan;
use super::quantity::{Moment, Revision, Weight};
use super::reason;
use super::state::{Phase, PromotionStage, Release, Stage, State};

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
        leaves_somebody(before, seen, &decision.next),
        "traffic is taken from ready pods and given to nobody, or to too few",
    );
    must(
        has_capacity(seen, decision),
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
    let fresh = |revision: &Revision, rung: usize, since: Moment| {
        seen.evidence.silent.is_none()
            && seen.evidence.revision.as_ref() == Some(revision)
            && seen.evidence.rung == rung
            && seen.evidence.at.is_some_and(|at| at > since)
    };
    let gauges = &seen.evidence.gauges;
    let fits = gauges.room == Room::Enough && gauges.leak == Leak::None;
    match (&before.phase, &next.phase) {
        (Phase::Releasing(old), Phase::Promoting(new)) => {
            old.revision == new.revision
                && old.stage == Stage::Judging
                && plan.is_top(old.rung)
                && proof(plan, old).1
                && fresh(&old.revision, old.rung, old.entered)
                && seen.evidence.verdict != Verdict::Fail
                && fits
        }
        (Phase::Promoting(_), _) => true,
        (_, Phase::Promoting(_)) => false,
        (before, Phase::Releasing(new)) => {
            let Phase::Releasing(old) = before else {
                return new.passed == 0 && new.weight <= plan.rung(0).weight;
            };
            if old.revision != new.revision {
                return new.passed == 0 && new.weight <= plan.rung(0).weight;
            }
            let pass = new.passed == old.passed + 1
                && seen.evidence.verdict == Verdict::Pass
                && fresh(&old.revision, old.passed, old.entered)
                && fits;
            // The owner may change the steps: what was proven on the old ones is all that the new ones may build on.
            let ((highest, whole), (had, had_whole)) = (proof(plan, new), proof(plan, old));
            let no_more = highest <= had && whole <= had_whole;
            let given = new.weight <= plan.rung(new.passed).weight || new.weight <= old.weight;
            given && (pass || no_more)
        }
        _ => true,
    }
}

/// The proof that a release rests on: the highest weight passed, and whether the last one before the bake was.
fn proof(plan: &Plan, release: &Release) -> (Weight, bool) {
    let weights: Vec<Weight> = if release.ladder.is_empty() {
        plan.ladder().collect()
    } else {
        release.ladder.clone()
    };
    let passed = release.passed.min(weights.len());
    let highest = weights[..passed].iter().max().copied().unwrap_or(Weight::NONE);
    (highest, passed > 0 && passed + 1 >= weights.len())
}

/// Whoever is convicted, aborted or replaced has no weight after the decision, and gets none before a new release.
fn retreats_at_once(before: &State, seen: &Observation, next: &State) -> bool {
    let anew = |ended: &Revision, may_be_same: bool| match &next.phase {
        Phase::Releasing(new) => may_be_same || new.revision != *ended,
        _ => next.weight() == Weight::NONE,
    };
    let (revision, rising) = match &before.phase {
        Phase::Releasing(release) => (&release.revision, true),
        Phase::Promoting(promotion) => (&promotion.revision, promotion.stage == PromotionStage::Handover),
        // Its own or another release may follow at once, but from the first rung (see `grows_on_proof`).
        Phase::RollingBack(retreat) => return anew(&retreat.revision, !retreat.cause.rejects()),
        Phase::RolledBack(rejection) => return anew(&rejection.revision, false),
        Phase::Adopting | Phase::Idle | Phase::Deleting(_) => return true,
    };
    let Some(workload) = &seen.workload else {
        return true;
    };
    let stable_left = before
        .stable
        .as_ref()
        .is_none_or(|stable| workload.pods(stable).desired > 0);
    // Where too few others are ready to serve, only what a comparison has shown is a reason to serve nobody. (A candidate that
    // is there and not ready may be so for a moment.) Nor does what the past said until somebody could.
    let there = seen.candidate.revision.as_ref() == Some(revision) && seen.candidate.service;
    let others = workload.replicas == 0
        || !there
        || seen.candidate.desired == 0
        || workload.endpoints >= enough_stable(workload, &seen.candidate);
    let evidence = &seen.evidence;
    let stale = match &before.phase {
        Phase::Releasing(Release { gap: Some(gap), .. }) => gap
            .until
            .is_none_or(|until| evidence.at.is_none_or(|at| at <= until)),
        _ => false,
    };
    let fails = evidence.verdict == Verdict::Fail && (others && !stale || !evidence.by_past);
    let leaks = matches!(evidence.gauges.leak, Leak::Fails(_)) && others && !(evidence.by_past && stale);
    let convicted = (fails || leaks) && evidence.revision.as_ref() == Some(revision) && stable_left;
    let replaced = workload.template != *revision && stable_left && others;
    let aborted = is_aborted(before, seen, revision);
    // Of one that had no weight yet nothing is to be rolled back: the next release may have its own at once.
    let gone = before.weight() == Weight::NONE && anew(revision, false) || next.weight() == Weight::NONE;
    !(rising && (convicted || replaced || aborted)) || gone
}

/// Whether a person asks for the end of `revision`'s release, and has no answer yet.
fn is_aborted(before: &State, seen: &Observation, revision: &Revision) -> bool {
    seen.actions.iter().any(|action| {
        action.verb == Verb::Abort
            && action.revision.as_ref().is_none_or(|meant| meant == revision)
            && before.handled.iter().all(|handled| handled.id != action.id)
    })
}

/// Stable pods that take the traffic of a candidate without falling under it: as many as it has, or half of all.
fn enough_stable(workload: &Workload, candidate: &Candidate) -> u32 {
    let most = workload.replicas / 2 + workload.replicas % 2;
    let stay = if candidate.going { 0 } else { candidate.ready };
    most.min(stay).max(1)
}

/// Traffic leaves a candidate that has ready pods only for a Deployment that has some, before a promotion enough of them, unless
/// a person or a comparison says so. (One that is gone or scaled to zero is to serve nobody; a route that another release has taken gives this one nothing.)
fn leaves_somebody(before: &State, seen: &Observation, next: &State) -> bool {
    let Some(workload) = &seen.workload else {
        return true;
    };
    let (candidate, active) = (&seen.candidate, before.active());
    let there = candidate.revision.is_some() && candidate.service && candidate.desired > 0;
    let mine = active.is_none_or(|active| candidate.revision.as_ref() == Some(active));
    let serves = there && mine && candidate.ready > 0;
    let least = match &before.phase {
        // Once the Deployment rolls, either side has what it has.
        Phase::Promoting(promotion) if promotion.stage != PromotionStage::Handover => 1,
        _ => enough_stable(workload, candidate),
    };
    let nobody = workload.replicas > 0 && workload.endpoints < least;
    let busy = matches!(&seen.route, Route::Unusable(problem) if problem.reason == reason::ROUTE_BUSY);
    if next.weight() >= before.weight() || !serves || !nobody || busy {
        return true;
    }
    let evidence = &seen.evidence;
    active.is_some_and(|active| {
        let worse = evidence.verdict == Verdict::Fail
            && !evidence.by_past
            && evidence.revision.as_ref() == Some(active);
        worse || is_aborted(before, seen, active)
    })
}

fn has_capacity(seen: &Observation, decision: &Decision) -> bool {
    let raised = decision.effects.iter().find_map(|effect| match effect {
        Effect::Route { weight, up: true } => Some(*weight),
        _ => None,
    });
    let Some(weight) = raised else {
        return true;
    };
    let Some(workload) = &seen.workload else {
        return false;
    };
    let share = weight.share_of(workload.replicas);
    let needed = match &decision.next.phase {
        Phase::Releasing(release) => share.min(release.granted),
        // Replicas that came since the last step need no pods yet.
        Phase::Promoting(promotion) if promotion.stage == PromotionStage::Handover => weight.share_of(
            promotion
                .replicas
                .map_or(workload.replicas, |known| known.min(workload.replicas)),
        ),
        _ => 1,
    };
    seen.candidate.revision.as_ref() == decision.next.active()
        && seen.candidate.service
        && seen.candidate.ready >= needed.max(1)
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
            ) => match promotion.stage {
                PromotionStage::Handover => false,
                // Given up: the revision that served before may serve again.
                PromotionStage::Failed => *template == promotion.revision || stable == Some(template),
                _ => *template == promotion.revision,
            },
            (Effect::Unpause { template } | Effect::Purge { keep: template }, Phase::Deleting(removal)) => {
                removal.approved.as_ref().or(stable) == Some(template)
            }
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
    let bare = match &seen.route {
        Route::Unusable(problem) => {
            problem.reason == reason::ROUTE_NOT_FOUND || problem.reason == reason::ROUTE_WITHOUT_SERVICE
        }
        Route::Seen { highest, .. } => *highest == Weight::NONE,
    };
    decision.effects.iter().all(|effect| match effect {
        Effect::Retire => bare && decision.next.weight() == Weight::NONE,
        Effect::Candidate { replicas, .. } => *replicas >= seen.candidate.desired || bare,
        Effect::RemoveFinalizer => {
            bare || seen.candidate.revision.is_none() || decision.next.stable.is_none()
        }
        _ => true,
    })
}

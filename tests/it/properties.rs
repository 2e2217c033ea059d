//! What holds of every decision, shown on more than a million of them.
//!
//! Seeds are fixed, so that a failure is the same on every machine; `SERIN_SEED=n` looks elsewhere.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)] // a set-up that fails is a test that fails

use std::collections::BTreeMap;
use std::time::Duration;

use serin::engine::effect::Effect;
use serin::engine::gauge::{Gauges, Leak};
use serin::engine::judge::{Evidence, Verdict};
use serin::engine::observation::{
    Action, Candidate, Crashes, Gate, Observation, Pods, Residual, Route, Verb, Workload,
};
use serin::engine::plan::Rung;
use serin::engine::reason::{self, Waiting};
use serin::engine::state::{Phase, PromotionStage, Release, Stage};
use serin::engine::{Decision, Moment, Plan, Revision, State, Weight, check, decide};

use crate::support::random::Dice;

/// Walks and the steps of each; every step is decided twice.
const WALKS: u64 = 5_000;
const STEPS: usize = 200;
/// Decisions on states that nobody can reach.
const WILD: u64 = 200_000;

#[allow(clippy::disallowed_methods)] // a test may be told where to look
fn seed() -> u64 {
    std::env::var("SERIN_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1)
}

fn start() -> Moment {
    Moment::from_second(1_700_000_000).unwrap()
}

/// Everything that holds of any decision, whatever it rests on.
fn sound(plan: &Plan, state: &State, seen: &Observation, now: Moment) -> Result<Decision, String> {
    let decision = decide(plan, state, seen, now);
    let again = decide(plan, &decision.next, seen, now);
    if again.next != decision.next {
        return Err(format!(
            "decided twice: {:#?}\nthen {:#?}",
            decision.next, again.next
        ));
    }
    if !again.notes.is_empty() {
        return Err(format!("told twice: {:?}", again.notes));
    }
    if again.effects != decision.effects || again.wake != decision.wake {
        return Err(format!("effects {:?} then {:?}", decision.effects, again.effects));
    }
    if decision.wake.is_some_and(|wake| wake <= now) {
        return Err("wakes in the past".to_owned());
    }
    if let Some(waiting) = state.waiting.as_ref().filter(|waiting| waiting.is_progress()) {
        let mut elsewhere = state.clone();
        elsewhere.waiting = Some(Waiting::on(reason::CLEARING, "said an hour ago").until(Some(now)));
        let other = decide(plan, &elsewhere, seen, now);
        if other != decision {
            return Err(format!("rests on an ordinary wait: {waiting:?}"));
        }
    }
    if decision.next.caught_up(now).is_some() {
        return Err("a time that has not come yet stalls it".to_owned());
    }
    if !decision.decides(state) && decision.next.phase != state.phase {
        return Err("a change of phase is taken for a report".to_owned());
    }
    let waits = decision
        .next
        .waiting
        .as_ref()
        .is_some_and(|waiting| !waiting.message.is_empty());
    if !waits && decision.next.phase != Phase::Idle {
        return Err("waits in silence".to_owned());
    }
    Ok(decision)
}

/// Weight grows by proof alone, and falls at once: an oracle that shares nothing with the engine.
fn lawful(plan: &Plan, state: &State, seen: &Observation, next: &State, now: Moment) -> Result<(), String> {
    let err = |what: &str| Err(what.to_owned());
    let rising = match &state.phase {
        Phase::Releasing(release) => Some(&release.revision),
        Phase::Promoting(promotion) if promotion.stage == PromotionStage::Handover => {
            Some(&promotion.revision)
        }
        _ => None,
    };
    if let (Some(revision), Some(workload)) = (rising, &seen.workload) {
        let evidence = &seen.evidence;
        let leaks = matches!(evidence.gauges.leak, Leak::Fails(_));
        let fails =
            (evidence.verdict == Verdict::Fail || leaks) && evidence.revision.as_ref() == Some(revision);
        let aborted = seen.actions.iter().any(|action| {
            action.verb == Verb::Abort
                && action.revision.as_ref().is_none_or(|meant| meant == revision)
                && state.handled.iter().all(|handled| handled.id != action.id)
        });
        // Where the stable pods are gone there is nothing that the traffic could go back to.
        let stable = state.stable.as_ref();
        // Nor where too few of them are ready and the candidate's are, or may be in a moment: a newer template is no reason to
        // serve nobody.
        let candidate = &seen.candidate;
        let there = candidate.revision.as_ref() == Some(revision) && candidate.service;
        let others =
            workload.replicas == 0 || !there || candidate.desired == 0 || !too_few(workload, candidate);
        let replaced = workload.template != *revision
            && stable.is_none_or(|stable| workload.pods(stable).desired > 0)
            && others;
        // What both have looks like the candidate's own where the past is all that is left to compare with; what was found while
        // nobody else served is no finding.
        let excused = evidence.by_past && (!others || state_excuses(state, evidence));
        let fails = fails && !excused && (others || evidence.verdict == Verdict::Fail);
        // One that had no weight yet may be followed by another release at once.
        let another = state.weight() == Weight::NONE && next.active() != Some(revision);
        if (fails || aborted || replaced) && next.weight() > Weight::NONE && !another {
            return err("a condemned revision keeps its weight");
        }
    }
    match (&state.phase, &next.phase) {
        (Phase::RollingBack(_) | Phase::RolledBack(_), Phase::Releasing(new)) if new.started != now => {
            err("a release that ended goes on")
        }
        (Phase::Releasing(old), Phase::Releasing(new)) if new.started == old.started => {
            passes_by_proof(plan, old, new, proven(old, &seen.evidence, now))?;
            let given = plan
                .rungs
                .get(new.rung)
                .is_some_and(|rung| new.weight == rung.weight);
            if new.weight > old.weight && !(given && new.rung <= new.passed) {
                return err("weight grows beyond what was passed");
            }
            Ok(())
        }
        (Phase::Releasing(old), Phase::Promoting(_)) => {
            let top = old.rung + 1 == plan.rungs.len() && old.passed + 1 >= plan.rungs.len();
            let fresh = current(old, &seen.evidence, now)
                && seen.evidence.verdict != Verdict::Fail
                && seen.evidence.gauges == Gauges::default();
            if top && fresh {
                Ok(())
            } else {
                err("promoted without the last rung")
            }
        }
        (Phase::Releasing(_) | Phase::Promoting(_), _) | (_, Phase::Deleting(_)) => Ok(()),
        (_, Phase::Promoting(_)) => err("promoted out of nothing"),
        (_, next_phase) => {
            let first = |new: &Release| new.weight <= plan.rungs[0].weight && new.started == now;
            match next_phase {
                Phase::Releasing(new) if !first(new) => err("a release begins above its first rung"),
                _ => Ok(()),
            }
        }
    }
}

/// Whether nobody else served until now, or when the evidence was read.
fn state_excuses(state: &State, evidence: &Evidence) -> bool {
    match &state.phase {
        Phase::Releasing(release) => release.gap.is_some_and(|gap| {
            gap.until
                .is_none_or(|until| evidence.at.is_none_or(|at| at <= until))
        }),
        _ => false,
    }
}

/// Stable pods to which a candidate with so many ready ones would only give what they cannot bear.
fn too_few(workload: &Workload, candidate: &Candidate) -> bool {
    let stay = if candidate.going { 0 } else { candidate.ready };
    let ready = workload.endpoints;
    ready == 0 || ready < stay && ready < workload.replicas.div_ceil(2)
}

/// No decision moves weight from a side with ready pods to one without, or before a promotion to one with too few, but a person's
/// abort, or a conviction beside a baseline that lives.
fn served(state: &State, seen: &Observation, next: &State) -> Result<(), String> {
    let Some(workload) = seen.workload.as_ref().filter(|workload| workload.replicas > 0) else {
        return Ok(());
    };
    let candidate = &seen.candidate;
    let ready = |release: &State| {
        let of = candidate.revision.as_ref();
        let mine = of.is_some() && (release.active().is_none() || of == release.active());
        if mine && candidate.service {
            candidate.ready
        } else {
            0
        }
    };
    let (from, to) = (state.weight(), next.weight());
    if to > from && ready(next) == 0 && workload.endpoints > 0 {
        return Err("traffic goes to a candidate without ready pods".to_owned());
    }
    let aborts = |action: &Action| action.verb == Verb::Abort;
    let says = seen.actions.iter().any(aborts) || {
        let evidence = &seen.evidence;
        let about = evidence.revision.as_ref() == state.active();
        evidence.verdict == Verdict::Fail && about && !evidence.by_past
    };
    // Whoever has scaled it to zero has decided.
    let serves = ready(state) > 0 && candidate.desired > 0;
    let begun =
        matches!(&state.phase, Phase::Promoting(promotion) if promotion.stage != PromotionStage::Handover);
    let few = workload.endpoints == 0 || !begun && too_few(workload, candidate);
    if to < from && serves && few && !says {
        return Err("traffic goes to a Deployment with too few ready pods".to_owned());
    }
    Ok(())
}

/// A rung is passed by a fresh pass on it; one of new steps, by what the old ones have shown.
fn passes_by_proof(plan: &Plan, old: &Release, new: &Release, fresh: bool) -> Result<(), String> {
    let err = |what: &str| Err(what.to_owned());
    let mut shown = shown(old);
    if fresh {
        shown.push((old.weight, old.rung + 2 >= old.ladder.len()));
    }
    let rests_on = |rung: &Rung| {
        let last = rung.step + 1 == plan.steps;
        shown
            .iter()
            .any(|(weight, top)| *weight >= rung.weight && (*top || !last))
    };
    if new.ladder != old.ladder && !plan.rungs.iter().take(new.passed).all(rests_on) {
        return err("a rung of new steps is passed that the old ones did not show");
    }
    let one_more = new.passed == old.passed + 1 && fresh;
    if new.ladder == old.ladder && new.passed > old.passed && !one_more {
        return err("a rung is passed without a fresh pass");
    }
    Ok(())
}

/// The weights that a release has passed, and whether the bake may follow.
fn shown(release: &Release) -> Vec<(Weight, bool)> {
    let top = release.ladder.len();
    let passed = release.ladder.iter().take(release.passed).enumerate();
    passed
        .map(|(index, weight)| (*weight, index + 2 >= top))
        .collect()
}

fn current(release: &Release, evidence: &Evidence, now: Moment) -> bool {
    evidence.revision.as_ref() == Some(&release.revision)
        && evidence.rung == release.rung
        && evidence.silent.is_none()
        && evidence.at.is_some_and(|at| at > release.entered && at <= now)
}

fn proven(release: &Release, evidence: &Evidence, now: Moment) -> bool {
    current(release, evidence, now)
        && evidence.verdict == Verdict::Pass
        && evidence.gauges == Gauges::default()
}

/// A cluster without delays that mostly obeys.
fn obey(seen: &mut Observation, effects: &[Effect], now: Moment) {
    for effect in effects {
        let workload = seen.workload.as_mut();
        match effect {
            Effect::Route { weight, .. } => seen.route = routed(*weight, true, now),
            Effect::RestoreRoute => seen.route = routed(Weight::NONE, false, now),
            Effect::Candidate { revision, replicas } => {
                seen.candidate.revision = Some(revision.clone());
                seen.candidate.service = true;
                seen.candidate.going = false;
                seen.candidate.desired = *replicas;
                seen.candidate.ready = *replicas;
            }
            Effect::Retire => seen.candidate = Candidate::default(),
            Effect::Finish { id, .. } => seen.actions.retain(|action| action.id != *id),
            Effect::RemoveFinalizer => seen.deleting = false,
            Effect::Guard
            | Effect::Release { .. }
            | Effect::Pause
            | Effect::Unpause { .. }
            | Effect::Purge { .. } => {
                if let Some(workload) = workload {
                    obey_gate(workload, effect);
                }
            }
        }
    }
}

fn obey_gate(workload: &mut Workload, effect: &Effect) {
    let full = Pods {
        desired: workload.replicas,
        ready: workload.replicas,
    };
    match effect {
        Effect::Guard => workload.gated = true,
        Effect::Release { resume } => {
            workload.gated = false;
            workload.paused &= !resume;
        }
        Effect::Pause => workload.paused = true,
        Effect::Unpause { template } if *template == workload.template => {
            workload.paused = false;
            workload.revisions = BTreeMap::from([(template.clone(), full)]);
        }
        Effect::Purge { keep } => {
            workload.paused = true;
            workload.revisions = BTreeMap::from([(keep.clone(), full)]);
        }
        _ => {}
    }
    workload.endpoints = workload.replicas;
}

fn routed(weight: Weight, touched: bool, now: Moment) -> Route {
    Route::Seen {
        weight: Some(weight),
        highest: weight,
        touched,
        named: touched,
        accepted_since: Some(now),
        refusal: None,
    }
}

/// What the metrics would say of `state`, for better or worse.
fn judged(dice: &mut Dice, state: &State, now: Moment) -> Evidence {
    let mut evidence = dice.evidence(now);
    if let (Phase::Releasing(release), true) = (&state.phase, dice.chance(95)) {
        evidence.revision = Some(release.revision.clone());
        evidence.rung = release.rung;
        evidence.at = Some(now);
        evidence.silent = if dice.chance(3) { evidence.silent } else { None };
        evidence.verdict = if dice.chance(2) {
            Verdict::Fail
        } else {
            dice.one(&[Verdict::Pass, Verdict::Continue])
        };
    }
    evidence
}

/// One thing goes another way.
fn surprise(dice: &mut Dice, seen: &mut Observation, now: Moment) {
    match dice.below(15) {
        0 => seen.workload = dice.chance(60).then(|| dice.workload()),
        1 => seen.candidate = dice.candidate(),
        2 => seen.route = dice.route(now),
        3 => seen.gate = dice.gate(),
        4 => *seen = dice.observation(now),
        5 => seen.deleting = dice.chance(30),
        6 => seen.candidate.ready = dice.below(5),
        7 | 8 => seen.actions = vec![dice.action()],
        9 => seen.problems = dice.observation(now).problems,
        10 => seen.preflight = dice.observation(now).preflight,
        11..=13 => {
            if let Some(workload) = &mut seen.workload {
                workload.template = dice.revision();
                workload.paused = dice.chance(80);
            }
        }
        // Nobody but the candidate is ready, or one pod is, and then somebody deletes the Rollout.
        14 => {
            seen.deleting = dice.chance(50);
            if let Some(workload) = &mut seen.workload {
                let left = dice.below(2);
                workload.endpoints = left;
                workload
                    .revisions
                    .values_mut()
                    .for_each(|pods| pods.ready = pods.ready.min(left));
            }
        }
        _ => {}
    }
}

/// What is bad does not last for ever, or no walk would get anywhere.
fn mend(dice: &mut Dice, seen: &mut Observation) {
    if dice.chance(20) {
        seen.problems.clear();
        seen.refusal = None;
        seen.gate = Gate::Closed;
        seen.preflight = Some(Vec::new());
        seen.deleting = false;
        seen.candidate.crashes = Crashes::default();
        if let Some(workload) = &mut seen.workload {
            workload.observed = true;
            workload.replicas = workload.replicas.clamp(1, 4);
            for pods in workload.revisions.values_mut() {
                pods.ready = pods.ready.max(pods.desired);
            }
        } else {
            seen.workload = Some(dice.workload());
        }
    }
}

fn first_sight() -> Observation {
    let revision = Revision::named("v1");
    let pods = Pods { desired: 4, ready: 4 };
    Observation {
        deleting: false,
        problems: Vec::new(),
        workload: Some(Workload {
            template: revision.clone(),
            paused: false,
            replicas: 4,
            observed: true,
            revisions: BTreeMap::from([(revision, pods)]),
            endpoints: 4,
            since: start(),
            overdue: None,
            gated: false,
        }),
        candidate: Candidate::default(),
        route: routed(Weight::NONE, false, start()),
        gate: Gate::Closed,
        preflight: Some(Vec::new()),
        evidence: Evidence::none(),
        residual: Residual::Unknown,
        actions: Vec::new(),
        refusal: None,
    }
}

/// Which corners a walk has seen.
fn corner(state: &State) -> &'static str {
    match &state.phase {
        Phase::Adopting => "adopting",
        Phase::Idle => "idle",
        Phase::Releasing(release) => match release.stage {
            Stage::Preflight => "preflight",
            Stage::Scaling => "scaling",
            Stage::Judging => "judging",
        },
        Phase::RollingBack(_) => "rolling back",
        Phase::RolledBack(_) => "rolled back",
        Phase::Promoting(promotion) => match promotion.stage {
            PromotionStage::Handover => "handover",
            PromotionStage::Rolling => "rolling",
            PromotionStage::Returning(_) => "returning",
            PromotionStage::Baking => "baking",
            PromotionStage::Failed => "failed",
        },
        Phase::Deleting(_) => "deleting",
    }
}

#[test]
fn every_decision_on_every_walk_is_sound() {
    let mut corners: BTreeMap<&str, usize> = BTreeMap::new();
    let mut promoted = 0;
    for walk in 0..WALKS {
        let mut dice = Dice::new(seed() + walk);
        let mut plan = dice.plan();
        let (mut state, mut seen, mut now) = (State::default(), first_sight(), start());
        for step in 0..STEPS {
            // Now and then the owner changes the spec.
            if dice.chance(1) {
                plan = dice.plan();
            }
            seen.evidence = judged(&mut dice, &state, now);
            let before = &state;
            let decision = sound(&plan, before, &seen, now)
                .and_then(|decision| served(before, &seen, &decision.next).map(|()| decision))
                .and_then(|decision| lawful(&plan, before, &seen, &decision.next, now).map(|()| decision))
                .unwrap_or_else(|what| {
                    panic!("walk {walk}, step {step}: {what}\n{before:#?}\n{seen:#?}\n{plan:#?}")
                });
            let breaches = check(&plan, before, &seen, &decision);
            assert!(
                breaches.is_empty(),
                "walk {walk}, step {step}: {breaches:?}\n{before:#?}\n{seen:#?}\n{decision:#?}"
            );
            *corners.entry(corner(&decision.next)).or_default() += 1;
            promoted += decision
                .notes
                .iter()
                .filter(|note| note.reason == "Promoted")
                .count();
            state = decision.next;
            if dice.chance(85) {
                obey(&mut seen, &decision.effects, now);
            }
            if matches!(state.phase, Phase::Deleting(_)) && dice.chance(20) {
                state = State::default();
                seen = first_sight();
            }
            if dice.chance(8) {
                surprise(&mut dice, &mut seen, now);
            }
            mend(&mut dice, &mut seen);
            now += Duration::from_secs(dice.one(&[0, 1, 5, 15, 60, 300]));
        }
    }
    // Walks that never get anywhere would prove nothing.
    assert_eq!(corners.len(), 13, "{corners:?}");
    assert!(corners.values().all(|visits| *visits > 500), "{corners:?}");
    assert!(promoted > 100, "{promoted} promotions");
}

#[test]
fn no_state_and_no_observation_is_too_wild() {
    for case in 0..WILD {
        let mut dice = Dice::new(seed() + case);
        let now = start();
        let (plan, state, seen) = (dice.plan(), dice.state(now), dice.observation(now));
        if let Err(what) = sound(&plan, &state, &seen, now) {
            panic!("case {case}: {what}\n{state:#?}\n{seen:#?}\n{plan:#?}");
        }
    }
}

#[test]
fn the_end_of_time_is_a_time_too() {
    for case in 0..20_000 {
        let mut dice = Dice::new(case);
        let now = dice.one(&[Moment::MIN, Moment::MAX]);
        let near = start();
        let (plan, state, seen) = (dice.plan(), dice.state(near), dice.observation(near));
        let decision = decide(&plan, &state, &seen, now);
        assert!(decision.wake.is_none_or(|wake| wake > now), "case {case}");
    }
}

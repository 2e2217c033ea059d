//! From the committed state to what people read in the status, and back.

mod release;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use serde_json::Value;

use super::observation::Observation;
use super::plan::Plan;
use super::quantity::Moment;
use super::reason;
use super::state::{Cause, Outcome, Phase, PromotionStage, Stage, State};
use crate::api;
pub use release::{mark, verdicts};

/// What the status says besides the state: the shell's own knowledge.
pub struct Frame<'a> {
    /// The status as it was, for transition times and earlier verdicts.
    pub before: &'a api::RolloutStatus,
    /// `metadata.generation` of the Rollout that was decided on.
    pub generation: i64,
    /// The writer's stamp.
    pub stamp: Option<String>,
    /// Routes as they were before the first change.
    pub originals: Vec<api::Original>,
    /// Verdicts on the present rung, a metric each.
    pub verdicts: Vec<api::VerdictStatus>,
    /// What is measured, once it is known.
    pub metrics: Vec<api::MetricStatus>,
    /// How the evidence grew.
    pub trail: Vec<api::Mark>,
    /// The judge's memory.
    pub evidence: Option<serde_json::Value>,
    /// The present time.
    pub now: Moment,
}

/// Reads the committed state out of a status; a status that was never written gives the first state.
///
/// # Errors
/// The course is there but cannot be read: somebody else wrote it.
pub fn restore(status: Option<&api::RolloutStatus>) -> Result<State, String> {
    match status.and_then(|status| status.course.as_ref()) {
        None => Ok(State::default()),
        Some(course) => {
            serde_json::from_value(course.clone()).map_err(|error| unread("status.course", &error))
        }
    }
}

/// Why a field that somebody else must have written cannot be read, and what to do.
pub fn unread(field: &str, error: &serde_json::Error) -> String {
    format!(
        "`{field}` cannot be read ({error}), so nothing is done: put back what Serin wrote there, or delete the Rollout, \
         which gives its traffic back"
    )
}

/// The status `raw`, whose state cannot be read for the reason `why`, made to say so; all else in it stays for whoever
/// restores it. `None`: it says so already.
pub fn unreadable(raw: &Value, why: &str, generation: i64, now: Moment) -> Option<Value> {
    let mut before = api::RolloutStatus::default();
    if let Some(conditions) = raw.get("conditions") {
        before.conditions = serde_json::from_value(conditions.clone()).unwrap_or_default();
    }
    let frame = Frame {
        before: &before,
        generation,
        stamp: None,
        originals: Vec::new(),
        verdicts: Vec::new(),
        metrics: Vec::new(),
        trail: Vec::new(),
        evidence: None,
        now,
    };
    let conditions = ["Ready", "Stalled"]
        .map(|kind| condition(kind, kind == "Stalled", reason::STATUS_UNREADABLE, why, &frame));
    if before.conditions == conditions {
        return None;
    }
    let mut status = raw.clone();
    let fields = status.as_object_mut()?;
    fields.insert(
        "conditions".into(),
        serde_json::to_value(conditions).unwrap_or_default(),
    );
    fields.insert("message".into(), bounded(why).into());
    fields.insert("observedGeneration".into(), generation.into());
    Some(status)
}

/// The status that says `state`.
pub fn status(plan: &Plan, state: &State, seen: &Observation, frame: Frame<'_>) -> api::RolloutStatus {
    let phase = phase(state);
    let message = message(state, phase);
    api::RolloutStatus {
        observed_generation: Some(frame.generation),
        conditions: conditions(state, &message, &frame),
        phase: Some(phase),
        release: release::release(plan, state, seen, &frame),
        stable: state.stable.as_ref().map(|revision| api::StableStatus {
            revision: revision.to_string(),
        }),
        history: state.history.iter().map(entry).collect(),
        message: Some(bounded(&message)),
        stamp: frame.stamp,
        originals: frame.originals,
        course: serde_json::to_value(state).ok(),
        evidence: frame.evidence,
    }
}

/// The one word for where things stand.
pub fn phase(state: &State) -> api::Phase {
    let waits = |reason: &str| {
        state
            .waiting
            .as_ref()
            .is_some_and(|waiting| waiting.reason == reason)
    };
    match &state.phase {
        Phase::Adopting => api::Phase::Pending,
        Phase::Idle if waits(reason::GATING) => api::Phase::Pending,
        Phase::Idle => match state.history.first() {
            Some(last) if last.cause.is_none() && Some(&last.revision) == state.stable.as_ref() => {
                api::Phase::Promoted
            }
            _ => api::Phase::Idle,
        },
        Phase::Releasing(release) => match release.stage {
            Stage::Preflight => api::Phase::Preflight,
            Stage::Scaling if waits(reason::SCALING) => api::Phase::Scaling,
            Stage::Judging if waits(reason::JUDGING) => api::Phase::Judging,
            Stage::Judging if waits(reason::BAKING) => api::Phase::Baking,
            Stage::Judging if waits(reason::SHIFTING) => api::Phase::Shifting,
            Stage::Scaling | Stage::Judging => api::Phase::Holding,
        },
        Phase::RollingBack(_) => api::Phase::RollingBack,
        Phase::RolledBack(_) => api::Phase::RolledBack,
        Phase::Promoting(promotion) => match promotion.stage {
            PromotionStage::Handover | PromotionStage::Rolling => api::Phase::Promoting,
            PromotionStage::Returning(_) | PromotionStage::Baking => api::Phase::Returning,
            PromotionStage::Failed => api::Phase::Holding,
        },
        Phase::Deleting(_) => api::Phase::Deleting,
    }
}

fn message(state: &State, phase: api::Phase) -> String {
    match (&state.waiting, &state.phase) {
        (_, Phase::RolledBack(rejection)) => format!(
            "revision {} was rolled back: {}",
            rejection.revision, rejection.detail
        ),
        (Some(waiting), _) => waiting.message.clone(),
        (None, _) => match (&state.stable, phase) {
            (Some(stable), _) => format!("revision {stable} serves all traffic"),
            (None, phase) => phase.as_str().to_owned(),
        },
    }
}

/// kstatus: `Ready` always; `Reconciling` and `Stalled` only while they hold.
fn conditions(state: &State, message: &str, frame: &Frame<'_>) -> Vec<Condition> {
    let reason = state
        .waiting
        .as_ref()
        .map_or(reason::HEALTHY, |waiting| waiting.reason.as_str());
    let stuck = match &state.phase {
        Phase::RolledBack(_) => true,
        Phase::Promoting(promotion) => promotion.stage == PromotionStage::Failed,
        Phase::Idle => state.waiting.is_some() && reason != reason::GATING,
        Phase::Adopting => reason != reason::FIRST_REVISION,
        Phase::Releasing(_) | Phase::RollingBack(_) | Phase::Deleting(_) => false,
    };
    let ready = matches!(state.phase, Phase::Idle) && state.waiting.is_none();
    let mut conditions = vec![condition("Ready", ready, reason, message, frame)];
    if stuck {
        conditions.push(condition("Stalled", true, reason, message, frame));
    } else if !ready {
        conditions.push(condition("Reconciling", true, reason, message, frame));
    }
    conditions
}

/// A condition, with the time of its last change of status kept.
pub fn condition(kind: &str, holds: bool, reason: &str, message: &str, frame: &Frame<'_>) -> Condition {
    let status = if holds { "True" } else { "False" };
    let before = frame
        .before
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind && condition.status == status);
    Condition {
        type_: kind.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: bounded(message),
        observed_generation: Some(frame.generation),
        last_transition_time: before.map_or(Time(frame.now), |condition| {
            condition.last_transition_time.clone()
        }),
    }
}

fn entry(outcome: &Outcome) -> api::HistoryEntry {
    let end = match outcome.cause {
        None => api::Outcome::Promoted,
        Some(Cause::Aborted) => api::Outcome::Aborted,
        Some(Cause::Superseded) => api::Outcome::Superseded,
        Some(Cause::Reverted) => api::Outcome::Reverted,
        Some(
            Cause::Regression
            | Cause::Leaking
            | Cause::NotReady
            | Cause::CapacityLost
            | Cause::Crashing
            | Cause::Inconclusive
            | Cause::NoData,
        ) => api::Outcome::RolledBack,
    };
    let reason = outcome.cause.map_or(reason::PROMOTED, Cause::label);
    api::HistoryEntry {
        revision: outcome.revision.to_string(),
        outcome: end,
        reason: reason.to_owned(),
        started_at: Time(outcome.started),
        ended_at: Time(outcome.ended),
        seconds: outcome.ended.as_second() - outcome.started.as_second(),
        evidence: Some(bounded(&outcome.detail)),
    }
}

/// A message that the schema's bound admits.
fn bounded(message: &str) -> String {
    message.chars().take(900).collect()
}

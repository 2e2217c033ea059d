//! From the committed state to what people read in the status, and back.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use serde_json::Value;

use super::judge::Judge;
use super::observation::{Observation, Route};
use super::plan::{Metric, Plan};
use super::quantity::Moment;
use super::reason;
use super::state::{Cause, Outcome, Phase, PromotionStage, Stage, State};
use super::words;
use crate::api;
use crate::stats;

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
        release: release(plan, state, seen, &frame),
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
            "revision {} was taken back: {}",
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

fn release(plan: &Plan, state: &State, seen: &Observation, frame: &Frame<'_>) -> Option<api::ReleaseStatus> {
    let steps = i32::try_from(plan.steps).unwrap_or(i32::MAX);
    let number = |rung: usize| i32::try_from(plan.rung(rung).step + 1).unwrap_or(steps);
    let (step, started, entered) = match &state.phase {
        Phase::Releasing(release) if release.stage == Stage::Preflight => {
            (0, release.started, release.entered)
        }
        Phase::Releasing(release) => (number(release.rung), release.started, release.entered),
        Phase::Promoting(promotion) => (steps, promotion.started, promotion.entered),
        Phase::RollingBack(retreat) => (last_step(frame), retreat.started, retreat.entered),
        Phase::RolledBack(rejection) => (
            last_step(frame),
            started_at(frame).unwrap_or(rejection.since),
            rejection.since,
        ),
        Phase::Adopting | Phase::Idle | Phase::Deleting(_) => return None,
    };
    let revision = state.active()?.to_string();
    let observed = match &seen.route {
        Route::Seen { weight, .. } => weight.map(|weight| i32::from(weight.percent())),
        Route::Unusable(_) => None,
    };
    let verdicts = kept_verdicts(frame, &revision);
    Some(api::ReleaseStatus {
        step,
        steps,
        weight: api::WeightStatus {
            desired: i32::from(state.weight().percent()),
            observed,
        },
        verdict: overall(state, &verdicts, step),
        started_at: Some(Time(started)),
        entered_at: Some(Time(entered)),
        deadline: state.waiting.as_ref().and_then(|waiting| waiting.until).map(Time),
        waiting_for: state.waiting.as_ref().map(|waiting| bounded(&waiting.message)),
        verdicts,
        metrics: kept_metrics(frame, &revision),
        revision,
    })
}

fn last_step(frame: &Frame<'_>) -> i32 {
    frame.before.release.as_ref().map_or(0, |release| release.step)
}

fn started_at(frame: &Frame<'_>) -> Option<Moment> {
    frame
        .before
        .release
        .as_ref()
        .and_then(|release| release.started_at.as_ref())
        .map(|time| time.0)
}

/// The judge's view of each metric on its present rung, as the status says it. `returning`: of the promoted pods, while
/// traffic comes back to them.
pub fn verdicts(plan: &Plan, judge: &Judge, returning: bool) -> Vec<api::VerdictStatus> {
    let step = if returning {
        plan.steps
    } else {
        plan.rung(judge.rung()).step + 1
    };
    let step = i32::try_from(step).unwrap_or(i32::MAX);
    let entry = |(metric, seen): (&Metric, stats::Assessment)| api::VerdictStatus {
        step,
        metric: if returning {
            format!("{} of the return", metric.name)
        } else {
            metric.name.clone()
        },
        verdict: match seen.verdict {
            stats::Verdict::Pass => api::Verdict::Pass,
            stats::Verdict::Fail => api::Verdict::Fail,
            stats::Verdict::Continue => api::Verdict::Continue,
        },
        reason: bounded(&words::sentence(&metric.name, &seen)),
        numbers: Some(numbers(&seen)),
    };
    judge.assessments().map(entry).collect()
}

fn numbers(seen: &stats::Assessment) -> api::VerdictNumbers {
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let arm = |counts: stats::Counts| api::Arm {
        total: whole(counts.requests),
        bad: whole(counts.bad),
    };
    let telling = if seen.verdict == stats::Verdict::Fail {
        seen.fail
    } else {
        seen.step
    };
    api::VerdictNumbers {
        candidate: arm(seen.in_step.candidate),
        baseline: arm(seen.in_step.baseline),
        ratio: seen.ratio.map(|ratio| api::Ratio {
            low: Some(ratio.low),
            estimate: ratio.estimate,
            high: ratio.high,
        }),
        evidence: Some(telling.evidence),
        needed: Some(telling.needed),
        missing_requests: seen.missing.requests.map(whole),
        missing_seconds: seen.missing.seconds,
    }
}

/// The newest verdict of each step and metric of this revision.
fn kept_verdicts(frame: &Frame<'_>, revision: &str) -> Vec<api::VerdictStatus> {
    let earlier = frame
        .before
        .release
        .as_ref()
        .filter(|release| release.revision == revision);
    let mut all: Vec<api::VerdictStatus> = earlier
        .map(|release| release.verdicts.clone())
        .unwrap_or_default();
    all.retain(|old| {
        frame
            .verdicts
            .iter()
            .all(|new| (new.step, &new.metric) != (old.step, &old.metric))
    });
    all.extend(frame.verdicts.iter().cloned());
    all.sort_by(|a, b| (a.step, &a.metric).cmp(&(b.step, &b.metric)));
    all
}

/// What is measured, once it is known; what was known of this revision before is kept.
fn kept_metrics(frame: &Frame<'_>, revision: &str) -> Vec<api::MetricStatus> {
    if !frame.metrics.is_empty() {
        return frame.metrics.clone();
    }
    let earlier = frame.before.release.as_ref();
    earlier
        .filter(|release| release.revision == revision)
        .map(|release| release.metrics.clone())
        .unwrap_or_default()
}

fn overall(state: &State, verdicts: &[api::VerdictStatus], step: i32) -> Option<api::Verdict> {
    let waits = state.waiting.as_ref().map(|waiting| waiting.reason.as_str());
    match (&state.phase, waits) {
        (Phase::RollingBack(_) | Phase::RolledBack(_), _) => verdicts
            .iter()
            .map(|verdict| verdict.verdict)
            .find(|verdict| *verdict == api::Verdict::Fail),
        (_, Some(reason::INCONCLUSIVE)) => Some(api::Verdict::Inconclusive),
        _ => verdicts
            .iter()
            .filter(|verdict| verdict.step == step)
            .map(|verdict| verdict.verdict)
            .max(),
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

//! What the status says of one release: its place, its verdicts, and how the evidence grew.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{Frame, bounded};
use crate::api;
use crate::engine::judge::Judge;
use crate::engine::observation::{Observation, Route};
use crate::engine::plan::{Metric, Plan, RungKind};
use crate::engine::quantity::Moment;
use crate::engine::state::{Phase, Stage, State};
use crate::engine::{reason, words};
use crate::stats;

pub(super) fn release(
    plan: &Plan,
    state: &State,
    seen: &Observation,
    frame: &Frame<'_>,
) -> Option<api::ReleaseStatus> {
    let steps = i32::try_from(plan.steps).unwrap_or(i32::MAX);
    let number = |rung: usize| i32::try_from(plan.rung(rung).step + 1).unwrap_or(steps);
    let observed = match &seen.route {
        Route::Seen { weight, .. } => weight.map(|weight| i32::from(weight.percent())),
        Route::Unusable(_) => None,
    };
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
        Phase::Idle => return ended(state, observed, frame),
        Phase::Deleting(_) => return leaving(state, observed, frame),
        Phase::Adopting => return None,
    };
    let revision = state.active()?.to_string();
    let verdicts = kept_verdicts(state, frame, &revision);
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
        trail: kept_trail(frame, &revision),
        revision,
    })
}

/// The last release, as it was when it ended.
fn ended(state: &State, observed: Option<i32>, frame: &Frame<'_>) -> Option<api::ReleaseStatus> {
    let mut release = frame.before.release.clone()?;
    release.weight = api::WeightStatus { desired: 0, observed };
    (release.deadline, release.waiting_for) = (None, None);
    let promoted = state.stable.as_ref().map(ToString::to_string) == Some(release.revision.clone());
    if promoted {
        release.verdict = Some(api::Verdict::Pass);
    }
    Some(release)
}

/// The release that a deletion has ended: its candidate may serve for a long time yet.
fn leaving(state: &State, observed: Option<i32>, frame: &Frame<'_>) -> Option<api::ReleaseStatus> {
    let waiting = state.waiting.as_ref();
    let desired = i32::from(state.weight().percent());
    Some(api::ReleaseStatus {
        weight: api::WeightStatus { desired, observed },
        deadline: waiting.and_then(|waiting| waiting.until).map(Time),
        waiting_for: waiting.map(|waiting| bounded(&waiting.message)),
        ..frame.before.release.clone()?
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
    let awaited = !returning && plan.rung(judge.rung()).kind == RungKind::Proof;
    let sentence = if awaited { words::sentence } else { words::watched };
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
        reason: bounded(&sentence(&metric.name, &seen)),
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
    let telling = match seen.against {
        stats::Against::Beside if seen.verdict != stats::Verdict::Fail => seen.step,
        stats::Against::Beside | stats::Against::Past { .. } | stats::Against::Nothing => seen.fail,
    };
    let past = match seen.against {
        stats::Against::Past { usual, limit } => Some(api::Past { rate: usual, limit }),
        stats::Against::Beside | stats::Against::Nothing => None,
    };
    api::VerdictNumbers {
        candidate: arm(seen.in_step.candidate),
        baseline: arm(seen.in_step.baseline),
        past,
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

/// The newest verdict of each step and metric of this revision, as many as the status may hold. Once the steps are others
/// their numbers mean others too, and what was said of the earlier ones goes.
fn kept_verdicts(state: &State, frame: &Frame<'_>, revision: &str) -> Vec<api::VerdictStatus> {
    if steps_changed(state, frame) {
        return Vec::new();
    }
    let earlier = frame
        .before
        .release
        .as_ref()
        .filter(|release| release.revision == revision);
    let all = earlier.map(|release| release.verdicts.clone());
    merged(all.unwrap_or_default(), &frame.verdicts)
}

/// Whether this decision is the first on other steps.
fn steps_changed(state: &State, frame: &Frame<'_>) -> bool {
    let before = super::restore(Some(frame.before));
    let (Ok(before), Phase::Releasing(now)) = (&before, &state.phase) else {
        return false;
    };
    matches!(&before.phase, Phase::Releasing(then) if !then.ladder.is_empty() && then.ladder != now.ladder)
}

fn merged(mut all: Vec<api::VerdictStatus>, present: &[api::VerdictStatus]) -> Vec<api::VerdictStatus> {
    for new in present {
        let same = |old: &&mut api::VerdictStatus| (new.step, &new.metric) == (old.step, &old.metric);
        match all.iter_mut().find(same) {
            // The bake of the last step before its first requests must not hide what proved the step.
            Some(_) if unseen(new) => {}
            Some(old) => old.clone_from(new),
            None => all.push(new.clone()),
        }
    }
    all.sort_by(|a, b| (a.step, &a.metric).cmp(&(b.step, &b.metric)));
    // A list that is too long would be refused, and every decision with it: what lies back furthest goes.
    let mut excess = all.len().saturating_sub(api::MAX_VERDICTS as usize);
    all.retain(|line| {
        let past = !present
            .iter()
            .any(|new| (new.step, &new.metric) == (line.step, &line.metric));
        let goes = past && excess > 0;
        excess -= usize::from(goes);
        !goes
    });
    all
}

fn unseen(verdict: &api::VerdictStatus) -> bool {
    let none = |numbers: &api::VerdictNumbers| (numbers.candidate.total, numbers.baseline.total) == (0, 0);
    verdict.numbers.as_ref().is_some_and(none)
}

/// How the evidence of this revision grew.
fn kept_trail(frame: &Frame<'_>, revision: &str) -> Vec<api::Mark> {
    if !frame.trail.is_empty() {
        return frame.trail.clone();
    }
    let earlier = frame.before.release.as_ref();
    earlier
        .filter(|release| release.revision == revision)
        .map(|release| release.trail.clone())
        .unwrap_or_default()
}

/// The judge's evidence at this moment; `None` before the first evaluation of the rung.
pub fn mark(plan: &Plan, judge: &Judge) -> Option<api::Mark> {
    let at = judge.evidence().at?;
    let rung = plan.rung(judge.rung());
    let against = judge.against();
    // Evidence is clamped: of ten times what is needed nobody wants to know.
    let share = |part: stats::Evidenced| (part.evidence / part.needed).clamp(0.0, 10.0);
    // Before the last step the whole release needs little, but it does need it.
    let lacks = |seen: &stats::Assessment| {
        let enough = share(seen.step).min(share(seen.release)).min(1.0);
        (enough, seen.missing.seconds)
    };
    let gating = judge.assessments().filter(|(metric, _)| metric.gating);
    let least = gating
        .map(|(_, seen)| lacks(&seen))
        .reduce(|a, b| if b.0 < a.0 { b } else { a });
    let (in_favour, missing_seconds) = match rung.kind {
        RungKind::Proof => least.unwrap_or((0.0, None)),
        // The proof is there already: time alone is missing.
        RungKind::Bake => (1.0, None),
    };
    Some(api::Mark {
        at: Time(at),
        step: i32::try_from(rung.step + 1).unwrap_or(i32::MAX),
        weight: i32::from(rung.weight.percent()),
        against: rounded(share(against)),
        // Rounded up it would be whole where it is not.
        in_favour: (in_favour * 1000.0).floor() / 1000.0,
        missing_seconds: missing_seconds.map(f64::round).filter(|_| in_favour < 1.0),
    })
}

/// Three digits are enough to draw.
fn rounded(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
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

#[cfg(test)]
mod tests;

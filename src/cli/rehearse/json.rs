//! The answer for machines: one JSON object.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::findings;
use super::scene::{Found, Scene};
use crate::api::RolloutSpec;
use crate::rehearsal::{Advice, Probe, Share, Spread, StepSummary, excluded};

/// What `--help` says of it.
pub(super) const HELP: &str = r#"--output json gives one object. Shares and error rates are 0 to 1, times are minutes, a spread is {"p10","p50","p90",
"mean"}, null where there is nothing:
  rollout, assumed{rps,baselineErrorRate,candidateErrorRate,scenario,pods,intervalSeconds,runs,seed,hours}, notes[]
  promoted{share,low,high,minutesTo100,minutesToEnd}      without ever being held; low to high: 95 % for so many runs
  rolledBack{share,low,high,minutes,failedRequests,causes} failedRequests: beyond those of the old version
  held{share,low,high,thenPromoted,thenRolledBack}        no verdict at a step's deadline, or no end within the hours
  steps[]{step,weights,holdSeconds,deadlineSeconds,minutes,noVerdict}
  caught{errorRate,share,minutes,failedRequests}          the smallest error rate rolled back in 0.9 of releases
  slipsThrough{errorRate,share}                           the largest one promoted in 0.05 of releases
  excludes                                                a promotion rules out this error rate and those above it; 1: none
  trouble                                                 a sentence, or null
  advice[]{sentence,patch,promoted,rolledBack,held,minutesTo100,excludes}
                                                          patch: for `kubectl patch --type merge`"#;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    rollout: &'a str,
    assumed: Assumed<'a>,
    notes: Vec<String>,
    promoted: Promoted,
    rolled_back: RolledBack<'a>,
    held: Held,
    steps: Vec<Step>,
    caught: Option<Extreme>,
    slips_through: Option<Extreme>,
    excludes: f64,
    trouble: Option<String>,
    advice: Vec<Suggestion>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Assumed<'a> {
    rps: f64,
    baseline_error_rate: f64,
    candidate_error_rate: f64,
    scenario: Option<&'a str>,
    pods: u32,
    interval_seconds: f64,
    runs: u64,
    seed: u64,
    hours: f64,
}

#[derive(Serialize)]
struct Part {
    share: f64,
    low: f64,
    high: f64,
}

#[derive(Serialize)]
struct Quantiles {
    p10: f64,
    p50: f64,
    p90: f64,
    mean: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Promoted {
    #[serde(flatten)]
    part: Part,
    #[serde(rename = "minutesTo100")]
    minutes_to_full: Option<Quantiles>,
    minutes_to_end: Option<Quantiles>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RolledBack<'a> {
    #[serde(flatten)]
    part: Part,
    minutes: Option<Quantiles>,
    failed_requests: Option<Quantiles>,
    causes: &'a BTreeMap<&'static str, f64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Held {
    #[serde(flatten)]
    part: Part,
    then_promoted: f64,
    then_rolled_back: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Step {
    #[serde(rename = "step")]
    number: usize,
    weights: Vec<u8>,
    hold_seconds: f64,
    deadline_seconds: f64,
    minutes: Option<Quantiles>,
    no_verdict: f64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Extreme {
    error_rate: f64,
    share: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    minutes: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_requests: Option<Quantiles>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Suggestion {
    sentence: String,
    patch: Value,
    promoted: f64,
    rolled_back: f64,
    held: f64,
    #[serde(rename = "minutesTo100")]
    minutes_to_full: Option<Quantiles>,
    excludes: f64,
}

/// Writes all that was found.
pub(super) fn write(scene: &Scene<'_>, found: &Found, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &answer(scene, found)).map_err(io::Error::from)?;
    out.write_all(b"\n")
}

fn answer<'a>(scene: &'a Scene<'a>, found: &'a Found) -> Answer<'a> {
    let summary = &found.summary;
    let (trouble, advice) = match &found.advice {
        Some((trouble, advice)) => (Some(findings::trouble(scene, trouble)), advice.as_slice()),
        None => (None, &[][..]),
    };
    Answer {
        rollout: &scene.rollout.name,
        assumed: assumed(scene),
        notes: scene.notes(),
        promoted: Promoted {
            part: part(&summary.promoted),
            minutes_to_full: summary.minutes_to_full.map(quantiles),
            minutes_to_end: summary.minutes_to_end.map(quantiles),
        },
        rolled_back: RolledBack {
            part: part(&summary.rolled_back),
            minutes: summary.minutes_to_rollback.map(quantiles),
            failed_requests: summary.harm.map(quantiles),
            causes: &summary.causes,
        },
        held: Held {
            part: part(&summary.held),
            then_promoted: summary.held_then_promoted,
            then_rolled_back: summary.held_then_rolled_back,
        },
        steps: summary.steps.iter().enumerate().map(step).collect(),
        caught: found.extremes.caught.as_ref().map(caught),
        slips_through: found.extremes.slips.as_ref().map(|probe| Extreme {
            error_rate: probe.rate,
            share: probe.promoted.share,
            minutes: None,
            failed_requests: None,
        }),
        excludes: excluded(scene.setting, summary),
        trouble,
        advice: advice.iter().map(|one| suggestion(scene, found, one)).collect(),
    }
}

fn assumed<'a>(scene: &'a Scene<'a>) -> Assumed<'a> {
    let traffic = &scene.assumed.traffic;
    Assumed {
        rps: traffic.pace,
        baseline_error_rate: traffic.baseline,
        candidate_error_rate: traffic.candidate,
        scenario: Some(traffic.name).filter(|name| !name.is_empty()),
        pods: scene.setting.pods,
        interval_seconds: scene.plan().analysis.interval.as_secs_f64(),
        runs: scene.runs,
        seed: scene.assumed.seed,
        hours: scene.setting.horizon.as_secs_f64() / 3600.0,
    }
}

const fn part(share: &Share) -> Part {
    Part {
        share: share.share,
        low: share.low,
        high: share.high,
    }
}

const fn quantiles(spread: Spread) -> Quantiles {
    Quantiles {
        p10: spread.p10,
        p50: spread.p50,
        p90: spread.p90,
        mean: spread.mean,
    }
}

fn step((index, step): (usize, &StepSummary)) -> Step {
    Step {
        number: index + 1,
        weights: step.weights.clone(),
        hold_seconds: step.hold,
        deadline_seconds: step.deadline,
        minutes: step.minutes.map(quantiles),
        no_verdict: step.stuck,
    }
}

fn caught(probe: &Probe) -> Extreme {
    Extreme {
        error_rate: probe.rate,
        share: probe.rolled_back.share,
        minutes: probe.minutes.map(quantiles),
        failed_requests: probe.harm.map(quantiles),
    }
}

fn suggestion(scene: &Scene<'_>, found: &Found, advice: &Advice) -> Suggestion {
    let json = |spec: &RolloutSpec| serde_json::to_value(spec).unwrap_or_default();
    let (old, new) = (json(&scene.rollout.spec), json(&advice.spec));
    Suggestion {
        sentence: findings::advice(scene, found, advice),
        patch: serde_json::json!({ "spec": difference(&old, &new) }),
        promoted: advice.then.promoted.share,
        rolled_back: advice.then.rolled_back.share,
        held: advice.then.held.share,
        minutes_to_full: advice.then.minutes_to_full.map(quantiles),
        excludes: advice.excludes(scene.assumed),
    }
}

/// The JSON merge patch from `old` to `new`: lists as a whole, `null` for what goes.
fn difference(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return new.clone();
    };
    let mut patch = Map::new();
    for (name, value) in new {
        match old.get(name) {
            Some(before) if before == value => {}
            Some(before) => {
                patch.insert(name.clone(), difference(before, value));
            }
            None => {
                patch.insert(name.clone(), value.clone());
            }
        }
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        patch.insert(name.clone(), Value::Null);
    }
    Value::Object(patch)
}

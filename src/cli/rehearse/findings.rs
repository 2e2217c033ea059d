//! What is wrong, and what to change, in sentences made from the numbers.

use super::scene::{Found, Scene};
use super::words::{middle, pace, requests, setting, share};
use crate::engine::words::{grouped, percent, span};
use crate::rehearsal::{Advice, Because, Stuck, Trouble, excluded, sufficient_pace};

/// What is wrong.
pub(super) fn trouble(scene: &Scene<'_>, trouble: &Trouble) -> String {
    match trouble {
        Trouble::Stuck(stuck) => self::stuck(scene, stuck),
        Trouble::Missed(promoted) => format!(
            "A version that must not be promoted is, in {} % of releases: its fault shows too late, or too little at so \
             little traffic.",
            share(*promoted)
        ),
    }
}

/// Where, why, and by how much.
fn stuck(scene: &Scene<'_>, stuck: &Stuck) -> String {
    let rung = scene.plan().rungs.iter().find(|rung| rung.step == stuck.step);
    let deadline = setting(rung.map_or(0.0, |rung| rung.deadline.as_secs_f64()));
    let place = format!(
        "{} % of releases come to no verdict at step {} ({} %)",
        share(stuck.here),
        stuck.step + 1,
        rung.map_or(0, |rung| rung.weight.percent())
    );
    let traffic = &scene.assumed.traffic;
    let rps = pace(traffic.pace);
    match stuck.because {
        Because::Traffic {
            requests,
            short,
            clumps,
        } => format!(
            "{place}: at {rps} the new version gets {} in {deadline}, which {}{}{}.",
            self::requests(requests),
            match stuck.missing {
                Some((lacks, _)) if lacks as f64 > requests => "are too few for a proof".to_owned(),
                _ => proof(short),
            },
            if clumps > 1.25 {
                format!(" (failures come in clumps of about {clumps:.0}, which count as one)")
            } else {
                String::new()
            },
            missing(stuck)
        ),
        Because::Chance => {
            let metric = scene.plan().analysis.metrics.get(stuck.metric);
            let name = metric.map_or("it", |metric| metric.name.as_str());
            format!(
                "{place}: by chance `{name}` spoke against a good version, and at {rps} that was not cleared in {deadline}."
            )
        }
        Because::Between {
            tolerated,
            unacceptable,
        } => format!(
            "{place}: a version that fails {} lies between what is tolerated ({}) and what is unacceptable ({}), where \
             neither has to be proved.",
            percent(traffic.candidate),
            percent(tolerated),
            percent(unacceptable)
        ),
        Because::Unproven { unacceptable } => format!(
            "{place}: beyond {} it must not be promoted, and at {rps} that is not proved in {deadline}. It is held, \
             which is safe.",
            percent(unacceptable)
        ),
        Because::Environment => {
            format!("{place}: both versions fail far more than usual, so nothing advances.")
        }
        Because::Time => format!(
            "{} % of releases have no end within {}: their steps may take longer. Rehearse with more `--hours`.",
            share(stuck.share),
            setting(scene.setting.horizon.as_secs_f64())
        ),
        Because::Promotion => format!(
            "{} % of promotions stop because the promoted pods look worse than the candidate's.",
            share(stuck.here)
        ),
    }
}

/// What the traffic can prove beside what it must.
fn proof(short: Option<(f64, f64)>) -> String {
    short.map_or_else(
        || "are barely enough for a proof".to_owned(),
        |(provable, asked)| {
            format!(
                "can rule out a failure rate of {} at best, and {} must be ruled out",
                percent(provable),
                percent(asked)
            )
        },
    )
}

fn missing(stuck: &Stuck) -> String {
    stuck.missing.map_or_else(String::new, |(requests, seconds)| {
        format!(
            "; half of them lack {} requests ({}) or more",
            grouped(requests),
            span(seconds)
        )
    })
}

/// A change, and what it brings.
pub(super) fn advice(scene: &Scene<'_>, found: &Found, advice: &Advice) -> String {
    let then = &advice.then;
    let mut text = format!(
        "{}: then {} % are promoted",
        advice.change,
        share(then.promoted.share)
    );
    if let Some(minutes) = &then.minutes_to_full {
        text += &format!(" (half within {})", middle(minutes));
    }
    for (name, seen) in [("rolled back", then.rolled_back.share), ("held", then.held.share)] {
        if seen > 0.0 {
            text += &format!(", {} % {name}", share(seen));
        }
    }
    let (now, before) = (
        advice.excludes(scene.assumed),
        excluded(scene.setting, &found.summary),
    );
    if now > before * 1.02 {
        text += &format!("; a promotion then rules out only {} or more", percent(now));
    }
    text
}

/// The traffic cannot prove what is asked for.
pub(super) fn thin(scene: &Scene<'_>, found: &Found) -> Option<String> {
    let enough = sufficient_pace(scene.setting)
        .map_or_else(String::new, |enough| format!(" {} would do.", pace(enough)));
    Some(format!(
        "At {} a promotion surely rules out only what fails {} or more, not {}.{enough}",
        pace(scene.assumed.traffic.pace),
        percent(found.summary.provable?),
        percent(scene.setting.lines().1)
    ))
}

/// Nothing is wrong.
pub(super) fn content(found: &Found) -> &'static str {
    if found.summary.rolled_back.share > 0.5 {
        "Nothing to change: such a version is rolled back."
    } else {
        "Nothing to change: fewer than 1 in 20 such releases call for a person."
    }
}

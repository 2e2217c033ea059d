//! What fails around a release: its metrics, and the operator itself.

use super::care::{Care, start_operator};
use crate::Outcome;
use crate::scenario::{Scenario, trial};
use libtest_mimic::Trial;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("release::metrics_outage", metrics_outage),
        trial("release::leader_killed", leader_killed),
    ]
}

/// Prometheus is away for half a minute in mid-step: the weight stays, and then the release goes on.
async fn metrics_outage(scenario: Scenario) -> Outcome {
    let mut metrics = scenario.own_prometheus().await?;
    let steps = "  steps: [{weight: 10, hold: 5s}, {weight: 25, hold: 2s}, {weight: 100, hold: 2s}]\n";
    let care = Care::with_metrics(&scenario, "app:v1", steps, &metrics.url()).await?;
    scenario.set_image("app", "app:v2").await?;
    care.shifted(10, Duration::from_secs(40)).await?;
    metrics.stop();
    let status = care.wait_phase("Holding", Duration::from_secs(20)).await?;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let course = care.course();
    if course.highest() != 10 || course.marks.last().map(|mark| mark.weight) != Some(10) {
        return Err(format!("the weight changed without data: {:?}", course.marks).into());
    }
    let message = status["message"].as_str().unwrap_or_default();
    if !message.contains("the weight stays at 10 %") {
        return Err(format!("the status does not say what is missing: {message}").into());
    }
    metrics.resume()?;
    metrics.ready().await?;
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    // The status tells of the outage; an event would be nothing but noise. Above all, nothing was rolled back for it.
    care.told(&[
        "ReleaseStarted",
        "WeightChanged",
        "WeightChanged",
        "Promoting",
        "Promoted",
    ])
    .await?;
    let events = care.events().await?;
    if events.iter().any(|it| it == "RollingBack") {
        return Err(format!("the outage was held against the version: {events:?}").into());
    }
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[10, 25, 80, 0])?;
    course.shares(&report, "v2")
}

/// The leader dies in mid-step; the standby brings the release to the same end, and nobody notices.
async fn leader_killed(scenario: Scenario) -> Outcome {
    let mut care = Care::begin(&scenario, "app:v1", "").await?;
    let mut standby = start_operator(&scenario, "two").await?;
    scenario.set_image("app", "app:v2").await?;
    care.shifted(10, Duration::from_secs(40)).await?;
    let status = care.wait("10 %", Duration::ZERO, |now| {
        now["release"]["weight"]["desired"] == 10
    });
    let status = status.await?;
    care.operator.kill();
    let status = care
        .wait("another holder", Duration::from_mins(1), |now| {
            now["stamp"] != status["stamp"]
        })
        .await?;
    if status["release"]["weight"]["desired"] == 0 {
        return Err(format!("the new leader took the candidate back: {status}").into());
    }
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    care.told(&["ReleaseStarted", "WeightChanged", "Promoted"])
        .await?;
    care.nothing_left().await?;
    standby.alive()?;
    std::mem::swap(&mut care.operator, &mut standby);
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[10, 25, 80, 0])?;
    course.shares(&report, "v2")
}

//! What people do to a release: approve, pause, resume, abort, and delete the Rollout.

use super::care::{ACTION, Care, ROLLOUT};
use crate::Outcome;
use crate::scenario::{DEPLOYMENT, Scenario, trial};
use kube::api::DeleteParams;
use libtest_mimic::Trial;
use serde_json::Value;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("release::approval", approval),
        trial("release::pause_and_abort", pause_and_abort),
        trial("release::deleted", deleted),
        trial("release::deleted_resume", deleted_resume),
    ]
}

const SOON: Duration = Duration::from_secs(40);
/// Long enough to have gone on, had it not been held.
const A_WHILE: Duration = Duration::from_secs(5);

/// A step that asks for an approval is not left without it, and is with it.
async fn approval(scenario: Scenario) -> Outcome {
    let steps = "  steps: [{weight: 25, hold: 2s, approval: Required}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    scenario.set_image("app", "app:v2").await?;
    let status = waits(&care, "WaitingForApproval").await?;
    tokio::time::sleep(A_WHILE).await;
    if care.course().highest() != 25 {
        return Err(format!("it did not wait: {:?}", care.course().marks).into());
    }
    act(&care, "Approve", &status["release"]["revision"]).await?;
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[25, 80, 0])?;
    course.shares(&report, "v2")
}

/// A paused release keeps its weight, a resumed one goes on, an aborted one goes back at once.
async fn pause_and_abort(scenario: Scenario) -> Outcome {
    let steps = "  steps: [{weight: 10, hold: 3s}, {weight: 25, hold: 1m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    scenario.set_image("app", "app:v2").await?;
    let status = care.wait_phase("Shifting", SOON).await?;
    let revision = &status["release"]["revision"];
    act(&care, "Pause", revision).await?;
    waits(&care, "Paused").await?;
    tokio::time::sleep(A_WHILE).await;
    if care.course().highest() != 10 {
        return Err(format!("the weight changed in a pause: {:?}", care.course().marks).into());
    }
    act(&care, "Resume", revision).await?;
    care.wait("25 % in force", SOON, |status| {
        status["release"]["weight"]["observed"] == 25
    })
    .await?;
    tokio::time::sleep(A_WHILE).await;
    let aborted = care.load.elapsed();
    act(&care, "Abort", revision).await?;
    let status = care.wait_phase("RolledBack", SOON).await?;
    if status["history"][0]["outcome"] != "Aborted" {
        return Err(format!("the history does not tell of the abort: {}", status["history"]).into());
    }
    care.told(&["ReleaseStarted", "WeightChanged", "RollingBack"])
        .await?;
    care.no_candidate().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[0, 10, 25, 0])?;
    course.shares(&report, "v2")?;
    let last = report.last_of("v2").unwrap_or_default();
    // The route within a second, the gateway within another.
    if last > aborted + Duration::from_secs(3) {
        return Err(format!("aborted at {aborted:?}, yet v2 got a request at {last:?}").into());
    }
    Ok(())
}

/// The Rollout is deleted at 25 %: what serves goes on serving, and the unproven version stays held.
async fn deleted(scenario: Scenario) -> Outcome {
    let care = delete_at_25(&scenario, "").await?;
    let deployment = scenario.get(DEPLOYMENT, "app").await?;
    if deployment["spec"]["paused"] != true {
        return Err("the unproven version was let out".into());
    }
    tokio::time::sleep(A_WHILE).await;
    let gone = care.load.elapsed().saturating_sub(A_WHILE);
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[0, 25, 0])?;
    if report.between(gone, Duration::MAX).of("v2") > 0 {
        return Err("v2 still answers after the Rollout has gone".into());
    }
    Ok(())
}

/// The same where the user wants the new version shipped: the Deployment is resumed.
async fn deleted_resume(scenario: Scenario) -> Outcome {
    let care = delete_at_25(&scenario, "  onDelete: Resume\n").await?;
    care.nothing_left().await?;
    scenario.wait_deployed("app", 2).await?;
    let (_, report) = care.end().await?;
    report.no_failures()
}

async fn delete_at_25(scenario: &Scenario, more: &str) -> Outcome<Care> {
    let steps = "  steps: [{weight: 25, hold: 2m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(scenario, "app:v1", &format!("{steps}{more}")).await?;
    scenario.set_image("app", "app:v2").await?;
    care.wait("25 % in force", SOON, |status| {
        status["release"]["weight"]["observed"] == 25
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    scenario
        .delete(ROLLOUT, "app", &DeleteParams::background())
        .await?;
    care.nothing_left_of_rollout().await?;
    care.no_candidate().await?;
    Ok(care)
}

/// Waits until the release waits for `reason`.
async fn waits(care: &Care, reason: &str) -> Outcome<Value> {
    care.wait(reason, SOON, |status| {
        let conditions = status["conditions"].as_array().into_iter().flatten();
        conditions
            .into_iter()
            .any(|condition| condition["reason"] == reason)
    })
    .await
}

/// What `serin approve` and its sisters write; returns when it has been answered.
async fn act(care: &Care, action: &str, revision: &Value) -> Outcome {
    let name = format!("app-{}", action.to_lowercase());
    let text = format!(
        "
apiVersion: serin.dev/v1alpha1
kind: RolloutAction
metadata: {{name: {name}}}
spec: {{rollout: app, action: {action}, revision: {revision}}}
"
    );
    care.scenario.apply(&text).await?;
    care.scenario
        .wait(ACTION, &name, "done", Duration::from_secs(10), |it| {
            it["status"]["phase"] == "Done"
        })
        .await?;
    Ok(())
}

//! What people do to a release: approve, pause, resume, abort, and delete the Rollout.

use super::care::{Care, ROLLOUT};
use super::course::candidate_weight;
use crate::Outcome;
use crate::control_plane::User;
use crate::person::Person;
use crate::scenario::{DEPLOYMENT, HTTP_ROUTE, POD, Scenario, trial};
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

/// A step that asks for an approval is not left without it, and is with it. Whoever follows the release from the
/// moment of the change sees its end.
async fn approval(scenario: Scenario) -> Outcome {
    let steps = "  steps: [{weight: 25, hold: 2s, approval: Required}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    let person = Person::with_role(&scenario, User::Approver, "approve").await?;
    at_rest(&scenario, &person).await?;
    scenario.set_image("app", "app:v2").await?;
    let mut following = person.follows(scenario.cluster, "app")?;
    care.wait_reason("WaitingForApproval", &[], SOON).await?;
    tokio::time::sleep(A_WHILE).await;
    if care.course().highest() != 25 {
        return Err(format!("it did not wait: {:?}", care.course().marks).into());
    }
    following.alive()?;
    let status = person.does(&["status", "app"]).await?;
    for words in [
        "app  Holding  step 1/2  weight 25 % (observed 25 %)",
        "a person must approve",
        "next: serin approve|abort app",
    ] {
        if !status.contains(words) {
            return Err(format!("serin status does not say `{words}`: {status}").into());
        }
    }
    other_forms(&person).await?;
    let plugin = person.with_plugin(scenario.cluster)?;
    plugin.does(&["approve", "app", "--reason", "looks good"]).await?;
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    let (code, text) = following.ended(Duration::from_secs(10)).await?;
    if code != Some(0) || !text.contains("a person must approve") || !text.contains("app  Promoted") {
        return Err(format!("serin status -w ended with {code:?}: {text}").into());
    }
    told_afterwards(&person).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[25, 80, 0])?;
    course.shares(&report, "v2")
}

/// The whole course, with the events that the cluster still has.
async fn told_afterwards(person: &Person) -> Outcome {
    let course = person.does(&["explain", "app"]).await?;
    for words in [
        "app  revision",
        "  Promoted",
        "step 1 of 2  25 %",
        "step 2 of 2  80, 95 %",
        "evidence for it",
        "ReleaseStarted",
        "Promoting",
    ] {
        if !course.contains(words) {
            return Err(format!("serin explain does not say `{words}`: {course}").into());
        }
    }
    person
        .is_told(
            &["explain", "nobody"],
            1,
            &["cannot read Rollout `nobody`", "not found"],
        )
        .await
}

/// The same status for programs and for wide screens, and what becomes of patience that is too short.
async fn other_forms(person: &Person) -> Outcome {
    let json: Value = serde_json::from_str(&person.does(&["status", "app", "-o", "json"]).await?)?;
    let yaml: Value = serde_yaml::from_str(&person.does(&["status", "app", "-o", "yaml"]).await?)?;
    if json["status"]["release"]["weight"]["desired"] != 25 || json != yaml {
        return Err(format!("the forms differ: {json} {yaml}").into());
    }
    let wide = person.does(&["status", "-o", "wide"]).await?;
    if !wide.contains("NAMESPACE") || !wide.contains("25 %") || !wide.contains("Holding") {
        return Err(format!("serin status -o wide says otherwise: {wide}").into());
    }
    let said = person.runs(&["status", "app", "-w", "--timeout", "1"]).await?;
    if said.code != Some(3) || !said.err.contains("has not ended in 1 s; hint: it goes on") {
        return Err(format!("serin status -w --timeout 1: {said:?}").into());
    }
    let lost = person.lost()?;
    for command in ["status", "abort", "approve"] {
        lost.is_told(
            &[command, "app"],
            1,
            &["nothing listens at its address and port", "does the cluster run"],
        )
        .await?;
    }
    lost.is_told(
        &["status", "app", "-w"],
        1,
        &["nothing listens at its address and port"],
    )
    .await
}

/// What the commands say where there is nothing to decide about.
async fn at_rest(scenario: &Scenario, person: &Person) -> Outcome {
    person
        .is_told(
            &["abort", "app"],
            1,
            &["Rollout `app` has no release to abort", "serin status"],
        )
        .await?;
    let unknown = ["cannot read Rollout `nobody`", "not found", "is the name right"];
    person.is_told(&["approve", "nobody"], 1, &unknown).await?;
    person.is_told(&["status", "nobody"], 1, &unknown).await?;
    let listed = person.does(&["status", "-w", "--timeout", "1"]).await?;
    if !listed.contains("app") || !listed.contains("Idle") {
        return Err(format!("the list that is followed lacks the Rollout: {listed}").into());
    }
    // At rest there is nothing to follow.
    person.does(&["status", "app", "-w"]).await?;
    let plugin = person.with_plugin(scenario.cluster)?;
    let all = plugin.does(&["status"]).await?;
    let help = plugin.does(&["--help"]).await?;
    if !all.contains("app") || !all.contains("Idle") || !help.contains("kubectl serin") {
        return Err(format!("the plugin speaks otherwise: {all}{help}").into());
    }
    Ok(())
}

/// A paused release keeps its weight, a resumed one goes on, an aborted one goes back at once.
async fn pause_and_abort(scenario: Scenario) -> Outcome {
    let steps = "  steps: [{weight: 10, hold: 3s}, {weight: 25, hold: 1m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    let person = Person::with_role(&scenario, User::Approver, "approve").await?;
    let visitor = Person::with_role(&scenario, User::Viewer, "view").await?;
    scenario.set_image("app", "app:v2").await?;
    let mut following = visitor.follows(scenario.cluster, "app")?;
    care.wait_phase("Shifting", SOON).await?;
    person.does(&["pause", "app"]).await?;
    care.wait_reason("Paused", &["resume to go on"], SOON).await?;
    visitor
        .is_told(
            &["abort", "app"],
            1,
            &["cannot create a RolloutAction", "forbidden", "right"],
        )
        .await?;
    let other = [
        "Resume of revision v1 was rejected",
        "it is meant for revision v1, but",
    ];
    person
        .is_told(&["resume", "app", "--revision", "v1"], 1, &other)
        .await?;
    let none = ["Approve of revision", "was rejected", "asks for no approval"];
    person.is_told(&["approve", "app"], 1, &none).await?;
    tokio::time::sleep(A_WHILE).await;
    if care.course().highest() != 10 {
        return Err(format!("the weight changed in a pause: {:?}", care.course().marks).into());
    }
    person.does(&["resume", "app"]).await?;
    care.wait("25 % in force", SOON, |status| {
        status["release"]["weight"]["observed"] == 25
    })
    .await?;
    tokio::time::sleep(A_WHILE).await;
    following.alive()?;
    let aborted = care.load.elapsed();
    person.does(&["abort", "app", "--reason", "a doubt"]).await?;
    let status = care.wait_phase("RolledBack", SOON).await?;
    if status["history"][0]["outcome"] != "Aborted" {
        return Err(format!("the history does not tell of the abort: {}", status["history"]).into());
    }
    let (code, text) = following.ended(Duration::from_secs(10)).await?;
    if code != Some(1) || !text.contains("app  RolledBack") {
        return Err(format!("serin status -w ended with {code:?}: {text}").into());
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

/// The Rollout is deleted at 25 %, and whoever does it waits for all that is its own (`kubectl delete --cascade=foreground`):
/// the candidate serves until traffic is back, what serves goes on serving, and the unproven version stays held.
async fn deleted(scenario: Scenario) -> Outcome {
    let care = at_25(&scenario, "").await?;
    let pods = candidate_pods(&scenario).await?;
    if pods == 0 {
        return Err("25 % are in force, and the candidate has no pod".into());
    }
    scenario
        .delete(ROLLOUT, "app", &DeleteParams::foreground())
        .await?;
    let ending = crate::wait::until("the candidate's pods to end", SOON, || async {
        let left = candidate_pods(&scenario).await?;
        // Looked at after them: it does not grow any more.
        let route = scenario.get(HTTP_ROUTE, "app").await?;
        Ok((left < pods).then(|| candidate_weight(&route)))
    });
    let weight = ending.await?;
    if weight > 0 {
        return Err(format!("pods of the candidate ended while it had {weight} % of the traffic").into());
    }
    gone(&care).await?;
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
    let care = at_25(&scenario, "  onDelete: Resume\n").await?;
    scenario
        .delete(ROLLOUT, "app", &DeleteParams::background())
        .await?;
    gone(&care).await?;
    care.nothing_left().await?;
    scenario.wait_deployed("app", 2).await?;
    let (_, report) = care.end().await?;
    report.no_failures()
}

async fn at_25(scenario: &Scenario, more: &str) -> Outcome<Care> {
    let steps = "  steps: [{weight: 25, hold: 2m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(scenario, "app:v1", &format!("{steps}{more}")).await?;
    scenario.set_image("app", "app:v2").await?;
    care.wait("25 % in force", SOON, |status| {
        status["release"]["weight"]["observed"] == 25
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(care)
}

/// Waits until nothing is left of the Rollout and its candidate; its events stay.
async fn gone(care: &Care) -> Outcome {
    care.nothing_left_of_rollout().await?;
    care.no_candidate().await?;
    care.told(&["Adopted", "ReleaseStarted", "WeightChanged", "Deleting"])
        .await
}

/// How many of the candidate's pods are not about to end.
async fn candidate_pods(scenario: &Scenario) -> Outcome<usize> {
    let pods = scenario.list(POD, "serin.dev/rollout-uid").await?;
    let lives = |pod: &&Value| pod["metadata"]["deletionTimestamp"].is_null();
    Ok(pods.iter().filter(lives).count())
}

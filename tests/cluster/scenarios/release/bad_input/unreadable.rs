//! A Rollout whose status somebody else has written over.

use super::super::care::{Care, ROLLOUT, not_ready};
use super::{SOON, stalled};
use crate::scenario::fixtures::{deployment, route, service};
use crate::scenario::{DEPLOYMENT, EVENT, Scenario, trial};
use crate::{Outcome, wait};
use kube::api::DeleteParams;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("release::bad_input_unreadable", unreadable)]
}

/// It says so and keeps what it found; the neighbour's release goes on meanwhile; put back, all is well; and it can be
/// deleted as it is.
async fn unreadable(scenario: Scenario) -> Outcome {
    let steps = "  steps: [{weight: 10, hold: 2m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    let host = format!("other.{}", scenario.host());
    let other = [
        deployment("other", "app:v1", 1),
        service("other"),
        route("other", &host, &[("other", 1)]),
        format!(
            "apiVersion: {}\nkind: {}\nmetadata: {{name: other}}\nspec: {{workload: {{name: other}}, traffic: \
             {{gatewayAPI: {{routes: [{{name: other}}]}}}}, analysis: {{provider: {}}}}}\n",
            ROLLOUT.0, ROLLOUT.1, scenario.namespace
        ),
    ];
    scenario.apply(&other.concat()).await?;
    let idle = |it: &Value| it["status"]["phase"] == "Idle" && !stalled(it);
    let before = scenario.wait(ROLLOUT, "other", "Idle", SOON, idle).await?;

    write_over(&scenario, json!({"phase": "of the moon"})).await?;
    let told = |it: &Value| {
        let words = ["`status.course` cannot be read", "put back", "delete the Rollout"];
        not_ready(&it["status"], "StatusUnreadable", &words) && stalled(it)
    };
    let seen = scenario.wait(ROLLOUT, "other", "unreadable", SOON, told).await?;
    let mut changed = Vec::new();
    for (field, was) in before["status"].as_object().into_iter().flatten() {
        if seen["status"][field] != *was {
            changed.push(field.as_str());
        }
    }
    if changed != ["conditions", "course", "message"]
        || seen["status"]["course"] != json!({"phase": "of the moon"})
    {
        return Err(format!("more was changed than had to be, {changed:?}: {}", seen["status"]).into());
    }
    wait::until("an event", Duration::from_secs(5), || async {
        let events = scenario.list(EVENT, "").await?;
        let told = |it: &&Value| it["regarding"]["name"] == "other" && it["reason"] == "StatusUnreadable";
        Ok(events.iter().find(told).map(|_| ()))
    })
    .await?;

    scenario.set_image("app", "app:v2").await?;
    care.shifted(10, SOON).await?;

    write_over(&scenario, before["status"]["course"].clone()).await?;
    scenario.wait(ROLLOUT, "other", "well again", SOON, idle).await?;

    write_over(&scenario, json!({"phase": 7})).await?;
    scenario.wait(ROLLOUT, "other", "unreadable", SOON, told).await?;
    scenario
        .delete(ROLLOUT, "other", &DeleteParams::background())
        .await?;
    wait::until("the other to be gone", Duration::from_secs(20), || async {
        Ok((scenario.list(ROLLOUT, "").await?.len() == 1).then_some(()))
    })
    .await?;
    let left = scenario.get(DEPLOYMENT, "other").await?;
    if !left["metadata"]["labels"]["serin.dev/gate"].is_null() || left["spec"]["paused"] == true {
        return Err(format!("the gate was left behind: {left}").into());
    }
    let (_, report) = care.end().await?;
    report.no_failures()
}

async fn write_over(scenario: &Scenario, course: Value) -> Outcome {
    let ops = json!([{"op": "replace", "path": "/status/course", "value": course}]);
    scenario.patch_status(ROLLOUT, "other", ops).await
}

//! Somebody removes the candidate's Service while the route names it.

use super::care::Care;
use crate::Outcome;
use crate::scenario::{HTTP_ROUTE, SERVICE, Scenario, trial};
use kube::api::DeleteParams;
use libtest_mimic::Trial;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("release::tidied_up", tidied_up)]
}

const SOON: Duration = Duration::from_secs(40);
/// Until Serin and the gateway have heard of it, and traffic is elsewhere.
const HEARD: Duration = Duration::from_secs(4);

/// In a promotion the Deployment takes its share at once; in a rollback nothing waits for a route that is never resolved.
async fn tidied_up(scenario: Scenario) -> Outcome {
    let times = "  promotion: {bake: 3s, warmUp: 10s}\n  rollback: {drain: 5s, keep: 0s}\n";
    let care = Care::begin(&scenario, "app:v1", times).await?;
    scenario.set_image("app", "app:v2").await?;
    care.wait("a quarter of the traffic back", SOON * 2, |status| {
        status["phase"] == "Returning" && status["release"]["weight"]["observed"] == 75
    })
    .await?;
    let removed = care.load.elapsed();
    remove(&scenario).await?;
    care.wait_phase("Promoted", SOON).await?;
    care.told(&["CapacityLost", "Promoted"]).await?;
    scenario.set_image("app", "app:v3").await?;
    care.wait("10 % in force", SOON, |status| {
        status["release"]["weight"]["observed"] == 10
    })
    .await?;
    scenario.set_image("app", "app:v2").await?;
    care.wait_phase("RollingBack", SOON).await?;
    let again = care.load.elapsed();
    remove(&scenario).await?;
    care.wait_phase("Idle", SOON).await?;
    care.nothing_left().await?;
    let (_, report) = care.end().await?;
    let told = |since: Duration| since..since + HEARD;
    let late = report
        .failures()
        .filter(|it| !told(removed).contains(&it.sent) && !told(again).contains(&it.sent))
        .count();
    if late > 0 {
        return Err(format!("{late} requests failed while nothing was amiss").into());
    }
    Ok(())
}

/// Removes the candidate that the route names.
async fn remove(scenario: &Scenario) -> Outcome {
    let route = scenario.get(HTTP_ROUTE, "app").await?;
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array();
    let names = backends
        .into_iter()
        .flatten()
        .filter_map(|it| it["name"].as_str());
    let candidate = names.into_iter().find(|name| name.contains("-canary-"));
    let candidate = candidate.ok_or("the route names no candidate")?;
    scenario
        .delete(SERVICE, candidate, &DeleteParams::background())
        .await
}

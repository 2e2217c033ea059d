//! A good version goes all the way, and nobody notices.

use super::care::{Care, ROLLOUT};
use crate::Outcome;
use crate::scenario::{DEPLOYMENT, Scenario, trial};
use libtest_mimic::Trial;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("release::good", good)]
}

/// 10, 25, 100 %, promoted, traffic returned: no request fails, the shares are the weights, nothing is left over.
async fn good(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1-latency5", "").await?;
    scenario.set_image("app", "app:v2-latency5").await?;
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    let end = care.load.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let rollout = scenario.get(ROLLOUT, "app").await?;
    let deployment = scenario.get(DEPLOYMENT, "app").await?;
    let image = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    if *image != "app:v2-latency5" || deployment["status"]["updatedReplicas"] != 2 {
        return Err(format!("the stable Deployment does not run the new image: {deployment}").into());
    }
    let history = &rollout["status"]["history"][0];
    if history["outcome"] != "Promoted" || rollout["status"]["history"].as_array().map(Vec::len) != Some(1) {
        return Err(format!(
            "the history does not tell of the promotion: {}",
            rollout["status"]
        )
        .into());
    }
    let reasons = [
        "Adopted",
        "ReleaseStarted",
        "WeightChanged",
        "Promoting",
        "Returning",
        "Promoted",
    ];
    care.told(&reasons).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[10, 25, 80, 0])?;
    course.shares(&report, "v2")?;
    if report
        .between(end + Duration::from_secs(1), Duration::MAX)
        .of("v1")
        > 0
    {
        return Err("the old version still answers after the promotion".into());
    }
    Ok(())
}

//! A good version goes all the way, and nobody notices.

use super::care::{Care, ROLLOUT};
use crate::Outcome;
use crate::audit::{self, Calls};
use crate::scenario::{DEPLOYMENT, Scenario, trial};
use libtest_mimic::Trial;
use std::time::Duration;

/// How long the idle operator is listened to.
const QUIET: Duration = Duration::from_secs(20);

pub(super) fn all() -> Vec<Trial> {
    vec![trial("release::good", good)]
}

/// 10, 25, 100 %, promoted, traffic returned: no request fails, the shares are the weights, nothing is left over.
async fn good(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1-latency5", "").await?;
    let quiet = idle(&care).await?;
    scenario.set_image("app", "app:v2-latency5").await?;
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    let end = care.load.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    figures(&care, &quiet)?;
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
        "Promoted",
    ];
    care.told(&reasons).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    println!(
        "figures: of the requests of a good release {} were sent, {} left out",
        report.total(),
        report.left_out
    );
    report.no_failures()?;
    course.rises_through(&[10, 25, 80, 0])?;
    course.first("Returning")?;
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

/// The operator's calls until a quiet while has passed, with those of that while printed.
async fn idle(care: &Care) -> Outcome<Calls> {
    let calls = || Calls::of(care.scenario.cluster, &care.operator.uid);
    // The last words about the adoption.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = calls()?;
    tokio::time::sleep(QUIET).await;
    let after = calls()?;
    let per_second = (after.total() - before.total()) as f64 / QUIET.as_secs_f64();
    println!(
        "figures: idle {per_second:.2} calls/s, of them {:.2} writes/s (the Lease)",
        (after.writes() - before.writes()) as f64 / QUIET.as_secs_f64()
    );
    Ok(after)
}

/// What the release cost, in the API server's audit log; see `benches/figures.md`.
fn figures(care: &Care, before: &Calls) -> Outcome {
    let mut release = Calls::of(care.scenario.cluster, &care.operator.uid)?;
    for (kind, count) in &mut release.by_kind {
        *count -= before.by_kind.get(kind).copied().unwrap_or(0);
    }
    release.by_kind.retain(|_, count| *count > 0);
    let memory = care.operator.resident()? as f64 / f64::from(1 << 20);
    let leases = release.renewals();
    println!(
        "figures: a good release takes {} calls, of them {} writes; without the Lease's {} renewals {} calls, of them \
         {} writes: {:?}",
        release.total(),
        release.writes(),
        leases,
        release.total() - leases,
        release.writes() - leases,
        release.by_kind
    );
    let spans = audit::commit_to_route(care.scenario.cluster, &care.operator.uid)?;
    let slowest = spans.iter().max().copied().unwrap_or_default();
    println!(
        "figures: from a verdict's commit until the route is patched: {} ms at most in {} changes",
        slowest.as_millis(),
        spans.len()
    );
    println!("figures: {memory:.1} MiB resident with one Rollout");
    Ok(())
}

//! A version that must not stay: it fails, is slow, never becomes ready, or is overtaken by a newer one.

use super::care::{Care, METRICS, ROLLOUT, rollout};
use crate::Outcome;
use crate::audit;
use crate::scenario::{POD, Scenario, trial};
use libtest_mimic::Trial;
use serde_json::Value;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("release::never_ready", never_ready),
        trial("release::overtaken", overtaken),
    ]
}

/// What begins when the others have left the machine room to breathe: one has a time to keep, and both have more load.
pub(super) fn late() -> Vec<Trial> {
    vec![
        trial("release::regression", regression),
        trial("release::slow", slow),
    ]
}

/// Requests a second on top of the usual: with 75 a second on the candidate the scrapes that show its failures are the
/// limit, no longer their number.
const MORE: u32 = 600;
/// From the first failure on: three scrapes, and a second for the provider, the verdict and the gateway.
const BACK_WITHIN: Duration = Duration::from_secs(4);
/// What comes on top where other scenarios keep the machine busy, and where the first of the three scrapes shows little
/// more than the beginning.
const BUSY_MACHINE: Duration = Duration::from_millis(2500);

/// A fifth of the answers at 10 % are errors: rolled back within seconds, not tried again, and the next image is
/// promoted.
async fn regression(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1-latency5", "").await?;
    let stable = pods(&scenario).await?;
    let more = scenario.load(MORE)?;
    scenario.set_image("app", "app:v2-errors20-latency5").await?;
    let status = care.wait_phase("RolledBack", Duration::from_mins(1)).await?;
    more.stop().await;
    let outcome = &status["history"][0];
    if outcome["outcome"] != "RolledBack" || outcome["reason"] != "Regression" {
        return Err(format!("the history does not tell of the regression: {outcome}").into());
    }
    care.told(&["ReleaseStarted", "WeightChanged", "RollingBack", "RolledBack"])
        .await?;
    care.no_candidate().await?;
    let back = care.load.elapsed();
    // No retry.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let status = scenario.get(ROLLOUT, "app").await?["status"].take();
    if status["phase"] != "RolledBack" || care.course().highest() != 10 || pods(&scenario).await? != stable {
        let course = care.course().marks;
        return Err(
            format!("it was tried again, or the stable pods were touched: {status}, {course:?}").into(),
        );
    }
    let report = care.load.report();
    let failed = report.failures().filter(|it| it.version.as_deref() == Some("v2"));
    let first = failed.map(|it| it.sent).min().unwrap_or_default();
    let last = report.last_of("v2").unwrap_or_default();
    let spans = audit::commit_to_route(scenario.cluster, &care.operator.uid)?;
    println!(
        "figures: a fifth of the answers fail: the candidate's last request comes {:.1} s after its first failure; \
         from a commit until the route is patched {} ms at most",
        last.saturating_sub(first).as_secs_f64(),
        spans.iter().max().copied().unwrap_or_default().as_millis()
    );
    if last > first + BACK_WITHIN + BUSY_MACHINE || last > back {
        return Err(
            format!("the first failure was at {first:?}, yet v2 still got a request at {last:?}").into(),
        );
    }
    let next = care.load.elapsed();
    scenario.set_image("app", "app:v3-latency5").await?;
    care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    care.told(&["RolledBack", "Promoted"]).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    if let Some(other) = report.failures().find(|it| it.version.as_deref() != Some("v2")) {
        return Err(format!("a request failed that v2 did not answer: {other:?}").into());
    }
    course.rises_through(&[10, 0, 10, 25, 80, 0])?;
    course.shares_since(next, &report, "v3")
}

/// In place of the usual metrics: how many requests take longer than a tenth of a second, by native histograms of the pods.
const LATENCY: &str = "[{name: latency, kind: Latency, preset: http-requests, latency: {objective: 100ms}, \
                       unacceptable: {ratio: 2, absolute: 0.02}}]";

/// A version that answers late, without an error, is rolled back; the next one, which does not, is promoted.
async fn slow(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1-timed-latency5", "").await?;
    let by_latency = rollout("app", &scenario.namespace, "").replace(METRICS, LATENCY);
    scenario.apply(&by_latency).await?;
    scenario.set_image("app", "app:v2-timed-latency300").await?;
    let status = care.wait_phase("RolledBack", Duration::from_mins(1)).await?;
    let (outcome, metric) = (&status["history"][0], &status["release"]["metrics"][0]);
    let native = metric["source"].as_str().is_some_and(|it| it.contains("native"));
    if outcome["reason"] != "Regression" || metric["name"] != "latency" || !native {
        return Err(format!("not rolled back for its native histograms: {outcome}, {metric}").into());
    }
    care.no_candidate().await?;
    scenario.set_image("app", "app:v3-timed-latency5").await?;
    // A busy machine answers some requests too late, and each of them makes the proof longer.
    care.wait_phase("Promoted", Duration::from_mins(4)).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[10, 0, 10, 25, 80, 0])
}

/// Pods that never become ready get no request, and the version is rolled back at the deadline.
async fn never_ready(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1", "  progressDeadline: 10s\n").await?;
    let stable = pods(&scenario).await?;
    scenario.set_image("app", "app:v2-unready").await?;
    care.wait_phase("Scaling", Duration::from_secs(30)).await?;
    let status = care.wait_phase("RolledBack", Duration::from_secs(40)).await?;
    let outcome = &status["history"][0];
    if outcome["outcome"] != "RolledBack" || outcome["reason"] != "NotReady" {
        return Err(format!("the history does not tell why: {outcome}").into());
    }
    care.told(&["ReleaseStarted", "RollingBack", "RolledBack"])
        .await?;
    care.no_candidate().await?;
    if pods(&scenario).await? != stable {
        return Err("the stable pods were touched".into());
    }
    let (course, report) = care.end().await?;
    report.no_failures()?;
    if course.highest() > 0 || report.of("v2") > 0 {
        return Err(format!("pods that are not ready got requests: {:?}", course.marks).into());
    }
    Ok(())
}

/// A third image in mid-step takes the second one's place, from the beginning.
async fn overtaken(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1", "").await?;
    scenario.set_image("app", "app:v2").await?;
    care.shifted(10, Duration::from_secs(40)).await?;
    scenario.set_image("app", "app:v3").await?;
    let changed = care.load.elapsed();
    let status = care.wait_phase("Promoted", Duration::from_mins(2)).await?;
    let outcome = |index: usize| status["history"][index]["outcome"].clone();
    if outcome(0) != "Promoted" || outcome(1) != "Superseded" {
        return Err(format!("the history does not tell of both: {}", status["history"]).into());
    }
    care.told(&["ReleaseStarted", "RollingBack", "Promoted"]).await?;
    care.nothing_left().await?;
    let (course, report) = care.end().await?;
    report.no_failures()?;
    course.rises_through(&[10, 0, 10, 25, 80, 0])?;
    let last = report.last_of("v2").unwrap_or_default();
    if last > changed + Duration::from_secs(3) {
        return Err(format!("v3 came at {changed:?}, yet v2 got a request at {last:?}").into());
    }
    course.shares_since(last + Duration::from_secs(1), &report, "v3")
}

/// Names of the stable Deployment's pods.
async fn pods(scenario: &Scenario) -> Outcome<Vec<String>> {
    let pods = scenario.list(POD, "app=app").await?;
    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let mut names: Vec<_> = pods.iter().map(name).collect();
    names.sort();
    Ok(names)
}

//! What the cluster itself does, without Serin: the facts on which Serin's design and the other scenarios rest.

use crate::audit::Calls;
use crate::scenario::fixtures::{deployment, route, service};
use crate::scenario::{DEPLOYMENT, POD, REPLICA_SET, Scenario, trial};
use crate::{Outcome, prometheus, wait};
use kube::api::DeleteParams;
use libtest_mimic::Trial;
use serde_json::json;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("ground::split", split),
        trial("ground::metrics", metrics),
        trial("ground::pod_faults", pod_faults),
        trial("ground::paused_deployment", paused_deployment),
        trial("ground::gentle_rolling_update", gentle_rolling_update),
        trial("ground::metrics_outage", metrics_outage),
    ]
}

/// Requests reach real pods in the proportion of a route's weights, and none fails while the weights change.
async fn split(scenario: Scenario) -> Outcome {
    let objects = [
        deployment("old", "app:v1", 2),
        service("old"),
        deployment("new", "app:v2", 1),
        service("new"),
    ];
    scenario.apply(&objects.concat()).await?;
    scenario.wait_deployed("old", 2).await?;
    scenario.wait_deployed("new", 1).await?;
    let weighted = |new| route("app", &scenario.host(), &[("old", 100 - new), ("new", new)]);
    scenario.apply(&weighted(10)).await?;
    scenario.wait_routed("app").await?;
    let load = scenario.load(200)?;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let first = load.elapsed();
    scenario.apply(&weighted(0)).await?;
    scenario.wait_routed("app").await?;
    let second = load.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let end = load.elapsed();
    let report = load.stop().await;
    report.no_failures()?;
    report.between(Duration::ZERO, first).share("v2", 0.1)?;
    let after = report.between(second, end);
    if after.of("v2") > 0 || after.of("v1") < 100 {
        return Err(format!("weight 0 is not obeyed: {:?}", after.versions()).into());
    }
    Ok(())
}

/// The shared Prometheus has the gateway's and the pods' series of a loaded app, errors included.
async fn metrics(scenario: Scenario) -> Outcome {
    let objects = [
        deployment("app", "app:v1-errors50", 1),
        service("app"),
        route("app", &scenario.host(), &[("app", 1)]),
    ];
    scenario.apply(&objects.concat()).await?;
    scenario.wait_deployed("app", 1).await?;
    scenario.wait_routed("app").await?;
    let load = scenario.load(50)?;
    let cluster = format!("{}_app_80", scenario.namespace);
    let namespace = &scenario.namespace;
    for expression in [
        format!("envoy_cluster_upstream_rq{{envoy_cluster_name=\"{cluster}\",envoy_response_code=\"500\"}}"),
        format!(
            "envoy_cluster_upstream_rq_xx{{envoy_cluster_name=\"{cluster}\",envoy_response_code_class=\"2\"}}"
        ),
        format!("http_requests_total{{namespace=\"{namespace}\",code=\"500\",pod=~\"app-.*\"}}"),
    ] {
        wait::until(&expression, Duration::from_secs(15), || async {
            let samples = scenario.query(&expression).await?;
            Ok(samples.iter().any(|(_, value)| *value > 20.0).then_some(()))
        })
        .await?;
    }
    let report = load.stop().await;
    let failed = report.failures().count();
    if failed.abs_diff(report.total() / 2) > 1 {
        return Err(format!("half of {} should have failed, not {failed}", report.total()).into());
    }
    Ok(())
}

/// The faults that an image name asks for show in the pods' status as a kubelet would show them.
async fn pod_faults(scenario: Scenario) -> Outcome {
    let images = [
        ("unready", "app:v1-unready"),
        ("slow", "app:v1-slow2"),
        ("crash", "app:v1-crash1"),
    ];
    let objects: Vec<_> = images
        .iter()
        .map(|(name, image)| deployment(name, image, 1))
        .collect();
    scenario.apply(&objects.concat()).await?;
    wait::until("a crash loop", Duration::from_secs(20), || async {
        let pods = scenario.list(POD, "app=crash").await?;
        let status = &pods.first().ok_or("no pod yet")?["status"]["containerStatuses"][0];
        let crashed =
            status["restartCount"].as_u64() >= Some(1) && status["lastState"]["terminated"]["exitCode"] == 1;
        Ok(crashed.then_some(()))
    })
    .await?;
    scenario.wait_deployed("slow", 1).await?;
    let unready = scenario.get(DEPLOYMENT, "unready").await?;
    if unready["status"]["readyReplicas"] != json!(null) || unready["status"]["updatedReplicas"] != 1 {
        return Err(format!("a pod that never is ready: {}", unready["status"]).into());
    }
    // Everything above was done by one user; the audit log has it.
    let calls = Calls::of(scenario.cluster, "admin")?;
    if calls.writes() == 0
        || calls.total() <= calls.writes()
        || !calls.by_kind.contains_key("get deployments")
    {
        return Err(format!("the audit log lacks the test's own calls: {calls:?}").into());
    }
    Ok(())
}

/// A paused Deployment does not ship a new template, but is scaled and repaired; unpaused with a new one it ships.
async fn paused_deployment(scenario: Scenario) -> Outcome {
    scenario.apply(&deployment("app", "app:v1", 2)).await?;
    scenario.wait_deployed("app", 2).await?;
    scenario
        .patch(DEPLOYMENT, "app", json!({"spec": {"paused": true}}))
        .await?;
    scenario.set_image("app", "app:v2").await?;
    scenario
        .patch(DEPLOYMENT, "app", json!({"spec": {"replicas": 3}}))
        .await?;
    let limit = Duration::from_secs(30);
    let ready =
        |count: u64| move |it: &serde_json::Value| it["status"]["readyReplicas"].as_u64() == Some(count);
    scenario
        .wait(DEPLOYMENT, "app", "3 ready", limit, ready(3))
        .await?;
    let pods = scenario.list(POD, "app=app").await?;
    let victim = pods[0]["metadata"]["name"].as_str().unwrap_or_default();
    scenario.delete(POD, victim, &DeleteParams::default()).await?;
    wait::until("the deleted pod's successor", limit, || async {
        let pods = scenario.list(POD, "app=app").await?;
        let gone = pods.iter().all(|pod| pod["metadata"]["name"] != victim);
        let ready = pods
            .iter()
            .filter(|pod| pod["status"]["containerStatuses"][0]["ready"] == true)
            .count();
        Ok((gone && ready == 3).then_some(()))
    })
    .await?;
    let sets = scenario.list(REPLICA_SET, "app=app").await?;
    if sets.len() != 1 {
        return Err(format!("a paused Deployment made {} ReplicaSets", sets.len()).into());
    }
    scenario
        .patch(DEPLOYMENT, "app", json!({"spec": {"paused": false}}))
        .await?;
    scenario.wait_deployed("app", 3).await?;
    let images = scenario.list(POD, "app=app").await?;
    let old = images
        .iter()
        .filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    if old
        .clone()
        .any(|pod| pod["spec"]["containers"][0]["image"] != "app:v2")
    {
        return Err("the old image still runs after the roll".into());
    }
    Ok(())
}

/// The node agent ends pods so gently that a native rolling update under load fails no request.
async fn gentle_rolling_update(scenario: Scenario) -> Outcome {
    let objects = [
        deployment("app", "app:v1", 2),
        service("app"),
        route("app", &scenario.host(), &[("app", 1)]),
    ];
    scenario.apply(&objects.concat()).await?;
    scenario.wait_deployed("app", 2).await?;
    scenario.wait_routed("app").await?;
    let load = scenario.load(100)?;
    scenario.set_image("app", "app:v2").await?;
    scenario.wait_deployed("app", 2).await?;
    let rolled = load.elapsed();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let report = load.stop().await;
    report.no_failures()?;
    if report.of("v1") == 0 || report.of("v2") == 0 {
        return Err(format!("both versions should have answered: {:?}", report.versions()).into());
    }
    let last = report.last_of("v1").unwrap_or_default();
    if last > rolled + Duration::from_secs(3) {
        return Err(format!("v1 answered at {last:?}, though it was replaced at {rolled:?}").into());
    }
    Ok(())
}

/// A Prometheus of a scenario's own can be stopped and resumed without losing what it had, or disturbing others.
async fn metrics_outage(scenario: Scenario) -> Outcome {
    let mut own = scenario.own_prometheus().await?;
    let (url, limit) = (own.url(), Duration::from_secs(20));
    let scrapes = || async {
        let samples = prometheus::query(&url, "count_over_time(up{job=\"envoy\"}[10m])").await?;
        Ok(samples
            .first()
            .map(|(_, value)| *value)
            .filter(|value| *value >= 3.0))
    };
    let before = wait::until("three scrapes", limit, scrapes).await?;
    own.stop();
    if prometheus::query(&url, "up").await.is_ok() {
        return Err("a stopped Prometheus answers".into());
    }
    own.resume()?;
    own.ready().await?;
    wait::until("the scrapes of before and new ones", limit, || async {
        Ok(scrapes().await?.filter(|after| *after > before))
    })
    .await?;
    scenario.query("up").await?;
    Ok(())
}

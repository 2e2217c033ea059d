//! An application under Serin's care, with its operator, its metrics and a constant load.

use super::course::{Course, Watcher, candidate_weight};
use crate::load::{Load, Report};
use crate::operator::{self, Operator};
use crate::scenario::fixtures::{deployment, route, service};
use crate::scenario::{DEPLOYMENT, EVENT, HTTP_ROUTE, Kind, SERVICE, Scenario};
use crate::{Outcome, apply};
use kube::core::TypeMeta;
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

pub(super) const ROLLOUT: Kind = ("serin.dev/v1alpha1", "Rollout");
pub(super) const ACTION: Kind = ("serin.dev/v1alpha1", "RolloutAction");
/// Requests a second: enough for a verdict within seconds.
const RATE: u32 = 150;

/// The application `app` (Deployment, Service, HTTPRoute, Rollout) in a scenario's namespace.
pub(super) struct Care {
    pub(super) scenario: Scenario,
    pub(super) operator: Operator,
    pub(super) load: Load,
    watcher: Watcher,
    /// The route's `spec` as the user wrote it.
    route: Value,
}

impl Care {
    /// Two pods of `image` under load, an operator, and a Rollout with short times that has become idle. `more` is
    /// added to the Rollout's `spec` (YAML, indented by two), in place of the default fields of the same name.
    pub(super) async fn begin(scenario: &Scenario, image: &str, more: &str) -> Outcome<Self> {
        let metrics = scenario.cluster.prometheus.clone();
        Self::with_metrics(scenario, image, more, &metrics).await
    }

    /// The same with metrics from another Prometheus.
    pub(super) async fn with_metrics(
        scenario: &Scenario,
        image: &str,
        more: &str,
        metrics: &str,
    ) -> Outcome<Self> {
        let operator = start_operator(scenario, "one").await?;
        Self::under(
            scenario,
            operator,
            (image, more),
            &provider(&scenario.namespace, metrics),
        )
        .await
    }

    /// The same under an operator that runs, with a provider as it is written.
    pub(super) async fn under(
        scenario: &Scenario,
        operator: Operator,
        (image, more): (&str, &str),
        provider: &str,
    ) -> Outcome<Self> {
        let objects = [
            deployment("app", image, 2),
            service("app"),
            route("app", &scenario.host(), &[("app", 1)]),
        ];
        scenario.apply(&objects.concat()).await?;
        scenario.wait_deployed("app", 2).await?;
        scenario.wait_routed("app").await?;
        let route = scenario.get(HTTP_ROUTE, "app").await?["spec"].take();
        let load = scenario.load(RATE)?;
        let start = Instant::now() - load.elapsed();
        scenario.apply(provider).await?;
        scenario.apply(&rollout("app", &scenario.namespace, more)).await?;
        let care = Self {
            scenario: scenario.clone(),
            operator,
            load,
            watcher: Watcher::start(scenario, start).await?,
            route,
        };
        care.wait_phase("Idle", Duration::from_secs(30)).await?;
        // From this very moment on.
        let deployment = scenario.get(DEPLOYMENT, "app").await?;
        if deployment["metadata"]["labels"]["serin.dev/gate"].is_null() {
            return Err("the Rollout is Idle and the gate is not on".into());
        }
        Ok(care)
    }

    /// What has been seen until now.
    pub(super) fn course(&self) -> Course {
        self.watcher.course()
    }

    /// Waits until the Rollout is in a phase.
    pub(super) async fn wait_phase(&self, phase: &str, limit: Duration) -> Outcome<Value> {
        self.wait(phase, limit, |status| status["phase"] == phase).await
    }

    /// Waits until the Rollout's condition `Ready` is false for `reason`, with all of `words` in its message.
    pub(super) async fn wait_reason(&self, reason: &str, words: &[&str], limit: Duration) -> Outcome<Value> {
        let what = format!("{reason} with {words:?}");
        self.wait(&what, limit, |status| not_ready(status, reason, words))
            .await
    }

    /// Waits for something in the Rollout's status.
    pub(super) async fn wait(
        &self,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Value) -> bool + Send + Sync,
    ) -> Outcome<Value> {
        let mut seen = self
            .scenario
            .wait(ROLLOUT, "app", what, limit, |it| holds(&it["status"]))
            .await?;
        Ok(seen["status"].take())
    }

    /// Waits until the route gives the candidate this much and the gateway has had a second to follow. (The status says
    /// so up to ten seconds later.)
    pub(super) async fn shifted(&self, percent: u64, limit: Duration) -> Outcome {
        let what = format!("{percent} % for the candidate");
        let given = |route: &Value| candidate_weight(route) == percent;
        self.scenario.wait(HTTP_ROUTE, "app", &what, limit, given).await?;
        self.scenario.wait_routed("app").await
    }

    /// An error unless events with these reasons were told of the Rollout, first in this order.
    pub(super) async fn told(&self, reasons: &[&str]) -> Outcome {
        // Events are sent beside the release, not before it goes on.
        crate::wait::until("the events", Duration::from_secs(5), || async {
            let told = self.events().await?;
            let mut left = told.iter();
            if reasons.iter().all(|reason| left.any(|it| it == reason)) {
                return Ok(Some(()));
            }
            Err(format!("{reasons:?} in {told:?}").into())
        })
        .await
    }

    /// Reasons of the events about the Rollout, by the time of the first.
    pub(super) async fn events(&self) -> Outcome<Vec<String>> {
        let mut events = self.scenario.list(EVENT, "").await?;
        events.retain(|event| event["regarding"]["kind"] == "Rollout");
        events.sort_by_key(|event| event["eventTime"].as_str().unwrap_or_default().to_owned());
        let reason = |event: &Value| event["reason"].as_str().unwrap_or_default().to_owned();
        Ok(events.iter().map(reason).collect())
    }

    /// Waits until nothing of a release is left: no candidate, the route as the user wrote it, nothing paused.
    pub(super) async fn nothing_left(&self) -> Outcome {
        self.no_candidate().await?;
        let deployment = self.scenario.get(DEPLOYMENT, "app").await?;
        if deployment["spec"]["paused"] == true {
            return Err("the Deployment is paused".into());
        }
        Ok(())
    }

    /// Waits until there is no candidate, and the route is as the user wrote it.
    pub(super) async fn no_candidate(&self) -> Outcome {
        let scenario = &self.scenario;
        crate::wait::until("nothing to be left over", Duration::from_secs(10), || async {
            for kind in [DEPLOYMENT, SERVICE] {
                let left = scenario.list(kind, "serin.dev/rollout-uid").await?;
                if let Some(left) = left.first() {
                    return Err(format!("{} {} is left", kind.1, left["metadata"]["name"]).into());
                }
            }
            let route = scenario.get(HTTP_ROUTE, "app").await?;
            if route["spec"] != self.route {
                return Err(format!("the route is not as the user wrote it: {}", route["spec"]).into());
            }
            Ok(Some(()))
        })
        .await
    }

    /// Waits until there is no trace of the Rollout itself: no finalizer, no gate.
    pub(super) async fn nothing_left_of_rollout(&self) -> Outcome {
        let scenario = &self.scenario;
        crate::wait::until("the Rollout to be gone", Duration::from_secs(30), || async {
            let rollouts = scenario.list(ROLLOUT, "").await?;
            if let Some(rollout) = rollouts.first() {
                return Err(format!("it is still there: {}", rollout["metadata"]).into());
            }
            let deployment = scenario.get(DEPLOYMENT, "app").await?;
            let labels = &deployment["metadata"]["labels"];
            if !labels["serin.dev/gate"].is_null() {
                return Err(format!("the gate is left: {labels}").into());
            }
            Ok(Some(()))
        })
        .await
    }

    /// Ends the load and the operator, and says what was seen. The operator must still be alive.
    pub(super) async fn end(mut self) -> Outcome<(Course, Report)> {
        self.operator.alive()?;
        let course = self.watcher.course();
        let report = self.load.stop().await;
        Ok((course, report))
    }
}

/// `serin run` for the scenario's namespace; several of one scenario share its Lease.
pub(super) async fn start_operator(scenario: &Scenario, identity: &str) -> Outcome<Operator> {
    allow_lease(scenario).await?;
    let operator = scenario
        .operator(&arguments(&scenario.namespace, identity))
        .await?;
    ready(operator).await
}

pub(super) fn arguments<'a>(namespace: &'a str, identity: &'a str) -> Vec<&'a str> {
    let lease = ["--lease-namespace", namespace, "--identity", identity];
    [
        &["--namespace", namespace],
        &lease[..],
        &["--listen", "{address}:8080"],
    ]
    .concat()
}

/// The operator, once it says that it is ready.
pub(super) async fn ready(operator: Operator) -> Outcome<Operator> {
    let ready = format!("http://{}:8080/readyz", operator.address);
    crate::wait::answers("serin run", &ready, Duration::from_secs(30)).await?;
    Ok(operator)
}

/// The chart allows one Lease in its own namespace. Every scenario needs one of its own, so the very same Role is
/// granted in the scenario's namespace too.
pub(super) async fn allow_lease(scenario: &Scenario) -> Outcome {
    operator::chart(scenario.cluster).await?;
    let client = &scenario.cluster.admin;
    for kind in ["Role", "RoleBinding"] {
        let types = TypeMeta {
            api_version: "rbac.authorization.k8s.io/v1".to_owned(),
            kind: kind.to_owned(),
        };
        let api = apply::api(client, operator::NAMESPACE, &types, None).await?;
        let mut copy = api.get("serin-lease").await?;
        copy.metadata = kube::core::ObjectMeta {
            name: copy.metadata.name,
            ..Default::default()
        };
        apply::objects(client, &scenario.namespace, vec![copy]).await?;
    }
    Ok(())
}

/// Whether a Rollout's status says that it is not ready for `reason`, with all of `words`.
pub(super) fn not_ready(status: &Value, reason: &str, words: &[&str]) -> bool {
    let conditions = status["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| {
        let message = it["message"].as_str().unwrap_or_default();
        it["type"] == "Ready"
            && it["status"] == "False"
            && it["reason"] == reason
            && words.iter().all(|word| message.contains(word))
    })
}

/// A provider of the scenario's own; what it scrapes every second is there half a second later.
pub(super) fn provider(name: &str, address: &str) -> String {
    format!(
        "
apiVersion: serin.dev/v1alpha1
kind: MetricProvider
metadata: {{name: {name}}}
spec: {{address: \"{address}\", allowedNamespaces: [{name}], lag: 500ms}}
---
"
    )
}

/// What a Rollout of the scenarios is judged by.
pub(super) const METRICS: &str = "[{name: error-rate, unacceptable: {ratio: 2, absolute: 0.04}}]";

/// A Rollout whose holds are seconds and whose margins are wide, so that proof comes within seconds.
pub(super) fn rollout(name: &str, provider: &str, more: &str) -> String {
    let defaults = [
        ("progressDeadline", "30s"),
        (
            "steps",
            "[{weight: 10, hold: 3s}, {weight: 25, hold: 3s}, {weight: 100, hold: 3s}]",
        ),
        ("promotion", "{bake: 3s, warmUp: 1s}"),
        ("rollback", "{drain: 1s, keep: 0s}"),
    ];
    let kept: String = defaults
        .iter()
        .filter(|(field, _)| !more.contains(&format!("{field}:")))
        .map(|(field, value)| format!("  {field}: {value}\n"))
        .collect();
    format!(
        "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {{name: {name}}}
spec:
  workload: {{name: app}}
  traffic: {{gatewayAPI: {{routes: [{{name: app}}]}}, propagation: 1s}}
  analysis:
    interval: 1s
    warmUp: 1s
    preset: Fast
    provider: {provider}
    noDataDeadline: 2m
    metrics: {METRICS}
{kept}{more}"
    )
}

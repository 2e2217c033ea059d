//! What people get wrong: each has its own reason with the object's name and the remedy, traffic stays where it is, and
//! nothing is written that nobody asked for.

mod refused;
mod rights;
mod secrets;
mod unreadable;

use super::care::{Care, ROLLOUT, not_ready, provider, start_operator};
use crate::scenario::fixtures::{deployment, route, service};
use crate::scenario::{DEPLOYMENT, Scenario, trial};
use crate::{Outcome, audit};
use kube::api::DeleteParams;
use libtest_mimic::Trial;
use serde_json::Value;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    let mut trials = vec![
        trial("release::bad_input_missing", missing),
        trial("release::bad_input_contested", contested),
    ];
    trials.extend(refused::all());
    trials.extend(rights::all());
    trials.extend(secrets::all());
    trials.extend(unreadable::all());
    trials
}

const SOON: Duration = Duration::from_secs(40);
/// Long enough to have done something, had anything been done.
const A_WHILE: Duration = Duration::from_secs(4);

/// One Rollout of its own Deployment, Service and route, and what is wrong with it.
struct Case {
    name: &'static str,
    /// The Rollout's `spec`, and a metric provider's name in the place of `{provider}`.
    spec: &'static str,
    service: String,
    route: String,
    reason: &'static str,
    words: &'static [&'static str],
    /// What makes good for it.
    cure: String,
}

fn cases(host: &str) -> Vec<Case> {
    let at = |name: &str| format!("{name}.{host}");
    let standard = |name: &'static str| (service(name), route(name, &at(name), &[(name, 1)]));
    let of = |service_of: &str, pods: &str| {
        service(service_of).replace(&format!("app: {service_of}"), &format!("app: {pods}"))
    };
    let (workload, routes, services, providers) = (
        standard("no-workload"),
        standard("no-route"),
        standard("no-service"),
        standard("no-provider"),
    );
    vec![
        Case {
            name: "no-workload",
            spec: "{workload: {name: absent-workload}, traffic: {service: no-workload, gatewayAPI: {routes: [{name: no-workload}]}}, analysis: {provider: {provider}}}",
            service: of("no-workload", "absent-workload"),
            route: workload.1,
            reason: "WorkloadNotFound",
            words: &["Deployment {namespace}/absent-workload is not there", "create it", "`spec.workload.name`"],
            cure: deployment("absent-workload", "app:v1", 1),
        },
        Case {
            name: "no-route",
            spec: "{workload: {name: no-route}, traffic: {gatewayAPI: {routes: [{name: absent-route}]}}, analysis: {provider: {provider}}}",
            service: routes.0,
            route: routes.1,
            reason: "RouteNotFound",
            words: &["HTTPRoute {namespace}/absent-route is not there", "create it", "`spec.traffic.gatewayAPI.routes`"],
            cure: route("absent-route", &at("absent-route"), &[("no-route", 1)]),
        },
        Case {
            name: "no-service",
            spec: "{workload: {name: no-service}, traffic: {service: absent-service, gatewayAPI: {routes: [{name: no-service}]}}, analysis: {provider: {provider}}}",
            service: services.0,
            route: route("no-service", &at("no-service"), &[("absent-service", 1)]),
            reason: "ServiceNotFound",
            words: &["Service {namespace}/absent-service is not there", "create it", "`spec.traffic.service`"],
            cure: of("absent-service", "no-service"),
        },
        Case {
            name: "no-provider",
            spec: "{workload: {name: no-provider}, traffic: {gatewayAPI: {routes: [{name: no-provider}]}}, analysis: {provider: absent-provider}}",
            service: providers.0,
            route: providers.1,
            reason: "ProviderNotFound",
            words: &["MetricProvider `absent-provider` is not there", "create it", "`spec.analysis.provider`"],
            cure: "apiVersion: serin.dev/v1alpha1\nkind: MetricProvider\nmetadata: {name: absent-provider}\nspec: {address: \"http://10.244.0.1:9\", allowedNamespaces: [\"*\"]}\n---\n".to_owned(),
        },
        Case {
            name: "elsewhere",
            spec: "{workload: {name: elsewhere}, traffic: {gatewayAPI: {routes: [{name: elsewhere}]}}, analysis: {provider: {provider}}}",
            service: service("elsewhere"),
            route: route("elsewhere", &at("elsewhere"), &[("no-route", 1)]),
            reason: "RouteWithoutService",
            words: &["HTTPRoute {namespace}/elsewhere", "no rule that gives traffic to Service elsewhere", "backendRefs"],
            cure: route("elsewhere", &at("elsewhere"), &[("elsewhere", 1)]),
        },
        Case {
            name: "selects-nothing",
            spec: "{workload: {name: selects-nothing}, traffic: {gatewayAPI: {routes: [{name: selects-nothing}]}}, analysis: {provider: {provider}}}",
            service: of("selects-nothing", "somebody"),
            route: route("selects-nothing", &at("selects-nothing"), &[("selects-nothing", 1)]),
            reason: "ServiceSelectsNothing",
            words: &["Service {namespace}/selects-nothing selects none", "Deployment {namespace}/selects-nothing", "spec.selector"],
            cure: service("selects-nothing"),
        },
    ]
}

/// Names of objects that are not there, or do not fit: said at once, nothing but the own status is written, and all is
/// well as soon as it has been made good.
async fn missing(scenario: Scenario) -> Outcome {
    let namespace = &scenario.namespace;
    let cases = cases(&scenario.host());
    let operator = start_operator(&scenario, "one").await?;
    scenario
        .apply(&provider(namespace, &scenario.cluster.prometheus))
        .await?;
    for case in &cases {
        let objects = [case.service.as_str(), case.route.as_str()].concat();
        scenario.apply(&objects).await?;
        if case.name != "no-workload" {
            scenario.apply(&deployment(case.name, "app:v1", 1)).await?;
            scenario.wait_deployed(case.name, 1).await?;
        }
    }
    for case in &cases {
        scenario.apply(&rollout(case, namespace)).await?;
    }
    for case in &cases {
        let words: Vec<String> = case
            .words
            .iter()
            .map(|word| word.replace("{namespace}", namespace))
            .collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let what = format!("{} with {words:?}", case.reason);
        let told = |it: &Value| not_ready(&it["status"], case.reason, &words) && stalled(it);
        scenario.wait(ROLLOUT, case.name, &what, SOON, told).await?;
    }
    tokio::time::sleep(A_WHILE).await;
    for case in &cases {
        let rollout = scenario.get(ROLLOUT, case.name).await?;
        if !rollout["metadata"]["finalizers"].is_null() || rollout["status"]["phase"] != "Pending" {
            return Err(format!("{} was taken under care: {rollout}", case.name).into());
        }
    }
    let writes = audit::writes(scenario.cluster, &operator.uid)?;
    if let Some(other) = writes
        .iter()
        .find(|write| !write.starts_with("patch rollouts/status "))
    {
        return Err(format!("something but a status was written: {other}, of {writes:?}").into());
    }
    // The first word may come before all watches have.
    if writes.len() > 2 * cases.len() {
        return Err(format!("the status is written again and again: {writes:?}").into());
    }
    for case in &cases {
        scenario.apply(&case.cure).await?;
    }
    for case in &cases {
        let idle = |it: &Value| it["status"]["phase"] == "Idle";
        scenario.wait(ROLLOUT, case.name, "Idle", SOON, idle).await?;
    }
    let provider = ("serin.dev/v1alpha1", "MetricProvider");
    scenario
        .delete(provider, "absent-provider", &DeleteParams::default())
        .await
}

fn rollout(case: &Case, provider: &str) -> String {
    let spec = case.spec.replace("{provider}", provider);
    let name = case.name;
    format!("apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {{name: {name}}}\nspec: {spec}\n---\n")
}

pub(super) fn stalled(rollout: &Value) -> bool {
    let conditions = rollout["status"]["conditions"].as_array();
    let mut conditions = conditions.into_iter().flatten();
    conditions.any(|it| it["type"] == "Stalled" && it["status"] == "True")
}

/// Two Rollouts for one Deployment: the later one says why it does nothing, writes nothing but that, and its going
/// leaves the other's release alone.
async fn contested(scenario: Scenario) -> Outcome {
    let steps = "  steps: [{weight: 10, hold: 2m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    let rival = super::care::rollout("rival", &scenario.namespace, "");
    let refused = |it: &Value| {
        let words = [
            "Deployment",
            "/app is released by Rollout `app` already",
            "delete one",
        ];
        not_ready(&it["status"], "WorkloadContested", &words) && stalled(it)
    };
    scenario.apply(&rival).await?;
    scenario.wait(ROLLOUT, "rival", "refused", SOON, refused).await?;
    scenario.set_image("app", "app:v2").await?;
    care.shifted(10, SOON).await?;
    tokio::time::sleep(A_WHILE).await;
    let writes = audit::writes(scenario.cluster, &care.operator.uid)?;
    let of_rival: Vec<_> = writes.iter().filter(|write| write.ends_with(" rival")).collect();
    if of_rival != ["patch rollouts/status rival"] {
        return Err(format!("more than one status was written for the rival: {of_rival:?}").into());
    }
    scenario
        .delete(ROLLOUT, "rival", &DeleteParams::background())
        .await?;
    crate::wait::until("the rival to be gone", Duration::from_secs(5), || async {
        Ok((scenario.list(ROLLOUT, "").await?.len() == 1).then_some(()))
    })
    .await?;
    tokio::time::sleep(A_WHILE).await;
    let status = scenario.get(ROLLOUT, "app").await?["status"].take();
    let gate = scenario.get(DEPLOYMENT, "app").await?["metadata"]["labels"]["serin.dev/gate"].take();
    if status["release"]["weight"]["desired"] != 10 || gate.is_null() {
        return Err(format!("the rival took something with it: {status}, gate {gate}").into());
    }
    let (course, report) = care.end().await?;
    report.no_failures()?;
    if course.weights() != [0, 10] {
        return Err(format!("the weight did not stay: {:?}", course.marks).into());
    }
    Ok(())
}

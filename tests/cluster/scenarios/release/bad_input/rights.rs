//! Missing rights: the verb and the resource that must be granted, and nothing worse.

use super::super::care::{self, ACTION, Care};
use super::SOON;
use crate::control_plane::User;
use crate::scenario::{Scenario, trial};
use crate::{Outcome, operator, wait};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("release::bad_input_rights", rights)]
}

const CLUSTER_ROLE: crate::scenario::Kind = ("rbac.authorization.k8s.io/v1", "ClusterRole");
const ROLE: crate::scenario::Kind = ("rbac.authorization.k8s.io/v1", "Role");
/// What is refused is tried again every 30 s.
const TRIED_AGAIN: Duration = Duration::from_secs(45);

/// An operator without the right to make the candidate, then to change the route, then to change it back: each time the
/// status says what to grant and where, no request is lost, and less traffic comes as soon as it may.
async fn rights(scenario: Scenario) -> Outcome {
    let namespace = &scenario.namespace;
    operator::chart(scenario.cluster).await?;
    care::allow_lease(&scenario).await?;
    let all = scenario.get(CLUSTER_ROLE, "serin").await?["rules"].take();
    scenario.apply(BINDINGS).await?;
    blind(&scenario, &all).await?;
    grant(&scenario, &without(&all, "create", "deployments")).await?;
    let arguments = care::arguments(namespace, "one");
    let limited = scenario.operator_as(User::Limited, "limited", &arguments).await?;
    let limited = care::ready(limited).await?;
    let steps = "  progressDeadline: 5m\n  steps: [{weight: 10, hold: 2m}, {weight: 100, hold: 2s}]\n";
    let provider = care::provider(namespace, &scenario.cluster.prometheus);
    let care = Care::under(&scenario, limited, ("app:v1", steps), &provider).await?;

    scenario.set_image("app", "app:v2").await?;
    let within = format!("in namespace {namespace}");
    let words = ["grant", "`create` on `deployments.apps`", &within];
    let status = care.wait_reason("AccessDenied", &words, SOON).await?;
    care.told(&["ReleaseStarted", "AccessDenied"]).await?;

    grant(&scenario, &without(&all, "patch", "httproutes")).await?;
    let words = [
        "grant",
        "`patch` on `httproutes.gateway.networking.k8s.io`",
        &within,
    ];
    care.wait_reason("AccessDenied", &words, TRIED_AGAIN).await?;
    if care.course().highest() > 0 {
        return Err(format!("traffic moved: {:?}", care.course().marks).into());
    }

    grant(&scenario, &all).await?;
    care.shifted(10, TRIED_AGAIN).await?;

    grant(&scenario, &without(&all, "patch", "httproutes")).await?;
    let abort = json!({"rollout": "app", "action": "Abort", "revision": status["release"]["revision"]});
    let action =
        json!({"apiVersion": ACTION.0, "kind": ACTION.1, "metadata": {"name": "abort"}, "spec": abort});
    scenario.apply(&action.to_string()).await?;
    care.wait_reason("AccessDenied", &words, SOON).await?;
    let done = |it: &Value| it["status"]["phase"] == "Done";
    scenario.wait(ACTION, "abort", "answered", SOON, done).await?;
    grant(&scenario, &all).await?;
    care.shifted(0, Duration::from_secs(6)).await?;
    care.wait_phase("RolledBack", SOON).await?;
    let (_, report) = care.end().await?;
    report.no_failures()
}

/// An operator that may not watch a kind leads nobody: it is not ready, and its log says what to grant.
async fn blind(scenario: &Scenario, all: &Value) -> Outcome {
    let rules = without(
        &without(all, "list", "networkpolicies"),
        "watch",
        "networkpolicies",
    );
    grant(scenario, &rules).await?;
    let arguments = care::arguments(&scenario.namespace, "blind");
    let operator = scenario
        .operator_as(User::Limited, "limited-blind", &arguments)
        .await?;
    let url = format!("http://{}:8080/readyz", operator.address);
    wait::until("the log to name the right", Duration::from_secs(10), || async {
        let words = "`list` and `watch` on `networkpolicies` in group `networking.k8s.io` are missing";
        Ok(std::fs::read_to_string(&operator.log)?
            .contains(words)
            .then_some(()))
    })
    .await?;
    let answer = reqwest::get(url).await?;
    let (status, text) = (answer.status(), answer.text().await?);
    if status.is_success() || !text.contains("caches") {
        return Err(format!("it calls itself ready: {status} {text}").into());
    }
    Ok(())
}

/// These rules are the operator's rights in the namespace.
async fn grant(scenario: &Scenario, rules: &Value) -> Outcome {
    let role = json!({
        "apiVersion": ROLE.0, "kind": ROLE.1, "metadata": {"name": "limited"}, "rules": rules,
    });
    scenario.apply(&role.to_string()).await?;
    // The authorizer reads its roles from a watch.
    let limited = scenario.cluster.plane.client(User::Limited).await?;
    let wanted = rules_allow(rules, "httproutes", "patch");
    wait::until("the rights to be in force", Duration::from_secs(10), || async {
        Ok((may(scenario, &limited, "httproutes", "patch").await? == wanted).then_some(()))
    })
    .await
}

async fn may(scenario: &Scenario, client: &kube::Client, resource: &str, verb: &str) -> Outcome<bool> {
    let review = json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {
            "namespace": scenario.namespace, "verb": verb, "resource": resource,
            "group": "gateway.networking.k8s.io",
        }},
    });
    let request = http::Request::post("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .header("content-type", "application/json")
        .body(serde_json::to_vec(&review)?)?;
    let answer: Value = client.request(request).await?;
    Ok(answer["status"]["allowed"] == true)
}

fn rules_allow(rules: &Value, resource: &str, verb: &str) -> bool {
    let lists = |rule: &Value, field: &str, word: &str| {
        let words = rule[field].as_array().into_iter().flatten();
        words.into_iter().any(|it| it == word)
    };
    let mut rules = rules.as_array().into_iter().flatten();
    rules.any(|rule| lists(rule, "resources", resource) && lists(rule, "verbs", verb))
}

/// The rules without one verb on one resource.
fn without(rules: &Value, verb: &str, resource: &str) -> Value {
    let mut kept = Vec::new();
    for rule in rules.as_array().into_iter().flatten() {
        let (mut rule, resources) = (
            rule.clone(),
            rule["resources"].as_array().cloned().unwrap_or_default(),
        );
        let named = |it: &&Value| **it == resource;
        if resources.iter().any(|it| named(&it)) {
            let mut less = rule.clone();
            less["resources"] = json!([resource]);
            let verbs = rule["verbs"].as_array().cloned().unwrap_or_default();
            less["verbs"] = verbs.into_iter().filter(|it| *it != verb).collect();
            rule["resources"] = resources.into_iter().filter(|it| *it != resource).collect();
            kept.push(less);
        }
        kept.push(rule);
    }
    let full = |rule: &Value, field: &str| rule[field].as_array().is_some_and(|list| !list.is_empty());
    kept.retain(|rule| full(rule, "resources") && full(rule, "verbs"));
    Value::Array(kept)
}

const BINDINGS: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: limited}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: limited}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: limited-lease}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: serin-lease}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: limited-providers}
rules: [{apiGroups: [serin.dev], resources: [metricproviders], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: limited-providers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: limited-providers}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: limited}]
---
";

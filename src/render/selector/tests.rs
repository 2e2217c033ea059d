use serde_json::json;

use super::*;
use crate::engine::reason::UNSUPPORTED_SERVICE;

fn workload() -> Value {
    json!({
        "kind": "Deployment", "metadata": {"namespace": "shop", "name": "checkout"},
        "spec": {
            "selector": {"matchLabels": {"app": "checkout", "app.kubernetes.io/name": "checkout", "tier": "web"}},
            "template": {"metadata": {"labels":
                {"app": "checkout", "app.kubernetes.io/name": "checkout", "tier": "web", "team": "a"}}},
        },
    })
}

fn service(name: &str, selector: &Value) -> Value {
    json!({
        "kind": "Service", "metadata": {"namespace": "shop", "name": name},
        "spec": {"selector": selector, "ports": [{"port": 80}]},
    })
}

fn other(kind: &str, selector: &Value) -> Value {
    json!({"kind": kind, "metadata": {"namespace": "shop", "name": "other"}, "spec": {"selector": selector}})
}

fn key(stable: &Value, neighbours: &[Value]) -> Result<String, Problem> {
    key_of(stable, neighbours, None)
}

fn key_of(stable: &Value, neighbours: &[Value], candidate: Option<&Value>) -> Result<String, Problem> {
    let mut all = vec![stable.clone(), workload()];
    all.extend_from_slice(neighbours);
    suffix_key(&Scene {
        workload: &workload(),
        service: stable,
        neighbours: &all,
        candidate,
        revision: &Revision::named("bcdfghjklm"),
    })
}

#[track_caller]
fn refused(answer: Result<String, Problem>, reason: &str, words: &str) {
    let problem = answer.unwrap_err();
    assert_eq!(problem.reason, reason, "{}", problem.message);
    assert!(problem.message.contains(words), "{}", problem.message);
}

#[test]
fn the_narrowest_label_by_convention_is_taken() {
    let all = json!({"tier": "web", "app.kubernetes.io/name": "checkout", "app": "checkout"});
    assert_eq!(key(&service("checkout", &all), &[]).unwrap(), "app");
    let two = json!({"tier": "web", "app.kubernetes.io/name": "checkout"});
    assert_eq!(
        key(&service("checkout", &two), &[]).unwrap(),
        "app.kubernetes.io/name"
    );
    assert_eq!(
        key(&service("checkout", &json!({"tier": "web"})), &[]).unwrap(),
        "tier"
    );
}

#[test]
fn a_key_by_which_somebody_else_would_select_the_candidate_is_passed_over() {
    let stable = service("checkout", &json!({"app": "checkout", "tier": "web"}));
    // It selects by tier alone: with a suffix on `app` it would get the candidate's pods.
    for neighbour in [
        service("all-web", &json!({"tier": "web"})),
        other("PodDisruptionBudget", &json!({"matchLabels": {"tier": "web"}})),
        other("Deployment", &json!({"matchLabels": {"tier": "web"}})),
    ] {
        assert_eq!(key(&stable, &[neighbour]).unwrap(), "tier");
    }
}

#[test]
fn where_no_key_is_left_the_object_in_the_way_is_named() {
    let stable = service("checkout", &json!({"app": "checkout"}));
    refused(
        key(&stable, &[service("metrics", &json!({"team": "a"}))]),
        SELECTOR_OVERLAP,
        "Service shop/metrics would send requests to the candidate's pods, which differ from the stable ones in label \
         `app` only: add `app: checkout`",
    );
    let everything = other("PodDisruptionBudget", &json!({}));
    refused(
        key(&stable, &[everything]),
        SELECTOR_OVERLAP,
        "PodDisruptionBudget shop/other would count",
    );
    let scaled = json!({"kind": "StatefulSet", "metadata": {"namespace": "shop", "name": "db"},
                        "spec": {"selector": {"matchLabels": {"team": "a"}}}});
    let autoscaler = json!({"kind": "HorizontalPodAutoscaler", "metadata": {"namespace": "shop", "name": "hpa"},
                            "spec": {"scaleTargetRef": {"kind": "StatefulSet", "name": "db"}}});
    refused(
        key(&stable, &[scaled, autoscaler]),
        SELECTOR_OVERLAP,
        "shop/hpa would measure",
    );
}

#[test]
fn a_label_must_be_in_both_selectors() {
    let stable = service("checkout", &json!({"team": "a"}));
    refused(
        key(&stable, &[]),
        SELECTOR_OVERLAP,
        "no label is both in spec.selector of Service shop/checkout",
    );
}

#[test]
fn objects_that_select_other_pods_are_in_nobodys_way() {
    let stable = service("checkout", &json!({"app": "checkout"}));
    let neighbours = [
        service("images", &json!({"app": "images"})),
        service("external", &json!({})),
        other(
            "PodDisruptionBudget",
            &json!({"matchLabels": {"app": "checkout"}}),
        ),
        other("PodDisruptionBudget", &Value::Null),
        other("ConfigMap", &json!({})),
    ];
    assert_eq!(key(&stable, &neighbours).unwrap(), "app");
}

#[test]
fn a_network_policy_must_speak_of_both() {
    let stable = service("checkout", &json!({"app": "checkout"}));
    let policy = |spec: Value| json!({"kind": "NetworkPolicy", "metadata": {"namespace": "shop", "name": "net"}, "spec": spec});
    let by_app = json!({"matchLabels": {"app": "checkout"}});
    refused(
        key(&stable, &[policy(json!({"podSelector": by_app}))]),
        NETWORK_POLICY_MISSES,
        "NetworkPolicy shop/net applies to the stable pods but not the candidate's",
    );
    let database = json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [{"podSelector": by_app}]}]});
    refused(
        key(&stable, &[policy(database)]),
        NETWORK_POLICY_MISSES,
        "allows traffic with",
    );
    for harmless in [
        json!({"podSelector": {}}),
        json!({"podSelector": {"matchLabels": {"team": "a"}}}),
        json!({"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{}]}),
    ] {
        assert_eq!(key(&stable, &[policy(harmless)]).unwrap(), "app");
    }
}

#[test]
fn a_policy_can_decide_for_another_key() {
    let stable = service("checkout", &json!({"app": "checkout", "tier": "web"}));
    let policy = json!({"kind": "NetworkPolicy", "metadata": {"namespace": "shop", "name": "net"},
                        "spec": {"podSelector": {"matchLabels": {"app": "checkout"}}}});
    assert_eq!(key(&stable, &[policy]).unwrap(), "tier");
}

#[test]
fn a_service_must_select_the_pods() {
    let reason = |selector: Value| key(&service("checkout", &selector), &[]).unwrap_err().reason;
    assert_eq!(reason(json!({"app": "other"})), SERVICE_SELECTS_NOTHING);
    assert_eq!(reason(json!({})), UNSUPPORTED_SERVICE);
    let mut external = service("checkout", &json!({"app": "checkout"}));
    external["spec"]["type"] = json!("ExternalName");
    assert_eq!(key(&external, &[]).unwrap_err().reason, UNSUPPORTED_SERVICE);
}

#[test]
fn a_candidate_that_is_there_keeps_its_key_and_is_checked_again() {
    let stable = service("checkout", &json!({"app": "checkout", "tier": "web"}));
    let candidate = json!({"metadata": {"annotations": {"serin.dev/suffix-key": "tier"}}});
    assert_eq!(key_of(&stable, &[], Some(&candidate)).unwrap(), "tier");
    let late = service("late", &json!({"app": "checkout"}));
    refused(
        key_of(&stable, &[late], Some(&candidate)),
        SELECTOR_OVERLAP,
        "Service shop/late",
    );
}

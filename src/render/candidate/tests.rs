use super::*;
use crate::engine::reason::UNSUPPORTED_SERVICE;

const CANDIDATE_VALUE: &str = "checkout-canary-bcdfghjklm";

fn rollout() -> Value {
    json!({"metadata": {"namespace": "shop", "name": "checkout", "uid": "u-1"}, "spec": {"workload": {"name": "checkout"}}})
}

fn revision() -> Revision {
    Revision::named("bcdfghjklm")
}

fn workload() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "namespace": "shop", "name": "checkout", "uid": "d-1", "resourceVersion": "9",
            "ownerReferences": [{"kind": "Application"}],
            "labels": {"app": "checkout", "team": "a", "serin.dev/gate": "u-1", "argocd.argoproj.io/instance": "shop", "applyset.kubernetes.io/part-of": "applyset-x-v1",
                       "app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm",
                       "kustomize.toolkit.fluxcd.io/name": "shop", "helm.sh/chart": "checkout-1"},
            "annotations": {"argocd.argoproj.io/tracking-id": "x", "meta.helm.sh/release-name": "y"},
        },
        "spec": {
            "replicas": 10, "paused": true, "minReadySeconds": 5, "progressDeadlineSeconds": 120,
            "strategy": {"rollingUpdate": {"maxSurge": 2}}, "fieldOfTheFuture": {"a": 1},
            "selector": {
                "matchLabels": {"app": "checkout", "tier": "web"},
                "matchExpressions": [{"key": "app", "operator": "In", "values": ["checkout", "x"]}],
            },
            "template": {
                "metadata": {"labels": {"app": "checkout", "tier": "web"}, "annotations": {"note": "b"}},
                "spec": {
                    "containers": [{"name": "web", "image": "web:2", "fieldOfTheFuture": [1, {"b": null}]}],
                    "affinity": {
                        "podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
                            {"labelSelector": {"matchLabels": {"app": "cache"}}, "topologyKey": "zone"}]},
                        "podAntiAffinity": {
                            "requiredDuringSchedulingIgnoredDuringExecution": [
                                {"labelSelector": {"matchLabels": {"app": "checkout"}}, "topologyKey": "host"}],
                            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm":
                                {"labelSelector": {"matchExpressions":
                                    [{"key": "app", "operator": "In", "values": ["checkout"]}]}, "topologyKey": "host"}}],
                        },
                    },
                    "topologySpreadConstraints": [{"labelSelector": {"matchLabels": {"app": "checkout", "tier": "web"}}}],
                },
            },
        },
        "status": {"replicas": 10},
    })
}

fn service_object() -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "namespace": "shop", "name": "checkout", "labels": {"app": "checkout"},
            "annotations": {"projectcontour.io/upstream-protocol.h2c": "80", "external-dns.alpha.kubernetes.io/hostname": "shop.example.com"},
        },
        "spec": {
            "type": "LoadBalancer", "clusterIP": "10.0.0.7", "clusterIPs": ["10.0.0.7"], "externalIPs": ["1.2.3.4"],
            "loadBalancerIP": "1.2.3.4", "healthCheckNodePort": 30001, "externalTrafficPolicy": "Local",
            "sessionAffinity": "ClientIP", "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}},
            "internalTrafficPolicy": "Local", "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "selector": {"app": "checkout", "tier": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c",
                       "nodePort": 30080}],
        },
    })
}

fn order<'a>(rollout: &'a Value, revision: &'a Revision) -> Order<'a> {
    Order {
        rollout,
        revision,
        key: "app",
        stamp: "lease/7",
    }
}

fn made() -> Value {
    let workload = workload();
    let template = workload["spec"]["template"].clone();
    deployment(&workload, &template, 1, &order(&rollout(), &revision()))
}

#[test]
fn the_metadata_is_ours_and_bears_no_mark_of_other_tools() {
    let made = made();
    assert_eq!(
        made["metadata"],
        json!({
            "name": CANDIDATE_VALUE, "namespace": "shop",
            "labels": {
                "app": CANDIDATE_VALUE, "team": "a", "app.kubernetes.io/managed-by": "serin",
                "serin.dev/rollout-uid": "u-1", "serin.dev/role": "candidate", "serin.dev/revision": "bcdfghjklm",
            },
            "annotations": {"serin.dev/stamp": "lease/7", "serin.dev/suffix-key": "app"},
        })
    );
    assert_eq!(made.get("status"), None);
    assert!(is_ours(&made, &rollout()));
    assert!(!is_ours(&workload(), &rollout()));
    assert_eq!(revision_of(&made), Some(revision()));
}

#[test]
fn nothing_of_the_template_is_lost() {
    // Undo what must differ: all else must be the user's, to the digit.
    let mut made = made();
    let text = made.to_string().replace(CANDIDATE_VALUE, "checkout");
    made = serde_json::from_str(&text).unwrap();
    let labels = made["spec"]["template"]["metadata"]["labels"]
        .as_object_mut()
        .unwrap();
    for ours in [names::ROLLOUT_UID, names::ROLE, names::REVISION] {
        assert!(labels.remove(ours).is_some(), "{ours}");
    }
    let mut expected = workload();
    let spec = expected["spec"].as_object_mut().unwrap();
    spec.remove("paused");
    spec.insert("replicas".into(), json!(1));
    assert_eq!(made["spec"], expected["spec"]);
}

#[test]
fn the_pods_and_what_they_say_of_themselves_get_the_suffix() {
    let made = made();
    for pointer in [
        "/spec/selector/matchLabels/app",
        "/spec/selector/matchExpressions/0/values/0",
        "/spec/template/metadata/labels/app",
        "/spec/template/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/labelSelector/matchLabels/app",
        "/spec/template/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/labelSelector/matchExpressions/0/values/0",
        "/spec/template/spec/topologySpreadConstraints/0/labelSelector/matchLabels/app",
    ] {
        assert_eq!(made.pointer(pointer), Some(&json!(CANDIDATE_VALUE)), "{pointer}");
    }
    let cache = "/spec/template/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution/0/labelSelector/matchLabels/app";
    assert_eq!(
        made.pointer(cache),
        Some(&json!("cache")),
        "an affinity to other pods stays"
    );
    assert_eq!(
        made.pointer("/spec/selector/matchLabels/tier"),
        Some(&json!("web"))
    );
    let labels = super::super::labels::at(&made, "/spec/template/metadata/labels");
    assert!(super::super::labels::selector_matches(
        made.pointer("/spec/selector"),
        &labels
    ));
}

#[test]
fn the_service_is_copied_without_addresses() {
    let made = service(&service_object(), &order(&rollout(), &revision())).unwrap();
    assert_eq!(
        made["spec"],
        json!({
            "type": "ClusterIP", "sessionAffinity": "ClientIP",
            "sessionAffinityConfig": {"clientIP": {"timeoutSeconds": 60}}, "internalTrafficPolicy": "Local",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "selector": {"app": CANDIDATE_VALUE, "tier": "web"},
            "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"}],
        })
    );
    assert_eq!(
        made["metadata"]["annotations"],
        json!({"serin.dev/stamp": "lease/7", "projectcontour.io/upstream-protocol.h2c": "80"})
    );
    let pods = super::super::labels::at(&self::made(), "/spec/template/metadata/labels");
    assert!(super::super::labels::map_matches(
        &super::super::labels::at(&made, "/spec/selector"),
        &pods
    ));
}

#[test]
fn headless_stays_headless_and_what_selects_nothing_is_refused() {
    let mut headless = service_object();
    headless["spec"]["clusterIP"] = json!("None");
    let made = service(&headless, &order(&rollout(), &revision())).unwrap();
    assert_eq!(made["spec"]["clusterIP"], "None");
    for (field, value) in [
        ("type", json!("ExternalName")),
        ("selector", json!({})),
        ("ports", json!([])),
    ] {
        let mut broken = service_object();
        broken["spec"][field] = value;
        let problem = service(&broken, &order(&rollout(), &revision())).unwrap_err();
        assert_eq!(problem.reason, UNSUPPORTED_SERVICE);
        assert!(
            problem.message.contains("Service shop/checkout"),
            "{}",
            problem.message
        );
    }
}

#[test]
fn the_template_comes_from_whoever_still_holds_it() {
    let workload = workload();
    let own = revision::of_template(&workload["spec"]["template"]);
    assert_eq!(
        template_of(&workload, &[], &own).unwrap(),
        workload["spec"]["template"]
    );
    let mut old = workload["spec"]["template"].clone();
    old["spec"]["containers"][0]["image"] = json!("web:1");
    let mut labelled = old.clone();
    labelled["metadata"]["labels"]["pod-template-hash"] = json!("h");
    let sets = [json!({"spec": {"template": labelled}})];
    assert_eq!(
        template_of(&workload, &sets, &revision::of_template(&old)).unwrap(),
        old
    );
    let problem = template_of(&workload, &sets, &revision()).unwrap_err();
    assert_eq!(problem.reason, TEMPLATE_GONE);
}

#[test]
fn scaling_to_what_it_has_is_nothing() {
    let mut candidate = made();
    candidate["metadata"]["resourceVersion"] = json!("3");
    assert_eq!(scale(&candidate, 1, "lease/7"), None);
    let ops = scale(&candidate, 4, "lease/7").unwrap();
    assert_eq!(ops[0]["value"], "3");
    assert_eq!(ops[1], json!({"op": "add", "path": "/spec/replicas", "value": 4}));
}

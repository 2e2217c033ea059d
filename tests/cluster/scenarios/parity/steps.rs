//! The requests: each kind of write that Serin makes, and how each can be refused. A line a request.

use super::{Step, at};
use serde_json::{Value, json};

const DEPLOYMENTS: &str = "apps/v1/deployments";
const ROUTES: &str = "gateway.networking.k8s.io/v1/httproutes";
const ROLLOUTS: &str = "serin.dev/v1alpha1/rollouts";
const ACTIONS: &str = "serin.dev/v1alpha1/rolloutactions";
const LEASES: &str = "coordination.k8s.io/v1/leases";
const EVENTS: &str = "events.k8s.io/v1/events";
const SERVICES: &str = "v1/services";

const GENERATION: &str = "/metadata/generation";
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

pub(super) fn all() -> Vec<Step> {
    [deployments(), changes(), routes(), rollouts(), others()].into_iter().flatten().collect()
}

/// The first operation of every conditional patch.
fn version(value: &str) -> Value {
    json!({"op": "replace", "path": "/metadata/resourceVersion", "value": value})
}

fn app(resource: &str, rest: &str) -> String {
    at(resource, &format!("/app{rest}"))
}

fn deployments() -> Vec<Step> {
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app", "labels": {"app": "app"}},
        "spec": {
            "replicas": 0, "selector": {"matchLabels": {"app": "app"}},
            "template": {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:v1"}]}},
        },
    });
    let mut bad = object.clone();
    bad["metadata"]["name"] = json!("bad");
    bad["spec"]["template"]["metadata"]["labels"] = json!({"app": "other"});
    let all = || at(DEPLOYMENTS, "");
    let app = |rest: &str| app(DEPLOYMENTS, rest);
    let only = |spec: Value| json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "app"}, "spec": spec});
    let pause = only(json!({"paused": true}));
    vec![
        Step("get what is missing", "GET", app(""), Value::Null, &["/status", "/details/kind", "/details/name"]),
        Step("patch what is missing", "merge", app(""), json!({"spec": {"paused": true}}), &[]),
        Step("create", "POST", all(), object.clone(), &[GENERATION, "/spec/replicas", "/spec/paused", "/spec/revisionHistoryLimit"]),
        Step("create again", "POST", all(), object, &["/details/name"]),
        Step("create what is invalid", "POST", all(), bad, &["/details/causes/0/field"]),
        Step("dry run", "merge", app("?dryRun=All"), json!({"spec": {"paused": true}}), &["/spec/paused"]),
        Step("a dry run changed nothing", "GET", app(""), Value::Null, &[GENERATION, "/spec/paused"]),
        Step("apply one field", "apply", app("?fieldManager=gate"), pause.clone(), &[GENERATION, "/spec/paused"]),
        Step("apply it again", "apply", app("?fieldManager=gate"), pause, &[GENERATION, "/spec/paused"]),
        Step("apply another's field", "apply", app("?fieldManager=scaler"), only(json!({"replicas": 3})), &["/details/causes/0/reason", "/details/causes/0/field"]),
        Step("give the field up", "apply", app("?fieldManager=gate"), only(json!({})), &[GENERATION, "/spec/paused"]),
    ]
}

fn changes() -> Vec<Step> {
    let app = |rest: &str| app(DEPLOYMENTS, rest);
    let image = json!({"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": "app:v2"});
    let delete = |uid: &str| json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background", "preconditions": {"uid": uid}});
    vec![
        Step("scale", "merge", app("/scale"), json!({"spec": {"replicas": 1}}), &["/kind", "/spec/replicas"]),
        Step("scale is seen", "GET", app(""), Value::Null, &[GENERATION, "/spec/replicas"]),
        Step("image at a stale version", "json", app(""), json!([version("FIRST"), image]), &[]),
        Step("a test that fails", "json", app(""), json!([{"op": "test", "path": "/spec/replicas", "value": 7}, image]), &[]),
        Step("image", "json", app(""), json!([image]), &[GENERATION, "/spec/template/spec/containers/0/image"]),
        Step("remove a label", "merge", app(""), json!({"metadata": {"labels": {"app": null}}}), &[GENERATION, "/metadata/labels"]),
        Step("delete another uid", "DELETE", app(""), delete(NOBODY), &[]),
        Step("delete", "DELETE", app(""), delete("OBJECT-UID"), &[]),
        Step("gone", "GET", app(""), Value::Null, &[]),
    ]
}

fn routes() -> Vec<Step> {
    let backend = |name: &str, weight: u32| json!({"name": name, "port": 80, "weight": weight});
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "app"},
        "spec": {"hostnames": ["parity.example"], "rules": [{"backendRefs": [backend("app", 1)]}]},
    });
    let app = |rest: &str| app(ROUTES, rest);
    let set = json!({"op": "replace", "path": "/spec/rules/0/backendRefs", "value": [backend("app", 90), backend("app-canary", 10)]});
    let read = json!({"op": "test", "path": "/spec/rules/0/backendRefs/0/weight", "value": 1});
    let stamp = |version: &str, uid: &str| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"name": "app", "uid": uid, "resourceVersion": version, "annotations": {"serin.dev/stamp": "a/1"}},
        })
    };
    let force = "?fieldManager=stamp&force=true";
    vec![
        Step("create a route", "POST", at(ROUTES, ""), route, &[GENERATION]),
        Step("weights at the last version", "json", app(""), json!([version("LAST"), set]), &[GENERATION, "/spec/rules/0/backendRefs/1/weight"]),
        Step("weights at a stale version", "json", app(""), json!([version("FIRST"), set]), &[]),
        Step("weights as they were read", "json", app(""), json!([read, set]), &[]),
        Step("a path that is not there", "json", app(""), json!([{"op": "replace", "path": "/spec/rules/7/name", "value": "x"}]), &[]),
        Step("annotations keep the generation", "apply", app(force), stamp("LAST", "OBJECT-UID"), &[GENERATION, "/metadata/annotations"]),
        Step("annotations at a stale version", "apply", app(force), stamp("FIRST", "OBJECT-UID"), &[]),
        Step("annotations on another uid", "apply", app(force), stamp("LAST", NOBODY), &[]),
        Step("delete a route", "DELETE", app(""), Value::Null, &["/status"]),
    ]
}

fn rollouts() -> Vec<Step> {
    let rollout = json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "app", "finalizers": ["serin.dev/traffic"]},
        "spec": {"workload": {"name": "app"}, "traffic": {"gatewayAPI": {"routes": [{"name": "app"}]}}, "weights": [10, 100]},
    });
    let app = |rest: &str| app(ROLLOUTS, rest);
    let status = json!({"op": "add", "path": "/status", "value": {"observedGeneration": 1}});
    let defaults = &[GENERATION, "/spec/workload/kind", "/spec/analysis/interval", "/status"];
    vec![
        Step("create a Rollout", "POST", at(ROLLOUTS, ""), rollout, defaults),
        Step("status by the main resource is dropped", "merge", app(""), json!({"status": {"observedGeneration": 9}}), &[GENERATION, "/status"]),
        Step("status at the last version", "json", app("/status"), json!([version("LAST"), status]), &[GENERATION, "/status/observedGeneration"]),
        Step("status at a stale version", "json", app("/status"), json!([version("FIRST"), status]), &[]),
        Step("spec by the status is dropped", "merge", app("/status"), json!({"spec": {"paused": true}}), &[GENERATION, "/spec/paused"]),
        Step("spec raises the generation", "merge", app(""), json!({"spec": {"paused": true}}), &[GENERATION, "/spec/paused"]),
        Step("deletion waits for the finalizer", "DELETE", app(""), Value::Null, &["/metadata/finalizers", GENERATION]),
        Step("a new finalizer comes too late", "merge", app(""), json!({"metadata": {"finalizers": ["serin.dev/traffic", "x.dev/y"]}}), &[]),
        Step("status while it is deleted", "merge", app("/status"), json!({"status": {"observedGeneration": 2}}), &["/status/observedGeneration"]),
        Step("give the finalizer back", "json", app(""), json!([{"op": "remove", "path": "/metadata/finalizers"}]), &[]),
        Step("gone with its finalizer", "GET", app(""), Value::Null, &[]),
    ]
}

fn others() -> Vec<Step> {
    let lease = |version: Value, holder: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "serin", "resourceVersion": version},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "leaseTransitions": 1},
        })
    };
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "app-canary", "labels": {"serin.dev/rollout-uid": "u"}},
        "spec": {"selector": {"app": "app-canary"}, "ports": [{"port": 80, "targetPort": 8080}]},
    });
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "app.1"},
        "eventTime": "2026-01-01T00:00:00.000000Z", "type": "Normal", "reason": "StepPassed", "action": "Advance", "note": "to 25 %",
        "reportingController": "serin.dev/serin", "reportingInstance": "a",
        "regarding": {"apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "name": "app", "namespace": "parity-world"},
    });
    let action = json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "RolloutAction", "metadata": {"name": "ok"},
        "spec": {"rollout": "app", "revision": "r", "action": "Approve"},
    });
    let ok = |rest: &str| at(ACTIONS, &format!("/ok{rest}"));
    let answer = json!({"op": "add", "path": "/status", "value": {"phase": "Done", "at": "2026-01-01T00:00:00Z"}});
    let seen = |version: &str| json!({"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "OBJECT-UID", "resourceVersion": version}});
    let held = at(LEASES, "/serin");
    let by_label = |value: &str| at(SERVICES, &format!("?labelSelector=serin.dev/rollout-uid%3D{value}"));
    vec![
        Step("create a Lease", "POST", at(LEASES, ""), lease(Value::Null, "a"), &["/spec/holderIdentity"]),
        Step("renew it", "PUT", held.clone(), lease(json!("LAST"), "b"), &["/spec/holderIdentity"]),
        Step("renew it at a stale version", "PUT", held, lease(json!("FIRST"), "c"), &[]),
        Step("create a Service", "POST", at(SERVICES, ""), service, &["/spec/type", "/spec/ports/0/protocol", "/spec/sessionAffinity"]),
        Step("find it by its label", "GET", by_label("u"), Value::Null, &["/kind", "/items/0/metadata/name"]),
        Step("find nothing by another", "GET", by_label("v"), Value::Null, &["/items"]),
        Step("create an action", "POST", at(ACTIONS, ""), action, &["/spec/action", "/status"]),
        Step("answer it", "json", ok("/status"), json!([version("LAST"), answer]), &["/status/phase", "/status/at"]),
        Step("remove it as it was before", "DELETE", ok(""), seen("FIRST"), &[]),
        Step("remove it", "DELETE", ok(""), seen("LAST"), &["/status"]),
        Step("create an event", "POST", at(EVENTS, ""), event, &["/note", "/reason"]),
    ]
}

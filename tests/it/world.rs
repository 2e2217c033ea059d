//! The simulated cluster, driven through the real `kube` client in paused time.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)] // the lints know tests, but not their helpers

mod api;
mod apply;
mod cluster;
mod gate;
#[path = "../parity/parity.rs"]
mod parity;
mod recorded;
mod traffic;
mod watch;

use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use serin::world::{Options, World};

/// A world with a namespace `shop`.
fn world() -> World {
    let world = World::new(&Options::default());
    world
        .apply_yaml("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}")
        .unwrap();
    world
}

/// An untyped API for a kind in the namespace `shop`.
fn api(client: &kube::Client, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client.clone(), "shop", &resource)
}

fn deployments(client: &kube::Client) -> Api<DynamicObject> {
    api(client, "apps", "v1", "Deployment")
}

fn routes(client: &kube::Client) -> Api<DynamicObject> {
    api(client, "gateway.networking.k8s.io", "v1", "HTTPRoute")
}

/// An untyped object from JSON.
fn object(value: Value) -> DynamicObject {
    serde_json::from_value(value).unwrap()
}

fn deployment(name: &str, image: &str) -> DynamicObject {
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "app", "image": image}]},
            },
        },
    }))
}

/// The code and reason of a refused call.
fn refused<T>(result: Result<T, kube::Error>) -> (u16, String) {
    match result {
        Err(kube::Error::Api(status)) => (status.code, status.reason.clone()),
        Err(other) => panic!("not an answer of the server: {other:?}"),
        Ok(_) => panic!("not refused"),
    }
}

/// A JSON patch from its operations.
fn json_patch(operations: Value) -> kube::api::Patch<()> {
    kube::api::Patch::Json(serde_json::from_value(operations).unwrap())
}

/// The admission gate, reduced to what names it and its exempt user.
const GATE: &str = r"
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: gate.serin.dev}
spec:
  matchConditions:
  - {name: gated, expression: has(oldObject.metadata.labels)}
  - {name: not-serin, expression: request.userInfo.username != 'system:serviceaccount:serin:serin'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: gate.serin.dev}
spec: {policyName: gate.serin.dev}
";

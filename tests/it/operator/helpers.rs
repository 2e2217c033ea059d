//! What every test of the operator does with its world: it waits, looks, and does what people do.

use std::time::Duration;

use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, GroupVersionKind, Patch, PatchParams};
use serde_json::{Value, json};
use serin::world::World;
use tokio::task::JoinSet;

use super::{operate, phase_is};

/// Group, version and kind.
pub(crate) type Gvk = (&'static str, &'static str, &'static str);

pub(crate) const HTTP_ROUTE: Gvk = ("gateway.networking.k8s.io", "v1", "HTTPRoute");
pub(crate) const ROLLOUT_KIND: Gvk = ("serin.dev", "v1alpha1", "Rollout");
pub(crate) const DEPLOYMENT: Gvk = ("apps", "v1", "Deployment");
pub(crate) const SERVICE: Gvk = ("", "v1", "Service");

/// How long a test waits for something at most.
const PATIENCE: Duration = Duration::from_hours(4);

/// The status of the Rollout `checkout`.
pub(crate) fn status(world: &World) -> Value {
    status_of(world, "checkout")
}

pub(crate) fn status_of(world: &World, rollout: &str) -> Value {
    world.object("rollouts", "shop", rollout).unwrap()["status"].take()
}

/// Waits until the Rollout `checkout` is in this phase, but not for ever.
pub(crate) async fn comes_to(world: &World, phase: &str) {
    let came = tokio::time::timeout(PATIENCE, phase_is(world, phase)).await;
    assert!(came.is_ok(), "never {phase}: {}", status(world));
}

/// Waits until so many per cent of the requests go to the candidate, but not for ever.
pub(crate) async fn in_force_is(world: &World, share: i64) {
    let step = Duration::from_millis(100);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        if in_force(world) == share {
            return;
        }
        tokio::time::sleep(step).await;
    }
    panic!("never {share} %: {}", status(world));
}

/// Per cent of the requests that go to a candidate.
pub(crate) fn in_force(world: &World) -> i64 {
    let weights = world.weights_in_force("shop", "checkout");
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let candidate: f64 = weights
        .iter()
        .filter(|(service, _)| is_candidate(service))
        .map(|(_, weight)| weight)
        .sum();
    (100.0 * candidate / total).round() as i64
}

/// The operator at work on a release that has come to its second step.
pub(crate) async fn at_25(world: &World) -> JoinSet<()> {
    let (tasks, _) = operate(world);
    phase_is(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(world, 25).await;
    tasks
}

/// What has been told as an Event with this reason.
pub(crate) fn events(world: &World, reason: &str) -> Vec<String> {
    let events = world.objects("events", "shop");
    let told = events.iter().filter(|it| it["reason"] == reason);
    told.map(|it| it["note"].as_str().unwrap_or_default().to_owned())
        .collect()
}

pub(crate) fn is_candidate(name: &str) -> bool {
    name.contains("-canary-")
}

/// The names of the candidate's objects of one kind.
pub(crate) fn candidate_names(world: &World, plural: &str) -> Vec<String> {
    let names = world.objects(plural, "shop").into_iter();
    let names = names.map(|it| it["metadata"]["name"].as_str().unwrap().to_owned());
    names.filter(|name| is_candidate(name)).collect()
}

/// The name of the candidate's first object of one kind.
pub(crate) fn candidate_name(world: &World, plural: &str) -> String {
    let names = candidate_names(world, plural);
    names.into_iter().next().unwrap()
}

/// The candidates in the first rule of a route, with their weights.
pub(crate) fn candidate_backends(world: &World, route: &str) -> Vec<Value> {
    let route = world.object("httproutes", "shop", route).unwrap();
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array().cloned();
    let of_candidate = |it: &Value| it["name"].as_str().is_some_and(is_candidate);
    backends.unwrap().into_iter().filter(of_candidate).collect()
}

/// The objects of a kind in the shop's namespace.
pub(crate) fn api(client: kube::Client, (group, version, kind): Gvk) -> Api<DynamicObject> {
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    Api::namespaced_with(client, "shop", &resource)
}

pub(crate) async fn delete(world: &World, kind: Gvk, name: &str) {
    let objects = api(world.client(), kind);
    objects.delete(name, &DeleteParams::default()).await.unwrap();
}

/// A merge patch of the object `checkout`.
pub(crate) async fn patch(world: &World, kind: Gvk, change: Value) {
    let objects = api(world.client(), kind);
    objects
        .patch("checkout", &PatchParams::default(), &Patch::Merge(change))
        .await
        .unwrap();
}

/// A person acts on the release of the Rollout `checkout`.
pub(crate) fn act(world: &World, action: &str) {
    act_with(world, &json!({"rollout": "checkout", "action": action}));
}

/// A person acts on a release by a `RolloutAction` of this spec.
pub(crate) fn act_with(world: &World, spec: &Value) {
    let name = spec["action"].as_str().unwrap().to_lowercase();
    world
        .apply(&json!({
            "apiVersion": "serin.dev/v1alpha1", "kind": "RolloutAction",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": spec,
        }))
        .unwrap();
}

//! People change what a release rests on, at the real operator: what has been given to the candidate comes back all the
//! same, and the status says who is waited for.

use serde_json::json;
use serin::cluster::observe;
use serin::cluster::snapshot::Snapshot;
use serin::engine::judge::Evidence;
use serin::engine::observation::{Candidate, Gate, Residual};
use serin::engine::state::{Cause, Phase, Rejection};
use serin::engine::{Moment, Observation, Plan, State, decide};
use serin::render::revision;

use super::*;

/// A second way in, by a route of its own.
const OTHER: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: partners, namespace: shop}
spec:
  parentRefs: [{name: public}]
  hostnames: [partners.example.com]
  rules:
  - backendRefs: [{name: checkout, port: 80}]
";

async fn delete_other_route(world: &World) {
    delete(world, HTTP_ROUTE, "partners").await;
}

/// A shop with two routes, in the first step of a release.
async fn shifted() -> (World, JoinSet<()>) {
    let world = shop();
    world.apply_yaml(OTHER).unwrap();
    world
        .apply_yaml(&ROLLOUT.replace("[{name: checkout}]}", "[{name: checkout}, {name: partners}]}"))
        .unwrap();
    let (tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Judging").await;
    assert_eq!(in_force(&world), 10);
    (world, tasks)
}

fn message(world: &World) -> String {
    let message = status(world)["message"].take();
    message.as_str().unwrap_or_default().to_owned()
}

/// A route that somebody has deleted must not keep the candidate's traffic in the others.
#[tokio::test(start_paused = true)]
async fn a_rollback_goes_through_though_one_of_two_routes_is_gone() {
    let (world, _tasks) = shifted().await;
    delete_other_route(&world).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(
        message(&world).starts_with("HTTPRoute shop/partners is not there"),
        "{}",
        message(&world)
    );
    assert_eq!(in_force(&world), 10);
    act(&world, "Abort");
    phase_is(&world, "RolledBack").await;
    tokio::time::sleep(Duration::from_mins(15)).await;
    assert_eq!(candidate_backends(&world, "checkout"), Vec::<Value>::new());
}

/// The same when the Rollout is deleted: nothing may be left that nobody looks after any more.
#[tokio::test(start_paused = true)]
async fn a_deletion_goes_through_though_one_of_two_routes_is_gone() {
    let (world, _tasks) = shifted().await;
    delete_other_route(&world).await;
    delete(&world, ROLLOUT_KIND, "checkout").await;
    tokio::time::sleep(Duration::from_mins(15)).await;
    assert!(world.object("rollouts", "shop", "checkout").is_none());
    assert_eq!(candidate_backends(&world, "checkout"), Vec::<Value>::new());
}

/// A gateway that is gone for good takes no route. Whoever takes the route from it, as he is told to, is not kept waiting.
#[tokio::test(start_paused = true)]
async fn a_deletion_goes_through_once_the_route_is_taken_from_a_gateway_that_is_gone() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Judging").await;
    let never = Duration::from_hours(1000);
    world.delay_gateway(never, never);
    delete(&world, ("serin.dev", "v1alpha1", "Rollout"), "checkout").await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    let told = message(&world);
    assert!(told.contains("take it out of `spec.parentRefs`"), "{told}");
    patch(&world, HTTP_ROUTE, json!({"spec": {"parentRefs": []}})).await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert!(
        world.object("rollouts", "shop", "checkout").is_none(),
        "{}",
        message(&world)
    );
    assert_eq!(candidate_backends(&world, "checkout"), Vec::<Value>::new());
}

/// The weight cannot grow, and the status says so at once and not only when the step has passed.
#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_scaled_to_zero_in_mid_step_is_told() {
    let (world, _tasks) = shifted().await;
    world.set_replicas("shop", "checkout", 0).unwrap();
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(
        message(&world).starts_with("the Deployment is scaled to zero"),
        "{}",
        message(&world)
    );
    world.set_replicas("shop", "checkout", 4).unwrap();
    phase_is(&world, "Promoted").await;
}

/// The pods of the rejected version must not come, nor may the status advise a person to let them.
#[tokio::test(start_paused = true)]
async fn a_rejection_outlives_a_deployment_that_is_scaled_to_zero_and_back() {
    let (world, _tasks) = shifted().await;
    act(&world, "Abort");
    phase_is(&world, "RolledBack").await;
    for replicas in [0, 4] {
        world.set_replicas("shop", "checkout", replicas).unwrap();
        for _ in 0..100 {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let rollout = world.object("rollouts", "shop", "checkout").unwrap();
            assert_eq!(rollout["status"]["phase"], "RolledBack", "{}", message(&world));
        }
    }
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(deployment["spec"]["paused"], true);
}

/// Between the Deployment's scale and its ReplicaSet's the stable revision has no pods, and yet is not gone.
#[test]
fn an_empty_replica_set_of_the_stable_revision_comes_back() {
    let template = |image: &str| json!({"spec": {"containers": [{"name": "app", "image": image}]}});
    let snapshot = Snapshot {
        rollout: json!({"metadata": {"finalizers": ["serin.dev/traffic"]}, "spec": {"workload": {"name": "checkout"}}}),
        workload: Some(json!({"spec": {"replicas": 4, "paused": true, "template": template("checkout:v2")}})),
        replica_sets: vec![json!({"spec": {"replicas": 0, "template": template("checkout:v1")}})],
        ..Snapshot::default()
    };
    let now = Moment::from_second(1_700_000_000).unwrap();
    let seen = observe::workload(&snapshot, now).unwrap();
    let stable = revision::of_template(&template("checkout:v1"));
    let rejection = Rejection {
        revision: seen.template.clone(),
        since: now,
        cause: Cause::Aborted,
        detail: "a person asked".into(),
    };
    let state = State {
        stable: Some(stable),
        phase: Phase::RolledBack(rejection),
        ..State::default()
    };
    let seen = Observation {
        deleting: false,
        problems: Vec::new(),
        workload: Some(seen),
        candidate: Candidate::default(),
        route: observe::route(&snapshot, None),
        gate: Gate::Closed,
        preflight: None,
        evidence: Evidence::none(),
        residual: Residual::Unknown,
        actions: Vec::new(),
        refusal: None,
    };
    let plan = Plan::fallback(GateMode::Admission);
    let next = decide(&plan, &state, &seen, now).next;
    assert!(matches!(next.phase, Phase::RolledBack(_)), "{next:?}");
}

/// `kubectl delete namespace`: all of it goes at once, and the rights of a namespaced install with it but for those on
/// Rollouts.
#[tokio::test(start_paused = true)]
async fn a_rollout_ends_with_its_namespace_though_nothing_else_may_be_written_any_more() {
    let (world, _tasks) = shifted().await;
    for resource in [
        "deployments",
        "services",
        "httproutes",
        "events",
        "replicasets/scale",
    ] {
        for verb in ["get", "create", "patch", "delete"] {
            let rule = FaultRule::next(verb, resource, Fault::Status(403)).times(u64::MAX);
            world.inject(FaultRule {
                user: SERIN.into(),
                ..rule
            });
        }
    }
    delete(&world, ROLLOUT_KIND, "checkout").await;
    for (group, version, kind, plural) in [
        ("apps", "v1", "Deployment", "deployments"),
        ("", "v1", "Service", "services"),
        ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
    ] {
        tokio::time::sleep(Duration::from_secs(2)).await;
        for object in world.objects(plural, "shop") {
            delete(
                &world,
                (group, version, kind),
                object["metadata"]["name"].as_str().unwrap(),
            )
            .await;
        }
    }
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert!(
        world.object("rollouts", "shop", "checkout").is_none(),
        "{}",
        message(&world)
    );
}

const TLS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: NAME, namespace: shop}
spec:
  targetRefs: [{group: '', kind: Service, name: SERVICE}]
  validation: {hostname: checkout.example.com, wellKnownCACertificates: System}
";

/// The gateway would speak plain text to the candidate's pods, and every request would fail.
#[tokio::test(start_paused = true)]
async fn a_policy_that_only_the_stable_service_has_stops_a_release_until_the_candidate_has_one() {
    let world = shop();
    world
        .apply_yaml(&TLS.replace("NAME", "tls").replace("SERVICE", "checkout"))
        .unwrap();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Preflight").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let told = message(&world);
    assert!(
        told.starts_with("BackendTLSPolicy shop/tls targets Service checkout and none"),
        "{told}"
    );
    assert_eq!(candidate_backends(&world, "checkout"), Vec::<Value>::new());
    let (_, name) = told.split_once("name Service ").unwrap();
    let (name, _) = name.split_once(' ').unwrap();
    world
        .apply_yaml(&TLS.replace("NAME", "tls-canary").replace("SERVICE", name))
        .unwrap();
    phase_is(&world, "Promoted").await;
}

/// One for a port that no route names says nothing of what the gateway does.
#[tokio::test(start_paused = true)]
async fn a_policy_for_another_port_stops_nothing_and_neither_does_a_right_to_policies_that_is_missing() {
    let admin = "name: SERVICE, sectionName: admin";
    let policy = TLS.replace("name: SERVICE", admin).replace("SERVICE", "checkout");
    for denied in [false, true] {
        let world = shop();
        world.apply_yaml(&policy.replace("NAME", "tls")).unwrap();
        for verb in ["list", "watch"].into_iter().filter(|_| denied) {
            let rule = FaultRule::next(verb, "backendtlspolicies", Fault::Status(403)).times(u64::MAX);
            world.inject(rule);
        }
        let (_tasks, _) = operate(&world);
        phase_is(&world, "Idle").await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        phase_is(&world, "Promoted").await;
    }
}

/// An API server that has just been started refuses everything for a second: that a right is missing shows in time.
#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_for_a_moment_hides_no_policy() {
    let world = shop();
    world.inject(FaultRule::next("list", "backendtlspolicies", Fault::Status(403)).times(2));
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    tokio::time::sleep(Duration::from_secs(10)).await;
    let policy = TLS.replace("NAME", "tls").replace("SERVICE", "checkout");
    world.apply_yaml(&policy).unwrap();
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Preflight").await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let told = message(&world);
    assert!(told.starts_with("BackendTLSPolicy shop/tls targets"), "{told}");
}

/// A new leader after an outage of the API server must not wait for half a minute until it sees the pods again.
#[tokio::test(start_paused = true)]
async fn watches_come_back_within_seconds_of_an_outage() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Judging").await;
    // The server ends a watch after five minutes at most.
    for verb in ["list", "watch"] {
        world.inject(FaultRule::next(verb, "endpointslices", Fault::Status(503)).times(u64::MAX));
    }
    tokio::time::sleep(Duration::from_secs(400)).await;
    assert_ne!(in_force(&world), 0, "{}", message(&world));
    for pod in candidate_names(&world, "pods") {
        world.force_pod("shop", &pod, Some(false));
    }
    world.heal();
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(in_force(&world), 0, "{}", message(&world));
}

/// A connection of a watch that is renewed counts as well.
#[tokio::test(start_paused = true)]
async fn at_rest_the_api_server_hears_little() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let before = world.trace().len();
    tokio::time::sleep(Duration::from_hours(1)).await;
    let calls = world.trace().split_off(before);
    let calls = calls.iter().filter(|call| call.user == SERIN).count();
    println!("{calls} calls in an hour");
    assert!(calls <= 900, "{calls} calls in an hour at rest");
}

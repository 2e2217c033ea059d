//! Others at work on what a release owns, and clocks that were wrong, at the real operator.

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::*;

/// The operator at work on a release at 25 %, in the middle of its step.
async fn amid_the_step(world: &World) -> JoinSet<()> {
    let tasks = at_25(world).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    tasks
}

/// The route as a repository has it.
pub(super) async fn sync(world: &World) {
    let spec = json!({"spec": {"rules": [{"backendRefs": [{"name": "checkout", "port": 80}]}]}});
    let parameters = PatchParams {
        field_manager: Some("argocd-controller".into()),
        ..PatchParams::default()
    };
    api(world.client_as("argocd"), HTTP_ROUTE)
        .patch("checkout", &parameters, &Patch::Merge(spec))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_keeps_putting_the_route_back_is_named_and_the_weight_does_not_grow() {
    let world = shop();
    let _tasks = amid_the_step(&world).await;
    sync(&world).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(in_force(&world), 25);
    let told = events(&world, "RouteContested");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with(
            "HTTPRoute shop/checkout was changed by `argocd-controller`: its weights are put back"
        ),
        "{told:?}"
    );
    let before = world.trace().len();
    for turn in 0..90 {
        sync(&world).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let status = status(&world);
        let message = status["message"].as_str().unwrap();
        if turn > 0 {
            assert!(
                message
                    .starts_with("HTTPRoute shop/checkout is changed again and again by `argocd-controller`"),
                "{message}"
            );
        }
        assert_eq!(status["release"]["weight"]["desired"], 25, "{message}");
    }
    let writes = world.trace().split_off(before);
    let writes = writes.iter().filter(|call| call.user == SERIN && call.is_write());
    let writes = writes
        .filter(|call| call.resource != "httproutes" && call.resource != "leases")
        .count();
    assert!(
        writes <= 4,
        "{writes} writes beside the route's own in three minutes"
    );
    assert_eq!(events(&world, "RouteContested").len(), 2);
    comes_to(&world, "Promoted").await;
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_somebody_deletes_comes_back_and_its_absence_is_no_evidence() {
    for (kind, plural) in [(DEPLOYMENT, "deployments"), (SERVICE, "services")] {
        let world = shop();
        let _tasks = amid_the_step(&world).await;
        let name = candidate_name(&world, plural);
        // Whoever is on the way out, or not known to the gateway yet, answers badly.
        world.define_image("checkout:v2", Image::failing(0.5));
        delete(&world, kind, &name).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        world.define_image("checkout:v2", Image::failing(0.0));
        tokio::time::sleep(Duration::from_secs(40)).await;
        let told = events(&world, "CapacityLost");
        assert!(
            told.len() == 1
                && told[0].starts_with(&format!(
                    "somebody has removed the candidate's {} under 25 %",
                    kind.2
                )),
            "{told:?}"
        );
        let seen = status(&world);
        assert_eq!(in_force(&world), 25, "{seen}");
        assert_eq!(
            seen["message"],
            "evidence at 25 %; the step was restarted, because somebody had removed the candidate",
            "{seen}"
        );
        for _ in 0..240 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let seen = status(&world);
            assert!(!seen.to_string().contains("looks worse"), "{seen}");
        }
        assert!(in_force(&world) > 25, "{}", status(&world));
        comes_to(&world, "Promoted").await;
    }
}

/// Deletes the candidate's Service.
async fn tidy_up(world: &World) {
    delete(world, SERVICE, &candidate_name(world, "services")).await;
}

/// A route that names a Service which is gone is never resolved: nothing may wait for that, and no share may stay there.
#[tokio::test(start_paused = true)]
async fn a_candidates_service_that_somebody_deletes_keeps_nothing_from_its_end() {
    for phase in ["Promoting", "Returning"] {
        let world = shop();
        let (_tasks, _) = operate(&world);
        phase_is(&world, "Idle").await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        comes_to(&world, phase).await;
        tokio::time::sleep(Duration::from_secs(3)).await;
        tidy_up(&world).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let told = events(&world, "CapacityLost");
        let there = !candidate_names(&world, "services").is_empty();
        assert!(there, "{phase}: it is made again; {}", status(&world));
        assert_eq!(in_force(&world), 0, "{phase}: {told:?}");
        comes_to(&world, "Promoted").await;
    }
    let world = shop();
    let _tasks = amid_the_step(&world).await;
    world.set_image("shop", "checkout", "checkout:v1").unwrap();
    comes_to(&world, "RollingBack").await;
    tidy_up(&world).await;
    comes_to(&world, "Idle").await;
}

/// Nothing of the one before is left but its name in the route, and the gateway refuses that: the next release clears it.
#[tokio::test(start_paused = true)]
async fn a_candidate_that_is_removed_in_its_rollback_leaves_nothing_that_stops_the_next_one() {
    let world = shop();
    let _tasks = amid_the_step(&world).await;
    world.define_image("checkout:v3", Image::failing(0.0));
    world.set_image("shop", "checkout", "checkout:v3").unwrap();
    comes_to(&world, "RollingBack").await;
    delete(&world, DEPLOYMENT, &candidate_name(&world, "deployments")).await;
    tidy_up(&world).await;
    comes_to(&world, "Promoted").await;
}

/// What a process left behind whose clock was an hour ahead: in the state and in the evidence.
#[tokio::test(start_paused = true)]
async fn a_clock_that_was_an_hour_ahead_stalls_nobody() {
    let world = shop();
    let mut tasks = amid_the_step(&world).await;
    tasks.abort_all();
    while tasks.join_next().await.is_some() {}
    let mut ahead = status(&world);
    shift(&mut ahead["course"]["phase"]);
    shift(&mut ahead["evidence"]);
    let patch = Patch::Merge(json!({"status": {"course": ahead["course"], "evidence": ahead["evidence"]}}));
    api(world.client(), ROLLOUT_KIND)
        .patch_status("checkout", &PatchParams::default(), &patch)
        .await
        .unwrap();
    let (_tasks, _) = operate_with(&world, Arc::new(world.metrics()));
    for _ in 0..900 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if status(&world)["release"]["weight"]["desired"] == 80 {
            break;
        }
    }
    assert_eq!(
        status(&world)["release"]["weight"]["desired"],
        80,
        "{}",
        status(&world)
    );
    let told = events(&world, "ClockAhead");
    assert_eq!(told.len(), 1, "{told:?}");
    comes_to(&world, "Promoted").await;
}

/// Moves every moment in a value an hour on.
fn shift(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(shift),
        Value::Array(items) => items.iter_mut().for_each(shift),
        Value::String(text) => {
            if let Ok(moment) = text.parse::<jiff::Timestamp>() {
                *text = (moment + Duration::from_secs(3600)).to_string();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A new leader stamps the route, and that is no name: a gateway answers 503 for a Service that it has just heard of.
#[tokio::test(start_paused = true)]
async fn a_new_leader_names_the_candidate_before_it_gives_it_a_share() {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    for phase in ["Preflight", "Scaling"] {
        comes_to(&world, phase).await;
        leader.shutdown().await;
        assert!(candidate_backends(&world, "checkout").is_empty());
        (leader, _) = lead(&world, Arc::new(world.metrics()), phase);
    }
    let limit = world.elapsed() + Duration::from_mins(10);
    while candidate_backends(&world, "checkout").is_empty() {
        assert!(world.elapsed() < limit, "{}", status(&world));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(candidate_backends(&world, "checkout")[0]["weight"], 0);
    comes_to(&world, "Judging").await;
    assert_eq!(in_force(&world), 10);
}

const PARTNER: &str = "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {name: partner, namespace: shop}
spec:
  workload: {name: partner}
  traffic: {gatewayAPI: {routes: [{name: checkout}]}}
";

/// The stamp of a release of another Rollout that shares the route is that one's to remove.
#[tokio::test(start_paused = true)]
async fn an_idle_rollout_leaves_a_shared_route_alone() {
    for shared in [false, true] {
        let world = shop();
        if shared {
            world.apply_yaml(PARTNER).unwrap();
        }
        let (_tasks, _) = operate(&world);
        comes_to(&world, "Idle").await;
        let stamp = json!({"metadata": {"annotations": {"serin.dev/stamp": "7ab9/1"}}});
        patch(&world, HTTP_ROUTE, stamp).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        let route = world.object("httproutes", "shop", "checkout").unwrap();
        let there = !route["metadata"]["annotations"]["serin.dev/stamp"].is_null();
        assert_eq!(there, shared, "{route}");
    }
}

/// A repository changes the route between the commit of the first weight and the write of it: what it says now is what
/// comes back at the end.
#[tokio::test(start_paused = true)]
async fn weights_that_come_just_before_the_first_share_are_given_back() {
    let world = shop();
    let legacy = Shop {
        name: "legacy".into(),
        ..Shop::default()
    };
    world.install(&legacy).unwrap();
    sync_weights(&world, [1, 3]).await;
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    let late = FaultRule::next("patch", "httproutes", Fault::Delay(Duration::from_millis(500)));
    world.inject(FaultRule {
        user: SERIN.into(),
        ..late
    });
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    while status(&world)["release"]["weight"]["desired"] != 10 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(world.elapsed() < Duration::from_mins(30));
    }
    assert!(candidate_backends(&world, "checkout").is_empty());
    sync_weights(&world, [3, 1]).await;
    comes_to(&world, "Judging").await;
    world.set_image("shop", "checkout", "checkout:v1").unwrap();
    comes_to(&world, "Idle").await;
    let route = world.object("httproutes", "shop", "checkout").unwrap();
    let weights: Vec<&Value> = route["spec"]["rules"][0]["backendRefs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| &it["weight"])
        .collect();
    assert_eq!(weights, [3, 1], "{route}");
}

async fn sync_weights(world: &World, [own, legacy]: [u32; 2]) {
    let spec = json!({"spec": {"rules": [{"backendRefs": [
        {"name": "checkout", "port": 80, "weight": own}, {"name": "legacy", "port": 80, "weight": legacy},
    ]}]}});
    api(world.client_as("argocd"), HTTP_ROUTE)
        .patch("checkout", &PatchParams::default(), &Patch::Merge(spec))
        .await
        .unwrap();
}

/// The new template names its port otherwise than the Service does: its pods are ready, and no request would arrive.
#[tokio::test(start_paused = true)]
async fn a_port_that_the_new_template_does_not_name_stops_a_release_before_its_first_request() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    let container =
        json!({"name": "app", "image": "checkout:v2", "ports": [{"name": "web", "containerPort": 8080}]});
    let template = json!({"spec": {"containers": [container]}});
    patch(&world, DEPLOYMENT, json!({"spec": {"template": template}})).await;
    comes_to(&world, "Scaling").await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let seen = status(&world);
    let message = seen["message"].as_str().unwrap();
    assert!(message.contains("has a container port named `http`"), "{seen}");
    comes_to(&world, "RolledBack").await;
    let asked: Vec<String> = world.seen("shop", "checkout").backends.into_keys().collect();
    assert_eq!(asked, ["checkout"]);
}

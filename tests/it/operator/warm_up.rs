//! Pods that come in mid-step: a cold start is no regression, and nothing else gains by it.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::DeleteParams;

use super::*;
use serin::world::Health;

const TOLD: &str = "; new pods warm up: only gross faults count meanwhile";

/// What always fails, on either version: so that a proof takes minutes.
const USUAL: f64 = 0.002;

/// Ten pods, looked at every five seconds.
pub(super) fn busy() -> World {
    let world = World::new(&Options::default());
    for crd in crd::all() {
        world.install_crd(&serde_json::to_value(&crd).unwrap());
    }
    world.define_image("checkout:v1", Image::failing(USUAL));
    world.define_image("checkout:v2", Image::failing(USUAL));
    world
        .apply_yaml(include_str!("../../../src/cli/demo/gate.yaml"))
        .unwrap();
    let shop = Shop {
        replicas: 10,
        ..Shop::default()
    };
    world.install(&shop).unwrap();
    world
        .apply_yaml(&format!(
            "{ROLLOUT}  analysis: {{interval: 5s}}\n  promotion: {{warmUp: 2m}}\n"
        ))
        .unwrap();
    world.add_load(Load::constant("shop", "checkout", 150.0));
    world
}

/// From now on a share of the requests fails on pods that are made from now on, for as long as `cold` says.
pub(super) fn starts_cold(world: &World, share: f64, cold: Duration) {
    let since = world.elapsed();
    let errors = move |moment: &serin::world::Moment| {
        let fresh = moment.elapsed.saturating_sub(moment.pod_age) >= since;
        if fresh && moment.pod_age < cold {
            share
        } else {
            USUAL
        }
    };
    let image = Image {
        errors: Arc::new(errors),
        ..Image::default()
    };
    world.define_image("checkout:v2", image);
}

/// From its birth to thirty seconds after its readiness.
pub(super) const COLD: Duration = Duration::from_secs(32);

/// Until the candidate is to have this weight. In the last step eight of its ten pods must be there.
pub(super) async fn weight_is(world: &World, weight: u8) {
    for _ in 0..7_200 {
        if status(world)["release"]["weight"]["desired"] == weight {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("never {weight} %: {}", status(world));
}

/// Until the proof of the last step is being looked for, and the step's own warm-up is over.
pub(super) async fn last_proof(world: &World) {
    phase_is(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    weight_is(world, 80).await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    assert_eq!(status(world)["message"], "evidence at 80 %");
}

/// Two pods are evicted, the newest ones of the candidate's or of the user's own Deployment.
async fn evict(world: &World, candidate: bool) {
    let mut pods = world.objects("pods", "shop");
    let text = |pod: &Value, field: &str| pod["metadata"][field].as_str().unwrap().to_owned();
    pods.retain(|pod| is_candidate(&text(pod, "name")) == candidate);
    pods.sort_by_key(|pod| (text(pod, "creationTimestamp"), text(pod, "name")));
    let api: Api<Pod> = Api::namespaced(world.client(), "shop");
    for pod in pods.iter().rev().take(2) {
        api.delete(&text(pod, "name"), &DeleteParams::default())
            .await
            .unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_cold_start_of_replaced_pods_is_no_regression_and_the_step_passes() {
    let world = busy();
    let (_tasks, _) = operate(&world);
    last_proof(&world).await;
    starts_cold(&world, 0.09, COLD);
    evict(&world, true).await;
    tokio::time::sleep(Duration::from_secs(25)).await;
    let young = status(&world);
    assert_eq!(young["message"], format!("evidence at 80 %{TOLD}"), "{young}");
    let verdicts = status(&world)["release"]["verdicts"].take();
    let verdicts = verdicts.as_array().unwrap();
    let reason = verdicts.iter().rfind(|it| it["metric"] == "error-rate").unwrap()["reason"]
        .as_str()
        .unwrap();
    assert!(reason.ends_with(TOLD), "{reason}");
    weight_is(&world, 95).await;
    world.define_image("checkout:v2", Image::failing(USUAL));
    comes_to(&world, "Promoted").await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_is_taken_back_however_young_its_pods_are() {
    let world = busy();
    let (_tasks, _) = operate(&world);
    last_proof(&world).await;
    let crashing = Image {
        health: Health::CrashLoop,
        ..Image::default()
    };
    world.define_image("checkout:v2", crashing);
    evict(&world, true).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let status = status(&world);
    assert_eq!(status["history"][0]["reason"], "Crashing", "{status}");
}

/// Whatever keeps replacing the pods of a bad version does not save it.
#[tokio::test(start_paused = true)]
async fn a_candidate_whose_pods_are_replaced_again_and_again_is_judged() {
    let world = busy();
    let (_tasks, _) = operate(&world);
    last_proof(&world).await;
    let begun = world.elapsed();
    let bad = Image::failing(0.012);
    world.define_image("checkout:v2", bad);
    while status(&world)["history"][0]["reason"] != "Regression" {
        let gone = world.elapsed().saturating_sub(begun);
        assert!(gone < Duration::from_mins(6), "{}", status(&world));
        evict(&world, true).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
    }
    let took = world.elapsed().saturating_sub(begun);
    assert!(
        took > Duration::from_secs(90),
        "convicted while only gross faults count"
    );
}

/// The evidence of the last step when its proof is there. `restarts`: nobody leads from eight seconds after the first
/// eviction on, until a new process does. Meanwhile the young pods are gone.
async fn proof(restarts: bool) -> (Value, Value) {
    let world = busy();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    last_proof(&world).await;
    starts_cold(&world, 0.09, COLD);
    evict(&world, true).await;
    tokio::time::sleep(Duration::from_secs(8)).await;
    if restarts {
        leader.shutdown().await;
        (leader, _) = lead(&world, Arc::new(world.metrics()), "two");
    }
    evict(&world, true).await;
    weight_is(&world, 95).await;
    drop(leader);
    let evidence = status(&world)["evidence"].take();
    (evidence["judge"]["metrics"].clone(), evidence["young"].clone())
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_in_the_middle_of_a_warm_up_comes_to_the_same_bits() {
    let whole = proof(false).await;
    assert!(
        whole.1.as_array().is_some_and(|spans| !spans.is_empty()),
        "{}",
        whole.1
    );
    assert_eq!(proof(true).await, whole);
}

/// The promoted pods are on trial then, and one that joins them is as cold as any.
#[tokio::test(start_paused = true)]
async fn promoted_pods_that_are_replaced_while_traffic_returns_do_not_fail_the_promotion() {
    let world = busy();
    let (_tasks, _) = operate(&world);
    last_proof(&world).await;
    comes_to(&world, "Returning").await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    starts_cold(&world, 0.09, COLD);
    for _ in 0..2 {
        evict(&world, false).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
    assert_eq!(status(&world)["phase"], "Returning", "{}", status(&world));
    comes_to(&world, "Promoted").await;
}

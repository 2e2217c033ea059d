//! Controllers, kubelet, garbage collection.

use std::time::Duration;

use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams, PropagationPolicy};
use serde_json::{Value, json};
use serin::world::{Health, Image, Options, Shop, World};

use super::{deployments, json_patch, object};

/// A running world with a shop of four replicas, rolled out.
async fn shop() -> World {
    let world = World::new(&Options::default());
    world.install(&Shop::default()).unwrap();
    tokio::spawn(world.clone().run());
    wait(10).await;
    assert_eq!(status(&world)["availableReplicas"], 4);
    world
}

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

fn status(world: &World) -> Value {
    world.object("deployments", "shop", "checkout").unwrap()["status"].clone()
}

/// Image and size of each ReplicaSet that has replicas, in order of the images.
fn sets(world: &World) -> Vec<(String, i64)> {
    let mut sets: Vec<(String, i64)> = world
        .objects("replicasets", "shop")
        .iter()
        .map(|set| {
            let image = set["spec"]["template"]["spec"]["containers"][0]["image"]
                .as_str()
                .unwrap();
            (image.to_owned(), set["spec"]["replicas"].as_i64().unwrap())
        })
        .filter(|(_, size)| *size > 0)
        .collect();
    sets.sort();
    sets
}

fn set_name(world: &World, image: &str) -> String {
    let sets = world.objects("replicasets", "shop");
    let set = sets
        .iter()
        .find(|s| s["spec"]["template"]["spec"]["containers"][0]["image"] == image)
        .unwrap();
    set["metadata"]["name"].as_str().unwrap().to_owned()
}

fn progressing(world: &World) -> (String, String) {
    let status = status(world);
    let conditions = status["conditions"].as_array().unwrap();
    let condition = conditions.iter().find(|c| c["type"] == "Progressing").unwrap();
    (
        condition["status"].as_str().unwrap().into(),
        condition["reason"].as_str().unwrap().into(),
    )
}

async fn pause(world: &World, paused: bool) {
    let patch = Patch::Merge(json!({"spec": {"paused": paused}}));
    deployments(&world.client())
        .patch("checkout", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_deployment_gets_pods_endpoints_and_a_status() {
    let world = shop().await;
    assert_eq!(
        progressing(&world),
        ("True".into(), "NewReplicaSetAvailable".into())
    );
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(
        deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "1"
    );
    assert_eq!(
        deployment["metadata"]["generation"], 1,
        "the controller's annotation does not count"
    );
    assert_eq!(deployment["status"]["observedGeneration"], 1);
    let pods = world.objects("pods", "shop");
    assert!(
        pods.iter()
            .all(|pod| pod["status"]["podIP"].as_str().unwrap().starts_with("10.244."))
    );
    assert!(pods[0]["metadata"]["labels"]["pod-template-hash"].is_string());
    let slices = world.objects("endpointslices", "shop");
    assert_eq!(slices.len(), 1);
    assert_eq!(
        slices[0]["metadata"]["labels"]["kubernetes.io/service-name"],
        "checkout"
    );
    assert_eq!(slices[0]["endpoints"].as_array().unwrap().len(), 4);
    assert_eq!(slices[0]["ports"][0]["port"], 8080, "named ports are resolved");
    let calls = world.trace().len();
    wait(3600).await;
    assert_eq!(world.trace().len(), calls);
    assert_eq!(
        deployment,
        world.object("deployments", "shop", "checkout").unwrap(),
        "at rest nothing is written"
    );
}

#[tokio::test(start_paused = true)]
async fn a_new_image_rolls_within_surge_and_unavailability() {
    let world = shop().await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let mut least = 4;
    for _ in 0..200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let total: i64 = sets(&world).iter().map(|(_, size)| size).sum();
        assert!(total <= 5, "surge of 25 % of 4 is 1");
        least = least.min(status(&world)["availableReplicas"].as_i64().unwrap_or(0));
    }
    assert!(least >= 3, "at most 25 % of 4 are unavailable: {least}");
    assert_eq!(sets(&world), [("checkout:v2".to_owned(), 4)]);
    assert_eq!(status(&world)["updatedReplicas"], 4);
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(
        deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"],
        "2"
    );
}

#[tokio::test(start_paused = true)]
async fn paused_it_keeps_its_pods_and_starts_nothing_new() {
    let world = shop().await;
    pause(&world, true).await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    wait(30).await;
    assert_eq!(sets(&world), [("checkout:v1".to_owned(), 4)]);
    assert_eq!(progressing(&world), ("Unknown".into(), "DeploymentPaused".into()));
    let observed = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(
        observed["status"]["observedGeneration"],
        observed["metadata"]["generation"]
    );
    assert_eq!(status(&world).get("updatedReplicas"), None);
    world.set_replicas("shop", "checkout", 6).unwrap();
    wait(10).await;
    assert_eq!(sets(&world), [("checkout:v1".to_owned(), 6)], "a scale works");
    let pods: Api<k8s_openapi::api::core::v1::Pod> = Api::namespaced(world.client(), "shop");
    let victim = world.objects("pods", "shop")[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    pods.delete(&victim, &DeleteParams::default()).await.unwrap();
    wait(10).await;
    assert!(pods.get_opt(&victim).await.unwrap().is_none());
    assert_eq!(
        status(&world)["readyReplicas"],
        6,
        "it heals from the old template"
    );
    world.set_image("shop", "checkout", "checkout:v1").unwrap();
    pause(&world, false).await;
    wait(10).await;
    assert_eq!(
        world.objects("replicasets", "shop").len(),
        1,
        "restored, then resumed: nothing happens"
    );
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    wait(20).await;
    assert_eq!(sets(&world), [("checkout:v2".to_owned(), 6)]);
}

/// A shop of ten in mid-roll from v1 to v2, paused, with v3 pending.
async fn stopped_in_mid_roll() -> World {
    let world = shop().await;
    world.set_replicas("shop", "checkout", 10).unwrap();
    wait(10).await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    wait(1).await;
    pause(&world, true).await;
    wait(10).await;
    world.set_image("shop", "checkout", "checkout:v3").unwrap();
    wait(10).await;
    world
}

#[tokio::test(start_paused = true)]
async fn paused_in_mid_roll_it_scales_in_proportion() {
    let world = stopped_in_mid_roll().await;
    let before = sets(&world);
    assert_eq!(before.len(), 2, "{before:?}");
    world.set_replicas("shop", "checkout", 20).unwrap();
    wait(10).await;
    let after = sets(&world);
    assert_eq!(
        after.iter().map(|(_, n)| n).sum::<i64>(),
        25,
        "the surge is spread too: {after:?}"
    );
    for ((_, small), (_, large)) in before.iter().zip(&after) {
        assert!((2 * small - large).abs() <= 2, "{before:?} → {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_purge_refills_the_other_set_while_paused() {
    let world = stopped_in_mid_roll().await;
    assert_eq!(sets(&world).len(), 2);
    let old = set_name(&world, "checkout:v1");
    let replicasets = super::api(&world.client(), "apps", "v1", "ReplicaSet");
    let zero = Patch::Merge(json!({"spec": {"replicas": 0}}));
    replicasets
        .patch_scale(&old, &PatchParams::default(), &zero)
        .await
        .unwrap();
    wait(10).await;
    assert_eq!(sets(&world), [("checkout:v2".to_owned(), 10)]);
    assert_eq!(
        world.object("deployments", "shop", "checkout").unwrap()["spec"]["paused"],
        true
    );
}

#[tokio::test(start_paused = true)]
async fn images_that_never_get_ready_exceed_the_deadline() {
    let world = shop().await;
    let deadline =
        json_patch(json!([{"op": "replace", "path": "/spec/progressDeadlineSeconds", "value": 60}]));
    deployments(&world.client())
        .patch("checkout", &PatchParams::default(), &deadline)
        .await
        .unwrap();
    let crashing = Image {
        health: Health::CrashLoop,
        ..Image::default()
    };
    world.define_image("checkout:bad", crashing);
    world.set_image("shop", "checkout", "checkout:bad").unwrap();
    wait(50).await;
    assert_eq!(progressing(&world), ("True".into(), "ReplicaSetUpdated".into()));
    wait(30).await;
    assert_eq!(
        progressing(&world),
        ("False".into(), "ProgressDeadlineExceeded".into())
    );
    assert_eq!(status(&world)["availableReplicas"], 3);
    let crashed = world
        .objects("pods", "shop")
        .into_iter()
        .any(|pod| pod["status"]["containerStatuses"][0]["state"]["waiting"]["reason"] == "CrashLoopBackOff");
    assert!(crashed);
    world.define_image(
        "checkout:slow",
        Image {
            ready_after: Duration::from_secs(20),
            ..Image::default()
        },
    );
    world.set_image("shop", "checkout", "checkout:slow").unwrap();
    wait(15).await;
    assert_eq!(status(&world)["availableReplicas"], 3);
    wait(60).await;
    assert_eq!(sets(&world), [("checkout:slow".to_owned(), 4)]);
}

#[tokio::test(start_paused = true)]
async fn lost_readiness_shows_in_endpoints() {
    let world = shop().await;
    let ready = |world: &World| {
        let slices = world.objects("endpointslices", "shop");
        let endpoints = slices[0]["endpoints"].as_array().unwrap().clone();
        endpoints
            .iter()
            .filter(|e| e["conditions"]["ready"] == true)
            .count()
    };
    let pod = world.objects("pods", "shop")[0]["metadata"]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    world.force_pod("shop", &pod, Some(false));
    wait(1).await;
    assert_eq!(
        (ready(&world), status(&world)["unavailableReplicas"].as_i64()),
        (3, Some(1))
    );
    world.force_pod("shop", &pod, None);
    wait(1).await;
    assert_eq!(ready(&world), 4);
}

#[tokio::test(start_paused = true)]
async fn deletions_cascade_in_each_mode() {
    for (policy, kept) in [
        (PropagationPolicy::Background, false),
        (PropagationPolicy::Foreground, false),
        (PropagationPolicy::Orphan, true),
    ] {
        let world = shop().await;
        let params = DeleteParams {
            propagation_policy: Some(policy.clone()),
            ..Default::default()
        };
        deployments(&world.client())
            .delete("checkout", &params)
            .await
            .unwrap();
        let at_once = world.object("deployments", "shop", "checkout");
        assert_eq!(
            at_once.is_some(),
            !matches!(policy, PropagationPolicy::Background),
            "{policy:?}"
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
        let waits = world.object("deployments", "shop", "checkout").is_some();
        let foreground = matches!(policy, PropagationPolicy::Foreground);
        assert_eq!(waits, foreground, "foreground waits for the pods to stop");
        wait(10).await;
        assert!(
            world.object("deployments", "shop", "checkout").is_none(),
            "{policy:?}"
        );
        assert_eq!(
            !world.objects("replicasets", "shop").is_empty(),
            kept,
            "{policy:?}"
        );
        assert_eq!(
            world.objects("pods", "shop").len(),
            if kept { 4 } else { 0 },
            "{policy:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn foreground_deletion_ends_dependents_while_a_finalizer_holds() {
    let world = shop().await;
    let client = world.client();
    let rollouts = super::api(&client, "serin.dev", "v1alpha1", "Rollout");
    let rollout = object(json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "spec": {},
        "metadata": {"name": "a", "namespace": "shop", "finalizers": ["serin.dev/traffic"]},
    }));
    let made = rollouts.create(&PostParams::default(), &rollout).await.unwrap();
    let mut owned = super::deployment("owned", "x");
    owned.metadata.owner_references = Some(vec![
        serde_json::from_value(json!({
            "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "name": "a", "uid": made.metadata.uid,
            "blockOwnerDeletion": true,
        }))
        .unwrap(),
    ]);
    deployments(&client)
        .create(&PostParams::default(), &owned)
        .await
        .unwrap();
    let foreground = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..Default::default()
    };
    rollouts.delete("a", &foreground).await.unwrap();
    wait(10).await;
    assert!(world.object("deployments", "shop", "owned").is_none());
    let held = world.object("rollouts", "shop", "a").unwrap();
    assert_eq!(held["metadata"]["finalizers"], json!(["serin.dev/traffic"]));
}

#[tokio::test(start_paused = true)]
async fn a_namespace_goes_with_all_that_is_in_it() {
    let world = shop().await;
    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(world.client());
    namespaces.delete("shop", &DeleteParams::default()).await.unwrap();
    wait(20).await;
    assert!(namespaces.get_opt("shop").await.unwrap().is_none());
    assert!(world.objects("pods", "shop").is_empty() && world.objects("httproutes", "shop").is_empty());
}

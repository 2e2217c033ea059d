//! The candidate on its way to all traffic.

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use super::warm_up::{COLD, busy, last_proof, starts_cold, weight_is};
use super::*;

/// The gateway takes weights ten minutes late, and meanwhile the proven version begins to fail: nothing has rolled yet.
#[tokio::test(start_paused = true)]
async fn a_candidate_that_turns_bad_before_anything_rolls_is_taken_back() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let late = Duration::from_mins(10);
    world.delay_gateway(late, late);
    comes_to(&world, "Promoting").await;
    let seen = status(&world);
    assert_eq!(seen["course"]["phase"]["stage"], "handover", "{seen}");
    assert_eq!(in_force(&world), 95);
    world.define_image("checkout:v2", Image::failing(0.3));
    let limit = Duration::from_mins(5);
    let back = tokio::time::timeout(limit, comes_to(&world, "RollingBack")).await;
    let seen = status(&world);
    assert!(back.is_ok(), "{seen}");
    assert_eq!(seen["course"]["phase"]["cause"], "regression", "{seen}");
}

/// A release of which all traffic has been in force for a minute, though the gateway does not say so yet; with an hour of
/// past to compare it with.
async fn handed_over(world: &World) {
    both(world, 0.002);
    comes_to(world, "Idle").await;
    tokio::time::sleep(Duration::from_mins(70)).await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    while in_force(world) != 95 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
    world.delay_gateway(Duration::from_mins(30), Duration::from_millis(300));
    comes_to(world, "Promoting").await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(in_force(world), 100);
}

/// A dependency of both versions makes so many requests fail.
fn both(world: &World, errors: f64) {
    for image in ["checkout:v1", "checkout:v2"] {
        world.define_image(image, Image::failing(errors));
    }
}

async fn delete_one<K>(world: &World, plural: &str)
where
    K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(world.client(), "shop");
    api.delete(&candidate_name(world, plural), &DeleteParams::default())
        .await
        .unwrap();
}

/// A dependency fails for a while, and then the candidate loses a pod, or somebody removes it: it is back in its last step.
async fn what_the_past_said(removed: bool, restarts: bool) {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    handed_over(&world).await;
    both(&world, 0.3);
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(status(&world)["phase"], "Promoting", "{}", status(&world));
    }
    both(&world, 0.002);
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.delay_gateway(Duration::from_millis(30), Duration::from_millis(300));
    if removed {
        delete_one::<Deployment>(&world, "deployments").await;
    } else {
        delete_one::<Pod>(&world, "pods").await;
    }
    comes_to(&world, "Scaling").await;
    if restarts {
        leader.shutdown().await;
        (leader, _) = lead(&world, Arc::new(world.metrics()), "two");
    }
    tokio::time::sleep(Duration::from_mins(1)).await;
    let seen = status(&world);
    assert!(
        seen["history"][0]["reason"].is_null(),
        "{removed} {restarts}: {seen}"
    );
    comes_to(&world, "Promoted").await;
    drop(leader);
}

#[tokio::test(start_paused = true)]
async fn what_the_past_said_while_all_traffic_was_handed_over_convicts_no_candidate_that_lost_a_pod() {
    what_the_past_said(false, false).await;
}

#[tokio::test(start_paused = true)]
async fn what_the_past_said_while_all_traffic_was_handed_over_convicts_no_candidate_that_somebody_removed() {
    what_the_past_said(true, false).await;
}

#[tokio::test(start_paused = true)]
async fn nor_does_a_new_leader_that_reads_it_again() {
    what_the_past_said(false, true).await;
    what_the_past_said(true, true).await;
}

/// An autoscaler adds pods while the gateway takes the weight late, so that stable pods still serve beside them.
#[tokio::test(start_paused = true)]
async fn a_cold_start_of_pods_that_come_in_the_handover_is_no_regression() {
    let world = busy();
    let (_tasks, _) = operate(&world);
    last_proof(&world).await;
    weight_is(&world, 95).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let late = Duration::from_mins(10);
    world.delay_gateway(late, late);
    comes_to(&world, "Promoting").await;
    assert_eq!(in_force(&world), 95);
    world.add_load(Load::constant("shop", "checkout", 850.0));
    starts_cold(&world, 0.09, COLD);
    let api: Api<Deployment> = Api::namespaced(world.client(), "shop");
    for replicas in [13, 16, 20] {
        let more = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        api.patch(
            &candidate_name(&world, "deployments"),
            &PatchParams::default(),
            &more,
        )
        .await
        .unwrap();
        tokio::time::sleep(Duration::from_secs(40)).await;
    }
    assert_eq!(status(&world)["phase"], "Promoting", "{}", status(&world));
    assert_eq!(in_force(&world), 95);
    comes_to(&world, "Promoted").await;
}

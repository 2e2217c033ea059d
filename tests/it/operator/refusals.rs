//! Writes that fail or do not stick, at the real operator: what has been given to the candidate comes back all the same,
//! and nobody is asked a hundred times a second.

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin::world::{Fault, FaultRule};

use super::*;

/// A world at 25 %, whose leader has just gone, and in which no Deployment can be patched any more.
async fn led_no_more() -> World {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(&world, 25).await;
    leader.shutdown().await;
    broken(&world);
    world
}

/// A webhook on Deployments that fails.
fn broken(world: &World) {
    world.inject(FaultRule::next("patch", "deployments", Fault::Status(500)).times(u64::MAX));
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_takes_a_bad_version_back_though_no_deployment_can_be_written() {
    let world = led_no_more().await;
    world.define_image("checkout:v2", Image::failing(0.5));
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(in_force(&world), 0, "{}", status(&world));
    assert_eq!(status(&world)["history"][0]["reason"], "Regression");
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_follows_an_abort_though_no_deployment_can_be_written() {
    let world = led_no_more().await;
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_secs(40)).await;
    act(&world, "Abort");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(in_force(&world), 0, "{}", status(&world));
}

/// The pods wait for a Deployment that can be written, the traffic does not.
#[tokio::test(start_paused = true)]
async fn a_new_leader_gives_a_deleted_rollout_s_traffic_back_though_no_deployment_can_be_written() {
    let world = led_no_more().await;
    delete(&world, ROLLOUT_KIND, "checkout").await;
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(in_force(&world), 0, "{}", status(&world));
    world.heal();
    tokio::time::sleep(Duration::from_mins(15)).await;
    assert!(world.object("rollouts", "shop", "checkout").is_none());
}

/// What an earlier leader still sends must find another version first.
#[tokio::test(start_paused = true)]
async fn a_new_leader_lets_nothing_grow_before_every_stamp_is_on_and_says_so() {
    let world = led_no_more().await;
    let before = world.trace().len();
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    for _ in 0..1_800 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(status(&world)["release"]["weight"]["desired"], 25);
    }
    let message = status(&world)["message"].to_string();
    assert!(
        message.contains("cannot patch deployments.apps shop/checkout"),
        "{message}"
    );
    let tried = world.trace().split_off(before);
    let tried = tried
        .iter()
        .filter(|call| call.resource == "deployments" && call.verb == "patch");
    let tried = tried.count();
    assert!(tried < 2_000, "{tried} in half an hour");
    world.heal();
    comes_to(&world, "Promoted").await;
}

/// All that a promotion needs is there when the new leader comes, but not every stamp.
#[tokio::test(start_paused = true)]
async fn a_promotion_waits_for_every_stamp_of_a_new_leader() {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Promoting").await;
    let place = |world: &World| status(world)["course"]["phase"]["stage"].clone();
    assert_eq!(place(&world), "handover", "{}", status(&world));
    in_force_is(&world, 100).await;
    leader.shutdown().await;
    world.inject(FaultRule::next("patch", "httproutes", Fault::Status(500)).times(u64::MAX));
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(place(&world), "handover", "{}", status(&world));
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(deployment["spec"]["paused"], true);
    world.heal();
    comes_to(&world, "Promoted").await;
}

/// The chart's gate pauses again what another user than its own resumes, and answers 200.
#[tokio::test(start_paused = true)]
async fn a_resume_that_the_gate_s_policy_undoes_is_told_and_not_repeated_without_a_pause() {
    let world = shop();
    tokio::spawn(world.clone().run());
    let _tasks = lead_as("someone-else", &world, Arc::new(world.metrics()), "one");
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Promoting").await;
    let before = world.trace().len();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let seen = status(&world);
    let message = seen["message"].as_str().unwrap();
    assert!(
        message.contains("Deployment shop/checkout does not keep `spec.paused`"),
        "{seen}"
    );
    assert!(
        message.contains("the service account that Serin runs as"),
        "{seen}"
    );
    let calls = world.trace().split_off(before);
    let patches = calls
        .iter()
        .filter(|call| (call.verb.as_str(), call.resource.as_str()) == ("patch", "deployments"));
    let patches = patches.count();
    assert!((2..40).contains(&patches), "{patches} in ten minutes");
}

/// Another controller takes the gate's label off within a tenth of a second, whenever it sees it.
#[tokio::test(start_paused = true)]
async fn a_controller_that_undoes_a_write_at_once_is_told_and_not_raced_with() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    let around = world.clone();
    tokio::spawn(async move {
        let api: Api<Deployment> = Api::namespaced(around.client_as("gitops"), "shop");
        let bare = Patch::Merge(json!({"metadata": {"labels": {"serin.dev/gate": null}}}));
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let object = around.object("deployments", "shop", "checkout").unwrap();
            if !object["metadata"]["labels"]["serin.dev/gate"].is_null() {
                api.patch("checkout", &PatchParams::default(), &bare)
                    .await
                    .unwrap();
            }
        }
    });
    tokio::time::sleep(Duration::from_mins(1)).await;
    let before = world.trace().len();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let calls = world.trace().split_off(before);
    let ours = calls.iter().filter(|call| call.user == SERIN && call.is_write());
    let of = |resource: &str| ours.clone().filter(|call| call.resource == resource).count();
    assert!(
        (200..=320).contains(&of("deployments")),
        "{} in ten minutes",
        of("deployments")
    );
    assert!(of("rollouts/status") <= 2, "{}", of("rollouts/status"));
    let message = status(&world)["message"].to_string();
    assert!(
        message.contains("`serin.dev/gate` of the Deployment"),
        "{message}"
    );
}

/// A route that takes its weight late (a gateway's webhook is down) is honoured from then on: what was counted before says
/// nothing of that.
#[tokio::test(start_paused = true)]
async fn a_weight_that_is_in_force_late_is_not_called_ignored() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Judging").await;
    world.inject(FaultRule::next("patch", "httproutes", Fault::Status(503)).times(u64::MAX));
    while status(&world)["release"]["weight"]["desired"] != 25 {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_mins(3)).await;
    world.heal();
    let limit = world.elapsed() + Duration::from_hours(1);
    while status(&world)["phase"] != "Promoted" {
        let message = status(&world)["message"].to_string();
        assert!(!message.contains("share of the requests"), "{message}");
        assert!(world.elapsed() < limit, "{}", status(&world));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

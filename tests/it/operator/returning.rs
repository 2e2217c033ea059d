//! The return of traffic to the promoted pods, at the real operator: their trial, and what a new leader makes of it.

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin::api::Rollout;
use serin::world::{Fault, FaultRule, MetricFault, Moment};

use super::*;

/// A shop whose new version fails so many of the requests, while it is ill, on pods with such a share of the traffic.
fn ill_shop(ill: &Arc<AtomicBool>, rate: f64, at_share: fn(f64) -> bool) -> World {
    let world = shop();
    let ill = Arc::clone(ill);
    let errors = move |at: &Moment| {
        if at_share(at.share) && ill.load(Ordering::Relaxed) {
            rate
        } else {
            0.0
        }
    };
    let image = Image {
        errors: Arc::new(errors),
        ..Image::default()
    };
    world.define_image("checkout:v2", image);
    world
}

/// One that fails half of the requests wherever it has less than half of them.
fn shop_with(ill: &Arc<AtomicBool>) -> World {
    ill_shop(ill, 0.5, |share| share < 0.4)
}

fn resume(world: &World) {
    let revision = status(world)["release"]["revision"].clone();
    act_with(
        world,
        &json!({"rollout": "checkout", "action": "Resume", "revision": revision}),
    );
}

/// The new version is promoted, and its pods are worse when traffic comes back to them.
async fn fails_to_return(world: &World, ill: &AtomicBool) {
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(world, "Promoting").await;
    in_force_is(world, 100).await;
    ill.store(true, Ordering::Relaxed);
    comes_to(world, "Holding").await;
}

/// The verdict on the pods before they were cured says nothing of them, neither to the leader that found it nor to the next.
#[tokio::test(start_paused = true)]
async fn promoted_pods_that_were_worse_and_are_cured_are_judged_anew() {
    for changes in [false, true] {
        let ill = Arc::new(AtomicBool::new(false));
        let world = shop_with(&ill);
        tokio::spawn(world.clone().run());
        let mut leader = lead(&world, Arc::new(world.metrics()), "one").0;
        comes_to(&world, "Idle").await;
        fails_to_return(&world, &ill).await;
        let message = status(&world)["message"].to_string();
        assert!(message.contains("fix the Deployment, then resume"), "{message}");
        assert_eq!(in_force(&world), 100);
        ill.store(false, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_mins(5)).await;
        if changes {
            leader.shutdown().await;
            leader = lead(&world, Arc::new(world.metrics()), "two").0;
        }
        resume(&world);
        comes_to(&world, "Promoted").await;
        leader.shutdown().await;
    }
}

/// The old pods are made again from a ReplicaSet that has none any more, while the candidate serves everyone.
#[tokio::test(start_paused = true)]
async fn a_promotion_whose_pods_were_worse_can_be_left_with_a_newer_template() {
    let ill = Arc::new(AtomicBool::new(false));
    let world = shop_with(&ill);
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    fails_to_return(&world, &ill).await;
    world.define_image("checkout:v3", Image::failing(0.0));
    world.set_image("shop", "checkout", "checkout:v3").unwrap();
    comes_to(&world, "Judging").await;
    let status = status(&world);
    assert_eq!(status["history"][0]["reason"], "Superseded", "{status}");
    assert_eq!(status["release"]["weight"]["desired"], 10, "{status}");
    comes_to(&world, "Promoted").await;
}

/// Both in one go: the stable pods come back under cover of the candidate, which is of another revision.
#[tokio::test(start_paused = true)]
async fn a_failed_promotion_whose_old_template_comes_back_as_it_is_deleted_is_left() {
    let ill = Arc::new(AtomicBool::new(false));
    let world = shop_with(&ill);
    tokio::spawn(world.clone().run());
    let mut leader = lead(&world, Arc::new(world.metrics()), "one").0;
    comes_to(&world, "Idle").await;
    fails_to_return(&world, &ill).await;
    leader.shutdown().await;
    world.set_image("shop", "checkout", "checkout:v1").unwrap();
    delete(&world, ROLLOUT_KIND, "checkout").await;
    let _leader = lead(&world, Arc::new(world.metrics()), "two").0;
    let limit = world.elapsed() + Duration::from_mins(10);
    while let Some(rollout) = world.object("rollouts", "shop", "checkout") {
        assert!(world.elapsed() < limit, "{}", rollout["status"]);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(deployment["status"]["updatedReplicas"], 4, "{deployment}");
    assert_ne!(deployment["spec"]["paused"], true);
    assert_eq!(in_force(&world), 0);
}

/// Pods of the candidate, of which none gets ready any more.
fn fell_candidate(world: &World) {
    for name in candidate_names(world, "pods") {
        world.force_pod("shop", &name, Some(false));
    }
}

/// A promotion whose leader goes when a share is in force, and in which no Deployment can be patched any more.
async fn led_no_more(share: i64, stage: &Value) -> World {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Promoting").await;
    in_force_is(&world, share).await;
    let place = |world: &World| status(world)["course"]["phase"]["stage"].clone();
    let limit = world.elapsed() + Duration::from_mins(5);
    while place(&world) != *stage {
        assert!(world.elapsed() < limit, "{}", status(&world));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    leader.shutdown().await;
    world.inject(FaultRule::next("patch", "deployments", Fault::Status(500)).times(u64::MAX));
    world
}

#[tokio::test(start_paused = true)]
async fn a_new_leader_takes_the_traffic_from_a_candidate_without_pods_though_a_stamp_is_missing() {
    let world = led_no_more(100, &"rolling".into()).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    fell_candidate(&world);
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(in_force(&world), 0, "{}", status(&world));
    world.heal();
    comes_to(&world, "Promoted").await;
}

/// What takes traffic from a candidate that serves can wait.
#[tokio::test(start_paused = true)]
async fn a_return_in_steps_waits_for_every_stamp_of_a_new_leader() {
    let world = led_no_more(75, &json!({"returning": 0})).await;
    let _tasks = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert_eq!(in_force(&world), 75, "{}", status(&world));
    world.heal();
    comes_to(&world, "Promoted").await;
}

/// Until the promoted pods have had all traffic for a minute.
async fn stands_by(world: &World) {
    comes_to(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(world, "Returning").await;
    in_force_is(world, 0).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
}

/// What nothing stands beside is compared with the past, and then with the candidate's pods once more.
#[tokio::test(start_paused = true)]
async fn promoted_pods_that_fail_with_all_traffic_lose_it_again() {
    let ill = Arc::new(AtomicBool::new(false));
    let world = ill_shop(&ill, 0.05, |share| share > 0.99);
    let (_tasks, _) = operate(&world);
    stands_by(&world).await;
    ill.store(true, Ordering::Relaxed);
    in_force_is(&world, 100).await;
    comes_to(&world, "Holding").await;
    let status = status(&world);
    assert_eq!(in_force(&world), 100, "{status}");
    assert_eq!(events(&world, "PromotedPodsSuspect").len(), 2);
    let failed = events(&world, "PromotionFailed");
    let why = "the promoted pods are far worse than the service was before: error-rate ";
    assert!(failed.len() == 1 && failed[0].starts_with(why), "{failed:?}");
}

/// A fault that both sides share for a minute is not the promoted pods'.
#[tokio::test(start_paused = true)]
async fn an_outage_while_the_candidate_stands_by_does_not_fail_the_promotion() {
    let ill = Arc::new(AtomicBool::new(false));
    let world = ill_shop(&ill, 0.05, |_| true);
    let (_tasks, _) = operate(&world);
    stands_by(&world).await;
    ill.store(true, Ordering::Relaxed);
    in_force_is(&world, 75).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    ill.store(false, Ordering::Relaxed);
    comes_to(&world, "Promoted").await;
}

/// What happens to a promotion in its bake while nobody leads.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Unled {
    /// Nothing: the new leader goes on with what was kept.
    Kept,
    /// Nothing is left of what was measured.
    Lost,
    /// The owner has other steps: more, or fewer.
    Edited(&'static [i64]),
}

/// A new leader compares the promoted pods with the past as the one before did, with what that has counted or without.
#[tokio::test(start_paused = true)]
async fn a_new_leader_in_the_bake_finds_pods_that_fail_with_all_traffic() {
    let more = Unled::Edited(&[5, 10, 15, 25, 40, 100]);
    for unled in [Unled::Kept, Unled::Lost, more, Unled::Edited(&[25, 100])] {
        let ill = Arc::new(AtomicBool::new(false));
        let world = ill_shop(&ill, 0.05, |share| share > 0.99);
        let around = tokio::spawn(world.clone().run());
        let mut leader = lead(&world, Arc::new(world.metrics()), "one").0;
        stands_by(&world).await;
        leader.shutdown().await;
        let rollouts: Api<Rollout> = Api::namespaced(world.client_as("admin"), "shop");
        let parameters = PatchParams::default();
        match unled {
            Unled::Kept => {}
            Unled::Lost => {
                let patch = Patch::Merge(json!({"status": {"evidence": null}}));
                rollouts
                    .patch_status("checkout", &parameters, &patch)
                    .await
                    .unwrap();
            }
            Unled::Edited(weights) => {
                let patch = Patch::Merge(json!({"spec": {"steps": null, "weights": weights}}));
                rollouts.patch("checkout", &parameters, &patch).await.unwrap();
            }
        }
        ill.store(true, Ordering::Relaxed);
        let _leader = lead(&world, Arc::new(world.metrics()), "two").0;
        let limit = world.elapsed() + Duration::from_mins(4);
        while in_force(&world) == 0 {
            assert!(world.elapsed() < limit, "{unled:?}: {}", status(&world));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(events(&world, "PromotedPodsSuspect").len(), 1, "{unled:?}");
        ill.store(false, Ordering::Relaxed);
        comes_to(&world, "Promoted").await;
        around.abort();
    }
}

/// All traffic is on the promoted pods already: a new leader that cannot measure them holds nothing up.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_away_holds_no_bake_up() {
    let ill = Arc::new(AtomicBool::new(false));
    let world = ill_shop(&ill, 0.05, |share| share > 0.99);
    let around = tokio::spawn(world.clone().run());
    let mut leader = lead(&world, Arc::new(world.metrics()), "one").0;
    stands_by(&world).await;
    leader.shutdown().await;
    world.fault_metrics(MetricFault::Status(503));
    let _leader = lead(&world, Arc::new(world.metrics()), "two").0;
    let limit = Duration::from_mins(6);
    let came = tokio::time::timeout(limit, comes_to(&world, "Promoted")).await;
    assert!(came.is_ok(), "{}", status(&world));
    around.abort();
}

//! Whose end is told, and when.

use super::super::leader::Place;
use super::*;
use crate::api::crd;
use crate::ports::Clock;
use crate::world::{Fault, FaultRule, Options, Shop, World};
use kube::api::{Patch, PatchParams};
use serde_json::json;

/// A shop with a Rollout that nobody works on, whose status speaks of the template that is there.
async fn shop(phase: &str) -> World {
    let world = World::new(&Options::default());
    for crd in crd::all() {
        world.install_crd(&serde_json::to_value(&crd).unwrap());
    }
    world.install(&Shop::default()).unwrap();
    let rollout = "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {name: checkout, namespace: shop}
spec: {workload: {name: checkout}, traffic: {gatewayAPI: {routes: [{name: checkout}]}}}
";
    world.apply_yaml(rollout).unwrap();
    let workload = world.object("deployments", "shop", "checkout").unwrap();
    let template = revision::of_template(&workload["spec"]["template"]).to_string();
    let status = json!({"status": {
        "observedGeneration": 1, "phase": phase, "stable": {"revision": template},
        "release": {"revision": template, "step": 1, "steps": 3, "weight": {"desired": 0}},
    }});
    let api: Api<Rollout> = Api::namespaced(world.client(), "shop");
    let patch = Patch::Merge(status);
    api.patch_status("checkout", &PatchParams::default(), &patch)
        .await
        .unwrap();
    world
}

async fn followed(world: &World, seconds: u64) -> Result<Exit, Failure> {
    shown(world, seconds, &mut |_, _| Ok(())).await
}

async fn shown(world: &World, seconds: u64, show: Show<'_>) -> Result<Exit, Failure> {
    let following = Following::new(world.client(), "shop", "checkout");
    let (place, clock) = (Place::default(), world.clock());
    let leader = Leader::new(&place, world.client(), &clock);
    following
        .to_the_end(Duration::from_secs(seconds), leader, show)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_status_that_nobody_keeps_up_is_told_to_stand_still() {
    let world = shop("Judging").await;
    let lease = |holder: &str| {
        let renewed = world.clock().now();
        let yaml = format!(
            "{{apiVersion: v1, kind: Namespace, metadata: {{name: serin}}}}\n---\n\
             {{apiVersion: coordination.k8s.io/v1, kind: Lease, metadata: {{name: serin, namespace: serin}}, \
             spec: {{holderIdentity: '{holder}', renewTime: '{renewed:.6}'}}}}"
        );
        world.apply_yaml(&yaml).unwrap();
    };
    lease("somebody");
    let mut told = Vec::new();
    let mut show = |_: &Rollout, vacant: Option<&str>| {
        told.push(vacant.map(|why| why.contains("has not been heard of for 1 min")));
        Ok(())
    };
    let back = async {
        tokio::time::sleep(Duration::from_secs(100)).await;
        lease("another");
    };
    let (outcome, ()) = tokio::join!(shown(&world, 120, &mut show), back);
    assert!(timed_out(&outcome));
    assert_eq!(told, [None, Some(true), None]);
}

fn timed_out(outcome: &Result<Exit, Failure>) -> bool {
    matches!(
        outcome,
        Err(Failure::Told {
            exit: Exit::TimedOut,
            ..
        })
    )
}

#[tokio::test(start_paused = true)]
async fn the_end_of_what_the_deployment_holds_is_the_end() {
    for (phase, exit) in [
        ("Promoted", Exit::Healthy),
        ("Idle", Exit::Healthy),
        ("RolledBack", Exit::Failed),
    ] {
        let world = shop(phase).await;
        assert_eq!(followed(&world, 3).await.ok(), Some(exit), "{phase}");
    }
    assert!(timed_out(&followed(&shop("Judging").await, 3).await));
}

/// The status says this some seconds after somebody has begun to follow.
async fn says(world: &World, seconds: u64, status: serde_json::Value) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let api: Api<Rollout> = Api::namespaced(world.client(), "shop");
    let patch = Patch::Merge(json!({ "status": status }));
    let params = PatchParams::default();
    api.patch_status("checkout", &params, &patch).await.unwrap();
}

fn held(world: &World) -> String {
    let workload = world.object("deployments", "shop", "checkout").unwrap();
    revision::of_template(&workload["spec"]["template"]).to_string()
}

fn told(outcome: Result<Exit, Failure>) -> String {
    match outcome {
        Err(Failure::Told {
            message,
            exit: Exit::Failed,
            ..
        }) => message,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_another_version_is_no_good_end() {
    for (image, outcome) in [("checkout:v1", "Reverted"), ("checkout:v3", "Superseded")] {
        let world = shop("Idle").await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        let second = held(&world);
        let shipping = async {
            says(
                &world,
                3,
                json!({"phase": "Judging", "release": {"revision": second}}),
            )
            .await;
            world.set_image("shop", "checkout", image).unwrap();
            let at = "2026-01-01T00:00:00Z";
            let entry = json!({"revision": second, "outcome": outcome, "reason": outcome, "seconds": 9,
                "startedAt": at, "endedAt": at});
            let stable = json!({"revision": held(&world)});
            says(
                &world,
                3,
                json!({"phase": "Idle", "stable": stable, "history": [entry]}),
            )
            .await;
        };
        let (outcome_of_it, ()) = tokio::join!(followed(&world, 60), shipping);
        let message = told(outcome_of_it);
        let wanted = format!("revision {second} of `checkout` was {}", outcome.to_lowercase());
        assert!(message.starts_with(&wanted), "{message}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_the_deployment_means_the_first_release_that_is_seen() {
    let world = shop("Judging").await;
    world.inject(FaultRule::next("get", "deployments", Fault::Status(403)).times(u64::MAX));
    let later = says(
        &world,
        3,
        json!({"phase": "Promoted", "stable": {"revision": "another"}}),
    );
    let (outcome, ()) = tokio::join!(followed(&world, 60), later);
    assert!(told(outcome).contains("was replaced: the Deployment holds revision another now"));
}

#[tokio::test(start_paused = true)]
async fn a_version_that_was_promoted_stays_so_though_a_newer_one_is_there_already() {
    let world = shop("Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let second = held(&world);
    let shipping = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        world.set_image("shop", "checkout", "checkout:v3").unwrap();
        says(
            &world,
            3,
            json!({"phase": "Promoted", "stable": {"revision": second}}),
        )
        .await;
    };
    let (outcome, ()) = tokio::join!(followed(&world, 60), shipping);
    assert_eq!(outcome.ok(), Some(Exit::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_change_that_serin_has_not_seen_is_waited_for() {
    for phase in ["Promoted", "RolledBack"] {
        let world = shop(phase).await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        assert!(timed_out(&followed(&world, 60).await), "{phase}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_the_deployment_waits_a_little() {
    let world = shop("Idle").await;
    world.inject(FaultRule::next("get", "deployments", Fault::Status(403)).times(u64::MAX));
    assert!(timed_out(&followed(&world, 3).await));
    assert_eq!(followed(&world, 30).await.ok(), Some(Exit::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_for_a_moment_is_no_end() {
    let world = shop("Idle").await;
    world.inject(FaultRule::next("get", "rollouts", Fault::Status(503)).times(20));
    assert_eq!(followed(&world, 60).await.ok(), Some(Exit::Healthy));
    world.inject(FaultRule::next("get", "rollouts", Fault::Status(403)));
    assert!(followed(&world, 60).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn an_address_where_nobody_answers_is_said_at_once() {
    let world = shop("Judging").await;
    world.inject(FaultRule::next("get", "rollouts", Fault::Break).times(3));
    let begun = Instant::now();
    let outcome = followed(&world, 60).await;
    assert!(outcome.is_err() && !timed_out(&outcome));
    assert!(Instant::now().duration_since(begun) < LOOK);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_once_is_no_end() {
    let world = shop("Judging").await;
    world.inject(FaultRule::next("get", "rollouts", Fault::Break).after(2).times(3));
    assert!(timed_out(&followed(&world, 30).await));
}

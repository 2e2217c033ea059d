//! A Deployment that is scaled to zero and back while a template is held. With no pods left, the Deployment controller
//! gives them all to the held template's ReplicaSet, or to whichever is the newest: not to the one that served.

use std::collections::BTreeSet;

use serin::engine::Revision;
use serin::render::revision;

use super::*;

/// The images of the shop's pods that are ready, but for the candidate's.
fn serving(world: &World) -> Vec<String> {
    let own = |pod: &Value| pod["metadata"]["labels"]["serin.dev/role"].is_null();
    let ready = |pod: &Value| {
        let conditions = pod["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        conditions
            .iter()
            .any(|it| it["type"] == "Ready" && it["status"] == "True")
    };
    let pods = world.objects("pods", "shop");
    let pods = pods.iter().filter(|pod| own(pod) && ready(pod));
    pods.map(|pod| pod["spec"]["containers"][0]["image"].as_str().unwrap().to_owned())
        .collect()
}

async fn promotes(world: &World, image: &str) {
    world.set_image("shop", "checkout", image).unwrap();
    comes_to(world, "Preflight").await;
    comes_to(world, "Promoted").await;
}

async fn begins(world: &World, image: &str) {
    world.set_image("shop", "checkout", image).unwrap();
    comes_to(world, "Judging").await;
}

async fn aborts(world: &World) {
    act(world, "Abort");
    comes_to(world, "RolledBack").await;
}

/// Scales to zero and back, and says which images served at any moment of the two minutes after.
async fn scaled(world: &World) -> BTreeSet<String> {
    world.set_replicas("shop", "checkout", 0).unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(serving(world), Vec::<String>::new());
    world.set_replicas("shop", "checkout", 4).unwrap();
    let mut served = BTreeSet::new();
    for _ in 0..1200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        served.extend(serving(world));
    }
    served
}

fn stable(world: &World) -> Revision {
    Revision::named(status(world)["stable"]["revision"].as_str().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_rejected_template_that_has_served_before_gets_no_pods() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    promotes(&world, "checkout:v2").await;
    // Back to what served before: its ReplicaSet is still there, empty.
    begins(&world, "checkout:v1").await;
    aborts(&world).await;
    let before = stable(&world);
    comes_back_with(&world, "checkout:v2").await;
    assert_eq!(serving(&world).len(), 4);
    assert_eq!(
        (status(&world)["phase"].as_str(), stable(&world)),
        (Some("RolledBack"), before)
    );
}

#[tokio::test(start_paused = true)]
async fn a_release_goes_on_when_its_deployment_comes_back_from_zero() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    promotes(&world, "checkout:v2").await;
    begins(&world, "checkout:v1").await;
    comes_back_with(&world, "checkout:v2").await;
    promoted(&world).await;
}

/// Scaled to zero and back, the Deployment has pods of this image alone.
async fn comes_back_with(world: &World, image: &str) {
    let served = scaled(world).await;
    assert_eq!(served, BTreeSet::from([image.to_owned()]), "{}", status(world));
}

async fn promoted(world: &World) {
    comes_to(world, "Promoted").await;
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    assert_eq!(
        stable(world),
        revision::of_template(&deployment["spec"]["template"])
    );
}

#[tokio::test(start_paused = true)]
async fn the_revision_before_gets_no_pods_though_it_is_the_newest_that_was_made() {
    let world = shop();
    world.define_image("checkout:v3", Image::failing(0.0));
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    promotes(&world, "checkout:v2").await;
    promotes(&world, "checkout:v1").await;
    begins(&world, "checkout:v3").await;
    aborts(&world).await;
    comes_back_with(&world, "checkout:v1").await;
    assert_eq!(serving(&world).len(), 4);
    assert_eq!(status(&world)["phase"], "RolledBack");
    promotes(&world, "checkout:v2").await;
}

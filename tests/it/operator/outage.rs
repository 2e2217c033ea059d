//! Something that both versions need is gone, at the real operator: whoever serves keeps the traffic, and no version is
//! judged by it.

use super::*;
use serin::world::Health;

/// The image of pods that are ready or not, and fail so often.
fn image(health: Health, errors: f64) -> Image {
    Image {
        health,
        ..Image::failing(errors)
    }
}

/// No stable pod is ready, and the candidate's fail every other request.
fn begins(world: &World) {
    world.define_image("checkout:v1", image(Health::NeverReady, 0.5));
    world.define_image("checkout:v2", image(Health::Ready, 0.5));
}

fn ends(world: &World, candidate: f64) {
    world.define_image("checkout:v1", Image::failing(0.002));
    world.define_image("checkout:v2", Image::failing(candidate));
}

/// A release in the midst of a step at this weight, with an hour of past to compare it with.
async fn at(world: &World, weight: i64) {
    ends(world, 0.002);
    comes_to(world, "Idle").await;
    tokio::time::sleep(Duration::from_mins(70)).await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    while in_force(world) != weight {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(20)).await;
}

/// A quarter of an hour of it, in which the candidate keeps its weight.
async fn lasts(world: &World, weight: i64) {
    begins(world);
    for _ in 0..15 {
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(in_force(world), weight, "{}", status(world));
    }
    let said = format!("no pod of the stable revision is ready: the candidate keeps {weight} %");
    let seen = status(world);
    assert!(seen["message"].as_str().unwrap().contains(&said), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_both_takes_no_good_release_back() {
    let world = shop();
    let _tasks = operate(&world);
    at(&world, 25).await;
    lasts(&world, 25).await;
    ends(&world, 0.002);
    comes_to(&world, "Promoted").await;
}

#[tokio::test(start_paused = true)]
async fn what_is_bad_after_an_outage_of_both_is_found_within_minutes() {
    let world = shop();
    let _tasks = operate(&world);
    at(&world, 25).await;
    lasts(&world, 25).await;
    ends(&world, 0.3);
    tokio::time::sleep(Duration::from_mins(3)).await;
    let seen = status(&world);
    assert_eq!(in_force(&world), 0, "{seen}");
    assert_eq!(seen["history"][0]["reason"], "Regression", "{seen}");
}

#[tokio::test(start_paused = true)]
async fn with_all_traffic_an_outage_of_both_leaves_it_where_it_is() {
    let world = shop();
    let rollout = format!("{ROLLOUT}  analysis: {{baseline: {{bakeShare: 0}}}}\n");
    world.apply_yaml(&rollout).unwrap();
    let _tasks = operate(&world);
    at(&world, 100).await;
    lasts(&world, 100).await;
    ends(&world, 0.002);
    comes_to(&world, "Promoted").await;
}

//! A gateway that counts from 0 again for a backend whose weight was 0 for a moment.

use serde_json::json;

use super::*;

/// What fails on either version.
const USUAL: f64 = 0.015;

/// Somebody takes the candidate's weight away, as a `kubectl apply` of the route does.
async fn take_weight(world: &World) {
    let mut rules = world.object("httproutes", "shop", "checkout").unwrap()["spec"]["rules"].take();
    for backend in rules[0]["backendRefs"].as_array_mut().unwrap() {
        let candidate = is_candidate(backend["name"].as_str().unwrap());
        backend["weight"] = if candidate { 0 } else { 100 }.into();
    }
    patch(world, HTTP_ROUTE, json!({"spec": {"rules": rules}})).await;
}

/// A share that is honoured is not doubted, and a good version is promoted.
#[tokio::test(start_paused = true)]
async fn a_candidate_whose_counters_begin_again_is_counted_on() {
    let world = shop();
    for image in ["checkout:v1", "checkout:v2"] {
        world.define_image(image, Image::failing(USUAL));
    }
    world.forget_idle_backends();
    world.add_load(Load::constant("shop", "checkout", 150.0));
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Judging").await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    take_weight(&world).await;
    for second in 0..180 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let told = status(&world).to_string();
        for wrong in ["ShareNotHonoured", "instead of", "RollingBack"] {
            assert!(!told.contains(wrong), "after {second} s: {told}");
        }
    }
    comes_to(&world, "Promoted").await;
}

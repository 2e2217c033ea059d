//! The candidate on its way to all traffic.

use super::gauges::{comes_to, status};
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

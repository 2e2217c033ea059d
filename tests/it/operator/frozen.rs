//! A gateway that accepts routes while its proxies follow none: pods stay as long as requests come to them.

use super::*;

fn reason(world: &World) -> Value {
    status(world)["conditions"][0]["reason"].clone()
}

async fn reason_is(world: &World, wanted: &str) {
    let limit = world.elapsed() + Duration::from_mins(10);
    while reason(world) != wanted {
        assert!(world.elapsed() < limit, "{}", status(world));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn shifts(world: &World) {
    comes_to(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(world, "Judging").await;
    tokio::time::sleep(Duration::from_secs(50)).await;
    assert_eq!(in_force(world), 10);
}

/// The release is at 10 %, no proxy follows the route any more, and a person aborts it.
async fn freezes_and_is_aborted(world: &World) {
    shifts(world).await;
    world.freeze_proxies(true);
    act(world, "Abort");
}

/// A shop whose rollback is held by requests that still come to the candidate.
async fn held() -> (World, JoinSet<()>) {
    let world = shop();
    let (tasks, _) = operate(&world);
    freezes_and_is_aborted(&world).await;
    reason_is(&world, "ShareNotHonoured").await;
    (world, tasks)
}

#[tokio::test(start_paused = true)]
async fn a_rollback_keeps_the_pods_that_the_proxies_still_send_to() {
    let (world, _tasks) = held().await;
    tokio::time::sleep(Duration::from_mins(30)).await;
    let held = status(&world);
    assert_eq!(held["phase"], "RollingBack", "{held}");
    assert_eq!(in_force(&world), 10);
    assert!(!candidate_names(&world, "pods").is_empty());
    let message = held["message"].as_str().unwrap();
    assert!(
        message.contains(" requests/s still come to the candidate of "),
        "{message}"
    );
    world.freeze_proxies(false);
    let thawed = world.elapsed();
    comes_to(&world, "RolledBack").await;
    assert!(world.elapsed().saturating_sub(thawed) < Duration::from_mins(2));
    assert_eq!(events(&world, "ShareNotHonoured"), Vec::<String>::new());
}

/// Whoever leads next finds in the history what the one before has seen.
#[tokio::test(start_paused = true)]
async fn a_new_leader_keeps_them_too() {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    freezes_and_is_aborted(&world).await;
    comes_to(&world, "RollingBack").await;
    leader.shutdown().await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let _leader = lead(&world, Arc::new(world.metrics()), "two");
    reason_is(&world, "ShareNotHonoured").await;
    tokio::time::sleep(Duration::from_mins(20)).await;
    assert_eq!(
        (status(&world)["phase"].as_str(), in_force(&world)),
        (Some("RollingBack"), 10)
    );
    world.freeze_proxies(false);
    comes_to(&world, "RolledBack").await;
}

/// A person may know better.
#[tokio::test(start_paused = true)]
async fn a_rollback_ends_without_the_pods_that_somebody_has_scaled_to_zero() {
    let (world, _tasks) = held().await;
    let candidate = candidate_name(&world, "deployments");
    world.set_replicas("shop", &candidate, 0).unwrap();
    comes_to(&world, "RolledBack").await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_goes_on_where_nobody_can_tell() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    shifts(&world).await;
    world.freeze_proxies(true);
    world.fault_metrics(serin::world::MetricFault::Status(503));
    act(&world, "Abort");
    let limit = Duration::from_mins(3);
    let came = tokio::time::timeout(limit, comes_to(&world, "RolledBack")).await;
    assert!(came.is_ok(), "{}", status(&world));
}

/// An ordinary rollback is not called anything else, and takes little longer than its drain.
#[tokio::test(start_paused = true)]
async fn a_rollback_whose_requests_stop_ends_soon_and_without_alarm() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    shifts(&world).await;
    act(&world, "Abort");
    let limit = world.elapsed() + Duration::from_secs(75);
    while status(&world)["phase"] != "RolledBack" {
        assert_ne!(reason(&world), "ShareNotHonoured");
        assert!(world.elapsed() < limit, "{}", status(&world));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_promotion_keeps_the_candidate_that_the_proxies_still_send_to() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Returning").await;
    in_force_is(&world, 50).await;
    world.freeze_proxies(true);
    reason_is(&world, "ShareNotHonoured").await;
    tokio::time::sleep(Duration::from_hours(1)).await;
    let held = status(&world);
    assert_eq!(held["phase"], "Returning", "{held}");
    assert_eq!(in_force(&world), 50);
    assert!(!candidate_names(&world, "pods").is_empty());
    world.freeze_proxies(false);
    comes_to(&world, "Promoted").await;
}

/// A node takes the leader and the metrics with it: what the next one cannot read may still come.
#[tokio::test(start_paused = true)]
async fn a_new_leader_without_metrics_keeps_them_for_a_while() {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    freezes_and_is_aborted(&world).await;
    reason_is(&world, "ShareNotHonoured").await;
    leader.shutdown().await;
    world.fault_metrics(serin::world::MetricFault::Status(503));
    let _leader = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert_eq!(status(&world)["phase"], "RollingBack", "{}", status(&world));
    assert!(!candidate_names(&world, "pods").is_empty());
    let message = status(&world)["message"].to_string();
    assert!(message.contains("which tell nothing any more"), "{message}");
    let limit = Duration::from_mins(4);
    let came = tokio::time::timeout(limit, comes_to(&world, "RolledBack")).await;
    assert!(came.is_ok(), "{}", status(&world));
}

/// Whoever deletes the Rollout takes no pods from under requests that it knows of.
#[tokio::test(start_paused = true)]
async fn a_deletion_keeps_them_while_requests_come() {
    let (world, _tasks) = held().await;
    delete(&world, ROLLOUT_KIND, "checkout").await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(reason(&world), "ShareNotHonoured", "{}", status(&world));
    assert!(!candidate_names(&world, "pods").is_empty());
    world.freeze_proxies(false);
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(candidate_names(&world, "pods"), Vec::<String>::new());
}

/// Nor longer than they come, whoever leads; and the status tells of the release as long as its candidate is there.
#[tokio::test(start_paused = true)]
async fn a_new_leader_finds_in_a_deletion_that_requests_stop() {
    let world = shop();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    freezes_and_is_aborted(&world).await;
    reason_is(&world, "ShareNotHonoured").await;
    delete(&world, ROLLOUT_KIND, "checkout").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    leader.shutdown().await;
    let _leader = lead(&world, Arc::new(world.metrics()), "two");
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(reason(&world), "ShareNotHonoured", "{}", status(&world));
    let release = status(&world)["release"].take();
    assert!(
        release["waitingFor"].to_string().contains("still come"),
        "{release}"
    );
    assert!(!candidate_names(&world, "pods").is_empty());
    world.freeze_proxies(false);
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(candidate_names(&world, "pods"), Vec::<String>::new());
}

/// The time for which they are kept counts from what was read last, not from when that was found to be old.
#[tokio::test(start_paused = true)]
async fn a_rollback_ends_some_minutes_after_the_metrics_have_gone() {
    let (world, _tasks) = held().await;
    world.fault_metrics(serin::world::MetricFault::Status(503));
    tokio::time::sleep(Duration::from_mins(9)).await;
    assert_eq!(status(&world)["phase"], "RollingBack", "{}", status(&world));
    let limit = Duration::from_mins(3);
    let came = tokio::time::timeout(limit, comes_to(&world, "RolledBack")).await;
    assert!(came.is_ok(), "{}", status(&world));
}

/// Nobody waits for ten minutes in the belief that requests come when nothing tells it any more.
#[tokio::test(start_paused = true)]
async fn that_metrics_tell_nothing_any_more_is_said_within_minutes() {
    let (world, _tasks) = held().await;
    world.fault_metrics(serin::world::MetricFault::Status(503));
    tokio::time::sleep(Duration::from_mins(3)).await;
    let held = status(&world);
    let message = held["message"].as_str().unwrap();
    assert!(message.contains("which tell nothing any more"), "{message}");
    assert!(!held["release"]["deadline"].is_null(), "{held}");
    // They are read again, and the requests with them.
    world.fault_metrics(serin::world::MetricFault::None);
    tokio::time::sleep(Duration::from_mins(12)).await;
    let held = status(&world);
    let message = held["message"].as_str().unwrap();
    assert!(message.contains("the pods stay while requests come"), "{message}");
    assert!(!candidate_names(&world, "pods").is_empty());
}

/// A counter is found by its movement between two looks, however far these lie apart.
#[tokio::test(start_paused = true)]
async fn a_new_leader_finds_them_with_long_intervals_too() {
    let world = shop();
    let long = format!("{ROLLOUT}  analysis: {{interval: 150s}}\n");
    world.apply_yaml(&long).unwrap();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    freezes_and_is_aborted(&world).await;
    comes_to(&world, "RollingBack").await;
    leader.shutdown().await;
    let _leader = lead(&world, Arc::new(world.metrics()), "two");
    // Whatever makes it look at the Rollout between these.
    tokio::time::sleep(Duration::from_secs(138)).await;
    world.set_replicas("shop", "checkout", 5).unwrap();
    let limit = world.elapsed() + Duration::from_mins(12);
    while reason(&world) != "ShareNotHonoured" {
        assert_eq!(status(&world)["phase"], "RollingBack", "{}", status(&world));
        assert!(world.elapsed() < limit, "{}", status(&world));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

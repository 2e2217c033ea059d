//! A step beyond its deadline, at the real operator: what has passed is not taken back by what happens meanwhile.

use serin::world::MetricFault;

use super::*;

/// A release whose first step has passed, waits for a person, and is beyond its deadline. Two readings are 30 s apart.
async fn waits_beyond_its_deadline() -> (World, JoinSet<()>) {
    let world = shop();
    edit(&world, "error-rate", "http-requests");
    let (tasks, _) = operate(&world);
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Judging").await;
    tokio::time::sleep(Duration::from_mins(20)).await;
    assert_eq!(waits_for(&world), "WaitingForApproval", "{}", status(&world));
    (world, tasks)
}

fn edit(world: &World, name: &str, preset: &str) {
    let spec = format!(
        "{ROLLOUT}  steps: [{{weight: 10, hold: 1m, deadline: 10m, approval: Required}}, {{weight: 100}}]
  analysis:
    interval: 30s
    onInconclusive: Rollback
    metrics: [{{name: {name}, preset: {preset}}}]
"
    );
    world.apply_yaml(&spec).unwrap();
}

fn waits_for(world: &World) -> String {
    let reason = status(world)["conditions"][0]["reason"].take();
    reason.as_str().unwrap_or_default().to_owned()
}

/// For so long nothing else is said than that a person must approve.
async fn goes_on_to_wait(world: &World, span: Duration) {
    let end = world.elapsed() + span;
    while world.elapsed() < end {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(waits_for(world), "WaitingForApproval", "{}", status(world));
        assert_eq!(in_force(world), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn a_scrape_that_is_missed_takes_back_no_step_that_has_passed() {
    let (world, _tasks) = waits_beyond_its_deadline().await;
    world.fault_metrics(MetricFault::Status(503));
    tokio::time::sleep(Duration::from_secs(50)).await;
    world.fault_metrics(MetricFault::None);
    for _ in 0..120 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(in_force(&world), 10, "{}", status(&world));
    }
    goes_on_to_wait(&world, Duration::from_mins(10)).await;
}

/// The step is judged anew by the new metric, and has the time for that.
#[tokio::test(start_paused = true)]
async fn an_edit_of_the_analysis_takes_back_no_step_that_has_passed() {
    let (world, _tasks) = waits_beyond_its_deadline().await;
    edit(&world, "failures", "contour");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(in_force(&world), 10, "{}", status(&world));
    tokio::time::sleep(Duration::from_mins(9)).await;
    goes_on_to_wait(&world, Duration::from_mins(20)).await;
    let verdicts = status(&world)["release"]["verdicts"].take();
    assert!(verdicts.to_string().contains("failures"), "{verdicts}");
}

/// But no more than the time of one step: what finds no verdict in that is inconclusive.
#[tokio::test(start_paused = true)]
async fn a_step_that_is_judged_anew_has_a_deadline_too() {
    let (world, _tasks) = waits_beyond_its_deadline().await;
    world.define_image("checkout:v2", Image::failing(0.012));
    world.define_image("checkout:v1", Image::failing(0.01));
    edit(&world, "failures", "contour");
    let limit = Duration::from_mins(25);
    let came = tokio::time::timeout(limit, async {
        while waits_for(&world) != "Inconclusive" {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    assert!(came.await.is_ok(), "{}", status(&world));
    // It had passed once: no doubt takes it back.
    tokio::time::sleep(Duration::from_mins(30)).await;
    assert_eq!(in_force(&world), 10, "{}", status(&world));
}

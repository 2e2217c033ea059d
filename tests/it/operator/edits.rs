//! The owner edits the Rollout in mid-release.

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin::api::Rollout;
use serin::world::{Fault, FaultRule};

use super::silence::Shaky;
use super::*;

async fn edit(world: &World, spec: Value) {
    let rollouts: Api<Rollout> = Api::namespaced(world.client_as("admin"), "shop");
    let patch = Patch::Merge(json!({"spec": spec}));
    rollouts
        .patch("checkout", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

fn event_reasons(world: &World) -> Vec<String> {
    let events = world.objects("events", "shop");
    let reasons = events.iter().filter_map(|it| it["reason"].as_str());
    reasons.map(str::to_owned).collect()
}

/// What was kept was judged by other rules: the step is judged anew by the new ones, and the release goes on.
#[tokio::test(start_paused = true)]
async fn other_rules_judge_the_step_anew() {
    let world = shop();
    let _tasks = at_25(&world).await;
    tokio::time::sleep(Duration::from_secs(45)).await;
    let coarse = json!([{"name": "failures", "preset": "http-requests", "unacceptable": {"ratio": 2, "absolute": 0.02}}]);
    edit(&world, json!({"analysis": {"metrics": coarse}})).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    let status = status(&world);
    let verdicts = status["release"]["verdicts"].as_array().unwrap();
    let judged = |step: i64| {
        verdicts
            .iter()
            .find(|it| it["step"] == step)
            .map(|it| &it["metric"])
    };
    assert_eq!(judged(1), Some(&json!("error-rate")), "{status}");
    assert_eq!(judged(2), Some(&json!("failures")), "{status}");
    phase_is(&world, "Promoted").await;
}

/// A stricter rule convicts at once what the old one let through.
#[tokio::test(start_paused = true)]
async fn a_rule_that_is_made_stricter_convicts() {
    let world = shop();
    world.define_image("checkout:v2", Image::failing(0.03));
    let coarse = json!([{"name": "error-rate", "tolerated": {"ratio": 1.05, "absolute": 0.1},
        "unacceptable": {"ratio": 2, "absolute": 0.3}}]);
    edit(&world, json!({"analysis": {"metrics": coarse}})).await;
    let _tasks = at_25(&world).await;
    edit(&world, json!({"analysis": {"metrics": [{"name": "error-rate"}]}})).await;
    phase_is(&world, "RolledBack").await;
}

/// Finer steps take weight away at once; what is proven stays so.
#[tokio::test(start_paused = true)]
async fn finer_steps_lower_the_weight() {
    let world = shop();
    let _tasks = at_25(&world).await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    edit(&world, json!({"steps": null, "weights": [10, 15, 40, 100]})).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(in_force(&world), 15);
    // What was said of the earlier steps stands under other numbers now.
    tokio::time::sleep(Duration::from_secs(25)).await;
    let release = status(&world)["release"].take();
    let verdicts = release["verdicts"].as_array().unwrap();
    assert!(
        !verdicts.is_empty() && verdicts.iter().all(|it| it["step"] == 2),
        "{release}"
    );

    in_force_is(&world, 40).await;
    phase_is(&world, "Promoted").await;
    let told = event_reasons(&world);
    assert!(told.iter().any(|reason| reason == "StepsChanged"), "{told:?}");
    assert!(
        !told.iter().any(|reason| reason.contains("Invariant")),
        "{told:?}"
    );
}

/// Writes of the status from the end of a release on, and whether the status still keeps the routes as they were.
async fn kept_at(world: &World, end: &str) -> (usize, bool) {
    phase_is(world, end).await;
    let before = world.trace().len();
    tokio::time::sleep(Duration::from_mins(1)).await;
    let calls = world.trace().split_off(before);
    let writes = calls
        .iter()
        .filter(|call| call.resource == "rollouts/status" && call.is_write());
    (writes.count(), !status(world)["originals"].is_null())
}

/// What the status keeps of a route forbids to change the workload, the Service and the routes of the Rollout.
#[tokio::test(start_paused = true)]
async fn after_a_release_the_rollout_may_name_other_objects_at_once() {
    let world = shop();
    let _tasks = at_25(&world).await;
    assert!(!status(&world)["originals"].is_null());
    assert_eq!(
        kept_at(&world, "Promoted").await,
        (0, false),
        "{}",
        status(&world)
    );
    edit(&world, json!({"workload": {"name": "other"}})).await;
}

#[tokio::test(start_paused = true)]
async fn after_a_rollback_the_rollout_may_name_other_objects_at_once() {
    let world = shop();
    let _tasks = at_25(&world).await;
    world.define_image("checkout:v2", Image::failing(0.5));
    assert_eq!(
        kept_at(&world, "RolledBack").await,
        (0, false),
        "{}",
        status(&world)
    );
}

/// The route could not be given back at the end: the status follows when it can.
#[tokio::test(start_paused = true)]
async fn a_route_that_is_given_back_late_is_forgotten_then() {
    let world = shop();
    let _tasks = at_25(&world).await;
    phase_is(&world, "Returning").await;
    in_force_is(&world, 0).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    world.inject(FaultRule::next("patch", "httproutes", Fault::Status(500)).times(2));
    let (writes, kept) = kept_at(&world, "Promoted").await;
    assert!(!kept && writes <= 3, "{writes}, {}", status(&world));
}

/// Whether the Deployment waits for a Rollout with its next template.
fn gated(world: &World) -> bool {
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    !deployment["metadata"]["labels"]["serin.dev/gate"].is_null()
}

/// Nobody would ever let its next template through.
#[tokio::test(start_paused = true)]
async fn a_deployment_that_is_named_no_more_is_freed() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(gated(&world));
    edit(&world, json!({"workload": {"name": "other"}})).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(!gated(&world));
    assert!(!events(&world, "GateTakenOff").is_empty());
    let before = world.trace().len();
    tokio::time::sleep(Duration::from_mins(10)).await;
    let calls = world.trace().split_off(before);
    let writes = calls
        .iter()
        .filter(|call| call.resource == "deployments" && call.is_write());
    assert_eq!(writes.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_another_rollout_has_taken_over_keeps_its_gate() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    tokio::time::sleep(Duration::from_secs(20)).await;
    let heir = ROLLOUT.replace("{name: checkout, namespace", "{name: heir, namespace");
    world.apply_yaml(&heir).unwrap();
    let before = world.trace().len();
    edit(&world, json!({"workload": {"name": "other"}})).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(gated(&world));
    let calls = world.trace().split_off(before);
    let taken = calls.iter().filter(|call| {
        call.resource == "deployments" && call.verb == "patch" && !call.path.contains("dryRun")
    });
    // The heir writes its own uid over the one before.
    assert_eq!(taken.count(), 1, "the gate was off for a moment");
    let deployment = world.object("deployments", "shop", "checkout").unwrap();
    let heir = world.object("rollouts", "shop", "heir").unwrap();
    assert_eq!(
        deployment["metadata"]["labels"]["serin.dev/gate"],
        heir["metadata"]["uid"]
    );
    assert!(events(&world, "GateTakenOff").is_empty());
}

/// What the release says of its first metric: its name, and where it was found.
fn measured(world: &World) -> (Value, Value) {
    let metric = status(world)["release"]["metrics"][0].take();
    (metric["name"].clone(), metric["source"].clone())
}

fn preset(name: &str, preset: &str) -> Value {
    json!({"analysis": {"metrics": [{"name": name, "preset": preset}]}})
}

/// The message says "name a preset": whoever does is not kept waiting.
#[tokio::test(start_paused = true)]
async fn a_preset_that_is_corrected_in_preflight_is_looked_for() {
    let world = shop();
    edit(&world, preset("errors", "istio")).await;
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    let message = status(&world)["message"].to_string();
    assert!(message.contains("looked for istio"), "{message}");
    edit(&world, preset("errors", "http-requests")).await;
    let limit = Duration::from_mins(3);
    let came = tokio::time::timeout(limit, phase_is(&world, "Judging")).await;
    assert!(came.is_ok(), "{}", status(&world));
    assert_eq!(measured(&world), ("errors".into(), "http-requests".into()));
}

/// The rules are the same, and yet what was counted is not what is asked for now: seen at once, and by a new leader.
#[tokio::test(start_paused = true)]
async fn another_query_judges_the_step_anew() {
    for led in [true, false] {
        let world = shop();
        edit(&world, preset("errors", "contour")).await;
        let around = tokio::spawn(world.clone().run());
        let mut tasks = lead(&world, Arc::new(world.metrics()), "first").0;
        phase_is(&world, "Idle").await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        in_force_is(&world, 25).await;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(measured(&world), ("errors".into(), "contour".into()));
        if !led {
            tasks.shutdown().await;
        }
        edit(&world, preset("errors", "http-requests")).await;
        if !led {
            tasks = lead(&world, Arc::new(world.metrics()), "second").0;
        }
        in_force_is(&world, 80).await;
        let told = ("errors".into(), "http-requests".into());
        assert_eq!(measured(&world), told, "led: {led}");
        phase_is(&world, "Promoted").await;
        tasks.shutdown().await;
        around.abort();
    }
}

/// The operator at work for ten minutes on a step that takes twenty, in which silence of five ends the release.
async fn late_in_a_step(world: &World, source: Arc<dyn MetricSource>) -> JoinSet<()> {
    let analysis = json!({"onNoData": "Rollback", "noDataDeadline": "5m",
        "metrics": [{"name": "errors", "preset": "contour"}]});
    let steps = json!([{"weight": 10, "hold": "20m"}, {"weight": 100}]);
    edit(
        world,
        json!({"analysis": analysis, "weights": null, "steps": steps}),
    )
    .await;
    tokio::spawn(world.clone().run());
    let tasks = lead(world, source, "first").0;
    phase_is(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(world, 10).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    tasks
}

async fn is_promoted(world: &World) {
    let limit = Duration::from_hours(2);
    let came = tokio::time::timeout(limit, phase_is(world, "Promoted")).await;
    assert!(came.is_ok(), "{}", status(world));
}

/// What is looked for anew has been silent since then, and not since its step began.
#[tokio::test(start_paused = true)]
async fn an_edit_late_in_a_step_is_no_long_silence() {
    let world = shop();
    let _tasks = late_in_a_step(&world, Arc::new(world.metrics())).await;
    edit(&world, preset("errors", "http-requests")).await;
    is_promoted(&world).await;
}

/// The same of a leader that finds nothing in the status to go on from.
#[tokio::test(start_paused = true)]
async fn evidence_that_is_lost_late_in_a_step_is_no_long_silence() {
    let world = shop();
    let mut tasks = late_in_a_step(&world, Arc::new(world.metrics())).await;
    tasks.shutdown().await;
    let rollouts: Api<Rollout> = Api::namespaced(world.client_as("admin"), "shop");
    let damaged = Patch::Merge(json!({"status": {"evidence": {"lines": 1}}}));
    rollouts
        .patch_status("checkout", &PatchParams::default(), &damaged)
        .await
        .unwrap();
    // It has to search for longer than the silence that is no news.
    let source = Arc::new(Shaky::new(&world, |_, _| true, u32::MAX));
    let _tasks = lead(&world, Arc::clone(&source) as Arc<dyn MetricSource>, "second");
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(in_force(&world), 10, "{}", status(&world));
    source.fail(0);
    is_promoted(&world).await;
}

/// The step is read again from its beginning, and then the provider is away for a moment.
#[tokio::test(start_paused = true)]
async fn a_blink_of_the_provider_while_a_step_is_read_again_is_no_long_silence() {
    let world = shop();
    let old = |_: &str, age: i64| (420..1_500).contains(&age);
    let source = Arc::new(Shaky::new(&world, old, 0));
    let _tasks = late_in_a_step(&world, Arc::clone(&source) as Arc<dyn MetricSource>).await;
    source.fail(8);
    edit(&world, preset("errors", "http-requests")).await;
    is_promoted(&world).await;
    assert_eq!(source.left(), 0);
}

/// Silence that lasts ends the release all the same, as long after the edit as silence may last.
#[tokio::test(start_paused = true)]
async fn what_an_edit_names_and_nobody_counts_ends_the_release_in_time() {
    let world = shop();
    let _tasks = late_in_a_step(&world, Arc::new(world.metrics())).await;
    edit(&world, preset("errors", "istio")).await;
    tokio::time::sleep(Duration::from_mins(4)).await;
    assert_eq!(in_force(&world), 10, "{}", status(&world));
    tokio::time::sleep(Duration::from_secs(90)).await;
    let status = status(&world);
    assert_eq!(status["history"][0]["reason"], "NoData", "{status}");
}

/// Before the first weight nothing is on trial yet, and the old metrics are known already.
#[tokio::test(start_paused = true)]
async fn metrics_that_are_changed_while_the_first_pods_start_are_judged() {
    let world = shop();
    let slow = Image {
        ready_after: Duration::from_mins(3),
        ..Image::failing(0.0)
    };
    world.define_image("checkout:v2", slow);
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Scaling").await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    edit(&world, preset("failures", "http-requests")).await;
    let limit = Duration::from_mins(30);
    let came = tokio::time::timeout(limit, in_force_is(&world, 25)).await;
    assert!(came.is_ok(), "{}", status(&world));
    assert_eq!(
        measured(&world),
        ("failures".into(), "http-requests".into()),
        "{}",
        status(&world)
    );
    let limit = Duration::from_hours(2);
    let came = tokio::time::timeout(limit, phase_is(&world, "Promoted")).await;
    assert!(came.is_ok(), "{}", status(&world));
}

/// What the candidate served before its pods were lost was judged, or not, in its time: the step that begins again is
/// about what follows.
#[tokio::test(start_paused = true)]
async fn a_first_step_that_begins_again_counts_nothing_twice() {
    let world = shop();
    edit(
        &world,
        json!({"weights": null, "steps": [{"weight": 10, "hold": "20m"}, {"weight": 100}]}),
    )
    .await;
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(&world, 10).await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let mine = candidate_names(&world, "pods");
    assert!(!mine.is_empty());
    let force = |ready| {
        for pod in &mine {
            world.force_pod("shop", pod, ready);
        }
    };
    force(Some(false));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(in_force(&world), 0);
    force(None);
    in_force_is(&world, 10).await;
    let mut told = Vec::new();
    for _ in 0..90 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        told.push(status(&world)["message"].to_string());
    }
    assert!(
        !told.iter().any(|message| message.contains("is surely not")),
        "{told:?}"
    );
    // Five a second in the twenty minutes of its hold.
    in_force_is(&world, 80).await;
    let status = status(&world);
    let verdicts = status["release"]["verdicts"].as_array().unwrap();
    let errors = |it: &&Value| it["metric"] == "error-rate" && it["step"] == 1;
    let errors = verdicts.iter().find(errors).unwrap();
    let requests = errors["numbers"]["candidate"]["total"].as_i64().unwrap();
    assert!((5_500..=6_700).contains(&requests), "{errors}");
}

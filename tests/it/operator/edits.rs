//! The owner edits the Rollout in mid-release.

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin::api::Rollout;

use super::*;

async fn edit(world: &World, spec: Value) {
    let rollouts: Api<Rollout> = Api::namespaced(world.client_as("admin"), "shop");
    let patch = Patch::Merge(json!({"spec": spec}));
    rollouts
        .patch("checkout", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

async fn weight_is(world: &World, wanted: i64) {
    for _ in 0..86_400 {
        if in_force(world) == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("no weight of {wanted} within a day");
}

/// The operator at work on a release that has come to its second step.
async fn at_25(world: &World) -> JoinSet<()> {
    let (tasks, _) = operate(world);
    phase_is(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    weight_is(world, 25).await;
    tasks
}

fn events(world: &World) -> Vec<String> {
    let events = world.objects("events", "shop");
    let reasons = events.iter().filter_map(|it| it["reason"].as_str());
    reasons.map(str::to_owned).collect()
}

fn status(world: &World) -> Value {
    world.object("rollouts", "shop", "checkout").unwrap()["status"].take()
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
    edit(&world, json!({"steps": null, "weights": [10, 15, 40, 100]})).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(in_force(&world), 15);
    weight_is(&world, 40).await;
    phase_is(&world, "Promoted").await;
    let told = events(&world);
    assert!(told.iter().any(|reason| reason == "StepsChanged"), "{told:?}");
    assert!(
        !told.iter().any(|reason| reason.contains("Invariant")),
        "{told:?}"
    );
}

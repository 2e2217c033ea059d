//! The backtest of a release that the operator itself has made, in the simulated cluster: both must say the same.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serin::api::crd;
use serin::cli::Exit;
use serin::cli::judge::{Output, Past};
use serin::cluster::client::Clients;
use serin::cluster::lease;
use serin::controller::Operator;
use serin::engine::Moment;
use serin::engine::plan::GateMode;
use serin::ports::Clock;
use serin::world::{Image, Load, Options, Shop, Simulated, World};
use tokio::task::JoinSet;

const ROLLOUT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/minimal.yaml");

/// A shop whose next version fails so many of its requests, with the operator at work.
fn shop(rate: f64) -> (World, JoinSet<()>) {
    let world = World::new(&Options::default());
    for crd in crd::all() {
        world.install_crd(&serde_json::to_value(&crd).unwrap());
    }
    world.define_image("checkout:v2", Image::failing(rate));
    world
        .apply_yaml(include_str!("../../../src/cli/demo/gate.yaml"))
        .unwrap();
    world.install(&Shop::default()).unwrap();
    let rollout = std::fs::read_to_string(ROLLOUT).unwrap();
    let rollout = rollout.replace("metadata:\n", "metadata:\n  namespace: shop\n");
    world.apply_yaml(&rollout).unwrap();
    world.add_load(Load::constant("shop", "checkout", 50.0));
    let lease = lease::Settings {
        namespace: "serin".into(),
        name: "serin".into(),
        identity: "test".into(),
        timing: lease::Timing::default(),
    };
    let operator = Operator::new(
        Clients::both(world.client_as("system:serviceaccount:serin:serin")),
        Arc::new(world.clock()),
        Arc::new(Simulated(Arc::new(world.metrics()))),
        GateMode::Admission,
        lease,
    );
    let mut tasks = JoinSet::new();
    tasks.spawn(world.clone().run());
    tasks.spawn(async move {
        let _ = operator.run(std::future::pending()).await;
    });
    (world, tasks)
}

/// Waits for a phase; the moment, and the revision of the release.
async fn phase(world: &World, wanted: &str) -> (Moment, String) {
    loop {
        let status = world.object("rollouts", "shop", "checkout").unwrap()["status"].take();
        if status["phase"] == wanted {
            let revision = status["release"]["revision"].as_str().unwrap_or_default();
            return (world.clock().now(), revision.to_owned());
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn backtest(world: &World, revision: String, from: Moment) -> (Exit, Vec<Value>) {
    let past = Past {
        rollout: Some(ROLLOUT.into()),
        namespace: Some("shop".into()),
        from: Some(from.to_string()),
        revision: Some(revision),
        ..Past::default()
    };
    let mut out = Vec::new();
    let now = world.clock().now();
    let exit = past
        .judge(&world.metrics(), (now, Output::Json, None), &mut out)
        .await
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    (
        exit,
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

#[tokio::test(start_paused = true)]
async fn a_release_that_was_rolled_back_is_rolled_back_again_at_the_same_time() {
    let (world, _tasks) = shop(0.05);
    let (begun, _) = phase(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let (really, revision) = phase(&world, "RollingBack").await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    let (exit, lines) = backtest(&world, revision, begun).await;
    assert_eq!(exit, Exit::Failed, "{lines:?}");
    let last = lines.last().unwrap();
    let again: Moment = last["at"].as_str().unwrap().parse().unwrap();
    // The operator reads an evaluation when its samples are visible, and on another grid.
    let apart = really.duration_since(again).as_secs();
    assert!((-15..=45).contains(&apart), "{really} {again}");
    // It was rolled back indeed, so there was nothing left to spare.
    assert!(last["spared"].as_u64().unwrap() < 60, "{last}");
}

#[tokio::test(start_paused = true)]
async fn a_release_that_was_promoted_is_promoted_again_by_the_same_steps() {
    let (world, _tasks) = shop(0.0);
    let (begun, _) = phase(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let (_, revision) = phase(&world, "Promoting").await;
    phase(&world, "Promoted").await;
    let (exit, lines) = backtest(&world, revision, begun).await;
    assert_eq!(exit, Exit::Healthy, "{lines:?}");
    let steps: Vec<(&str, f64)> = lines
        .iter()
        .filter_map(|line| Some((line["event"].as_str()?, line["weight"].as_f64()?)))
        .filter(|(event, _)| ["Step", "Bake", "Hasty"].contains(event))
        .collect();
    assert_eq!(
        steps,
        [("Step", 10.0), ("Step", 25.0), ("Step", 80.0), ("Bake", 95.0)],
        "{lines:?}"
    );
}

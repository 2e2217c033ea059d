//! The real operator on the simulated cluster: what it costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serin::api::crd;
use serin::cluster::client::Clients;
use serin::cluster::lease;
use serin::controller::Operator;
use serin::engine::plan::GateMode;
use serin::ports::{MetricSource, Providers};
use serin::telemetry::Metrics;
use serin::world::{Image, Load, Options, Shop, World};
use tokio::task::JoinSet;

/// Under whose name the operator calls.
const SERIN: &str = "system:serviceaccount:serin:serin";

struct Simulated(Arc<dyn MetricSource>);

impl Providers for Simulated {
    fn source(&self, _: &str, _: &str, _: Option<&Value>) -> Result<Arc<dyn MetricSource>, String> {
        Ok(Arc::clone(&self.0))
    }

    fn lag(&self, _: Option<&Value>) -> Duration {
        Duration::from_secs(5)
    }
}

const ROLLOUT: &str = "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {name: checkout, namespace: shop}
spec:
  workload: {name: checkout}
  traffic:
    gatewayAPI: {routes: [{name: checkout}]}
";

fn shop() -> World {
    let world = World::new(&Options::default());
    for crd in crd::all() {
        world.install_crd(&serde_json::to_value(&crd).unwrap());
    }
    world.define_image("checkout:v2", Image::failing(0.0));
    world
        .apply_yaml(include_str!("../../src/cli/demo/gate.yaml"))
        .unwrap();
    world.install(&Shop::default()).unwrap();
    world.apply_yaml(ROLLOUT).unwrap();
    world.add_load(Load::constant("shop", "checkout", 50.0));
    world
}

async fn phase_is(world: &World, wanted: &str) {
    let phase = || {
        world
            .object("rollouts", "shop", "checkout")
            .map(|it| it["status"]["phase"] == wanted)
    };
    while phase() != Some(true) {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// The operator at work on `world`, and its own figures.
fn operate(world: &World) -> (JoinSet<()>, Arc<Metrics>) {
    let clients = Clients::both(world.client_as(SERIN));
    let lease = lease::Settings {
        namespace: "serin".into(),
        name: "serin".into(),
        identity: "test".into(),
        timing: lease::Timing::default(),
    };
    let providers = Arc::new(Simulated(Arc::new(world.metrics())));
    let clock = Arc::new(world.clock());
    let operator = Operator::new(clients, clock, providers, GateMode::Admission, lease);
    let (metrics, _) = operator.telemetry();
    let mut tasks = JoinSet::new();
    tasks.spawn(world.clone().run());
    tasks.spawn(async move {
        let _ = operator.run(std::future::pending()).await;
    });
    (tasks, metrics)
}

/// A wake that was due already once made a loop that span through whole phases of a release.
#[tokio::test(start_paused = true)]
async fn a_good_release_takes_few_turns_of_the_loop() {
    let world = shop();
    let (_tasks, metrics) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Promoted").await;
    let text = metrics.render();
    let line = text
        .lines()
        .find(|line| line.starts_with("serin_reconcile_total{result=\"success\"}"));
    let turns: f64 = line
        .and_then(|line| line.rsplit(' ').next())
        .unwrap()
        .parse()
        .unwrap();
    assert!(turns < 1_000.0, "{turns} turns for one release");
}

/// Per cent of the requests that go to a candidate.
fn in_force(world: &World) -> i64 {
    let weights = world.weights_in_force("shop", "checkout");
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let candidate: f64 = weights
        .iter()
        .filter(|(service, _)| service.contains("-canary-"))
        .map(|(_, weight)| weight)
        .sum();
    (100.0 * candidate / total).round() as i64
}

/// A decision is in the status at once, how a wait is getting on within ten seconds, and neither more often.
#[tokio::test(start_paused = true)]
async fn the_status_follows_a_release_with_few_writes() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    let before = world.trace().len();
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    let (mut phases, mut since, mut was) = (Vec::new(), 0, (0, Value::Null));
    while phases.last().map(String::as_str) != Some("Promoted") {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let status = world.object("rollouts", "shop", "checkout").unwrap()["status"].take();
        let phase = status["phase"].as_str().unwrap_or_default().to_owned();
        let weight = &status["release"]["weight"];
        let now = (in_force(&world), weight["desired"].clone());
        since = if now == was { since + 1 } else { 0 };
        was = now;
        if since > 11 && weight["desired"] == was.0 {
            assert_eq!(weight["observed"], was.0, "{status}");
            assert_ne!(phase, "Shifting", "{status}");
        }
        if phases.last() != Some(&phase) {
            phases.push(phase);
        }
    }
    for phase in [
        "Preflight",
        "Scaling",
        "Shifting",
        "Judging",
        "Baking",
        "Promoting",
        "Returning",
    ] {
        assert!(phases.iter().any(|seen| seen == phase), "{phase} in {phases:?}");
    }
    let calls = world.trace().split_off(before);
    let writes = calls.iter().filter(|call| call.user == SERIN && call.is_write());
    let mut by_kind = BTreeMap::<String, usize>::new();
    for call in writes {
        *by_kind
            .entry(format!("{} {}", call.verb, call.resource))
            .or_default() += 1;
    }
    println!("{phases:?}\n{by_kind:?}");
    assert!(by_kind["patch rollouts/status"] <= 22, "{by_kind:?}, {phases:?}");
}

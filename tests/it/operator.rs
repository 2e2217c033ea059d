//! The real operator on the simulated cluster: what it costs.

use std::sync::Arc;
use std::time::Duration;

use serin::api::crd;
use serin::cluster::client::Clients;
use serin::cluster::lease;
use serin::controller::Operator;
use serin::engine::plan::GateMode;
use serin::ports::{MetricSource, Providers};
use serin::world::{Image, Load, Options, Shop, World};

struct Simulated(Arc<dyn MetricSource>);

impl Providers for Simulated {
    fn source(
        &self,
        _: &str,
        _: &str,
        _: Option<&serde_json::Value>,
    ) -> Result<Arc<dyn MetricSource>, String> {
        Ok(Arc::clone(&self.0))
    }

    fn lag(&self, _: Option<&serde_json::Value>) -> Duration {
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

/// A wake that was due already once made a loop that span through whole phases of a release.
#[tokio::test(start_paused = true)]
async fn a_good_release_takes_few_turns_of_the_loop() {
    let world = shop();
    let clients = Clients::both(world.client_as("system:serviceaccount:serin:serin"));
    let lease = lease::Settings {
        namespace: "serin".into(),
        name: "serin".into(),
        identity: "test".into(),
        timing: lease::Timing::default(),
    };
    let providers = Arc::new(Simulated(Arc::new(world.metrics())));
    let operator = Operator::new(
        clients,
        Arc::new(world.clock()),
        providers,
        GateMode::Admission,
        lease,
    );
    let (metrics, _) = operator.telemetry();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(world.clone().run());
    tasks.spawn(async move {
        let _ = operator.run(std::future::pending()).await;
    });
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

//! The real operator on the simulated cluster: what it costs.

mod deadlines;
mod drift;
mod edits;
mod figures;
mod frozen;
mod gauges;
mod handover;
mod helpers;
mod idle_backends;
mod native;
mod outage;
mod people;
mod refusals;
mod restarted;
mod returning;
mod scaled;
mod shared_rule;
mod silence;
mod status;
mod sweep;
mod warm_up;
pub(crate) mod without_baseline;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;
use serin::api::crd;
use serin::cluster::client::Clients;
use serin::cluster::lease;
use serin::controller::Operator;
use serin::engine::plan::GateMode;
use serin::ports::{BoxFuture, MetricSource, Sample, SourceError};
use serin::telemetry::Metrics;
use serin::world::{Fault, FaultRule, Image, Load, Options, ROLLOUT, Shop, Simulated, World};
use tokio::task::JoinSet;

use helpers::*;

/// Under whose name the operator calls.
const SERIN: &str = "system:serviceaccount:serin:serin";

pub(crate) fn shop() -> World {
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

pub(crate) async fn phase_is(world: &World, wanted: &str) {
    let phase = || {
        world
            .object("rollouts", "shop", "checkout")
            .map(|it| it["status"]["phase"] == wanted)
    };
    for _ in 0..86_400 {
        if phase() == Some(true) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("not {wanted} within a day");
}

/// A provider that takes a minute for an answer as long as it is told to.
struct Slow {
    inner: Arc<dyn MetricSource>,
    slow: Arc<AtomicBool>,
}

impl MetricSource for Slow {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: jiff::Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        Box::pin(async move {
            if self.slow.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            self.inner.instant(query, at).await
        })
    }
}

/// The operator at work on `world`, and its own figures.
pub(crate) fn operate(world: &World) -> (JoinSet<()>, Arc<Metrics>) {
    operate_with(world, Arc::new(world.metrics()))
}

fn operate_with(world: &World, source: Arc<dyn MetricSource>) -> (JoinSet<()>, Arc<Metrics>) {
    let (mut tasks, metrics) = lead(world, source, "test");
    tasks.spawn(world.clone().run());
    (tasks, metrics)
}

/// An operator of this identity on a world that runs by itself. It dies with its tasks.
fn lead(world: &World, source: Arc<dyn MetricSource>, identity: &str) -> (JoinSet<()>, Arc<Metrics>) {
    lead_as(SERIN, world, source, identity)
}

/// The same under another name.
fn lead_as(
    user: &str,
    world: &World,
    source: Arc<dyn MetricSource>,
    identity: &str,
) -> (JoinSet<()>, Arc<Metrics>) {
    let clients = Clients::both(world.client_as(user));
    let lease = lease::Settings {
        namespace: "serin".into(),
        name: "serin".into(),
        identity: identity.into(),
        timing: lease::Timing::default(),
    };
    let providers = Arc::new(Simulated(source));
    let clock = Arc::new(world.clock());
    let operator = Operator::new(clients, clock, providers, GateMode::Admission, lease);
    let (metrics, _) = operator.telemetry();
    let mut tasks = JoinSet::new();
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
        let status = status(&world);
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

/// A person's abort goes through within a second, though the metrics are a minute away.
#[tokio::test(start_paused = true)]
async fn an_abort_does_not_wait_for_a_slow_provider() {
    let world = shop();
    let slow = Arc::new(AtomicBool::new(false));
    let source = Slow {
        inner: Arc::new(world.metrics()),
        slow: Arc::clone(&slow),
    };
    let (_tasks, _) = operate_with(&world, Arc::new(source));
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, "Judging").await;
    slow.store(true, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(in_force(&world), 10);
    act(&world, "Abort");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let backends = candidate_backends(&world, "checkout");
    assert!(backends.iter().all(|it| it["weight"] == 0), "{backends:?}");
}

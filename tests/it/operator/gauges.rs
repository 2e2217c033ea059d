//! The gauges at the real operator: they hold, they let go, and they are never in the way of the metrics.

use super::*;

/// A shop whose pods may use half a core, and a new version whose requests cost `each` seconds of one.
fn shop_with(each: f64, memory: (f64, f64)) -> World {
    let world = World::new(&Options::default());
    for crd in crd::all() {
        world.install_crd(&serde_json::to_value(&crd).unwrap());
    }
    let image = |each| Image {
        cpu: (0.02, each),
        ..Image::failing(0.0)
    };
    world.define_image("checkout:v1", image(0.005));
    world.define_image(
        "checkout:v2",
        Image {
            memory,
            ..image(each)
        },
    );
    world
        .apply_yaml(include_str!("../../../src/cli/demo/gate.yaml"))
        .unwrap();
    let shop = Shop {
        limits: Some("{cpu: 500m, memory: 256Mi}".to_owned()),
        ..Shop::default()
    };
    world.install(&shop).unwrap();
    world.apply_yaml(ROLLOUT).unwrap();
    world.add_load(Load::constant("shop", "checkout", 50.0));
    world
}

const MIB: f64 = 1024.0 * 1024.0;
const STEADY: (f64, f64) = (64.0 * MIB, 0.0);

fn status(world: &World) -> Value {
    world.object("rollouts", "shop", "checkout").unwrap()["status"].take()
}

/// Waits for a phase, but not for ever.
async fn comes_to(world: &World, phase: &str) {
    let limit = Duration::from_hours(4);
    let came = tokio::time::timeout(limit, phase_is(world, phase)).await;
    assert!(came.is_ok(), "never {phase}: {}", status(world));
}

async fn released(world: &World) {
    comes_to(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
}

/// How the default gauges are named in the status, by name.
fn told(status: &Value) -> BTreeMap<String, (Value, Value)> {
    let metrics = status["release"]["metrics"].as_array().unwrap();
    let metrics = metrics.iter().map(|metric| {
        let name = metric["name"].as_str().unwrap().to_owned();
        (name, (metric["source"].clone(), metric["note"].clone()))
    });
    metrics.collect()
}

#[tokio::test(start_paused = true)]
async fn a_weight_that_would_saturate_is_held_until_there_are_pods_enough() {
    let world = shop_with(0.04, STEADY);
    let (_tasks, _) = operate(&world);
    released(&world).await;
    comes_to(&world, "Holding").await;
    let held = status(&world);
    assert_eq!(held["conditions"][0]["reason"], "WouldSaturate", "{held}");
    let message = held["message"].as_str().unwrap();
    assert!(
        message.starts_with("cpu: at 25 % each pod would use "),
        "{message}"
    );
    assert!(message.contains("2 pods would suffice"), "{message}");
    assert_eq!(told(&held)["cpu"].0, "gauge: cAdvisor");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(in_force(&world), 10);
    assert_eq!(status(&world)["message"], message, "one wait has one sentence");
    world.set_replicas("shop", "checkout", 6).unwrap();
    comes_to(&world, "Promoted").await;
}

#[tokio::test(start_paused = true)]
async fn a_sure_leak_is_taken_back() {
    // Three quarters of the memory are free, and gone in a quarter of an hour.
    let world = shop_with(0.005, (64.0 * MIB, 0.21 * MIB));
    let (_tasks, _) = operate(&world);
    released(&world).await;
    comes_to(&world, "RolledBack").await;
    let status = status(&world);
    assert_eq!(status["history"][0]["reason"], "Leaking", "{status}");
    let why = status["history"][0]["evidence"].as_str().unwrap();
    assert!(why.starts_with("memory: each pod grows by "), "{why}");
}

#[tokio::test(start_paused = true)]
async fn without_limits_there_is_no_gauge_and_the_status_says_so() {
    let world = shop();
    let (_tasks, _) = operate(&world);
    released(&world).await;
    comes_to(&world, "Judging").await;
    let (source, note) = told(&status(&world))["cpu"].clone();
    assert_eq!(source, Value::Null);
    let note = note.as_str().unwrap().to_owned();
    assert!(
        note.starts_with("gauge not read: a container of the template has no limit"),
        "{note}"
    );
}

/// A provider that says nothing about containers as long as it is told to.
struct Deaf {
    inner: Arc<dyn MetricSource>,
    deaf: Arc<AtomicBool>,
}

impl MetricSource for Deaf {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: jiff::Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        Box::pin(async move {
            if self.deaf.load(Ordering::Relaxed) && query.starts_with("container_") {
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            self.inner.instant(query, at).await
        })
    }
}

/// Seconds from the new image to its promotion. `deaf`: from when on the provider says nothing about containers.
async fn takes(deaf: Option<&str>) -> u64 {
    let world = shop_with(0.005, STEADY);
    let silent = Arc::new(AtomicBool::new(false));
    let source = Deaf {
        inner: Arc::new(world.metrics()),
        deaf: Arc::clone(&silent),
    };
    let (_tasks, _) = operate_with(&world, Arc::new(source));
    released(&world).await;
    let begun = world.elapsed();
    if let Some(phase) = deaf {
        if phase != "Idle" {
            comes_to(&world, phase).await;
        }
        silent.store(true, Ordering::Relaxed);
    }
    comes_to(&world, "Promoted").await;
    world.elapsed().saturating_sub(begun).as_secs()
}

/// Half a second a look at most, five seconds before the release: the metrics are judged in their own time.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_slow_with_gauges_delays_no_verdict() {
    let usual = takes(None).await;
    for phase in ["Idle", "Judging"] {
        let slow = takes(Some(phase)).await;
        // As long as a gauge may be waited for, in each of the four weights.
        assert!(
            slow <= usual + 4 * 150,
            "{slow} s instead of {usual} s from {phase} on"
        );
    }
}

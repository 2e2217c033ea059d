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
/// A first step that nothing but a gauge ends.
const LONG: &str = "steps: [{weight: 10, hold: 1h}, {weight: 100}]";

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

/// The template sets the limit, so the API server cannot compare the two.
#[tokio::test(start_paused = true)]
async fn an_idle_use_above_the_templates_limit_stops_a_release_before_its_first_request() {
    let world = shop_with(0.005, STEADY);
    let gauges = "analysis: {gauges: [{name: cpu, preset: Cpu, idle: 600m}]}";
    world.apply_yaml(&format!("{ROLLOUT}  {gauges}\n")).unwrap();
    let (_tasks, _) = operate(&world);
    released(&world).await;
    comes_to(&world, "Preflight").await;
    tokio::time::sleep(Duration::from_mins(5)).await;
    let held = status(&world);
    assert_eq!(held["phase"], "Preflight", "{held}");
    let message = held["message"].as_str().unwrap();
    assert!(
        message.contains("gauge `cpu`: its `idle` of 600m is above what a pod may use"),
        "{message}"
    );
    assert_eq!(in_force(&world), 0);
    let mended = gauges.replace("600m", "10m");
    world.apply_yaml(&format!("{ROLLOUT}  {mended}\n")).unwrap();
    comes_to(&world, "Promoted").await;
}

/// Files that requests leave open: the preset divides what a process has open by what it may.
#[tokio::test(start_paused = true)]
async fn connections_that_are_not_closed_are_a_leak() {
    let world = shop_with(0.005, STEADY);
    let leaky = Image {
        files: (12.0, 0.1),
        ..Image::failing(0.0)
    };
    world.define_image("checkout:v2", leaky);
    let gauges = "analysis: {gauges: [{name: files, preset: Connections}]}";
    world
        .apply_yaml(&format!("{ROLLOUT}  {gauges}\n  {LONG}\n"))
        .unwrap();
    let (_tasks, _) = operate(&world);
    released(&world).await;
    comes_to(&world, "Judging").await;
    assert_eq!(told(&status(&world))["files"].0, "gauge: the process itself");
    comes_to(&world, "RolledBack").await;
    let status = status(&world);
    assert_eq!(status["history"][0]["reason"], "Leaking", "{status}");
    let why = status["history"][0]["evidence"].as_str().unwrap();
    assert!(why.starts_with("files: each pod grows by "), "{why}");
    // Of 1,024 files: nobody may have to reach the limit before this is found.
    let fullest = why.split("the fullest is at ").nth(1).unwrap();
    let percent: f64 = fullest.split(' ').next().unwrap().parse().unwrap();
    assert!((10.0..90.0).contains(&percent), "{why}");
}

/// Nothing of a gauge is kept in the status: a new leader that did not read the step again would find no forecast, wait
/// no longer for one that is optional, and let the weight grow.
#[tokio::test(start_paused = true)]
async fn a_new_leader_still_holds_a_weight_that_would_saturate() {
    let world = shop_with(0.04, STEADY);
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    released(&world).await;
    comes_to(&world, "Holding").await;
    // The evidence in the status is renewed every five minutes: nearly all of the step is judged and kept.
    tokio::time::sleep(Duration::from_secs(320)).await;
    leader.shutdown().await;
    let (_leader, _) = lead(&world, Arc::new(world.metrics()), "two");
    let stamp = |status: &Value| status["stamp"].clone();
    let before = stamp(&status(&world));
    for _ in 0..180 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(in_force(&world), 10, "{}", status(&world));
    }
    let held = status(&world);
    assert_ne!(stamp(&held), before, "the new leader has taken over");
    assert_eq!(held["conditions"][0]["reason"], "WouldSaturate", "{held}");
    let message = held["message"].as_str().unwrap();
    assert!(
        message.starts_with("cpu: at 25 % each pod would use "),
        "{message}"
    );
}

/// How long a leak of a long step goes unnoticed. `unled`: when its leader dies.
async fn leaks_for(unled: Option<Duration>) -> Duration {
    let world = shop_with(0.005, (64.0 * MIB, 0.21 * MIB));
    world.apply_yaml(&format!("{ROLLOUT}  {LONG}\n")).unwrap();
    tokio::spawn(world.clone().run());
    let (mut leader, _) = lead(&world, Arc::new(world.metrics()), "one");
    released(&world).await;
    let begun = world.elapsed();
    if let Some(after) = unled {
        tokio::time::sleep(after).await;
        leader.shutdown().await;
        (leader, _) = lead(&world, Arc::new(world.metrics()), "two");
    }
    comes_to(&world, "RollingBack").await;
    let found = world.elapsed().saturating_sub(begun);
    comes_to(&world, "RolledBack").await;
    drop(leader);
    assert_eq!(status(&world)["history"][0]["reason"], "Leaking");
    found
}

/// The lease of a leader that died lasts a quarter of a minute; what was seen of the leak is not lost.
#[tokio::test(start_paused = true)]
async fn a_new_leader_finds_a_leak_as_early_as_one_that_saw_all_of_it() {
    let usual = leaks_for(None).await;
    assert!(usual > Duration::from_mins(4), "{usual:?}");
    let restarted = leaks_for(Some(usual.saturating_sub(Duration::from_mins(1)))).await;
    let late = restarted.abs_diff(usual);
    assert!(
        late < Duration::from_secs(5),
        "{restarted:?} instead of {usual:?}"
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

/// Seconds from the new image to its first traffic, and to its promotion. `deaf`: from when on the provider says nothing
/// about containers.
async fn takes(deaf: Option<&str>) -> (u64, u64) {
    let world = shop_with(0.005, STEADY);
    let silent = Arc::new(AtomicBool::new(false));
    let source = Deaf {
        inner: Arc::new(world.metrics()),
        deaf: Arc::clone(&silent),
    };
    let (_tasks, _) = operate_with(&world, Arc::new(source));
    released(&world).await;
    let begun = world.elapsed();
    silent.store(deaf == Some("Idle"), Ordering::Relaxed);
    comes_to(&world, "Judging").await;
    let first = world.elapsed().saturating_sub(begun).as_secs();
    silent.store(deaf.is_some(), Ordering::Relaxed);
    comes_to(&world, "Promoted").await;
    (first, world.elapsed().saturating_sub(begun).as_secs())
}

/// Half a second a look at most, five seconds before the release: the metrics are judged in their own time.
#[tokio::test(start_paused = true)]
async fn a_provider_that_is_slow_with_gauges_delays_no_verdict() {
    let (soon, usual) = takes(None).await;
    for phase in ["Idle", "Judging"] {
        let (first, slow) = takes(Some(phase)).await;
        assert!(
            first <= soon + 10,
            "the first request after {first} s instead of {soon}"
        );
        // As long as a gauge may be waited for, in each of the four weights.
        assert!(
            slow <= usual + 4 * 150,
            "{slow} s instead of {usual} s from {phase} on"
        );
    }
}

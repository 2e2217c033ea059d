//! Latency from native histograms, the whole way: found by the preset, judged, promoted, rolled back, held.

use serin::world::Exposition;

use super::*;

const LATENCY: &str = "
  analysis:
    metrics:
    - name: latency
      kind: Latency
      SOURCE
";

/// Of the pods, by a preset that says nothing of the kind of histogram.
const PRESET: &str = "preset: http-requests
      latency: {objective: 40ms, slowdown: 5}";

/// The user's own query.
const OWN: &str =
    r#"latency: {histogram: 'http_request_duration_seconds{namespace="{{namespace}}",pod=~"{{pods}}"}'}"#;

/// A shop of two versions: how each tells its latency, and its median in milliseconds.
fn shop_of(stable: (Exposition, f64), fresh: (Exposition, f64), source: &str) -> World {
    let world = World::new(&Options::default());
    for crd in crd::all() {
        world.install_crd(&serde_json::to_value(&crd).unwrap());
    }
    for (name, (exposition, latency_ms)) in [("checkout:v1", stable), ("checkout:v2", fresh)] {
        let image = Image {
            exposition,
            latency_ms,
            ..Image::failing(0.0)
        };
        world.define_image(name, image);
    }
    world
        .apply_yaml(include_str!("../../../src/cli/demo/gate.yaml"))
        .unwrap();
    world.install(&Shop::default()).unwrap();
    let rollout = format!("{ROLLOUT}{}", LATENCY.replace("SOURCE", source));
    world.apply_yaml(&rollout).unwrap();
    world.add_load(Load::constant("shop", "checkout", 50.0));
    world
}

/// Where the metric was found.
fn source(world: &World) -> Value {
    status(world)["release"]["metrics"][0]["source"].take()
}

/// The release of the second version, until it is in this phase.
async fn release(world: &World, phase: &str) -> JoinSet<()> {
    let (tasks, _) = operate(world);
    comes_to(world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(world, phase).await;
    tasks
}

const NATIVE: Exposition = Exposition::Native(3);

#[tokio::test(start_paused = true)]
async fn a_good_release_is_promoted() {
    let world = shop_of((NATIVE, 20.0), (NATIVE, 20.0), PRESET);
    let _tasks = release(&world, "Judging").await;
    assert_eq!(source(&world), "http-requests (native histogram)");
    // The quarters of an octave: 31.25, 37.2, 44.2 ms.
    let metric = status(&world)["release"]["metrics"][0].take();
    let note = metric["note"].as_str().unwrap();
    let read = "the objective 40 ms is read at 37.163 ms, the histogram's nearest edge below it";
    assert!(note.contains(read), "{note}");
    comes_to(&world, "Promoted").await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_candidate_is_taken_back() {
    let world = shop_of((NATIVE, 20.0), (NATIVE, 60.0), OWN);
    let _tasks = release(&world, "Judging").await;
    assert_eq!(source(&world), "the Rollout's own query (native histogram)");
    comes_to(&world, "RolledBack").await;
    let status = status(&world);
    assert_eq!(status["history"][0]["reason"], "Regression", "{status}");
    let why = status["history"][0]["evidence"].as_str().unwrap();
    assert!(why.starts_with("latency"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn buckets_of_the_user_s_own_are_as_good() {
    let custom = Exposition::Custom;
    let world = shop_of((custom, 20.0), (custom, 20.0), PRESET);
    let _tasks = release(&world, "Promoted").await;
    let slow = shop_of((custom, 20.0), (custom, 60.0), PRESET);
    let _tasks = release(&slow, "RolledBack").await;
}

/// One version tells its latency in one way and the next in another: never a pass.
#[tokio::test(start_paused = true)]
async fn versions_that_cannot_be_compared_wait() {
    let lacks = "no bucket that ends at";
    for (fresh, why) in [
        (Exposition::Classic, "no series counts the candidate's requests"),
        (Exposition::Custom, lacks),
    ] {
        let world = shop_of((NATIVE, 20.0), (fresh, 20.0), PRESET);
        let _tasks = release(&world, "Judging").await;
        tokio::time::sleep(Duration::from_mins(30)).await;
        assert_eq!(in_force(&world), 10, "{fresh:?}");
        let told = status(&world)["release"].to_string() + &status(&world)["message"].to_string();
        assert!(told.contains(why), "{told}");
    }
}

/// Another schema, coarser or finer, is no obstacle: powers of two are bounds of both.
#[tokio::test(start_paused = true)]
async fn versions_of_unlike_schemas_are_compared() {
    let world = shop_of((NATIVE, 20.0), (Exposition::Native(1), 20.0), OWN);
    let _tasks = release(&world, "Promoted").await;
    let slow = shop_of((NATIVE, 20.0), (Exposition::Native(0), 60.0), OWN);
    let _tasks = release(&slow, "RolledBack").await;
}

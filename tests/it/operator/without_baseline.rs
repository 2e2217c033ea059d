//! A candidate with all traffic in the bake, at the real operator: what its service's past says of it.

use super::*;
use serin::ports::{Samples, Span};
use serin::world::Moment;

/// A shop whose Rollout keeps nothing on the stable pods in the bake; its old version fails 2 of 1,000 requests, its new
/// one as `errors` has it.
fn shop_with(errors: impl Fn(&Moment) -> f64 + Send + Sync + 'static) -> World {
    let world = shop();
    let image = |errors| Image {
        errors,
        ..Image::default()
    };
    world.define_image("checkout:v1", image(Arc::new(|_| 0.002)));
    world.define_image("checkout:v2", image(Arc::new(errors)));
    let rollout = format!("{ROLLOUT}  analysis: {{baseline: {{bakeShare: 0}}}}\n");
    world.apply_yaml(&rollout).unwrap();
    world
}

/// As the old version, until all traffic is there.
fn bad_in_the_bake(at: &Moment) -> f64 {
    if at.share > 0.99 { 0.05 } else { 0.002 }
}

/// Until the bake of a release with all traffic is a minute old.
async fn bakes(world: &World) {
    comes_to(world, "Idle").await;
    // The past is to have something to tell.
    tokio::time::sleep(Duration::from_mins(70)).await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(world, "Baking").await;
    assert_eq!(in_force(world), 100);
    let message = status(world)["message"].clone();
    assert_eq!(message, "the bake at 100 %, compared with the past");
}

/// The Rollout after the release of a version that turned bad with all traffic.
pub(crate) async fn taken_back() -> Value {
    let world = shop_with(bad_in_the_bake);
    let (_tasks, _) = operate(&world);
    bakes(&world).await;
    comes_to(&world, "RolledBack").await;
    world.object("rollouts", "shop", "checkout").unwrap()
}

/// What the history says of the release.
fn end(world: &World) -> (String, String) {
    let entry = &status(world)["history"][0];
    let text = |field: &str| entry[field].as_str().unwrap_or_default().to_owned();
    (text("reason"), text("evidence"))
}

#[tokio::test(start_paused = true)]
async fn what_turns_bad_with_all_traffic_is_taken_back() {
    let world = shop_with(bad_in_the_bake);
    let (_tasks, _) = operate(&world);
    bakes(&world).await;
    comes_to(&world, "RolledBack").await;
    let (reason, evidence) = end(&world);
    assert_eq!(reason, "Regression");
    assert!(evidence.starts_with("error-rate "), "{evidence}");
    assert!(evidence.contains("with nothing beside it, 0.2"), "{evidence}");
    assert!(
        evidence.contains(" is let through; evidence against it "),
        "{evidence}"
    );
    // The old version serves everyone, and never had to be started anew.
    assert_eq!(in_force(&world), 0);
    let status = status(&world);
    let verdicts = status["release"]["verdicts"].as_array().unwrap();
    let verdict = verdicts
        .iter()
        .find(|it| it["metric"] == "error-rate" && it["step"] == 3)
        .unwrap();
    assert_eq!(verdict["verdict"], "Fail", "{verdict}");
    let past = &verdict["numbers"]["past"];
    let (rate, limit) = (past["rate"].as_f64().unwrap(), past["limit"].as_f64().unwrap());
    assert!((0.001..0.004).contains(&rate), "{verdict}");
    assert!((limit - (3.0 * rate + 0.005)).abs() < 1e-9, "{verdict}");
}

#[tokio::test(start_paused = true)]
async fn what_stays_good_is_promoted_and_its_evidence_is_small() {
    let world = shop_with(|_| 0.002);
    let (_tasks, _) = operate(&world);
    bakes(&world).await;
    tokio::time::sleep(Duration::from_mins(6)).await;
    let status = status(&world);
    let told = status["release"]["verdicts"].to_string();
    assert!(told.contains("with nothing beside it"), "{told}");
    for metric in status["evidence"]["judge"]["metrics"].as_array().unwrap() {
        let size = metric.to_string().len();
        assert!(size <= 2_048, "{size} bytes");
    }
    comes_to(&world, "Promoted").await;
}

/// A leader that dies in mid-bake is followed by one that comes to the same verdict at the same numbers.
#[tokio::test(start_paused = true)]
async fn a_restart_in_the_bake_changes_nothing() {
    let mut ends = Vec::new();
    for restarts in [false, true] {
        let world = shop_with(bad_in_the_bake);
        let around = tokio::spawn(world.clone().run());
        let mut tasks = lead(&world, Arc::new(world.metrics()), "first").0;
        bakes(&world).await;
        tokio::time::sleep(Duration::from_secs(20)).await;
        if restarts {
            tasks.shutdown().await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            tasks = lead(&world, Arc::new(world.metrics()), "second").0;
        }
        comes_to(&world, "RolledBack").await;
        ends.push(end(&world));
        tasks.shutdown().await;
        around.abort();
    }
    assert_eq!(ends[0].0, "Regression");
    assert_eq!(ends[0], ends[1]);
}

/// A provider that answers no question about the past.
struct Forgetful(Arc<dyn MetricSource>);

impl MetricSource for Forgetful {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: jiff::Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        self.0.instant(query, at)
    }

    fn range<'a>(&'a self, _: &'a str, _: Span) -> BoxFuture<'a, Result<Samples, SourceError>> {
        Box::pin(async { Err(SourceError::Refused("no ranges here".into())) })
    }
}

/// Then the past is that of the release itself: what its baseline showed until the bake.
#[tokio::test(start_paused = true)]
async fn without_a_history_the_release_s_own_baseline_is_the_past() {
    let world = shop_with(bad_in_the_bake);
    let (_tasks, _) = operate_with(&world, Arc::new(Forgetful(Arc::new(world.metrics()))));
    bakes(&world).await;
    comes_to(&world, "RolledBack").await;
    let (reason, evidence) = end(&world);
    assert_eq!(reason, "Regression");
    assert!(evidence.contains("with nothing beside it, 0."), "{evidence}");
}

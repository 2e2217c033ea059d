//! The operator's own metrics: every family has a value once there is something to count, and the right one.

use serin::telemetry::metrics::FAMILIES;

use super::drift::sync;
use super::gauges::{comes_to, status};
use super::silence::Shaky;
use super::*;

/// The value of a series, which is none where it is not there.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.render();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok())
}

/// The samples of a family, however they are labelled, in sum.
fn sum(metrics: &Metrics, family: &str) -> f64 {
    let text = metrics.render();
    let lines = text.lines().filter(|line| line.starts_with(family));
    lines
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

const OF: &str = r#"namespace="shop",name="checkout""#;

async fn in_force_is(world: &World, share: i64) {
    let limit = world.elapsed() + Duration::from_hours(2);
    while in_force(world) != share {
        assert!(world.elapsed() < limit, "{}", status(world));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_good_release_is_counted() {
    let world = shop();
    let (_tasks, metrics) = operate(&world);
    comes_to(&world, "Idle").await;
    let before = world.elapsed();
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(&world, 25).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    for (arm, percent) in [("candidate", 25.0), ("stable", 75.0)] {
        for kind in ["desired", "observed"] {
            let series = format!(r#"serin_rollout_weight{{{OF},arm="{arm}",kind="{kind}"}}"#);
            assert_eq!(value(&metrics, &series), Some(percent), "{series}");
        }
    }
    comes_to(&world, "Promoted").await;
    let took = world.elapsed().saturating_sub(before).as_secs_f64();
    let told = value(
        &metrics,
        r#"serin_rollout_duration_seconds_sum{outcome="Promoted"}"#,
    );
    assert!(
        told.is_some_and(|told| told <= took && told > took - 60.0),
        "{told:?} of {took}"
    );
    let verdict = |verdict: &str| {
        value(
            &metrics,
            &format!(r#"serin_analysis_verdict_total{{{OF},verdict="{verdict}"}}"#),
        )
    };
    // Three steps at least are left by proof.
    assert!(
        verdict("pass").is_some_and(|passes| (3.0..9.0).contains(&passes)),
        "{:?}",
        verdict("pass")
    );
    assert_eq!(verdict("fail"), None);
    let asked = value(
        &metrics,
        r#"serin_provider_query_duration_seconds_count{provider="default"}"#,
    );
    assert!(asked.is_some_and(|asked| asked > 50.0), "{asked:?}");
    assert_eq!(sum(&metrics, "serin_provider_query_errors_total"), 0.0);
    assert_eq!(value(&metrics, "serin_events_dropped_total"), Some(0.0));
    let turns = sum(&metrics, "serin_reconcile_total");
    assert_eq!(
        value(&metrics, "serin_reconcile_duration_seconds_count"),
        Some(turns)
    );
}

#[tokio::test(start_paused = true)]
async fn every_family_is_counted_once_there_is_a_reason() {
    let world = shop();
    let source = Arc::new(Shaky::new(&world, |_, _| true, 0));
    let (_tasks, metrics) = operate_with(&world, Arc::clone(&source) as Arc<dyn MetricSource>);
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(&world, 25).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    source.fail(7);
    sync(&world).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(source.left(), 0);
    let errors = value(
        &metrics,
        r#"serin_provider_query_errors_total{provider="default",reason="unreachable"}"#,
    );
    assert_eq!(errors, Some(7.0));
    let failed = sum(&metrics, "serin_reconcile_errors_total");
    world.inject(FaultRule::next("patch", "httproutes", Fault::Status(500)).times(2));
    world.define_image("checkout:v2", Image::failing(0.5));
    comes_to(&world, "RolledBack").await;
    assert_eq!(sum(&metrics, "serin_reconcile_errors_total"), failed + 2.0);
    let wrong = value(&metrics, r#"serin_reconcile_total{result="error"}"#);
    assert_eq!(wrong, Some(failed + 2.0));
    for series in [
        format!(r#"serin_rollbacks_total{{{OF},reason="Regression"}}"#),
        format!(r#"serin_analysis_verdict_total{{{OF},verdict="fail"}}"#),
        r#"serin_rollout_duration_seconds_count{outcome="Regression"}"#.to_owned(),
    ] {
        assert_eq!(value(&metrics, &series), Some(1.0), "{series}");
    }
    let text = metrics.render();
    for family in FAMILIES.iter().map(serin::telemetry::metrics::About::full_name) {
        assert!(
            text.lines().any(|line| line.starts_with(&family)),
            "{family} has no value"
        );
    }
}

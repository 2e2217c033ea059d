//! The operator's own metrics: every family has a value once there is something to count, and the right one.

use kube::api::DeleteParams;
use serin::api::MetricProvider;
use serin::telemetry::metrics::FAMILIES;

use super::drift::sync;
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

const DEPTH: &str = r#"workqueue_depth{name="rollout",controller="rollout"}"#;

/// The series of an arm's rate of errors.
fn analysis(arm: &str) -> String {
    format!(r#"serin_analysis_value{{{OF},check="error-rate",arm="{arm}"}}"#)
}

const OF: &str = r#"namespace="shop",name="checkout""#;

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
    assert_eq!(value(&metrics, DEPTH), Some(0.0), "nothing waits for long");
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
    for count in [
        "serin_reconcile_duration_seconds_count",
        r#"controller_runtime_reconcile_time_seconds_count{controller="rollout"}"#,
    ] {
        assert_eq!(value(&metrics, count), Some(turns), "{count}");
    }
    let ended = |result: &str| {
        let series =
            format!(r#"controller_runtime_reconcile_total{{controller="rollout",result="{result}"}}"#);
        value(&metrics, &series).unwrap_or_default()
    };
    assert_eq!(sum(&metrics, "controller_runtime_reconcile_total"), turns);
    // What is written is looked at again at once, and a look at the metrics is due in its own time.
    for result in ["requeue", "requeue_after"] {
        assert!(ended(result) > 0.0, "no {result} in\n{}", metrics.render());
    }
    assert_eq!(
        ended("error"),
        sum(&metrics, "controller_runtime_reconcile_errors_total")
    );
}

/// Otherwise an alert on their increase would not see the first time.
#[tokio::test(start_paused = true)]
async fn what_alerts_count_is_there_at_0_before_the_first_time() {
    let world = shop();
    let (_tasks, metrics) = operate(&world);
    comes_to(&world, "Idle").await;
    for series in [
        format!(r#"serin_rollbacks_total{{{OF},reason="Regression"}}"#),
        format!(r#"serin_rollbacks_total{{{OF},reason="Reverted"}}"#),
        format!(r#"serin_drift_corrections_total{{{OF},object="HTTPRoute"}}"#),
        format!("serin_breaches_total{{{OF}}}"),
        r#"serin_provider_query_errors_total{provider="default",reason="unreachable"}"#.to_owned(),
        r#"serin_provider_query_errors_total{provider="default",reason="unusable"}"#.to_owned(),
    ] {
        assert_eq!(value(&metrics, &series), Some(0.0), "{series}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_metric_provider_that_is_gone_has_no_figures() {
    let world = shop();
    let provider = "
apiVersion: serin.dev/v1alpha1
kind: MetricProvider
metadata: {name: team}
spec: {address: http://prometheus:9090, allowedNamespaces: [shop]}
";
    world.apply_yaml(provider).unwrap();
    let (_tasks, metrics) = operate(&world);
    comes_to(&world, "Idle").await;
    for provider in ["team", "default"] {
        metrics.queried(provider, Duration::from_millis(1), Some("late"));
    }
    let late = |provider: &str| {
        let series = format!(r#"serin_provider_query_errors_total{{provider="{provider}",reason="late"}}"#);
        value(&metrics, &series)
    };
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!((late("team"), late("default")), (Some(1.0), Some(1.0)));
    let providers: kube::Api<MetricProvider> = kube::Api::all(world.client());
    providers.delete("team", &DeleteParams::default()).await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!((late("team"), late("default")), (None, Some(1.0)));
    assert!(!metrics.render().contains(r#"provider="team""#));
}

/// As the API server has counted them.
#[tokio::test(start_paused = true)]
async fn every_request_to_the_api_server_is_counted() {
    let world = shop();
    let (_tasks, metrics) = operate(&world);
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(&world, 10).await;
    world.inject(FaultRule::next("patch", "leases", Fault::LoseAnswer));
    comes_to(&world, "Promoted").await;
    let calls = world.trace();
    let of = |verbs: &[&str], status: u16| {
        let calls = calls
            .iter()
            .filter(|call| call.user == SERIN && call.status == status);
        calls.filter(|call| verbs.contains(&call.verb.as_str())).count() as f64
    };
    let told = |code: &str, method: &str| {
        let series = format!(r#"rest_client_requests_total{{code="{code}",host="",method="{method}"}}"#);
        value(&metrics, &series).unwrap_or_default()
    };
    for (method, code, verbs, status) in [
        ("GET", "200", &["get", "list", "watch"][..], 200),
        ("POST", "201", &["create"][..], 201),
        ("PATCH", "200", &["patch", "apply"][..], 200),
        ("DELETE", "200", &["delete"][..], 200),
        ("PATCH", "<error>", &["patch"][..], 0),
    ] {
        let (told, seen) = (told(code, method), of(verbs, status));
        assert!(told > 0.0, "{method} {code} in\n{}", metrics.render());
        assert_eq!(told, seen, "{method} {code}");
    }
}

/// Who stands by says so, and who takes over.
#[tokio::test(start_paused = true)]
async fn it_is_shown_who_leads() {
    const LEADS: &str = r#"leader_election_master_status{name="serin"}"#;
    let world = shop();
    let around = tokio::spawn(world.clone().run());
    let (mut first, of_first) = lead(&world, Arc::new(world.metrics()), "first");
    comes_to(&world, "Idle").await;
    let (_second, of_second) = lead(&world, Arc::new(world.metrics()), "second");
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(value(&of_first, LEADS), Some(1.0));
    assert_eq!(value(&of_second, LEADS), Some(0.0));
    first.shutdown().await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(value(&of_second, LEADS), Some(1.0));
    around.abort();
}

/// A turn that hangs in a slow provider, and news that it has not seen.
#[tokio::test(start_paused = true)]
async fn a_rollout_that_changes_while_its_turn_lasts_waits_for_the_next() {
    let world = shop();
    let slow = Arc::new(AtomicBool::new(false));
    let source = Slow {
        inner: Arc::new(world.metrics()),
        slow: Arc::clone(&slow),
    };
    let (_tasks, metrics) = operate_with(&world, Arc::new(source));
    comes_to(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    comes_to(&world, "Judging").await;
    assert_eq!(value(&metrics, DEPTH), Some(0.0));
    slow.store(true, Ordering::Relaxed);
    // Nothing that a decision could not wait with.
    let news = |number: u32| {
        let other = format!(
            "apiVersion: v1\nkind: Service\nmetadata: {{name: other, namespace: shop, labels: {{number: n{number}}}}}\n\
             spec: {{selector: {{app: other}}, ports: [{{port: 80}}]}}\n"
        );
        world.apply_yaml(&other).unwrap();
    };
    let mut waits = false;
    for second in 0..60 {
        news(second);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let depth = value(&metrics, DEPTH);
        assert!(depth == Some(0.0) || depth == Some(1.0), "{depth:?}");
        waits |= depth == Some(1.0);
    }
    assert!(waits, "never in the queue");
    slow.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(value(&metrics, DEPTH), Some(0.0));
}

/// The rates that the judge compares, for as long as it does.
#[tokio::test(start_paused = true)]
async fn the_rates_of_both_versions_are_shown() {
    let world = shop();
    world.define_image("checkout:v1", Image::failing(0.1));
    world.define_image("checkout:v2", Image::failing(0.03));
    let (_tasks, metrics) = operate(&world);
    comes_to(&world, "Idle").await;
    assert_eq!(sum(&metrics, "serin_analysis_value{"), 0.0);
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    in_force_is(&world, 25).await;
    let limit = world.elapsed() + Duration::from_hours(1);
    let mut rates = None;
    while in_force(&world) == 25 {
        assert!(world.elapsed() < limit, "{}", status(&world));
        let rate = |arm: &str| value(&metrics, &analysis(arm));
        rates = rate("candidate").zip(rate("baseline")).or(rates);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (candidate, baseline) = rates.expect("both have had requests");
    assert!((0.06..0.14).contains(&baseline), "{baseline}");
    assert!((0.0..0.06).contains(&candidate) && candidate > 0.0, "{candidate}");
    comes_to(&world, "Promoted").await;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(
        !metrics.render().contains("serin_analysis_value{"),
        "{}",
        status(&world)
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
    let limit = world.elapsed() + Duration::from_mins(30);
    while value(&metrics, &analysis("candidate")).is_none_or(|rate| rate <= 0.0) {
        assert!(world.elapsed() < limit, "{}", metrics.render());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(value(&metrics, &analysis("baseline")), Some(0.0));
    let under_way = metrics.render();
    comes_to(&world, "RolledBack").await;
    for errors in [
        "serin_reconcile_errors_total",
        r#"controller_runtime_reconcile_errors_total{controller="rollout"}"#,
        r#"rest_client_requests_total{code="500",host="",method="PATCH"}"#,
    ] {
        let others = if errors.starts_with("rest") { 0.0 } else { failed };
        assert_eq!(sum(&metrics, errors), others + 2.0, "{errors}");
    }
    let wrong = value(&metrics, r#"serin_reconcile_total{result="error"}"#);
    assert_eq!(wrong, Some(failed + 2.0));
    for series in [
        format!(r#"serin_rollbacks_total{{{OF},reason="Regression"}}"#),
        format!(r#"serin_analysis_verdict_total{{{OF},verdict="fail"}}"#),
        r#"serin_rollout_duration_seconds_count{outcome="Regression"}"#.to_owned(),
    ] {
        assert_eq!(value(&metrics, &series), Some(1.0), "{series}");
    }
    let text = metrics.render() + &under_way;
    for family in FAMILIES.iter().map(serin::telemetry::metrics::About::full_name) {
        assert!(
            text.lines().any(|line| line.starts_with(&family)),
            "{family} has no value"
        );
    }
}

//! The names and values that dashboards read.

use super::*;

const PHASES: &[&str] = &["Idle", "Judging"];

fn key(name: &str) -> RolloutKey {
    RolloutKey {
        namespace: "shop".into(),
        name: name.into(),
    }
}

fn value(text: &str, series: &str) -> Option<f64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.split(' ').next()?.parse().ok()
}

fn rate(check: &str, arm: RateArm, value: f64) -> Rate {
    Rate {
        check: check.into(),
        arm,
        value,
    }
}

fn filled() -> Metrics {
    let metrics = Metrics::new();
    metrics.phase(&key("a"), "Idle", PHASES);
    metrics.phase(&key("a"), "Judging", PHASES);
    metrics.weight(&key("a"), WeightArm::Candidate, WeightKind::Desired, Some(25.0));
    metrics.weight(&key("a"), WeightArm::Stable, WeightKind::Observed, Some(75.0));
    let rates = [
        rate("error-rate", RateArm::Candidate, 0.25),
        rate("error-rate", RateArm::Baseline, 0.01),
    ];
    metrics.judged(&key("a"), rates);
    metrics.verdict(&key("a"), "pass");
    metrics.verdict(&key("a"), "pass");
    metrics.rolled_back(&key("a"), "regression");
    metrics.drift_corrected(&key("a"), "HTTPRoute");
    metrics.breached(&key("a"));
    metrics.verdict(&key("b"), "fail");
    metrics.ended("promoted", Duration::from_secs(30));
    metrics.queried("default", Duration::from_millis(7), None);
    metrics.queried("default", Duration::from_millis(7), Some("unreachable"));
    for ended in [
        Reconciled::RequeueAfter,
        Reconciled::Requeue,
        Reconciled::Success,
        Reconciled::Error("conflict"),
    ] {
        metrics.reconciled(Duration::from_millis(2), ended);
    }
    metrics.requested("10.96.0.1", "PATCH", Some(200));
    metrics.requested("10.96.0.1", "PATCH", Some(200));
    metrics.requested("10.96.0.1", "PATCH", None);
    metrics.wrote("route");
    metrics.leads("serin", true);
    metrics.events_dropped(3);
    metrics.events_dropped(5);
    metrics
}

/// A series and its value a line.
const FILLED: &str = r#"
serin_rollout_phase{namespace="shop",name="a",phase="Idle"} 0
serin_rollout_phase{namespace="shop",name="a",phase="Judging"} 1
serin_rollout_weight{namespace="shop",name="a",arm="candidate",kind="desired"} 25
serin_rollout_weight{namespace="shop",name="a",arm="stable",kind="observed"} 75
serin_analysis_value{namespace="shop",name="a",check="error-rate",arm="candidate"} 0.25
serin_analysis_value{namespace="shop",name="a",check="error-rate",arm="baseline"} 0.01
serin_analysis_verdict_total{namespace="shop",name="a",verdict="pass"} 2
serin_rollbacks_total{namespace="shop",name="a",reason="regression"} 1
serin_drift_corrections_total{namespace="shop",name="a",object="HTTPRoute"} 1
serin_breaches_total{namespace="shop",name="a"} 1
serin_rollout_duration_seconds_count{outcome="promoted"} 1
serin_provider_query_duration_seconds_count{provider="default"} 2
serin_provider_query_errors_total{provider="default",reason="unreachable"} 1
serin_reconcile_total{result="success"} 3
serin_reconcile_errors_total{reason="conflict"} 1
serin_reconcile_duration_seconds_count 4
serin_writes_total{kind="route"} 1
serin_events_dropped_total 5
serin_leader 1
controller_runtime_reconcile_total{controller="rollout",result="success"} 1
controller_runtime_reconcile_total{controller="rollout",result="requeue"} 1
controller_runtime_reconcile_total{controller="rollout",result="requeue_after"} 1
controller_runtime_reconcile_total{controller="rollout",result="error"} 1
controller_runtime_reconcile_errors_total{controller="rollout"} 1
controller_runtime_reconcile_time_seconds_count{controller="rollout"} 4
workqueue_depth{name="rollout",controller="rollout"} 0
rest_client_requests_total{code="200",host="10.96.0.1",method="PATCH"} 2
rest_client_requests_total{code="<error>",host="10.96.0.1",method="PATCH"} 1
leader_election_master_status{name="serin"} 1
"#;

#[test]
fn every_series_has_its_name_and_value() {
    let text = filled().render();
    for line in FILLED.lines().filter(|line| !line.is_empty()) {
        let (series, expected) = line.rsplit_once(' ').unwrap();
        assert_eq!(value(&text, series), expected.parse().ok(), "{series} in\n{text}");
    }
    assert!(text.contains("serin_build_info{version="), "{text}");
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn every_family_is_described_with_its_labels() {
    let text = filled().render();
    let described: Vec<String> = FAMILIES.iter().map(About::full_name).collect();
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut rendered: Vec<String> = kinds
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| {
            let about = FAMILIES.iter().find(|about| about.full_name().starts_with(name));
            assert_eq!(about.map(About::kind), Some(kind), "{name}");
            about.map(About::full_name).unwrap_or_default()
        })
        .collect();
    rendered.sort();
    let mut sorted = described;
    sorted.sort();
    assert_eq!(rendered, sorted);
    for about in FAMILIES {
        let of = |line: &&str| line.starts_with(&about.full_name());
        let line = text.lines().find(of).expect("a sample");
        let inner = line.split_once('{').and_then(|(_, rest)| rest.split_once('}'));
        let pairs = inner.map_or("", |(inner, _)| inner).split(',');
        let names = pairs
            .filter_map(|pair| Some(pair.split_once('=')?.0))
            .filter(|name| *name != "le");
        assert_eq!(names.collect::<Vec<_>>(), about.labels, "{line}");
    }
}

#[test]
fn a_rollout_takes_its_series_along() {
    let metrics = filled();
    metrics.forget(&key("a"));
    let text = metrics.render();
    assert!(!text.contains(r#"name="a""#), "{text}");
    assert!(text.contains(r#"serin_analysis_verdict_total{namespace="shop",name="b",verdict="fail"} 1"#));
}

#[test]
fn what_alerts_count_is_there_at_0_before_the_first_time() {
    let metrics = Metrics::new();
    metrics.expect(&key("a"), ["Regression", "Aborted"], ["HTTPRoute"]);
    metrics.expect_provider("team", ["late"]);
    let of = |text: &str, more: &str| value(text, &format!(r#"{more}"}}"#));
    let series = [
        r#"serin_rollbacks_total{namespace="shop",name="a",reason="Regression"#,
        r#"serin_rollbacks_total{namespace="shop",name="a",reason="Aborted"#,
        r#"serin_drift_corrections_total{namespace="shop",name="a",object="HTTPRoute"#,
        r#"serin_breaches_total{namespace="shop",name="a"#,
        r#"serin_provider_query_errors_total{provider="team",reason="late"#,
    ];
    for series in series {
        assert_eq!(of(&metrics.render(), series), Some(0.0), "{series}");
    }
    metrics.rolled_back(&key("a"), "Regression");
    metrics.expect(&key("a"), ["Regression", "Aborted"], ["HTTPRoute"]);
    assert_eq!(of(&metrics.render(), series[0]), Some(1.0));
    metrics.forget(&key("a"));
    assert!(!metrics.render().contains(r#"name="a""#));
}

#[test]
fn a_provider_takes_its_series_along() {
    let metrics = filled();
    metrics.queried("team", Duration::from_millis(7), Some("late"));
    metrics.forget_provider("default", ["late", "unreachable"]);
    let text = metrics.render();
    assert!(!text.contains(r#"provider="default""#), "{text}");
    let left = r#"serin_provider_query_errors_total{provider="team",reason="late"}"#;
    assert_eq!(value(&text, left), Some(1.0));
}

#[test]
fn an_unknown_weight_has_no_series() {
    let metrics = filled();
    metrics.weight(&key("a"), WeightArm::Stable, WeightKind::Observed, None);
    assert!(!metrics.render().contains(r#"kind="observed""#));
}

#[test]
fn a_rate_lasts_no_longer_than_what_it_is_about() {
    let metrics = filled();
    metrics.judged(&key("a"), [rate("latency", RateArm::Past, 0.125)]);
    let text = metrics.render();
    assert!(!text.contains(r#"check="error-rate""#), "{text}");
    let past = r#"serin_analysis_value{namespace="shop",name="a",check="latency",arm="past"}"#;
    assert_eq!(value(&text, past), Some(0.125));
    metrics.judged(&key("a"), []);
    assert!(!metrics.render().contains("serin_analysis_value{"));
}

#[test]
fn the_queue_has_those_that_wait_and_no_others() {
    let metrics = filled();
    let depth = || {
        value(
            &metrics.render(),
            r#"workqueue_depth{name="rollout",controller="rollout"}"#,
        )
    };
    let (first, second) = (metrics.waits(), metrics.waits());
    assert_eq!(depth(), Some(2.0));
    drop(first);
    assert_eq!(depth(), Some(1.0));
    drop(second);
    assert_eq!(depth(), Some(0.0));
}

//! The wire types and the definitions that are generated from them.

use std::path::Path;

use serde_json::{Value, json};
use serin::api::{
    self, Approval, Duration, MetricKind, MetricPreset, MetricProvider, Preset, Rollout, RolloutAction,
    RolloutSpec, Step, crd, rules,
};

fn root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn spec(value: Value) -> RolloutSpec {
    serde_json::from_value(value).unwrap()
}

fn minimal() -> Value {
    json!({ "workload": {"name": "checkout"}, "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}} })
}

fn with(field: &str, value: Value) -> RolloutSpec {
    let mut spec = minimal();
    spec[field] = value;
    self::spec(spec)
}

#[test]
fn the_committed_definitions_are_the_generated_ones() {
    for crd in crd::all() {
        let file = root("crds").join(format!("{}.yaml", crd.spec.names.plural));
        let yaml = serde_yaml::to_string(&crd).unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &yaml).unwrap();
        }
        let committed = std::fs::read_to_string(&file).unwrap();
        assert!(
            committed == yaml,
            "{} is stale: run this test with UPDATE_GOLDEN=1",
            file.display()
        );
    }
}

#[test]
fn a_workload_and_a_route_suffice() {
    let spec = spec(minimal());
    assert_eq!(spec.service(), "checkout");
    assert_eq!(spec.steps(), [Step::at(10), Step::at(25), Step::at(100)]);
    let holds: Vec<_> = spec.steps().iter().map(|step| spec.hold(step)).collect();
    assert_eq!(holds, [60, 60, 600].map(Duration::from_secs));
    assert_eq!(spec.analysis.interval, Duration::from_secs(15));
    assert_eq!(spec.analysis.baseline.share, 20);
    assert_eq!(spec.analysis.baseline.bake_share, 5);
    assert_eq!(spec.analysis.provider, "default");
    assert!((spec.analysis.false_rollback() - 0.01).abs() < f64::EPSILON);
    assert!((spec.analysis.wrong_promotion() - 0.05).abs() < f64::EPSILON);
    assert_eq!(spec.bake(), Duration::from_secs(300));
    assert_eq!(spec.return_warm_up(), spec.analysis.warm_up);
    assert_eq!(spec.rollback.drain, Duration::from_secs(30));
    assert!(!spec.paused);
}

#[test]
fn the_short_form_of_the_steps_is_the_long_one_with_defaults() {
    assert_eq!(
        with("weights", json!([5, 100])).steps(),
        [Step::at(5), Step::at(100)]
    );
    let long = with(
        "steps",
        json!([{"weight": 5, "hold": "2m", "approval": "Required"}, {"weight": 100}]),
    );
    assert_eq!(long.steps().len(), 2);
    assert_eq!(long.steps()[0].approval, Approval::Required);
    assert_eq!(long.hold(&long.steps()[0]), Duration::from_secs(120));
}

#[test]
fn what_is_set_goes_before_the_preset() {
    let spec = with(
        "analysis",
        json!({"preset": "Cautious", "confidence": {"falseRollback": 0.005}}),
    );
    assert!((spec.analysis.false_rollback() - 0.005).abs() < f64::EPSILON);
    assert!((spec.analysis.wrong_promotion() - Preset::Cautious.wrong_promotion()).abs() < f64::EPSILON);
    let metric = &spec.analysis.metrics[0];
    assert_eq!(
        spec.analysis.unacceptable(metric),
        Preset::Cautious.unacceptable(MetricKind::ErrorRate)
    );
}

/// Defaults that the server fills in and defaults that deserialization fills in come from one place.
#[test]
fn the_defaults_of_the_schema_are_those_of_the_types() {
    let crd = crd::of(rules::Kind::Rollout);
    let schema = serde_json::to_value(&crd.spec.versions[0].schema).unwrap();
    let analysis = &schema["openAPIV3Schema"]["properties"]["spec"]["properties"]["analysis"];
    assert_eq!(
        analysis["default"],
        serde_json::to_value(api::Analysis::default()).unwrap()
    );
    assert_eq!(analysis["properties"]["warmUp"]["default"], "30s");
}

#[test]
fn objects_survive_the_way_to_the_server_and_back() {
    let rollout = json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "checkout"},
        "spec": serde_json::to_value(spec(minimal())).unwrap(),
        "status": {
            "observedGeneration": 3, "phase": "Judging", "message": "1,204 of 4,000 requests",
            "release": {"revision": "6d4b75cb6d", "step": 1, "steps": 3, "weight": {"desired": 10, "observed": 10},
                "verdict": "Continue", "startedAt": "2026-01-02T03:04:05Z"},
            "originals": [{"kind": "HTTPRoute", "name": "checkout", "uid": "u", "rule": 0, "backend": "checkout"}],
            "course": {"anything": [1, 2.5, null], "nested": {"a": true}},
        },
    });
    let read: Rollout = serde_json::from_value(rollout.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), rollout);
    let action: RolloutAction = serde_json::from_value(json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "RolloutAction", "metadata": {"name": "stop"},
        "spec": {"rollout": "checkout", "action": "Abort"},
    }))
    .unwrap();
    assert_eq!(action.spec.revision, None);
}

#[test]
fn a_provider_serves_the_namespaces_that_it_names() {
    let provider = |namespaces: Value| -> MetricProvider {
        serde_json::from_value(json!({
            "apiVersion": "serin.dev/v1alpha1", "kind": "MetricProvider", "metadata": {"name": "shared"},
            "spec": {"address": "http://prometheus:9090", "allowedNamespaces": namespaces},
        }))
        .unwrap()
    };
    assert!(provider(json!(["shop"])).spec.allows("shop"));
    assert!(!provider(json!(["shop"])).spec.allows("shop-staging"));
    assert!(provider(json!(["*"])).spec.allows("shop-staging"));
}

/// The API offers the presets that the sources have, and each by its name.
#[test]
fn every_preset_of_the_sources_can_be_named() {
    let known: std::collections::BTreeSet<_> = serin::sources::presets::PRESETS
        .iter()
        .map(|preset| preset.name)
        .collect();
    for name in known {
        let preset: MetricPreset = serde_json::from_value(json!(name)).unwrap();
        assert_eq!(preset.as_str(), name);
    }
}

#[test]
fn messages_of_rules_name_a_field_and_a_remedy() {
    for rule in rules::all() {
        let (problem, remedy) = rule
            .message
            .split_once(": ")
            .unwrap_or_else(|| panic!("no remedy: {rule:?}"));
        assert!(!problem.is_empty() && !remedy.is_empty());
        assert!(!rule.message.ends_with('.'), "{}", rule.message);
    }
}

//! `serin check` against a table of invalid objects. The same files are applied to a real API server by the cluster
//! tests: both must refuse each.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::check::{Check, Checker, Finding, Verdict};

fn invalid() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/invalid");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let read = |file: &PathBuf| (file.display().to_string(), std::fs::read_to_string(file).unwrap());
    files.iter().map(read).collect()
}

/// What a file of the table says of itself: `# field: spec.weights`.
fn says<'a>(text: &'a str, what: &str) -> &'a str {
    let prefix = format!("# {what}: ");
    text.lines()
        .find_map(|line| line.strip_prefix(prefix.as_str()))
        .unwrap_or_else(|| panic!("no {prefix}"))
}

fn findings(text: &str) -> Vec<Finding> {
    let object: Value = serde_yaml::from_str(text).unwrap();
    match Checker::new().check(&object) {
        Verdict::Ours(findings) => findings,
        Verdict::Foreign => panic!("passed over: {text}"),
    }
}

fn run(paths: &[&str], input: &str) -> (Exit, String) {
    let check = Check {
        paths: paths.iter().map(PathBuf::from).collect(),
    };
    let mut out = Vec::new();
    let exit = check.run(&mut input.as_bytes(), &mut out).unwrap();
    (exit, String::from_utf8(out).unwrap())
}

fn rollout(spec: &str) -> String {
    format!(
        "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {{name: checkout}}\nspec:\n  workload: {{name: \
         checkout}}\n  traffic: {{gatewayAPI: {{routes: [{{name: checkout}}]}}}}\n{spec}"
    )
}

#[test]
fn every_invalid_object_is_refused_with_field_and_remedy() {
    let table = invalid();
    assert!(table.len() >= 30);
    let mut wrong = Vec::new();
    for (file, text) in &table {
        let (field, remedy) = (says(text, "field"), says(text, "remedy"));
        let findings = findings(text);
        if !findings
            .iter()
            .any(|finding| finding.path == field && finding.remedy.contains(remedy))
        {
            wrong.push(format!("{file}: wanted {field}: {remedy}, got {findings:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn one_mistake_gives_one_finding() {
    let twice = [
        "weights-as-text",
        "weights-of-objects",
        "interval-not-a-duration",
        "spec-missing",
    ];
    for (file, text) in invalid() {
        if twice.iter().any(|name| file.contains(name)) {
            continue;
        }
        let findings = findings(&text);
        assert_eq!(findings.len(), 1, "{file}: {findings:#?}");
    }
}

#[test]
fn what_the_server_lets_pass_passes() {
    for spec in [
        "",
        "  weights: [100]\n",
        "  weights: null\n",
        "  weights: [10, 100]\n  steps: null\n",
        "  analysis: {}\n",
        "  analysis: {interval: null}\n",
        "  steps: [{weight: 10, hold: 0s, deadline: 10s}, {weight: 100}]\n",
        "  promotion: {bake: 2h}\n",
        "  analysis: {metrics: [{name: a, tolerated: {ratio: 1, absolute: 0}, unacceptable: {ratio: 2, absolute: 0.5}}]}\n",
    ] {
        let found = findings(&rollout(spec));
        assert!(found.is_empty(), "{spec}: {found:#?}");
    }
}

#[test]
fn a_line_names_file_document_object_field_and_remedy() {
    let text = format!(
        "{}---\nkind: Service\napiVersion: v1\nmetadata: {{name: checkout}}\n---\n{}",
        rollout(""),
        rollout("  weights: [50]\n")
    );
    let (exit, out) = run(&["-"], &text);
    assert_eq!(exit, Exit::Failed);
    assert_eq!(
        out,
        "-: document 1: Rollout/checkout: fine\n\
         -: document 2: Service/checkout: passed over, not an object of Serin's\n\
         -: document 3: Rollout/checkout: spec.weights: the last of weights must be 100: append 100\n\
         1 refused, 1 fine, 1 passed over\n"
    );
}

#[test]
fn broken_yaml_is_refused_with_its_place() {
    let (exit, out) = run(&["-"], "kind: Rollout\n  spec: [\n");
    assert_eq!(exit, Exit::Failed);
    assert!(
        out.contains("document 1: it is not YAML") && out.contains("line 2"),
        "{out}"
    );
    let (exit, out) = run(&["-"], "kind: Rollout\nkind: Rollout\n");
    assert_eq!(exit, Exit::Failed, "{out}");
}

#[test]
fn objects_that_get_in_each_others_way_give_warnings() {
    let provider = "apiVersion: serin.dev/v1alpha1\nkind: MetricProvider\nmetadata: {name: shared}\nspec: {address: \
                    'http://p:9090', allowedNamespaces: [shop]}\n";
    let named = rollout("  analysis: {provider: shared}\n")
        .replace("{name: checkout}\nspec", "{name: b, namespace: x}\nspec");
    let third = named.replace("name: b,", "name: c,");
    let (exit, out) = run(&["-"], &[provider, &named, &third].join("---\n"));
    assert_eq!(exit, Exit::Healthy, "{out}");
    let lines: Vec<_> = out.lines().collect();
    assert!(
        lines[2].contains("warning: spec.workload.name: Rollout b has the same workload"),
        "{out}"
    );
    assert!(
        lines[3].contains("Rollout/b: warning: spec.analysis.provider: MetricProvider shared"),
        "{out}"
    );
    let (_, out) = run(
        &["-"],
        &[provider, &named.replace("namespace: x", "namespace: shop")].join("---\n"),
    );
    assert!(!out.contains("warning"), "{out}");
}

#[test]
fn whole_numbers_are_whole() {
    assert_eq!(run(&["-"], &rollout("  weights: [10.0, 100]\n")).0, Exit::Healthy);
    let json = serde_yaml::from_str::<Value>(&rollout("  weights: [10.0, 100]\n"))
        .unwrap()
        .to_string();
    assert!(json.contains("10.0"));
    assert_eq!(
        run(&["-"], &json).0,
        Exit::Failed,
        "JSON is not rewritten on its way to the server"
    );
}

#[test]
fn lists_are_looked_into_and_nothing_is_nothing() {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        serde_yaml::from_str::<Value>(&rollout("  weights: [1]\n")).unwrap(),
    ]});
    assert_eq!(run(&["-"], &list.to_string()).0, Exit::Failed);
    assert_eq!(
        run(&["-"], ""),
        (
            Exit::Healthy,
            "0 refused, 0 fine, 0 passed over\nnothing was checked: there is no object of serin.dev in -\n"
                .into()
        )
    );
}

#[test]
fn our_group_with_another_version_or_kind_is_refused() {
    let findings = findings("apiVersion: serin.dev/v1\nkind: Rollout\nmetadata: {name: a}\n");
    assert_eq!(findings[0].path, "apiVersion");
    let findings = self::findings("apiVersion: serin.dev/v1alpha1\nkind: Rolout\nmetadata: {name: a}\n");
    assert!(
        findings[0]
            .remedy
            .contains("Rollout, RolloutAction, MetricProvider"),
        "{findings:?}"
    );
}

#[test]
fn what_cannot_be_read_is_an_error_of_usage() {
    let check = Check {
        paths: vec!["/does/not/exist.yaml".into()],
    };
    let error = check.run(&mut "".as_bytes(), &mut Vec::new()).unwrap_err();
    assert!(
        error.to_string().contains("cannot read /does/not/exist.yaml"),
        "{error}"
    );
}

#[test]
fn a_bake_without_a_baseline_is_allowed_and_warned_of() {
    let (exit, out) = run(&["-"], &rollout("  analysis: {baseline: {bakeShare: 0}}\n"));
    assert_eq!(exit, Exit::Healthy, "{out}");
    assert!(
        out.contains(
            "fine; warning: spec.analysis.baseline.bakeShare: with 0 nothing runs beside the candidate"
        ),
        "{out}"
    );
    let (_, out) = run(&["-"], &rollout("  analysis: {baseline: {bakeShare: 1}}\n"));
    assert!(!out.contains("warning"), "{out}");
}

#[test]
fn a_number_that_the_server_cannot_hold_is_refused_where_it_stands() {
    for (spec, said) in [
        (
            "  analysis: {confidence: {falseRollback: .nan}}\n",
            "spec.analysis.confidence.falseRollback: .nan is no number to the API server: write a finite one",
        ),
        (
            "  analysis: {confidence: {falseRollback: -.inf}}\n",
            "falseRollback: -.inf is no number",
        ),
        (
            "  analysis: {metrics: [{name: a, unacceptable: {ratio: .inf, absolute: 0}}]}\n",
            "spec.analysis.metrics[0].unacceptable.ratio: .inf is no number",
        ),
    ] {
        let (exit, out) = run(&["-"], &format!("{}---\n{}", rollout(spec), rollout("")));
        assert_eq!(exit, Exit::Failed, "{out}");
        assert!(
            out.contains(said) && out.contains("1 refused, 1 fine"),
            "{spec}: {out}"
        );
    }
}

#[test]
fn what_cannot_be_read_keeps_nobody_from_being_checked() {
    let check = Check {
        paths: ["/does/not/exist.yaml", "-"].map(PathBuf::from).to_vec(),
    };
    let mut out = Vec::new();
    let error = check.run(&mut rollout("").as_bytes(), &mut out).unwrap_err();
    let out = String::from_utf8(out).unwrap();
    assert!(
        error.to_string().contains("cannot read /does/not/exist.yaml"),
        "{error}"
    );
    assert!(
        out.contains("cannot read /does/not/exist.yaml") && out.contains("Rollout/checkout: fine"),
        "{out}"
    );
}

#[test]
fn an_input_without_an_object_of_ours_says_so() {
    for text in ["", "# nothing\n", "apiVersion: v1\nkind: Service\n"] {
        let (exit, out) = run(&["-"], text);
        assert_eq!(exit, Exit::Healthy, "{out}");
        assert!(
            out.ends_with("nothing was checked: there is no object of serin.dev in -\n"),
            "{out}"
        );
    }
}

#[test]
fn a_kind_of_ours_in_a_group_that_is_not_is_refused() {
    for version in ["serin.de/v1alpha1", "v1alpha1", "serin.dev.io/v1"] {
        let text = rollout("").replace("serin.dev/v1alpha1", version);
        let found = findings(&text);
        assert_eq!(found.len(), 1, "{version}: {found:?}");
        assert_eq!(found[0].path, "apiVersion");
        assert_eq!(found[0].remedy, "write serin.dev/v1alpha1");
    }
    for version in ["argoproj.io/v1alpha1", "rollouts.kruise.io/v1beta1"] {
        let (exit, out) = run(&["-"], &rollout("").replace("serin.dev/v1alpha1", version));
        assert_eq!(exit, Exit::Healthy);
        assert!(out.contains("passed over"), "{out}");
    }
}

#[test]
fn a_choice_of_the_wrong_type_names_the_choices() {
    let found = findings(&rollout(
        "  steps: [{weight: 10, approval: true}, {weight: 100}]\n",
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].remedy, "write one of NotRequired, Required");
}

/// As a manifest, with this metadata.
fn with_metadata(metadata: &str) -> String {
    rollout("").replace("{name: checkout}\nspec", &format!("{metadata}\nspec"))
}

/// kubectl reads YAML 1.1, and refuses these before the server sees them.
#[test]
fn metadata_that_kubectl_cannot_read_is_refused() {
    for (metadata, field) in [
        (
            "{name: a, labels: {canary: yes}}",
            "metadata.labels.canary: the value true is not text",
        ),
        (
            "{name: a, labels: {code: 0777}}",
            "metadata.labels.code: the value 511 is not text",
        ),
        (
            "{name: a, annotations: {owner: on}}",
            "metadata.annotations.owner: the value true",
        ),
        (
            "{name: a, annotations: [x]}",
            "metadata.annotations: it is no mapping",
        ),
        ("{name: a, namespace: 123}", "metadata.namespace: it is not text"),
        (
            "{name: a, namespace: Shop_1}",
            "metadata.namespace: `Shop_1` cannot be a namespace",
        ),
        ("{generateName: 5}", "metadata.generateName: it is not text"),
        ("{name: no}", "metadata.name: it is not text"),
        (
            "{labels: {a: b}, generateName: ''}",
            "metadata.name: it is missing",
        ),
    ] {
        let (exit, out) = run(&["-"], &with_metadata(metadata));
        assert_eq!(exit, Exit::Failed, "{metadata}: {out}");
        assert!(
            out.contains(field) && out.lines().count() == 2,
            "{metadata}: {out}"
        );
    }
}

#[test]
fn metadata_that_the_server_takes_is_fine() {
    for metadata in [
        "{name: a, labels: {canary: 'yes', empty: '', nothing: null, example.com/x_y.Z: a.B_c}}",
        "{name: a, annotations: {Example.com/key: any thing at all!}}",
        "{name: a.b-c, namespace: shop, labels: null}",
        "{name: a, namespace: ''}",
        "{generateName: checkout--}",
        "{name: '', generateName: a}",
    ] {
        let (exit, out) = run(&["-"], &with_metadata(metadata));
        assert_eq!(exit, Exit::Healthy, "{metadata}: {out}");
    }
}

#[test]
fn what_kubectl_makes_of_yaml_is_checked() {
    let paused = rollout("  paused: yes\n");
    assert_eq!(run(&["-"], &paused).0, Exit::Healthy);
    let merged = rollout(
        "  steps:\n  - &s {weight: 10, hold: 1m}\n  - {<<: *s, weight: 25}\n  - {<<: *s, weight: 100}\n",
    );
    let (exit, out) = run(&["-"], &merged);
    assert_eq!(exit, Exit::Healthy, "{out}");
    let (exit, out) = run(
        &["-"],
        &rollout("").replace("workload: {name: checkout}", "workload: {name: off}"),
    );
    assert_eq!(exit, Exit::Failed);
    assert!(
        out.contains("spec.workload.name: a boolean has no place here: write text: put it in quotes"),
        "{out}"
    );
}

#[test]
fn a_kind_of_ours_without_a_version_is_refused() {
    let (exit, out) = run(
        &["-"],
        &rollout("").replace("apiVersion: serin.dev/v1alpha1\n", ""),
    );
    assert_eq!(exit, Exit::Failed, "{out}");
    assert!(
        out.contains("apiVersion: it is missing: write serin.dev/v1alpha1"),
        "{out}"
    );
    let (exit, out) = run(&["-"], "kind: Service\nmetadata: {name: a}\n");
    assert_eq!(exit, Exit::Healthy, "{out}");
    assert!(out.contains("passed over"), "{out}");
}

#[test]
fn who_names_no_provider_uses_the_default_one() {
    let provider = "apiVersion: serin.dev/v1alpha1\nkind: MetricProvider\nmetadata: {name: default}\nspec: {address: \
                    'http://p:9090', allowedNamespaces: [shop]}\n";
    for spec in ["", "  analysis: {interval: 30s}\n"] {
        let other = rollout(spec).replace("{name: checkout}\nspec", "{name: b, namespace: x}\nspec");
        let (exit, out) = run(&["-"], &[provider, &other].join("---\n"));
        assert_eq!(exit, Exit::Healthy);
        let warning = "Rollout/b: warning: spec.analysis.provider: MetricProvider default does not allow this namespace";
        assert!(out.contains(warning), "{spec}: {out}");
    }
}

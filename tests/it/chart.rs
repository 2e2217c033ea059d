//! The chart, as far as it can be judged without Helm: its CRDs, its rights, and its values.
#![allow(clippy::unwrap_used, clippy::panic)] // a set-up that fails is a test that fails

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use serin::cluster::cache::Kind;

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/serin")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The rules between two lines of a template; they hold no template code themselves.
fn rules(file: &str, from: &str, to: &str) -> Vec<Value> {
    let text = read(&chart().join("templates").join(file));
    let (_, rest) = text.split_once(from).unwrap();
    let (block, _) = rest.split_once(to).unwrap();
    serde_yaml::from_str(block).unwrap()
}

/// Every right of the operator: (group, resource) and its verbs.
fn rights() -> BTreeMap<(String, String), BTreeSet<String>> {
    let mut all = rules("_helpers.tpl", "{{- define \"serin.rules\" -}}", "{{- end -}}");
    all.extend(rules("rbac.yaml", "rules:", "{{- if not"));
    let lease = rules(
        "rbac.yaml",
        "-lease\n  namespace: {{ .Release.Namespace }}\n  labels: {{- include \"serin.labels\" . | nindent 4 }}\nrules:",
        "  resourceNames:",
    );
    all.extend(lease);
    let strings = |rule: &Value, field: &str| -> Vec<String> {
        let list = rule[field].as_array().cloned().unwrap_or_default();
        list.iter()
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    };
    let mut rights: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
    for rule in &all {
        for group in strings(rule, "apiGroups") {
            for resource in strings(rule, "resources") {
                rights
                    .entry((group.clone(), resource))
                    .or_default()
                    .extend(strings(rule, "verbs"));
            }
        }
    }
    rights
}

#[test]
fn its_crds_are_those_of_the_repository() {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let theirs = chart().join("crds");
    assert_eq!(names(&ours), names(&theirs));
    for name in names(&ours) {
        let same = read(&ours.join(&name)) == read(&theirs.join(&name));
        assert!(
            same,
            "charts/serin/crds/{name} is old: cp crds/*.yaml charts/serin/crds/"
        );
    }
}

#[test]
fn its_version_is_the_crate_s() {
    let chart: Value = serde_yaml::from_str(&read(&chart().join("Chart.yaml"))).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_is_watched_may_be_watched_and_nothing_dangerous_may_be_done() {
    let rights = rights();
    for kind in Kind::ALL {
        let (group, _, _, plural) = kind.resource();
        let verbs = rights.get(&(group.to_owned(), plural.to_owned()));
        let enough = verbs.is_some_and(|verbs| verbs.contains("list") && verbs.contains("watch"));
        assert!(enough, "no right to watch {plural} in group `{group}`");
    }
    let known = ["get", "list", "watch", "create", "patch", "delete"];
    for ((group, resource), verbs) in &rights {
        assert!(
            !resource.contains("secret") && resource != "*" && group != "*",
            "{resource}"
        );
        assert!(!resource.starts_with("pods/"), "{resource}");
        assert!(
            verbs.iter().all(|verb| known.contains(&verb.as_str())),
            "{resource}: {verbs:?}"
        );
    }
    let reads = ["get", "list", "watch"];
    let grants: Vec<_> = rights.values().flatten().collect();
    let writes = grants
        .iter()
        .filter(|verb| !reads.contains(&verb.as_str()))
        .count();
    assert!(
        grants.len() <= 45 && writes <= 16,
        "{} grants, {writes} of them write",
        grants.len()
    );
}

/// Every value has a place in the schema, and no other key is let in.
fn covered(values: &Value, schema: &Value, path: &str) {
    let (Some(values), Some(properties)) = (values.as_object(), schema["properties"].as_object()) else {
        return;
    };
    assert_eq!(
        schema["additionalProperties"], false,
        "{path} lets unknown keys in"
    );
    for (key, value) in values {
        let property = properties.get(key);
        covered(
            value,
            property.unwrap_or_else(|| panic!("{path}.{key} is not in the schema")),
            &format!("{path}.{key}"),
        );
    }
    for key in properties.keys().filter(|key| *key != "global") {
        assert!(
            values.contains_key(key),
            "{path}.{key} has no default in values.yaml"
        );
    }
}

#[test]
fn its_values_are_all_checked() {
    let values: Value = serde_yaml::from_str(&read(&chart().join("values.yaml"))).unwrap();
    let schema: Value = serde_json::from_str(&read(&chart().join("values.schema.json"))).unwrap();
    covered(&values, &schema, "values");
}

#[test]
fn its_pods_ask_for_flags_that_there_are() {
    let help = Command::new(env!("CARGO_BIN_EXE_serin"))
        .args(["run", "--help"])
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let pod = read(&chart().join("templates/deployment.yaml"));
    let flags: Vec<_> = pod
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- --")?.split('=').next())
        .collect();
    assert!(flags.len() >= 6, "{flags:?}");
    for flag in flags {
        assert!(
            help.contains(&format!("--{flag} ")),
            "`serin run` has no --{flag}:\n{help}"
        );
    }
}

#[test]
fn a_gate_that_its_policy_does_not_make_is_refused() {
    let helpers = read(&chart().join("templates/_helpers.tpl"));
    let (_, policy) = helpers.split_once("{{- define \"serin.policy\" -}}").unwrap();
    let refusal = "{{- if and (eq .Values.gate.mode \"Admission\") (eq $mode \"Validating\") -}}\n{{- fail ";
    assert!(policy.contains(refusal), "{policy}");
}

/// `kubectl delete namespace` removes the Role before the Rollout's finalizer is off.
#[test]
fn a_namespace_that_is_deleted_does_not_take_along_the_right_to_end_its_rollouts() {
    let text = read(&chart().join("templates/rbac.yaml"));
    let (_, rest) = text.split_once("{{- if not .Values.watchNamespaces }}").unwrap();
    let (_, rest) = rest.split_once("{{- else }}").unwrap();
    let (block, rest) = rest.split_once("{{- end }}").unwrap();
    assert!(
        rest.trim_start()
            .starts_with("---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRoleBinding")
    );
    let rules: Vec<Value> = serde_yaml::from_str(block).unwrap();
    let verbs = |resource: &str| -> Vec<String> {
        let of = |rule: &&Value| rule["resources"] == serde_json::json!([resource]);
        let rule = rules
            .iter()
            .find(of)
            .unwrap_or_else(|| panic!("no rule for {resource}"));
        assert_eq!(rule["apiGroups"], serde_json::json!(["serin.dev"]));
        serde_json::from_value(rule["verbs"].clone()).unwrap()
    };
    assert_eq!(verbs("rollouts"), ["get", "list", "watch", "patch"]);
    assert_eq!(verbs("rollouts/status"), ["patch"]);
    assert_eq!(rules.len(), 2, "and no more than that");
}

/// Taking the label off does not help while Serin runs: what refuses a resume must name what does.
#[test]
fn who_is_refused_a_resume_is_told_the_way_that_works() {
    let admission = read(&chart().join("templates/admission.yaml"));
    let (_, message) = admission.split_once("    message: >-\n").unwrap();
    let (message, _) = message.split_once("---").unwrap();
    assert!(
        message.contains("set\n      spec.onDelete: Resume on its Rollout"),
        "{message}"
    );
}

/// By default the pods meet the `restricted` standard; a cluster that chooses users itself can do so.
#[test]
fn its_security_contexts_are_values_and_restricted() {
    let values: Value = serde_yaml::from_str(&read(&chart().join("values.yaml"))).unwrap();
    let (pod, container) = (&values["podSecurityContext"], &values["securityContext"]);
    assert_eq!(pod["runAsNonRoot"], true);
    assert_eq!(pod["seccompProfile"]["type"], "RuntimeDefault");
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["capabilities"]["drop"], serde_json::json!(["ALL"]));
    let template = read(&chart().join("templates/deployment.yaml"));
    for value in [
        "{{- with .Values.podSecurityContext }}",
        "{{- with .Values.securityContext }}",
    ] {
        assert!(template.contains(value), "{value}");
    }
    assert!(!template.contains("runAsUser"));
}

/// A label of the user's must neither stand twice nor replace one that the selector needs.
#[test]
fn its_pods_labels_are_merged_under_its_own() {
    let template = read(&chart().join("templates/deployment.yaml"));
    assert!(template.contains("merge (include \"serin.labels\" . | fromYaml) .Values.podLabels"));
    assert_eq!(template.matches("podLabels").count(), 1);
}

/// The demo and the tests hold Deployments by the policy that people install.
#[test]
fn the_demos_gate_is_the_charts() {
    let chart = read(&chart().join("templates/admission.yaml"));
    let (_, chart) = chart.split_once("kind: MutatingAdmissionPolicy\n").unwrap();
    let (_, spec) = chart.split_once("\nspec:\n").unwrap();
    let (spec, _) = spec.split_once("\n---").unwrap();
    let spec = spec.replace(
        r#"{{ include "serin.user" . }}"#,
        "system:serviceaccount:serin:serin",
    );
    let chart: Value = serde_yaml::from_str(&spec).unwrap();
    let demo = include_str!("../../src/cli/demo/gate.yaml");
    let policy = demo.split("---").nth(1).unwrap();
    let demo: Value = serde_yaml::from_str(policy).unwrap();
    assert_eq!(chart, demo["spec"]);
}

//! Discovery: `/version`, `/api`, `/apis` and below, plain and aggregated.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::resources::{RESOURCES, Resource};

/// The answer for a path that names no resource; none when there is no such path.
pub(super) fn answer(path: &str, accept: &str) -> Option<Value> {
    let aggregated = accept.contains("APIGroupDiscoveryList");
    let segments: Vec<&str> = path.split('/').filter(|s| !s.is_empty()).collect();
    match segments.as_slice() {
        ["version"] => Some(json!({
            "major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "", "gitTreeState": "clean",
            "buildDate": "2026-01-01T00:00:00Z", "goVersion": "", "compiler": "", "platform": "linux/amd64",
        })),
        ["healthz" | "readyz" | "livez"] => Some(Value::String("ok".into())),
        ["api"] if aggregated => Some(groups_aggregated(&[""])),
        ["apis"] if aggregated => Some(groups_aggregated(&groups())),
        ["api"] => Some(json!({
            "kind": "APIVersions", "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "world"}],
        })),
        ["apis"] => {
            let list: Vec<Value> = groups().into_iter().map(group).collect();
            Some(json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list}))
        }
        ["apis", name] => groups().contains(name).then(|| group(name)),
        ["api", version] => resource_list("", version),
        ["apis", name, version] => resource_list(name, version),
        _ => None,
    }
}

/// The named groups, core left out.
fn groups() -> Vec<&'static str> {
    let names: BTreeSet<_> = RESOURCES
        .iter()
        .map(|r| r.group)
        .filter(|g| !g.is_empty())
        .collect();
    names.into_iter().collect()
}

fn of_group(name: &str) -> impl Iterator<Item = &'static Resource> {
    RESOURCES.iter().filter(move |r| r.group == name)
}

/// The one version in which a group is served.
fn version(name: &str) -> &'static str {
    of_group(name).next().map_or("v1", |r| r.version)
}

fn group(name: &str) -> Value {
    let version = version(name);
    let entry = json!({"groupVersion": format!("{name}/{version}"), "version": version});
    json!({"kind": "APIGroup", "apiVersion": "v1", "name": name, "versions": [entry], "preferredVersion": entry})
}

fn verbs(part: bool) -> Value {
    if part {
        json!(["get", "patch", "update"])
    } else {
        json!([
            "create",
            "delete",
            "deletecollection",
            "get",
            "list",
            "patch",
            "update",
            "watch"
        ])
    }
}

fn resource_list(name: &str, asked: &str) -> Option<Value> {
    if of_group(name).next().is_none() || version(name) != asked {
        return None;
    }
    let mut list = Vec::new();
    for r in of_group(name) {
        list.push(json!({
            "name": r.plural, "singularName": r.kind.to_lowercase(), "namespaced": r.namespaced, "kind": r.kind,
            "verbs": verbs(false), "shortNames": r.short,
        }));
        if r.status {
            list.push(json!({
                "name": format!("{}/status", r.plural), "singularName": "", "namespaced": r.namespaced,
                "kind": r.kind, "verbs": verbs(true),
            }));
        }
        if r.scale {
            list.push(json!({
                "name": format!("{}/scale", r.plural), "singularName": "", "namespaced": r.namespaced,
                "group": "autoscaling", "version": "v1", "kind": "Scale", "verbs": verbs(true),
            }));
        }
    }
    let group_version = if name.is_empty() {
        asked.to_owned()
    } else {
        format!("{name}/{asked}")
    };
    Some(
        json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": list}),
    )
}

fn groups_aggregated(names: &[&str]) -> Value {
    let items: Vec<Value> = names
        .iter()
        .map(|name| {
            let resources: Vec<Value> = of_group(name).map(resource_aggregated).collect();
            let version = version(name);
            json!({
                "metadata": {"name": name},
                "versions": [{"version": version, "freshness": "Current", "resources": resources}],
            })
        })
        .collect();
    json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": items})
}

fn resource_aggregated(r: &Resource) -> Value {
    let kind = json!({"group": r.group, "version": r.version, "kind": r.kind});
    let mut parts = Vec::new();
    if r.status {
        parts.push(json!({"subresource": "status", "responseKind": kind, "verbs": verbs(true)}));
    }
    if r.scale {
        let scale = json!({"group": "autoscaling", "version": "v1", "kind": "Scale"});
        parts.push(json!({"subresource": "scale", "responseKind": scale, "verbs": verbs(true)}));
    }
    json!({
        "resource": r.plural, "responseKind": kind, "scope": if r.namespaced { "Namespaced" } else { "Cluster" },
        "singularResource": r.kind.to_lowercase(), "verbs": verbs(false), "shortNames": r.short, "subresources": parts,
    })
}

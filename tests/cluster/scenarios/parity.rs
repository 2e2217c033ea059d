//! The simulated API server answers as the real one does: one list of requests, each kind of write that Serin makes
//! with its conflicts, goes to both, and the answers are compared.
//!
//! Compared are status code and reason, and the fields that a step names. Object versions differ by nature; steps
//! use the version of an object's creation (`FIRST`, by then stale) or of its last answer (`LAST`). Not compared are
//! the bounds and rules of schemas: the simulated server has none for the gateway's kinds, and those of our own kinds
//! are proved by `scenarios::crds` and `scenarios::agreement`.

#[rustfmt::skip] // a table
mod steps;

use crate::Outcome;
use crate::scenario::{Scenario, trial};
use http::Request;
use kube::Client;
use kube::client::Body;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use serin::world::{Options, World};
use std::collections::BTreeMap;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("parity::world", world)]
}

async fn world(scenario: Scenario) -> Outcome {
    super::crds::install(&scenario).await?;
    let world = World::new(&Options::default());
    for crd in serin::api::crd::all() {
        world.install_crd(&serde_json::to_value(crd)?);
    }
    let namespace =
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": scenario.namespace}});
    world.apply(&namespace).map_err(|error| error.to_string())?;
    let real = answers(&scenario.cluster.admin, &scenario.namespace).await?;
    let simulated = answers(&world.client(), &scenario.namespace).await?;
    let differ: Vec<_> = real
        .iter()
        .zip(&simulated)
        .filter(|(real, simulated)| real != simulated)
        .map(|(real, simulated)| format!("real:      {real}\nsimulated: {simulated}"))
        .collect();
    if differ.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} of {} answers differ:\n{}",
        differ.len(),
        real.len(),
        differ.join("\n")
    )
    .into())
}

/// One request: what it shows, verb, path, body, and the fields of the answer to compare.
struct Step(&'static str, &'static str, String, Value, &'static [&'static str]);

/// `group/version/plural` and what follows as a path, with `{}` for the namespace.
fn at(resource: &str, rest: &str) -> String {
    let (version, plural) = resource.rsplit_once('/').unwrap_or_default();
    let root = if version == "v1" { "/api" } else { "/apis" };
    format!("{root}/{version}/namespaces/{{}}/{plural}{rest}")
}

async fn answers(client: &Client, namespace: &str) -> Outcome<Vec<String>> {
    let mut versions: BTreeMap<String, (String, String, String)> = BTreeMap::new();
    let mut answers = Vec::new();
    for Step(what, verb, path, body, fields) in steps::all() {
        let path = path.replace("{}", namespace);
        // The same object under each of its subresources, parameters aside.
        let key = path
            .split('?')
            .next()
            .unwrap_or_default()
            .trim_end_matches("/status")
            .trim_end_matches("/scale")
            .to_owned();
        let (first, last, uid) = versions.get(&key).cloned().unwrap_or_default();
        let body = body
            .to_string()
            .replace("FIRST", &first)
            .replace("LAST", &last)
            .replace("OBJECT-UID", &uid);
        let (method, kind) = match verb {
            "json" => ("PATCH", "application/json-patch+json"),
            "merge" => ("PATCH", "application/merge-patch+json"),
            "apply" => ("PATCH", "application/apply-patch+yaml"),
            other => (other, "application/json"),
        };
        let bytes = if body == "null" {
            Vec::new()
        } else {
            body.into_bytes()
        };
        let request = Request::builder()
            .method(method)
            .uri(&path)
            .header("content-type", kind);
        let answer = client.send(request.body(Body::from(bytes))?).await?;
        let code = answer.status().as_u16();
        let bytes = answer.into_body().collect_bytes().await?;
        let object: Value = serde_json::from_slice(&bytes)?;
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        let reason = if code >= 400 {
            text("/reason").unwrap_or_default()
        } else {
            String::new()
        };
        if let (Some(version), false) = (text("/metadata/resourceVersion"), path.contains("dryRun")) {
            let key = match (method, text("/metadata/name")) {
                ("POST", Some(name)) => format!("{key}/{name}"),
                _ => key,
            };
            let known = versions
                .entry(key)
                .or_insert_with(|| (version.clone(), String::new(), String::new()));
            known.1 = version;
            known.2 = text("/metadata/uid").unwrap_or_else(|| known.2.clone());
        }
        let shown: Vec<_> = fields
            .iter()
            .map(|it| format!("{it}={}", object.pointer(it).unwrap_or(&Value::Null)))
            .collect();
        answers.push(format!("{what}: {code} {reason} {}", shown.join(" ")));
    }
    Ok(answers)
}

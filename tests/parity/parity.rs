//! Plays one list of requests against an API server, simulated or real, and brings the answers into a comparable form.
//!
//! Uids, versions, times and addresses differ from run to run; they are replaced by what is meant by them. Used by the
//! tests without a cluster (against a recording of the real server) and by those with one.

mod requests;

use std::collections::BTreeMap;

use http::Request;
use kube::client::Body;
use serde_json::{Value, json};

pub(crate) use requests::{Ask, NAMESPACE, requests};

/// The status code and the normalised body of each answer, in order, by label.
pub(crate) async fn play(client: &kube::Client) -> Vec<(String, u16, Value)> {
    let mut raw: BTreeMap<&str, Value> = BTreeMap::new();
    let mut versions: BTreeMap<String, String> = BTreeMap::new();
    let mut answers = Vec::new();
    for ask in requests() {
        let (code, body) = send(client, &ask, &raw).await;
        let mut shown = body.clone();
        normalise(&mut shown, &mut versions);
        raw.insert(ask.label, body);
        answers.push((ask.label.to_owned(), code, shown));
    }
    answers
}

async fn send(client: &kube::Client, ask: &Ask, earlier: &BTreeMap<&str, Value>) -> (u16, Value) {
    let body = ask
        .body
        .as_ref()
        .map(|body| fill(body, earlier).to_string())
        .unwrap_or_default();
    let request = Request::builder()
        .method(ask.method)
        .uri(ask.path)
        .header("content-type", ask.content_type)
        .header("accept", "application/json")
        .header("user-agent", "parity/1")
        .body(Body::from(body.into_bytes()))
        .unwrap();
    let response = client.send(request).await.unwrap();
    let code = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.unwrap();
    (
        code,
        serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes))),
    )
}

/// Replaces strings of the form `${label/pointer}` by a value of an earlier answer.
fn fill(value: &Value, earlier: &BTreeMap<&str, Value>) -> Value {
    match value {
        Value::String(text) => {
            let Some(inner) = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')) else {
                return value.clone();
            };
            if inner.contains('/') {
                let (label, pointer) = inner.split_at(inner.find('/').unwrap());
                earlier[label].pointer(pointer).cloned().unwrap_or_default()
            } else {
                earlier[inner].clone()
            }
        }
        Value::Array(items) => items.iter().map(|item| fill(item, earlier)).collect(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, field)| (name.clone(), fill(field, earlier)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Replaces what differs from run to run.
fn normalise(body: &mut Value, versions: &mut BTreeMap<String, String>) {
    if let Some(items) = body.get_mut("items").and_then(Value::as_array_mut) {
        for item in items {
            normalise(item, versions);
        }
        body["metadata"] = json!("list");
        return;
    }
    let uid = body
        .pointer("/metadata/uid")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    if let Some(metadata) = body.get_mut("metadata").filter(|_| !uid.is_empty()) {
        // Whether the version moved since the object was last seen is part of the contract; its number is not.
        if let Some(version) = metadata
            .get("resourceVersion")
            .and_then(Value::as_str)
            .map(ToOwned::to_owned)
        {
            let before = versions.insert(uid.clone(), version.clone());
            let moved = if before.is_none() {
                "first"
            } else if before == Some(version) {
                "same"
            } else {
                "new"
            };
            metadata["resourceVersion"] = moved.into();
        }
        if metadata.get("generateName").is_some() {
            metadata["name"] = "generated".into();
        }
    }
    mask(body, "");
    if body["status"] == "Failure" {
        plain_failure(body);
    }
}

/// Of a refused body the fields count that are wrong, not the words about them; the server names some twice.
fn plain_failure(status: &mut Value) {
    if matches!(status["code"].as_u64(), Some(400 | 415 | 422)) {
        status["message"] = json!("<words>");
        for cause in status
            .pointer_mut("/details/causes")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            cause["message"] = json!("<words>");
        }
    }
    if let Some(causes) = status
        .pointer_mut("/details/causes")
        .and_then(Value::as_array_mut)
    {
        causes.dedup();
    }
}

fn mask(value: &mut Value, field: &str) {
    match value {
        Value::String(text) => {
            if matches!(field, "uid" | "clusterIP") && text != "None" {
                *text = format!("<{field}>");
            } else if field.ends_with("Timestamp") || field == "time" {
                *text = "<time>".into();
            } else if field == "message" {
                *text = words(text);
            }
        }
        Value::Array(items) if field == "clusterIPs" => *items = vec![json!("<clusterIP>")],
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, field)),
        Value::Object(fields) => fields.iter_mut().for_each(|(name, child)| mask(child, name)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    // Membership of maps themselves is noise beside that of their fields, and the order of owners is the server's business.
    if field.starts_with("f:") || field.starts_with("k:") || field == "fieldsV1" {
        value.as_object_mut().map(|fields| fields.remove("."));
    }
    if field == "managedFields"
        && let Value::Array(entries) = value
    {
        entries.sort_by_key(ToString::to_string);
    }
}

/// A message without uids, times and addresses.
fn words(text: &str) -> String {
    let odd = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let dashes = word.matches('-').count();
        (word.len() == 36 && dashes == 4)
            || word.starts_with("20") && word.ends_with('Z')
            || word.starts_with("10.96")
    };
    text.split(' ')
        .map(|word| if odd(word) { "<id>" } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// What differs between two plays, one line each.
pub(crate) fn differences(left: &[(String, u16, Value)], right: &[(String, u16, Value)]) -> Vec<String> {
    let mut out = Vec::new();
    for ((label, code, body), (_, other_code, other)) in left.iter().zip(right) {
        if code != other_code {
            out.push(format!("{label}: {code} ≠ {other_code}"));
        }
        compare(label, &without_defaults(body), &without_defaults(other), &mut out);
    }
    if left.len() != right.len() {
        out.push(format!("{} answers ≠ {}", left.len(), right.len()));
    }
    out
}

/// A Rollout without its analysis: the defaults of its fields are those of the definitions, which a test of their own
/// proves, and grow with them.
fn without_defaults(body: &Value) -> Value {
    let mut body = body.clone();
    if body["kind"] == "Rollout"
        && let Some(spec) = body.get_mut("spec").and_then(Value::as_object_mut)
    {
        spec.remove("analysis");
        let managers = body
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut);
        for manager in managers.into_iter().flatten() {
            let owned = manager
                .pointer_mut("/fieldsV1/f:spec")
                .and_then(Value::as_object_mut);
            owned.and_then(|owned| owned.remove("f:analysis"));
        }
    }
    body
}

fn compare(path: &str, left: &Value, right: &Value, out: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(a), Value::Object(b)) => {
            for name in a.keys().chain(b.keys().filter(|name| !a.contains_key(*name))) {
                let (a, b) = (
                    a.get(name).unwrap_or(&Value::Null),
                    b.get(name).unwrap_or(&Value::Null),
                );
                compare(&format!("{path}/{name}"), a, b, out);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (i, (a, b)) in a.iter().zip(b).enumerate() {
                compare(&format!("{path}/{i}"), a, b, out);
            }
        }
        (a, b) if a != b => out.push(format!("{path}: {a} ≠ {b}")),
        _ => {}
    }
}

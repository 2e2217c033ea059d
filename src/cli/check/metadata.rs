//! The API server's rules for `metadata`, which are in no schema.

use regex::Regex;
use serde_json::Value;

use super::finding::{Finding, quoted};
use super::schema;
use crate::api;

/// Fields of ObjectMeta that a person or a tool may write.
const FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// A label's value, and the name of its key.
const WORD: &str = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";

/// Everything in `metadata` that kubectl or the API server refuses.
pub(super) fn check(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    let fields = metadata.as_object();
    for name in fields.into_iter().flat_map(|fields| fields.keys()) {
        if !FIELDS.contains(&name.as_str()) {
            findings.push(schema::unknown(
                &format!("metadata.{name}"),
                name,
                FIELDS.into_iter(),
            ));
        }
    }
    words(metadata, &mut findings);
    names(metadata, &mut findings);
    findings
}

/// Labels and annotations.
fn words(metadata: &Value, findings: &mut Vec<Finding>) {
    for map in ["labels", "annotations"] {
        let path = format!("metadata.{map}");
        let entries = match metadata.get(map) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(entries)) => entries,
            Some(_) => {
                findings.push(Finding::new(&path, "it is no mapping", "write keys with values"));
                continue;
            }
        };
        for (key, value) in entries {
            // The server asks less of an annotation's prefix.
            let asked = if map == "labels" {
                key.clone()
            } else {
                key.to_lowercase()
            };
            if !qualified(&asked) {
                let remedy = "write at most 63 letters, digits, -, _ and ., with a letter or digit at both ends; before it \
                              may stand a domain and /";
                findings.push(Finding::new(
                    &path,
                    format!("{} cannot be a key", quoted(key)),
                    remedy,
                ));
            }
            match value {
                Value::Null => {} // the server makes it empty
                Value::String(text) => {
                    if map == "labels" && !text.is_empty() && !fits(text, 63, WORD) {
                        let problem = format!("{} cannot be the value of {key}", quoted(text));
                        let remedy = "write at most 63 letters, digits, -, _ and ., with a letter or digit at both ends";
                        findings.push(Finding::new(&path, problem, remedy));
                    }
                }
                Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    let problem = format!("the value {value} is not text");
                    findings.push(Finding::new(
                        &format!("{path}.{key}"),
                        problem,
                        "put it in quotes",
                    ));
                }
            }
        }
    }
}

/// Name, generateName and namespace.
fn names(metadata: &Value, findings: &mut Vec<Finding>) {
    let mut named = false;
    for field in ["name", "generateName", "namespace"] {
        let path = format!("metadata.{field}");
        let text = match metadata.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.as_str(),
            Some(_) => {
                named |= field != "namespace";
                findings.push(Finding::new(&path, "it is not text", "put it in quotes"));
                continue;
            }
        };
        if text.is_empty() {
            continue; // as if it were not there
        }
        named |= field != "namespace";
        let (fine, remedy) = match field {
            "namespace" => (
                fits(text, 63, api::LABEL),
                "write at most 63 lower-case letters, digits and -, with a letter or digit at both ends",
            ),
            "generateName" => (
                // The name goes on after its last dashes.
                text.len() <= 253 && fits(text.trim_end_matches('-'), 253, api::SUBDOMAIN),
                "write at most 253 lower-case letters, digits, - and ., with a letter or digit first, and one or - last",
            ),
            _ => (
                fits(text, 253, api::SUBDOMAIN),
                "write at most 253 lower-case letters, digits, - and ., with a letter or digit at both ends",
            ),
        };
        if !fine {
            findings.push(Finding::new(
                &path,
                format!("{} cannot be a {field}", quoted(text)),
                remedy,
            ));
        }
    }
    if !named {
        findings.push(Finding::new("metadata.name", "it is missing", "add name"));
    }
}

fn fits(text: &str, longest: usize, pattern: &str) -> bool {
    text.len() <= longest && Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
}

/// `name` or `domain/name`.
fn qualified(key: &str) -> bool {
    let (domain, name) = match key.split_once('/') {
        Some((domain, name)) => (Some(domain), name),
        None => (None, key),
    };
    domain.is_none_or(|domain| fits(domain, 253, api::SUBDOMAIN)) && fits(name, 63, WORD)
}

//! A structural schema against a value: what the API server's own validation says, in words of ours.
//!
//! Invariants: unknown fields are refused, as `fieldValidation: Strict` (kubectl's default) does; values are those
//! after [`super::defaults`], so `null` is met only where the API server would refuse it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use regex::Regex;
use serde_json::{Map, Value};

use super::finding::{Finding, quoted};
use crate::api::{duration, quantity};

/// Everything in `value` that `schema` refuses.
pub(super) fn walk(schema: &JSONSchemaProps, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    let found = findings.len();
    typed(schema, value, path, findings);
    if findings.len() > found {
        return;
    }
    match value {
        Value::String(text) => string(schema, text, path, findings),
        Value::Number(number) => range(schema, number.as_f64().unwrap_or(f64::NAN), path, findings),
        Value::Array(items) => list(schema, items, path, findings),
        Value::Object(fields) => object(schema, fields, path, findings),
        Value::Null | Value::Bool(_) => {}
    }
    if let Some(allowed) = &schema.enum_
        && !allowed.iter().any(|choice| choice.0 == *value)
    {
        let choices: Vec<_> = allowed.iter().map(|choice| plain(&choice.0)).collect();
        let problem = format!("{} is not known", quoted(&plain(value)));
        findings.push(Finding::new(
            path,
            problem,
            format!("write one of {}", choices.join(", ")),
        ));
    }
}

/// The schema of a list's items.
pub(super) fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match schema.items.as_ref()? {
        JSONSchemaPropsOrArray::Schema(items) => Some(items),
        JSONSchemaPropsOrArray::Schemas(_) => None,
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn typed(schema: &JSONSchemaProps, value: &Value, path: &str, findings: &mut Vec<Finding>) {
    let (fits, wanted) = match schema.type_.as_deref() {
        Some("string") => (value.is_string(), "text: put it in quotes"),
        Some("integer") => (value.is_i64(), "a whole number, without decimals or quotes"),
        Some("number") => (value.is_number(), "a number, without quotes"),
        Some("boolean") => (value.is_boolean(), "true or false, without quotes"),
        Some("array") => (value.is_array(), "a list"),
        Some("object") => (value.is_object(), "an object with named fields"),
        _ => (true, ""),
    };
    if !fits {
        let choices = schema.enum_.iter().flatten().map(|choice| plain(&choice.0));
        let choices = choices.collect::<Vec<_>>().join(", ");
        let wanted = if choices.is_empty() {
            wanted.to_owned()
        } else {
            format!("one of {choices}")
        };
        let kind = match value {
            Value::Null => "nothing",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "text",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        findings.push(Finding::new(
            path,
            format!("{kind} has no place here"),
            format!("write {wanted}"),
        ));
    }
}

fn string(schema: &JSONSchemaProps, text: &str, path: &str, findings: &mut Vec<Finding>) {
    let found = findings.len();
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    if schema.min_length.is_some_and(|min| length < min) {
        let min = schema.min_length.unwrap_or_default();
        findings.push(Finding::new(
            path,
            "it is too short",
            format!("write at least {min} character{}", plural(min)),
        ));
    } else if schema.max_length.is_some_and(|max| length > max) {
        let max = schema.max_length.unwrap_or_default();
        let problem = format!("{length} characters are too many");
        findings.push(Finding::new(path, problem, format!("write at most {max}")));
    }
    if let Some(pattern) = &schema.pattern
        && findings.len() == found
        && !Regex::new(pattern).is_ok_and(|regex| regex.is_match(text))
    {
        findings.push(Finding::new(
            path,
            format!("{} has the wrong form", quoted(text)),
            form(pattern),
        ));
    }
}

const fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// A pattern of the CRDs in words.
fn form(pattern: &str) -> String {
    let words = match pattern {
        duration::PATTERN => "write a duration with h, m, s or ms, such as 90s or 1h30m",
        quantity::PATTERN => "write a number with a unit such as m, k, M, Ki, Mi or Gi, or without one",
        crate::api::LABEL => "write lower-case letters, digits and -, with a letter or digit at both ends",
        crate::api::SUBDOMAIN => {
            "write lower-case letters, digits, - and ., with a letter or digit at both ends"
        }
        _ if pattern.starts_with("^https?") => {
            "write a URL with http:// or https:// and a host, without user, password or query"
        }
        "^/.+$" => "write an absolute path: it must start with /",
        _ => return format!("write what matches {pattern}"),
    };
    words.into()
}

fn range(schema: &JSONSchemaProps, number: f64, path: &str, findings: &mut Vec<Finding>) {
    let low = schema.minimum.unwrap_or(f64::NEG_INFINITY);
    let high = schema.maximum.unwrap_or(f64::INFINITY);
    if !(low..=high).contains(&number) {
        let problem = format!("{number} is out of range");
        findings.push(Finding::new(
            path,
            problem,
            format!("write a number from {low} to {high}"),
        ));
    }
}

fn list(schema: &JSONSchemaProps, values: &[Value], path: &str, findings: &mut Vec<Finding>) {
    let length = i64::try_from(values.len()).unwrap_or(i64::MAX);
    if schema.min_items.is_some_and(|min| length < min) {
        let min = schema.min_items.unwrap_or_default();
        findings.push(Finding::new(
            path,
            "the list is too short",
            format!("write at least {min} item{}", plural(min)),
        ));
    }
    if schema.max_items.is_some_and(|max| length > max) {
        let max = schema.max_items.unwrap_or_default();
        let problem = format!("{length} items are too many");
        findings.push(Finding::new(path, problem, format!("write at most {max} items")));
    }
    let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap_or_default();
    let key =
        |value: &Value| -> Vec<Option<Value>> { keys.iter().map(|key| value.get(key).cloned()).collect() };
    for (index, value) in values.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if !keys.is_empty() && values.iter().take(index).any(|other| key(other) == key(value)) {
            let problem = format!("its {} occurs twice", keys.join(" and "));
            findings.push(Finding::new(&path, problem, "remove the duplicate"));
        }
        if let Some(items) = items(schema) {
            walk(items, value, &path, findings);
        }
    }
}

fn object(schema: &JSONSchemaProps, fields: &Map<String, Value>, path: &str, findings: &mut Vec<Finding>) {
    let Some(known) = &schema.properties else { return };
    for name in schema
        .required
        .iter()
        .flatten()
        .filter(|name| !fields.contains_key(*name))
    {
        findings.push(Finding::new(
            &format!("{path}.{name}"),
            "it is missing",
            format!("add {name}"),
        ));
    }
    for (name, value) in fields {
        let path = format!("{path}.{name}");
        match known.get(name) {
            Some(schema) => walk(schema, value, &path, findings),
            None => findings.push(unknown(&path, name, known.keys().map(String::as_str))),
        }
    }
}

/// A finding about a field that does not exist, with the likeliest intention.
pub(super) fn unknown<'a>(path: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> Finding {
    let remedy = if name == "namespace" {
        "remove it: references are to the object's own namespace".to_owned()
    } else if let Some(near) = known.clone().find(|other| alike(name, other)) {
        format!("did you mean {near}?")
    } else {
        format!(
            "remove it, or write one of {}",
            known.collect::<Vec<_>>().join(", ")
        )
    };
    Finding::new(path, "the field is unknown", remedy)
}

/// Whether two names differ by case, or by one or two letters changed, missing or swapped.
fn alike(left: &str, right: &str) -> bool {
    let (left, right) = (left.to_lowercase(), right.to_lowercase());
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, b) in right.iter().enumerate() {
            let changed = diagonal + usize::from(a != b);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[right.len()] <= 2.min(left.len() / 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_alike_within_two_letters() {
        assert!(alike("weigths", "weights"));
        assert!(alike("Weights", "weights"));
        assert!(alike("gatewayApi", "gatewayAPI"));
        assert!(alike("intervall", "interval"));
        assert!(!alike("threshold", "interval"));
        assert!(!alike("hold", "kind"));
    }
}

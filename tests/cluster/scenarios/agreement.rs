//! `serin check` and the API server agree: objects are changed in one place at a time, and both give their verdict.

use crate::Outcome;
use crate::scenario::{Scenario, trial};
use crate::scenarios::crds::{create, files, install};
use futures::future::join_all;
use kube::api::DynamicObject;
use libtest_mimic::Trial;
use serde_json::{Value, json};
use serin::cli::check::{Checker, Verdict};

pub(super) fn all() -> Vec<Trial> {
    vec![trial("agreement::one-change", one_change)]
}

async fn one_change(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    let mut objects = Vec::new();
    for (_, text) in files("examples")? {
        for mut object in crate::apply::parse(&text)? {
            object.metadata.namespace = None;
            let mut changed = Vec::new();
            changes(&object.data["spec"], &mut changed);
            objects.extend(changed.into_iter().map(|spec| {
                let mut object = object.clone();
                object.data["spec"] = spec;
                object
            }));
        }
    }
    let checker = Checker::new();
    let mut disagreements = Vec::new();
    for some in objects.chunks(8) {
        let found = join_all(
            some.iter()
                .map(|object| disagreement(&scenario, &checker, object)),
        )
        .await;
        disagreements.extend(found.into_iter().flatten());
    }
    if disagreements.is_empty() && objects.len() > 500 {
        return Ok(());
    }
    let shown: Vec<_> = disagreements.iter().take(10).cloned().collect();
    Err(format!(
        "{} of {} differ:\n{}",
        disagreements.len(),
        objects.len(),
        shown.join("\n")
    )
    .into())
}

async fn disagreement(scenario: &Scenario, checker: &Checker, object: &DynamicObject) -> Option<String> {
    let answer = create(scenario, object).await;
    let value = serde_json::to_value(object).unwrap();
    let verdict = checker.check(&value);
    // `99.0` for a whole number: the server refuses it only where a CEL rule reads the field; offline it is refused
    // everywhere, so that nobody relies on it.
    let fraction = answer.is_ok() && value["spec"].to_string().contains("99.0");
    let fine = match &verdict {
        Verdict::Ours(findings) => findings
            .iter()
            .all(|finding| fraction && finding.remedy.starts_with("write a whole number")),
        Verdict::Foreign => false,
    };
    (fine != answer.is_ok()).then(|| format!("{}\n  offline {verdict:?}\n  server {answer:?}", value["spec"]))
}

/// `value` with one change at a time: each part of it removed, doubled, or replaced by something else.
fn changes(value: &Value, changed: &mut Vec<Value>) {
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1),
        json!(99.0),
        json!(0.5),
        json!(1e12),
        json!(""),
        json!("7s"),
        json!("90000h"),
        json!("a-name"),
        json!("A name"),
        json!("Required"),
        json!([]),
        json!({}),
    ];
    changed.extend(others.into_iter().filter(|other| other != value));
    let mut inside = |rebuild: &dyn Fn(Value) -> Value, part: &Value| {
        let mut parts = Vec::new();
        changes(part, &mut parts);
        changed.extend(parts.into_iter().map(rebuild));
    };
    match value {
        Value::Object(fields) => {
            for (name, part) in fields {
                let rebuild = |part: Value| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), part);
                    Value::Object(fields)
                };
                inside(&rebuild, part);
            }
            for name in fields.keys() {
                let mut less = fields.clone();
                less.remove(name);
                changed.push(Value::Object(less));
            }
            let mut more = fields.clone();
            more.insert("surplus".into(), json!(1));
            changed.push(Value::Object(more));
        }
        Value::Array(items) => {
            for (index, part) in items.iter().enumerate() {
                let rebuild = |part: Value| {
                    let mut items = items.clone();
                    items[index] = part;
                    Value::Array(items)
                };
                inside(&rebuild, part);
            }
            changed.push(Value::Array(items.iter().chain(items).cloned().collect()));
            changed.push(Value::Array(items.iter().rev().cloned().collect()));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

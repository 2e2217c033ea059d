//! Whether an object keeps what a patch wrote: a server may answer 200 and have put back what was there.

use serde_json::Value;

use super::json::{escape, text};
use super::names;

/// The first field of `answer`, the object after the patch `ops`, that is not as the patch has it; as a person names it:
/// `spec.paused`. A default that the server fills in is no difference. Our stamp is not looked at: the version that it
/// gives an object fences it too.
pub fn unkept(ops: &[Value], answer: &Value) -> Option<String> {
    let stamp = format!("/metadata/annotations/{}", escape(names::STAMP));
    let ours = |op: &&Value| {
        let path = text(op, "/path");
        path != "/metadata/resourceVersion" && path != stamp && path != "/metadata/annotations"
    };
    let lost = |op: &&Value| match text(op, "/op") {
        "add" | "replace" => !wrote(text(op, "/path"), &op["value"], answer),
        "remove" => !removed(text(op, "/path"), ops, answer),
        _ => false,
    };
    let op = ops.iter().filter(ours).find(lost)?;
    Some(field(text(op, "/path")))
}

fn wrote(path: &str, value: &Value, answer: &Value) -> bool {
    match path.strip_suffix("/-") {
        Some(list) => holds(answer.pointer(list), value),
        None => answer.pointer(path).is_some_and(|there| keeps(there, value)),
    }
}

fn removed(path: &str, ops: &[Value], answer: &Value) -> bool {
    if let Some((list, index)) = path.rsplit_once('/')
        && index.parse::<usize>().is_ok()
    {
        // What has moved up has its place now.
        let tested = ops
            .iter()
            .find(|op| text(op, "/op") == "test" && text(op, "/path") == path);
        return tested.is_none_or(|test| !holds(answer.pointer(list), &test["value"]));
    }
    matches!(
        answer.pointer(path),
        None | Some(Value::Null | Value::Bool(false))
    )
}

fn holds(list: Option<&Value>, value: &Value) -> bool {
    list.and_then(Value::as_array)
        .is_some_and(|list| list.contains(value))
}

/// Whether everything of `wanted` is in `there`, which may have more fields.
fn keeps(there: &Value, wanted: &Value) -> bool {
    match (there, wanted) {
        (Value::Object(there), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| there.get(key).is_some_and(|there| keeps(there, wanted))),
        (Value::Array(there), Value::Array(wanted)) => {
            there.len() == wanted.len()
                && there
                    .iter()
                    .zip(wanted)
                    .all(|(there, wanted)| keeps(there, wanted))
        }
        _ => there == wanted,
    }
}

/// `/metadata/labels/serin.dev~1gate` as `metadata.labels[serin.dev/gate]`.
fn field(path: &str) -> String {
    let path = path.trim_end_matches("/-");
    let mut field = String::new();
    for part in path.trim_start_matches('/').split('/') {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.contains(['.', '/']) || part.parse::<usize>().is_ok() {
            field = format!("{field}[{part}]");
        } else if field.is_empty() {
            field = part;
        } else {
            field = format!("{field}.{part}");
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lost(ops: &Value, answer: &Value) -> Option<String> {
        unkept(ops.as_array().unwrap(), answer)
    }

    #[test]
    fn what_a_server_puts_back_is_named() {
        let resume = json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "remove", "path": "/spec/paused"},
            {"op": "add", "path": "/metadata/annotations/serin.dev~1stamp", "value": "a/1"},
        ]);
        let paused = json!({"metadata": {"resourceVersion": "8"}, "spec": {"paused": true}});
        assert_eq!(lost(&resume, &paused).unwrap(), "spec.paused");
        for kept in [json!({"spec": {}}), json!({"spec": {"paused": false}})] {
            assert_eq!(lost(&resume, &kept), None);
        }
        let gate = json!([{"op": "add", "path": "/metadata/labels/serin.dev~1gate", "value": "u"}]);
        let bare = json!({"metadata": {"labels": {}}});
        assert_eq!(lost(&gate, &bare).unwrap(), "metadata.labels[serin.dev/gate]");
    }

    #[test]
    fn what_a_server_fills_in_is_no_difference() {
        let place = "/spec/rules/0/backendRefs";
        let weigh = json!([{"op": "replace", "path": place, "value": [{"name": "a", "weight": 9}, {"name": "b", "weight": 1}]}]);
        let answer = |weight: u64, more: bool| {
            let mut all = vec![
                json!({"name": "a", "weight": weight, "kind": "Service", "group": ""}),
                json!({"name": "b", "weight": 1}),
            ];
            all.truncate(if more { 2 } else { 1 });
            json!({"spec": {"rules": [{"backendRefs": all}]}})
        };
        assert_eq!(lost(&weigh, &answer(9, true)), None);
        for back in [answer(10, true), answer(9, false), json!({"spec": {}})] {
            assert_eq!(lost(&weigh, &back).unwrap(), "spec.rules[0].backendRefs");
        }
    }

    #[test]
    fn an_entry_of_a_list_is_looked_for_wherever_it_is() {
        let add = json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "ours"}]);
        let remove = json!([
            {"op": "test", "path": "/metadata/finalizers/0", "value": "ours"},
            {"op": "remove", "path": "/metadata/finalizers/0"},
        ]);
        let with = json!({"metadata": {"finalizers": ["other", "ours"]}});
        let without = json!({"metadata": {"finalizers": ["other"]}});
        assert_eq!((lost(&add, &with), lost(&remove, &without)), (None, None));
        assert_eq!(lost(&add, &without).unwrap(), "metadata.finalizers");
        assert_eq!(lost(&remove, &with).unwrap(), "metadata.finalizers[0]");
    }
}

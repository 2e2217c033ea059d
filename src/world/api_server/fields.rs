//! Field paths: which leaves an object has, what stands at a path, and which lists are keyed.
//!
//! A path is a chain of `FieldsV1` segments: `f:name`, `k:{"name":"app"}`, `v:"finalizer"`.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// A chain of `FieldsV1` segments.
pub(super) type Path = Vec<String>;

/// How the items of a list are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum List {
    /// The list is one value.
    Atomic,
    /// Items are maps with these key fields.
    Keyed(&'static [&'static str]),
    /// Items are their own keys.
    Set,
}

/// How the list under a field is merged.
pub(super) fn list_kind(field: &str, items: &[Value]) -> List {
    let kind = match field {
        "f:containers" | "f:initContainers" | "f:volumes" | "f:env" | "f:imagePullSecrets"
        | "f:listeners" => List::Keyed(&["name"]),
        "f:conditions" => List::Keyed(&["type"]),
        "f:volumeMounts" => List::Keyed(&["mountPath"]),
        "f:ownerReferences" => List::Keyed(&["uid"]),
        "f:ports" if items.iter().any(|i| i.get("containerPort").is_some()) => {
            List::Keyed(&["containerPort", "protocol"])
        }
        "f:ports"
            if items
                .iter()
                .any(|i| i.get("targetPort").is_some() || i.get("port").is_some()) =>
        {
            List::Keyed(&["port", "protocol"])
        }
        "f:finalizers" => List::Set,
        _ => List::Atomic,
    };
    match kind {
        List::Keyed(keys) if items.iter().any(|item| item.get(keys[0]).is_none()) => List::Atomic,
        List::Atomic | List::Keyed(_) | List::Set => kind,
    }
}

/// Maps that are written as a whole.
fn atomic_map(field: &str) -> bool {
    matches!(
        field,
        "f:selector"
            | "f:nodeSelector"
            | "f:labelSelector"
            | "f:targetRef"
            | "f:fieldRef"
            | "f:regarding"
            | "f:related"
    )
}

/// The segment that names an item of a keyed list.
pub(super) fn item_segment(item: &Value, keys: &[&str]) -> String {
    let mut key = Map::new();
    for name in keys {
        let value = item.get(*name).cloned().unwrap_or_else(|| {
            // The only key with a default among the known lists.
            if *name == "protocol" {
                "TCP".into()
            } else {
                Value::Null
            }
        });
        key.insert((*name).to_owned(), value);
    }
    format!("k:{}", Value::Object(key))
}

/// The leaves of an object that have owners.
pub(super) fn leaves(object: &Value) -> BTreeSet<Path> {
    let mut found = BTreeSet::new();
    walk(object, &mut Vec::new(), &mut found);
    found.retain(|path| owned(path));
    found
}

/// Identity and book-keeping have no owner.
fn owned(path: &[String]) -> bool {
    let at = |i: usize| path.get(i).map_or("", String::as_str);
    match at(0) {
        "f:apiVersion" | "f:kind" | "f:deprecatedSource" => false,
        "f:metadata" => matches!(
            at(1),
            "f:labels" | "f:annotations" | "f:finalizers" | "f:ownerReferences" | "f:generateName"
        ),
        _ => true,
    }
}

fn walk(value: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
    let field = path.last().map_or("", String::as_str);
    match value {
        Value::Object(fields) if !(fields.is_empty() && !path.is_empty() || atomic_map(field)) => {
            for (name, child) in fields {
                path.push(format!("f:{name}"));
                walk(child, path, found);
                path.pop();
            }
        }
        Value::Array(items) => match list_kind(field, items) {
            List::Atomic => {
                found.insert(path.clone());
            }
            List::Keyed(keys) => {
                for item in items {
                    path.push(item_segment(item, keys));
                    found.insert(path.clone());
                    walk(item, path, found);
                    path.pop();
                }
            }
            List::Set => {
                for item in items {
                    path.push(format!("v:{item}"));
                    found.insert(path.clone());
                    path.pop();
                }
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            found.insert(path.clone());
        }
    }
}

/// The value at a path. An item of a list gives itself.
pub(super) fn at<'a>(object: &'a Value, path: &[String]) -> Option<&'a Value> {
    let mut here = object;
    for (i, segment) in path.iter().enumerate() {
        here = if let Some(name) = segment.strip_prefix("f:") {
            here.get(name)?
        } else {
            let field = i
                .checked_sub(1)
                .and_then(|i| path.get(i))
                .map_or("", String::as_str);
            let items = here.as_array()?;
            &items[position(items, field, segment)?]
        };
    }
    Some(here)
}

/// Whether two objects hold the same at a path; of a list item only the presence counts.
pub(super) fn same(a: &Value, b: &Value, path: &[String]) -> bool {
    let (a, b) = (at(a, path), at(b, path));
    if path.last().is_some_and(|s| s.starts_with("k:")) {
        return a.is_some() == b.is_some();
    }
    a == b
}

/// Removes what stands at a path, and the maps and lists that become empty by it.
pub(super) fn remove(object: &mut Value, path: &[String]) {
    remove_below(object, path, "");
}

fn remove_below(here: &mut Value, path: &[String], field: &str) {
    let Some((segment, rest)) = path.split_first() else {
        return;
    };
    match here {
        Value::Object(fields) => {
            let Some(name) = segment.strip_prefix("f:") else {
                return;
            };
            if rest.is_empty() {
                fields.remove(name);
                return;
            }
            if let Some(child) = fields.get_mut(name) {
                remove_below(child, rest, segment);
                if is_empty(child) {
                    fields.remove(name);
                }
            }
        }
        Value::Array(items) => {
            let Some(index) = position(items, field, segment) else {
                return;
            };
            if rest.is_empty() {
                items.remove(index);
            } else {
                remove_below(&mut items[index], rest, segment);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Object(fields) => fields.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

fn position(items: &[Value], field: &str, segment: &str) -> Option<usize> {
    if let Some(value) = segment.strip_prefix("v:") {
        return items.iter().position(|item| item.to_string().as_str() == value);
    }
    let List::Keyed(keys) = list_kind(field, items) else {
        return None;
    };
    items.iter().position(|item| item_segment(item, keys) == segment)
}

/// Whether a path is a key field of a list item.
pub(super) fn is_key(path: &[String]) -> bool {
    let [.., item, field] = path else { return false };
    let key = item
        .strip_prefix("k:")
        .and_then(|key| serde_json::from_str::<Map<String, Value>>(key).ok());
    key.is_some_and(|key| {
        field
            .strip_prefix("f:")
            .is_some_and(|name| key.contains_key(name))
    })
}

/// A path as conflict messages write it: `.spec.template.spec.containers[name="app"].image`.
pub(super) fn readable(path: &[String]) -> String {
    let mut text = String::new();
    for segment in path {
        if let Some(name) = segment.strip_prefix("f:") {
            text.push('.');
            text.push_str(name);
        } else if let Some(key) = segment.strip_prefix("k:") {
            let key: Map<String, Value> = serde_json::from_str(key).unwrap_or_default();
            let parts: Vec<String> = key.iter().map(|(k, v)| format!("{k}={v}")).collect();
            text.push('[');
            text.push_str(&parts.join(","));
            text.push(']');
        } else if let Some(value) = segment.strip_prefix("v:") {
            text.push_str("[=");
            text.push_str(value);
            text.push(']');
        }
    }
    text
}

/// A set of paths as a `FieldsV1` tree.
pub(super) fn to_tree(paths: &BTreeSet<Path>) -> Value {
    let mut root = Map::new();
    for path in paths {
        let mut here = &mut root;
        for (depth, segment) in path.iter().enumerate() {
            let next = here
                .entry(segment.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(fields) = next else { break };
            here = fields;
            let prefix = &path[..=depth];
            if depth + 1 < path.len() && segment.starts_with("k:") && paths.contains(prefix) {
                here.insert(".".to_owned(), Value::Object(Map::new()));
            }
        }
    }
    Value::Object(root)
}

/// The paths of a `FieldsV1` tree.
pub(super) fn from_tree(tree: &Value) -> BTreeSet<Path> {
    fn descend(tree: &Value, path: &mut Path, found: &mut BTreeSet<Path>) {
        let Some(fields) = tree.as_object() else { return };
        if (fields.is_empty() || fields.contains_key(".")) && !path.is_empty() {
            found.insert(path.clone());
        }
        for (segment, child) in fields.iter().filter(|(s, _)| *s != ".") {
            path.push(segment.clone());
            descend(child, path, found);
            path.pop();
        }
    }
    let mut found = BTreeSet::new();
    descend(tree, &mut Vec::new(), &mut found);
    found
}

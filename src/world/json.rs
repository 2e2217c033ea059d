//! Small readers and writers for objects kept as JSON.
//!
//! Nothing here fails: a missing or mistyped field reads as absent, a path is made when it is written.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The string at a JSON pointer; empty when there is none.
pub(super) fn text<'a>(object: &'a Value, pointer: &str) -> &'a str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The integer at a JSON pointer.
pub(super) fn int(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// The boolean at a JSON pointer; false when there is none.
pub(super) fn flag(object: &Value, pointer: &str) -> bool {
    object.pointer(pointer).and_then(Value::as_bool).unwrap_or(false)
}

/// The items of the list at a JSON pointer; none when there is no list.
pub(super) fn items<'a>(object: &'a Value, pointer: &str) -> &'a [Value] {
    object
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The map at a JSON pointer.
pub(super) fn map<'a>(object: &'a Value, pointer: &str) -> Option<&'a Map<String, Value>> {
    object.pointer(pointer).and_then(Value::as_object)
}

/// `metadata.name`.
pub(super) fn name(object: &Value) -> &str {
    text(object, "/metadata/name")
}

/// `metadata.namespace`, empty for a cluster-scoped object.
pub(super) fn namespace(object: &Value) -> &str {
    text(object, "/metadata/namespace")
}

/// `metadata.uid`.
pub(super) fn uid(object: &Value) -> &str {
    text(object, "/metadata/uid")
}

/// `metadata.generation`, 0 when the kind has none.
pub(super) fn generation(object: &Value) -> i64 {
    int(object, "/metadata/generation").unwrap_or(0)
}

/// Whether a deletion has begun.
pub(super) fn deleting(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// Writes `value` at a path of field names, making the maps on the way.
pub(super) fn put(object: &mut Value, path: &[&str], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        *object = value;
        return;
    };
    let mut at = object;
    for field in parents {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(fields) = at else { return };
        at = fields.entry((*field).to_owned()).or_insert(Value::Null);
    }
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    if let Value::Object(fields) = at {
        fields.insert((*last).to_owned(), value);
    }
}

/// Writes `value` at a path only where nothing is there yet.
pub(super) fn default_to(object: &mut Value, path: &[&str], value: Value) {
    let mut at = &*object;
    for field in path {
        match at.get(*field) {
            Some(next) if !next.is_null() => at = next,
            _ => {
                put(object, path, value);
                return;
            }
        }
    }
}

/// Removes the field at a path, if it is there.
pub(super) fn cut(object: &mut Value, path: &[&str]) -> Option<Value> {
    let (last, parents) = path.split_last()?;
    let mut at = object;
    for field in parents {
        at = at.get_mut(*field)?;
    }
    at.as_object_mut()?.remove(*last)
}

/// A time as the API server writes it: whole seconds, UTC.
pub(super) fn stamp(at: Timestamp) -> Value {
    Value::String(at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// Reads a time that the API server wrote.
pub(super) fn time(object: &Value, pointer: &str) -> Option<Timestamp> {
    text(object, pointer).parse().ok()
}

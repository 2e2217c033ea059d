//! Conditional JSON patches.

use serde_json::{Value, json};

use super::json::{escape, map, text};
use super::names;

/// A JSON patch (RFC 6902) of one object that applies to one version of it only.
#[derive(Clone, Debug, PartialEq)]
pub struct Patch {
    ops: Vec<Value>,
    guards: usize,
}

impl Patch {
    /// A patch of `object` as it was read: a server that holds another version answers 409, and one that holds
    /// another object of the name 422.
    pub fn of(object: &Value) -> Self {
        let mut ops = vec![json!({
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": text(object, "/metadata/resourceVersion"),
        })];
        let uid = text(object, "/metadata/uid");
        if !uid.is_empty() {
            ops.push(json!({"op": "test", "path": "/metadata/uid", "value": uid}));
        }
        Self {
            guards: ops.len(),
            ops,
        }
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.ops.len() == self.guards
    }

    /// The operations, in order; `None` where it changes nothing.
    pub fn ops(self) -> Option<Vec<Value>> {
        (!self.is_empty()).then_some(self.ops)
    }

    /// Fails the patch where the value is another one.
    pub fn test(&mut self, path: &str, value: &Value) {
        self.ops.push(json!({"op": "test", "path": path, "value": value}));
        self.guards += 1;
    }

    /// Sets a value that is there or not.
    pub fn add(&mut self, path: &str, value: impl Into<Value>) {
        self.ops
            .push(json!({"op": "add", "path": path, "value": value.into()}));
    }

    /// Sets a value that is there.
    pub fn replace(&mut self, path: &str, value: impl Into<Value>) {
        self.ops
            .push(json!({"op": "replace", "path": path, "value": value.into()}));
    }

    /// Removes a value that is there.
    pub fn remove(&mut self, path: &str) {
        self.ops.push(json!({"op": "remove", "path": path}));
    }

    /// Sets one entry of `metadata.labels` or `metadata.annotations` of `object`, unless it is so.
    pub fn set_metadata(&mut self, object: &Value, field: &str, key: &str, value: &str) {
        match map(object, &format!("/metadata/{field}")) {
            Some(entries) if entries.get(key).and_then(Value::as_str) == Some(value) => {}
            Some(_) => self.add(&format!("/metadata/{field}/{}", escape(key)), value),
            None => self.add(&format!("/metadata/{field}"), json!({ key: value })),
        }
    }

    /// Removes one entry of `metadata.labels` or `metadata.annotations`, where it is there.
    pub fn unset_metadata(&mut self, object: &Value, field: &str, key: &str) {
        if map(object, &format!("/metadata/{field}")).is_some_and(|entries| entries.contains_key(key)) {
            self.remove(&format!("/metadata/{field}/{}", escape(key)));
        }
    }

    /// Marks the object as written by the holder of `stamp` (`<lease uid>/<epoch>`).
    pub fn stamp(&mut self, object: &Value, stamp: &str) {
        self.set_metadata(object, "annotations", names::STAMP, stamp);
    }
}

/// The stamp that an object carries.
pub fn stamp_of(object: &Value) -> Option<&str> {
    map(object, "/metadata/annotations")?.get(names::STAMP)?.as_str()
}

/// Writes the stamp on an object and changes nothing else; `None` where it is there.
pub fn touch(object: &Value, stamp: &str) -> Option<Vec<Value>> {
    let mut patch = Patch::of(object);
    patch.stamp(object, stamp);
    patch.ops()
}

//! What objects say of their owners, their replicas and their conditions.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::json::{self, put, text};

/// The uid of the owner that controls an object.
pub(super) fn controller(object: &Value) -> Option<&str> {
    json::items(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| json::flag(owner, "/controller"))
        .map(|owner| text(owner, "/uid"))
}

/// The reference that makes `owner` the controller.
pub(super) fn owner_reference(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"], "kind": owner["kind"], "name": json::name(owner),
        "uid": json::uid(owner), "controller": true, "blockOwnerDeletion": true,
    })
}

/// `spec.replicas`.
pub(super) fn replicas(object: &Value) -> i64 {
    json::int(object, "/spec/replicas").unwrap_or(0)
}

/// A counter of the status, 0 when absent.
pub(super) fn count(object: &Value, field: &str) -> i64 {
    json::int(object, &format!("/status/{field}")).unwrap_or(0)
}

/// The condition of a type.
pub(super) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    json::items(object, "/status/conditions")
        .iter()
        .find(|c| text(c, "/type") == kind)
}

/// Whether the condition of a type is true.
pub(super) fn holds(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|c| text(c, "/status") == "True")
}

/// Writes the fields of a status that are not zero; the server leaves zeros out.
pub(super) fn set_counts(object: &mut Value, counts: &[(&str, i64)]) {
    for (field, value) in counts {
        json::cut(object, &["status", field]);
        if *value != 0 {
            put(object, &["status", field], (*value).into());
        }
    }
}

/// A time later by a duration.
pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at + SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX)
}

//! Deletion: preconditions, grace, finalizers, and what the propagation policies ask the garbage collector for.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::refusal::Refusal;
use super::resources::Resource;
use super::store::Name;
use super::write::Writer;
use crate::world::json::{self, put, text};

/// The finalizer of a foreground deletion, removed by the garbage collector.
pub(in crate::world) const FOREGROUND: &str = "foregroundDeletion";
/// The finalizer of an orphaning deletion, removed by the garbage collector.
pub(in crate::world) const ORPHAN: &str = "orphan";

impl Writer<'_> {
    /// Deletes an object by `DeleteOptions`; answers with the object while it lives on, otherwise with a `Status`.
    pub(in crate::world) fn delete(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        options: &Value,
    ) -> Result<Value, Refusal> {
        let Some(current) = self.store.get(resource, namespace, name) else {
            return Err(Refusal::not_found(resource, name));
        };
        let current = Value::clone(current);
        preconditions(resource, &current, options)?;
        let mut object = current.clone();
        // A policy replaces that of an earlier deletion; without one that stays.
        let policy = text(options, "/propagationPolicy");
        if !policy.is_empty() {
            let mut finalizers = json::items(&object, "/metadata/finalizers").to_vec();
            finalizers.retain(|f| f != FOREGROUND && f != ORPHAN);
            match policy {
                "Foreground" => finalizers.push(FOREGROUND.into()),
                "Orphan" => finalizers.push(ORPHAN.into()),
                _ => {}
            }
            json::cut(&mut object, &["metadata", "finalizers"]);
            if !finalizers.is_empty() {
                put(&mut object, &["metadata", "finalizers"], finalizers.into());
            }
        }
        let grace = grace(resource, &object, options);
        let held = !json::items(&object, "/metadata/finalizers").is_empty()
            || grace > 0
            || (resource.plural == "namespaces" && !json::items(&object, "/spec/finalizers").is_empty());
        if !held {
            let removed = if self.dry_run {
                None
            } else {
                self.store.remove(resource, &Name::new(namespace, name))
            };
            let last = removed.map_or(current, |last| Value::clone(&last));
            let whole = matches!(resource.plural, "pods" | "services" | "resourcequotas");
            return Ok(if whole { last } else { gone(resource, &last) });
        }
        if !json::deleting(&object) {
            let end = self.now + SignedDuration::from_secs(grace);
            put(&mut object, &["metadata", "deletionTimestamp"], json::stamp(end));
            put(
                &mut object,
                &["metadata", "deletionGracePeriodSeconds"],
                grace.into(),
            );
            if json::generation(&object) > 0 {
                let next = json::generation(&object) + 1;
                put(&mut object, &["metadata", "generation"], next.into());
            }
            if resource.plural == "namespaces" {
                put(&mut object, &["status", "phase"], "Terminating".into());
            }
        }
        if self.dry_run || object == current {
            return Ok(object);
        }
        Ok(Value::clone(&self.store.put(resource, object)))
    }
}

fn preconditions(resource: &Resource, current: &Value, options: &Value) -> Result<(), Refusal> {
    for (field, what) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let wanted = text(options, &format!("/preconditions/{field}"));
        let is = text(current, &format!("/metadata/{field}"));
        if !wanted.is_empty() && wanted != is {
            let why = format!(
                "the {what} in the precondition ({wanted}) does not match the {what} in record ({is}). The object might have been deleted and then recreated"
            );
            return Err(Refusal::precondition(resource, json::name(current), &why));
        }
    }
    Ok(())
}

/// Seconds until a pod is gone; other kinds have no grace.
fn grace(resource: &Resource, object: &Value, options: &Value) -> i64 {
    if resource.plural != "pods" || text(object, "/spec/nodeName").is_empty() {
        return 0;
    }
    json::int(options, "/gracePeriodSeconds")
        .or_else(|| json::int(object, "/spec/terminationGracePeriodSeconds"))
        .unwrap_or(30)
}

fn gone(resource: &Resource, object: &Value) -> Value {
    let mut details = json!({"name": json::name(object), "kind": resource.plural, "uid": json::uid(object)});
    if !resource.group.is_empty() {
        details["group"] = resource.group.into();
    }
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})
}

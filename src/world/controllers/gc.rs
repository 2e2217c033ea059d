//! The garbage collector: foreground and orphaning deletions, dependents of vanished owners, dying namespaces.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::api_server::delete::{FOREGROUND, ORPHAN};
use crate::world::api_server::request::Part;
use crate::world::api_server::resources::{self, Resource};
use crate::world::api_server::store::Name;
use crate::world::api_server::write::Booking;
use crate::world::json::{self, put, text};
use crate::world::state::State;

const MANAGER: &str = "kube-controller-manager";

/// One round over all objects.
pub(super) fn collect(state: &mut State, now: Timestamp) {
    let all: Vec<(&'static Resource, Arc<Value>)> = state
        .store
        .all()
        .map(|(resource, object)| (resource, Arc::clone(object)))
        .collect();
    let alive: BTreeSet<&str> = all.iter().map(|(_, object)| json::uid(object)).collect();
    for (resource, object) in &all {
        let finalizers = json::items(object, "/metadata/finalizers");
        if json::deleting(object) && finalizers.iter().any(|f| f == ORPHAN) {
            for (kind, dependent) in all
                .iter()
                .filter(|(_, d)| owned_by(d, json::uid(object)).is_some())
            {
                keep_owners(state, now, kind, dependent, |owner| owner != json::uid(object));
            }
            drop_finalizer(state, now, resource, object, ORPHAN);
        } else if json::deleting(object) && finalizers.iter().any(|f| f == FOREGROUND) {
            foreground(state, now, resource, object, &all);
        } else if json::deleting(object) && resource.plural == "namespaces" {
            empty_namespace(state, now, object, &all);
        }
        let owners = json::items(object, "/metadata/ownerReferences");
        let (living, dead): (Vec<&Value>, Vec<&Value>) = owners
            .iter()
            .partition(|owner| alive.contains(text(owner, "/uid")));
        if living.is_empty() && !dead.is_empty() && !json::deleting(object) {
            delete(state, now, resource, object, "Background");
        } else if !living.is_empty() && !dead.is_empty() {
            keep_owners(state, now, resource, object, |owner| alive.contains(owner));
        }
    }
}

/// The owner reference to `uid`.
fn owned_by<'a>(object: &'a Value, uid: &str) -> Option<&'a Value> {
    json::items(object, "/metadata/ownerReferences")
        .iter()
        .find(|owner| text(owner, "/uid") == uid)
}

/// Deletes the dependents; the owner goes when none that blocks it is left.
fn foreground(
    state: &mut State,
    now: Timestamp,
    resource: &'static Resource,
    object: &Value,
    all: &[(&'static Resource, Arc<Value>)],
) {
    let mut blocked = false;
    for (kind, dependent) in all {
        let Some(owner) = owned_by(dependent, json::uid(object)) else {
            continue;
        };
        blocked |= json::flag(owner, "/blockOwnerDeletion");
        if !json::deleting(dependent) {
            let has_own = all
                .iter()
                .any(|(_, other)| owned_by(other, json::uid(dependent)).is_some());
            delete(
                state,
                now,
                kind,
                dependent,
                if has_own { "Foreground" } else { "Background" },
            );
        }
    }
    if !blocked {
        drop_finalizer(state, now, resource, object, FOREGROUND);
    }
}

fn empty_namespace(
    state: &mut State,
    now: Timestamp,
    namespace: &Value,
    all: &[(&'static Resource, Arc<Value>)],
) {
    let mut empty = true;
    for (resource, object) in all
        .iter()
        .filter(|(_, o)| json::namespace(o) == json::name(namespace))
    {
        empty = false;
        if !json::deleting(object) {
            delete(state, now, resource, object, "Background");
        }
    }
    if empty {
        state
            .store
            .remove(resources::plural("", "namespaces"), &Name::of(namespace));
    }
}

fn delete(state: &mut State, now: Timestamp, resource: &'static Resource, object: &Value, policy: &str) {
    let options = json!({"propagationPolicy": policy, "preconditions": {"uid": json::uid(object)}});
    // Gone already, or made anew since: nothing to do.
    state
        .writer(now, MANAGER)
        .delete(resource, json::namespace(object), json::name(object), &options)
        .ok();
}

fn drop_finalizer(
    state: &mut State,
    now: Timestamp,
    resource: &'static Resource,
    object: &Value,
    finalizer: &str,
) {
    change(state, now, resource, object, |fresh| {
        let mut kept = json::items(fresh, "/metadata/finalizers").to_vec();
        kept.retain(|f| f != finalizer);
        put(fresh, &["metadata", "finalizers"], kept.into());
    });
}

fn keep_owners(
    state: &mut State,
    now: Timestamp,
    resource: &'static Resource,
    object: &Value,
    keep: impl Fn(&str) -> bool,
) {
    change(state, now, resource, object, |fresh| {
        let mut owners = json::items(fresh, "/metadata/ownerReferences").to_vec();
        owners.retain(|owner| keep(text(owner, "/uid")));
        put(fresh, &["metadata", "ownerReferences"], owners.into());
    });
}

fn change(
    state: &mut State,
    now: Timestamp,
    resource: &'static Resource,
    object: &Value,
    edit: impl FnOnce(&mut Value),
) {
    let Some(current) = state
        .store
        .get(resource, json::namespace(object), json::name(object))
    else {
        return;
    };
    let current = Value::clone(current);
    let mut fresh = current.clone();
    edit(&mut fresh);
    // An object that the rules refuse stays as it is; the next round tries again.
    state
        .writer(now, MANAGER)
        .update(resource, Part::Main, &current, fresh, Booking::Update)
        .ok();
}

//! What every write goes through: preconditions, defaults, admission, generation, ownership, no-op detection.
//!
//! The world's own controllers write by the same road as clients do, so that a watch or a test never sees a state
//! that the real server could not show.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::managers::{self, Author};
use super::refusal::Refusal;
use super::request::Part;
use super::resources::{self, Resource};
use super::store::{Name, Store};
use super::{admission, defaults, schema, validate};
use crate::world::json::{self, cut, put, text};
use crate::world::rng::Rng;

/// One write, by whom and how.
pub(in crate::world) struct Writer<'a> {
    pub(in crate::world) store: &'a mut Store,
    pub(in crate::world) ids: &'a mut Rng,
    pub(in crate::world) schemas: &'a BTreeMap<String, Value>,
    pub(in crate::world) now: Timestamp,
    pub(in crate::world) user: &'a str,
    pub(in crate::world) manager: &'a str,
    pub(in crate::world) dry_run: bool,
}

/// Who books the ownership of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::world) enum Booking {
    /// By difference, as an ordinary write.
    Update,
    /// The object carries its `managedFields` already (server-side apply).
    Applied,
}

impl Writer<'_> {
    /// The author of a write to a part of a resource.
    pub(in crate::world) fn author<'b>(&'b self, api_version: &'b str, part: Part) -> Author<'b> {
        Author {
            manager: self.manager,
            part: part.name(),
            api_version,
            now: self.now,
        }
    }

    /// Creates an object.
    pub(in crate::world) fn create(
        &mut self,
        resource: &'static Resource,
        namespace: &str,
        mut object: Value,
        booking: Booking,
    ) -> Result<Value, Refusal> {
        self.identify(resource, namespace, &mut object)?;
        let name = json::name(&object).to_owned();
        if !text(&object, "/metadata/resourceVersion").is_empty() {
            return Err(Refusal::versioned_create());
        }
        validate::name(resource, &name)?;
        if resource.namespaced
            && self
                .store
                .get(resources::plural("", "namespaces"), "", namespace)
                .is_none()
        {
            return Err(Refusal::not_found(resources::plural("", "namespaces"), namespace));
        }
        if self.store.get(resource, namespace, &name).is_some() {
            return Err(Refusal::already_exists(resource, &name));
        }
        put(&mut object, &["metadata", "uid"], self.ids.uuid().into());
        put(
            &mut object,
            &["metadata", "creationTimestamp"],
            json::stamp(self.now),
        );
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"] {
            cut(&mut object, &["metadata", field]);
        }
        cut(&mut object, &["metadata", "generation"]);
        if resource.generation {
            put(&mut object, &["metadata", "generation"], 1.into());
        }
        if resource.status && !matches!(resource.plural, "nodes") {
            cut(&mut object, &["status"]);
        }
        defaults::apply(resource, &mut object, None);
        if let Some(schema) = self.schemas.get(&resource.qualified()) {
            schema::fit(&mut object, schema);
        }
        validate::object(resource, &object, None)?;
        if booking == Booking::Update {
            let api_version = resource.api_version();
            cut(&mut object, &["metadata", "managedFields"]);
            managers::book_update(&json!({}), &mut object, self.author(&api_version, Part::Main));
        }
        // What the server allots after that belongs to nobody.
        defaults::allot(resource, &mut object, self.store);
        if self.dry_run {
            return Ok(object);
        }
        Ok(Value::clone(&self.store.put(resource, object)))
    }

    /// Fills in and checks kind, namespace and name of an object to be created.
    fn identify(&mut self, resource: &Resource, namespace: &str, object: &mut Value) -> Result<(), Refusal> {
        validate::type_meta(resource, object)?;
        if !resource.namespaced {
            cut(object, &["metadata", "namespace"]);
        } else if json::namespace(object).is_empty() {
            put(object, &["metadata", "namespace"], namespace.into());
        } else if json::namespace(object) != namespace {
            return Err(Refusal::bad_request(
                "the namespace of the provided object does not match the namespace sent on the request",
            ));
        }
        if json::name(object).is_empty() {
            let base = text(object, "/metadata/generateName").to_owned();
            if base.is_empty() {
                let why = "Required value: name or generateName is required";
                return Err(Refusal::invalid(resource, "", "metadata.name", why));
            }
            let name = format!("{base}{}", self.ids.suffix(5));
            put(object, &["metadata", "name"], name.into());
        }
        Ok(())
    }

    /// Replaces a part of an object by what `object` says.
    pub(in crate::world) fn update(
        &mut self,
        resource: &'static Resource,
        part: Part,
        current: &Value,
        mut object: Value,
        booking: Booking,
    ) -> Result<Value, Refusal> {
        validate::type_meta(resource, &mut object)?;
        let name = json::name(current).to_owned();
        check_version(resource, current, &object)?;
        keep_identity(resource, current, &mut object)?;
        keep_other_parts(resource, part, current, &mut object);
        defaults::apply(resource, &mut object, Some(current));
        if let Some(schema) = self.schemas.get(&resource.qualified()) {
            schema::fit(&mut object, schema);
        }
        if part == Part::Main {
            admission::gate(self.store, self.user, resource, current, &mut object);
        }
        validate::object(resource, &object, Some(current))?;
        raise_generation(resource, current, &mut object);
        if booking == Booking::Update {
            let api_version = resource.api_version();
            managers::book_update(current, &mut object, self.author(&api_version, part));
        }
        put(
            &mut object,
            &["metadata", "resourceVersion"],
            current["metadata"]["resourceVersion"].clone(),
        );
        if self.dry_run || same(current, &object) {
            return Ok(if self.dry_run { object } else { current.clone() });
        }
        if json::deleting(&object)
            && json::items(&object, "/metadata/finalizers").is_empty()
            && text(&object, "/metadata/deletionTimestamp") <= json::stamp(self.now).as_str().unwrap_or("")
        {
            // The write that lets the last finalizer go is the deletion itself.
            self.store
                .remove(resource, &Name::new(json::namespace(&object), &name));
            return Ok(object);
        }
        let written = self.store.put(resource, object);
        Ok(Value::clone(&written))
    }
}

fn check_version(resource: &Resource, current: &Value, object: &Value) -> Result<(), Refusal> {
    match text(object, "/metadata/resourceVersion") {
        "" if resource.unconditional => Ok(()),
        "" => Err(Refusal::unversioned(resource, json::name(current))),
        version if version == text(current, "/metadata/resourceVersion") => Ok(()),
        _ => Err(Refusal::stale(resource, json::name(current))),
    }
}

/// Name and identity never change; what the server owns in the metadata comes from the stored object.
fn keep_identity(resource: &Resource, current: &Value, object: &mut Value) -> Result<(), Refusal> {
    for field in ["name", "namespace"] {
        let pointer = format!("/metadata/{field}");
        let (new, old) = (text(object, &pointer), text(current, &pointer));
        if new.is_empty() && field == "namespace" {
            put(object, &["metadata", field], old.into());
        } else if new != old {
            return Err(Refusal::bad_request(format!(
                "the {field} of the object ({new}) does not match the {field} on the URL ({old})"
            )));
        }
    }
    if !resource.namespaced {
        cut(object, &["metadata", "namespace"]);
    }
    let (new, old) = (json::uid(object), json::uid(current));
    if !new.is_empty() && new != old {
        let why = format!("Invalid value: {new:?}: field is immutable");
        return Err(Refusal::invalid(
            resource,
            json::name(current),
            "metadata.uid",
            &why,
        ));
    }
    let kept = [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
        "generateName",
    ];
    for field in kept {
        cut(object, &["metadata", field]);
        if let Some(value) = current["metadata"].get(field) {
            put(object, &["metadata", field], value.clone());
        }
    }
    Ok(())
}

/// A write to the object leaves the status alone, and a write to the status the rest.
fn keep_other_parts(resource: &Resource, part: Part, current: &Value, object: &mut Value) {
    if !resource.status {
        return;
    }
    if part != Part::Status {
        copy(current, object, &["status"]);
        return;
    }
    let mut whole = current.clone();
    copy(object, &mut whole, &["status"]);
    if !resource.custom {
        // Built-in kinds take annotations (the Deployment controller writes its revision so), not labels.
        copy(object, &mut whole, &["metadata", "annotations"]);
        copy(object, &mut whole, &["metadata", "finalizers"]);
    }
    copy(object, &mut whole, &["metadata", "managedFields"]);
    *object = whole;
}

/// Makes a field of `to` what it is in `from`, absence included.
fn copy(from: &Value, to: &mut Value, path: &[&str]) {
    let value = path
        .iter()
        .try_fold(from, |at, field| at.get(*field))
        .filter(|value| !value.is_null());
    match value {
        Some(value) => put(to, path, value.clone()),
        None => {
            cut(to, path);
        }
    }
}

/// Counts a change of anything but metadata and status; a Deployment's annotations count too.
fn raise_generation(resource: &Resource, current: &Value, object: &mut Value) {
    if !resource.generation {
        return;
    }
    let content = |object: &Value| {
        let mut content = object.clone();
        if let Some(fields) = content.as_object_mut() {
            for field in ["metadata", "apiVersion", "kind"] {
                fields.remove(field);
            }
            if resource.status {
                fields.remove("status");
            }
        }
        content
    };
    let annotated = resource.plural == "deployments"
        && current["metadata"].get("annotations") != object["metadata"].get("annotations")
        && current.get("status") == object.get("status");
    if content(current) != content(object) || annotated {
        let next = json::generation(current) + 1;
        put(object, &["metadata", "generation"], next.into());
    }
}

/// Equal but for the times in `managedFields`.
fn same(old: &Value, new: &Value) -> bool {
    let timeless = |object: &Value| {
        let mut object = object.clone();
        if let Some(entries) = object
            .pointer_mut("/metadata/managedFields")
            .and_then(Value::as_array_mut)
        {
            for entry in entries {
                cut(entry, &["time"]);
            }
        }
        object
    };
    old == new || timeless(old) == timeless(new)
}

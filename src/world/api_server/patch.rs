//! PUT and PATCH: JSON patch, merge patch, server-side apply, on objects and on their subresources.

use json_patch::{Patch, PatchOperation};
use serde_json::{Value, json};

use super::apply;
use super::read;
use super::refusal::Refusal;
use super::request::{Asked, Part, Target};
use super::validate;
use super::write::{Booking, Writer};
use crate::world::json::{self, put, text};

impl Writer<'_> {
    /// Answers a PUT.
    pub(in crate::world) fn replace(
        &mut self,
        target: &Target,
        name: &str,
        object: Value,
    ) -> Result<Value, Refusal> {
        let current = self.current(target, name)?;
        let (wanted, is) = (json::uid(&object), json::uid(&current));
        if !wanted.is_empty() && wanted != is && target.part != Part::Scale {
            let key = format!("/registry/{}/{}/{name}", target.resource.plural, target.namespace);
            let why = format!(
                "StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: \
                 Precondition failed: UID in precondition: {wanted}, UID in object meta: {is}"
            );
            return Err(Refusal::conflict(target.resource, name, &why));
        }
        if target.part == Part::Scale {
            return self.write_scale(target, &current, &object);
        }
        self.update(target.resource, target.part, &current, object, Booking::Update)
    }

    /// Answers a PATCH; the flag says whether an apply created the object.
    pub(super) fn patch(
        &mut self,
        asked: &Asked,
        target: &Target,
        name: &str,
    ) -> Result<(Value, bool), Refusal> {
        if asked.content_type.contains("apply-patch") {
            return self.apply(asked, target, name);
        }
        let current = self.current(target, name)?;
        let mut object = if target.part == Part::Scale {
            read::scale(&current)
        } else {
            current.clone()
        };
        match asked.content_type.split(';').next().unwrap_or_default() {
            "application/json-patch+json" => json_patch(&mut object, asked.json()?)?,
            "application/merge-patch+json" => json_patch::merge(&mut object, &asked.json()?),
            // Close enough for the maps that Serin's users patch: no list is merged by key.
            "application/strategic-merge-patch+json" if !target.resource.custom => {
                json_patch::merge(&mut object, &asked.json()?);
            }
            _ => {
                return Err(Refusal::unsupported_patch(
                    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml",
                ));
            }
        }
        if target.part == Part::Scale {
            return Ok((self.write_scale(target, &current, &object)?, false));
        }
        let written = self.update(target.resource, target.part, &current, object, Booking::Update)?;
        Ok((written, false))
    }

    fn apply(&mut self, asked: &Asked, target: &Target, name: &str) -> Result<(Value, bool), Refusal> {
        if asked.param("fieldManager").is_empty() {
            return Err(Refusal::no_manager());
        }
        let mut config = asked.json()?;
        if config
            .pointer("/metadata/managedFields")
            .is_some_and(|fields| !fields.is_null())
        {
            return Err(Refusal::bad_request("metadata.managedFields must be nil"));
        }
        if target.part == Part::Scale {
            return Err(Refusal::unsupported_patch(
                "application/json-patch+json, application/merge-patch+json",
            ));
        }
        validate::type_meta(target.resource, &mut config)?;
        if target.resource.custom && config.get("metadata").is_none() {
            return Err(Refusal::bad_request(format!(
                "the name of the object ({name} based on URL) was undeterminable: name must be provided"
            )));
        }
        put(&mut config, &["metadata", "name"], name.into());
        if target.resource.namespaced {
            put(
                &mut config,
                &["metadata", "namespace"],
                target.namespace.as_str().into(),
            );
        }
        let api_version = target.resource.api_version();
        let force = asked.is("force");
        let live = self
            .store
            .get(target.resource, &target.namespace, name)
            .map(|o| Value::clone(o));
        let mut booked = config.clone();
        ignore_other_part(target, &mut booked);
        let author = self.author(&api_version, target.part);
        let Some(live) = live else {
            if target.part != Part::Main {
                return Err(Refusal::not_found(target.resource, name));
            }
            if !json::uid(&config).is_empty() {
                let why = format!(
                    "uid mismatch: the provided object specified uid {}, and no existing object was found",
                    json::uid(&config)
                );
                return Err(Refusal::conflict(target.resource, name, &why));
            }
            let object = apply::apply(&json!({}), &booked, author, force)?;
            let made = self.create(target.resource, &target.namespace, object, Booking::Applied)?;
            return Ok((made, true));
        };
        let object = apply::apply(&live, &booked, author, force)?;
        let written = self.update(target.resource, target.part, &live, object, Booking::Applied)?;
        Ok((written, false))
    }

    fn current(&self, target: &Target, name: &str) -> Result<Value, Refusal> {
        self.store
            .get(target.resource, &target.namespace, name)
            .map(|object| Value::clone(object))
            .ok_or_else(|| Refusal::not_found(target.resource, name))
    }

    fn write_scale(&mut self, target: &Target, current: &Value, scale: &Value) -> Result<Value, Refusal> {
        let mut object = current.clone();
        let replicas = json::int(scale, "/spec/replicas").unwrap_or(0);
        if replicas < 0 {
            let why = "Invalid value: must be greater than or equal to 0";
            return Err(Refusal::invalid(
                target.resource,
                json::name(current),
                "spec.replicas",
                why,
            ));
        }
        put(&mut object, &["spec", "replicas"], replicas.into());
        let version = text(scale, "/metadata/resourceVersion");
        if !version.is_empty() {
            put(&mut object, &["metadata", "resourceVersion"], version.into());
        }
        let written = self.update(target.resource, Part::Scale, current, object, Booking::Update)?;
        Ok(read::scale(&written))
    }
}

/// Applied fields of the part that this path does not write have no effect and no owner.
fn ignore_other_part(target: &Target, config: &mut Value) {
    if !target.resource.status {
        return;
    }
    if target.part == Part::Status {
        if let Some(fields) = config.as_object_mut() {
            fields.retain(|field, _| matches!(field.as_str(), "apiVersion" | "kind" | "metadata" | "status"));
        }
        for field in ["labels", "annotations", "finalizers", "ownerReferences"] {
            if target.resource.custom || field == "labels" {
                json::cut(config, &["metadata", field]);
            }
        }
    } else {
        json::cut(config, &["status"]);
    }
}

/// Applies the operations in order; all or nothing.
fn json_patch(object: &mut Value, patch: Value) -> Result<(), Refusal> {
    let Patch(operations) = serde_json::from_value(patch)
        .map_err(|error| Refusal::bad_request(format!("error decoding patch: {error}")))?;
    for operation in operations {
        // The server takes a test for null as passed where nothing is.
        if let PatchOperation::Test(test) = &operation
            && test.value.is_null()
            && object.pointer(test.path.as_str()).is_none()
        {
            continue;
        }
        json_patch::patch(object, &[operation]).map_err(|_| Refusal::patch_failed())?;
    }
    Ok(())
}

//! Error answers, worded as the real API server words them.

use http::StatusCode;
use serde_json::{Value, json};

use super::resources::Resource;

/// A request that is not carried out; becomes a `Status` object.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::world) struct Refusal {
    pub(in crate::world) code: StatusCode,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Refusal {
    fn new(code: StatusCode, reason: &'static str, message: String, details: Value) -> Self {
        Self {
            code,
            reason,
            message,
            details,
        }
    }

    fn about(
        resource: &Resource,
        name: &str,
        code: StatusCode,
        reason: &'static str,
        message: String,
    ) -> Self {
        Self::new(code, reason, message, subject(resource, name, resource.plural))
    }

    /// The `Status` object.
    pub(in crate::world) fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "details": self.details,
            "code": self.code.as_u16(),
        });
        if let Some(fields) = body.as_object_mut() {
            fields.retain(|_, field| !field.is_null() && field != "");
        }
        body
    }

    pub(in crate::world) fn not_found(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", resource.qualified());
        Self::about(resource, name, StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(super) fn no_such_path() -> Self {
        let message = "the server could not find the requested resource".to_owned();
        Self::new(StatusCode::NOT_FOUND, "NotFound", message, json!({}))
    }

    pub(super) fn method_not_allowed() -> Self {
        let message = "the server does not allow this method on the requested resource".to_owned();
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            message,
            json!({}),
        )
    }

    pub(super) fn unsupported_patch(kind: &str) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {kind}"
        );
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            message,
            Value::Null,
        )
    }

    pub(super) fn already_exists(resource: &Resource, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", resource.qualified());
        Self::about(resource, name, StatusCode::CONFLICT, "AlreadyExists", message)
    }

    pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified()
        );
        Self::about(resource, name, StatusCode::CONFLICT, "Conflict", message)
    }

    /// The object was changed since the caller read it.
    pub(super) fn stale(resource: &Resource, name: &str) -> Self {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(resource, name, why)
    }

    /// Server-side apply meets fields of other managers: `(manager as described, field)`, sorted by manager.
    pub(super) fn field_conflicts(conflicts: &[(String, String)]) -> Self {
        let message = if let [(manager, field)] = conflicts {
            format!("Apply failed with 1 conflict: conflict with {manager}: {field}")
        } else {
            let mut lines = Vec::new();
            let mut last = "";
            for (manager, field) in conflicts {
                if manager != last {
                    lines.push(format!("conflicts with {manager}:"));
                    last = manager;
                }
                lines.push(format!("- {field}"));
            }
            format!(
                "Apply failed with {} conflicts: {}",
                conflicts.len(),
                lines.join("\n")
            )
        };
        let cause = |(manager, field): &(String, String)| json!({"reason": "FieldManagerConflict", "message": format!("conflict with {manager}"), "field": field});
        let causes: Vec<Value> = conflicts.iter().map(cause).collect();
        Self::new(
            StatusCode::CONFLICT,
            "Conflict",
            message,
            json!({"causes": causes}),
        )
    }

    /// One invalid field. `why` begins with the server's class: `Invalid value: …`, `Required value: …`.
    pub(in crate::world) fn invalid(resource: &Resource, name: &str, field: &str, why: &str) -> Self {
        let message = format!(
            "{} \"{name}\" is invalid: {field}: {why}",
            resource.qualified_kind()
        );
        let class = match why.split(' ').next() {
            Some("Required") => "FieldValueRequired",
            Some("Forbidden:") => "FieldValueForbidden",
            _ => "FieldValueInvalid",
        };
        let mut details = subject(resource, name, resource.kind);
        details["causes"] = json!([{"reason": class, "message": why, "field": field}]);
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, details)
    }

    /// A JSON patch that does not apply: a failed `test`, a missing path.
    pub(super) fn patch_failed() -> Self {
        let message = "the server rejected our request due to an error in our request".to_owned();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, json!({}))
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message.into(), Value::Null)
    }

    /// A create that carries a version; the server has no reason for it.
    pub(super) fn versioned_create() -> Self {
        let message = "resourceVersion should not be set on objects to be created".to_owned();
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "", message, Value::Null)
    }

    /// An update without the version that its kind wants; named by the resource, unlike other invalid fields.
    pub(super) fn unversioned(resource: &Resource, name: &str) -> Self {
        let why = "Invalid value: 0: must be specified for an update";
        let mut refusal = Self::invalid(resource, name, "metadata.resourceVersion", why);
        refusal.message = format!(
            "{} \"{name}\" is invalid: metadata.resourceVersion: {why}",
            resource.qualified()
        );
        refusal.details["kind"] = resource.plural.into();
        refusal
    }

    /// A deletion whose precondition does not hold; named by the kind, unlike other conflicts.
    pub(super) fn precondition(resource: &Resource, name: &str, why: &str) -> Self {
        let mut refusal = Self::conflict(resource, name, why);
        refusal.message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            resource.qualified_kind()
        );
        refusal.details["kind"] = resource.kind.into();
        refusal
    }

    /// A server-side apply by nobody.
    pub(super) fn no_manager() -> Self {
        let why = "Required value: is required for apply patch";
        let message = format!("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: {why}");
        let cause = json!({"reason": "FieldValueRequired", "message": why, "field": "fieldManager"});
        let details = json!({"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause]});
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message, details)
    }

    /// A watch that begins before the oldest change kept.
    pub(super) fn expired(asked: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {asked} ({oldest})");
        Self::new(StatusCode::GONE, "Expired", message, json!({}))
    }

    pub(super) fn forbidden(
        resource: &Resource,
        namespace: &str,
        name: &str,
        user: &str,
        verb: &str,
    ) -> Self {
        let scope = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{namespace}\"")
        };
        let subject = if name.is_empty() {
            String::new()
        } else {
            format!(" \"{name}\"")
        };
        let message = format!(
            "{}{subject} is forbidden: User \"{user}\" cannot {verb} resource \"{}\" in API group \"{}\" {scope}",
            resource.qualified(),
            resource.plural,
            resource.group,
        );
        Self::about(resource, name, StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// An injected answer of the given code.
    pub(super) fn injected(code: StatusCode) -> Self {
        let reason = match code.as_u16() {
            401 => "Unauthorized",
            403 => "Forbidden",
            409 => "Conflict",
            429 => "TooManyRequests",
            500 => "InternalError",
            503 => "ServiceUnavailable",
            504 => "Timeout",
            _ => "",
        };
        Self::new(
            code,
            reason,
            format!("injected fault: HTTP {}", code.as_u16()),
            json!({}),
        )
    }
}

fn subject(resource: &Resource, name: &str, kind: &str) -> Value {
    let mut details = json!({"kind": kind});
    if !name.is_empty() {
        details["name"] = name.into();
    }
    if !resource.group.is_empty() {
        details["group"] = resource.group.into();
    }
    details
}

//! The few checks of the real server that a client may run into.

use serde_json::Value;

use super::refusal::Refusal;
use super::resources::Resource;
use super::selector;
use crate::world::json::{self, text};

/// `apiVersion` and `kind` are the resource's, and are filled in where absent.
pub(super) fn type_meta(resource: &Resource, object: &mut Value) -> Result<(), Refusal> {
    if !object.is_object() {
        return Err(Refusal::bad_request("the request body is not an object"));
    }
    let expected = resource.api_version();
    let (version, kind) = (text(object, "/apiVersion"), text(object, "/kind"));
    if !version.is_empty() && version != expected {
        return Err(Refusal::bad_request(format!(
            "the API version in the data ({version}) does not match the expected API version ({expected})"
        )));
    }
    if !kind.is_empty() && kind != resource.kind {
        return Err(Refusal::bad_request(format!(
            "the kind in the data ({kind}) does not match the expected kind ({})",
            resource.kind
        )));
    }
    json::put(object, &["apiVersion"], expected.into());
    json::put(object, &["kind"], resource.kind.into());
    Ok(())
}

/// An RFC 1123 name: a label for Services and Namespaces, a subdomain for the rest.
pub(super) fn name(resource: &Resource, name: &str) -> Result<(), Refusal> {
    let label = matches!(resource.plural, "services" | "namespaces");
    let limit = if label { 63 } else { 253 };
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || (c == '.' && !label);
    if name.len() <= limit
        && edge(name.chars().next())
        && edge(name.chars().next_back())
        && name.chars().all(inner)
    {
        return Ok(());
    }
    let kind = if label { "label" } else { "subdomain" };
    let why = format!(
        "Invalid value: {name:?}: a lowercase RFC 1123 {kind} must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character"
    );
    Err(Refusal::invalid(resource, name, "metadata.name", &why))
}

/// The object as a whole, against its predecessor where there is one.
pub(super) fn object(resource: &Resource, object: &Value, old: Option<&Value>) -> Result<(), Refusal> {
    let refuse = |field: &str, why: &str| Err(Refusal::invalid(resource, json::name(object), field, why));
    if let Some(old) = old.filter(|old| json::deleting(old)) {
        let before = json::items(old, "/metadata/finalizers");
        if json::items(object, "/metadata/finalizers")
            .iter()
            .any(|f| !before.contains(f))
        {
            let why = "Forbidden: no new finalizers can be added if the object is being deleted";
            return refuse("metadata.finalizers", why);
        }
    }
    match resource.plural {
        "deployments" | "replicasets" => {
            let labels = json::map(object, "/spec/template/metadata/labels");
            let selected = json::map(object, "/spec/selector/matchLabels");
            if old.is_some_and(|old| old["spec"]["selector"] != object["spec"]["selector"]) {
                return refuse("spec.selector", "Invalid value: field is immutable");
            }
            if selected.is_none() && object.pointer("/spec/selector/matchExpressions").is_none() {
                return refuse("spec.selector", "Required value");
            }
            if selected.is_some() && !selector::equals(selected, labels) {
                let why = "Invalid value: `selector` does not match template `labels`";
                return refuse("spec.template.metadata.labels", why);
            }
            if json::int(object, "/spec/replicas").is_some_and(|n| n < 0) {
                return refuse(
                    "spec.replicas",
                    "Invalid value: must be greater than or equal to 0",
                );
            }
            if json::items(object, "/spec/template/spec/containers").is_empty() {
                return refuse("spec.template.spec.containers", "Required value");
            }
            Ok(())
        }
        "services" => {
            let ip = text(object, "/spec/clusterIP");
            let before = old.map_or("", |old| text(old, "/spec/clusterIP"));
            if !before.is_empty() && ip != before && text(object, "/spec/type") == "ClusterIP" {
                let why = format!("Invalid value: {ip:?}: may not change once set");
                return refuse("spec.clusterIPs[0]", &why);
            }
            if json::items(object, "/spec/ports").is_empty()
                && ip != "None"
                && text(object, "/spec/type") != "ExternalName"
            {
                return refuse("spec.ports", "Required value");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

//! Get and list, and the shapes in which objects are answered.

use serde_json::{Value, json};

use super::refusal::Refusal;
use super::request::{Asked, Part, Target};
use super::selector::Selector;
use super::store::Store;
use crate::world::json;

/// Answers a GET of one object.
pub(super) fn get(store: &Store, asked: &Asked, target: &Target, name: &str) -> Result<Value, Refusal> {
    let object = store
        .get(target.resource, &target.namespace, name)
        .ok_or_else(|| Refusal::not_found(target.resource, name))?;
    Ok(match target.part {
        Part::Scale => scale(object),
        Part::Main | Part::Status => shape(asked, object),
    })
}

/// Answers a GET of a collection, in pages when `limit` asks for them.
pub(super) fn list(store: &Store, asked: &Asked, target: &Target) -> Result<Value, Refusal> {
    let selector = Selector::parse(asked.param("labelSelector"), asked.param("fieldSelector"))?;
    // A page's continuation names the last object given; the world's pages are of the newest state.
    let after = asked.param("continue");
    let place = |object: &Value| format!("{}/{}", json::namespace(object), json::name(object));
    let mut found: Vec<&Value> = store
        .list(target.resource, &target.namespace)
        .map(AsRef::as_ref)
        .filter(|object| selector.matches(object) && (after.is_empty() || place(object).as_str() > after))
        .collect();
    let mut metadata = json!({"resourceVersion": store.version().to_string()});
    let limit = asked.param("limit").parse().unwrap_or(0);
    if limit > 0 && found.len() > limit {
        metadata["remainingItemCount"] = (found.len() - limit).into();
        found.truncate(limit);
        metadata["continue"] = found
            .last()
            .map(|object| place(object))
            .unwrap_or_default()
            .into();
    }
    let mut items: Vec<Value> = found.into_iter().map(|object| shape(asked, object)).collect();
    if !target.resource.custom && !metadata_only(asked) {
        // Items of built-in kinds do not repeat what the list says.
        for fields in items.iter_mut().filter_map(Value::as_object_mut) {
            fields.remove("apiVersion");
            fields.remove("kind");
        }
    }
    let (api_version, kind) = if metadata_only(asked) {
        (
            "meta.k8s.io/v1".to_owned(),
            "PartialObjectMetadataList".to_owned(),
        )
    } else {
        (
            target.resource.api_version(),
            format!("{}List", target.resource.kind),
        )
    };
    Ok(json!({"kind": kind, "apiVersion": api_version, "metadata": metadata, "items": items}))
}

/// Whether the caller wants metadata only.
pub(super) fn metadata_only(asked: &Asked) -> bool {
    asked.accept.contains("as=PartialObjectMetadata")
}

/// An object as the caller wants it.
pub(super) fn shape(asked: &Asked, object: &Value) -> Value {
    if metadata_only(asked) {
        partial(object)
    } else {
        object.clone()
    }
}

/// The metadata of an object as an object of its own.
pub(super) fn partial(object: &Value) -> Value {
    json!({"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object["metadata"]})
}

/// The `Scale` of a workload.
pub(super) fn scale(object: &Value) -> Value {
    let mut metadata = json!({});
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        metadata[field] = object["metadata"][field].clone();
    }
    let selector: Vec<String> = json::map(object, "/spec/selector/matchLabels")
        .into_iter()
        .flatten()
        .map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or_default()))
        .collect();
    let mut spec = json!({});
    if let Some(replicas) = json::int(object, "/spec/replicas").filter(|n| *n != 0) {
        spec["replicas"] = replicas.into();
    }
    json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata, "spec": spec,
        "status": {"replicas": json::int(object, "/status/replicas").unwrap_or(0), "selector": selector.join(",")},
    })
}

//! Applies YAML documents of any kind, as `kubectl apply --server-side` does.

use crate::{Outcome, wait};
use futures::future::try_join_all;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind, TypeMeta};
use kube::discovery::{self, Scope};
use kube::{Client, ResourceExt};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// The field manager of the tests' own objects.
pub(crate) const MANAGER: &str = "tests";

/// What discovery has told already: resource, and whether it lives in namespaces.
static KINDS: Mutex<BTreeMap<String, (ApiResource, bool)>> = Mutex::new(BTreeMap::new());

/// The documents of a YAML text, empty ones left out.
pub(crate) fn parse(text: &str) -> Outcome<Vec<DynamicObject>> {
    let mut objects = Vec::new();
    for document in serde_yaml::Deserializer::from_str(text) {
        let value = serde_json::Value::deserialize(document)?;
        if !value.is_null() {
            objects.push(serde_json::from_value(value)?);
        }
    }
    Ok(objects)
}

/// Applies all documents at once; namespaced ones without a namespace go to `namespace`. Kinds that the server
/// does not know yet (a definition just applied) are waited for.
pub(crate) async fn text(client: &Client, namespace: &str, text: &str) -> Outcome<Vec<DynamicObject>> {
    objects(client, namespace, parse(text)?).await
}

/// As [`text`], for objects.
pub(crate) async fn objects(
    client: &Client,
    namespace: &str,
    objects: Vec<DynamicObject>,
) -> Outcome<Vec<DynamicObject>> {
    let params = PatchParams::apply(MANAGER).force();
    try_join_all(objects.into_iter().map(async |object| {
        let types = object
            .types
            .clone()
            .ok_or("a document without apiVersion and kind")?;
        let api = api(client, namespace, &types, object.metadata.namespace.as_deref()).await?;
        let name = object.name_any();
        let applied = api.patch(&name, &params, &Patch::Apply(&object)).await;
        applied.map_err(|error| format!("apply {} {name}: {error}", types.kind).into())
    }))
    .await
}

/// Applies CustomResourceDefinitions and waits until the server serves each of their kinds.
pub(crate) async fn definitions(client: &Client, yaml: &str) -> Outcome {
    let applied = text(client, "", yaml).await?;
    try_join_all(applied.iter().map(async |definition| {
        let spec = &definition.data["spec"];
        let word = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let versions = spec["versions"].as_array().into_iter().flatten();
        let served = versions.filter(|version| version["served"] == true);
        for version in served {
            let api_version = format!("{}/{}", word(&spec["group"]), word(&version["name"]));
            let types = TypeMeta {
                api_version,
                kind: word(&spec["names"]["kind"]),
            };
            api(client, "", &types, None).await?;
        }
        Outcome::Ok(())
    }))
    .await?;
    Ok(())
}

/// An interface to objects of a kind known only by name.
pub(crate) async fn api(
    client: &Client,
    default: &str,
    types: &TypeMeta,
    namespace: Option<&str>,
) -> Outcome<Api<DynamicObject>> {
    let key = format!("{} {}", types.api_version, types.kind);
    let known = KINDS.lock().unwrap().get(&key).cloned();
    let (resource, namespaced) = if let Some(known) = known {
        known
    } else {
        let found = discover(client, types).await?;
        KINDS.lock().unwrap().insert(key, found.clone());
        found
    };
    Ok(if namespaced {
        Api::namespaced_with(client.clone(), namespace.unwrap_or(default), &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    })
}

async fn discover(client: &Client, types: &TypeMeta) -> Outcome<(ApiResource, bool)> {
    let kind = GroupVersionKind::try_from(types)?;
    wait::until(
        &format!("the server to know {} {}", types.api_version, types.kind),
        Duration::from_secs(10),
        || async {
            let (resource, capabilities) = discovery::pinned_kind(client, &kind).await?;
            Ok(Some((resource, capabilities.scope == Scope::Namespaced)))
        },
    )
    .await
}

//! The calls that a writer makes: each with its deadline, and with the words of RBAC for its error.

use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client};
use serde_json::Value;

use super::{Applied, ApplyError, Writer};
use crate::cluster::cache::Kind;
use crate::cluster::client;
use crate::cluster::error::{Call, Error};
use crate::cluster::lease::Stamp;
use crate::cluster::watches::api_resource;
use crate::render::json::text;
use crate::render::{names, patch, write_check};

impl Writer {
    /// Reads an object from the server, not from a cache.
    pub(super) async fn get(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Value>, ApplyError> {
        let what = call("get", kind, "", namespace, name);
        let api = api(&self.client, kind, namespace);
        let object = client::call(what, self.deadline, api.get_opt(name)).await?;
        Ok(object.and_then(|object| value(kind, object)))
    }

    /// Sends a patch of `object`, if there is one to send, and if no later leader has written the object. What the server
    /// answers must be what was written.
    pub(super) async fn patch(
        &self,
        kind: Kind,
        object: &Value,
        ops: Option<Vec<Value>>,
    ) -> Result<Applied, ApplyError> {
        let Some(ops) = ops else {
            return Ok(Applied::default());
        };
        self.fence(object)?;
        let (namespace, name) = (
            text(object, "/metadata/namespace"),
            text(object, "/metadata/name"),
        );
        let what = call("patch", kind, "", namespace, name);
        let patch = json_patch(&what, ops.clone())?;
        let api = api(&self.client, kind, namespace);
        let answer = client::call(what, self.deadline, api.patch(name, &params(), &patch)).await?;
        let applied = written(kind, answer);
        let lost = |(_, answer): &(Kind, Value)| write_check::unkept(&ops, answer);
        match applied.written.iter().find_map(lost) {
            Some(field) => Err(ApplyError::NotKept {
                object: format!("{} {namespace}/{name}", kind.resource().2),
                field,
            }),
            None => Ok(applied),
        }
    }

    /// Patches the status of an object.
    pub(super) async fn patch_status(
        &self,
        kind: Kind,
        object: &Value,
        ops: Vec<Value>,
    ) -> Result<Applied, ApplyError> {
        let (namespace, name) = (
            text(object, "/metadata/namespace"),
            text(object, "/metadata/name"),
        );
        let what = call("patch", kind, "/status", namespace, name);
        let patch = json_patch(&what, ops)?;
        let api = api(&self.client, kind, namespace);
        let answer = client::call(what, self.deadline, api.patch_status(name, &params(), &patch)).await?;
        Ok(written(kind, answer))
    }

    /// Scales a ReplicaSet. The watch brings the outcome.
    pub(super) async fn scale_set(
        &self,
        namespace: &str,
        name: &str,
        ops: &[Value],
    ) -> Result<(), ApplyError> {
        let what = call("patch", Kind::ReplicaSet, "/scale", namespace, name);
        let patch = json_patch(&what, ops.to_vec())?;
        let api = api(&self.client, Kind::ReplicaSet, namespace);
        client::call(what, self.deadline, api.patch_scale(name, &params(), &patch)).await?;
        Ok(())
    }

    /// Creates an object. One of the name that is there already is taken for it only with our label.
    pub(super) async fn create(&self, kind: Kind, object: &Value) -> Result<Applied, ApplyError> {
        let (namespace, name) = (
            text(object, "/metadata/namespace"),
            text(object, "/metadata/name"),
        );
        let what = call("create", kind, "", namespace, name);
        let body: DynamicObject = serde_json::from_value(object.clone())
            .map_err(|error| Error::unusable(what.clone(), error.to_string()))?;
        let api = api(&self.client, kind, namespace);
        let parameters = PostParams {
            field_manager: Some(names::FIELD_MANAGER.into()),
            ..PostParams::default()
        };
        match client::call(what, self.deadline, api.create(&parameters, &body)).await {
            Ok(answer) => Ok(written(kind, answer)),
            Err(error) if error.is_already_exists() => {
                let there = self.get(kind, namespace, name).await?;
                let uid = |object: &Value| object["metadata"]["labels"][names::ROLLOUT_UID].clone();
                match there {
                    Some(there) if uid(&there) == uid(object) => Ok(Applied {
                        written: vec![(kind, there)],
                        deleted: Vec::new(),
                    }),
                    Some(_) => Err(ApplyError::Foreign {
                        kind: kind.resource().2,
                        name: format!("{namespace}/{name}"),
                    }),
                    None => Err(error.into()),
                }
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes exactly this version of `object`. One that is gone is fine.
    pub(super) async fn delete(&self, kind: Kind, object: &Value) -> Result<Applied, ApplyError> {
        self.fence(object)?;
        let (namespace, name) = (
            text(object, "/metadata/namespace"),
            text(object, "/metadata/name"),
        );
        let what = call("delete", kind, "", namespace, name);
        let api = api(&self.client, kind, namespace);
        let parameters = DeleteParams {
            preconditions: Some(Preconditions {
                uid: Some(text(object, "/metadata/uid").to_owned()),
                resource_version: Some(text(object, "/metadata/resourceVersion").to_owned()),
            }),
            ..DeleteParams::background()
        };
        match client::call(what, self.deadline, api.delete(name, &parameters)).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Applied {
            written: Vec::new(),
            deleted: vec![(kind, object.clone())],
        })
    }

    /// Refuses to write over a later leader. A stamp of another Lease has no order, and one that cannot be read says
    /// nothing: the version is the fence then.
    pub(super) fn fence(&self, object: &Value) -> Result<(), ApplyError> {
        let annotation = patch::stamp_of(object).map(str::to_owned);
        let status = object.pointer("/status/stamp").and_then(Value::as_str);
        let stamps = annotation.as_deref().into_iter().chain(status);
        let later = stamps
            .filter_map(|text| text.parse::<Stamp>().ok())
            .find(|stamp| *stamp > self.stamp);
        match later {
            Some(stamp) => Err(ApplyError::Outranked {
                object: format!("{} {}", text(object, "/kind"), text(object, "/metadata/name")),
                stamp,
            }),
            None => Ok(()),
        }
    }
}

fn params() -> PatchParams {
    PatchParams {
        field_manager: Some(names::FIELD_MANAGER.into()),
        ..PatchParams::default()
    }
}

fn json_patch(what: &Call, ops: Vec<Value>) -> Result<Patch<()>, ApplyError> {
    serde_json::from_value(Value::Array(ops))
        .map(Patch::Json)
        .map_err(|error| Error::unusable(what.clone(), error.to_string()).into())
}

fn call(verb: &'static str, kind: Kind, subresource: &str, namespace: &str, name: &str) -> Call {
    let (group, _, _, plural) = kind.resource();
    let dot = if group.is_empty() { "" } else { "." };
    Call::new(verb, format!("{plural}{dot}{group}{subresource}"))
        .within(namespace)
        .on(name)
}

fn api(client: &Client, kind: Kind, namespace: &str) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace, &api_resource(kind))
}

fn written(kind: Kind, answer: DynamicObject) -> Applied {
    Applied {
        written: value(kind, answer)
            .map(|object| (kind, object))
            .into_iter()
            .collect(),
        deleted: Vec::new(),
    }
}

fn value(kind: Kind, object: DynamicObject) -> Option<Value> {
    let mut object = serde_json::to_value(object).ok()?;
    let (group, version, name, _) = kind.resource();
    let dot = if group.is_empty() { "" } else { "/" };
    let fields = object.as_object_mut()?;
    fields.insert("apiVersion".into(), format!("{group}{dot}{version}").into());
    fields.insert("kind".into(), name.into());
    Some(object)
}

//! Putting objects into a world without a client.

use serde_json::{Value, json};

use super::api_server::apply;
use super::api_server::refusal::Refusal;
use super::api_server::request::{Part, Target};
use super::api_server::resources::{self, Resource};
use super::api_server::write::{Booking, Writer};
use super::controllers::replicasets;
use super::json;
use super::{ADMIN, World};

/// Why an object could not be put into the world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorldError {
    /// The text is not YAML.
    #[error("cannot read the objects: {0}")]
    Unreadable(String),
    /// No such kind is served.
    #[error("the world serves no kind {0}")]
    UnknownKind(String),
    /// The API refuses the object.
    #[error("{0}")]
    Refused(String),
}

impl From<Refusal> for WorldError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(json::text(&refusal.body(), "/message").to_owned())
    }
}

impl World {
    /// What every cluster has from the beginning.
    pub(super) fn found(&self) {
        let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": replicasets::NODE}});
        self.apply(&node).ok();
        for name in ["default", "kube-system"] {
            let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            // A new world has no object that these could conflict with.
            self.apply(&namespace).ok();
        }
    }

    /// Applies every document of a YAML text (server-side apply as `kubectl`, forced, as the administrator).
    ///
    /// # Errors
    /// The first document that cannot be read or that the API refuses; those before it are applied.
    pub fn apply_yaml(&self, yaml: &str) -> Result<(), WorldError> {
        use serde::Deserialize;
        for document in serde_yaml::Deserializer::from_str(yaml) {
            let object =
                Value::deserialize(document).map_err(|error| WorldError::Unreadable(error.to_string()))?;
            if !object.is_null() {
                self.apply(&object)?;
            }
        }
        Ok(())
    }

    /// Applies one object; a missing namespace means `default`.
    ///
    /// # Errors
    /// An unknown kind, or what the API refuses.
    pub fn apply(&self, object: &Value) -> Result<(), WorldError> {
        let (api_version, kind) = (json::text(object, "/apiVersion"), json::text(object, "/kind"));
        let resource = resources::of_kind(api_version, kind)
            .ok_or_else(|| WorldError::UnknownKind(format!("{api_version} {kind}")))?;
        self.write(|writer| {
            let mut config = object.clone();
            let namespace = match json::namespace(object) {
                _ if !resource.namespaced => "",
                "" => "default",
                namespace => namespace,
            };
            if resource.namespaced {
                json::put(&mut config, &["metadata", "namespace"], namespace.into());
            }
            let api_version = resource.api_version();
            let author = writer.author(&api_version, Part::Main);
            let live = writer
                .store
                .get(resource, namespace, json::name(object))
                .map(|o| Value::clone(o));
            let nothing = json!({});
            let merged = apply::apply(live.as_ref().unwrap_or(&nothing), &config, author, true)?;
            match live {
                Some(live) => writer.update(resource, Part::Main, &live, merged, Booking::Applied),
                None => writer.create(resource, namespace, merged, Booking::Applied),
            }
        })?;
        Ok(())
    }

    /// Sets the image of a Deployment's first container, as a person does with `kubectl set image`.
    ///
    /// # Errors
    /// An unknown Deployment, or what the API refuses.
    pub fn set_image(&self, namespace: &str, name: &str, image: &str) -> Result<(), WorldError> {
        let patch = |object: &mut Value| {
            if let Some(container) = object.pointer_mut("/spec/template/spec/containers/0") {
                container["image"] = image.into();
            }
        };
        self.change(resources::plural("apps", "deployments"), namespace, name, patch)
    }

    /// Scales a Deployment, as a person does with `kubectl scale`.
    ///
    /// # Errors
    /// An unknown Deployment, or what the API refuses.
    pub fn set_replicas(&self, namespace: &str, name: &str, replicas: u32) -> Result<(), WorldError> {
        let patch = |object: &mut Value| json::put(object, &["spec", "replicas"], replicas.into());
        self.change(resources::plural("apps", "deployments"), namespace, name, patch)
    }

    /// An object as it is stored now, by plural resource name (the first group that has it).
    pub fn object(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        let resource = resources::RESOURCES.iter().find(|r| r.plural == plural)?;
        self.shared
            .lock()
            .store
            .get(resource, namespace, name)
            .map(|o| Value::clone(o))
    }

    /// All objects of a resource in name order, of one namespace or (empty) of all.
    pub fn objects(&self, plural: &str, namespace: &str) -> Vec<Value> {
        let Some(resource) = resources::RESOURCES.iter().find(|r| r.plural == plural) else {
            return Vec::new();
        };
        self.shared
            .lock()
            .store
            .list(resource, namespace)
            .map(|o| Value::clone(o))
            .collect()
    }

    fn change(
        &self,
        resource: &'static Resource,
        namespace: &str,
        name: &str,
        patch: impl FnOnce(&mut Value),
    ) -> Result<(), WorldError> {
        let target = Target {
            resource,
            namespace: namespace.to_owned(),
            name: Some(name.to_owned()),
            part: Part::Main,
        };
        self.write(|writer| {
            let live = writer
                .store
                .get(resource, namespace, name)
                .map(|o| Value::clone(o));
            let mut object = live.ok_or_else(|| Refusal::not_found(resource, name))?;
            patch(&mut object);
            writer.replace(&target, name, object)
        })?;
        Ok(())
    }

    /// Writes as the administrator with `kubectl`, and wakes the watches.
    fn write<T>(&self, act: impl FnOnce(&mut Writer<'_>) -> Result<T, Refusal>) -> Result<T, Refusal> {
        let now = self.shared.now();
        let mut state = self.shared.lock();
        let mut writer = state.writer(now, "kubectl");
        writer.user = ADMIN;
        let result = act(&mut writer);
        drop(state);
        self.shared.changed.notify_waiters();
        result
    }
}

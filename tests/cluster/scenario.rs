//! One test: a Kubernetes namespace of its own, helpers to act in it, and what is shown when it fails.

mod diagnosis;
pub(crate) mod fixtures;

use crate::cluster::{self, Cluster};
use crate::control_plane::User;
use crate::load::Load;
use crate::operator::{self, Operator};
use crate::prometheus::Prometheus;
use crate::{Outcome, apply, prometheus, wait};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::TypeMeta;
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::timeout;

/// A scenario that takes longer hangs.
const LONGEST: Duration = Duration::from_mins(5);

/// apiVersion and kind.
pub(crate) type Kind = (&'static str, &'static str);
pub(crate) const DEPLOYMENT: Kind = ("apps/v1", "Deployment");
pub(crate) const REPLICA_SET: Kind = ("apps/v1", "ReplicaSet");
pub(crate) const POD: Kind = ("v1", "Pod");
pub(crate) const SERVICE: Kind = ("v1", "Service");
pub(crate) const EVENT: Kind = ("events.k8s.io/v1", "Event");
pub(crate) const HTTP_ROUTE: Kind = ("gateway.networking.k8s.io/v1", "HTTPRoute");

/// The namespace of a test and everything that it may touch. Clones are the same scenario.
#[derive(Clone)]
pub(crate) struct Scenario {
    pub(crate) cluster: &'static Cluster,
    pub(crate) namespace: String,
    logs: Arc<Mutex<Vec<PathBuf>>>,
}

/// A test named `name` for libtest. Its namespace has that name too, with dashes.
pub(crate) fn trial<F, R>(name: &'static str, test: F) -> Trial
where
    F: FnOnce(Scenario) -> R + Send + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Trial::test(name, move || {
        let cluster = cluster::get();
        cluster.runtime.block_on(async {
            let namespace = name.replace(['_', ':'], "-");
            let scenario = Scenario {
                cluster,
                namespace,
                logs: Arc::default(),
            };
            scenario.create_namespace().await?;
            // In a task of its own, so that a panic is a failure with a diagnosis like any other.
            let mut task = tokio::spawn(test(scenario.clone()));
            let outcome = match timeout(LONGEST, &mut task).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(panic)) => Err(Failed::from(panic)),
                Err(_) => Err(format!("not finished after {LONGEST:?}").into()),
            };
            task.abort();
            let outcome = match outcome {
                Ok(()) => Ok(()),
                Err(error) => {
                    let diagnosis = scenario.diagnosis().await;
                    Err(format!("{}\n{diagnosis}", error.message().unwrap_or("failed")).into())
                }
            };
            scenario.delete_namespace().await;
            outcome
        })
    })
}

impl Scenario {
    async fn create_namespace(&self) -> Outcome {
        let text = format!(
            "apiVersion: v1\nkind: Namespace\nmetadata: {{name: {}}}\n",
            self.namespace
        );
        apply::text(&self.cluster.admin, "", &text).await?;
        Ok(())
    }

    /// Asks for its end and does not wait for it.
    async fn delete_namespace(&self) {
        if let Ok(api) = self.api(("v1", "Namespace")).await {
            let _ = api.delete(&self.namespace, &DeleteParams::default()).await;
        }
    }

    /// The Host header and hostname of this scenario's routes.
    pub(crate) fn host(&self) -> String {
        format!("{}.example", self.namespace)
    }

    /// Objects of a kind, in this namespace where the kind has namespaces.
    pub(crate) async fn api(&self, (version, kind): Kind) -> Outcome<Api<DynamicObject>> {
        let types = TypeMeta {
            api_version: version.to_owned(),
            kind: kind.to_owned(),
        };
        apply::api(&self.cluster.admin, &self.namespace, &types, None).await
    }

    /// Applies YAML documents to the namespace, as the user.
    pub(crate) async fn apply(&self, text: &str) -> Outcome<Vec<DynamicObject>> {
        apply::text(&self.cluster.admin, &self.namespace, text).await
    }

    /// The object, as JSON.
    pub(crate) async fn get(&self, kind: Kind, name: &str) -> Outcome<Value> {
        Ok(serde_json::to_value(self.api(kind).await?.get(name).await?)?)
    }

    /// All objects of a kind that a label selector finds (`""` finds all).
    pub(crate) async fn list(&self, kind: Kind, selector: &str) -> Outcome<Vec<Value>> {
        let list = self
            .api(kind)
            .await?
            .list(&ListParams::default().labels(selector))
            .await?;
        list.items
            .into_iter()
            .map(|item| Ok(serde_json::to_value(item)?))
            .collect()
    }

    /// A merge patch, as the user.
    pub(crate) async fn patch(&self, kind: Kind, name: &str, patch: Value) -> Outcome<Value> {
        let params = PatchParams {
            field_manager: Some(apply::MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patched = self
            .api(kind)
            .await?
            .patch(name, &params, &Patch::Merge(patch))
            .await?;
        Ok(serde_json::to_value(patched)?)
    }

    /// A JSON patch of the status, as a user with all rights.
    pub(crate) async fn patch_status(&self, kind: Kind, name: &str, ops: Value) -> Outcome {
        let patch = Patch::<Value>::Json(serde_json::from_value(ops)?);
        let api = self.api(kind).await?;
        api.patch_status(name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    pub(crate) async fn delete(&self, kind: Kind, name: &str, params: &DeleteParams) -> Outcome {
        self.api(kind).await?.delete(name, params).await?;
        Ok(())
    }

    /// What a user does to release: one new image in the template.
    pub(crate) async fn set_image(&self, deployment: &str, image: &str) -> Outcome {
        let json = serde_json::json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]);
        let patch = Patch::<Value>::Json(serde_json::from_value(json)?);
        self.api(DEPLOYMENT)
            .await?
            .patch(deployment, &PatchParams::default(), &patch)
            .await?;
        Ok(())
    }

    /// Waits until an object satisfies `holds`; the message shows the object's status otherwise.
    pub(crate) async fn wait(
        &self,
        kind: Kind,
        name: &str,
        what: &str,
        limit: Duration,
        holds: impl Fn(&Value) -> bool + Send,
    ) -> Outcome<Value> {
        let holds = &holds;
        wait::until(&format!("{} {name}: {what}", kind.1), limit, || async {
            let object = self.get(kind, name).await?;
            if holds(&object) {
                Ok(Some(object))
            } else {
                Err(format!("status {}", object["status"]).into())
            }
        })
        .await
    }

    /// Waits until a Deployment has exactly this many pods, all of its newest template and ready.
    pub(crate) async fn wait_deployed(&self, name: &str, replicas: u64) -> Outcome<Value> {
        let what = format!("{replicas} ready replicas");
        self.wait(DEPLOYMENT, name, &what, Duration::from_mins(1), |it| {
            let count = |field: &str| it["status"][field].as_u64().unwrap_or(0);
            it["status"]["observedGeneration"] == it["metadata"]["generation"]
                && ["replicas", "updatedReplicas", "readyReplicas"]
                    .iter()
                    .all(|field| count(field) == replicas)
        })
        .await
    }

    /// Waits until the gateway has taken the route as it is now, with a second for Envoy to hear of it.
    pub(crate) async fn wait_routed(&self, name: &str) -> Outcome {
        self.wait(HTTP_ROUTE, name, "accepted", Duration::from_secs(20), |it| {
            let parents = it["status"]["parents"].as_array().into_iter().flatten();
            let conditions: Vec<_> = parents
                .flat_map(|parent| parent["conditions"].as_array().into_iter().flatten())
                .collect();
            let met = |kind: &str| {
                conditions.iter().any(|condition| {
                    condition["type"] == kind
                        && condition["status"] == "True"
                        && condition["observedGeneration"] == it["metadata"]["generation"]
                })
            };
            met("Accepted") && met("ResolvedRefs")
        })
        .await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(())
    }

    /// A constant load on this scenario's host.
    pub(crate) fn load(&self, per_second: u32) -> Outcome<Load> {
        Load::start(&self.host(), per_second)
    }

    /// Starts an operator under the rights of the chart, which the first caller installs. Its log is shown if the
    /// scenario fails. In the arguments `{address}` stands for an address of the process's own.
    pub(crate) async fn operator(&self, arguments: &[&str]) -> Outcome<Operator> {
        operator::chart(self.cluster).await?;
        let operator = Operator::start(self.cluster, arguments)?;
        self.logs.lock().unwrap().push(operator.log.clone());
        Ok(operator)
    }

    /// The same as another user than the chart's, with the rights that this one has.
    pub(crate) async fn operator_as(&self, user: User, uid: &str, arguments: &[&str]) -> Outcome<Operator> {
        operator::chart(self.cluster).await?;
        let operator = Operator::start_as(self.cluster, user, uid, arguments)?;
        self.logs.lock().unwrap().push(operator.log.clone());
        Ok(operator)
    }

    /// A Prometheus that this scenario may stop: the same targets, but data of its own that begin now.
    pub(crate) async fn own_prometheus(&self) -> Outcome<Prometheus> {
        let folder = self.cluster.folder.join(format!("prometheus-{}", self.namespace));
        let (tools, targets) = (&self.cluster.tools, &self.cluster.targets);
        let prometheus = Prometheus::start(tools, &folder, cluster::address(), targets.path())?;
        prometheus.ready().await?;
        Ok(prometheus)
    }

    /// Samples of an instant query on the shared Prometheus.
    pub(crate) async fn query(&self, expression: &str) -> Outcome<Vec<(BTreeMap<String, String>, f64)>> {
        prometheus::query(&self.cluster.prometheus, expression).await
    }
}

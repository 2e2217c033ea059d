//! The life of one pod: bound, started, probed, restarted when it crashes, ended with its grace.

use super::Node;
use super::report::{Facts, Termination};
use crate::Outcome;
use crate::control_plane::NODE;
use crate::pod;
use crate::process::Daemon;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use serde_json::json;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

const TICK: Duration = Duration::from_millis(150);
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LAST_BACKOFF: Duration = Duration::from_secs(10);

/// Lives a pod's life; errors go to standard error, since nobody waits for this task.
pub(super) async fn run(client: Client, node: Arc<Node>, mut pod: watch::Receiver<Pod>) {
    let (name, namespace) = (
        pod.borrow().name_any(),
        pod.borrow().namespace().unwrap_or_default(),
    );
    let api = Api::namespaced(client.clone(), &namespace);
    let address = node.address().to_string();
    let target = format!("{address}:{}", pod::PORT);
    let mut life = Life {
        client,
        api,
        node: node.clone(),
        name,
        namespace,
        address,
        process: None,
        facts: Facts::default(),
    };
    if let Err(error) = life.live(&mut pod).await {
        // A pod deleted while we write about it is an ordinary end.
        let gone = pod.has_changed().is_err() || pod.borrow().metadata.deletion_timestamp.is_some();
        if !gone {
            eprintln!(
                "node agent: pod {}/{}: {}",
                life.namespace,
                life.name,
                error.message().unwrap_or("failed")
            );
        }
    }
    let _ = node.targets.remove(&target);
}

struct Life {
    client: Client,
    api: Api<Pod>,
    node: Arc<Node>,
    name: String,
    namespace: String,
    address: String,
    process: Option<Daemon>,
    facts: Facts,
}

impl Life {
    async fn live(&mut self, pod: &mut watch::Receiver<Pod>) -> Outcome {
        let first = pod.borrow().clone();
        if first.spec.as_ref().is_some_and(|spec| spec.node_name.is_none()) {
            self.bind().await?;
        }
        self.node.targets.add(
            &format!("{}:{}", self.address, pod::PORT),
            &self.namespace,
            &self.name,
        )?;
        self.start(&first)?;
        self.report(&first).await?;
        let mut backoff = FIRST_BACKOFF;
        let mut start_again: Option<Instant> = None;
        loop {
            if let Ok(Err(_)) = timeout(TICK, pod.changed()).await {
                return Ok(());
            }
            let now = pod.borrow().clone();
            if now.metadata.deletion_timestamp.is_some() {
                return self.end(&now).await;
            }
            if let Some(status) = self.process.as_mut().and_then(Daemon::exited) {
                self.process = None;
                self.facts.crashed(Termination::of(status));
                start_again = Some(Instant::now() + backoff);
                backoff = (backoff * 2).min(LAST_BACKOFF);
            } else if start_again.is_some_and(|at| at <= Instant::now()) {
                start_again = None;
                self.start(&now)?;
                self.facts.restarted();
            }
            let ready = self.process.is_some() && self.probe().await;
            if self.facts.ready(ready) {
                self.report(&now).await?;
            }
        }
    }

    async fn bind(&self) -> Outcome {
        let path = format!("/api/v1/namespaces/{}/pods/{}/binding", self.namespace, self.name);
        let body = json!({
            "apiVersion": "v1", "kind": "Binding",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": NODE},
        });
        let request = http::Request::post(path).header("content-type", "application/json");
        let _: serde_json::Value = self
            .client
            .request(request.body(serde_json::to_vec(&body)?)?)
            .await?;
        Ok(())
    }

    fn start(&mut self, pod: &Pod) -> Outcome {
        let container = pod
            .spec
            .as_ref()
            .and_then(|spec| spec.containers.first())
            .ok_or("a pod without containers")?;
        let image = container.image.as_deref().unwrap_or_default();
        let mut command = Command::new(&self.node.program);
        command.args([pod::ARGUMENT, &self.address, image]);
        let log = self
            .node
            .logs
            .join(format!("{}-{}.log", self.namespace, self.name));
        self.process = Some(Daemon::start(&self.name, &mut command, &log)?);
        Ok(())
    }

    /// The readiness probe; a failed one counts at once.
    async fn probe(&self) -> bool {
        let url = format!("http://{}:{}/ready", self.address, pod::PORT);
        self.node
            .http
            .get(url)
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    }

    async fn report(&self, pod: &Pod) -> Outcome {
        let status = self.facts.status(pod, &self.address);
        self.api
            .patch_status(&self.name, &PatchParams::default(), &Patch::Merge(&status))
            .await?;
        Ok(())
    }

    /// Readiness off first, then SIGTERM, then SIGKILL after the grace, then the object goes.
    async fn end(&mut self, pod: &Pod) -> Outcome {
        self.facts.ready(false);
        self.report(pod).await?;
        if let Some(process) = &mut self.process {
            process.terminate();
            let grace = pod
                .metadata
                .deletion_grace_period_seconds
                .unwrap_or(30)
                .max(0)
                .unsigned_abs();
            let deadline = Instant::now() + Duration::from_secs(grace);
            while process.exited().is_none() && Instant::now() < deadline {
                sleep(TICK).await;
            }
        }
        self.process = None;
        let uid = pod.metadata.uid.clone();
        let preconditions = Some(Preconditions {
            uid,
            resource_version: None,
        });
        let params = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions,
            ..DeleteParams::default()
        };
        self.api.delete(&self.name, &params).await?;
        Ok(())
    }
}

//! Scheduler and kubelet in one: binds every pod to the one node and runs a real process for it.
//!
//! One task a pod (`agent::life`); this file only watches and hands each task the newest state of its pod.

mod life;
mod report;

use crate::Outcome;
use crate::prometheus::Targets;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::sync::watch;

/// What the tasks of all pods share.
#[derive(Debug)]
struct Node {
    targets: Arc<Targets>,
    program: PathBuf,
    logs: PathBuf,
    pods: AtomicU16,
    http: reqwest::Client,
}

impl Node {
    /// An address that no pod has had: 10.244.1.1 and up.
    fn address(&self) -> Ipv4Addr {
        let number = self.pods.fetch_add(1, Ordering::Relaxed);
        let [high, low] = (256 + number / 250 * 256 + number % 250 + 1).to_be_bytes();
        Ipv4Addr::new(10, 244, high, low)
    }
}

/// The agent, before it runs.
pub(crate) struct Agent {
    client: Client,
    node: Arc<Node>,
}

impl Agent {
    /// `folder` takes the pods' output, one file each.
    pub(crate) fn new(client: Client, targets: Arc<Targets>, folder: &Path) -> Outcome<Self> {
        let logs = folder.join("pods");
        std::fs::create_dir_all(&logs)?;
        let program = std::env::current_exe()?;
        let http = reqwest::Client::builder()
            .timeout(std::time::Duration::from_millis(800))
            .build()?;
        Ok(Self {
            client,
            node: Arc::new(Node {
                targets,
                program,
                logs,
                pods: AtomicU16::new(0),
                http,
            }),
        })
    }

    /// Runs until the test binary ends.
    pub(crate) async fn run(self) {
        let pods: Api<Pod> = Api::all(self.client.clone());
        let mut events = pin!(watcher(pods, watcher::Config::default()).default_backoff());
        let mut tasks: BTreeMap<String, watch::Sender<Pod>> = BTreeMap::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Apply(pod) | Event::InitApply(pod)) => {
                    let Some(uid) = pod.metadata.uid.clone() else {
                        continue;
                    };
                    if let Some(task) = tasks.get(&uid) {
                        let _ = task.send(pod);
                        continue;
                    }
                    let (sender, receiver) = watch::channel(pod);
                    tasks.insert(uid, sender);
                    tokio::spawn(life::run(self.client.clone(), self.node.clone(), receiver));
                }
                Ok(Event::Delete(pod)) => {
                    // Closing the channel ends the task, and the task its process.
                    tasks.remove(&pod.metadata.uid.unwrap_or_default());
                }
                Ok(Event::Init | Event::InitDone) => (),
                Err(error) => eprintln!("node agent: {error}"),
            }
        }
    }
}

//! What the agent says about a pod in its status, as a kubelet would.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How a container's process ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Termination {
    exit_code: i32,
    at: String,
}

impl Termination {
    pub(super) fn of(status: ExitStatus) -> Self {
        // A shell's convention for signals, which container runtimes follow.
        let exit_code = status
            .code()
            .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Self { exit_code, at: now() }
    }
}

/// What is true of a pod's only process.
#[derive(Debug)]
pub(super) struct Facts {
    ready: bool,
    /// When `ready` last changed.
    since: String,
    started: String,
    waiting: bool,
    restarts: u32,
    last: Option<Termination>,
    /// Something changed that no report has told.
    news: bool,
}

impl Default for Facts {
    fn default() -> Self {
        let (since, started) = (now(), now());
        Self {
            ready: false,
            since,
            started,
            waiting: false,
            restarts: 0,
            last: None,
            news: false,
        }
    }
}

impl Facts {
    pub(super) fn crashed(&mut self, termination: Termination) {
        self.last = Some(termination);
        self.waiting = true;
        self.news = true;
    }

    pub(super) fn restarted(&mut self) {
        self.restarts += 1;
        self.waiting = false;
        self.started = now();
        self.news = true;
    }

    /// Takes the probe's answer; true when there is something to report.
    pub(super) fn ready(&mut self, ready: bool) -> bool {
        if self.ready != ready {
            self.ready = ready;
            self.since = now();
            self.news = true;
        }
        std::mem::take(&mut self.news)
    }

    /// The status to patch in. Lists are whole, since a merge patch replaces them.
    pub(super) fn status(&self, pod: &Pod, address: &str) -> Value {
        let condition = |kind: &str, met: bool, since: &str| json!({"type": kind, "status": if met { "True" } else { "False" }, "lastTransitionTime": since});
        let created = pod
            .metadata
            .creation_timestamp
            .as_ref()
            .map_or_else(now, |time| time.0.to_string());
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let containers: Vec<_> = containers
            .map(|it| self.container(&it.name, it.image.as_deref()))
            .collect();
        json!({"status": {
            "phase": "Running",
            "hostIP": "127.0.0.1",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": created,
            "conditions": [
                condition("PodScheduled", true, &created),
                condition("Initialized", true, &created),
                condition("ContainersReady", self.ready, &self.since),
                condition("Ready", self.ready, &self.since),
            ],
            "containerStatuses": containers,
        }})
    }

    fn container(&self, name: &str, image: Option<&str>) -> Value {
        let state = if self.waiting {
            json!({"waiting": {"reason": "CrashLoopBackOff", "message": "the process ended; it is started again later"}})
        } else {
            json!({"running": {"startedAt": self.started}})
        };
        let last = self.last.as_ref().map_or_else(
            || json!({}),
            |it| json!({"terminated": {"exitCode": it.exit_code, "reason": "Error", "finishedAt": it.at}}),
        );
        json!({
            "name": name, "image": image, "imageID": image, "containerID": "process://1",
            "ready": self.ready, "started": !self.waiting, "restartCount": self.restarts,
            "state": state, "lastState": last,
        })
    }
}

fn now() -> String {
    Timestamp::now().to_string()
}

//! What a failed scenario shows: its pods, workloads, routes, Rollouts, events, and the operators' last words.

use super::{DEPLOYMENT, EVENT, HTTP_ROUTE, POD, REPLICA_SET, Scenario};
use crate::process::tail;
use serde_json::Value;
use std::fmt::Write as _;

const LOG_LINES: usize = 40;

impl Scenario {
    pub(super) async fn diagnosis(&self) -> String {
        let mut text = format!("--- namespace {}\n", self.namespace);
        for (kind, line) in [
            (DEPLOYMENT, deployment as fn(&Value) -> String),
            (REPLICA_SET, deployment),
            (POD, pod),
            (EVENT, event),
        ] {
            let _ = writeln!(text, "--- {}s", kind.1);
            match self.list(kind, "").await {
                Ok(objects) => objects.iter().for_each(|it| text += &(line(it) + "\n")),
                Err(error) => {
                    let _ = writeln!(text, "{}", error.message().unwrap_or("failed"));
                }
            }
        }
        for kind in [HTTP_ROUTE, ("serin.dev/v1alpha1", "Rollout")] {
            for mut object in self.known(kind).await {
                object["metadata"]["managedFields"].take();
                let yaml = serde_yaml::to_string(&object).unwrap_or_default();
                let _ = writeln!(text, "--- {} {}\n{yaml}", kind.1, name(&object));
            }
        }
        for log in self.logs.lock().unwrap().iter() {
            let _ = writeln!(text, "--- {}\n{}", log.display(), tail(log, LOG_LINES));
        }
        text
    }

    /// Objects of a kind that may not be installed: a short look instead of discovery, which would wait for it.
    async fn known(&self, (version, kind): super::Kind) -> Vec<Value> {
        let path = format!(
            "/apis/{version}/namespaces/{}/{}s",
            self.namespace,
            kind.to_lowercase()
        );
        let Ok(request) = http::Request::get(path).body(Vec::new()) else {
            return Vec::new();
        };
        let list: Value = self.cluster.admin.request(request).await.unwrap_or_default();
        list["items"].as_array().cloned().unwrap_or_default()
    }
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or("?")
}

fn deployment(it: &Value) -> String {
    let containers = &it["spec"]["template"]["spec"]["containers"];
    let (spec, status) = (&it["spec"], &it["status"]);
    format!(
        "{}: {}, replicas {}, ready {}, updated {}, paused {}",
        name(it),
        containers[0]["image"],
        spec["replicas"],
        status["readyReplicas"],
        status["updatedReplicas"],
        spec["paused"]
    )
}

fn pod(it: &Value) -> String {
    let status = &it["status"];
    let container = &status["containerStatuses"][0];
    format!(
        "{}: {}, {}, {}, ready {}, restarts {}, deleted {}",
        name(it),
        it["spec"]["containers"][0]["image"],
        status["phase"],
        status["podIP"],
        container["ready"],
        container["restartCount"],
        it["metadata"]["deletionTimestamp"]
    )
}

fn event(it: &Value) -> String {
    let time = if it["eventTime"].is_null() {
        &it["deprecatedLastTimestamp"]
    } else {
        &it["eventTime"]
    };
    let regarding = &it["regarding"];
    format!(
        "{time} {} {}: {} {}",
        regarding["kind"], regarding["name"], it["reason"], it["note"]
    )
}

//! The status of a Deployment: counters, `Available`, `Progressing` with its deadline.

use std::time::Duration;

use serde_json::{Value, json};

use super::Sync;
use crate::world::api_server::request::Part;
use crate::world::api_server::resources;
use crate::world::json::{self, put, text};
use crate::world::object::{condition, count, later, replicas, set_counts};

impl Sync<'_> {
    /// Whether the roll is over, by the status counted last.
    pub(super) fn complete(&self) -> bool {
        let wanted = self.wanted();
        self.new_set()
            .is_some_and(|new| count(&self.sets[new], "replicas") == wanted)
            && self.sum("replicas") == wanted
            && self.sum("availableReplicas") == wanted
    }

    fn sum(&self, field: &str) -> i64 {
        self.sets.iter().map(|set| count(set, field)).sum()
    }

    /// Says that the Deployment was paused or resumed.
    pub(super) fn mark_paused(&mut self, paused: bool) {
        let reason = condition(&self.deployment, "Progressing").map(|c| text(c, "/reason").to_owned());
        if reason.as_deref() == Some("ProgressDeadlineExceeded") {
            return;
        }
        let was = reason.as_deref() == Some("DeploymentPaused");
        if paused && !was {
            self.set_condition(
                "Progressing",
                "Unknown",
                "DeploymentPaused",
                "Deployment is paused",
            );
        } else if !paused && was {
            self.set_condition(
                "Progressing",
                "Unknown",
                "DeploymentResumed",
                "Deployment is resumed",
            );
        }
    }

    /// Counts, sets the conditions, and writes the status where it changed.
    pub(super) fn write_status(&mut self, rolling: bool) {
        let before = self.deployment.clone();
        let updated = self.new_set().map_or(0, |new| count(&self.sets[new], "replicas"));
        let (total, available) = (self.sum("replicas"), self.sum("availableReplicas"));
        let ready = self.sum("readyReplicas");
        let missing = (self.sets.iter().map(replicas).sum::<i64>() - available).max(0);
        set_counts(
            &mut self.deployment,
            &[
                ("replicas", total),
                ("updatedReplicas", updated),
                ("readyReplicas", ready),
                ("availableReplicas", available),
                ("unavailableReplicas", missing),
            ],
        );
        let generation = json::generation(&self.deployment);
        put(
            &mut self.deployment,
            &["status", "observedGeneration"],
            generation.into(),
        );
        if available >= self.wanted() - self.unavailable() {
            let message = "Deployment has minimum availability.";
            self.set_condition("Available", "True", "MinimumReplicasAvailable", message);
        } else {
            let message = "Deployment does not have minimum availability.";
            self.set_condition("Available", "False", "MinimumReplicasUnavailable", message);
        }
        if rolling {
            self.progress(&before);
        }
        let deployment = self.deployment.clone();
        self.state.control(
            self.now,
            resources::plural("apps", "deployments"),
            Part::Status,
            &deployment,
        );
    }

    /// The `Progressing` condition of a Deployment that is not paused.
    fn progress(&mut self, before: &Value) {
        let name = self
            .new_set()
            .map(|new| json::name(&self.sets[new]).to_owned())
            .unwrap_or_default();
        let current = condition(&self.deployment, "Progressing")
            .cloned()
            .unwrap_or_default();
        let reason = text(&current, "/reason");
        let now = &self.deployment;
        let settled =
            reason == "NewReplicaSetAvailable" && count(now, "replicas") == count(now, "updatedReplicas");
        if settled {
            return;
        }
        let outdated = |d: &Value| count(d, "replicas") - count(d, "updatedReplicas");
        let grows = |field: &str| count(now, field) > count(before, field);
        let moves = ["updatedReplicas", "readyReplicas", "availableReplicas"]
            .into_iter()
            .any(grows)
            || outdated(now) < outdated(before);
        if self.complete() && count(now, "updatedReplicas") == self.wanted() {
            let message = format!("ReplicaSet {name:?} has successfully progressed.");
            self.set_condition("Progressing", "True", "NewReplicaSetAvailable", &message);
        } else if moves {
            let message = format!("ReplicaSet {name:?} is progressing.");
            // The time of the last progress starts the deadline anew, even under the same reason.
            self.touch_condition("Progressing", "True", "ReplicaSetUpdated", &message);
        } else if reason != "ProgressDeadlineExceeded" && !reason.is_empty() {
            let limit = json::int(&self.deployment, "/spec/progressDeadlineSeconds")
                .unwrap_or(600)
                .max(0) as u64;
            let Some(since) = json::time(&current, "/lastUpdateTime") else {
                return;
            };
            let end = later(since, Duration::from_secs(limit));
            if self.now > end {
                let message = format!("ReplicaSet {name:?} has timed out progressing.");
                self.set_condition("Progressing", "False", "ProgressDeadlineExceeded", &message);
            } else {
                self.state.cluster.wake_at(later(end, Duration::from_secs(1)));
            }
        }
    }

    /// Sets a condition unless it has this status and reason already.
    pub(super) fn set_condition(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let same = condition(&self.deployment, kind)
            .is_some_and(|c| text(c, "/status") == status && text(c, "/reason") == reason);
        if !same {
            self.touch_condition(kind, status, reason, message);
        }
    }

    fn touch_condition(&mut self, kind: &str, status: &str, reason: &str, message: &str) {
        let now = json::stamp(self.now);
        let since = condition(&self.deployment, kind)
            .filter(|c| text(c, "/status") == status)
            .map_or_else(|| now.clone(), |c| c["lastTransitionTime"].clone());
        let new = json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastUpdateTime": now, "lastTransitionTime": since,
        });
        let mut conditions = json::items(&self.deployment, "/status/conditions").to_vec();
        match conditions.iter_mut().find(|c| text(c, "/type") == kind) {
            Some(old) => *old = new,
            None => conditions.push(new),
        }
        put(&mut self.deployment, &["status", "conditions"], conditions.into());
    }
}

//! What is left behind when a Rollout names another Deployment: the old one's gate, which nobody would ever open.

use std::time::Duration;

use serde_json::Value;

use super::{RETRY, Worker};
use crate::cluster::snapshot::Snapshot;
use crate::controller::failures::Deed;
use crate::engine::Moment;
use crate::engine::reason::{self, Note};
use crate::render::gate;
use crate::render::json::text;

impl Worker {
    /// Takes the gate from Deployments that no Rollout names any more. When to try again, if one could not be written.
    pub(super) async fn leave(&mut self, snapshot: &Snapshot, now: Moment) -> Option<Duration> {
        let mut failed = None;
        for (workload, sets) in self.stamped.then_some(&snapshot.left).into_iter().flatten() {
            let deed = Deed::Leave(text(workload, "/metadata/name").to_owned());
            if self.troubles.held(&deed, now).is_some() {
                failed = Some(RETRY);
                continue;
            }
            let resume = gate::holds_nothing(workload, sets);
            match self.shared.writer.leave(workload, resume).await {
                Ok(applied) => {
                    self.troubles.done(&deed);
                    for (kind, object) in applied.written {
                        self.shared.metrics.wrote("workload");
                        self.shared.cache.put(kind, object);
                    }
                    self.publish(snapshot, &left(workload, resume));
                }
                Err(error) => {
                    self.log("take the gate off", &error);
                    failed = Some(RETRY);
                    if let Some(problem) = self.troubles.failed(&deed, &error, now).news {
                        self.publish(snapshot, &Note::warning(problem.reason, problem.message));
                    }
                }
            }
        }
        failed
    }
}

fn left(workload: &Value, resume: bool) -> Note {
    let name = format!(
        "{}/{}",
        text(workload, "/metadata/namespace"),
        text(workload, "/metadata/name")
    );
    let off = format!("Deployment {name} is not named by any Rollout any more, so its gate is taken off");
    if resume || !gate::is_paused(workload) {
        Note::normal(
            reason::GATE_TAKEN_OFF,
            format!("{off}: its next template rolls out at once"),
        )
    } else {
        let message = format!(
            "{off}; it stays paused, because it holds a template that does not serve: resume it, or put the serving \
             template back"
        );
        Note::warning(reason::GATE_TAKEN_OFF, message)
    }
}

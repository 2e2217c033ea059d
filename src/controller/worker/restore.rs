//! What was committed, read back; and what is said of a status that cannot be read.

use serde_json::Value;

use super::super::spec::generation;
use super::{RESYNC, Turn, Worker};
use crate::api::RolloutStatus;
use crate::cluster::cache::Kind;
use crate::cluster::snapshot::Snapshot;
use crate::engine::reason::{self, Note};
use crate::engine::state::Phase;
use crate::engine::{Moment, Revision, State, report};

impl Worker {
    /// The status and the state in it. A state that cannot be read is kept as it is, so that a person can restore it, and
    /// nothing is done but to say so. A Rollout that is deleted may go all the same: traffic goes back to what the status
    /// says is stable.
    pub(super) async fn restore(
        &mut self,
        snapshot: &Snapshot,
        now: Moment,
    ) -> Result<(RolloutStatus, State), Turn> {
        let raw = &snapshot.rollout["status"];
        let why = match read(raw) {
            Ok(log) => return Ok(log),
            Err(why) => why,
        };
        if snapshot.rollout.pointer("/metadata/deletionTimestamp").is_some() {
            let stable = raw.pointer("/stable/revision").and_then(Value::as_str);
            let state = State {
                stable: stable.map(Revision::named),
                phase: Phase::Idle,
                ..State::default()
            };
            return Ok((RolloutStatus::default(), state));
        }
        let Some(status) = report::unreadable(raw, &why, generation(&snapshot.rollout), now) else {
            return Err(Turn::Rest(RESYNC));
        };
        match self.shared.writer.commit_status(&snapshot.rollout, &status).await {
            Ok(rollout) => {
                self.shared.metrics.wrote("status");
                self.shared.cache.put(Kind::Rollout, rollout);
                self.publish(snapshot, &Note::warning(reason::STATUS_UNREADABLE, why));
                Err(Turn::Rest(RESYNC))
            }
            Err(error) => Err(self.failed(snapshot, "say that the status cannot be read", &error)),
        }
    }
}

fn read(raw: &Value) -> Result<(RolloutStatus, State), String> {
    let status = if raw.is_null() {
        RolloutStatus::default()
    } else {
        serde_json::from_value(raw.clone()).map_err(|error| report::unread("status", &error))?
    };
    let state = report::restore(Some(&status))?;
    Ok((status, state))
}

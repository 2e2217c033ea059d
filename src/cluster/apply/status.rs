//! The log of decisions, and the answers to people.

use serde_json::{Value, json};

use super::{Applied, ApplyError, Job, Writer};
use crate::cluster::cache::Kind;
use crate::engine::quantity::Moment;
use crate::render::json::text;

/// The most characters of a message that the API admits.
const MESSAGE_MAX: usize = 1024;

impl Writer {
    /// Commits a status, if nobody has written the Rollout since it was read. The stamp is put in. Gives the Rollout
    /// as it is now.
    ///
    /// # Errors
    /// [`ApplyError::class`]; a conflict means: drop the decision, read again, decide again.
    pub async fn commit_status(&self, rollout: &Value, status: &Value) -> Result<Value, ApplyError> {
        self.fence(rollout)?;
        let mut status = status.clone();
        if let Some(fields) = status.as_object_mut() {
            fields.insert("stamp".into(), self.stamp.to_string().into());
        }
        let ops = vec![
            json!({
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": text(rollout, "/metadata/resourceVersion"),
            }),
            json!({"op": "test", "path": "/metadata/uid", "value": text(rollout, "/metadata/uid")}),
            json!({"op": "add", "path": "/status", "value": status}),
        ];
        let applied = self.patch_status(Kind::Rollout, rollout, ops).await?;
        let object = applied.written.into_iter().next();
        object.map(|(_, object)| object).ok_or_else(|| {
            ApplyError::Stale("the server's answer to the commit of the status cannot be read".into())
        })
    }

    /// Says in a `RolloutAction` what became of it. `refusal`: why it was not carried out.
    ///
    /// # Errors
    /// [`ApplyError::class`].
    pub async fn finish_action(
        &self,
        action: &Value,
        refusal: Option<&str>,
        now: Moment,
    ) -> Result<Applied, ApplyError> {
        let bounded: String = refusal
            .unwrap_or("carried out")
            .chars()
            .take(MESSAGE_MAX)
            .collect();
        let status = json!({
            "phase": if refusal.is_some() { "Rejected" } else { "Done" },
            "message": bounded,
            "at": now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        });
        let ops = vec![
            json!({
                "op": "replace",
                "path": "/metadata/resourceVersion",
                "value": text(action, "/metadata/resourceVersion"),
            }),
            json!({"op": "add", "path": "/status", "value": status}),
        ];
        self.patch_status(Kind::RolloutAction, action, ops).await
    }

    /// Removes an answered `RolloutAction`, if it is still as it was seen.
    ///
    /// # Errors
    /// [`ApplyError::class`].
    pub async fn remove_action(&self, action: &Value) -> Result<Applied, ApplyError> {
        self.delete(Kind::RolloutAction, action).await
    }

    pub(super) async fn finish(
        &self,
        id: &str,
        refusal: Option<&str>,
        job: &Job<'_>,
    ) -> Result<Applied, ApplyError> {
        let action = job
            .snapshot
            .actions
            .iter()
            .find(|action| text(action, "/metadata/uid") == id);
        match action {
            Some(action) => self.finish_action(action, refusal, job.now).await,
            None => Ok(Applied::default()),
        }
    }
}

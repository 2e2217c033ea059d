//! `serin approve|pause|resume|abort NAME`: a person's decision, as an object that RBAC and audit logs know.

use std::io::Write;
use std::time::Duration;

use clap::Args;
use kube::api::{Api, PostParams};
use tokio::time::Instant;

use super::connect::{Connection, block_on, refused};
use super::{Exit, Failure};
use crate::api::{Action, ActionPhase, Rollout, RolloutAction, RolloutActionSpec};

/// How long the controller may take to answer before the command gives up waiting (the action stays).
const ANSWER: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(250);

/// Decides about the release that runs.
#[derive(Args, Debug)]
pub(super) struct Act {
    /// The Rollout.
    name: String,
    /// The revision that is meant; by default the one that the Rollout's status names.
    #[arg(long)]
    revision: Option<String>,
    /// Why, for the record.
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Act {
    pub(super) fn run(self, action: Action, out: &mut dyn Write) -> Result<Exit, Failure> {
        block_on(self.request(action, out))
    }

    async fn request(self, action: Action, out: &mut dyn Write) -> Result<Exit, Failure> {
        let connected = self.connection.connect().await?;
        let rollouts: Api<Rollout> = Api::namespaced(connected.client(), &connected.namespace);
        let rollout = rollouts
            .get(&self.name)
            .await
            .map_err(|error| refused(&format!("read Rollout `{}`", self.name), &error))?;
        let active = rollout
            .status
            .and_then(|status| status.release)
            .map(|release| release.revision);
        let Some(revision) = self.revision.or(active) else {
            return Err(Failure::failed(
                format!(
                    "Rollout `{}` has no release to {}",
                    self.name,
                    action.as_str().to_lowercase()
                ),
                "see `serin status`",
            ));
        };
        let spec = RolloutActionSpec {
            rollout: self.name.clone(),
            revision: Some(revision.clone()),
            action,
            reason: self.reason,
        };
        let mut object = RolloutAction::new("", spec);
        object.metadata.name = None;
        object.metadata.generate_name = Some(format!("{}-{}-", self.name, action.as_str().to_lowercase()));
        let actions: Api<RolloutAction> =
            Api::namespaced(connected.clients.write.clone(), &connected.namespace);
        let made = actions
            .create(&PostParams::default(), &object)
            .await
            .map_err(|error| refused("create a RolloutAction", &error))?;
        let name = made.metadata.name.unwrap_or_default();
        answer(&actions, &name, action, &revision, out).await
    }
}

async fn answer(
    actions: &Api<RolloutAction>,
    name: &str,
    action: Action,
    revision: &str,
    out: &mut dyn Write,
) -> Result<Exit, Failure> {
    let begun = Instant::now();
    while Instant::now().duration_since(begun) < ANSWER {
        let seen = actions
            .get(name)
            .await
            .map_err(|error| refused("read the RolloutAction", &error))?;
        let status = seen.status.unwrap_or_default();
        match status.phase {
            ActionPhase::Done => {
                writeln!(out, "{} of revision {revision}: done", action.as_str())?;
                return Ok(Exit::Healthy);
            }
            ActionPhase::Rejected => {
                let why = status.message.unwrap_or_else(|| "no reason given".into());
                return Err(Failure::failed(
                    format!("{} of revision {revision} was rejected: {why}", action.as_str()),
                    "see `serin status`",
                ));
            }
            ActionPhase::Pending => tokio::time::sleep(LOOK).await,
        }
    }
    Err(Failure::timed_out(
        format!(
            "RolloutAction `{name}` was not answered in {} s",
            ANSWER.as_secs()
        ),
        "it stays and is applied when the controller is back; is it running?",
    ))
}

//! `serin status [NAME]`: what a release does, why, and what it waits for, on one screen.

mod follow;
mod leader;
mod list;

use std::io::Write;
use std::time::Duration;

use clap::{Args, ValueEnum};
use kube::api::Api;

use super::connect::{Connection, block_on, refused};
use super::run::Wall;
use super::{Exit, Failure, program};
use crate::api::{Outcome, Phase, ReleaseStatus, Rollout, RolloutStatus};
use crate::engine::reason;
use follow::Following;
use leader::{Leader, Place};
use list::List;

/// Show one Rollout, or all of a namespace.
#[derive(Args, Debug)]
pub(super) struct Status {
    /// The Rollout; all of the namespace when left out.
    name: Option<String>,
    /// Follow. With a name until the release ends: exit status 0 promoted, 1 rolled back (or, with an error, replaced by
    /// another template, no cluster or no such Rollout), 3 out of time. A change of the Deployment just before counts,
    /// though Serin may not have seen it yet. Without a name the list is shown whenever it has changed, until the time is out.
    #[arg(short, long)]
    watch: bool,
    /// How long to follow, in seconds.
    #[arg(long, default_value_t = 86_400)]
    timeout: u64,
    /// Another form of the answer: JSON and YAML are the Rollout as it is.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    /// Every namespace.
    #[arg(short = 'A', long, conflicts_with = "name")]
    all_namespaces: bool,
    #[command(flatten)]
    operator: Place,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    Json,
    Yaml,
    Wide,
}

impl Status {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        block_on(self.show(out))
    }

    async fn show(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let connected = self.connection.connect().await?;
        let api: Api<Rollout> = if self.all_namespaces {
            Api::all(connected.client())
        } else {
            Api::namespaced(connected.client(), &connected.namespace)
        };
        match &self.name {
            Some(name) if self.watch => {
                let limit = Duration::from_secs(self.timeout);
                let following = Following::new(connected.client(), &connected.namespace, name);
                let leader = Leader::new(&self.operator, connected.client(), &Wall);
                let mut show = |rollout: &Rollout, vacant: Option<&str>| {
                    one(rollout, vacant, self.output, out)?;
                    Ok(out.flush()?)
                };
                following.to_the_end(limit, leader, &mut show).await
            }
            Some(name) => {
                let rollout = read(&api, name).await?;
                let mut leader = Leader::new(&self.operator, connected.client(), &Wall);
                leader.look(std::slice::from_ref(&rollout)).await;
                one(&rollout, leader.vacant(), self.output, out)?;
                Ok(health(std::slice::from_ref(&rollout), leader.vacant()))
            }
            None => {
                let list = List {
                    rollouts: api,
                    leader: Leader::new(&self.operator, connected.client(), &Wall),
                    output: self.output,
                };
                let limit = Duration::from_secs(if self.watch { self.timeout } else { 0 });
                list.show(limit, out).await
            }
        }
    }
}

async fn read(api: &Api<Rollout>, name: &str) -> Result<Rollout, Failure> {
    api.get(name)
        .await
        .map_err(|error| refused(&format!("read Rollout `{name}`"), &error))
}

/// 1 for what needs a person, 0 for the rest.
fn health(rollouts: &[Rollout], vacant: Option<&str>) -> Exit {
    let mut conditions = rollouts
        .iter()
        .filter_map(|rollout| rollout.status.as_ref())
        .flat_map(|status| &status.conditions);
    let stalled = conditions.any(|condition| condition.type_ == "Stalled" && condition.status == "True");
    if stalled || vacant.is_some() {
        Exit::Failed
    } else {
        Exit::Healthy
    }
}

/// One Rollout, and why it will not change where nobody leads (`vacant`).
fn one(
    rollout: &Rollout,
    vacant: Option<&str>,
    output: Option<Output>,
    out: &mut dyn Write,
) -> Result<(), Failure> {
    match output {
        Some(Output::Json) => writeln!(
            out,
            "{}",
            serde_json::to_string_pretty(rollout).unwrap_or_default()
        )?,
        Some(Output::Yaml) => write!(out, "---\n{}", serde_yaml::to_string(rollout).unwrap_or_default())?,
        Some(Output::Wide) | None => {
            write!(out, "{}", screen(rollout, output.is_some()))?;
            if let Some(why) = vacant {
                writeln!(out, "  {why}")?;
            }
        }
    }
    Ok(())
}

/// One Rollout on one screen.
fn screen(rollout: &Rollout, wide: bool) -> String {
    let name = format!(
        "{}/{}",
        rollout.metadata.namespace.as_deref().unwrap_or("default"),
        rollout.metadata.name.as_deref().unwrap_or_default()
    );
    let Some(status) = &rollout.status else {
        return format!("{name}  Pending  the controller has not seen it yet: is it running?\n");
    };
    let phase = status.phase.map_or("Pending", Phase::as_str);
    let mut text = format!("{name}  {phase}");
    let release = present(status);
    if let Some(release) = release {
        text.push_str(&headline(release));
    }
    text.push('\n');
    if let Some(message) = &status.message {
        text.push_str(&format!("  {message}\n"));
    }
    if let Some(release) = release {
        for verdict in &release.verdicts {
            text.push_str(&format!(
                "  step {}  {:<12} {}\n",
                verdict.step,
                verdict.verdict.as_str(),
                verdict.reason
            ));
        }
        if let Some(deadline) = &release.deadline {
            text.push_str(&format!("  until {}\n", deadline.0));
        }
        let name = rollout.metadata.name.as_deref().unwrap_or_default();
        if let Some(next) = next(status, rollout.spec.paused, program(), name) {
            text.push_str(&format!("  next: {next}\n"));
        }
    }
    let shown = if wide {
        status.history.len()
    } else {
        status.history.len().min(3)
    };
    for entry in &status.history[..shown] {
        let outcome = past(entry.outcome);
        let evidence = entry.evidence.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "  past: revision {} {outcome} after {} s at {}: {evidence}\n",
            entry.revision, entry.seconds, entry.ended_at.0
        ));
    }
    text
}

/// The release of which the numbers are to be shown. The last one stays in the status after its end: `serin explain` tells
/// of it.
fn present(status: &RolloutStatus) -> Option<&ReleaseStatus> {
    let ended = matches!(status.phase, Some(Phase::Idle | Phase::Promoted));
    status.release.as_ref().filter(|_| !ended)
}

/// How a release ended, in a word or two.
const fn past(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Promoted => "promoted",
        Outcome::RolledBack => "rolled back",
        Outcome::Aborted => "aborted",
        Outcome::Superseded => "superseded",
        Outcome::Reverted => "reverted",
    }
}

/// What a person may do now, where there is a choice. A pause of the spec's own is not ended by a command.
fn next(status: &RolloutStatus, spec_paused: bool, program: &str, name: &str) -> Option<String> {
    match status.phase? {
        Phase::Idle
        | Phase::Pending
        | Phase::Promoted
        | Phase::RollingBack
        | Phase::RolledBack
        | Phase::Deleting => None,
        Phase::Preflight
        | Phase::Scaling
        | Phase::Shifting
        | Phase::Judging
        | Phase::Holding
        | Phase::Baking
        | Phase::Promoting
        | Phase::Returning => {
            let waits = |reason: &str| status.conditions.iter().any(|it| it.reason == reason);
            if waits(reason::PAUSED) && spec_paused {
                let abort = format!("{program} abort {name}");
                return Some(format!("set spec.paused of the Rollout to false, or {abort}"));
            }
            let commands = if waits(reason::PROMOTION_FAILED) {
                "resume"
            } else if waits(reason::PAUSED) {
                "resume|abort"
            } else if waits(reason::WAITING_FOR_APPROVAL) {
                "approve|abort"
            } else {
                "pause|abort"
            };
            Some(format!("{program} {commands} {name}"))
        }
    }
}

fn headline(release: &ReleaseStatus) -> String {
    let observed = release
        .weight
        .observed
        .map_or_else(|| "?".to_owned(), |weight| format!("{weight} %"));
    format!(
        "  step {}/{}  weight {} % (observed {observed})  revision {}",
        release.step, release.steps, release.weight.desired, release.revision
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(reason: &str) -> RolloutStatus {
        let status = serde_json::json!({"phase": "Holding", "conditions": [{
            "type": "Ready", "status": "False", "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]});
        serde_json::from_value(status).unwrap()
    }

    #[test]
    fn what_a_person_may_choose_follows_from_what_is_waited_for() {
        for (reason, spec_paused, wanted) in [
            ("Judging", false, "serin pause|abort shop"),
            ("Judging", true, "serin pause|abort shop"),
            ("Paused", false, "serin resume|abort shop"),
            (
                "Paused",
                true,
                "set spec.paused of the Rollout to false, or serin abort shop",
            ),
            ("PromotionFailed", false, "serin resume shop"),
            ("WaitingForApproval", false, "serin approve|abort shop"),
        ] {
            let told = next(&holding(reason), spec_paused, "serin", "shop");
            assert_eq!(told.as_deref(), Some(wanted), "{reason}");
        }
        let plugin = next(&holding("PromotionFailed"), false, "kubectl serin", "shop");
        assert_eq!(plugin.as_deref(), Some("kubectl serin resume shop"));
        assert_eq!(next(&RolloutStatus::default(), false, "serin", "shop"), None);
    }
}

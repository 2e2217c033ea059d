//! `serin status NAME -w`: a release to its end, also one that Serin has not seen yet.
//!
//! A user who changes an image and follows at once must not be told that all is well because nothing has begun. So the end
//! is believed when the status speaks of the template that the Deployment holds; without the right to read that, when
//! it has not changed for a while. The user means one version: if another one ends in its place, that is no good end.

#[cfg(test)]
mod tests;

use std::time::Duration;

use kube::api::{Api, DynamicObject};
use kube::{Client, Error};
use tokio::time::Instant;

use super::super::connect::refused;
use super::super::{Exit, Failure};
use super::leader::Leader;
use super::past;
use crate::api::{Phase, Rollout, RolloutStatus};
use crate::cluster::cache::Kind;
use crate::cluster::watches::api;
use crate::render::revision;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(1);
/// A change that nobody has seen for so long was none.
const SEEN_BY_THEN: Duration = Duration::from_secs(5);
/// How long the API server may be away.
pub(super) const AWAY: Duration = Duration::from_mins(1);

/// Shows a Rollout, and why it will not change where nobody leads.
type Show<'a> = &'a mut dyn FnMut(&Rollout, Option<&str>) -> Result<(), Failure>;

/// Somebody who follows one Rollout.
pub(super) struct Following<'a> {
    rollouts: Api<Rollout>,
    deployments: Api<DynamicObject>,
    name: &'a str,
}

impl<'a> Following<'a> {
    pub(super) fn new(client: Client, namespace: &str, name: &'a str) -> Self {
        Self {
            deployments: api(&client, Kind::Deployment, Some(namespace)),
            rollouts: Api::namespaced(client, namespace),
            name,
        }
    }

    /// Shows each change until the release has ended.
    pub(super) async fn to_the_end(
        &self,
        limit: Duration,
        mut leader: Leader<'_>,
        show: Show<'_>,
    ) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let (mut shown, mut changed, mut answered) = (None::<Rollout>, false, begun);
        let mut meant = None;
        loop {
            let now = Instant::now();
            match self.rollouts.get(self.name).await {
                Ok(rollout) => {
                    answered = now;
                    let news = leader.look(std::slice::from_ref(&rollout)).await;
                    let other = shown.as_ref().is_none_or(|shown| shown.status != rollout.status);
                    changed |= other && shown.is_some();
                    if other || news {
                        show(&rollout, leader.vacant())?;
                    }
                    let waited = changed || now.duration_since(begun) >= SEEN_BY_THEN;
                    let held = self.held(&rollout).await;
                    meant = meant.or_else(|| held.clone().or_else(|| under_way(&rollout)));
                    if let Some(end) = self.end(&rollout, held, waited, meant.as_deref()) {
                        return end;
                    }
                    shown = Some(rollout);
                }
                // A server that is updated or overloaded is no reason to give a release up.
                Err(error) if passes(&error, shown.is_some()) && now.duration_since(answered) < AWAY => {}
                Err(error) => return Err(refused(&format!("read Rollout `{}`", self.name), &error)),
            }
            if Instant::now().duration_since(begun) >= limit {
                return Err(Failure::timed_out(
                    format!(
                        "the release of `{}` has not ended in {} s",
                        self.name,
                        limit.as_secs()
                    ),
                    "it goes on; follow it again",
                ));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// How it ended, if it has: the release of the revision that is `meant`, where that is known.
    fn end(
        &self,
        rollout: &Rollout,
        held: Option<String>,
        waited: bool,
        meant: Option<&str>,
    ) -> Option<Result<Exit, Failure>> {
        let status = rollout.status.as_ref()?;
        if status.observed_generation != rollout.metadata.generation {
            return None;
        }
        let (exit, spoken_of) = match status.phase? {
            Phase::Promoted | Phase::Idle => (
                Exit::Healthy,
                status.stable.as_ref().map(|stable| stable.revision.as_str()),
            ),
            Phase::RolledBack => (
                Exit::Failed,
                status.release.as_ref().map(|release| release.revision.as_str()),
            ),
            Phase::Pending
            | Phase::Preflight
            | Phase::Scaling
            | Phase::Shifting
            | Phase::Judging
            | Phase::Holding
            | Phase::Baking
            | Phase::Promoting
            | Phase::Returning
            | Phase::RollingBack
            | Phase::Deleting => return None,
        };
        let over = match held {
            Some(held) => spoken_of == Some(held.as_str()),
            None => waited,
        };
        match meant {
            Some(meant) if spoken_of != Some(meant) => {
                over.then(|| Err(self.another(status, meant, spoken_of.unwrap_or_default())))
            }
            // Its end stands, whatever the Deployment holds by now.
            Some(_) => Some(Ok(exit)),
            None => over.then_some(Ok(exit)),
        }
    }

    /// The release that is meant is not the one that has ended.
    fn another(&self, status: &RolloutStatus, meant: &str, spoken_of: &str) -> Failure {
        let entry = status.history.iter().find(|entry| entry.revision == meant);
        let fate = entry.map_or("replaced", |entry| past(entry.outcome));
        Failure::failed(
            format!(
                "revision {meant} of `{}` was {fate}: the Deployment holds revision {spoken_of} now",
                self.name
            ),
            format!("`serin explain {}` tells of that one's release", self.name),
        )
    }

    /// The revision of the template that the Deployment holds, where it may be read.
    async fn held(&self, rollout: &Rollout) -> Option<String> {
        let workload = self.deployments.get(&rollout.spec.workload.name).await.ok()?;
        Some(revision::of_template(&workload.data["spec"]["template"]).to_string())
    }
}

/// The revision whose release is under way.
fn under_way(rollout: &Rollout) -> Option<String> {
    let status = rollout.status.as_ref()?;
    let ended = matches!(
        status.phase,
        None | Some(Phase::Pending | Phase::Idle | Phase::Promoted | Phase::RolledBack)
    );
    let release = status.release.as_ref().filter(|_| !ended);
    release.map(|release| release.revision.clone())
}

/// Whether an error may be over at the next look. Who never was connected (`before`) may have the wrong address.
pub(super) fn passes(error: &Error, before: bool) -> bool {
    let busy = |code: u16| code >= 500 || code == 429;
    matches!(error, Error::Api(status) if busy(status.code))
        || before && matches!(error, Error::Service(_) | Error::HyperError(_))
}

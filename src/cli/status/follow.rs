//! `serin status NAME -w`: a release to its end, also one that Serin has not seen yet.
//!
//! Whoever changes an image and follows at once must not be told that all is well because nothing has begun. So the end
//! is believed when the status speaks of the template that the Deployment holds; without the right to read that, when
//! it has not changed for a while. And whoever follows means one version: where another one ends in its place, that is no
//! good end.

use std::time::Duration;

use kube::api::{Api, DynamicObject};
use kube::{Client, Error};
use tokio::time::Instant;

use super::super::connect::refused;
use super::super::{Exit, Failure};
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
const AWAY: Duration = Duration::from_mins(1);

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
        show: &mut dyn FnMut(&Rollout) -> Result<(), Failure>,
    ) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let (mut shown, mut changed, mut answered) = (None::<Rollout>, false, begun);
        let mut meant = None;
        loop {
            let now = Instant::now();
            match self.rollouts.get(self.name).await {
                Ok(rollout) => {
                    answered = now;
                    if shown.as_ref().is_none_or(|shown| shown.status != rollout.status) {
                        changed |= shown.is_some();
                        show(&rollout)?;
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
fn passes(error: &Error, before: bool) -> bool {
    let busy = |code: u16| code >= 500 || code == 429;
    matches!(error, Error::Api(status) if busy(status.code))
        || before && matches!(error, Error::Service(_) | Error::HyperError(_))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::crd;
    use crate::world::{Fault, FaultRule, Options, Shop, World};
    use kube::api::{Patch, PatchParams};
    use serde_json::json;

    /// A shop with a Rollout that nobody works on, whose status speaks of the template that is there.
    async fn shop(phase: &str) -> World {
        let world = World::new(&Options::default());
        for crd in crd::all() {
            world.install_crd(&serde_json::to_value(&crd).unwrap());
        }
        world.install(&Shop::default()).unwrap();
        let rollout = "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {name: checkout, namespace: shop}
spec: {workload: {name: checkout}, traffic: {gatewayAPI: {routes: [{name: checkout}]}}}
";
        world.apply_yaml(rollout).unwrap();
        let workload = world.object("deployments", "shop", "checkout").unwrap();
        let template = revision::of_template(&workload["spec"]["template"]).to_string();
        let status = json!({"status": {
            "observedGeneration": 1, "phase": phase, "stable": {"revision": template},
            "release": {"revision": template, "step": 1, "steps": 3, "weight": {"desired": 0}},
        }});
        let api: Api<Rollout> = Api::namespaced(world.client(), "shop");
        let patch = Patch::Merge(status);
        api.patch_status("checkout", &PatchParams::default(), &patch)
            .await
            .unwrap();
        world
    }

    async fn followed(world: &World, seconds: u64) -> Result<Exit, Failure> {
        let following = Following::new(world.client(), "shop", "checkout");
        let limit = Duration::from_secs(seconds);
        following.to_the_end(limit, &mut |_| Ok(())).await
    }

    fn timed_out(outcome: &Result<Exit, Failure>) -> bool {
        matches!(
            outcome,
            Err(Failure::Told {
                exit: Exit::TimedOut,
                ..
            })
        )
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_what_the_deployment_holds_is_the_end() {
        for (phase, exit) in [
            ("Promoted", Exit::Healthy),
            ("Idle", Exit::Healthy),
            ("RolledBack", Exit::Failed),
        ] {
            let world = shop(phase).await;
            assert_eq!(followed(&world, 3).await.ok(), Some(exit), "{phase}");
        }
        assert!(timed_out(&followed(&shop("Judging").await, 3).await));
    }

    /// The status says this some seconds after somebody has begun to follow.
    async fn says(world: &World, seconds: u64, status: serde_json::Value) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        let api: Api<Rollout> = Api::namespaced(world.client(), "shop");
        let patch = Patch::Merge(json!({ "status": status }));
        let params = PatchParams::default();
        api.patch_status("checkout", &params, &patch).await.unwrap();
    }

    fn held(world: &World) -> String {
        let workload = world.object("deployments", "shop", "checkout").unwrap();
        revision::of_template(&workload["spec"]["template"]).to_string()
    }

    fn told(outcome: Result<Exit, Failure>) -> String {
        match outcome {
            Err(Failure::Told {
                message,
                exit: Exit::Failed,
                ..
            }) => message,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_another_version_is_no_good_end() {
        for (image, outcome) in [("checkout:v1", "Reverted"), ("checkout:v3", "Superseded")] {
            let world = shop("Idle").await;
            world.set_image("shop", "checkout", "checkout:v2").unwrap();
            let second = held(&world);
            let shipping = async {
                says(
                    &world,
                    3,
                    json!({"phase": "Judging", "release": {"revision": second}}),
                )
                .await;
                world.set_image("shop", "checkout", image).unwrap();
                let at = "2026-01-01T00:00:00Z";
                let entry = json!({"revision": second, "outcome": outcome, "reason": outcome, "seconds": 9,
                    "startedAt": at, "endedAt": at});
                let stable = json!({"revision": held(&world)});
                says(
                    &world,
                    3,
                    json!({"phase": "Idle", "stable": stable, "history": [entry]}),
                )
                .await;
            };
            let (outcome_of_it, ()) = tokio::join!(followed(&world, 60), shipping);
            let message = told(outcome_of_it);
            let wanted = format!("revision {second} of `checkout` was {}", outcome.to_lowercase());
            assert!(message.starts_with(&wanted), "{message}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_read_the_deployment_means_the_first_release_that_is_seen() {
        let world = shop("Judging").await;
        world.inject(FaultRule::next("get", "deployments", Fault::Status(403)).times(u64::MAX));
        let later = says(
            &world,
            3,
            json!({"phase": "Promoted", "stable": {"revision": "another"}}),
        );
        let (outcome, ()) = tokio::join!(followed(&world, 60), later);
        assert!(told(outcome).contains("was replaced: the Deployment holds revision another now"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_version_that_was_promoted_stays_so_though_a_newer_one_is_there_already() {
        let world = shop("Idle").await;
        world.set_image("shop", "checkout", "checkout:v2").unwrap();
        let second = held(&world);
        let shipping = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            world.set_image("shop", "checkout", "checkout:v3").unwrap();
            says(
                &world,
                3,
                json!({"phase": "Promoted", "stable": {"revision": second}}),
            )
            .await;
        };
        let (outcome, ()) = tokio::join!(followed(&world, 60), shipping);
        assert_eq!(outcome.ok(), Some(Exit::Healthy));
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_that_serin_has_not_seen_is_waited_for() {
        for phase in ["Promoted", "RolledBack"] {
            let world = shop(phase).await;
            world.set_image("shop", "checkout", "checkout:v2").unwrap();
            assert!(timed_out(&followed(&world, 60).await), "{phase}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_read_the_deployment_waits_a_little() {
        let world = shop("Idle").await;
        world.inject(FaultRule::next("get", "deployments", Fault::Status(403)).times(u64::MAX));
        assert!(timed_out(&followed(&world, 3).await));
        assert_eq!(followed(&world, 30).await.ok(), Some(Exit::Healthy));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_is_away_for_a_moment_is_no_end() {
        let world = shop("Idle").await;
        world.inject(FaultRule::next("get", "rollouts", Fault::Status(503)).times(20));
        assert_eq!(followed(&world, 60).await.ok(), Some(Exit::Healthy));
        world.inject(FaultRule::next("get", "rollouts", Fault::Status(403)));
        assert!(followed(&world, 60).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_where_nobody_answers_is_said_at_once() {
        let world = shop("Judging").await;
        world.inject(FaultRule::next("get", "rollouts", Fault::Break).times(3));
        let begun = Instant::now();
        let outcome = followed(&world, 60).await;
        assert!(outcome.is_err() && !timed_out(&outcome));
        assert!(Instant::now().duration_since(begun) < LOOK);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_breaks_once_is_no_end() {
        let world = shop("Judging").await;
        world.inject(FaultRule::next("get", "rollouts", Fault::Break).after(2).times(3));
        assert!(timed_out(&followed(&world, 30).await));
    }
}

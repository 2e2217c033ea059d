//! What goes into the status, and when: a decision at once and before anything is done, a report in its own time.
//!
//! One thing is done before: at the end of a release the route becomes the user's again, at a weight of 0 that has long
//! been committed, so that the last commit can take the originals out. If the process dies in between, the next one waits
//! out the drain or the bake again.

use std::sync::Arc;
use std::time::Duration;

use super::super::spec::{Spec, generation};
use super::{Turn, Worker};
use crate::api;
use crate::cluster::apply::Job;
use crate::cluster::cache::Kind;
use crate::cluster::observe;
use crate::cluster::snapshot::Snapshot;
use crate::engine::observation::{Observation, Route};
use crate::engine::quantity::after;
use crate::engine::state::Phase;
use crate::engine::{Decision, Effect, Moment, State, Weight, report};
use crate::render::route;

/// Least time between status writes that only report progress; a reader is never further behind.
const REPORT: Duration = Duration::from_secs(10);
/// Least time between status writes for facts that a new leader would miss. They must be written before the readings that
/// rest on them appear.
const LACKS: Duration = Duration::from_secs(3);
/// Least time between status writes where only the numbers of the verdicts have changed.
const REFRESH: Duration = Duration::from_secs(300);

impl Worker {
    /// When the status is to say what it does not say yet, though nothing was decided; `None`: it is up to date.
    pub(super) fn report_due(
        &self,
        status: &api::RolloutStatus,
        before: &State,
        (seen, next): (&Observation, &State),
        now: Moment,
    ) -> Option<Moment> {
        let after_the_last = |span: Duration| self.written.map_or(now, |at| after(at.min(now), span));
        if judged(next) && self.measure.lacks(status) {
            return Some(after_the_last(LACKS));
        }
        if next.waiting != before.waiting || arrived(status, next, seen) {
            return Some(after_the_last(REPORT));
        }
        if spent(status, next, seen) {
            return Some(after_the_last(REPORT));
        }
        if judged(next) && self.measure.troubles() != self.told {
            return Some(after_the_last(REPORT));
        }
        let numbers = matches!(next.phase, Phase::Releasing(_)) && self.written.is_some();
        numbers.then(|| after_the_last(REFRESH))
    }

    /// The decision goes into the status before anything is done; a conflict drops it.
    pub(super) async fn commit(
        &mut self,
        mut snapshot: Snapshot,
        spec: &Spec,
        (status, before): (&api::RolloutStatus, &State),
        (seen, decision): (&Observation, &Decision),
        now: Moment,
    ) -> Result<Snapshot, Turn> {
        let restored = self.clean(&mut snapshot, (before, decision), now).await;
        let frame = report::Frame {
            before: status,
            generation: generation(&snapshot.rollout),
            stamp: Some(self.shared.writer.stamp().to_string()),
            originals: if restored {
                Vec::new()
            } else {
                originals(&snapshot, &decision.next, seen)
            },
            verdicts: self.measure.verdicts(&spec.plan, decision.next.active()),
            metrics: self.measure.metrics(),
            trail: self.measure.trail(decision.next.active()),
            evidence: judged(&decision.next)
                .then(|| self.measure.keep(&spec.plan))
                .flatten(),
            now,
        };
        let next = report::status(&spec.plan, &decision.next, seen, frame);
        let next = serde_json::to_value(next).unwrap_or_default();
        match self.shared.writer.commit_status(&snapshot.rollout, &next).await {
            Ok(written) => {
                let phase = report::phase(&decision.next).as_str();
                let (rollout, namespace) = (&self.key.name, &self.key.namespace);
                tracing::debug!(%rollout, %namespace, phase, weight = decision.next.weight().percent(), "status written");
                self.shared.metrics.wrote("status");
                self.written = Some(now);
                self.told = self.measure.troubles();
                self.shared.cache.put(Kind::Rollout, written.clone());
                snapshot.rollout = written;
                self.tell(&snapshot, before, decision);
                Ok(snapshot)
            }
            Err(error) => Err(self.failed(&snapshot, "commit the status", &error)),
        }
    }
}

impl Worker {
    /// At the end of a release, restores the user's route. Returns whether the route is restored.
    async fn clean(
        &mut self,
        snapshot: &mut Snapshot,
        (before, decision): (&State, &Decision),
        now: Moment,
    ) -> bool {
        let effect = Effect::RestoreRoute;
        let ends = matches!(before.phase, Phase::Promoting(_) | Phase::RollingBack(_))
            && matches!(decision.next.phase, Phase::Idle | Phase::RolledBack(_))
            && before.weight() == Weight::NONE;
        if !ends || !decision.effects.contains(&effect) {
            return false;
        }
        let shared = Arc::clone(&self.shared);
        let job = Job {
            snapshot,
            state: before,
            now,
            leader: &shared.leadership,
        };
        // What fails is tried again after the commit, and told then.
        let Ok(applied) = shared.writer.apply(&effect, &job).await else {
            return false;
        };
        self.count(&effect, applied.writes());
        self.undo(snapshot, (&effect, &applied), Weight::NONE, now);
        for (kind, object) in applied.written {
            let uid = object["metadata"]["uid"].clone();
            let routes = snapshot.routes.iter_mut().filter_map(|(_, route)| route.as_mut());
            routes
                .filter(|route| route["metadata"]["uid"] == uid)
                .for_each(|route| route.clone_from(&object));
            self.shared.cache.put(kind, object);
        }
        !observe::route(snapshot, None).touched()
    }
}

/// Whether the status keeps a route as it was, which it is again: it forbids to change what the Rollout names.
fn spent(status: &api::RolloutStatus, next: &State, seen: &Observation) -> bool {
    let rests = matches!(next.phase, Phase::Idle | Phase::RolledBack(_));
    let free = seen.route.gone() || matches!(seen.route, Route::Seen { .. }) && !seen.route.touched();
    rests && !status.originals.is_empty() && free
}

/// Whether somebody may go on with the evidence.
const fn judged(next: &State) -> bool {
    matches!(next.phase, Phase::Releasing(_) | Phase::Promoting(_))
}

/// Whether the gateway has taken over the committed weight and the status does not say so.
fn arrived(status: &api::RolloutStatus, next: &State, seen: &Observation) -> bool {
    let moves = matches!(
        next.phase,
        Phase::Releasing(_) | Phase::Promoting(_) | Phase::RollingBack(_)
    );
    let Some(release) = status.release.as_ref().filter(|_| moves) else {
        return false;
    };
    match &seen.route {
        Route::Seen {
            weight: Some(weight),
            accepted_since: Some(_),
            ..
        } => *weight == next.weight() && release.weight.observed != Some(i32::from(weight.percent())),
        Route::Seen { .. } | Route::Unusable(_) => false,
    }
}

/// Whether somebody changed a route's weights after the status recorded them and before the candidate was named. Those newer
/// weights are then the ones to restore.
pub(super) fn moved(
    status: &api::RolloutStatus,
    snapshot: &Snapshot,
    next: &State,
    seen: &Observation,
) -> bool {
    let whole = snapshot.routes.iter().all(|(_, route)| route.is_some());
    let saved = &status.originals;
    let fresh = || originals(snapshot, next, seen);
    whole
        && !saved.is_empty()
        && Some(fresh())
            .filter(|fresh| !fresh.is_empty())
            .is_some_and(|fresh| fresh != *saved)
}

/// The routes as they were before the first change: in the status before that change is made, out of it when the
/// last trace is gone.
fn originals(snapshot: &Snapshot, next: &State, seen: &Observation) -> Vec<api::Original> {
    let saved = observe::originals(&snapshot.rollout);
    if next.weight() == Weight::NONE && !seen.route.touched() {
        return Vec::new();
    }
    let arms = observe::arms(&snapshot.rollout);
    let routes = snapshot.routes.iter().filter_map(|(_, object)| object.as_ref());
    let fresh: Result<Vec<_>, _> = routes
        .map(|object| route::originals(object, &arms, &saved))
        .collect();
    fresh.map_or(saved, |fresh| fresh.into_iter().flatten().collect())
}

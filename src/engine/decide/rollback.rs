//! Taking a candidate back: traffic first, then the pods. Nothing here ever raises a weight.

use super::super::observation::Route;
use super::super::quantity::{Moment, Revision, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Outcome, Phase, Rejection, Retreat};
use super::{Turn, after};

impl Turn<'_> {
    /// The committed weight becomes zero in this very decision; but nobody's traffic is given to nobody.
    pub(super) fn retreat(
        &mut self,
        revision: &Revision,
        started: Moment,
        cause: Cause,
        detail: String,
    ) -> Option<Waiting> {
        if let Some(wait) = self.spared(revision, cause, &detail) {
            return Some(wait);
        }
        let note = match cause {
            Cause::Superseded | Cause::Reverted => Note::normal,
            Cause::Regression
            | Cause::Leaking
            | Cause::NotReady
            | Cause::CapacityLost
            | Cause::Crashing
            | Cause::Inconclusive
            | Cause::NoData
            | Cause::Aborted => Note::warning,
        };
        self.note(note(
            reason::ROLLING_BACK,
            format!("revision {revision} is rolled back: {detail}"),
        ));
        self.next.remember(Outcome {
            revision: revision.clone(),
            cause: Some(cause),
            detail: detail.clone(),
            started,
            ended: self.now,
        });
        self.next.phase = Phase::RollingBack(Retreat {
            revision: revision.clone(),
            started,
            entered: self.now,
            cause,
            detail,
            served: None,
        });
        None
    }

    pub(super) fn rolling_back(&mut self, retreat: Retreat) -> Option<Waiting> {
        // Before anything else, so that no new process forgets it.
        let served = self.last_told(retreat.served);
        if served != retreat.served {
            self.next.phase = Phase::RollingBack(Retreat { served, ..retreat });
            return None;
        }
        let Some(drained) = self.drained(retreat.entered) else {
            let message = format!("connections to revision {} drain", retreat.revision);
            return Some(self.draining(retreat.entered, reason::ROLLING_BACK, message));
        };
        if let Some(wait) = self.still_served(&retreat.revision, drained, served) {
            return Some(wait);
        }
        self.next.phase = if retreat.cause.rejects() {
            self.note(Note::warning(
                reason::ROLLED_BACK,
                format!(
                    "revision {} bears no traffic any more: {}",
                    retreat.revision, retreat.detail
                ),
            ));
            Phase::RolledBack(Rejection {
                revision: retreat.revision,
                since: drained,
                cause: retreat.cause,
                detail: retreat.detail,
            })
        } else {
            Phase::Idle
        };
        None
    }

    /// When the last connection was given up: weight zero in force since `rollback.drain`, or no candidate at all.
    fn drained(&mut self, entered: Moment) -> Option<Moment> {
        let route = &self.seen.route;
        let bare = self.seen.candidate.revision.is_none() && !route.touched();
        if bare {
            return Some(entered);
        }
        let since = self.emptied(entered)?;
        self.over(since, self.plan.rollback.drain)
            .then(|| after(since, self.plan.rollback.drain))
    }

    /// Since when no new request can reach the candidate, if that is so.
    pub(super) fn emptied(&mut self, entered: Moment) -> Option<Moment> {
        // A route that is gone sends nobody anywhere; one that is refused may still serve its older form.
        if self.seen.route.gone() {
            return Some(entered);
        }
        let settled = self
            .seen
            .route
            .settled(Weight::NONE, self.plan.propagation, self.now);
        if settled.is_none() {
            self.wake_for_route();
        }
        settled.map(|settled| settled.max(entered))
    }

    /// What a drain waits for: time, or a route that has not let go of the candidate.
    pub(super) fn draining(&mut self, entered: Moment, reason: &str, message: impl Into<String>) -> Waiting {
        if let Some(since) = self.emptied(entered) {
            let until = after(since, self.plan.rollback.drain);
            return Waiting::on(reason, message).until(Some(until));
        }
        let late = self.over(entered, self.plan.route_deadline);
        match &self.seen.route {
            Route::Unusable(problem) => Waiting::on(problem.reason, &problem.message),
            Route::Seen {
                refusal: Some(refusal),
                ..
            } if late => Waiting::on(reason::ROUTE_NOT_ACCEPTED, refusal),
            // A new process has not known it for long.
            Route::Seen {
                weight: Some(Weight::NONE),
                accepted_since: Some(since),
                ..
            } if late => Waiting::on(reason, "the gateway takes the candidate's traffic away")
                .until(Some(after(*since, self.plan.propagation))),
            Route::Seen { .. } if late => Waiting::on(
                reason::ROUTE_NOT_ACCEPTED,
                "the gateway has not accepted the route that gives the candidate nothing",
            ),
            Route::Seen { .. } => Waiting::on(reason, "the gateway takes the candidate's traffic away")
                .until(Some(after(entered, self.plan.route_deadline))),
        }
    }
}

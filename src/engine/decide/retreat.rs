//! Taking a candidate back: traffic first, then the pods. Nothing here ever raises a weight.

use super::super::quantity::{Moment, Revision, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Outcome, Phase, Rejection, Retreat};
use super::{Turn, after};

impl Turn<'_> {
    /// The committed weight becomes zero in this very decision.
    pub(super) fn retreat(
        &mut self,
        revision: &Revision,
        started: Moment,
        cause: Cause,
        detail: String,
    ) -> Option<Waiting> {
        let note = match cause {
            Cause::Superseded | Cause::Reverted => Note::normal,
            _ => Note::warning,
        };
        self.note(note(
            reason::ROLLING_BACK,
            format!("revision {revision} is taken back: {detail}"),
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
        });
        None
    }

    pub(super) fn rolling_back(&mut self, retreat: Retreat) -> Option<Waiting> {
        let Some(drained) = self.drained(retreat.entered) else {
            let message = format!("connections to revision {} drain", retreat.revision);
            let until = after(retreat.entered, self.plan.rollback.drain);
            return Some(Waiting::on(reason::ROLLING_BACK, message).until(Some(until)));
        };
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
        // A route that is gone sends nobody anywhere; one that is refused may still serve its older form.
        let gone = matches!(route, super::super::observation::Route::Unusable(_));
        let settled = if gone {
            Some(entered)
        } else {
            route.settled(Weight::NONE, self.plan.propagation, self.now)
        };
        if settled.is_none()
            && let super::super::observation::Route::Seen {
                accepted_since: Some(since),
                ..
            } = route
        {
            self.wake_at(after(*since, self.plan.propagation));
        }
        let since = settled?.max(entered);
        self.over(since, self.plan.rollback.drain)
            .then(|| after(since, self.plan.rollback.drain))
    }
}

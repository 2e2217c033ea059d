//! The Rollout goes away: whoever deletes it, at any time, leaves a service that serves.

use super::super::quantity::Weight;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Phase, PromotionStage, Removal};
use super::{Turn, after};

impl Turn<'_> {
    pub(super) fn begin_removal(&mut self, phase: &Phase) -> Option<Waiting> {
        self.note(Note::normal(
            reason::DELETING,
            "the Rollout goes away: traffic returns to the Deployment first",
        ));
        let weight = self.next.weight();
        let approved = match phase {
            Phase::Promoting(promotion) if promotion.stage != PromotionStage::Handover => {
                Some(promotion.revision.clone())
            }
            _ => None,
        };
        let drain = weight > Weight::NONE || self.seen.route.highest() > Weight::NONE;
        // In mid-promotion the Deployment may be half rolled: the candidate serves until the approved pods do.
        let weight = if approved.is_some() { weight } else { Weight::NONE };
        self.next.phase = Phase::Deleting(Removal {
            entered: self.now,
            approved,
            weight,
            drain,
        });
        None
    }

    pub(super) fn deleting(&mut self, removal: Removal) -> Option<Waiting> {
        if removal.weight > Weight::NONE {
            let ready = match (&self.seen.workload, &removal.approved) {
                (Some(workload), Some(approved)) => workload.pods(approved).ready >= workload.replicas.max(1),
                _ => true,
            };
            if !ready {
                return Some(Waiting::on(
                    reason::DELETING,
                    "the approved revision's pods must be ready before traffic returns",
                ));
            }
            self.next.phase = Phase::Deleting(Removal {
                weight: Weight::NONE,
                entered: self.now,
                ..removal
            });
            return None;
        }
        if removal.drain {
            let settled = self
                .seen
                .route
                .settled(Weight::NONE, self.plan.propagation, self.now);
            let gone = matches!(self.seen.route, super::super::observation::Route::Unusable(_));
            let since = if gone { Some(removal.entered) } else { settled };
            let drained =
                since.is_some_and(|since| self.over(since.max(removal.entered), self.plan.rollback.drain));
            if !drained {
                self.wake_for_route();
                let until = after(removal.entered, self.plan.rollback.drain);
                return Some(
                    Waiting::on(reason::DELETING, "connections to the candidate drain").until(Some(until)),
                );
            }
            self.next.phase = Phase::Deleting(Removal {
                drain: false,
                ..removal
            });
            return None;
        }
        Some(Waiting::on(reason::DELETING, "what Serin made is removed"))
    }
}

//! The Rollout goes away: whoever deletes it, at any time, leaves a service that serves.

use super::super::observation::{Candidate, Route};
use super::super::quantity::Weight;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Phase, Promotion, PromotionStage, Removal};
use super::Turn;

impl Turn<'_> {
    pub(super) fn begin_removal(&mut self, phase: &Phase) -> Option<Waiting> {
        self.note(Note::normal(
            reason::DELETING,
            "the Rollout goes away: traffic returns to the Deployment first",
        ));
        let weight = self.next.weight();
        let approved = if let Phase::Promoting(promotion) = phase
            && self.has_rolled(promotion)
        {
            let stable = self.next.stable.as_ref();
            let template = self.seen.workload.as_ref().map(|workload| &workload.template);
            // Given up, and the Deployment is on its way back.
            let back = promotion.stage == PromotionStage::Failed && template.is_some() && template == stable;
            stable.filter(|_| back).or(Some(&promotion.revision)).cloned()
        } else {
            None
        };
        let drain = matches!(phase, Phase::RollingBack(_))
            || weight > Weight::NONE
            || self.next.stable.is_some() && self.seen.route.highest() > Weight::NONE;
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
                (Some(workload), Some(approved)) => {
                    // Old pods that the roll has not replaced yet do no harm; unapproved ones do.
                    let clean = workload.template == *approved || !workload.stray(approved);
                    let whole = workload.pods(approved).ready >= workload.replicas;
                    // It may never become ready: then it is enough that no fewer pods serve than now, of whatever approved
                    // revision.
                    let late = self.over(removal.entered, self.plan.promotion.deadline);
                    clean && (whole || late && workload.endpoints >= self.candidate_ready(approved).max(1))
                }
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
            let bare = self.seen.candidate == Candidate::default() && !self.seen.route.touched();
            let since = if bare {
                Some(removal.entered)
            } else {
                self.emptied(removal.entered)
            };
            let drained = bare || since.is_some_and(|since| self.over(since, self.plan.rollback.drain));
            if !drained {
                let message = "connections to the candidate drain";
                return Some(self.draining(removal.entered, reason::DELETING, message));
            }
            self.next.phase = Phase::Deleting(Removal {
                drain: false,
                ..removal
            });
            return None;
        }
        if let (Route::Unusable(problem), true) = (&self.seen.route, self.remains()) {
            return Some(Waiting::on(problem.reason, &problem.message));
        }
        Some(Waiting::on(reason::DELETING, "what Serin made is removed"))
    }

    /// Whether the Deployment has begun to become the promoted revision: then the way back is the way through.
    fn has_rolled(&self, promotion: &Promotion) -> bool {
        let begun = self.seen.workload.as_ref().is_some_and(|workload| {
            let approved = workload.template == promotion.revision && !workload.paused;
            approved || workload.pods(&promotion.revision).desired > 0
        });
        promotion.stage != PromotionStage::Handover && begun
    }

    /// A candidate is there behind a route of which nobody knows what it does.
    fn remains(&self) -> bool {
        !self.seen.route.gone() && self.seen.candidate != Candidate::default()
    }
}

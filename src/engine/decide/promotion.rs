//! A proven revision becomes the user's Deployment, while the candidate serves everyone in passing.

use super::super::observation::Workload;
use super::super::quantity::Weight;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Outcome, Phase, Promotion, PromotionStage};
use super::{Turn, after};

impl Turn<'_> {
    pub(super) fn promoting(&mut self, promotion: Promotion) -> Option<Waiting> {
        let seen = self.seen;
        let Some(workload) = &seen.workload else {
            return self.without_workload();
        };
        match promotion.stage {
            PromotionStage::Handover => self.handover(promotion, workload),
            PromotionStage::Rolling => self.rolling(promotion, workload),
            PromotionStage::Returning(index) => self.returning(promotion, workload, index),
            PromotionStage::Baking => self.baking(promotion, workload),
            PromotionStage::Failed => Some(Waiting::on(
                reason::PROMOTION_FAILED,
                format!(
                    "the candidate serves all traffic; cure the Deployment, then resume revision {}",
                    promotion.revision
                ),
            )),
        }
    }

    fn handover(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        // The Deployment is still the old one: until it rolls, going back costs nothing.
        if workload.template != promotion.revision {
            let detail = format!("revision {} came", workload.template);
            return self.retreat(&promotion.revision, promotion.started, Cause::Superseded, detail);
        }
        if self.seen.candidate.ready == 0 {
            let detail = "no candidate pod is ready under all traffic".to_owned();
            return self.retreat(
                &promotion.revision,
                promotion.started,
                Cause::CapacityLost,
                detail,
            );
        }
        if self
            .seen
            .route
            .settled(Weight::FULL, self.plan.propagation, self.now)
            .is_none()
        {
            self.wake_for_route();
            return Some(Waiting::on(
                reason::PROMOTING,
                "the route must give the candidate all traffic",
            ));
        }
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Rolling,
            entered: self.now,
            ..promotion
        });
        None
    }

    fn rolling(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        let complete = workload.serves(&promotion.revision) && workload.endpoints >= workload.replicas;
        if complete {
            if promotion.paused {
                return Some(Waiting::on(
                    reason::PAUSED,
                    "a person asked to keep the weight: resume to go on",
                ));
            }
            self.note(Note::normal(
                reason::RETURNING,
                format!(
                    "the Deployment runs revision {}: traffic comes back in steps",
                    promotion.revision
                ),
            ));
            self.return_to(promotion, 0);
            return None;
        }
        if workload.overdue || self.over(promotion.entered, self.plan.promotion.deadline) {
            self.note(Note::warning(
                reason::PROMOTION_FAILED,
                format!(
                    "the Deployment did not become ready with revision {}: the candidate keeps all traffic",
                    promotion.revision
                ),
            ));
            self.fail_promotion(promotion);
            return None;
        }
        let until = after(promotion.entered, self.plan.promotion.deadline);
        Some(
            Waiting::on(
                reason::PROMOTING,
                "the Deployment's own rolling update, which bears no traffic",
            )
            .until(Some(until)),
        )
    }

    fn returning(&mut self, promotion: Promotion, workload: &Workload, index: usize) -> Option<Waiting> {
        if let Some(wait) = self.setback(&promotion, workload) {
            return wait;
        }
        let weight = promotion.weight;
        let Some(settled) = self.seen.route.settled(weight, self.plan.propagation, self.now) else {
            self.wake_for_route();
            return Some(Waiting::on(
                reason::RETURNING,
                format!("{} of the traffic is back", weight.rest()),
            ));
        };
        let warm = self.over(settled.max(promotion.entered), self.plan.promotion.warm_up);
        if !warm || promotion.paused {
            return Some(Waiting::on(
                reason::RETURNING,
                format!("{} of the traffic is back", weight.rest()),
            ));
        }
        self.return_to(promotion, index + 1);
        None
    }

    fn baking(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        if let Some(wait) = self.setback(&promotion, workload) {
            return wait;
        }
        let wait = Some(
            Waiting::on(reason::BAKING, "all traffic is back; the candidate stands by")
                .until(Some(after(promotion.entered, self.plan.promotion.bake))),
        );
        let Some(settled) = self
            .seen
            .route
            .settled(Weight::NONE, self.plan.propagation, self.now)
        else {
            self.wake_for_route();
            return wait;
        };
        if !self.over(settled.max(promotion.entered), self.plan.promotion.bake) {
            return wait;
        }
        let revision = promotion.revision;
        self.note(Note::normal(
            reason::PROMOTED,
            format!("revision {revision} serves all traffic"),
        ));
        self.next.remember(Outcome {
            revision: revision.clone(),
            cause: None,
            detail: "every step passed".into(),
            started: promotion.started,
            ended: self.now,
        });
        self.next.stable = Some(revision);
        self.next.phase = Phase::Idle;
        None
    }

    /// What takes the traffic from the promoted Deployment again. `Some` ends the turn.
    fn setback(&mut self, promotion: &Promotion, workload: &Workload) -> Option<Option<Waiting>> {
        if self.seen.evidence.convicts(&promotion.revision) && promotion.stage != PromotionStage::Baking {
            self.note(Note::warning(
                reason::PROMOTION_FAILED,
                format!(
                    "the promoted pods are worse than the candidate's: {}",
                    self.seen.evidence.summary
                ),
            ));
            self.fail_promotion(promotion.clone());
            return Some(None);
        }
        let back = promotion.weight.rest().share_of(workload.replicas);
        if workload.pods(&promotion.revision).ready >= back {
            return None;
        }
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!(
                "the promoted Deployment lost ready pods under {}: the candidate takes all traffic",
                promotion.weight.rest()
            ),
        ));
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Rolling,
            entered: self.now,
            weight: Weight::FULL,
            ..promotion.clone()
        });
        Some(None)
    }

    fn return_to(&mut self, promotion: Promotion, index: usize) {
        let share = self.plan.promotion.returns.get(index).copied();
        let weight = share.map_or(Weight::NONE, Weight::rest);
        let stage = if weight == Weight::NONE {
            PromotionStage::Baking
        } else {
            PromotionStage::Returning(index)
        };
        self.next.phase = Phase::Promoting(Promotion {
            stage,
            weight,
            entered: self.now,
            ..promotion
        });
    }

    /// All traffic on the candidate, which stays the incumbent, until a person decides.
    pub(super) fn fail_promotion(&mut self, promotion: Promotion) {
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Failed,
            weight: Weight::FULL,
            entered: self.now,
            ..promotion
        });
    }

    pub(super) fn wake_for_route(&mut self) {
        if let super::super::observation::Route::Seen {
            accepted_since: Some(since),
            ..
        } = &self.seen.route
        {
            self.wake_at(after(*since, self.plan.propagation));
        }
    }
}

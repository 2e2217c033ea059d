//! A proven revision becomes the user's Deployment, while the candidate serves everyone in passing.

use super::super::observation::{Route, Workload};
use super::super::quantity::Weight;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Outcome, Phase, Promotion, PromotionStage};
use super::{LOST_MAX, Turn, after};

impl Turn<'_> {
    pub(super) fn promoting(&mut self, promotion: Promotion) -> Option<Waiting> {
        let seen = self.seen;
        let Some(workload) = &seen.workload else {
            return Some(self.without_workload());
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
        if let Some((cause, why)) = self.seen.evidence.convicts(&promotion.revision) {
            return self.retreat(&promotion.revision, promotion.started, cause, why.to_owned());
        }
        let ready = self.candidate_ready(&promotion.revision);
        if ready == 0 {
            let detail = match self.removed(&promotion.revision) {
                Some(object) => format!("somebody has removed the candidate's {object} under all traffic"),
                None => "no candidate pod is ready under all traffic".to_owned(),
            };
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
        let needed = Weight::FULL.share_of(workload.replicas);
        if ready < needed {
            let message =
                format!("{needed} ready candidate pods must serve alone while the Deployment rolls");
            return Some(Waiting::on(reason::SCALING, message));
        }
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Rolling,
            entered: self.now,
            ..promotion
        });
        None
    }

    fn rolling(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        if workload.template != promotion.revision && workload.pods(&promotion.revision).desired == 0 {
            // It never began to roll, so the old pods are all there.
            let detail = format!("revision {} came", workload.template);
            return self.retreat(&promotion.revision, promotion.started, Cause::Superseded, detail);
        }
        let complete = workload.replicas > 0
            && workload.serves(&promotion.revision)
            && workload.endpoints >= workload.replicas;
        if complete {
            // The gateway may still send requests to the pods before: it learns of endpoints as late as of weights.
            if !self.over(workload.since, self.plan.propagation) {
                let end = after(workload.since, self.plan.propagation);
                return Some(
                    Waiting::on(
                        reason::PROMOTING,
                        "the gateway takes over the Deployment's new pods",
                    )
                    .until(Some(end)),
                );
            }
            if let Some(wait) = self.paused_wait(promotion.paused) {
                return Some(wait);
            }
            self.note(Note::detail(
                reason::RETURNING,
                format!(
                    "the Deployment runs revision {}: traffic comes back in steps",
                    promotion.revision
                ),
            ));
            self.return_to(promotion, 0);
            return None;
        }
        // While it is paused, or not yet looked at, that condition is about an earlier template.
        let overdue = workload.overdue && workload.observed && !workload.paused;
        if overdue || self.over(promotion.entered, self.plan.promotion.deadline) {
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
        if let Some(wait) = self.paused_wait(promotion.paused) {
            return Some(wait);
        }
        if !warm {
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
        let revision = &promotion.revision;
        let convicted = self
            .seen
            .evidence
            .convicts(revision)
            .filter(|_| promotion.stage != PromotionStage::Baking);
        let stray = workload.stray(revision);
        let ready = workload.pods(revision).ready;
        let short = ready < promotion.weight.rest().share_of(workload.replicas);
        if convicted.is_none() && !stray && !short {
            return None;
        }
        let what = if let Some((_, why)) = convicted {
            format!("the promoted pods are worse than the candidate's: {why}")
        } else if stray {
            format!("the Deployment has pods of revision {}", workload.template)
        } else {
            format!(
                "{ready} promoted pods are ready under {}",
                promotion.weight.rest()
            )
        };
        let candidate = self.candidate_ready(revision);
        if candidate < Weight::FULL.share_of(workload.replicas) && candidate <= ready {
            let message = format!("{what}; the candidate has not the pods to take over: the weight stays");
            return Some(Some(Waiting::on(reason::CAPACITY_LOST, message)));
        }
        let lost = promotion.lost.saturating_add(u8::from(short));
        let over = convicted.is_some() || lost >= LOST_MAX;
        let told = if over {
            reason::PROMOTION_FAILED
        } else {
            reason::CAPACITY_LOST
        };
        self.note(Note::warning(
            told,
            format!("{what}: the candidate takes all traffic"),
        ));
        self.next.phase = Phase::Promoting(Promotion {
            stage: if over {
                PromotionStage::Failed
            } else {
                PromotionStage::Rolling
            },
            entered: self.now,
            weight: Weight::FULL,
            lost,
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
        if let Route::Seen {
            accepted_since: Some(since),
            ..
        } = &self.seen.route
        {
            self.wake_at(after(*since, self.plan.propagation));
        }
    }
}

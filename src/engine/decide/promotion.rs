//! A proven revision becomes the user's Deployment, while the candidate serves everyone in passing.

use super::super::observation::{Route, Workload};
use super::super::quantity::Weight;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Gap, Outcome, Phase, Promotion, PromotionStage, Release, Stage};
use super::promotion_failover::known;
use super::{Turn, after};

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
            PromotionStage::Failed => self.failed(promotion, workload),
        }
    }

    fn handover(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        if let Some((cause, why)) = self.seen.evidence.convicts(&promotion.revision) {
            return self.retreat(&promotion.revision, promotion.started, cause, why.to_owned());
        }
        // The Deployment is still the old one: until it rolls, going back costs nothing, as long as its pods serve.
        if workload.template != promotion.revision {
            return self.retreat_to_stable(&promotion, workload);
        }
        let ready = self.candidate_ready(&promotion.revision);
        let needed = Weight::FULL.share_of(known(&promotion, workload));
        if ready < needed && ready < workload.endpoints {
            return self.unhand(promotion, needed);
        }
        if self
            .seen
            .route
            .settled(Weight::FULL, self.plan.propagation, self.now)
            .is_none()
        {
            let ordinary = Waiting::on(reason::PROMOTING, "the route must give the candidate all traffic");
            return Some(self.unsettled(Weight::FULL, promotion.entered, ordinary));
        }
        if ready < needed {
            let message = format!(
                "{needed} ready candidate pods must serve alone while the Deployment rolls, and {ready} are ready; the Deployment \
                 has no more to take the traffic back"
            );
            if self.over(promotion.entered, self.plan.scaling_deadline) {
                let message = match workload.endpoints {
                    0 => format!("{message}: make room for them (an abort would leave nobody to serve)"),
                    1 => format!("{message}: make room for them, or abort, and its 1 pod takes all traffic"),
                    more => format!(
                        "{message}: make room for them, or abort, and its {more} pods take all traffic"
                    ),
                };
                return Some(Waiting::on(reason::CAPACITY_LOST, message));
            }
            let until = after(promotion.entered, self.plan.scaling_deadline);
            return Some(Waiting::on(reason::SCALING, message).until(Some(until)));
        }
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Rolling,
            entered: self.now,
            lost: 0,
            replicas: Some(known(&promotion, workload)),
            ..promotion
        });
        None
    }

    /// The candidate has lost pods before anything has rolled: as in the last step, whose bake it has to stand once more.
    /// Nothing ran beside it meanwhile, so that what was counted is no evidence.
    fn unhand(&mut self, promotion: Promotion, needed: u32) -> Option<Waiting> {
        let top = self.plan.rungs.len().saturating_sub(1);
        let release = Release {
            revision: promotion.revision,
            started: promotion.started,
            entered: promotion.entered,
            ladder: self.plan.ladder().collect(),
            rung: top,
            passed: top,
            weight: promotion.weight,
            stage: Stage::Judging,
            granted: needed,
            approved: true,
            paused: promotion.paused,
            lost: promotion.lost,
            restarts: None,
            gap: Some(Gap {
                from: promotion.entered,
                until: Some(self.now),
                alone: true,
            }),
            overstayed: None,
        };
        self.lose_capacity(release, needed)
    }

    fn rolling(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        let unrolled =
            workload.template != promotion.revision && workload.pods(&promotion.revision).desired == 0;
        // It never began to roll. But a Deployment that replaces all pods at once, or was made anew, may have none before.
        if unrolled && self.stable_serves(workload) {
            return self.retreat_to_stable(&promotion, workload);
        }
        let ready = self.candidate_ready(&promotion.revision);
        let promotion = self.with_known(promotion, workload, ready);
        if self.changes_sides(&promotion, workload) {
            return None;
        }
        let complete = workload.replicas > 0
            && workload.serves(&promotion.revision)
            && workload.endpoints >= workload.replicas;
        if complete {
            return self.rolled(promotion, workload);
        }
        // What was reported before is about an earlier template, or an earlier try.
        let overdue = workload.overdue.is_some_and(|since| since >= promotion.entered)
            && workload.observed
            && !workload.paused;
        if overdue || self.over(promotion.entered, self.plan.promotion.deadline) {
            let keeps = match promotion.weight {
                Weight::NONE => "it keeps all traffic as it is, for the candidate has lost its pods",
                Weight::FULL => "the candidate keeps all traffic",
                _ => "the weight stays, for the candidate lacks pods",
            };
            self.note(Note::warning(
                reason::PROMOTION_FAILED,
                format!(
                    "the Deployment did not become ready with revision {}: {keeps}",
                    promotion.revision
                ),
            ));
            self.fail_promotion(promotion);
            return None;
        }
        self.wake_for_route();
        let until = after(promotion.entered, self.plan.promotion.deadline);
        let message = if unrolled {
            format!(
                "revision {} came: traffic goes back as soon as the stable pods are ready again",
                workload.template
            )
        } else if promotion.weight == Weight::NONE {
            "the Deployment's own rolling update, under all traffic: the candidate has lost its pods"
                .to_owned()
        } else if promotion.weight == Weight::FULL {
            "the Deployment's own rolling update, which bears no traffic".to_owned()
        } else {
            format!(
                "the Deployment's own rolling update, under {} of the traffic: the candidate lacks pods",
                promotion.weight.rest()
            )
        };
        Some(Waiting::on(reason::PROMOTING, message).until(Some(until)))
    }

    /// The Deployment runs the promoted revision alone.
    fn rolled(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
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
            if self.stands_long(promotion.entered, self.plan.promotion.deadline) {
                self.next.phase = Phase::Promoting(Promotion {
                    entered: self.now,
                    ..promotion
                });
                return None;
            }
            return Some(wait);
        }
        if promotion.weight == Weight::NONE {
            self.return_to(promotion, self.plan.promotion.returns.len());
            return None;
        }
        self.note(Note::detail(
            reason::RETURNING,
            format!(
                "the Deployment runs revision {}: traffic comes back in steps",
                promotion.revision
            ),
        ));
        self.return_to(promotion, 0);
        None
    }

    fn baking(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        let ready = workload.pods(&promotion.revision).ready;
        let promotion = self.with_known(promotion, workload, ready);
        if let Some(wait) = self.setback(&promotion, workload) {
            return wait;
        }
        // A pause is no reason to forget it when this process ends.
        let served = self.last_told(promotion.served);
        if served != promotion.served {
            self.next.phase = Phase::Promoting(Promotion { served, ..promotion });
            return None;
        }
        let Some(settled) = self
            .seen
            .route
            .settled(Weight::NONE, self.plan.propagation, self.now)
        else {
            let ordinary = Waiting::on(reason::BAKING, "the gateway gives all traffic back");
            return Some(self.unsettled(Weight::NONE, promotion.entered, ordinary));
        };
        let since = settled.max(promotion.entered);
        let over = self.over(since, self.plan.promotion.bake);
        if let Some(wait) = self.paused_wait(promotion.paused) {
            return Some(wait);
        }
        let end = after(since, self.plan.promotion.bake);
        if let Some(wait) = self.still_served(&promotion.revision, end, served) {
            return Some(wait);
        }
        if !over {
            let wait = Waiting::on(reason::BAKING, "all traffic is back; the candidate stands by");
            return Some(wait.until(Some(end)));
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

    pub(super) fn return_to(&mut self, promotion: Promotion, index: usize) {
        let share = self.plan.promotion.returns.get(index).copied();
        let weight = share.map_or(Weight::NONE, Weight::rest);
        let stage = if weight == Weight::NONE {
            PromotionStage::Baking
        } else {
            PromotionStage::Returning(index)
        };
        let replicas = self.seen.workload.as_ref().map(|workload| workload.replicas);
        self.next.phase = Phase::Promoting(Promotion {
            stage,
            weight,
            entered: self.now,
            replicas: if index == 0 { replicas } else { promotion.replicas },
            served: None,
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

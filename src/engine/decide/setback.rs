//! Who bears the traffic when pods fail in mid-promotion, or another template comes: whichever side can.

use super::super::observation::Workload;
use super::super::quantity::{Revision, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Phase, Promotion, PromotionStage};
use super::{LOST_MAX, Turn};

impl Turn<'_> {
    pub(super) fn failed(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        // Before the candidate could take the traffic for a moment.
        if workload.template != promotion.revision && self.stable_serves(workload) {
            return self.retreat_to_stable(&promotion, workload);
        }
        let ready = self.candidate_ready(&promotion.revision);
        let promotion = self.with_known(promotion, workload, ready);
        // The Deployment's pods may be here because they are worse: they are better than none.
        let some = promotion.weight > Weight::NONE && ready > 0;
        if !some && self.changes_sides(&promotion, workload) {
            return None;
        }
        let revision = &promotion.revision;
        if workload.template != *revision {
            let message = format!(
                "revision {} came: traffic goes back as soon as the stable pods are ready again",
                workload.template
            );
            return Some(Waiting::on(reason::PROMOTION_FAILED, message));
        }
        let serving = if promotion.weight == Weight::NONE {
            "the Deployment serves all traffic as it is"
        } else {
            "the candidate serves all traffic"
        };
        Some(Waiting::on(
            reason::PROMOTION_FAILED,
            format!("{serving}; cure the Deployment, then resume revision {revision}"),
        ))
    }

    /// The candidate has lost most of the pods that bear its share, and the Deployment has more, all of them of approved
    /// revisions.
    pub(super) fn forsaken(&self, promotion: &Promotion, workload: &Workload) -> bool {
        let known = promotion.replicas.unwrap_or(u32::MAX).min(workload.replicas);
        let share = promotion.weight.share_of(known);
        let ready = self.candidate_ready(&promotion.revision);
        let approved = |revision: &Revision| {
            *revision == promotion.revision || self.next.stable.as_ref() == Some(revision)
        };
        let unapproved = workload
            .revisions
            .iter()
            .any(|(revision, pods)| pods.desired > 0 && !approved(revision));
        ready.saturating_mul(2) < share && ready < workload.endpoints && !unapproved
    }

    /// The Deployment takes all traffic from a candidate that can bear it no longer.
    pub(super) fn give_back(&mut self, promotion: Promotion, workload: &Workload, stage: PromotionStage) {
        let ready = self.candidate_ready(&promotion.revision);
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!(
                "{ready} candidate pods are ready under {}: the Deployment takes all traffic, with {} ready pods",
                promotion.weight, workload.endpoints
            ),
        ));
        self.next.phase = Phase::Promoting(Promotion {
            stage,
            weight: Weight::NONE,
            entered: if stage == PromotionStage::Baking {
                self.now
            } else {
                promotion.entered
            },
            ..promotion
        });
    }

    /// The pods before the promotion are all there, and ready.
    pub(super) fn stable_serves(&self, workload: &Workload) -> bool {
        self.next
            .stable
            .as_ref()
            .is_some_and(|stable| workload.replicas > 0 && workload.pods(stable).ready >= workload.replicas)
    }

    pub(super) fn retreat_to_stable(
        &mut self,
        promotion: &Promotion,
        workload: &Workload,
    ) -> Option<Waiting> {
        let (cause, detail) = if self.next.stable.as_ref() == Some(&workload.template) {
            (
                Cause::Reverted,
                "the template that served before was put back".to_owned(),
            )
        } else {
            (Cause::Superseded, format!("revision {} came", workload.template))
        };
        self.retreat(&promotion.revision, promotion.started, cause, detail)
    }

    /// What takes the traffic from the promoted Deployment again. `Some` ends the turn.
    pub(super) fn setback(&mut self, promotion: &Promotion, workload: &Workload) -> Option<Option<Waiting>> {
        let revision = &promotion.revision;
        let convicted = self
            .seen
            .evidence
            .convicts(revision)
            .filter(|_| promotion.stage != PromotionStage::Baking);
        let stray = workload.stray(revision);
        let ready = workload.pods(revision).ready;
        let replicas = promotion.replicas.unwrap_or(u32::MAX).min(workload.replicas);
        let short = ready < promotion.weight.rest().share_of(replicas);
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
            replicas: Some(workload.replicas.min(candidate)),
            ..promotion.clone()
        });
        Some(None)
    }

    /// Gives all traffic to the side that has the pods, where the one that bears it has lost most of its own.
    pub(super) fn changes_sides(&mut self, promotion: &Promotion, workload: &Workload) -> bool {
        if self.forsaken(promotion, workload) {
            self.give_back(promotion.clone(), workload, promotion.stage);
            return true;
        }
        let revision = &promotion.revision;
        let ready = self.candidate_ready(revision);
        let whole = promotion.weight == Weight::NONE && ready >= workload.replicas.max(1);
        let unrolled = workload.pods(revision).desired == 0;
        if !whole || !(unrolled || workload.endpoints.saturating_mul(2) < workload.replicas) {
            return false;
        }
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!(
                "the Deployment has {} ready pods under all traffic: the candidate takes it again, with {ready}",
                workload.endpoints
            ),
        ));
        self.next.phase = Phase::Promoting(Promotion {
            weight: Weight::FULL,
            replicas: Some(workload.replicas),
            ..promotion.clone()
        });
        true
    }

    /// Remembers for how many replicas there have been `ready` pods.
    pub(super) fn with_known(&mut self, promotion: Promotion, workload: &Workload, ready: u32) -> Promotion {
        let Some(before) = promotion.replicas else {
            return promotion;
        };
        let known = before.max(ready).min(workload.replicas);
        if known == before {
            return promotion;
        }
        let promotion = Promotion {
            replicas: Some(known),
            ..promotion
        };
        self.next.phase = Phase::Promoting(promotion.clone());
        promotion
    }

    /// All traffic on the candidate, which stays the incumbent, until a person decides.
    pub(super) fn fail_promotion(&mut self, promotion: Promotion) {
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Failed,
            weight: if promotion.stage == PromotionStage::Rolling {
                promotion.weight
            } else {
                Weight::FULL
            },
            entered: self.now,
            ..promotion
        });
    }
}

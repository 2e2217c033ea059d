//! Traffic comes back to the promoted pods, in shares that are judged.

use super::super::observation::Workload;
use super::super::plan::OnSilence;
use super::super::quantity::Moment;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Promotion, PromotionStage};
use super::super::words;
use super::{Turn, after};

impl Turn<'_> {
    pub(super) fn returning(
        &mut self,
        promotion: Promotion,
        workload: &Workload,
        index: usize,
    ) -> Option<Waiting> {
        let ready = workload.pods(&promotion.revision).ready;
        let promotion = self.with_known(promotion, workload, ready);
        if self.forsaken(&promotion, workload) {
            self.give_back(promotion, workload, PromotionStage::Baking);
            return None;
        }
        if let Some(wait) = self.setback(&promotion, workload) {
            return wait;
        }
        let weight = promotion.weight;
        let Some(settled) = self.seen.route.settled(weight, self.plan.propagation, self.now) else {
            return Some(self.coming_back(&promotion));
        };
        let since = settled.max(promotion.entered);
        let warm = self.over(since, self.plan.promotion.warm_up);
        if let Some(wait) = self.blind(&promotion, since) {
            return wait;
        }
        if let Some(wait) = self.paused_wait(promotion.paused) {
            return Some(wait);
        }
        if !warm {
            return Some(Waiting::on(
                reason::RETURNING,
                format!("{} of the traffic is back", weight.rest()),
            ));
        }
        if let Some(wait) = self.still_suspect(&promotion, since) {
            return wait;
        }
        self.return_to(promotion, index + 1);
        None
    }

    /// Pods that have lost their traffic once get no more of it while they look worse, and lose it again where that does not
    /// end. `Some(wait)` ends the turn.
    fn still_suspect(&mut self, promotion: &Promotion, since: Moment) -> Option<Option<Waiting>> {
        let evidence = &self.seen.evidence;
        if promotion.lost == 0 || !evidence.standing.suspect {
            return None;
        }
        let (back, deadline) = (promotion.weight.rest(), self.plan.promotion.deadline);
        let worse = format!(
            "look worse than the candidate's, though not surely ({})",
            evidence.summary
        );
        if self.over(since, deadline) {
            let span = words::span(deadline.as_secs_f64());
            self.note(Note::warning(
                reason::PROMOTION_FAILED,
                format!("{span} after {back} of the traffic came back the promoted pods still {worse}"),
            ));
            self.fail_promotion(promotion.clone());
            return Some(None);
        }
        let message = format!(
            "{back} of the traffic is back, and no more comes while the promoted pods {worse}: wait, or abort, and the \
             candidate takes all traffic"
        );
        let until = after(since, deadline);
        Some(Some(Waiting::on(reason::RETURNING, message).until(Some(until))))
    }

    /// A share of the return that is not in force yet: it is not back before it is.
    fn coming_back(&mut self, promotion: &Promotion) -> Waiting {
        let share = promotion.weight.rest();
        let message = format!("the gateway gives {share} of the traffic back");
        self.unsettled(
            promotion.weight,
            promotion.entered,
            Waiting::on(reason::RETURNING, message),
        )
    }

    /// Promoted pods of which nothing is known since they have their share get no more. `Some(wait)` ends the turn.
    fn blind(&mut self, promotion: &Promotion, since: Moment) -> Option<Option<Waiting>> {
        let evidence = &self.seen.evidence;
        let read = evidence.at.is_some_and(|at| at > since && at <= self.now);
        if evidence.revision.as_ref() == Some(&promotion.revision) && read && evidence.silent.is_none() {
            return None;
        }
        let back = promotion.weight.rest();
        let returns = || {
            Some(Some(Waiting::on(
                reason::RETURNING,
                format!("{back} of the traffic is back"),
            )))
        };
        let Some((from, why)) = evidence.silent.clone() else {
            // A reading that is not due yet is no silence.
            if !evidence.idle {
                return returns();
            }
            let message = format!(
                "{back} of the traffic is back; but no request reaches the promoted pods: no more comes until some do"
            );
            return Some(Some(Waiting::on(reason::RETURNING, message)));
        };
        let from = from.max(since);
        if !self.over(from, self.plan.analysis.interval.saturating_mul(2)) {
            return returns();
        }
        let ends = self.plan.on_no_data == OnSilence::Rollback;
        if ends && self.over(from, self.plan.no_data_deadline) {
            self.note(Note::warning(
                reason::PROMOTION_FAILED,
                format!("{why}: no more traffic goes back"),
            ));
            self.fail_promotion(promotion.clone());
            return Some(None);
        }
        let until = ends.then(|| after(from, self.plan.no_data_deadline));
        let message = format!("{why}; no more than {back} of the traffic goes back");
        Some(Some(Waiting::on(reason::NO_DATA, message).until(until)))
    }
}

//! Requests by people: approve, pause, resume, abort. Each is answered once, whatever else is wrong.

use super::super::observation::{Action, Verb};
use super::super::plan::Plan;
use super::super::quantity::Weight;
use super::super::reason::{self, Note};
use super::super::state::{Cause, Handled, Phase, PromotionStage};
use super::Turn;

impl Turn<'_> {
    pub(super) fn answer_people(&mut self) {
        let seen = self.seen;
        let open: Vec<&Action> = seen
            .actions
            .iter()
            .filter(|action| self.next.handled.iter().all(|handled| handled.id != action.id))
            .collect();
        if open.is_empty() {
            return;
        }
        // What is no longer asked for need not be remembered.
        self.next
            .handled
            .retain(|handled| seen.actions.iter().any(|action| action.id == handled.id));
        let mut aborted: Option<&Action> = None;
        for action in open {
            let outdone =
                aborted.is_some_and(|abort| action.verb != Verb::Abort && action.created <= abort.created);
            let refusal = if outdone {
                Some("an abort came after it".to_owned())
            } else {
                self.answer(action).err()
            };
            if action.verb == Verb::Abort && self.concerns(action) {
                // The latest of them: they come by age. It has the last word also where nothing is left to abort.
                aborted = Some(action);
            }
            self.next.handled.push(Handled {
                id: action.id.clone(),
                refusal,
            });
        }
    }

    /// Whether an action is meant for the release that is active.
    fn concerns(&self, action: &Action) -> bool {
        let meant = action.revision.as_ref();
        let active = self.next.active();
        active.is_some_and(|active| meant.is_none_or(|meant| meant == active))
    }

    fn answer(&mut self, action: &Action) -> Result<(), String> {
        let active = self.next.active().cloned();
        match (&action.revision, &active) {
            (_, None) => return Err("no release is active".into()),
            (None, _) if action.verb != Verb::Abort => return Err("name the revision it is meant for".into()),
            (Some(meant), Some(active)) if meant != active => {
                return Err(format!(
                    "it is meant for revision {meant}, but {active} is active"
                ));
            }
            _ => {}
        }
        match action.verb {
            Verb::Approve => self.approve(),
            Verb::Pause => self.pause(true),
            Verb::Resume => self.resume(),
            Verb::Abort => self.abort(),
        }
    }

    fn approve(&mut self) -> Result<(), String> {
        let plan = self.plan;
        match &mut self.next.phase {
            Phase::Releasing(release) if asks(plan, release.rung) => {
                release.approved = true;
                Ok(())
            }
            Phase::Adopting
            | Phase::Idle
            | Phase::Releasing(_)
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Promoting(_)
            | Phase::Deleting(_) => Err("the present step asks for no approval".into()),
        }
    }

    fn pause(&mut self, paused: bool) -> Result<(), String> {
        match &mut self.next.phase {
            Phase::Releasing(release) => release.paused = paused,
            Phase::Promoting(promotion) if promotion.stage == PromotionStage::Failed => {
                return Err("the promotion has failed, and goes no further until it is resumed".into());
            }
            Phase::Promoting(promotion) => promotion.paused = paused,
            Phase::Adopting
            | Phase::Idle
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Deleting(_) => return Err("nothing is under way that could be paused or resumed".into()),
        }
        Ok(())
    }

    fn resume(&mut self) -> Result<(), String> {
        let now = self.now;
        if let Phase::Promoting(promotion) = &mut self.next.phase
            && promotion.stage == PromotionStage::Failed
        {
            promotion.stage = PromotionStage::Rolling;
            promotion.entered = now;
            promotion.paused = false;
            (promotion.lost, promotion.worse) = (0, false);
            return Ok(());
        }
        let active = matches!(self.next.phase, Phase::Releasing(_) | Phase::Promoting(_));
        if self.plan.paused && active {
            // The plan that stands in for a spec which cannot be read is paused, too.
            let problem = self.seen.problems.first();
            let cure = problem.map_or("`spec.paused` is true: set it to false", |it| &it.message);
            return Err(format!("{cure}, and resume again if an action had paused it too"));
        }
        self.pause(false)
    }

    fn abort(&mut self) -> Result<(), String> {
        match self.next.phase.clone() {
            Phase::Releasing(release) => {
                self.retreat(
                    &release.revision,
                    release.started,
                    Cause::Aborted,
                    "a person asked for it".into(),
                );
                Ok(())
            }
            Phase::Promoting(promotion) if promotion.stage == PromotionStage::Handover => {
                self.retreat(
                    &promotion.revision,
                    promotion.started,
                    Cause::Aborted,
                    "a person asked for it".into(),
                );
                Ok(())
            }
            Phase::Promoting(promotion) if promotion.stage == PromotionStage::Failed => {
                let workload = self.seen.workload.as_ref();
                let cure = workload.map(|workload| self.until_resumed(&promotion, workload));
                let stable = self.next.stable.as_ref();
                let way = stable.filter(|stable| workload.is_some_and(|it| it.template != **stable));
                let way = way.map(|stable| format!("; or put the template of {stable} back"));
                let (cure, way) = (cure.unwrap_or_default(), way.unwrap_or_default());
                Err(format!("the promotion has ended already: {cure}{way}"))
            }
            Phase::Promoting(promotion) => {
                let revision = promotion.revision.clone();
                self.fail_promotion(promotion);
                let keeps = match self.next.weight() {
                    Weight::FULL => "the candidate keeps all traffic".to_owned(),
                    Weight::NONE => {
                        "the Deployment keeps all traffic, for the candidate lacks pods".to_owned()
                    }
                    weight => format!("the candidate keeps {weight}, for it lacks pods for more"),
                };
                self.note(Note::warning(
                    reason::PROMOTION_FAILED,
                    format!("promotion of {revision} stopped by a person: {keeps}"),
                ));
                Ok(())
            }
            Phase::RollingBack(_) | Phase::RolledBack(_) => Ok(()),
            Phase::Adopting | Phase::Idle | Phase::Deleting(_) => Err("no release is active".into()),
        }
    }
}

/// Whether the step that `rung` belongs to asks for an approval, on whichever of its rungs.
fn asks(plan: &Plan, rung: usize) -> bool {
    let step = plan.rung(rung).step;
    plan.rungs.iter().any(|rung| rung.step == step && rung.approval)
}

//! Who bears the traffic when pods fail in mid-promotion, or another template comes: whichever side can.

use super::super::observation::Workload;
use super::super::quantity::{Revision, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Phase, Promotion, PromotionStage};
use super::{LOST_MAX, Turn, after};

impl Turn<'_> {
    pub(super) fn failed(&mut self, promotion: Promotion, workload: &Workload) -> Option<Waiting> {
        // Before the candidate could take the traffic for a moment.
        if workload.template != promotion.revision && self.stable_serves(workload) {
            return self.retreat_to_stable(&promotion, workload);
        }
        let ready = self.candidate_ready(&promotion.revision);
        let promotion = self.with_known(promotion, workload, ready);
        // Pods that were found worse are better than none, and than nothing else.
        let kept = promotion.worse && promotion.weight > Weight::NONE && ready > 0;
        if !kept && self.changes_sides(&promotion, workload) {
            return None;
        }
        self.wake_for_route();
        let message = self.until_resumed(&promotion, workload);
        Some(Waiting::on(reason::PROMOTION_FAILED, message))
    }

    /// Who serves, and what a person can do.
    pub(super) fn until_resumed(&self, promotion: &Promotion, workload: &Workload) -> String {
        let (revision, template) = (&promotion.revision, &workload.template);
        if template != revision && self.comes_back(promotion, workload) {
            return format!(
                "revision {template} came: traffic goes back as soon as the stable pods are ready again"
            );
        }
        if let Some(stable) = self.next.stable.as_ref().filter(|_| template != revision) {
            return format!(
                "revision {template} came, and the Deployment does not get back to the pods of {stable} by itself: put the \
                 template of {stable} back, or resume revision {revision}"
            );
        }
        let serving = match promotion.weight {
            Weight::NONE => "the Deployment serves all traffic as it is".to_owned(),
            Weight::FULL => "the candidate serves all traffic".to_owned(),
            weight => format!("the candidate serves {weight} of the traffic, the Deployment the rest"),
        };
        format!("{serving}; fix the Deployment, then resume revision {revision}")
    }

    /// The candidate has lost most of the pods that bear its share, and the Deployment has more, all of them of approved
    /// revisions.
    pub(super) fn forsaken(&self, promotion: &Promotion, workload: &Workload) -> bool {
        let share = promotion.weight.share_of(known(promotion, workload));
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

    /// Whether the candidate would not be [forsaken](Self::forsaken) if it got all traffic.
    pub(super) fn bears_all(&self, promotion: &Promotion, workload: &Workload) -> bool {
        let ready = self.candidate_ready(&promotion.revision);
        half(ready, promotion, workload) || ready > workload.endpoints
    }

    /// The Deployment takes all traffic from a candidate that can bear it no longer.
    pub(super) fn give_back(&mut self, promotion: Promotion, workload: &Workload, stage: PromotionStage) {
        let what = match self.removed(&promotion.revision) {
            Some(object) => format!("somebody has removed the candidate's {object}"),
            None => format!(
                "{} candidate pods are ready",
                self.candidate_ready(&promotion.revision)
            ),
        };
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!(
                "{what} under {}: the Deployment takes all traffic, with {} ready pods",
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
            served: None,
            ..promotion
        });
    }

    /// The pods before the promotion are all there, and ready, and requests reach them.
    pub(super) fn stable_serves(&self, workload: &Workload) -> bool {
        let reached = workload.replicas > 0 && workload.endpoints > 0;
        let stable = self.next.stable.as_ref().filter(|_| reached);
        stable.is_some_and(|stable| workload.pods(stable).ready >= workload.replicas)
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
        let (convicted, suspected) = self.convicted(promotion);
        let stray = workload.stray(revision);
        let unreached = workload.replicas > 0 && workload.endpoints == 0;
        let ready = if unreached {
            0
        } else {
            workload.pods(revision).ready
        };
        let short = ready < promotion.weight.rest().share_of(known(promotion, workload));
        if convicted.is_none() && !stray && !short {
            return None;
        }
        let what = if let Some(why) = &convicted {
            let than = if suspected {
                "far worse than the service was before"
            } else {
                "worse than the candidate's"
            };
            format!("the promoted pods are {than}: {why}")
        } else if stray {
            format!("the Deployment has pods of revision {}", workload.template)
        } else {
            format!(
                "{ready} promoted pods are ready under {}",
                promotion.weight.rest()
            )
        };
        let candidate = self.candidate_ready(revision);
        let able = if convicted.is_some() {
            self.bears_all(promotion, workload)
        } else {
            candidate >= Weight::FULL.share_of(workload.replicas) || candidate > ready
        };
        if !able {
            let ends = short && convicted.is_none() && !stray;
            return Some(self.unable(promotion, workload, &what, ends));
        }
        let lost = promotion.lost.saturating_add(u8::from(short || suspected));
        let over = convicted.is_some() && !suspected || lost >= LOST_MAX;
        let told = if over {
            reason::PROMOTION_FAILED
        } else if suspected {
            reason::PROMOTED_PODS_SUSPECT
        } else {
            reason::CAPACITY_LOST
        };
        let then = if suspected && !over {
            "the traffic goes back to the candidate, and comes to them in shares again, compared with it"
        } else {
            "the candidate takes all traffic"
        };
        self.note(Note::warning(told, format!("{what}: {then}")));
        self.next.phase = Phase::Promoting(Promotion {
            stage: if over {
                PromotionStage::Failed
            } else {
                PromotionStage::Rolling
            },
            entered: self.now,
            weight: Weight::FULL,
            lost,
            worse: over && convicted.is_some(),
            replicas: Some(workload.replicas.min(candidate)),
            ..promotion.clone()
        });
        Some(None)
    }

    /// Why the promoted pods are worse, if they are, and whether only the past says so: they may have a fault that both sides
    /// share then, and go back to the comparison, which tells that apart. There it says nothing any more, nor in a bake after
    /// that.
    pub(super) fn convicted(&self, promotion: &Promotion) -> (Option<String>, bool) {
        let evidence = &self.seen.evidence;
        let alone = self.plan.is_alone(evidence.rung);
        let bakes = promotion.stage == PromotionStage::Baking;
        let fresh = bakes && evidence.at.is_some_and(|at| at > promotion.entered);
        let why = evidence.convicts(&promotion.revision).map(|(_, why)| why);
        let why = why.filter(|_| fresh || !alone).map(str::to_owned);
        let suspected = why.is_some() && alone;
        (why, suspected)
    }

    /// Pods are missing on both sides: the weight stays, and where nothing else `ends` that, a person hears of it.
    fn unable(
        &mut self,
        promotion: &Promotion,
        workload: &Workload,
        what: &str,
        ends: bool,
    ) -> Option<Waiting> {
        let what = format!("{what}; the candidate does not have the pods to take over: the weight stays");
        if !ends {
            let message = format!("{what} until it has (look at its pods: nodes, quota)");
            return Some(Waiting::on(reason::CAPACITY_LOST, message));
        }
        let deadline = self.plan.promotion.deadline;
        let since = promotion.entered.max(workload.since);
        if !self.over(since, deadline) {
            return Some(Waiting::on(reason::CAPACITY_LOST, what).until(Some(after(since, deadline))));
        }
        self.note(Note::warning(
            reason::PROMOTION_FAILED,
            format!(
                "{what}; make room for the missing pods (nodes, quota) or scale the Deployment down, then resume revision {}",
                promotion.revision
            ),
        ));
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Failed,
            entered: self.now,
            ..promotion.clone()
        });
        None
    }

    /// Gives all traffic to the side that has the pods, where the one that bears it has lost most of its own.
    ///
    /// This does not go on for ever: the candidate loses the traffic only to a Deployment with more ready pods, and gets it
    /// only from one with fewer, or as a whole one, so that each move needs pods to have come and gone since the last. (From pods
    /// that were found worse it takes it as a whole one, and loses it to them with its last pod.)
    pub(super) fn changes_sides(&mut self, promotion: &Promotion, workload: &Workload) -> bool {
        if self.forsaken(promotion, workload) {
            self.give_back(promotion.clone(), workload, promotion.stage);
            return true;
        }
        let revision = &promotion.revision;
        let (ready, beside) = (self.candidate_ready(revision), workload.endpoints);
        let needed = promotion.weight.rest().share_of(known(promotion, workload));
        let fallen = beside.saturating_mul(2) < needed
            && ready > beside
            && (beside == 0 || half(ready, promotion, workload));
        let whole = promotion.weight == Weight::NONE && ready >= workload.replicas.max(1);
        // It has not begun to roll, or does not go on by itself, and must not under all traffic. Or its pods are worse.
        let halts = promotion.worse
            || workload.pods(revision).desired == 0
            || workload.template != *revision && workload.stray(revision);
        if !(fallen || whole && halts) {
            return false;
        }
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!(
                "the Deployment has {beside} ready pods under {}: the candidate takes all traffic again, with {ready}",
                promotion.weight.rest()
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

    /// It ends until a person decides. Where traffic comes back the candidate gets all of it, if it can bear it.
    pub(super) fn fail_promotion(&mut self, promotion: Promotion) {
        let returns = promotion.stage.is_judged();
        let workload = self.seen.workload.as_ref();
        let able = workload.is_some_and(|workload| self.bears_all(&promotion, workload));
        self.next.phase = Phase::Promoting(Promotion {
            stage: PromotionStage::Failed,
            weight: if returns && able {
                Weight::FULL
            } else {
                promotion.weight
            },
            entered: self.now,
            ..promotion
        });
    }
}

/// Whether `ready` pods are at least half of those that all traffic needs.
fn half(ready: u32, promotion: &Promotion, workload: &Workload) -> bool {
    ready > 0 && ready.saturating_mul(2) >= Weight::FULL.share_of(known(promotion, workload))
}

/// For how many replicas pods can be missed: what an autoscaler adds has still to come.
pub(super) fn known(promotion: &Promotion, workload: &Workload) -> u32 {
    promotion.replicas.unwrap_or(u32::MAX).min(workload.replicas)
}

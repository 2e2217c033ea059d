//! What must be true of the cluster, derived from the committed state and the observation alone.

use super::super::effect::Effect;
use super::super::observation::Route;
use super::super::plan::GateMode;
use super::super::quantity::{Revision, Weight};
use super::super::state::{Phase, Promotion, PromotionStage, Removal, Stage};
use super::purge::{purge, spared};
use super::{Turn, after};

impl Turn<'_> {
    pub(super) fn effects(&self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.finish_actions(&mut effects);
        match &self.next.phase {
            Phase::Adopting => self.while_adopting(&mut effects),
            Phase::Idle => {
                self.guard(&mut effects);
                self.rest_gate(&mut effects);
                self.restore(&mut effects, true);
            }
            Phase::Releasing(release) => {
                self.around_route(&mut effects, |effects| {
                    self.guard(effects);
                    self.hold_gate(effects);
                });
                match release.stage {
                    Stage::Preflight => self.clear_others(&mut effects, &release.revision),
                    Stage::Scaling | Stage::Judging => {
                        self.candidate(&mut effects, &release.revision, release.rung);
                    }
                }
            }
            Phase::RollingBack(_) => {
                effects.extend(self.route());
                self.hold_gate(&mut effects);
            }
            Phase::RolledBack(rejection) => {
                self.hold_gate(&mut effects);
                let kept = after(rejection.since, self.plan.rollback.keep) > self.now;
                self.restore(&mut effects, !kept);
                if kept
                    && !self.route_unknown()
                    && !self.seen.route.touched()
                    && self.seen.candidate.desired > 0
                {
                    effects.push(Effect::Candidate {
                        revision: rejection.revision.clone(),
                        replicas: 0,
                    });
                }
            }
            Phase::Promoting(promotion) => self.while_promoting(&mut effects, promotion),
            Phase::Deleting(removal) => self.while_deleting(&mut effects, removal),
        }
        effects
    }

    fn finish_actions(&self, effects: &mut Vec<Effect>) {
        for handled in &self.next.handled {
            if self.seen.actions.iter().any(|action| action.id == handled.id) {
                effects.push(Effect::Finish {
                    id: handled.id.clone(),
                    refusal: handled.refusal.clone(),
                });
            }
        }
    }

    fn while_adopting(&self, effects: &mut Vec<Effect>) {
        // A Deployment that was created paused has nothing to lose by its first roll.
        if let Some(workload) = &self.seen.workload
            && self.seen.problems.is_empty()
            && workload.paused
            && workload.observed
            && workload.revisions.is_empty()
        {
            effects.push(Effect::Unpause {
                template: workload.template.clone(),
            });
        }
    }

    fn guard(&self, effects: &mut Vec<Effect>) {
        if self.seen.problems.is_empty()
            && self
                .seen
                .workload
                .as_ref()
                .is_some_and(|workload| !workload.gated)
        {
            effects.push(Effect::Guard);
        }
    }

    /// At rest the Deployment holds the template that serves.
    fn rest_gate(&self, effects: &mut Vec<Effect>) {
        let (Some(workload), Some(stable)) = (&self.seen.workload, &self.next.stable) else {
            return;
        };
        if workload.template != *stable || !self.seen.problems.is_empty() {
            return;
        }
        match (self.plan.gate, workload.paused) {
            (GateMode::Admission, true) => effects.push(Effect::Unpause {
                template: stable.clone(),
            }),
            (GateMode::Paused, false) if !workload.stray(stable) => effects.push(Effect::Pause),
            _ => {}
        }
    }

    /// While the Deployment holds an unproven template no pod of it may appear.
    fn hold_gate(&self, effects: &mut Vec<Effect>) {
        let (Some(workload), Some(stable)) = (&self.seen.workload, &self.next.stable) else {
            return;
        };
        if workload.template == *stable || self.replaced(workload) {
            return;
        }
        if self.displaced(workload) || workload.stray(stable) && workload.pods(stable).desired > 0 {
            effects.push(Effect::Purge { keep: stable.clone() });
        } else if !workload.paused {
            effects.push(Effect::Pause);
        }
    }

    /// The route gives what is committed, no more; drift is corrected.
    fn route(&self) -> Option<Effect> {
        let Route::Seen {
            weight: seen,
            highest,
            named,
            ..
        } = &self.seen.route
        else {
            return None;
        };
        let weight = self.next.weight();
        let right = *seen == Some(weight) && *highest <= weight;
        if right || (weight == Weight::NONE && !self.seen.route.touched()) {
            return None;
        }
        let lower = weight == Weight::NONE || seen.is_some_and(|seen| seen > weight) && *highest >= weight;
        // Up only onto pods that are there; unknown holds.
        let able = self.next.active().is_some_and(|revision| {
            self.seen.workload.is_some() && self.candidate_ready(revision) >= self.weighed(weight)
        });
        // A stamp is in it before any name is.
        let first = matches!(&self.next.phase, Phase::Releasing(release) if release.passed == 0);
        let unnamed = first && !named && *highest == Weight::NONE;
        if lower {
            Some(Effect::Route { weight, up: false })
        } else if able && (unnamed || !self.seen.route.touched()) {
            // A gateway answers 503 for a Service that it has just heard of: first the name, then the share.
            Some(Effect::Route {
                weight: Weight::NONE,
                up: true,
            })
        } else if able && (*seen != Some(Weight::NONE) || self.named()) {
            Some(Effect::Route { weight, up: true })
        } else {
            None
        }
    }

    /// Less traffic comes before everything else, so that nothing which is refused can hold it up; more comes after.
    fn around_route(&self, effects: &mut Vec<Effect>, others: impl FnOnce(&mut Vec<Effect>)) {
        let route = self.route();
        let more = matches!(route, Some(Effect::Route { up: true, .. }));
        let (first, last) = if more { (None, route) } else { (route, None) };
        effects.extend(first);
        others(effects);
        effects.extend(last);
    }

    /// The gateway has known the candidate, without a share, for as long as it takes to honour a weight.
    fn named(&self) -> bool {
        let route = &self.seen.route;
        let resolved = !matches!(route, Route::Seen { refusal: Some(_), .. });
        let settled = route.settled(Weight::NONE, self.plan.propagation, self.now);
        resolved && settled.is_some()
    }

    /// Ready candidate pods without which `weight` is not given.
    fn weighed(&self, weight: Weight) -> u32 {
        let replicas = self
            .seen
            .workload
            .as_ref()
            .map_or(0, |workload| workload.replicas);
        let needed = weight.share_of(replicas);
        match &self.next.phase {
            Phase::Releasing(release) => needed.min(release.granted).max(1),
            Phase::Promoting(Promotion {
                stage: PromotionStage::Handover,
                replicas: Some(known),
                ..
            }) => weight.share_of(replicas.min(*known)),
            // The Deployment rolls: whatever the candidate has is what there is.
            Phase::Promoting(promotion) if promotion.stage != PromotionStage::Handover => 1,
            Phase::Adopting
            | Phase::Idle
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Promoting(_)
            | Phase::Deleting(_) => needed,
        }
    }

    fn candidate(&self, effects: &mut Vec<Effect>, revision: &Revision, rung: usize) {
        let Some(workload) = &self.seen.workload else {
            return;
        };
        // Made from another template it would be another revision.
        if !self.seen.problems.is_empty() || workload.template != *revision {
            return;
        }
        let needed = self.needed(rung, workload);
        let seen = &self.seen.candidate;
        let there = seen.revision.as_ref() == Some(revision) && seen.service;
        // Never fewer than there are: capacity goes only after traffic.
        if !there || seen.desired < needed {
            effects.push(Effect::Candidate {
                revision: revision.clone(),
                replicas: needed.max(seen.desired),
            });
        }
    }

    fn clear_others(&self, effects: &mut Vec<Effect>, revision: &Revision) {
        let other = self
            .seen
            .candidate
            .revision
            .as_ref()
            .is_some_and(|there| there != revision);
        if other || self.seen.candidate.leftovers || self.dangles() {
            self.restore(effects, true);
        }
    }

    /// The route names a candidate that is not there.
    pub(super) fn dangles(&self) -> bool {
        self.seen.route.touched() && !self.seen.candidate.service
    }

    /// It cannot be used, and may still send requests to a candidate.
    pub(super) fn route_unknown(&self) -> bool {
        matches!(self.seen.route, Route::Unusable(_)) && !self.seen.route.gone()
    }

    /// First the route forgets the candidate, then the candidate goes.
    fn restore(&self, effects: &mut Vec<Effect>, retire: bool) {
        let seen = &self.seen.candidate;
        if self.seen.route.touched() {
            effects.push(Effect::RestoreRoute);
        } else if self.route_unknown() {
            // It may still send requests to the candidate: its pods stay.
        } else if retire && (seen.revision.is_some() || seen.service || seen.leftovers) {
            effects.push(Effect::Retire);
        }
    }

    fn while_promoting(&self, effects: &mut Vec<Effect>, promotion: &Promotion) {
        let Some(workload) = &self.seen.workload else {
            return;
        };
        let revision = &promotion.revision;
        let full = workload.replicas.max(self.seen.candidate.desired);
        self.around_route(effects, |effects| {
            let seen = &self.seen.candidate;
            // A route that names a Service which is gone settles no more, and its share is lost.
            let there = seen.revision.as_ref() == Some(revision) && seen.service;
            // It stands by with the pods that it has, until it is to take the traffic from promoted pods that are worse.
            let called = promotion.stage != PromotionStage::Baking || self.convicted(promotion).0.is_some();
            if !there || called && seen.desired < full {
                effects.push(Effect::Candidate {
                    revision: revision.clone(),
                    replicas: full,
                });
            }
        });
        if promotion.stage == PromotionStage::Handover {
            if !workload.paused {
                effects.push(Effect::Pause);
            }
        } else if workload.template != *revision {
            self.way_back(effects, promotion, workload);
        } else if promotion.stage == PromotionStage::Rolling {
            // Under all traffic the roll does not begin: the candidate is to bear it.
            let begins = workload.pods(revision).desired == 0;
            if workload.paused && (self.bears_none(promotion) || !begins) {
                effects.push(Effect::Unpause {
                    template: revision.clone(),
                });
            }
        } else if self.plan.gate == GateMode::Paused && !workload.paused && workload.serves(revision) {
            effects.push(Effect::Pause);
        }
    }

    fn while_deleting(&self, effects: &mut Vec<Effect>, removal: &Removal) {
        let serving = removal.approved.as_ref().or(self.next.stable.as_ref());
        if serving.is_none() && !self.seen.problems.is_empty() {
            // It was refused and never took anything under its care: whatever is there is somebody else's.
            effects.push(Effect::RemoveFinalizer);
            return;
        }
        effects.extend(self.route());
        if let (Some(workload), Some(serving)) = (&self.seen.workload, serving) {
            // Where the user wants the new template shipped, its pods are welcome as soon as the gate is off.
            let shipped = self.plan.resume_on_delete && !workload.gated;
            let before = self
                .next
                .stable
                .as_ref()
                .filter(|_| removal.approved.is_some() && removal.weight == Weight::NONE);
            let spare = spared(workload, serving, before);
            if workload.template != *serving && workload.stray(serving) && !shipped && spare {
                purge(effects, workload, serving, false);
            } else if workload.template == *serving && workload.paused && removal.weight > Weight::NONE {
                effects.push(Effect::Unpause {
                    template: serving.clone(),
                });
            }
        }
        if removal.weight > Weight::NONE || removal.drain {
            return;
        }
        let seen = &self.seen.candidate;
        let serves = self
            .seen
            .workload
            .as_ref()
            .is_some_and(|workload| serving == Some(&workload.template));
        let resume = serves || self.plan.resume_on_delete;
        self.restore(effects, true);
        if !self.seen.route.touched() && seen.revision.is_none() && !seen.service && !seen.leftovers {
            if self
                .seen
                .workload
                .as_ref()
                .is_some_and(|workload| workload.gated || (workload.paused && resume))
            {
                effects.push(Effect::Release { resume });
            } else {
                effects.push(Effect::RemoveFinalizer);
            }
        }
    }
}

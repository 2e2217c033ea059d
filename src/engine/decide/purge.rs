//! Whose pods the Deployment keeps when another template comes in mid-promotion, and when the others can go.

use super::super::effect::Effect;
use super::super::observation::Workload;
use super::super::quantity::{Revision, Weight};
use super::super::state::{Promotion, PromotionStage};
use super::Turn;

impl Turn<'_> {
    /// Another template came while the Deployment was becoming the promoted revision: whose pods stay?
    pub(super) fn way_back(&self, effects: &mut Vec<Effect>, promotion: &Promotion, workload: &Workload) {
        let stable = self.next.stable.as_ref();
        if promotion.stage == PromotionStage::Failed && stable == Some(&workload.template) {
            // The pods before are wanted again, and proven.
            if workload.paused {
                effects.push(Effect::Unpause {
                    template: workload.template.clone(),
                });
            }
            return;
        }
        let before = self.before(promotion, workload);
        let (keep, other) = match before {
            Some(stable) => (stable, Some(&promotion.revision)),
            None => (&promotion.revision, stable),
        };
        let spare = self.bears_none(promotion) || spared(workload, keep, other);
        let purged = spare && purge(effects, workload, keep, before.is_some());
        if !purged && !workload.paused {
            effects.push(Effect::Pause);
        }
    }

    /// The revision before, where it is to have all pods again: what could not be promoted makes room for it, as long as it
    /// has pods, or a ReplicaSet for them while a candidate that is whole serves everyone.
    fn before(&self, promotion: &Promotion, workload: &Workload) -> Option<&Revision> {
        let failed = promotion.stage == PromotionStage::Failed;
        let whole = self.candidate_ready(&promotion.revision) >= workload.replicas.max(1);
        let spare = whole && promotion.weight == Weight::FULL;
        let comes = |stable: &&Revision| {
            let set = workload.revisions.get(*stable);
            set.is_some_and(|pods| pods.desired > 0 || spare)
        };
        self.next.stable.as_ref().filter(|_| failed).filter(comes)
    }

    /// Whether the Deployment gets back to the pods before by itself.
    pub(super) fn comes_back(&self, promotion: &Promotion, workload: &Workload) -> bool {
        let held = self.next.stable.as_ref() != Some(&workload.template);
        let free = |before| {
            let full = promotion.weight == Weight::FULL;
            full || !workload.stray(before) || spared(workload, before, Some(&promotion.revision))
        };
        !held || self.before(promotion, workload).is_some_and(free)
    }

    /// Whether the Deployment bears no traffic, as far as the gateway has it.
    pub(super) fn bears_none(&self, promotion: &Promotion) -> bool {
        let route = &self.seen.route;
        let settled = route.settled(Weight::FULL, self.plan.propagation, self.now);
        promotion.weight == Weight::FULL && (settled.is_some() || route.gone())
    }
}

/// Whether pods of the `other` approved revision can go: none of them serves, or those of `keep` are all there.
pub(super) fn spared(workload: &Workload, keep: &Revision, other: Option<&Revision>) -> bool {
    let serves = other
        .filter(|other| *other != keep)
        .is_some_and(|other| workload.pods(other).ready > 0);
    !serves || workload.pods(keep).ready >= workload.replicas
}

/// Only `keep` has pods. Where it has none of its own, nothing would be left to serve: nothing is purged then, unless it
/// can begin from `none`.
pub(super) fn purge(effects: &mut Vec<Effect>, workload: &Workload, keep: &Revision, none: bool) -> bool {
    let pods = workload.pods(keep).desired;
    let due = (pods > 0 || none) && (workload.stray(keep) || pods < workload.replicas);
    if due {
        effects.push(Effect::Purge { keep: keep.clone() });
    }
    due
}

//! The candidate while all traffic is handed over to it.

use super::Measure;
use super::look::Look;
use super::trial::{Trial, TrialId};
use crate::cluster::observe::ready;
use crate::engine::Revision;
use crate::engine::judge::Evidence;
use crate::engine::state::{Phase, PromotionStage, Removal};

impl Measure {
    /// Until the Deployment rolls the candidate is compared as on its way up, for as long as that was: no proof is awaited,
    /// but what shows only now still turns it back.
    pub(super) async fn hand_over(&mut self, look: &Look<'_>, phase: &Phase) -> Evidence {
        let handed = handed_over(phase);
        match &mut self.trial {
            Some(trial) if handed.is_some_and(|revision| trial.id == TrialId::climbing(revision)) => {
                // The gateway may take the weight late, and stable pods that are warm serve beside those that come now.
                let pods = ready::newcomers(look.snapshot, &trial.id.revision);
                trial.young.see(pods, trial.step(look.plan));
                trial.read(look.plan, look.source().as_deref(), look.now).await;
                beside(trial)
            }
            Some(_) | None => Evidence::none(),
        }
    }
}

/// The candidate to which all traffic is being handed over.
pub(super) fn handed_over(phase: &Phase) -> Option<&Revision> {
    match phase {
        Phase::Promoting(promotion) if promotion.stage == PromotionStage::Handover => {
            Some(&promotion.revision)
        }
        Phase::Promoting(_)
        | Phase::Releasing(_)
        | Phase::Adopting
        | Phase::Idle
        | Phase::RollingBack(_)
        | Phase::RolledBack(_)
        | Phase::Deleting(_) => None,
    }
}

/// A trial's evidence from the comparison only. Once the candidate has all traffic there is soon nothing to compare with, and
/// the past alone must not roll back a proven version.
pub(super) fn beside(trial: &Trial) -> Evidence {
    let evidence = trial.judge.evidence();
    if evidence.by_past {
        Evidence::none()
    } else {
        evidence
    }
}

/// `Some(true)` where a phase is judged, `Some(false)` where its metrics are only read, `None` where not even that.
pub(super) fn reads(phase: &Phase) -> Option<bool> {
    match phase {
        Phase::Releasing(_) => Some(true),
        Phase::Promoting(promotion) if promotion.stage.is_judged() => Some(true),
        Phase::Promoting(_) => handed_over(phase).map(|_| true),
        Phase::RollingBack(_) | Phase::Deleting(Removal { served: Some(_), .. }) => Some(false),
        Phase::Adopting | Phase::Idle | Phase::RolledBack(_) | Phase::Deleting(_) => None,
    }
}

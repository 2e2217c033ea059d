//! What is known of the metrics without another look.

use super::handover::{beside, handed_over};
use super::trial::{Trial, TrialId};
use super::{Measure, Report};
use crate::engine::judge::{Evidence, Verdict};
use crate::engine::state::{Phase, Promotion, PromotionStage, Release, Stage, State};
use crate::engine::{Plan, Revision};

impl Measure {
    /// What is known without another look.
    pub(in crate::controller) fn known(&self, plan: &Plan, state: &State) -> Report {
        let on_trial = |id: &TrialId| {
            let trial = self.trial.as_ref()?;
            // A new leader knows nothing before it has read: what was kept may be old.
            (trial.id == *id && !trial.reads_again()).then_some(trial)
        };
        let residual = self.residual_known(&state.phase);
        match &state.phase {
            Phase::Releasing(release) if release.stage == Stage::Preflight => Report {
                preflight: self
                    .learned
                    .as_ref()
                    .filter(|(of, _)| *of == release.revision)
                    .map(|_| Vec::new()),
                ..Report::nothing()
            },
            Phase::Releasing(release) => Report {
                preflight: Some(Vec::new()),
                evidence: on_trial(&TrialId::climbing(&release.revision)).map_or_else(
                    || self.unmeasured(&release.revision, release.rung),
                    |trial| Evidence {
                        gauges: self.seen.0.clone(),
                        ..trial.judge.evidence()
                    },
                ),
                ..Report::nothing()
            },
            // What was found in a return that is over says nothing of the next one.
            Phase::Promoting(promotion) if promotion.stage.is_judged() => Report {
                evidence: on_trial(&TrialId::returning(&promotion.revision))
                    .filter(|trial| !is_over(trial, promotion, plan))
                    .map_or_else(
                        || self.unmeasured(&promotion.revision, 0),
                        |trial| trial.judge.evidence(),
                    ),
                residual,
                ..Report::nothing()
            },
            Phase::Promoting(_) => Report {
                evidence: handed_over(&state.phase)
                    .and_then(|revision| on_trial(&TrialId::climbing(revision)))
                    .map_or_else(Evidence::none, beside),
                residual,
                ..Report::nothing()
            },
            Phase::Adopting
            | Phase::Idle
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Deleting(_) => Report {
                residual,
                ..Report::nothing()
            },
        }
    }
}

impl Measure {
    /// What is known of pods that cannot be measured: since when, and why.
    pub(super) fn unmeasured(&self, revision: &Revision, rung: usize) -> Evidence {
        Evidence {
            revision: Some(revision.clone()),
            rung,
            silent: self.unmeasured.clone(),
            ..Evidence::none()
        }
    }
}

/// Whether the trial's conviction is excused: it rests on the past alone, and dates from the last gap of the release. Such
/// a trial cannot give another verdict.
pub(super) fn is_excused(trial: &Trial, release: &Release) -> bool {
    let standing = trial.judge.standing();
    standing.by_past && release.excuses(standing.at)
}

/// Whether a trial belongs to an earlier return of traffic than the one that begins now. All traffic may come back at once,
/// without shares before: then only a trial that has convicted the pods certainly belongs to an earlier return.
pub(super) fn is_over(trial: &Trial, promotion: &Promotion, plan: &Plan) -> bool {
    let begins = match promotion.stage {
        PromotionStage::Returning(index) => index == 0,
        PromotionStage::Baking => trial.judge.standing().verdict == Verdict::Fail,
        PromotionStage::Handover | PromotionStage::Rolling | PromotionStage::Failed => false,
    };
    begins && trial.id.returning && trial.step(plan).entered < promotion.entered
}

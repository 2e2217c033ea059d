//! Measuring: before a release the search for a baseline, during one the readings on the evaluation grid.
//!
//! What is known here is kept in the status at every commit, and a new process goes on from there. Where that cannot be
//! used, the present step's evidence starts again from its committed start; a pass is never assumed.

mod cached;
mod concurrent;
mod config;
mod gauges;
mod handover;
mod last_told;
mod look;
mod ongoing;
mod residual;
pub(crate) mod search;
mod status;
pub(crate) mod subject;
mod timed;
mod trail;
mod trial;
mod warm_up;

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use crate::api;
use crate::cluster::observe::ready;
use crate::cluster::snapshot::Snapshot;
use crate::engine::judge::Evidence;
use crate::engine::observation::{Problem, Residual};
use crate::engine::state::{Phase, Promotion, PromotionStage, Release, Removal, Stage};
use crate::engine::{self, Moment, Plan, Revision, State, reason, report};
use config::Asked;
use gauges::Gauges;
use handover::reads;
use last_told::LastTold;
use look::Look;
use residual::Watch;
use search::{Findings, Search, When};
use subject::Learned;
use trail::Trail;
use trial::{Place, Served, Trial, TrialId};

/// One Rollout's measurements.
#[derive(Default)]
pub(super) struct Measure {
    /// What all of the following is about.
    asked: Option<Asked>,
    search: Option<Search>,
    trial: Option<Trial>,
    /// The last look in a phase that reads metrics, and whether it judges by them.
    looked: Option<(Moment, bool)>,
    /// Since when nothing can be compared, and why. However long the step has lasted by then: a search that
    /// begins again has not been silent before.
    unmeasured: Option<(Moment, String)>,
    /// How the evidence of the trial grew.
    trail: Trail,
    /// What preflight found, while the release lasts.
    learned: Option<(Revision, Learned)>,
    /// The gauges of the release, and what they said last.
    gauges: Option<Gauges>,
    seen: (engine::gauge::Gauges, Vec<api::VerdictStatus>),
    /// What the metrics have counted, for the gauges.
    served: Vec<Served>,
    /// What still comes to a candidate whose weight is zero.
    watch: Option<Watch>,
    told: LastTold,
}

/// Stands in for a step's number while promoted pods have all traffic: above every real one, so that no edit of the steps
/// collides with it.
const BEYOND: usize = u16::MAX as usize;
/// The shortest time between two looks at the metrics.
const PACE: Duration = Duration::from_millis(500);

/// What was measured, for the observation.
pub(super) struct Report {
    pub(super) preflight: Option<Vec<Problem>>,
    pub(super) evidence: Evidence,
    pub(super) residual: Residual,
}

impl Report {
    /// Nothing was measured.
    pub(super) fn nothing() -> Self {
        Self {
            preflight: None,
            evidence: Evidence::none(),
            residual: Residual::Unknown,
        }
    }
}

impl Measure {
    /// Reads what is due and says what is known.
    pub(super) async fn look(
        &mut self,
        shared: &Arc<Shared>,
        (snapshot, settled): (&Snapshot, Option<Moment>),
        spec: Option<&api::RolloutSpec>,
        (plan, state): (&Plan, &State),
        now: Moment,
    ) -> Report {
        self.looked = None;
        let Some(spec) = spec else {
            let of = self.watched(&state.phase);
            let told = |of| self.told.note(&of, Residual::Unknown, now);
            return Report {
                residual: of.map_or(Residual::Unknown, told),
                ..Report::nothing()
            };
        };
        self.looked = reads(&state.phase).map(|judges| (now, judges));
        let look = Look {
            shared,
            snapshot,
            spec,
            plan,
            settled,
            now,
        };
        self.follow(&look);
        if self.watched(&state.phase).is_none() {
            self.watch = None;
        }
        match &state.phase {
            Phase::Releasing(release) if release.stage == Stage::Preflight => {
                (self.trial, self.trail, self.unmeasured) = (None, Trail::default(), None);
                self.seen = (engine::gauge::Gauges::default(), Vec::new());
                Report {
                    preflight: self.preflight(&look, &release.revision).await,
                    ..Report::nothing()
                }
            }
            Phase::Releasing(release) => Report {
                preflight: Some(Vec::new()),
                evidence: self.climb(&look, release).await,
                ..Report::nothing()
            },
            Phase::Promoting(promotion) if promotion.stage.is_judged() => Report {
                evidence: self.come_back(&look, promotion).await,
                residual: self.residual(&look, state).await,
                ..Report::nothing()
            },
            Phase::Promoting(_)
            | Phase::RollingBack(_)
            | Phase::Deleting(Removal { served: Some(_), .. }) => {
                self.unmeasured = None;
                let residual = self.residual(&look, state).await;
                // An aborted release looks no longer for what it would have been judged by.
                if residual != Residual::Awaited && state.phase.served().is_none() {
                    self.search = None;
                }
                Report {
                    evidence: self.hand_over(&look, &state.phase).await,
                    residual,
                    ..Report::nothing()
                }
            }
            Phase::Adopting | Phase::Idle | Phase::RolledBack(_) | Phase::Deleting(_) => {
                *self = Self::default();
                Report::nothing()
            }
        }
    }

    /// When there is something to read again; never sooner than [`PACE`] after the last look, so that a provider that
    /// does not answer is not asked without pause.
    pub(super) fn next(&self) -> Option<Moment> {
        let (looked, judges) = self.looked?;
        let pace = looked.checked_add(PACE).ok()?;
        let search = self.search.as_ref().map(Search::next);
        let trial = self.trial.as_ref().filter(|_| judges).and_then(Trial::wake);
        let watch = self.watch.as_ref().and_then(Watch::wake);
        let due = search.into_iter().chain(trial).chain(watch);
        due.min().map(|due| due.max(pace))
    }

    /// Whether the status does not say yet when pods were young. It must before readings rest on that: the pods may be
    /// gone when a new process reads them again.
    pub(super) fn lacks(&self, status: &api::RolloutStatus) -> bool {
        let trial = self.trial.as_ref();
        trial.is_some_and(|trial| !trial.young.is_in(status.evidence.as_ref()))
    }

    /// `None`: it is being looked for. Otherwise what stands in the way of a comparison.
    async fn preflight(&mut self, look: &Look<'_>, revision: &Revision) -> Option<Vec<Problem>> {
        if self.learned.as_ref().is_some_and(|(of, _)| of == revision) {
            return Some(Vec::new());
        }
        let source = match look.source() {
            Ok(source) => source,
            Err(problem) => return Some(vec![problem]),
        };
        let (_, baseline) = look.arms(revision);
        if self
            .search
            .as_ref()
            .is_none_or(|search| search.revision != *revision)
        {
            match Search::new(look.spec, &baseline, revision, look.now) {
                Ok(search) => self.search = Some(search),
                Err(problem) => return Some(vec![problem]),
            }
        }
        let search = self.search.as_mut()?;
        let when = When {
            now: look.now,
            sampled: look.sampled(),
        };
        match search.look(&*source, look.plan, &baseline, when).await {
            Findings::Looking => None,
            Findings::Lacking(problem) => Some(vec![problem]),
            Findings::Found(learned) => {
                if let Some(message) = learned.unfit_alone(look.plan) {
                    return Some(vec![Problem {
                        reason: reason::PAST_TELLS_NOTHING,
                        message,
                    }]);
                }
                let gauges = concurrent::find(look, &*source, revision).await;
                let missing = gauges.missing();
                self.gauges = Some(gauges);
                if let Some(message) = missing {
                    return Some(vec![Problem {
                        reason: reason::METRICS_NOT_FOUND,
                        message,
                    }]);
                }
                self.learned = Some((revision.clone(), learned));
                self.search = None;
                Some(Vec::new())
            }
        }
    }

    async fn climb(&mut self, look: &Look<'_>, release: &Release) -> Evidence {
        if release.stage == Stage::Scaling && release.passed == 0 && release.weight.percent() == 0 {
            (self.trial, self.unmeasured) = (None, None);
            return Evidence::none();
        }
        let place = Place {
            rung: release.rung,
            entered: release.entered,
            pods: release.granted.max(1),
        };
        let id = TrialId::climbing(&release.revision);
        let begun = (place, release.rung == 0 && release.gap.is_none());
        let excused = |trial: &Trial| cached::is_excused(trial, release);
        self.trial = self.trial.take().filter(|trial| !excused(trial));
        if let Err(why) = self.on_trial(look, id, begun, excused).await {
            self.fall_silent(look.now, why);
            return self.unmeasured(&release.revision, release.rung);
        }
        self.unmeasured = None;
        let Some(trial) = &mut self.trial else {
            return Evidence::none();
        };
        let gauges = match &mut self.gauges {
            Some(gauges) if gauges.fit(look, &release.revision) => gauges,
            other => other.insert(Gauges::new(look, &release.revision)),
        };
        if release.stage == Stage::Judging {
            trial.enter(look.plan, place);
            // What pods have piled up while they served alone is no leak.
            let entered = release.since();
            gauges.enter(look.plan, Place { entered, ..place });
        }
        let pods = ready::newcomers(look.snapshot, &release.revision);
        trial.young.see(pods, trial.step(look.plan));
        trial.leave_out(release.gap, look.plan);
        if look.settled.is_none() {
            // However late the gateway takes a weight, the requests before that say nothing of whether it honours it.
            trial.judge.grant_grace(look.plan, look.now);
        }
        let source = look.source();
        concurrent::read(look, trial, (gauges, &mut self.served), source.as_deref()).await;
        self.seen = gauges.view(look);
        if let Some(mark) = report::mark(look.plan, &trial.judge) {
            self.trail.add(mark);
        }
        Evidence {
            gauges: self.seen.0.clone(),
            ..trial.judge.evidence()
        }
    }

    /// The judged return: the promoted pods are on trial, the candidate's stand beside them, until they have all traffic.
    async fn come_back(&mut self, look: &Look<'_>, promotion: &Promotion) -> Evidence {
        let bakes = promotion.stage == PromotionStage::Baking;
        let place = Place {
            rung: if bakes { BEYOND } else { 0 },
            entered: promotion.entered,
            pods: look.replicas(),
        };
        let id = TrialId::returning(&promotion.revision);
        // Pods that were found worse may have been cured since: each return is judged afresh.
        let ended = |trial: &Trial| cached::is_over(trial, promotion, look.plan);
        self.trial = self.trial.take().filter(|trial| !ended(trial));
        if let Err(why) = self.on_trial(look, id, (place, false), ended).await {
            self.fall_silent(look.now, why);
            return self.unmeasured(&promotion.revision, 0);
        }
        self.unmeasured = None;
        let source = look.source();
        match &mut self.trial {
            Some(trial) => {
                // The promoted pods are not watched, for there may be very many of them: their endpoints are.
                if bakes {
                    trial.enter(look.plan, place);
                }
                let step = trial.step(look.plan);
                trial.young.meet(look.serving(), look.now, step);
                trial.read(look.plan, source.as_deref(), look.now).await;
                trial.judge.evidence()
            }
            None => Evidence::none(),
        }
    }

    fn fall_silent(&mut self, now: Moment, why: String) {
        let since = self.unmeasured.take().map_or(now, |(since, _)| since);
        self.unmeasured = Some((since, why));
    }
}

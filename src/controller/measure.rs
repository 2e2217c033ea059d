//! Measuring: before a release the search for a baseline, during one the readings on the evaluation grid.
//!
//! What is kept here can be lost: a new process reads the present step anew from its committed start, and never
//! assumes a pass.

mod search;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use crate::api;
use crate::cluster::cache::Kind;
use crate::cluster::gather::text;
use crate::cluster::observe;
use crate::cluster::snapshot::Snapshot;
use crate::engine::judge::Evidence;
use crate::engine::observation::Problem;
use crate::engine::state::{Phase, Promotion, PromotionStage, Release, Stage};
use crate::engine::{Moment, Plan, Revision, State, report};
use crate::ports::MetricSource;
use crate::sources::preflight::{Choice, Outlook};
use crate::sources::promql::{Arm, pods_of_deployment};
use crate::sources::reader::Reader;
use search::Search;
use trial::Trial;

/// One Rollout's measurements.
#[derive(Default)]
pub(super) struct Measure {
    search: Option<Search>,
    trial: Option<Trial>,
    /// The last look in a phase that reads metrics.
    looked: Option<Moment>,
    /// The queries that preflight found for each metric, while the release lasts.
    found: Option<(Revision, Vec<Choice>)>,
}

/// The shortest time between two looks at the metrics.
const PACE: Duration = Duration::from_millis(500);

/// What was measured, for the observation.
pub(super) struct Report {
    pub(super) preflight: Option<Vec<Problem>>,
    pub(super) evidence: Evidence,
}

/// Everything that one look needs.
struct Look<'a> {
    shared: &'a Shared,
    snapshot: &'a Snapshot,
    spec: &'a api::RolloutSpec,
    plan: &'a Plan,
    now: Moment,
}

impl Measure {
    /// Reads what is due and says what is known.
    pub(super) async fn look(
        &mut self,
        shared: &Arc<Shared>,
        snapshot: &Snapshot,
        spec: Option<&api::RolloutSpec>,
        (plan, state): (&Plan, &State),
        now: Moment,
    ) -> Report {
        let nothing = Report {
            preflight: None,
            evidence: Evidence::none(),
        };
        self.looked = None;
        let Some(spec) = spec else { return nothing };
        if reads(&state.phase) {
            self.looked = Some(now);
        }
        let look = Look {
            shared,
            snapshot,
            spec,
            plan,
            now,
        };
        match &state.phase {
            Phase::Releasing(release) if release.stage == Stage::Preflight => {
                self.trial = None;
                Report {
                    preflight: self.preflight(&look, release).await,
                    ..nothing
                }
            }
            Phase::Releasing(release) => {
                // After a restart the search begins anew, and takes two looks as the first one did.
                if self
                    .found
                    .as_ref()
                    .is_some_and(|(revision, _)| *revision == release.revision)
                {
                    self.search = None;
                }
                Report {
                    preflight: Some(Vec::new()),
                    evidence: self.climb(&look, release).await,
                }
            }
            Phase::Promoting(promotion) if matches!(promotion.stage, PromotionStage::Returning(_)) => {
                Report {
                    evidence: self.come_back(&look, promotion).await,
                    ..nothing
                }
            }
            Phase::Promoting(_) => nothing,
            Phase::Adopting
            | Phase::Idle
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Deleting(_) => {
                if !matches!(state.phase, Phase::RollingBack(_)) {
                    *self = Self::default();
                }
                nothing
            }
        }
    }

    /// When there is something to read again; never sooner than [`PACE`] after the last look, so that a provider that
    /// does not answer is not asked without pause.
    pub(super) fn next(&self) -> Option<Moment> {
        let pace = self.looked?.checked_add(PACE).ok()?;
        let search = self.search.as_ref().map(|search| search.next);
        let readers = self
            .trial
            .iter()
            .flat_map(|trial| trial.readers.iter().map(Reader::wake));
        search.into_iter().chain(readers).min().map(|due| due.max(pace))
    }

    /// The verdicts on the present rung, for the status.
    pub(super) fn verdicts(&self, plan: &Plan) -> Vec<api::VerdictStatus> {
        self.trial
            .as_ref()
            .map(|trial| report::verdicts(plan, &trial.judge))
            .unwrap_or_default()
    }

    async fn preflight(&mut self, look: &Look<'_>, release: &Release) -> Option<Vec<Problem>> {
        let source = match look.source() {
            Ok(source) => source,
            Err(problem) => return Some(vec![problem]),
        };
        if self
            .search
            .as_ref()
            .is_none_or(|search| search.revision != release.revision)
        {
            match Search::new(look, &release.revision) {
                Ok(search) => self.search = Some(search),
                Err(problem) => return Some(vec![problem]),
            }
        }
        let search = self.search.as_mut()?;
        if look.now >= search.next {
            search.outlook.clear();
            for preflight in &mut search.searches {
                search
                    .outlook
                    .push(preflight.look(&*source, look.sampled()).await);
            }
            search.next = look.later(look.plan.analysis.interval);
        }
        let mut choices = Vec::new();
        for outlook in &search.outlook {
            match outlook {
                Outlook::Found(choice) => choices.push(choice.clone()),
                Outlook::Looking(why) => {
                    // The first looks only set the base that a counter must move from.
                    if look.now < look.patience(release) {
                        return None;
                    }
                    return Some(vec![Problem {
                        reason: "MetricsNotFound",
                        message: why.clone(),
                    }]);
                }
            }
        }
        if choices.len() < search.searches.len() || choices.is_empty() {
            return None;
        }
        self.found = Some((release.revision.clone(), choices));
        Some(Vec::new())
    }

    async fn climb(&mut self, look: &Look<'_>, release: &Release) -> Evidence {
        if release.stage == Stage::Scaling && release.passed == 0 && release.weight.percent() == 0 {
            self.trial = None;
            return Evidence::none();
        }
        let key = (release.revision.clone(), false);
        if self.trial.as_ref().is_none_or(|trial| trial.key != key) {
            let choices = match self.choices(look, release).await {
                Ok(choices) => choices,
                Err(why) => return silent(&release.revision, release, &why),
            };
            let (candidate, baseline) = look.arms(&release.revision);
            let fresh = release.rung == 0;
            match Trial::new(
                look,
                key,
                &choices,
                (&candidate, &baseline),
                (release.rung, release.entered, fresh),
            ) {
                Ok(trial) => self.trial = Some(trial),
                Err(why) => return silent(&release.revision, release, &why),
            }
        }
        let Some(trial) = &mut self.trial else {
            return Evidence::none();
        };
        if release.stage == Stage::Judging {
            trial.enter(release.rung, release.entered);
        }
        trial.read(look).await
    }

    /// The judged return: the promoted pods are on trial, the candidate's stand beside them.
    async fn come_back(&mut self, look: &Look<'_>, promotion: &Promotion) -> Evidence {
        let key = (promotion.revision.clone(), true);
        if self.trial.as_ref().is_none_or(|trial| trial.key != key) {
            let Some((_, choices)) = self.found.clone() else {
                return Evidence::none();
            };
            let (candidate, baseline) = look.arms(&promotion.revision);
            let place = (0, promotion.entered, false);
            match Trial::new(look, key, &choices, (&baseline, &candidate), place) {
                Ok(trial) => self.trial = Some(trial),
                Err(_) => return Evidence::none(),
            }
        }
        match &mut self.trial {
            Some(trial) => trial.read(look).await,
            None => Evidence::none(),
        }
    }

    /// What preflight found; after a restart it is looked for again.
    async fn choices(&mut self, look: &Look<'_>, release: &Release) -> Result<Vec<Choice>, String> {
        if let Some((revision, choices)) = &self.found
            && *revision == release.revision
        {
            return Ok(choices.clone());
        }
        match self.preflight(look, release).await {
            Some(problems) if problems.is_empty() => Ok(self
                .found
                .as_ref()
                .map(|(_, choices)| choices.clone())
                .unwrap_or_default()),
            Some(problems) => Err(problems
                .into_iter()
                .map(|problem| problem.message)
                .collect::<Vec<_>>()
                .join("; ")),
            None => Err("the baseline's metrics are being looked for again".to_owned()),
        }
    }
}

impl Look<'_> {
    fn provider(&self) -> Option<Arc<Value>> {
        self.shared
            .cache
            .get(Kind::MetricProvider, "", &self.spec.analysis.provider)
    }

    fn source(&self) -> Result<Arc<dyn MetricSource>, Problem> {
        let provider = self.provider();
        self.shared
            .providers
            .source(
                &self.spec.analysis.provider,
                &self.snapshot.namespace,
                provider.as_deref(),
            )
            .map_err(|message| Problem {
                reason: "ProviderNotFound",
                message,
            })
    }

    fn lag(&self) -> Duration {
        self.shared.providers.lag(self.provider().as_deref())
    }

    /// The latest moment whose samples are visible.
    fn sampled(&self) -> Moment {
        self.now.checked_sub(self.lag()).unwrap_or(self.now)
    }

    /// Until when a search without result is no news.
    fn patience(&self, release: &Release) -> Moment {
        let span = self.plan.analysis.interval.saturating_mul(3);
        release.entered.checked_add(span).unwrap_or(Moment::MAX)
    }

    fn later(&self, span: Duration) -> Moment {
        self.now.checked_add(span).unwrap_or(Moment::MAX)
    }

    /// The candidate's arm and the stable one.
    fn arms(&self, revision: &Revision) -> (Arm, Arm) {
        let workload = text(&self.snapshot.rollout, "/spec/workload/name");
        let candidate = crate::render::names::candidate(workload, revision);
        let arms = observe::arms(self.snapshot);
        let ports = observe::stable_ports(self.snapshot);
        let arm = |service: &str, deployment: &str| Arm {
            namespace: self.snapshot.namespace.clone(),
            service: service.to_owned(),
            ports: ports.clone(),
            pods: pods_of_deployment(deployment),
        };
        (arm(&candidate, &candidate), arm(arms.stable, workload))
    }
}

/// Whether anything is measured in a phase.
fn reads(phase: &Phase) -> bool {
    match phase {
        Phase::Releasing(_) => true,
        Phase::Promoting(promotion) => matches!(promotion.stage, PromotionStage::Returning(_)),
        Phase::Adopting | Phase::Idle | Phase::RollingBack(_) | Phase::RolledBack(_) | Phase::Deleting(_) => {
            false
        }
    }
}

fn silent(revision: &Revision, release: &Release, why: &str) -> Evidence {
    Evidence {
        revision: Some(revision.clone()),
        rung: release.rung,
        silent: Some((release.entered, why.to_owned())),
        ..Evidence::none()
    }
}

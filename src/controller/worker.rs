//! One Rollout's loop: observe → decide → check → commit → apply → tell, then wait.

mod act;
mod commit;
mod leave;
mod restore;
mod takeover;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::Value;
use tokio::sync::watch;

use super::Shared;
use super::contest::Contest;
use super::failures::Troubles;
use super::measure::{Measure, Report};
use super::memory::Memory;
use super::spec::{Spec, generation};
use super::undone_writes::Repeats;
use crate::api;
use crate::cluster::cache::{Cache, Kind};
use crate::cluster::gather::gather;
use crate::cluster::snapshot::Snapshot;
use crate::cluster::{gate, observe};
use crate::engine::judge::Verdict;
use crate::engine::observation::{Gate, Observation, Problem, Route};
use crate::engine::plan::GateMode;
use crate::engine::state::Phase;
use crate::engine::{Moment, Revision, State, Weight, check, decide, reason};
use crate::ports::SourceError;
use crate::render::names;
use crate::stats::Trouble;
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{Reconciled, RolloutKey};

/// The shortest sleep: a wake that is due already must not become a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest sleep: a decision is made again at least this often, whatever was missed.
const RESYNC: Duration = Duration::from_secs(300);
/// After an error of the API server.
pub(super) const RETRY: Duration = Duration::from_secs(2);

/// One Rollout's worker.
pub(super) struct Worker {
    shared: Arc<Shared>,
    key: RolloutKey,
    memory: Memory,
    troubles: Troubles,
    repeats: Repeats,
    contest: Contest,
    measure: Measure,
    /// What an earlier leader still sends finds another version everywhere.
    stamped: bool,
    written: Option<Moment>,
    /// What kept each metric from passing then.
    told: Vec<Option<Trouble>>,
    /// The last verdict, and on which rung of whose trial it was reached.
    judged: Option<(Revision, usize, Verdict)>,
    /// What has failed first in this turn, in one word.
    failure: Option<&'static str>,
    /// Something came that cannot wait for the metrics: the next turn decides on those that are known.
    hasty: bool,
}

/// What a turn came to.
enum Turn {
    /// The Rollout is gone, or this process leads no more.
    Gone,
    /// Something was written: look again at once.
    Again,
    /// Nothing to do for this long, unless something changes.
    Rest(Duration),
}

/// Ends as soon as the objects change in a way that must not wait for metrics: an action, lost pods, a new template.
async fn overtaken(cache: &Cache, key: &RolloutKey, seen: &Snapshot) {
    let mut changes = cache.changes(&key.namespace);
    let seen = observe::urgent(seen);
    loop {
        // The cache goes with the process, and so does this wait.
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
        let now = gather(cache, &key.namespace, &key.name);
        if now.is_none_or(|now| observe::urgent(&now) != seen) {
            return;
        }
    }
}

impl Turn {
    /// `failure`: what has failed first.
    fn ended(&self, failure: Option<&'static str>) -> Reconciled {
        match (failure, self) {
            (Some(label), _) => Reconciled::Error(label),
            (None, Self::Again) => Reconciled::Requeue,
            (None, Self::Rest(rest)) if *rest < RESYNC => Reconciled::RequeueAfter,
            (None, Self::Rest(_) | Self::Gone) => Reconciled::Success,
        }
    }
}

/// Counts a Rollout that changes while its turn lasts among those that wait for one. Never ends by itself.
async fn queue(metrics: &Metrics, mut changes: watch::Receiver<u64>) -> Turn {
    let _waits = changes.changed().await.is_ok().then(|| metrics.waits());
    std::future::pending().await
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, (namespace, name): (String, String)) -> Self {
        Self {
            shared,
            key: RolloutKey { namespace, name },
            memory: Memory::default(),
            troubles: Troubles::default(),
            repeats: Repeats::default(),
            contest: Contest::default(),
            measure: Measure::default(),
            stamped: false,
            written: None,
            told: Vec::new(),
            judged: None,
            failure: None,
            hasty: false,
        }
    }

    /// Runs until the Rollout is gone or leadership is lost.
    pub(super) async fn run(mut self) {
        let mut changes = self.shared.cache.changes(&self.key.namespace);
        loop {
            changes.borrow_and_update();
            if self.shared.leadership.check().is_none() {
                return;
            }
            let begun = tokio::time::Instant::now();
            let shared = Arc::clone(&self.shared);
            let turn = tokio::select! {
                biased;
                turn = self.turn() => turn,
                never = queue(&shared.metrics, changes.clone()) => never,
            };
            let took = tokio::time::Instant::now().duration_since(begun);
            shared.metrics.reconciled(took, turn.ended(self.failure.take()));
            match turn {
                Turn::Gone => break,
                Turn::Again => tokio::task::yield_now().await,
                Turn::Rest(rest) => tokio::select! {
                    () = tokio::time::sleep(rest) => {}
                    changed = changes.changed() => if changed.is_err() { return },
                },
            }
        }
        self.shared.metrics.forget(&self.key);
        self.shared
            .live
            .set(&self.key.namespace, &self.key.name, Vec::new());
    }

    async fn turn(&mut self) -> Turn {
        let Some(snapshot) = gather(&self.shared.cache, &self.key.namespace, &self.key.name) else {
            return Turn::Gone;
        };
        let now = self.shared.clock.now();
        let spec = Spec::read(&snapshot, self.shared.gate);
        let (status, state) = match self.restore(&snapshot, now).await {
            Ok(log) => log,
            Err(turn) => return turn,
        };
        let behind = match self.take_over(&snapshot, &state, now).await {
            Ok(behind) => behind,
            Err(turn) => return turn,
        };
        let caught_up = state.caught_up(now).map(|(state, _)| state);
        let present = caught_up.as_ref().unwrap_or(&state);
        let Some(mut seen) = self.observe(&snapshot, &spec, present, now).await else {
            self.hasty = true;
            return Turn::Again;
        };
        let mut decision = decide(&spec.plan, &state, &seen, now);
        if self.troubles.keep(&decision.effects) {
            // What was refused is not wanted any more.
            seen.refusal = self.blocking_problem(present, now);
            decision = decide(&spec.plan, &state, &seen, now);
        }
        let breaches = check(&spec.plan, &state, &seen, &decision);
        if !breaches.is_empty() {
            let breaches: Vec<String> = breaches.iter().map(ToString::to_string).collect();
            return self.alarm(&snapshot, &breaches.join("; "));
        }
        if let Some(wait) = behind.filter(|_| !self.may_go_on(&state, &decision)) {
            return wait;
        }
        let verdicts = self.measure.verdicts(&spec.plan, decision.next.active());
        self.shared.metrics.judged(&self.key, tell::rates(&verdicts));
        self.shared
            .live
            .set(&self.key.namespace, &self.key.name, verdicts);
        self.show(&decision, &seen);
        let report = self.report_due(&status, &state, (&seen, &decision.next), now);
        let moved = commit::moved(&status, &snapshot, &decision.next, &seen);
        let decided = decision.decides(&state) || outdated(&status, &snapshot) || moved;
        let snapshot = if decided || report.is_some_and(|due| due <= now) {
            match self
                .commit(snapshot, &spec, (&status, &state), (&seen, &decision), now)
                .await
            {
                Ok(snapshot) => snapshot,
                Err(turn) => return turn,
            }
        } else {
            snapshot
        };
        let left = self.leave(&snapshot, now).await;
        match self.act(&snapshot, &decision, &seen, (now, report)).await {
            Turn::Rest(rest) => Turn::Rest(left.map_or(rest, |left| left.min(rest))),
            turn @ (Turn::Gone | Turn::Again) => turn,
        }
    }

    /// `None`: what is in the snapshot was overtaken while the metrics were read.
    async fn observe(
        &mut self,
        snapshot: &Snapshot,
        spec: &Spec,
        state: &State,
        now: Moment,
    ) -> Option<Observation> {
        let mut problems = spec.problems.clone();
        problems.extend(observe::problems(snapshot));
        problems.extend(self.provider_problem(snapshot, spec));
        let workload = observe::workload(snapshot, now).map(|seen| self.memory.with_age(seen));
        let candidate = match &state.phase {
            Phase::Releasing(release) => Some(&release.revision),
            // Told at rest too, before somebody waits for a release.
            Phase::Adopting | Phase::Idle => workload.as_ref().map(|workload| &workload.template),
            Phase::RollingBack(_) | Phase::RolledBack(_) | Phase::Promoting(_) | Phase::Deleting(_) => None,
        };
        problems.extend(candidate.and_then(|revision| observe::obstacle(snapshot, revision)));
        if let Phase::Releasing(release) = &state.phase {
            problems.extend(observe::lacking(snapshot, &release.revision));
        }
        let gate = self.prove_gate(snapshot, now).await;
        let accepted_since = self.memory.accepted_since(observe::routing_mark(snapshot), now);
        let route = observe::route(snapshot, accepted_since);
        let route = match (&state.phase, observe::engaged(snapshot)) {
            (Phase::Releasing(_), Some(other)) => Route::Unusable(other),
            _ => route,
        };
        let measured = self.measured((snapshot, &route), spec, state, now).await?;
        Some(Observation {
            deleting: snapshot.rollout.pointer("/metadata/deletionTimestamp").is_some(),
            problems,
            workload,
            candidate: observe::candidate(snapshot, state.active()),
            route,
            gate,
            preflight: measured.preflight,
            evidence: measured.evidence,
            residual: measured.residual,
            actions: observe::actions(snapshot),
            refusal: self.blocking_problem(state, now),
        })
    }

    /// The problem that blocks the committed effects: the API server refuses them, or another writer keeps undoing them.
    fn blocking_problem(&self, state: &State, now: Moment) -> Option<Problem> {
        let weighs = state.weight() > Weight::NONE;
        let contest = || self.contest.told(now).filter(|_| weighs);
        let undone = || self.repeats.told(now);
        self.troubles.told().or_else(contest).or_else(undone)
    }

    /// What the metrics say. A person's word, lost pods or a new template do not wait until a slow provider has
    /// answered: `None` then, and what was read is not lost.
    async fn measured(
        &mut self,
        (snapshot, route): (&Snapshot, &Route),
        spec: &Spec,
        state: &State,
        now: Moment,
    ) -> Option<Report> {
        if std::mem::take(&mut self.hasty) {
            return Some(self.measure.known(&spec.plan, state));
        }
        let (shared, typed) = (Arc::clone(&self.shared), spec.typed.as_ref());
        let settled = route.settled(state.weight(), spec.plan.propagation, now);
        let reading = self
            .measure
            .look(&shared, (snapshot, settled), typed, (&spec.plan, state), now);
        tokio::select! {
            biased;
            report = reading => Some(report),
            () = overtaken(&shared.cache, &self.key, snapshot) => None,
        }
    }

    /// The metric provider that the spec names is not there, or cannot be used.
    fn provider_problem(&self, snapshot: &Snapshot, spec: &Spec) -> Option<Problem> {
        let name = &spec.typed.as_ref()?.analysis.provider;
        let object = self.shared.cache.get(Kind::MetricProvider, "", name);
        let source = self
            .shared
            .providers
            .source(name, &snapshot.namespace, object.as_deref());
        let Err(message) = source else {
            self.shared.metrics.expect_provider(name, SourceError::LABELS);
            return None;
        };
        Some(Problem {
            reason: reason::PROVIDER_NOT_FOUND,
            message,
        })
    }

    async fn prove_gate(&mut self, snapshot: &Snapshot, now: Moment) -> Gate {
        if self.shared.gate == GateMode::Paused {
            return Gate::Closed;
        }
        let (gate, due) = self.memory.gate(now);
        let labelled = |workload: &&Value| crate::render::json::label(workload, names::GATE).is_some();
        match snapshot.workload.as_ref().filter(labelled) {
            Some(workload) if due => {
                let proof = gate::prove(&self.shared.client, workload).await;
                self.memory.proved(proof.map_err(|error| error.to_string()), now);
                self.memory.gate(now).0
            }
            _ => gate,
        }
    }
}

/// Whether the status must be written though nothing is decided: it speaks of an earlier spec, or of a state that could
/// not be read and now can.
fn outdated(status: &api::RolloutStatus, snapshot: &Snapshot) -> bool {
    let unread = |condition: &Condition| condition.reason == reason::STATUS_UNREADABLE;
    status.observed_generation != Some(generation(&snapshot.rollout)) || status.conditions.iter().any(unread)
}

//! One Rollout's loop: observe → decide → check → commit → apply → tell, then wait.

mod commit;
mod tell;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use super::measure::{Measure, Report};
use super::memory::Memory;
use super::spec::{Spec, generation};
use crate::api;
use crate::cluster::apply::{ApplyError, Job};
use crate::cluster::cache::Cache;
use crate::cluster::error::Class;
use crate::cluster::gather::gather;
use crate::cluster::snapshot::Snapshot;
use crate::cluster::{gate, observe};
use crate::engine::observation::{Gate, Observation};
use crate::engine::plan::GateMode;
use crate::engine::state::Phase;
use crate::engine::{Decision, Moment, State, check, decide, report};
use crate::render::names;
use crate::telemetry::metrics::RolloutKey;

/// The shortest sleep: a wake that is due already must not become a busy loop.
const SHORTEST: Duration = Duration::from_millis(10);
/// The longest sleep: a decision is made again at least this often, whatever was missed.
const RESYNC: Duration = Duration::from_secs(300);
/// After an error of the API server.
pub(super) const RETRY: Duration = Duration::from_secs(2);
/// After a conflict: the watch brings what we missed.
const CONFLICT: Duration = Duration::from_millis(200);

/// One Rollout's worker.
pub(super) struct Worker {
    shared: Arc<Shared>,
    key: RolloutKey,
    memory: Memory,
    measure: Measure,
    stamped: bool,
    written: Option<Moment>,
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

/// Waits until something has changed that a decision about `seen` cannot wait with.
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

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, (namespace, name): (String, String)) -> Self {
        Self {
            shared,
            key: RolloutKey { namespace, name },
            memory: Memory::default(),
            measure: Measure::default(),
            stamped: false,
            written: None,
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
            let turn = self.turn().await;
            self.shared
                .metrics
                .reconciled(tokio::time::Instant::now().duration_since(begun), None);
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
        let status = serde_json::from_value::<api::RolloutStatus>(snapshot.rollout["status"].clone())
            .unwrap_or_default();
        let state = match report::restore(Some(&status)) {
            Ok(state) => state,
            Err(why) => {
                tracing::error!(rollout = %self.key.name, namespace = %self.key.namespace, "{why}");
                return Turn::Rest(RESYNC);
            }
        };
        if let Some(turn) = self.take_over(&snapshot, &status, &state).await {
            return turn;
        }
        let Some(seen) = self.observe(&snapshot, &spec, &state, now).await else {
            self.hasty = true;
            return Turn::Again;
        };
        let decision = decide(&spec.plan, &state, &seen, now);
        let breaches = check(&spec.plan, &state, &seen, &decision);
        if !breaches.is_empty() {
            let breaches: Vec<String> = breaches.iter().map(ToString::to_string).collect();
            return self.alarm(&snapshot, &breaches.join("; "));
        }
        self.shared.live.set(
            &self.key.namespace,
            &self.key.name,
            self.measure.verdicts(&spec.plan),
        );
        self.show(&decision, &seen);
        let report = self.report_due(&status, &state, (&seen, &decision.next), now);
        let decided =
            decision.decides(&state) || status.observed_generation != Some(generation(&snapshot.rollout));
        let snapshot = if decided || report.is_some_and(|due| due <= now) {
            match self
                .commit(snapshot, &spec, &status, (&seen, &decision), now)
                .await
            {
                Ok(snapshot) => snapshot,
                Err(turn) => return turn,
            }
        } else {
            snapshot
        };
        self.act(&snapshot, &decision, &seen, (now, report)).await
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
        problems.extend(self.memory.refusal(now));
        if let Phase::Releasing(release) = &state.phase {
            problems.extend(observe::obstacle(snapshot, &release.revision));
        }
        let gate = self.prove_gate(snapshot, now).await;
        let accepted_since = self.memory.accepted_since(observe::routing_mark(snapshot), now);
        let measured = self.measured(snapshot, spec, state, now).await?;
        Some(Observation {
            deleting: snapshot.rollout.pointer("/metadata/deletionTimestamp").is_some(),
            problems,
            workload: observe::workload(snapshot),
            candidate: observe::candidate(snapshot, state.active()),
            route: observe::route(snapshot, accepted_since),
            gate,
            preflight: measured.preflight,
            evidence: measured.evidence,
            actions: observe::actions(snapshot),
        })
    }

    /// What the metrics say. A person's word, lost pods or a new template do not wait until a slow provider has
    /// answered: `None` then, and what was read is not lost.
    async fn measured(
        &mut self,
        snapshot: &Snapshot,
        spec: &Spec,
        state: &State,
        now: Moment,
    ) -> Option<Report> {
        if std::mem::take(&mut self.hasty) {
            return Some(self.measure.known(state));
        }
        let (shared, typed) = (Arc::clone(&self.shared), spec.typed.as_ref());
        let reading = self
            .measure
            .look(&shared, snapshot, typed, (&spec.plan, state), now);
        tokio::select! {
            biased;
            report = reading => Some(report),
            () = overtaken(&shared.cache, &self.key, snapshot) => None,
        }
    }

    async fn prove_gate(&mut self, snapshot: &Snapshot, now: Moment) -> Gate {
        if self.shared.gate == GateMode::Paused {
            return Gate::Closed;
        }
        let (gate, due) = self.memory.gate(now);
        let labelled = |workload: &&Value| crate::cluster::gather::label(workload, names::GATE).is_some();
        match snapshot.workload.as_ref().filter(labelled) {
            Some(workload) if due => {
                let proof = gate::prove(&self.shared.client, workload).await;
                self.memory.proved(proof.map_err(|error| error.to_string()), now);
                self.memory.gate(now).0
            }
            _ => gate,
        }
    }

    /// Idempotent, in order; the first that fails ends the turn, and the next turn decides anew.
    async fn act(
        &mut self,
        snapshot: &Snapshot,
        decision: &Decision,
        seen: &Observation,
        (now, report): (Moment, Option<Moment>),
    ) -> Turn {
        let job = Job {
            snapshot,
            state: &decision.next,
            now,
            leader: &self.shared.leadership,
        };
        let mut writes = 0;
        for effect in &decision.effects {
            match self.shared.writer.apply(effect, &job).await {
                Ok(applied) => {
                    writes += applied.writes();
                    self.count(effect, seen, applied.writes());
                    applied
                        .written
                        .into_iter()
                        .for_each(|(kind, object)| self.shared.cache.put(kind, object));
                    applied
                        .deleted
                        .iter()
                        .for_each(|(kind, object)| self.shared.cache.remove(*kind, object));
                }
                Err(error) => return self.failed(tell::name(effect), &error, now),
            }
        }
        if writes > 0 {
            return Turn::Again;
        }
        // Effects without a write wait for others (a ReplicaSet's controller, say), who will be seen.
        let gated =
            self.shared.gate == GateMode::Admission && seen.workload.as_ref().is_some_and(|it| it.gated);
        let proof = self.memory.gate_due().filter(|_| gated);
        let now = self.shared.clock.now();
        let report = report.filter(|due| *due > now);
        let wakes = [decision.wake, self.measure.next(), proof, report];
        let wake = wakes.into_iter().flatten().min();
        let rest = wake.map_or(RESYNC, |wake| {
            Duration::try_from(wake.duration_since(now)).unwrap_or_default()
        });
        // Not a moment too early: what is due must be due when we look.
        Turn::Rest(rest.clamp(SHORTEST, RESYNC))
    }

    /// A holder's first act on an active release: what an earlier one still sends must find another version.
    async fn take_over(
        &mut self,
        snapshot: &Snapshot,
        status: &api::RolloutStatus,
        state: &State,
    ) -> Option<Turn> {
        if self.stamped {
            return None;
        }
        let ours = self.shared.writer.stamp().to_string();
        let active = !matches!(state.phase, Phase::Adopting | Phase::Idle | Phase::RolledBack(_));
        if active && status.stamp.as_deref() != Some(ours.as_str()) {
            match self.shared.writer.touch(snapshot).await {
                Ok(applied) => applied
                    .written
                    .into_iter()
                    .for_each(|(kind, object)| self.shared.cache.put(kind, object)),
                Err(error) => {
                    return Some(self.failed("stamp the release's objects", &error, self.shared.clock.now()));
                }
            }
        }
        self.stamped = true;
        None
    }

    fn failed(&mut self, what: &str, error: &ApplyError, now: Moment) -> Turn {
        self.shared
            .metrics
            .reconciled(Duration::ZERO, Some(error.label()));
        let (rollout, namespace) = (&self.key.name, &self.key.namespace);
        match error.class() {
            Class::Conflict => {
                tracing::debug!(%rollout, %namespace, "could not {what}: {error}; decided anew");
                Turn::Rest(CONFLICT)
            }
            Class::Denied | Class::Invalid => {
                tracing::error!(%rollout, %namespace, error = error.label(), "could not {what}: {error}");
                self.memory.refused(error.problem(), now);
                Turn::Rest(CONFLICT)
            }
            Class::Transient | Class::Unknown | Class::Bug => {
                tracing::warn!(%rollout, %namespace, error = error.label(), "could not {what}: {error}");
                Turn::Rest(RETRY)
            }
        }
    }
}

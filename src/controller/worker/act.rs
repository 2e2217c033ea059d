//! The effects of a committed decision, and what follows from those that fail.

use std::sync::Arc;
use std::time::Duration;

use super::{RESYNC, RETRY, SHORTEST, Turn, Worker, tell};
use crate::cluster::apply::{Applied, ApplyError, Job};
use crate::cluster::error::Class;
use crate::cluster::snapshot::Snapshot;
use crate::engine::observation::Observation;
use crate::engine::plan::GateMode;
use crate::engine::quantity::after;
use crate::engine::reason::Note;
use crate::engine::{Decision, Effect, Moment};

/// After a conflict: the watch brings what we missed.
const CONFLICT: Duration = Duration::from_millis(200);
/// After a refusal of what everything else rests on.
const REFUSED: Duration = Duration::from_secs(10);

impl Worker {
    /// Applies the effects in order. Each is idempotent; the first that fails ends the turn, and the next turn decides again.
    pub(super) async fn act(
        &mut self,
        snapshot: &Snapshot,
        decision: &Decision,
        seen: &Observation,
        (now, report): (Moment, Option<Moment>),
    ) -> Turn {
        let shared = Arc::clone(&self.shared);
        let job = Job {
            snapshot,
            state: &decision.next,
            now,
            leader: &shared.leadership,
        };
        let (mut writes, mut news) = (0, false);
        let mut again: Option<Moment> = None;
        for effect in &decision.effects {
            let held = self.troubles.held(effect, now);
            let failure = match held.max(self.repeats.held(effect, now)) {
                Some(until) => Some(until),
                None if !self.fenced(effect) => Some(after(now, RETRY)),
                None => match self.shared.writer.apply(effect, &job).await {
                    Ok(applied) => {
                        self.troubles.done(effect);
                        writes += applied.writes();
                        news |= self.repeated(snapshot, effect, &applied, now);
                        self.count(effect, applied.writes());
                        self.undo(snapshot, (effect, &applied), decision.next.weight(), now);
                        applied
                            .written
                            .into_iter()
                            .for_each(|(kind, object)| self.shared.cache.put(kind, object));
                        applied
                            .deleted
                            .iter()
                            .for_each(|(kind, object)| self.shared.cache.remove(*kind, object));
                        None
                    }
                    Err(error) => {
                        self.count(effect, usize::from(matches!(error, ApplyError::NotKept { .. })));
                        let verdict = self.troubles.failed(effect, &error, now);
                        news |= verdict.news.is_some();
                        self.log(tell::name(effect), &error);
                        if let Some(problem) = verdict.news {
                            self.publish(snapshot, &Note::warning(problem.reason, problem.message));
                        }
                        Some(verdict.again)
                    }
                },
            };
            again = again.into_iter().chain(failure).min();
            // An answer to a person holds nothing up.
            if failure.is_some() && !matches!(effect, Effect::Finish { .. }) {
                break;
            }
        }
        if writes > 0 || news {
            return Turn::Again;
        }
        self.rest(decision, seen, [report, again])
    }

    /// `effect` was written: whether people hear for the first time that it does not last.
    fn repeated(&mut self, snapshot: &Snapshot, effect: &Effect, applied: &Applied, now: Moment) -> bool {
        let wrote = (applied.writes() > 0).then_some(effect);
        let news = wrote.and_then(|effect| self.repeats.wrote(effect, now));
        if let Some(problem) = &news {
            self.publish(snapshot, &Note::warning(problem.reason, problem.message.clone()));
        }
        news.is_some()
    }

    /// Until something is due.
    fn rest(&self, decision: &Decision, seen: &Observation, due: [Option<Moment>; 2]) -> Turn {
        // Effects without a write wait for others (a ReplicaSet's controller, say), who will be seen.
        let gated =
            self.shared.gate == GateMode::Admission && seen.workload.as_ref().is_some_and(|it| it.gated);
        let proof = self.memory.gate_due().filter(|_| gated);
        let now = self.shared.clock.now();
        let quiet = self.contest.ends().filter(|end| *end > now);
        let wakes = [
            decision.wake,
            self.measure.next(),
            proof,
            quiet,
            self.repeats.ends(now),
        ]
        .into_iter()
        .flatten();
        let wake = wakes.chain(due.into_iter().flatten()).min();
        let rest = wake.map_or(RESYNC, |wake| {
            Duration::try_from(wake.duration_since(now)).unwrap_or_default()
        });
        // Not a moment too early: what is due must be due when we look.
        Turn::Rest(rest.clamp(SHORTEST, RESYNC))
    }

    /// Something failed without which nothing can be decided or done.
    pub(super) fn failed(&mut self, snapshot: &Snapshot, what: &str, error: &ApplyError) -> Turn {
        match error.class() {
            Class::Conflict => {
                self.log(what, error);
                Turn::Rest(CONFLICT)
            }
            Class::Denied | Class::Invalid => {
                self.complain(snapshot, what, error);
                Turn::Rest(REFUSED)
            }
            Class::Transient | Class::Unknown | Class::Bug => {
                self.log(what, error);
                Turn::Rest(RETRY)
            }
        }
    }

    /// Writes an error to the log and to the events.
    pub(super) fn complain(&mut self, snapshot: &Snapshot, what: &str, error: &ApplyError) {
        self.log(what, error);
        let problem = error.problem();
        self.publish(snapshot, &Note::warning(problem.reason, problem.message));
    }

    pub(super) fn log(&mut self, what: &str, error: &ApplyError) {
        self.failure.get_or_insert_with(|| error.label());
        let (rollout, namespace) = (&self.key.name, &self.key.namespace);
        match error.class() {
            Class::Conflict => {
                tracing::debug!(%rollout, %namespace, "could not {what}: {error}; decided anew");
            }
            Class::Denied | Class::Invalid => {
                tracing::error!(%rollout, %namespace, error = error.label(), "could not {what}: {error}");
            }
            Class::Transient | Class::Unknown | Class::Bug => {
                tracing::warn!(%rollout, %namespace, error = error.label(), "could not {what}: {error}");
            }
        }
    }
}

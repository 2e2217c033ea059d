//! The decision: one function of the plan, the committed state, the observation, and the time.

#![allow(clippy::option_option)] // whether the turn ends here, and what it then waits for

mod actions;
mod alone;
mod bake;
mod deletion;
mod doubt;
mod effects;
mod idle;
mod promotion;
mod promotion_failover;
mod purge;
mod release;
mod residual;
mod returning;
mod rollback;
mod step_edits;
mod verdict;

use std::time::Duration;

use super::effect::Effect;
use super::observation::{Observation, Workload};
use super::plan::Plan;
use super::quantity::{Moment, Revision, after};
use super::reason::{self, Note, Waiting};
use super::state::{Phase, State};
use super::words;

/// What is to be committed, then done.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The state to commit; equal to the present one when nothing changes.
    pub next: State,
    /// What must be true of the cluster, in this order. Derived from `next` and the observation.
    pub effects: Vec<Effect>,
    /// When to decide again if nothing happens before.
    pub wake: Option<Moment>,
    /// What to tell people, once `next` is committed.
    pub notes: Vec<Note>,
}

impl Decision {
    /// Whether it decides something beyond `before`, which must be committed before anything else happens. Otherwise
    /// at most the words of an ordinary wait have changed: those are a report, on which no later decision rests.
    pub fn decides(&self, before: &State) -> bool {
        let State {
            stable,
            phase,
            waiting,
            handled,
            history,
        } = &self.next;
        let ordinary = |waiting: &Option<Waiting>| waiting.as_ref().is_some_and(Waiting::is_progress);
        let same_wait = *waiting == before.waiting || ordinary(waiting) && ordinary(&before.waiting);
        let same = *stable == before.stable
            && *phase == before.phase
            && *handled == before.handled
            && *history == before.history;
        !(same && same_wait && self.notes.is_empty())
    }
}

/// Decides. Total: every state and every observation has an answer, and deciding twice changes nothing.
pub fn decide(plan: &Plan, state: &State, seen: &Observation, now: Moment) -> Decision {
    let mut turn = Turn {
        plan,
        seen,
        now,
        next: state.clone(),
        wake: None,
        notes: Vec::new(),
    };
    turn.catch_up();
    turn.answer_people();
    // Transitions that need no new fact follow each other at once, so that a chain of them costs one write.
    for _ in 0..CHAIN_MAX {
        turn.wake = None;
        let before = turn.next.phase.clone();
        turn.next.waiting = turn.transit();
        if turn.next.phase == before {
            break;
        }
    }
    turn.tell_refusal();
    let effects = turn.effects();
    Decision {
        next: turn.next,
        effects,
        wake: turn.wake,
        notes: turn.notes,
    }
}

/// More transitions than any chain has: preflight, scaling and the first weight are three.
const CHAIN_MAX: usize = 12;

/// Losing ready capacity this often under traffic is a fail.
const LOST_MAX: u8 = 3;

/// A decision in the making.
struct Turn<'a> {
    plan: &'a Plan,
    seen: &'a Observation,
    now: Moment,
    next: State,
    wake: Option<Moment>,
    notes: Vec<Note>,
}

impl Turn<'_> {
    /// One transition: changes `next.phase` or leaves it, and says what is waited for.
    fn transit(&mut self) -> Option<Waiting> {
        let phase = self.next.phase.clone();
        if self.seen.deleting && !matches!(phase, Phase::Deleting(_)) {
            return self.begin_removal(&phase);
        }
        match phase {
            Phase::Adopting => self.adopting(),
            Phase::Idle => self.idle(),
            Phase::Releasing(release) => self.releasing(release),
            Phase::RollingBack(retreat) => self.rolling_back(retreat),
            Phase::RolledBack(rejection) => self.rolled_back(&rejection),
            Phase::Promoting(promotion) => self.promoting(promotion),
            Phase::Deleting(removal) => self.deleting(removal),
        }
    }

    /// A time that lies ahead would stall everything that is counted from it.
    fn catch_up(&mut self) {
        let Some((next, ahead)) = self.next.caught_up(self.now) else {
            return;
        };
        self.next = next;
        self.note(Note::warning(
            reason::CLOCK_AHEAD,
            format!(
                "times in the status lie {} ahead of this process's clock: they count as now, so the present wait begins \
                 anew; look at the clocks of the nodes that Serin runs on",
                words::span(ahead.as_secs_f64())
            ),
        ));
    }

    /// What is refused is told in place of a wait that cannot end because of it.
    fn tell_refusal(&mut self) {
        let Some(refusal) = &self.seen.refusal else {
            return;
        };
        // What follows from a contest would blame others.
        let contested = refusal.reason == reason::ROUTE_CONTESTED;
        let follows = [reason::SHARE_NOT_HONOURED, reason::NO_DATA];
        let hides = |waiting: &Waiting| {
            let others = [reason::GATING, reason::FIRST_REVISION, reason::ROUTE_NOT_ACCEPTED];
            let reason = waiting.reason.as_str();
            let gives_way = others.contains(&reason) || contested && follows.contains(&reason);
            !waiting.is_progress() && !gives_way
        };
        if self.next.waiting.as_ref().is_some_and(hides) {
            return;
        }
        let until = self.next.waiting.as_ref().and_then(|waiting| waiting.until);
        // The end of a wait that is undone again and again would be news each time.
        let until = until.filter(|_| !contested);
        self.next.waiting = Some(Waiting::on(refusal.reason, &refusal.message).until(until));
    }

    /// Whether `since + span` is over; if not, the decision is made again then.
    fn over(&mut self, since: Moment, span: Duration) -> bool {
        let end = after(since, span);
        if end <= self.now {
            return true;
        }
        self.wake_at(end);
        false
    }

    /// Whether pods that are all there have been kept waiting for something else for so long that what they may lack later
    /// must have a `deadline` of its own. Half of it: a write now and then, and a grace that is long enough. While a spec cannot
    /// be read, nobody knows how long it is.
    fn stands_long(&mut self, since: Moment, deadline: Duration) -> bool {
        const UNKNOWN: Duration = Duration::from_mins(1);
        let most = if self.seen.problems.is_empty() {
            Duration::MAX
        } else {
            UNKNOWN
        };
        since < self.now && self.over(since, most.min(deadline / 2))
    }

    fn wake_at(&mut self, moment: Moment) {
        if moment <= self.now {
            return;
        }
        self.wake = Some(self.wake.map_or(moment, |wake| wake.min(moment)));
    }

    /// Whether pods of the held template exist, or may come at any moment, though nobody approved it.
    fn bypassed(&self, workload: &Workload) -> bool {
        let Some(stable) = &self.next.stable else {
            return false;
        };
        workload.template != *stable && (!workload.paused || workload.stray(stable))
    }

    /// Whether the stable revision is gone for good: the Deployment was made anew, or the held template rolled out
    /// to the end. One that was scaled to zero still has its ReplicaSet, and comes back with it.
    fn replaced(&self, workload: &Workload) -> bool {
        let Some(stable) = &self.next.stable else {
            return false;
        };
        workload.template != *stable
            && workload.replicas > 0
            && workload.pods(stable).desired == 0
            && (!workload.revisions.contains_key(stable) || workload.pods(&workload.template).desired > 0)
            && !self.displaced(workload)
    }

    /// Whether the Deployment has come back from zero, or is about to, with other pods than the stable revision's: where
    /// none are left, its controller gives them all to the held template's ReplicaSet, or else to the newest one. While
    /// none of those serves, nothing is lost by giving them back.
    fn displaced(&self, workload: &Workload) -> bool {
        let Some(stable) = &self.next.stable else {
            return false;
        };
        let empty = workload
            .revisions
            .get(stable)
            .is_some_and(|pods| pods.desired == 0);
        let mut others = workload
            .revisions
            .iter()
            .filter(|(revision, _)| *revision != stable);
        workload.paused && workload.replicas > 0 && empty && others.all(|(_, pods)| pods.ready == 0)
    }

    /// Ready pods of `revision`'s candidate that the route can reach.
    fn candidate_ready(&self, revision: &Revision) -> u32 {
        let candidate = &self.seen.candidate;
        let there = self.removed(revision).is_none();
        if there { candidate.ready } else { 0 }
    }

    /// What of `revision`'s candidate is not there, or not for long.
    fn removed(&self, revision: &Revision) -> Option<&'static str> {
        let candidate = &self.seen.candidate;
        if candidate.revision.as_ref() != Some(revision) {
            return Some("Deployment");
        }
        if !candidate.service {
            return Some("Service");
        }
        candidate.going.then_some("Deployment or Service")
    }

    /// Whether the candidate cannot come back by itself: somebody has removed it, or scaled it to zero. One that is there and
    /// not ready may be so for a moment.
    fn lost(&self) -> bool {
        let candidate = &self.seen.candidate;
        candidate.revision.is_none() || !candidate.service || candidate.desired == 0
    }

    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }
}

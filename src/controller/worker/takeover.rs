//! A new leader's first act on an active release: what an earlier one still sends must find another version.
//!
//! Invariants: nothing goes up, and nothing but traffic is touched, before every stamp is on; taking traffic back waits
//! for no stamp, for its own write fences it.

use std::time::Duration;

use super::{Turn, Worker};
use crate::cluster::cache::Kind;
use crate::cluster::error::Class;
use crate::cluster::snapshot::Snapshot;
use crate::controller::failures::{Deed, lowers};
use crate::engine::reason::{self, Note};
use crate::engine::state::Phase;
use crate::engine::{Decision, Effect, Moment, State};

const WHAT: &str = "stamp the release's objects";

impl Worker {
    /// `Ok(None)`: all stamps are on, or none is needed. `Ok(Some(turn))`: some are missing; `turn` says when to look
    /// again if nothing is to be rolled back. `Err`: the objects have changed under the snapshot.
    pub(super) async fn take_over(
        &mut self,
        snapshot: &Snapshot,
        state: &State,
        now: Moment,
    ) -> Result<Option<Turn>, Turn> {
        let rests = matches!(state.phase, Phase::Adopting | Phase::Idle | Phase::RolledBack(_));
        self.stamped |= rests;
        if self.stamped {
            self.troubles.done(&Deed::Stamp);
            return Ok(None);
        }
        if let Some(until) = self.troubles.held(&Deed::Stamp, now) {
            return Ok(Some(rest(until, now)));
        }
        let (applied, errors) = self.shared.writer.touch(snapshot).await;
        let wrote = applied.writes() > 0;
        let put = |(kind, object): (Kind, _)| self.shared.cache.put(kind, object);
        applied.written.into_iter().for_each(put);
        // What is refused to this process is refused to the leader before as well, which has the same rights: its late
        // writes need no fence.
        let forbidden = |class| matches!(class, Class::Denied | Class::Invalid);
        let Some(error) = errors.iter().find(|error| !forbidden(error.class())) else {
            if let Some(error) = errors.first() {
                self.complain(snapshot, WHAT, error);
            }
            self.stamped = true;
            self.troubles.done(&Deed::Stamp);
            return if wrote { Err(Turn::Again) } else { Ok(None) };
        };
        let verdict = self.troubles.failed(&Deed::Stamp, error, now);
        self.log(WHAT, error);
        if let Some(problem) = verdict.news {
            self.publish(snapshot, &Note::warning(problem.reason, problem.message));
        }
        if wrote {
            return Err(Turn::Again);
        }
        Ok(Some(rest(verdict.again, now)))
    }

    /// Whether `decision` may be committed though stamps are missing: it takes traffic back, or says no more than what
    /// is missing.
    pub(super) fn may_go_on(&self, before: &State, decision: &Decision) -> bool {
        let next = &decision.next;
        let same = next.phase == before.phase;
        let returns = same && decision.effects.iter().any(lowers);
        // A return in steps can wait; a candidate that has lost its pods cannot.
        let lost = |note: &Note| note.reason == reason::CAPACITY_LOST;
        let lower = next.weight() < before.weight();
        match &next.phase {
            Phase::RollingBack(_) | Phase::RolledBack(_) | Phase::Deleting(_) => true,
            Phase::Releasing(_) if lower => true,
            Phase::Promoting(_) if lower && decision.notes.iter().any(lost) => true,
            Phase::Releasing(_) | Phase::Promoting(_) => returns || same && self.troubles.told().is_some(),
            Phase::Adopting | Phase::Idle => false,
        }
    }

    /// Whether `effect` may be applied as yet.
    pub(super) fn fenced(&self, effect: &Effect) -> bool {
        self.stamped || lowers(effect) || matches!(effect, Effect::Pause | Effect::Finish { .. })
    }
}

fn rest(until: Moment, now: Moment) -> Turn {
    Turn::Rest(Duration::try_from(until.duration_since(now)).unwrap_or_default())
}

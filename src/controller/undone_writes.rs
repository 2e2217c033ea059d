//! Effects that somebody else undoes again and again: written, confirmed, and due again within seconds.
//!
//! Invariants: what keeps traffic or unapproved pods away is never kept waiting; the words stay the same for as long as it
//! goes on. Losing this memory costs a few writes.

use std::time::Duration;

use jiff::SignedDuration;

use crate::engine::observation::Problem;
use crate::engine::{Effect, Moment, reason};

/// The same write so soon after the last one has been undone.
const SOON: SignedDuration = SignedDuration::from_secs(10);
/// So many in a row are repeated at once.
const AT_ONCE: u32 = 3;
/// What comes after these waits so long.
const PAUSE: Duration = Duration::from_secs(2);
/// What goes on for so long is told.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// What was written lately.
#[derive(Default)]
pub(super) struct Repeats(Vec<Repeat>);

struct Repeat {
    effect: Effect,
    times: u32,
    first: Moment,
    last: Moment,
}

impl Repeats {
    /// `effect` was written. What people are to hear of it, if it is news.
    pub(super) fn wrote(&mut self, effect: &Effect, now: Moment) -> Option<Problem> {
        if at_once(effect) {
            return None;
        }
        let told = self.told(now);
        self.0.retain(|repeat| repeat.lives(now));
        match self.0.iter_mut().find(|repeat| repeat.effect == *effect) {
            Some(repeat) => (repeat.times, repeat.last) = (repeat.times.saturating_add(1), now),
            None => self.0.push(Repeat {
                effect: effect.clone(),
                times: 1,
                first: now,
                last: now,
            }),
        }
        self.told(now).filter(|news| Some(news) != told.as_ref())
    }

    /// Until when `effect` is not written again.
    pub(super) fn held(&self, effect: &Effect, now: Moment) -> Option<Moment> {
        let same = |repeat: &&Repeat| repeat.effect == *effect && repeat.lives(now);
        let repeat = self
            .0
            .iter()
            .find(same)
            .filter(|repeat| repeat.times >= AT_ONCE)?;
        let until = repeat.last.checked_add(PAUSE).ok()?;
        Some(until).filter(|until| *until > now)
    }

    /// What the status says while it goes on.
    pub(super) fn told(&self, now: Moment) -> Option<Problem> {
        let lasts = |repeat: &&Repeat| {
            repeat.lives(now)
                && repeat.times > AT_ONCE
                && repeat.last.duration_since(repeat.first) >= PATIENCE
        };
        // Who changes a route is told by its own name.
        let others = |repeat: &&Repeat| !matches!(repeat.effect, Effect::Route { .. });
        let repeat = self.0.iter().filter(others).find(lasts)?;
        Some(Problem {
            reason: reason::WRITE_NOT_KEPT,
            message: format!(
                "{} does not stay as Serin writes it: something undoes that within seconds, each time; look in its \
                 `metadata.managedFields` who else writes it, and stop that",
                object(&repeat.effect)
            ),
        })
    }

    /// When it is over, if nothing is written again.
    pub(super) fn ends(&self, now: Moment) -> Option<Moment> {
        self.told(now)?;
        let last = self.0.iter().map(|repeat| repeat.last).max()?;
        last.checked_add(SOON).ok()
    }
}

impl Repeat {
    /// A clock that was set back must not make it longer.
    fn lives(&self, now: Moment) -> bool {
        let age = now.duration_since(self.last);
        !age.is_negative() && age < SOON
    }
}

/// What may not wait.
const fn at_once(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Route { up: false, .. }
            | Effect::RestoreRoute
            | Effect::Pause
            | Effect::Purge { .. }
            | Effect::Finish { .. }
    )
}

const fn object(effect: &Effect) -> &'static str {
    match effect {
        Effect::Guard => "the label `serin.dev/gate` of the Deployment, or the Rollout's finalizer,",
        Effect::Unpause { .. } | Effect::Pause | Effect::Purge { .. } => "`spec.paused` of the Deployment",
        Effect::Candidate { .. } | Effect::Retire => "the candidate's Deployment or Service",
        Effect::Release { .. } => "the Deployment",
        Effect::RemoveFinalizer => "the Rollout's list of finalizers",
        Effect::Route { .. } | Effect::RestoreRoute => "the route",
        Effect::Finish { .. } => "the RolloutAction",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn what_is_undone_at_once_is_written_with_a_pause_and_told() {
        let mut repeats = Repeats::default();
        for _ in 0..2 {
            assert!(repeats.wrote(&Effect::Guard, at(0)).is_none());
            assert_eq!(repeats.held(&Effect::Guard, at(0)), None);
        }
        for second in [0, 2, 4, 6, 8] {
            assert!(repeats.wrote(&Effect::Guard, at(second)).is_none());
            assert_eq!(repeats.held(&Effect::Guard, at(second)), Some(at(second + 2)));
        }
        assert!(
            repeats
                .wrote(&Effect::Guard, at(10))
                .unwrap()
                .message
                .contains("serin.dev/gate")
        );
        assert!(repeats.wrote(&Effect::Guard, at(12)).is_none(), "told once");
        assert_eq!(repeats.ends(at(13)), Some(at(22)));
        assert!(repeats.told(at(21)).is_some());
        assert!(repeats.told(at(22)).is_none() && repeats.held(&Effect::Guard, at(0)).is_none());
    }

    #[test]
    fn what_keeps_traffic_or_pods_away_never_waits_and_what_is_rare_is_no_fight() {
        let mut repeats = Repeats::default();
        for second in 0..30 {
            repeats.wrote(&Effect::Pause, at(second));
            repeats.wrote(&Effect::RestoreRoute, at(second));
            repeats.wrote(&Effect::Guard, at(20 * second));
        }
        for effect in [Effect::Pause, Effect::RestoreRoute, Effect::Guard] {
            assert_eq!(repeats.held(&effect, at(600)), None);
        }
        assert!(repeats.told(at(581)).is_none());
    }
}

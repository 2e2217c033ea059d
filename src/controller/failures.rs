//! What could not be done, what is said of it, and when it is tried again.
//!
//! Invariants: less traffic is never kept waiting; a refusal that waiting alone does not cure is told at once, any
//! other failure when it has lasted; the words stay the same for as long as the cause does, so that telling costs one
//! write. Losing this memory costs one more attempt each.

use std::time::Duration;

use crate::cluster::apply::ApplyError;
use crate::cluster::error::Class;
use crate::engine::observation::Problem;
use crate::engine::quantity::after;
use crate::engine::{Effect, Moment};

/// How long a failure that may pass by itself is kept to the log.
const PATIENCE: Duration = Duration::from_secs(10);
/// After a conflict: the watch brings what we missed.
const CONFLICT: Duration = Duration::from_millis(200);
/// After a failure that may pass by itself.
const RETRY: Duration = Duration::from_secs(2);
/// After a refusal that will be repeated until somebody acts.
const REFUSED: Duration = Duration::from_secs(30);

/// Everything that fails at present, the oldest first.
#[derive(Default)]
pub(super) struct Troubles(Vec<Trouble>);

/// What can fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// To stamp what a new leader finds.
    Stamp,
    /// To take the gate from a Deployment of this name.
    Leave(String),
    /// To make an effect true.
    Apply(Effect),
}

impl From<&Effect> for Deed {
    fn from(effect: &Effect) -> Self {
        Self::Apply(effect.clone())
    }
}

impl From<&Self> for Deed {
    fn from(deed: &Self) -> Self {
        deed.clone()
    }
}

impl Deed {
    /// Whether it takes traffic from a candidate: nothing may hold that up.
    fn lowers(&self) -> bool {
        matches!(self, Self::Apply(effect) if lowers(effect))
    }
}

struct Trouble {
    deed: Deed,
    problem: Problem,
    since: Moment,
    /// When it failed last.
    last: Moment,
    /// Not before then.
    again: Moment,
    told: bool,
}

/// What follows from a failure.
pub(super) struct Verdict {
    /// When to look again, if nothing changes.
    pub(super) again: Moment,
    /// The problem, if people are to hear of it now for the first time.
    pub(super) news: Option<Problem>,
}

impl Troubles {
    /// What the status says of it. An answer to a person is that person's alone, and holds nothing up.
    pub(super) fn told(&self) -> Option<Problem> {
        let told =
            |trouble: &&Trouble| trouble.told && !matches!(trouble.deed, Deed::Apply(Effect::Finish { .. }));
        self.0.iter().find(told).map(|trouble| trouble.problem.clone())
    }

    /// Until when `deed` is not tried again.
    pub(super) fn held(&self, deed: impl Into<Deed>, now: Moment) -> Option<Moment> {
        let deed = deed.into();
        let trouble = self.0.iter().find(|trouble| trouble.deed == deed)?;
        // A clock that was set back must not make the pause longer.
        Some(trouble.again).filter(|again| *again > now && trouble.last <= now)
    }

    /// `deed` has failed.
    pub(super) fn failed(&mut self, deed: impl Into<Deed>, error: &ApplyError, now: Moment) -> Verdict {
        let deed = deed.into();
        let lowers = deed.lowers();
        let class = error.class();
        let problem = error.problem();
        let known = self.0.iter().position(|trouble| trouble.deed == deed);
        let index = known.unwrap_or(self.0.len());
        if known.is_none() {
            self.0.push(Trouble {
                deed,
                problem: problem.clone(),
                since: now,
                last: now,
                again: now,
                told: false,
            });
        }
        let trouble = &mut self.0[index];
        (trouble.since, trouble.last) = (trouble.since.min(now), now);
        if trouble.problem.reason != problem.reason {
            (trouble.problem, trouble.told) = (problem, false);
        }
        let cureless = matches!(class, Class::Denied | Class::Invalid);
        let lasting = cureless || after(trouble.since, PATIENCE) <= now;
        let pause = match class {
            Class::Conflict if !lasting => CONFLICT,
            Class::Denied | Class::Invalid if !lowers => REFUSED,
            Class::Transient
            | Class::Conflict
            | Class::Denied
            | Class::Invalid
            | Class::Unknown
            | Class::Bug => RETRY,
        };
        let at_once = lowers || class == Class::Conflict && !lasting;
        trouble.again = if at_once { now } else { after(now, pause) };
        let news = (lasting && !trouble.told).then(|| trouble.problem.clone());
        trouble.told |= lasting;
        Verdict {
            again: after(now, pause),
            news,
        }
    }

    /// `deed` has been done.
    pub(super) fn done(&mut self, deed: impl Into<Deed>) {
        let deed = deed.into();
        self.0.retain(|trouble| trouble.deed != deed);
    }

    /// Forgets failures of effects that are no longer `wanted`. Returns whether that changes what is reported.
    pub(super) fn keep(&mut self, wanted: &[Effect]) -> bool {
        let told = self.told();
        self.0.retain(|trouble| match &trouble.deed {
            Deed::Apply(effect) => wanted.contains(effect),
            Deed::Stamp | Deed::Leave(_) => true,
        });
        self.told() != told
    }
}

/// Whether it takes traffic from a candidate: nothing may hold that up.
pub(super) fn lowers(effect: &Effect) -> bool {
    matches!(effect, Effect::Route { up: false, .. } | Effect::RestoreRoute)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::error::{Call, Error};
    use crate::engine::Weight;

    fn at(seconds: i64) -> Moment {
        Moment::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn denied() -> ApplyError {
        ApplyError::Foreign {
            kind: "Service",
            name: "shop/a".into(),
        }
    }

    fn late() -> ApplyError {
        let call = Call::new("patch", "httproutes");
        Error::deadline(call, Duration::from_secs(5)).into()
    }

    #[test]
    fn a_refusal_is_told_once_and_tried_seldom() {
        let mut troubles = Troubles::default();
        let news = troubles.failed(&Effect::Guard, &denied(), at(0)).news;
        assert_eq!(news.map(|problem| problem.reason), Some("NameTaken"));
        assert!(troubles.failed(&Effect::Guard, &denied(), at(30)).news.is_none());
        assert_eq!(troubles.held(&Effect::Guard, at(59)), Some(at(60)));
        assert_eq!(troubles.held(&Effect::Guard, at(60)), None);
        assert_eq!(troubles.held(&Effect::Pause, at(31)), None);
        assert!(troubles.told().is_some());
        troubles.done(&Effect::Guard);
        assert!(troubles.told().is_none());
    }

    #[test]
    fn a_failure_that_may_pass_is_told_when_it_lasts() {
        let mut troubles = Troubles::default();
        for second in [0, 2, 4, 6, 8] {
            assert!(
                troubles
                    .failed(&Effect::Pause, &late(), at(second))
                    .news
                    .is_none()
            );
        }
        assert!(troubles.told().is_none());
        let news = troubles.failed(&Effect::Pause, &late(), at(10)).news;
        assert_eq!(news.map(|problem| problem.reason), Some("ServerUnavailable"));
        assert!(troubles.keep(&[]));
        assert!(!troubles.keep(&[]));
    }

    #[test]
    fn less_traffic_never_waits_and_an_answer_to_a_person_holds_nothing_up() {
        let mut troubles = Troubles::default();
        let (weight, id) = (Weight::NONE, "a".to_owned());
        let down = Effect::Route { weight, up: false };
        troubles.failed(&down, &denied(), at(0));
        assert_eq!(troubles.held(&down, at(0)), None);
        troubles.done(&down);
        let answer = Effect::Finish { id, refusal: None };
        assert!(troubles.failed(&answer, &denied(), at(0)).news.is_some());
        assert_eq!(troubles.told(), None);
        assert!(troubles.held(&answer, at(1)).is_some());
    }

    #[test]
    fn a_clock_that_is_set_back_holds_nothing() {
        let mut troubles = Troubles::default();
        for error in [denied(), late()] {
            troubles.failed(&Effect::Pause, &error, at(3600));
            assert_eq!(troubles.held(&Effect::Pause, at(0)), None);
        }
        // What goes on failing is told as soon as ever.
        troubles.failed(&Effect::Guard, &late(), at(3600));
        assert!(troubles.failed(&Effect::Guard, &late(), at(0)).news.is_none());
        assert_eq!(troubles.held(&Effect::Guard, at(1)), Some(at(2)));
        assert!(troubles.failed(&Effect::Guard, &late(), at(10)).news.is_some());
    }

    #[test]
    fn a_conflict_is_tried_at_once_until_it_lasts() {
        let mut troubles = Troubles::default();
        let stale = ApplyError::Stale("moved".into());
        assert_eq!(
            troubles.failed(&Effect::Guard, &stale, at(0)).again - at(0),
            jiff::Span::new().milliseconds(200).into()
        );
        assert_eq!(troubles.held(&Effect::Guard, at(0)), None);
        assert!(troubles.failed(&Effect::Guard, &stale, at(11)).news.is_some());
        assert!(troubles.held(&Effect::Guard, at(12)).is_some());
    }
}

//! Somebody else changes a route that Serin weighs, and Serin puts it back.
//!
//! Invariants: one change is told once, and only what is repeated holds the release for long; the words stay the same while the
//! contest lasts, so that telling it costs one write. Losing this memory costs one change untold.

use std::collections::BTreeSet;

use jiff::SignedDuration;

use crate::engine::observation::Problem;
use crate::engine::reason::ROUTE_CONTESTED;
use crate::engine::state::AHEAD;
use crate::engine::{Moment, Weight};

/// Changes so far apart are taken together.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);
/// How long a single one is told, until the gateway has taken the weights over again.
const ONCE: SignedDuration = SignedDuration::from_secs(10);
/// How long after the last one a contest is over.
const QUIET: SignedDuration = SignedDuration::from_mins(2);

/// Changes of one Rollout's routes by others.
#[derive(Default)]
pub(super) struct Contest {
    /// The committed weight that the routes were last written for.
    weight: Option<Weight>,
    changes: u32,
    last: Option<Moment>,
    routes: BTreeSet<String>,
    writers: BTreeSet<String>,
}

/// A change that was put back.
pub(super) struct Undone {
    /// What people are to hear of it, if it is news.
    pub(super) news: Option<Problem>,
}

impl Contest {
    /// A route was written for a committed weight. `changed`: the route and the field manager, if someone changed it since
    /// our last write. A new weight is no such case: nobody has undone anything then.
    pub(super) fn wrote(
        &mut self,
        weight: Weight,
        changed: Option<(&str, &str)>,
        now: Moment,
    ) -> Option<Undone> {
        let before = self.weight.replace(weight);
        let (route, writer) = changed.filter(|_| before == Some(weight))?;
        let told = self.told(now);
        if self.last.is_none_or(|last| now.duration_since(last) > WINDOW) {
            (self.changes, self.last) = (0, None);
            self.routes.clear();
            self.writers.clear();
        }
        self.changes = self.changes.saturating_add(1);
        self.last = Some(now);
        self.routes.insert(route.to_owned());
        self.writers.insert(writer.to_owned());
        let news = self.told(now).filter(|news| Some(news) != told.as_ref());
        Some(Undone { news })
    }

    /// What the status says while it goes on.
    pub(super) fn told(&self, now: Moment) -> Option<Problem> {
        self.ends().filter(|end| *end > now)?;
        // A clock that was set back must not make it longer.
        self.last.filter(|last| last.duration_since(now) <= AHEAD)?;
        if self.changes == 1 {
            let (routes, writers) = (self.routes(), self.writers());
            let message = format!("{routes} was changed by {writers}: its weights are put back");
            return Some(problem(message));
        }
        Some(problem(format!(
            "{} is changed again and again by {}, and its weights are put back each time; the weight does not grow \
             meanwhile: let the other writer leave `spec.rules` alone while a release runs (in a GitOps tool: ignore \
             that field), or stop it",
            self.routes(),
            self.writers()
        )))
    }

    /// When it is over, if nobody changes anything more.
    pub(super) fn ends(&self) -> Option<Moment> {
        let span = if self.changes > 1 { QUIET } else { ONCE };
        self.last?.checked_add(span).ok()
    }

    fn routes(&self) -> String {
        let routes = self.routes.iter().map(|route| format!("HTTPRoute {route}"));
        routes.collect::<Vec<_>>().join(", ")
    }

    fn writers(&self) -> String {
        let named = |writer: &String| match writer.as_str() {
            "" => "somebody".to_owned(),
            writer => format!("`{writer}`"),
        };
        self.writers.iter().map(named).collect::<Vec<_>>().join(", ")
    }
}

fn problem(message: String) -> Problem {
    Problem {
        reason: ROUTE_CONTESTED,
        message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Moment {
        Moment::from_second(1_800_000_000 + seconds).unwrap()
    }

    const ARGO: Option<(&str, &str)> = Some(("shop/checkout", "argocd-controller"));

    #[test]
    fn a_change_is_told_once_and_what_is_repeated_is_a_contest() {
        let mut contest = Contest::default();
        let ten = Weight::clamped(10);
        assert!(
            contest.wrote(ten, ARGO, at(0)).is_none(),
            "the first weight is no correction"
        );
        assert!(contest.wrote(ten, None, at(1)).is_none());
        let once = contest.wrote(ten, ARGO, at(10)).unwrap().news.unwrap();
        assert!(
            once.message.contains("was changed by `argocd-controller`: "),
            "{}",
            once.message
        );
        assert_eq!(contest.told(at(19)), Some(once));
        assert!(contest.told(at(20)).is_none());
        let twice = contest.wrote(ten, ARGO, at(20)).unwrap().news.unwrap();
        assert_eq!(contest.told(at(21)), Some(twice.clone()));
        for second in [22, 60, 120] {
            assert!(contest.wrote(ten, ARGO, at(second)).unwrap().news.is_none());
            assert_eq!(contest.told(at(second)), Some(twice.clone()), "the words stay");
        }
        assert!(contest.told(at(239)).is_some());
        assert!(contest.told(at(240)).is_none());
        // Long after, it is a single change again.
        assert!(contest.wrote(ten, ARGO, at(2000)).unwrap().news.is_some());
        assert!(contest.told(at(2010)).is_none());
    }

    #[test]
    fn a_clock_that_is_set_back_ends_a_contest() {
        let mut contest = Contest::default();
        let ten = Weight::clamped(10);
        for second in [3600, 3601, 3602] {
            contest.wrote(ten, ARGO, at(second));
        }
        assert!(contest.told(at(3603)).is_some());
        assert!(contest.told(at(0)).is_none());
        assert!(contest.wrote(ten, ARGO, at(1)).unwrap().news.is_some());
        assert!(contest.told(at(2)).is_some());
    }

    #[test]
    fn a_new_weight_undoes_nobody() {
        let mut contest = Contest::default();
        for (second, weight) in [(0, 10), (10, 25), (20, 80)] {
            assert!(contest.wrote(Weight::clamped(weight), ARGO, at(second)).is_none());
        }
    }
}

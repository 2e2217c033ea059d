//! The last known requests to a candidate whose weight is zero. If the metrics disappear, the requests have not: forgetting
//! them would remove the pods while they are still in use.

use super::Measure;
use crate::engine::observation::Residual;
use crate::engine::state::Phase;
use crate::engine::{Moment, Revision};

/// What was last told of one version, while one process watches it.
#[derive(Debug, Default)]
pub(super) struct LastTold {
    /// Whose requests, and since when they should come no more.
    of: Option<(Revision, Moment)>,
    found: Residual,
    /// That some came, when this was last told; `None` once none do.
    came: Option<Residual>,
}

impl LastTold {
    /// What is known now that this was `found`, by what had been counted until it was `read`.
    pub(super) fn note(&mut self, of: &(Revision, Moment), found: Residual, read: Moment) -> Residual {
        if !self.is_of(of) {
            *self = Self {
                of: Some(of.clone()),
                ..Self::default()
            };
        }
        match found {
            Residual::Comes { per_second, routed } => {
                self.came = Some(Residual::Came {
                    per_second,
                    routed,
                    told: read,
                });
            }
            Residual::Gone => self.came = None,
            Residual::Unknown | Residual::Awaited | Residual::Came { .. } => {}
        }
        let unknown = found == Residual::Unknown;
        self.found = self.came.filter(|_| unknown).unwrap_or(found);
        self.found
    }

    /// What is known without another look: before the first one everything is still to be told.
    pub(super) fn known(&self, of: &(Revision, Moment)) -> Residual {
        if self.is_of(of) {
            self.found
        } else {
            Residual::Awaited
        }
    }

    fn is_of(&self, of: &(Revision, Moment)) -> bool {
        self.of() == Some(of)
    }

    /// Whose requests were watched last, and since when they should come no more.
    pub(super) const fn of(&self) -> Option<&(Revision, Moment)> {
        self.of.as_ref()
    }
}

impl Measure {
    /// Whose requests should come no more, and since when that is decided.
    pub(super) fn watched(&self, phase: &Phase) -> Option<(Revision, Moment)> {
        let of = phase.watched().map(|of| (of.revision, of.since));
        let Phase::Deleting(removal) = phase else {
            return of;
        };
        // What was watched before it began, if only this process knows that.
        let of = of.or_else(|| self.told.of().cloned());
        of.filter(|_| removal.served.is_some())
    }

    /// What is known of it without another look.
    pub(super) fn residual_known(&self, phase: &Phase) -> Residual {
        self.watched(phase)
            .map_or(Residual::Unknown, |of| self.told.known(&of))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Moment {
        Moment::from_second(1_700_000_000 + second).expect("in range")
    }

    #[test]
    fn requests_are_not_forgotten_with_the_metrics_that_showed_them() {
        let (revision, mut last) = (Revision::named("v2"), LastTold::default());
        let of = &(revision, second(0));
        let comes = Residual::Comes {
            per_second: 10.0,
            routed: true,
        };
        assert_eq!(last.note(of, comes, second(60)), comes);
        let came = Residual::Came {
            per_second: 10.0,
            routed: true,
            told: second(60),
        };
        for later in [700, 800] {
            assert_eq!(last.note(of, Residual::Unknown, second(later)), came);
            assert_eq!(last.known(of), came);
        }
        assert_eq!(last.note(of, Residual::Gone, second(900)), Residual::Gone);
        assert_eq!(
            last.note(of, Residual::Unknown, second(960)),
            Residual::Unknown,
            "none came when that was last told"
        );
    }

    #[test]
    fn what_nobody_has_looked_at_yet_is_still_to_be_told() {
        let (revision, mut last) = (Revision::named("v2"), LastTold::default());
        let (before, of) = (&(revision.clone(), second(0)), &(revision, second(60)));
        assert_eq!(last.known(before), Residual::Awaited);
        last.note(before, Residual::Unknown, second(30));
        assert_eq!(last.known(before), Residual::Unknown);
        assert_eq!(last.known(of), Residual::Awaited, "of another try");
    }
}

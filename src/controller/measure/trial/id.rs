//! Which of a release's comparisons a trial is.

use crate::engine::Revision;

/// A revision on its way up, or its promoted pods on their traffic's way back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::controller::measure) struct TrialId {
    pub(in crate::controller::measure) revision: Revision,
    /// Traffic is on its way back to the promoted pods: these are on trial, and the candidate's stand beside them.
    pub(in crate::controller::measure) returning: bool,
}

impl TrialId {
    pub(in crate::controller::measure) fn climbing(revision: &Revision) -> Self {
        Self {
            revision: revision.clone(),
            returning: false,
        }
    }

    pub(in crate::controller::measure) fn returning(revision: &Revision) -> Self {
        Self {
            revision: revision.clone(),
            returning: true,
        }
    }

    /// The version on trial and the one beside it, of those of the candidate and of the stable pods.
    pub(in crate::controller::measure) const fn arms<'a, T>(
        &self,
        candidate: &'a T,
        stable: &'a T,
    ) -> (&'a T, &'a T) {
        if self.returning {
            (stable, candidate)
        } else {
            (candidate, stable)
        }
    }
}

//! How the bake of a last step ends: its time is over, all of it has been read, and nothing speaks against the candidate.

use super::super::plan::{Rung, RungKind};
use super::super::quantity::Moment;
use super::super::reason::{self, Waiting};
use super::super::state::Release;
use super::{Turn, after};

impl Turn<'_> {
    /// Whether the hold of a bake has been read from beginning to end: time in which nobody looked proves nothing. (The
    /// proof of a step takes what it takes.)
    pub(super) fn is_watched(&self, rung: &Rung) -> bool {
        rung.kind == RungKind::Proof || self.seen.evidence.standing.measured >= rung.hold
    }

    /// What a bake waits for, `since` its weight is in force, and `anew`: why it began again.
    pub(super) fn baking_wait(
        &self,
        release: &Release,
        (since, deadline): (Moment, Moment),
        anew: &str,
    ) -> Waiting {
        let rung = self.plan.rung(release.rung);
        let past = if self.plan.is_alone(release.rung) {
            ", compared with the past"
        } else {
            ""
        };
        let bake = format!("the bake at {}{past}", release.weight);
        let end = after(since, rung.hold);
        if self.now < end {
            return Waiting::on(reason::BAKING, format!("{bake}{anew}")).until(Some(end));
        }
        let standing = self.seen.evidence.standing;
        let why = match (self.is_watched(rung), standing.outage && !standing.suspect) {
            (false, _) => "goes on until the metrics have been read for as long as it lasts",
            (true, true) => "goes on while both versions are far worse than usual",
            (true, false) => "goes on while the candidate looks worse",
        };
        let ahead = Some(deadline).filter(|deadline| self.now < *deadline);
        Waiting::on(reason::BAKING, format!("{bake} {why}{anew}")).until(ahead)
    }
}

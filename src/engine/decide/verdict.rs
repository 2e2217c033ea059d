//! What the evidence says of a step, and how long the step may look for more.

use super::super::plan::RungKind;
use super::super::quantity::Moment;
use super::super::state::Release;
use super::{Turn, after};

impl Turn<'_> {
    /// Whether the present rung is proven by what was read after its weight was in force: only that lets it climb.
    pub(super) fn is_proven(&self, release: &Release, since: Moment) -> bool {
        let evidence = &self.seen.evidence;
        let (revision, rung) = (&release.revision, release.rung);
        let proven = match self.plan.rung(rung).kind {
            // What was read before is of another weight.
            RungKind::Proof => evidence.clears(revision, rung, since),
            RungKind::Bake => evidence.current(revision, rung, since) && !evidence.standing.keeps_bake(),
        };
        proven && evidence.at.is_some_and(|at| at <= self.now)
    }

    /// Whether nothing but time, or a reading that is still to come, stands between the rung and the next: no deadline ends
    /// that. A rung that has passed does not lose its pass when the gateway has to take the weight over once more, nor when a
    /// new process has not seen yet since when it is in force.
    pub(super) fn is_open(&self, release: &Release) -> bool {
        let evidence = &self.seen.evidence;
        match self.plan.rung(release.rung).kind {
            RungKind::Proof => evidence.clears(&release.revision, release.rung, release.since()),
            RungKind::Bake => !evidence.standing.suspect,
        }
    }

    /// Until when the rung may look for its verdict, with its weight in force `since` then. A weight that comes into force
    /// only after the deadline has the time that could not be read before, and any weight that of one reading.
    pub(super) fn verdict_due(&self, release: &Release, since: Moment) -> Moment {
        let span = self.plan.rung(release.rung).deadline;
        let deadline = after(release.since(), span);
        let reading = after(since, self.plan.analysis.interval.saturating_mul(2));
        if since <= deadline {
            return deadline.max(reading);
        }
        let evidence = &self.seen.evidence;
        let known = evidence.revision.as_ref() == Some(&release.revision) && evidence.rung == release.rung;
        let (measured, at) = (evidence.standing.measured, evidence.at.filter(|_| known));
        let read = at.map_or_else(Default::default, |at| {
            let lately = at.max(since).duration_since(since).unsigned_abs();
            measured.saturating_sub(lately)
        });
        reading.max(after(since, span.saturating_sub(read)))
    }
}

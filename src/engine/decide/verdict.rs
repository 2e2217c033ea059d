//! What the evidence says of a step, and how long the step may look for more.

use std::time::Duration;

use super::super::plan::RungKind;
use super::super::quantity::Moment;
use super::super::reason::{self, Waiting};
use super::super::state::{Phase, Release};
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
    /// that. A rung that has passed does not lose its pass when the gateway has to take the weight over once more, when a
    /// new process has not seen yet since when it is in force, or when the metrics are away: how long they may be has a
    /// deadline of its own.
    pub(super) fn is_open(&self, release: &Release) -> bool {
        let evidence = &self.seen.evidence;
        match self.plan.rung(release.rung).kind {
            RungKind::Proof => evidence.has_cleared(&release.revision, release.rung, release.since()),
            RungKind::Bake => !evidence.standing.suspect,
        }
    }

    /// What a rung that has passed still waits for, whatever its gauges say: something that forbids to go up, or a person.
    pub(super) fn kept(&self, release: &Release) -> Option<Waiting> {
        let rung = self.plan.rung(release.rung);
        let unapproved = rung.approval && !release.approved;
        let approval = || {
            let tight = self.tightness().filter(|(reason, _)| *reason != reason::JUDGING);
            let message = format!(
                "step {} passed; a person must approve revision {}{}",
                rung.step + 1,
                release.revision,
                tight.map_or_else(String::new, |(_, why)| format!(" ({why})"))
            );
            Waiting::on(reason::WAITING_FOR_APPROVAL, message)
        };
        self.blocked(release).or_else(|| unapproved.then(approval))
    }

    /// What a rung `waits` for that is no fault of its own. Where it has passed, and that takes longer than until its `deadline`,
    /// this is noted: nothing that its gauges say later takes back what has passed.
    pub(super) fn overstays(
        &mut self,
        release: &Release,
        deadline: Moment,
        waits: Waiting,
    ) -> Option<Waiting> {
        self.wake_at(deadline);
        let late = deadline <= self.now && self.is_open(release);
        if !late || release.overstays() {
            return Some(waits);
        }
        self.next.phase = Phase::Releasing(Release {
            overstayed: Some(release.since()),
            ..release.clone()
        });
        None
    }

    /// Until when the rung may look for its verdict, with its weight in force `since` then. A weight that comes into force
    /// only after the deadline has the time that could not be read before, and any weight that of one reading. So has one
    /// whose metrics are away, until that counts as silence.
    pub(super) fn verdict_due(&self, release: &Release, since: Moment) -> Moment {
        let span = self.plan.rung(release.rung).deadline;
        let patience = self.plan.analysis.interval.saturating_mul(2);
        let evidence = &self.seen.evidence;
        let away = evidence
            .silent
            .as_ref()
            .map_or(since, |(from, _)| since.max(*from));
        let (deadline, reading) = (after(release.since(), span), after(away, patience));
        let known = evidence.revision.as_ref() == Some(&release.revision) && evidence.rung == release.rung;
        let at = evidence.at.filter(|_| known);
        let passed = at.map_or(Duration::ZERO, |at| {
            at.max(since).duration_since(since).unsigned_abs()
        });
        let measured = at.map_or(Duration::ZERO, |_| evidence.standing.measured);
        let due = if since <= deadline {
            deadline
        } else {
            after(since, span.saturating_sub(measured.saturating_sub(passed)))
        };
        // What was counted before may be lost: then the time that is not read any more does not count, up to the step's whole
        // time. (A metric that only the baseline still counts is never read for longer.)
        let unread = passed.saturating_sub(measured);
        let lost = due <= self.now && unread > patience && !evidence.idle;
        let due = if lost { after(due, unread.min(span)) } else { due };
        due.max(reading)
    }
}

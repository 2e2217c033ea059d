//! What holds a release though nothing has failed: silence, a route that is not honoured, no verdict in time.

use super::super::plan::OnSilence;
use super::super::quantity::Moment;
use super::super::reason::{self, Waiting};
use super::super::state::{Cause, Release};
use super::{Turn, after};

impl Turn<'_> {
    /// Metrics that stay away: hold, and after the deadline what the user chose. `Some(wait)` ends the turn.
    pub(super) fn silence(&mut self, release: &Release, in_force: Moment) -> Option<Option<Waiting>> {
        let (since, why) = self.seen.evidence.silent.clone()?;
        let since = since.max(release.entered);
        // One missing scrape is no news, and a candidate that has had no requests yet has no series.
        let news = since.max(in_force);
        if !self.over(news, self.plan.analysis.interval.saturating_mul(2)) {
            return None;
        }
        if self.plan.on_no_data == OnSilence::Rollback && self.over(since, self.plan.no_data_deadline) {
            return Some(self.retreat(&release.revision, release.started, Cause::NoData, why));
        }
        let until =
            (self.plan.on_no_data == OnSilence::Rollback).then(|| after(since, self.plan.no_data_deadline));
        Some(Some(
            Waiting::on(
                reason::NO_DATA,
                format!("{why}; the weight stays at {}", release.weight),
            )
            .until(until),
        ))
    }

    /// A route that is not honoured is a finding of its own: what the weights promise does not hold.
    pub(super) fn share_wait(&self, release: &Release) -> Option<Waiting> {
        let evidence = &self.seen.evidence;
        let off =
            evidence.share.is_some() && evidence.current(&release.revision, release.rung, release.entered);
        off.then(|| {
            let message = format!(
                "the candidate's share of the requests is surely not {}: look for other routes or callers of the \
                 Service, sticky sessions, or a gateway that does not honour weights",
                release.weight
            );
            Waiting::on(reason::SHARE_NOT_HONOURED, message)
        })
    }

    pub(super) fn inconclusive(&mut self, release: &Release) -> Option<Waiting> {
        let step = self.plan.rung(release.rung).step + 1;
        if self.plan.on_inconclusive == OnSilence::Rollback {
            let detail = format!("no verdict at the deadline of step {step}");
            return self.retreat(&release.revision, release.started, Cause::Inconclusive, detail);
        }
        let message = format!(
            "no verdict at the deadline of step {step}: waits for more traffic, an abort, or a new template"
        );
        Some(Waiting::on(reason::INCONCLUSIVE, message))
    }
}

//! A release on its way up: preflight, scaling, judging. Weight grows only here, and only on a pass.

use super::super::observation::{Gate, Problem, Route, Workload};
use super::super::plan::{OnSilence, RungKind};
use super::super::quantity::{Moment, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Phase, Promotion, PromotionStage, Release, Stage};
use super::{Turn, after};

/// Losing ready capacity this often under traffic is a fail.
const LOST_MAX: u8 = 3;

impl Turn<'_> {
    pub(super) fn releasing(&mut self, release: Release) -> Option<Waiting> {
        let seen = self.seen;
        let Some(workload) = &seen.workload else {
            return self.without_workload();
        };
        if workload.template != release.revision {
            let (cause, detail) = if Some(&workload.template) == self.next.stable.as_ref() {
                (
                    Cause::Reverted,
                    "the template that serves was put back".to_owned(),
                )
            } else {
                (Cause::Superseded, format!("revision {} came", workload.template))
            };
            return self.retreat(&release.revision, release.started, cause, detail);
        }
        if seen.evidence.convicts(&release.revision) {
            let detail = seen.evidence.summary.clone();
            return self.retreat(&release.revision, release.started, Cause::Regression, detail);
        }
        match release.stage {
            Stage::Preflight => self.preflight(release, workload),
            Stage::Scaling => self.scaling(release, workload),
            Stage::Judging => self.judging(release, workload),
        }
    }

    fn preflight(&mut self, release: Release, workload: &Workload) -> Option<Waiting> {
        if let Some(wait) = self.blocked(&release) {
            return Some(wait);
        }
        let stable = self
            .next
            .stable
            .as_ref()
            .map(|stable| workload.pods(stable))
            .unwrap_or_default();
        if stable.ready == 0 {
            return Some(Waiting::on(
                reason::STABLE_NOT_READY,
                "no pod of the stable revision is ready to compare with",
            ));
        }
        let stale = self
            .seen
            .candidate
            .revision
            .as_ref()
            .is_some_and(|revision| *revision != release.revision);
        if stale || self.seen.candidate.leftovers {
            return Some(Waiting::on(
                reason::CLEARING,
                "the candidate of an earlier release is being removed",
            ));
        }
        match self.seen.preflight.as_deref() {
            None => {
                let until = after(release.entered, self.plan.preflight_deadline);
                Some(
                    Waiting::on(
                        reason::PREFLIGHT,
                        "checks that everything is there before any traffic shifts",
                    )
                    .until(Some(until)),
                )
            }
            Some([problem, ..]) => Some(Waiting::on(problem.reason, &problem.message)),
            Some([]) => {
                self.next.phase = Phase::Releasing(Release {
                    stage: Stage::Scaling,
                    entered: self.now,
                    ..release
                });
                None
            }
        }
    }

    fn scaling(&mut self, release: Release, workload: &Workload) -> Option<Waiting> {
        let needed = self.needed(release.rung, workload);
        let candidate = &self.seen.candidate;
        let ready = candidate.revision.as_ref() == Some(&release.revision)
            && candidate.service
            && candidate.ready >= needed;
        if !ready {
            if self.over(release.entered, self.plan.scaling_deadline) {
                let why = candidate
                    .trouble
                    .clone()
                    .unwrap_or_else(|| "its pods did not become ready".into());
                let detail = format!(
                    "{} of {needed} candidate pods ready at the deadline: {why}",
                    candidate.ready
                );
                return self.retreat(&release.revision, release.started, Cause::NotReady, detail);
            }
            let until = after(release.entered, self.plan.scaling_deadline);
            let message = format!(
                "{needed} ready candidate pods are needed for {}",
                self.plan.rung(release.rung).weight
            );
            return Some(Waiting::on(reason::SCALING, message).until(Some(until)));
        }
        if let Some(wait) = self.blocked(&release) {
            return Some(wait);
        }
        let weight = self.plan.rung(release.rung).weight;
        self.note(Note::normal(
            reason::WEIGHT_CHANGED,
            format!(
                "revision {} gets {weight} of the requests (step {} of {})",
                release.revision,
                self.plan.rung(release.rung).step + 1,
                self.plan.steps
            ),
        ));
        self.next.phase = Phase::Releasing(Release {
            stage: Stage::Judging,
            entered: self.now,
            weight,
            granted: needed,
            approved: false,
            ..release
        });
        None
    }

    fn judging(&mut self, release: Release, workload: &Workload) -> Option<Waiting> {
        let needed = self.needed(release.rung, workload).min(release.granted);
        if self.seen.candidate.ready < needed {
            return self.lose_capacity(release, needed);
        }
        let rung = self.plan.rung(release.rung);
        let deadline = after(release.entered, rung.deadline);
        let Some(settled) = self
            .seen
            .route
            .settled(release.weight, self.plan.propagation, self.now)
        else {
            return Some(self.unsettled(&release));
        };
        let since = settled.max(release.entered);
        let held = self.over(since, rung.hold);
        let proven = match rung.kind {
            RungKind::Proof => self
                .seen
                .evidence
                .clears(&release.revision, release.rung, release.entered),
            RungKind::Bake => self
                .seen
                .evidence
                .current(&release.revision, release.rung, release.entered),
        };
        if let Some(wait) = self.silence(&release) {
            return wait;
        }
        if !proven || !held {
            if proven || !self.over(release.entered, rung.deadline) {
                return Some(self.judging_wait(&release, deadline));
            }
            return self.inconclusive(&release);
        }
        if let Some(wait) = self.blocked(&release) {
            return Some(wait);
        }
        if rung.approval && !release.approved {
            let message = format!(
                "step {} passed; a person must approve revision {}",
                rung.step + 1,
                release.revision
            );
            return Some(Waiting::on(reason::WAITING_FOR_APPROVAL, message));
        }
        self.climb(release);
        None
    }

    fn climb(&mut self, release: Release) {
        let passed = release.passed.max(release.rung + 1);
        if self.plan.is_top(release.rung) {
            self.note(Note::normal(
                reason::PROMOTING,
                format!(
                    "revision {} is proven and gets all traffic while the Deployment rolls",
                    release.revision
                ),
            ));
            self.next.phase = Phase::Promoting(Promotion {
                revision: release.revision,
                started: release.started,
                entered: self.now,
                stage: PromotionStage::Handover,
                weight: Weight::FULL,
                paused: release.paused,
            });
        } else {
            let rung = release.rung + 1;
            self.next.phase = Phase::Releasing(Release {
                rung,
                passed,
                stage: Stage::Scaling,
                entered: self.now,
                ..release
            });
        }
    }

    /// Whatever forbids to go up at this moment, whoever caused it.
    fn blocked(&self, release: &Release) -> Option<Waiting> {
        let of = |problem: &Problem| Waiting::on(problem.reason, &problem.message);
        if let Some(problem) = self.seen.problems.first() {
            return Some(of(problem));
        }
        if let Route::Unusable(problem) = &self.seen.route {
            return Some(of(problem));
        }
        match &self.seen.gate {
            Gate::Open(problem) => return Some(of(problem)),
            Gate::Unknown => {
                return Some(Waiting::on(
                    reason::GATE_OPEN,
                    "the gate is being proved by a dry run",
                ));
            }
            Gate::Closed => {}
        }
        (release.paused || self.plan.paused).then(|| {
            Waiting::on(
                reason::PAUSED,
                "a person asked to keep the weight: resume to go on",
            )
        })
    }

    fn lose_capacity(&mut self, release: Release, needed: u32) -> Option<Waiting> {
        let ready = self.seen.candidate.ready;
        let lost = release.lost.saturating_add(1);
        let detail = format!(
            "{ready} of {needed} candidate pods are ready under {}",
            release.weight
        );
        if lost >= LOST_MAX {
            return self.retreat(
                &release.revision,
                release.started,
                Cause::CapacityLost,
                format!("{detail}, for the third time"),
            );
        }
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!("{detail}: all traffic goes to the incumbent"),
        ));
        self.next.phase = Phase::Releasing(Release {
            stage: Stage::Scaling,
            entered: self.now,
            weight: Weight::NONE,
            granted: 0,
            lost,
            ..release
        });
        None
    }

    fn unsettled(&mut self, release: &Release) -> Waiting {
        if let Route::Seen {
            accepted_since: Some(since),
            ..
        } = &self.seen.route
        {
            self.wake_at(after(*since, self.plan.propagation));
        }
        let late = self.over(release.entered, self.plan.route_deadline);
        let rung = self.plan.rung(release.rung);
        match (&self.seen.route, late) {
            (Route::Unusable(problem), _) => Waiting::on(problem.reason, &problem.message),
            (
                Route::Seen {
                    refusal: Some(refusal),
                    ..
                },
                true,
            ) => Waiting::on(reason::ROUTE_NOT_ACCEPTED, refusal),
            (_, true) => Waiting::on(
                reason::ROUTE_NOT_ACCEPTED,
                "the gateway has not accepted the route's weights",
            ),
            (_, false) => self.judging_wait(release, after(release.entered, rung.deadline)),
        }
    }

    fn judging_wait(&self, release: &Release, deadline: Moment) -> Waiting {
        let rung = self.plan.rung(release.rung);
        match rung.kind {
            RungKind::Proof => {
                Waiting::on(reason::JUDGING, format!("evidence at {}", release.weight)).until(Some(deadline))
            }
            RungKind::Bake => {
                let end = after(release.entered, rung.hold);
                Waiting::on(reason::BAKING, format!("the bake at {}", release.weight)).until(Some(end))
            }
        }
    }

    /// Metrics that stay away: hold, and after the deadline what the user chose. `Some(wait)` ends the turn.
    fn silence(&mut self, release: &Release) -> Option<Option<Waiting>> {
        let (since, why) = self.seen.evidence.silent.clone()?;
        let since = since.max(release.entered);
        // One missing scrape is no news.
        if !self.over(since, self.plan.analysis.interval.saturating_mul(2)) {
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

    fn inconclusive(&mut self, release: &Release) -> Option<Waiting> {
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

    /// Ready candidate pods that a rung's weight needs; in the last step, as many as may have to serve alone.
    pub(super) fn needed(&self, rung: usize, workload: &Workload) -> u32 {
        let rung = self.plan.rung(rung);
        let weight = if rung.step + 1 == self.plan.steps {
            Weight::FULL
        } else {
            rung.weight
        };
        weight.share_of(workload.replicas)
    }
}

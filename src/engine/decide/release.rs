//! A release on its way up: preflight, scaling, judging. Weight grows only here, and only on a pass.

use super::super::judge::Verdict;
use super::super::observation::{Gate, Problem, Route, Workload};
use super::super::plan::RungKind;
use super::super::quantity::{Moment, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Gap, Phase, Promotion, PromotionStage, Release, Stage};
use super::super::words;
use super::alone::anew;
use super::{Turn, after};

impl Turn<'_> {
    pub(super) fn releasing(&mut self, release: Release) -> Option<Waiting> {
        let seen = self.seen;
        let Some(workload) = &seen.workload else {
            return Some(self.without_workload());
        };
        if let Some(noted) = self.stands_in(&release, workload) {
            self.next.phase = Phase::Releasing(noted);
            return None;
        }
        // Before anything else, so that a convicted revision is not tried again when its template comes back.
        if let Some((cause, why)) = self.convicted_of(&release) {
            return self.retreat(&release.revision, release.started, cause, why);
        }
        if let Some(wait) = self.unheld(&release, workload) {
            return wait;
        }
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
        let release = self.forgive(release, workload);
        if let Some(wait) = self.alone_wait(&release, workload) {
            return Some(wait);
        }
        if let Some(detail) = self.crashing(&release) {
            return self.retreat(&release.revision, release.started, Cause::Crashing, detail);
        }
        if let Some((_, kept)) = self.lacking(&release, workload)
            && self.lacking_wait(&release, workload).is_none()
        {
            return self.lose_capacity(release, kept);
        }
        if let Some(wait) = self.bypass(workload) {
            return Some(wait);
        }
        if let Some(wait) = self.lowered_wait(&release, workload) {
            return Some(wait);
        }
        if let Some(placed) = self.placed_anew(&release) {
            self.next.phase = Phase::Releasing(placed);
            return None;
        }
        if self.waits_its_turn(&release) {
            // Nothing has begun: no time passes, and nothing that happens meanwhile counts.
            self.next.phase = Phase::Releasing(Release {
                stage: Stage::Preflight,
                weight: Weight::NONE,
                granted: 0,
                restarts: None,
                entered: self.now,
                ..release
            });
            return None;
        }
        match release.stage {
            Stage::Preflight => self.preflight(release),
            Stage::Scaling => self.scaling(release, workload),
            Stage::Judging => self.judging(release, workload),
        }
    }

    fn preflight(&mut self, release: Release) -> Option<Waiting> {
        if let Some(wait) = self.blocked(&release) {
            return Some(wait);
        }
        let foreign = self
            .seen
            .candidate
            .revision
            .as_ref()
            .is_some_and(|revision| *revision != release.revision);
        if foreign || self.seen.candidate.leftovers || self.dangles() {
            return Some(Waiting::on(
                reason::CLEARING,
                "the candidate of an earlier release is being removed",
            ));
        }
        match self.seen.preflight.as_deref() {
            None if self.over(release.entered, self.plan.preflight_deadline) => Some(Waiting::on(
                reason::PREFLIGHT,
                "the checks before any traffic shifts take longer than they should: waits for the API server and the metrics",
            )),
            None => {
                let until = after(release.entered, self.plan.preflight_deadline);
                let message = "checks that everything is there before any traffic shifts";
                Some(Waiting::on(reason::PREFLIGHT, message).until(Some(until)))
            }
            Some(problems) => {
                // A weight in a route that is refused as it is would never come into force; nor do requests bring metrics
                // that such a route leads nowhere.
                if let Route::Seen {
                    refusal: Some(why), ..
                } = &self.seen.route
                {
                    return Some(Waiting::on(reason::ROUTE_NOT_ACCEPTED, why));
                }
                if let Some(problem) = problems.first() {
                    return Some(Waiting::on(problem.reason, &problem.message));
                }
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
        let ready = self.candidate_ready(&release.revision);
        // With a spec that has problems nobody makes the pods that are missing.
        if ready < needed && self.seen.problems.is_empty() {
            if self.over(release.since(), self.plan.scaling_deadline) {
                let refusal = self.seen.refusal.as_ref();
                let refusal = refusal.filter(|refusal| refusal.reason != reason::ROUTE_CONTESTED);
                let refused = refusal.map(|refusal| refusal.message.clone());
                let why = refused
                    .or_else(|| candidate.trouble.clone())
                    .unwrap_or_else(|| "its pods did not become ready".into());
                let detail = format!("{ready} of {needed} candidate pods ready at the deadline: {why}");
                return self.retreat(&release.revision, release.started, Cause::NotReady, detail);
            }
            let until = after(release.since(), self.plan.scaling_deadline);
            let removed = release.gap.filter(|gap| gap.until.is_none());
            let removed = removed.map(|_| "; somebody has removed the candidate".to_owned());
            let why = candidate
                .trouble
                .as_ref()
                .map(|why| format!("; {why}"))
                .or(removed);
            let message = format!(
                "{} for {}{}",
                words::ready_pods(needed),
                self.plan.rung(release.rung).weight,
                why.unwrap_or_default()
            );
            return Some(Waiting::on(reason::SCALING, message).until(Some(until)));
        }
        if let Some(wait) = self.blocked(&release) {
            if self.stands_long(release.entered, self.plan.scaling_deadline) {
                self.next.phase = Phase::Releasing(Release {
                    entered: self.now,
                    ..release
                });
                return None;
            }
            return Some(wait);
        }
        let weight = self.plan.rung(release.rung).weight;
        self.announce(&release);
        self.next.phase = Phase::Releasing(Release {
            stage: Stage::Judging,
            entered: self.now,
            weight,
            granted: needed,
            restarts: release.restarts.or(Some(self.seen.candidate.crashes.restarts)),
            gap: release.gap.map(|gap| Gap {
                until: gap.until.or(Some(self.now)),
                ..gap
            }),
            ..release
        });
        None
    }

    /// One event a step; that of the last one tells of its bake too.
    fn announce(&mut self, release: &Release) {
        let rung = self.plan.rung(release.rung);
        let (revision, weight) = (&release.revision, rung.weight);
        let place = format!("step {} of {}", rung.step + 1, self.plan.steps);
        let again = release.rung > 0 && self.plan.rung(release.rung - 1).step == rung.step;
        if again && release.lost == 0 {
            let alone = if self.plan.is_alone(release.rung) {
                ", with nothing beside it but its past to compare it with"
            } else {
                ""
            };
            let message =
                format!("revision {revision} gets {weight} of the requests for its bake{alone} ({place})");
            return self.note(Note::detail(reason::WEIGHT_CHANGED, message));
        }
        let next = self.plan.rung(release.rung + 1);
        let more = if next.step == rung.step && next.weight > weight {
            let alone = if self.plan.is_alone(release.rung + 1) {
                ", to be compared with its past"
            } else {
                ""
            };
            format!(", and {} once it has passed{alone}", next.weight)
        } else {
            String::new()
        };
        let message = format!("revision {revision} gets {weight} of the requests{more} ({place})");
        self.note(Note::normal(reason::WEIGHT_CHANGED, message));
    }

    fn judging(&mut self, release: Release, workload: &Workload) -> Option<Waiting> {
        let (rung, begun) = (self.plan.rung(release.rung), release.since());
        let Some(settled) = self
            .seen
            .route
            .settled(release.weight, self.plan.propagation, self.now)
        else {
            let message = format!("the gateway takes over {}", release.weight);
            let ordinary = Waiting::on(reason::SHIFTING, message);
            return Some(self.unsettled(release.weight, release.entered, ordinary));
        };
        let since = settled.max(begun);
        let deadline = self.verdict_due(&release, since);
        let held = self.over(since, rung.hold) && self.is_watched(rung);
        let proven = self.is_proven(&release, since);
        if let Some(wait) = self.silence(&release, since) {
            return wait.and_then(|wait| self.overstays(&release, deadline, wait));
        }
        if let Some(wait) = self.share_wait(&release) {
            // Stable pods that are gone explain a share that is too large.
            return self.incumbent_wait().or(Some(wait));
        }
        let open = self.is_open(&release);
        let passed = proven || open && !self.seen.evidence.standing.keeps_bake();
        if !(proven && held || open || self.now < deadline) {
            return self.inconclusive(&release, None);
        }
        if let Some(wait) = self.lacking_wait(&release, workload) {
            self.wake_at(deadline);
            return Some(wait);
        }
        if let Some(wait) = self.kept(&release).filter(|_| held && passed) {
            return self.overstays(&release, deadline, wait);
        }
        if !proven || !held {
            self.wake_at(deadline);
            return Some(self.judging_wait(&release, deadline, since));
        }
        if let Some(wait) = self.too_tight(&release, deadline) {
            return wait;
        }
        if self.seen.evidence.idle {
            return Some(Waiting::on(reason::JUDGING, words::IDLE));
        }
        let needed = self.needed(release.rung, workload);
        if self.candidate_ready(&release.revision) < needed {
            let message = format!("{} to serve alone", words::ready_pods(needed));
            return Some(Waiting::on(reason::SCALING, message));
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
                    "revision {} is proven and gets all traffic while the Deployment rolls; then traffic comes back in steps",
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
                lost: release.lost,
                worse: false,
                replicas: self.seen.workload.as_ref().map(|workload| workload.replicas),
                served: None,
            });
        } else {
            let rung = release.rung + 1;
            // An approval is for a step: it lasts from the proof of the last one to its bake.
            let same = self.plan.rung(rung).step == self.plan.rung(release.rung).step;
            self.next.phase = Phase::Releasing(Release {
                rung,
                passed,
                stage: Stage::Scaling,
                entered: self.now,
                approved: release.approved && same,
                ..release
            });
        }
    }

    /// Whatever forbids to go up at this moment, whoever caused it.
    pub(super) fn blocked(&self, release: &Release) -> Option<Waiting> {
        let of = |problem: &Problem| Waiting::on(problem.reason, &problem.message);
        if let Some(problem) = self.seen.problems.first().or(self.seen.refusal.as_ref()) {
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
        if let Some([problem, ..]) = self.seen.preflight.as_deref()
            && release.stage != Stage::Preflight
        {
            return Some(of(problem));
        }
        self.incumbent_wait().or_else(|| self.paused_wait(release.paused))
    }

    /// What will forbid the next weight, told while the step still looks for its proof. It takes long enough that
    /// somebody may cure it.
    fn foreseen(&self) -> Option<Waiting> {
        let problem = self.seen.problems.first();
        let problem = problem.map(|problem| Waiting::on(problem.reason, &problem.message));
        problem.or_else(|| self.incumbent_wait())
    }

    /// What a pause is shown as, whether an action or the spec asks for it. The plan that stands in for a spec which cannot be
    /// read is paused, too.
    pub(super) fn paused_wait(&self, asked: bool) -> Option<Waiting> {
        if let (true, Some(problem)) = (self.plan.paused, self.seen.problems.first()) {
            return Some(Waiting::on(problem.reason, &problem.message));
        }
        let message = if self.plan.paused {
            "`spec.paused` is true: set it to false to go on"
        } else {
            "a person asked to keep the weight: resume to go on"
        };
        (asked || self.plan.paused).then(|| Waiting::on(reason::PAUSED, message))
    }

    fn judging_wait(&self, release: &Release, deadline: Moment, since: Moment) -> Waiting {
        if let Some(wait) = self.paused_wait(release.paused).or_else(|| self.foreseen()) {
            return wait;
        }
        let rung = self.plan.rung(release.rung);
        let anew = anew(release);
        match rung.kind {
            RungKind::Proof => {
                let (evidence, weight) = (&self.seen.evidence, release.weight);
                let end = after(since, rung.hold);
                if self.is_open(release) {
                    let ahead = Some(end).filter(|end| self.now < *end);
                    let then = match ahead {
                        Some(_) => format!("is held at {weight}"),
                        None => "waits for the next reading".to_owned(),
                    };
                    let message = format!("step {} passed, and {then}{anew}", rung.step + 1);
                    return Waiting::on(reason::JUDGING, message).until(ahead);
                }
                let young = evidence.young && evidence.verdict == Verdict::Continue;
                let message = format!("{}{anew}", words::waits_for(weight, young));
                let ahead = Some(deadline).filter(|deadline| self.now < *deadline);
                Waiting::on(reason::JUDGING, message).until(ahead)
            }
            RungKind::Bake => self.baking_wait(release, (since, deadline), anew),
        }
    }

    /// Ready candidate pods that a rung's weight needs.
    pub(super) fn needed(&self, rung: usize, workload: &Workload) -> u32 {
        self.plan.pods(rung, workload.replicas)
    }
}

//! The states at rest: adopting, idle, rolled back.

use super::super::observation::{Gate, Workload};
use super::super::plan::GateMode;
use super::super::quantity::{Revision, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Phase, Rejection, Release, Stage};
use super::Turn;

impl Turn<'_> {
    pub(super) fn adopting(&mut self) -> Option<Waiting> {
        if let Some(problem) = self.seen.problems.first() {
            return Some(Waiting::on(problem.reason, &problem.message));
        }
        let Some(workload) = &self.seen.workload else {
            return Some(self.without_workload());
        };
        if workload.replicas > 0 && workload.serves(&workload.template) {
            self.note(Note::normal(
                reason::ADOPTED,
                format!("revision {} serves", workload.template),
            ));
            self.next.stable = Some(workload.template.clone());
            self.next.phase = Phase::Idle;
            return None;
        }
        let message = if workload.replicas == 0 {
            "the Deployment is scaled to zero: scale it up"
        } else if workload.paused && !workload.revisions.is_empty() {
            "the Deployment is paused with a template that does not serve: resume it, or put the serving template back"
        } else {
            "the first revision is not serving with all replicas yet"
        };
        Some(Waiting::on(reason::FIRST_REVISION, message))
    }

    pub(super) fn idle(&mut self) -> Option<Waiting> {
        let Some(stable) = self.next.stable.clone() else {
            self.next.phase = Phase::Adopting;
            return None;
        };
        let Some(workload) = &self.seen.workload else {
            return Some(self.without_workload());
        };
        // Made anew, and paused: nothing would ever serve.
        let empty =
            workload.observed && workload.paused && workload.replicas > 0 && workload.revisions.is_empty();
        if self.replaced(workload) || empty {
            self.note(Note::warning(
                reason::UNGATED,
                format!(
                    "revision {} rolls out without a release: nothing else is left to serve",
                    workload.template
                ),
            ));
            self.next.stable = None;
            self.next.phase = Phase::Adopting;
            return None;
        }
        if workload.template == stable {
            let open = match &self.seen.gate {
                Gate::Open(problem) => Some(problem),
                Gate::Closed | Gate::Unknown => None,
            };
            if let Some(problem) = self.seen.problems.first().or(open) {
                return Some(Waiting::on(problem.reason, &problem.message));
            }
            let on = workload.gated && (self.plan.gate == GateMode::Admission || workload.paused);
            let message = "a template that is changed now would not be held yet: the gate is being put on the Deployment";
            return (!on).then(|| Waiting::on(reason::GATING, message));
        }
        self.start(&workload.template.clone());
        None
    }

    fn start(&mut self, revision: &Revision) {
        self.note(Note::normal(
            reason::RELEASE_STARTED,
            format!("revision {revision} is new: its release begins"),
        ));
        self.next.phase = Phase::Releasing(Release {
            revision: revision.clone(),
            started: self.now,
            entered: self.now,
            ladder: self.plan.ladder().collect(),
            rung: 0,
            passed: 0,
            weight: Weight::NONE,
            stage: Stage::Preflight,
            granted: 0,
            approved: false,
            paused: false,
            lost: 0,
            restarts: None,
            gap: None,
            overstayed: None,
        });
    }

    pub(super) fn rolled_back(&mut self, rejection: &Rejection) -> Option<Waiting> {
        let Some(workload) = &self.seen.workload else {
            return Some(self.without_workload());
        };
        if self.replaced(workload) {
            self.next.phase = Phase::Idle;
            return None;
        }
        if workload.template != rejection.revision {
            if Some(&workload.template) == self.next.stable.as_ref() {
                self.note(Note::normal(
                    reason::REVERTED,
                    format!("the template of {} is back", workload.template),
                ));
            }
            self.next.phase = Phase::Idle;
            return None;
        }
        // The wait until the candidate's remains are removed needs no decision, only the effect.
        self.over(rejection.since, self.plan.rollback.keep);
        if let Some(wait) = self.bypass(workload) {
            return Some(wait);
        }
        Some(Waiting::on(
            reason::ROLLED_BACK,
            format!(
                "revision {} was rolled back; the Deployment stays paused until a new template comes",
                rejection.revision
            ),
        ))
    }

    /// Somebody let the held template out: told once, and nothing goes up until its pods are gone.
    pub(super) fn bypass(&mut self, workload: &Workload) -> Option<Waiting> {
        if !self.bypassed(workload) {
            return None;
        }
        let told = self
            .next
            .waiting
            .as_ref()
            .is_some_and(|waiting| waiting.reason == reason::GATE_BYPASSED);
        let message = if self.displaced(workload) {
            "the Deployment came back from zero replicas with pods of another revision than the one that served: they are \
             removed, and those that served come back"
                .to_owned()
        } else {
            format!(
                "the Deployment was resumed while revision {} was held: it is paused again and that revision's pods are \
                 removed",
                workload.template
            )
        };
        if !told && !self.notes.iter().any(|note| note.reason == reason::GATE_BYPASSED) {
            self.note(Note::warning(reason::GATE_BYPASSED, message.clone()));
        }
        Some(Waiting::on(reason::GATE_BYPASSED, message))
    }

    /// The Deployment is not there: nothing moves until it is back.
    pub(super) fn without_workload(&self) -> Waiting {
        self.seen.problems.first().map_or_else(
            || {
                Waiting::on(
                    reason::WORKLOAD_NOT_FOUND,
                    "the Deployment is not there: create it, or delete the Rollout",
                )
            },
            |problem| Waiting::on(problem.reason, &problem.message),
        )
    }
}

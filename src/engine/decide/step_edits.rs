//! The owner changed the steps in mid-release: where the release stands on the new ladder.

use super::super::observation::Workload;
use super::super::plan::RungKind;
use super::super::quantity::Weight;
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Release, Stage};
use super::Turn;

impl Turn<'_> {
    /// The release on the plan's ladder, if that is another one than it has climbed so far. An edit never
    /// counts as proof: the release goes on with the lowest rung that is not proven yet, judged anew. It gets that rung's
    /// weight, be it less or more than now, as if it had climbed so far on this ladder.
    pub(super) fn placed_anew(&mut self, release: &Release) -> Option<Release> {
        if !self.edited(release) {
            return None;
        }
        let noted = Release {
            ladder: self.plan.ladder().collect(),
            ..release.clone()
        };
        let rung = self.proven(release);
        let asked = self.plan.rung(rung).weight;
        if release.ladder.is_empty() || rung == release.rung && self.asks_the_same(&release.ladder, rung) {
            return Some(noted);
        }
        let place = match self.plan.rung(rung).kind {
            RungKind::Proof => format!("{asked}, which it has to pass"),
            RungKind::Bake => format!("the bake at {asked}"),
        };
        let message = format!(
            "the steps were changed: revision {} goes on with step {} of {}, {place}",
            release.revision,
            self.plan.rung(rung).step + 1,
            self.plan.steps,
        );
        self.note(Note::normal(reason::STEPS_CHANGED, message));
        let stage = match release.stage {
            Stage::Preflight => Stage::Preflight,
            Stage::Judging if release.weight == asked => Stage::Judging,
            Stage::Judging | Stage::Scaling => Stage::Scaling,
        };
        Some(Release {
            rung,
            passed: rung,
            weight: release.weight.min(asked),
            stage,
            entered: self.now,
            approved: false,
            ..noted
        })
    }

    /// Lower steps take traffic from the candidate: not while it would go to stable pods that are too few for it.
    pub(super) fn lowered_wait(&self, release: &Release, workload: &Workload) -> Option<Waiting> {
        let lower = self.edited(release) && self.plan.rung(self.proven(release)).weight < release.weight;
        let few = self.outnumbers(&release.revision, workload) && !self.waits_its_turn(release);
        (lower && few).then(|| {
            let missing = self.until_enough(&release.revision, workload);
            Waiting::on(
                reason::STABLE_NOT_READY,
                format!("the steps were changed; but {missing}"),
            )
        })
    }

    /// Whether the steps are others than those that the release has climbed. A spec with problems has none to go by.
    fn edited(&self, release: &Release) -> bool {
        self.seen.problems.is_empty() && !self.plan.ladder().eq(release.ladder.iter().copied())
    }

    /// Whether a rung asks for the same proof as on another ladder: that follows from its weight, the next one's, and
    /// whether it is the last before the bake.
    fn asks_the_same(&self, ladder: &[Weight], rung: usize) -> bool {
        let last = self.plan.rung(rung).step + 1 == self.plan.steps;
        let next = self.plan.rungs.get(rung + 1).map(|next| next.weight);
        ladder.get(rung) == Some(&self.plan.rung(rung).weight)
            && ladder.get(rung + 1).copied() == next
            && (rung + 2 >= ladder.len()) == last
    }

    /// How many rungs of the plan the release has proven: those up to the highest weight that it has passed. The last
    /// proof, which the bake rests on, counts only if it was one.
    fn proven(&self, release: &Release) -> usize {
        let passed = release.ladder.get(..release.passed).unwrap_or(&release.ladder);
        let weight = passed.last().copied().unwrap_or(Weight::NONE);
        let wholly = passed.len() + 1 >= release.ladder.len() && !passed.is_empty();
        let rungs = self.plan.rungs.iter();
        rungs
            .take_while(|rung| {
                let last = rung.step + 1 == self.plan.steps;
                rung.kind == RungKind::Proof && rung.weight <= weight && (wholly || !last)
            })
            .count()
    }
}

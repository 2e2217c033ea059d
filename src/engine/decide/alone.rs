//! Nobody but the candidate serves, or hardly anybody: whoever took its traffic would give it to nobody, or to a few pods that
//! fall under it. What is counted while nobody does says nothing of its version, because nothing is beside it and what both have
//! would look like its own.

use super::super::judge::Verdict;
use super::super::observation::Workload;
use super::super::quantity::{Revision, Weight};
use super::super::reason::{self, Waiting};
use super::super::state::{Cause, Gap, Release};
use super::Turn;

impl Turn<'_> {
    /// Nothing but the candidate serves, or will when it is ready again. A Deployment that is scaled to zero is to serve
    /// nobody.
    pub(super) fn serves_alone(&self, revision: &Revision, workload: &Workload) -> bool {
        let there = self.seen.candidate.revision.as_ref() == Some(revision) && !self.lost();
        let bears = self.next.weight() > Weight::NONE && there;
        bears && workload.replicas > 0 && workload.endpoints == 0
    }

    /// Whether the stable pods that requests reach could not bear what the candidate bears: there are fewer of them than ready
    /// candidate pods, and than half of those that are wanted. A few pods that are there first after an outage would get
    /// everything, and fall again.
    pub(super) fn outnumbers(&self, revision: &Revision, workload: &Workload) -> bool {
        let there = self.seen.candidate.revision.as_ref() == Some(revision) && !self.lost();
        let bears = self.next.weight() > Weight::NONE && there && workload.replicas > 0;
        bears && workload.endpoints < self.enough_beside(revision, workload)
    }

    /// How many stable pods must be in reach before `revision`'s candidate gives up its traffic.
    fn enough_beside(&self, revision: &Revision, workload: &Workload) -> u32 {
        let most = workload.replicas.div_ceil(2);
        self.candidate_ready(revision).min(most).max(1)
    }

    /// Which pods are missing beside a candidate that [outnumbers](Self::outnumbers) them, and until when it keeps its weight.
    pub(super) fn until_enough(&self, revision: &Revision, workload: &Workload) -> String {
        let weight = self.next.weight();
        let until = match self.enough_beside(revision, workload) {
            1 => "one is".to_owned(),
            more => format!("{more} are"),
        };
        let there = match workload.endpoints {
            0 => "no pod of the stable revision is ready".to_owned(),
            some => format!(
                "only {some} of {} stable pods can be reached, and the candidate has more",
                workload.replicas
            ),
        };
        format!("{there}: the candidate keeps {weight} until {until}")
    }

    /// Whether a cause takes the traffic back whoever is left to serve: a person's word, and what a comparison has shown.
    pub(super) const fn is_certain(&self, cause: Cause) -> bool {
        match cause {
            Cause::Aborted => true,
            Cause::Regression => !self.seen.evidence.by_past,
            Cause::Leaking
            | Cause::NotReady
            | Cause::CapacityLost
            | Cause::Crashing
            | Cause::Inconclusive
            | Cause::NoData
            | Cause::Superseded
            | Cause::Reverted => false,
        }
    }

    /// What a candidate waits for that serves alone, or beside too few, though `cause` would take it back.
    pub(super) fn spared(&self, revision: &Revision, cause: Cause, detail: &str) -> Option<Waiting> {
        let workload = self.seen.workload.as_ref()?;
        let spared = !self.is_certain(cause) && self.outnumbers(revision, workload);
        spared.then(|| {
            // Where some serve, a person may know that they can bear it.
            let way = if workload.endpoints > 0 {
                ", or a person aborts"
            } else {
                ""
            };
            let message = format!("{detail}; but {}{way}", self.until_enough(revision, workload));
            Waiting::on(reason::STABLE_NOT_READY, message)
        })
    }

    /// Ready candidate pods, and those that its weight was granted on, where they have become too few.
    pub(super) fn lacking(&self, release: &Release, workload: &Workload) -> Option<(u32, u32)> {
        let kept = release.weight.share_of(workload.replicas).min(release.granted);
        let ready = self.candidate_ready(&release.revision);
        (ready < kept).then_some((ready, kept))
    }

    /// What a candidate waits for that has lost pods, beside stable pods that are fewer still: they would get more than they can
    /// bear, and it would be no better off.
    pub(super) fn lacking_wait(&self, release: &Release, workload: &Workload) -> Option<Waiting> {
        let (ready, kept) = self.lacking(release, workload)?;
        let beside = workload.endpoints;
        let fewer = beside < ready && self.incumbent_short();
        (fewer || self.outnumbers(&release.revision, workload)).then(|| {
            let message = format!(
                "{ready} of {kept} candidate pods are ready under {}, and no more than {beside} of {} stable pods can be \
                 reached: the weight stays until they are as many as the candidate's",
                release.weight, workload.replicas
            );
            Waiting::on(reason::STABLE_NOT_READY, message)
        })
    }

    /// The release with the time noted in which nobody else serves: when that begins, and when it is over. The hold and the
    /// deadlines of its stage count from its end; where the past has convicted it meanwhile, the step's evidence begins anew
    /// as well.
    pub(super) fn stands_in(&self, release: &Release, workload: &Workload) -> Option<Release> {
        let open = release.gap.filter(|gap| gap.until.is_none());
        let open = open.filter(|_| release.weight > Weight::NONE);
        let noted = |gap| Release {
            gap: Some(gap),
            ..release.clone()
        };
        let Some(gap) = open else {
            let alone = self.serves_alone(&release.revision, workload) && !self.waits_its_turn(release);
            let (from, until) = (self.now, None);
            return alone.then(|| noted(Gap { from, until, alone }));
        };
        if workload.replicas > 0 && workload.endpoints == 0 {
            return None;
        }
        let until = Some(self.now);
        let evidence = &self.seen.evidence;
        let suspected = evidence.by_past
            && evidence.verdict == Verdict::Fail
            && evidence.revision.as_ref() == Some(&release.revision);
        Some(Release {
            entered: if suspected { self.now } else { release.entered },
            // For what both lacked its containers may have crashed.
            restarts: release.restarts.map(|_| self.seen.candidate.crashes.restarts),
            ..noted(Gap { until, ..gap })
        })
    }

    /// What a release does while nobody but its candidate serves: nothing, and its time stands still.
    pub(super) fn alone_wait(&mut self, release: &Release, workload: &Workload) -> Option<Waiting> {
        if !self.serves_alone(&release.revision, workload) || self.waits_its_turn(release) {
            return None;
        }
        if let Some(wait) = self.bypass(workload) {
            return Some(wait);
        }
        // They may be ready, and out of reach.
        let stable = self.next.stable.as_ref().map(|stable| workload.pods(stable));
        let unreached = stable.is_some_and(|pods| pods.ready > 0);
        if let (true, Some(problem)) = (unreached, self.seen.problems.first()) {
            return Some(Waiting::on(problem.reason, &problem.message));
        }
        let weight = release.weight;
        let message = if self.lacking(release, workload).is_some() {
            format!(
                "candidate pods are missing under {weight}, and no pod of the stable revision is ready: the weight stays \
                 until one is"
            )
        } else {
            format!(
                "no pod of the stable revision is ready: the candidate keeps {weight} until one is, and is not judged \
                 meanwhile"
            )
        };
        Some(Waiting::on(reason::STABLE_NOT_READY, message))
    }

    /// What convicts a release, and why. What the past said before somebody else could serve again does not.
    pub(super) fn convicted_of(&self, release: &Release) -> Option<(Cause, String)> {
        let evidence = &self.seen.evidence;
        let excused = evidence.by_past && release.excuses(evidence.at);
        let convicts = evidence.convicts(&release.revision).filter(|_| !excused);
        convicts.map(|(cause, why)| (cause, why.to_owned()))
    }
}

/// What of a release's step began anew, in words to append.
pub(super) fn anew(release: &Release) -> &'static str {
    let ended = release.gap.filter(|gap| gap.until == Some(release.since()));
    match ended {
        Some(gap) if gap.alone => "; the step's time began anew when a stable pod was ready again",
        Some(_) => "; the step was restarted, because somebody had removed the candidate",
        None => "",
    }
}

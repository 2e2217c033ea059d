//! What speaks against a release beside its metrics: crashes, lost pods, silence, a route that is not honoured, no verdict in time.

use super::super::gauge::{Leak, Room};
use super::super::observation::{Route, Workload};
use super::super::plan::{OnSilence, RungKind};
use super::super::quantity::{Moment, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Cause, Gap, Phase, Release, Stage};
use super::{LOST_MAX, Turn, after};

/// A pod whose containers crash this often under traffic is no accident.
const CRASHES_MAX: u32 = 3;

impl Turn<'_> {
    /// Ready pods are gone under traffic: all of it goes back in this decision, the third time for good. Where somebody
    /// has removed the candidate the version is not to blame, however often, nor where stable pods are missing too.
    pub(super) fn lose_capacity(&mut self, release: Release, needed: u32) -> Option<Waiting> {
        if let Some(object) = self.removed(&release.revision) {
            self.note(Note::warning(
                reason::CAPACITY_LOST,
                format!(
                    "somebody has removed the candidate's {object} under {}: all traffic goes to the stable pods, and the \
                     step begins anew when the candidate is back",
                    release.weight
                ),
            ));
            // One that ends now goes on.
            let open = release
                .gap
                .filter(|gap| gap.until.is_none_or(|until| until == self.now));
            let from = open.map_or(self.now, |gap| gap.from);
            self.next.phase = Phase::Releasing(Release {
                stage: Stage::Scaling,
                entered: self.now,
                weight: Weight::NONE,
                granted: 0,
                restarts: None,
                gap: Some(Gap {
                    from,
                    until: None,
                    alone: false,
                }),
                ..release
            });
            return None;
        }
        let ready = self.seen.candidate.ready;
        // Where stable pods are missing too, something that both need is gone: it is no fault of this version.
        let lost = release.lost.saturating_add(u8::from(!self.incumbent_short()));
        let detail = format!(
            "{ready} of {needed} candidate pods are ready under {}",
            release.weight
        );
        let why = self.fallen(&release);
        if lost >= LOST_MAX && lost > release.lost {
            return self.retreat(
                &release.revision,
                release.started,
                Cause::CapacityLost,
                format!("{detail}, for the third time{why}"),
            );
        }
        self.note(Note::warning(
            reason::CAPACITY_LOST,
            format!("{detail}: all traffic goes to the stable pods{why}"),
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

    /// Why the candidate's pods are not ready, in words to append, as far as the cluster tells.
    fn fallen(&self, release: &Release) -> String {
        let candidate = &self.seen.candidate;
        let crashes = &candidate.crashes;
        let before = release.restarts.unwrap_or(crashes.restarts);
        let restarts = match crashes.restarts.saturating_sub(before) {
            0 => String::new(),
            1 => "; 1 restart under traffic".to_owned(),
            more => format!("; {more} restarts under traffic"),
        };
        let crash = crashes.how.as_ref().filter(|_| !restarts.is_empty());
        let why = candidate.trouble.as_ref().or(crash);
        why.map_or_else(String::new, |why| format!(": {why}{restarts}"))
    }

    /// Containers that crash under traffic, in words, once they are too many: two pods, or one three times. Metrics may
    /// not show it, because a dead pod counts nothing.
    pub(super) fn crashing(&self, release: &Release) -> Option<String> {
        let crashes = &self.seen.candidate.crashes;
        let restarts = crashes.restarts.saturating_sub(release.restarts?);
        let here = self.seen.candidate.revision.as_ref() == Some(&release.revision);
        let many = restarts >= CRASHES_MAX || (crashes.pods >= 2 && restarts >= 2);
        (here && many).then(|| {
            let how = crashes.how.as_deref().unwrap_or("a container ended");
            format!(
                "its containers crashed {restarts} times under traffic, on {} pods: {how}",
                crashes.pods
            )
        })
    }

    /// Where many stable pods fall as well, something that both need is gone: what crashes meanwhile is not the candidate's
    /// fault. One of many that is not ready, maybe for ever, excuses nothing.
    pub(super) fn forgive(&mut self, mut release: Release, workload: &Workload) -> Release {
        let stable = self.next.stable.as_ref().map(|stable| workload.pods(stable));
        let fallen = stable.is_some_and(|pods| pods.desired > 0) && self.incumbent_short();
        let now = self.seen.candidate.crashes.restarts;
        if fallen && release.restarts.is_some_and(|before| now > before) {
            release.restarts = Some(now);
            self.next.phase = Phase::Releasing(release.clone());
        }
        release
    }

    /// What is said where the stable pods could not take all traffic back.
    pub(super) fn incumbent_wait(&self) -> Option<Waiting> {
        let scaled = self.seen.workload.as_ref().is_some_and(|it| it.replicas == 0);
        let message = if scaled {
            "the Deployment is scaled to zero, and its pods may have to take all traffic back: scale it up"
        } else {
            "too few pods of the stable revision are ready: they may have to take all traffic back"
        };
        self.incumbent_short()
            .then(|| Waiting::on(reason::STABLE_NOT_READY, message))
    }

    /// Another Rollout's release took the rule just before this one got its first weight, or just as that was decided, so
    /// that nothing of this one is in it.
    pub(super) fn waits_its_turn(&self, release: &Release) -> bool {
        let busy =
            matches!(&self.seen.route, Route::Unusable(problem) if problem.reason == reason::ROUTE_BUSY);
        busy && release.stage != Stage::Preflight && release.passed == 0 && release.rung == 0
    }

    /// Whether the stable pods could not take all traffic back: more than a tenth of them are not ready.
    pub(super) fn incumbent_short(&self) -> bool {
        let pods = match (&self.seen.workload, &self.next.stable) {
            (Some(workload), Some(stable)) => workload.pods(stable),
            _ => return false,
        };
        pods.ready == 0 || u64::from(pods.ready) * 10 < u64::from(pods.desired) * 9
    }

    /// Metrics that stay away: hold, and after the deadline what the user chose. `Some(wait)` ends the turn.
    pub(super) fn silence(&mut self, release: &Release, in_force: Moment) -> Option<Option<Waiting>> {
        let (since, why) = self.seen.evidence.silent.clone()?;
        let since = since.max(release.since());
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

    /// A weight that is not in force everywhere yet, and who keeps it. `ordinary`: what is said as long as nothing keeps it.
    pub(super) fn unsettled(&mut self, weight: Weight, entered: Moment, ordinary: Waiting) -> Waiting {
        self.wake_for_route();
        let late = self.over(entered, self.plan.route_deadline);
        // What names the cause goes before what the gateway makes of it.
        if let Some(problem) = self.seen.problems.first() {
            return Waiting::on(problem.reason, &problem.message);
        }
        match (&self.seen.route, late) {
            (Route::Unusable(problem), _) => Waiting::on(problem.reason, &problem.message),
            // No gateway is to blame for what the route does not ask for. It names the candidate before it gives it a share.
            (
                Route::Seen {
                    weight: seen,
                    touched,
                    ..
                },
                true,
            ) if *seen != Some(weight) && !(*touched && *seen == Some(Weight::NONE)) => {
                let message = format!("the route is rewritten, with {weight} for the candidate");
                Waiting::on(&ordinary.reason, message)
            }
            (
                Route::Seen {
                    refusal: Some(refusal),
                    ..
                },
                true,
            ) => Waiting::on(reason::ROUTE_NOT_ACCEPTED, refusal),
            (
                Route::Seen {
                    accepted_since: Some(since),
                    ..
                },
                true,
            ) => {
                let message = format!("{weight} is accepted, and takes effect at the gateways");
                Waiting::on(&ordinary.reason, message).until(Some(after(*since, self.plan.propagation)))
            }
            (_, true) => Waiting::on(
                reason::ROUTE_NOT_ACCEPTED,
                "the gateway has not accepted the route's weights",
            ),
            (_, false) => ordinary.until(Some(after(entered, self.plan.route_deadline))),
        }
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

    /// Why the gauges keep the weight, and what that is called.
    pub(super) fn tightness(&self) -> Option<(&'static str, &str)> {
        let gauges = &self.seen.evidence.gauges;
        match (&gauges.leak, &gauges.room) {
            (Leak::Holds(why) | Leak::Fails(why), _) => Some((reason::LEAKING, why)),
            (Leak::None, Room::TooTight(why)) => Some((reason::WOULD_SATURATE, why)),
            (Leak::None, Room::Unknown(why)) => Some((reason::GAUGES_UNKNOWN, why)),
            (Leak::None, Room::Reading) => Some((reason::JUDGING, "its gauges are read")),
            (Leak::None, Room::Enough) => None,
        }
    }

    /// A next weight that would not fit, or a leak: the weight is kept until it fits or the step's deadline comes. Where the
    /// step has waited for something else until then it is kept until it fits. `Some(wait)` ends the turn.
    pub(super) fn too_tight(&mut self, release: &Release, deadline: Moment) -> Option<Option<Waiting>> {
        let (reason, why) = self.tightness().map(|(reason, why)| (reason, why.to_owned()))?;
        let ahead = Some(deadline).filter(|deadline| self.now < *deadline);
        if ahead.is_none() && !release.overstays() {
            return Some(self.inconclusive(release, Some(&why)));
        }
        self.wake_at(deadline);
        let kept = match reason {
            reason::LEAKING => "; the weight is kept: abort, or let the pods be looked at",
            reason::WOULD_SATURATE => "; the weight is kept: scale the Deployment up, or raise the limit",
            _ => "",
        };
        let message = match reason {
            reason::JUDGING => format!("readings of the gauges at {}", release.weight),
            _ => format!("{why}{kept}"),
        };
        Some(Some(Waiting::on(reason, message).until(ahead)))
    }

    /// Nothing but the candidate is left to serve: it helps until the Deployment does, whatever its template.
    pub(super) fn unheld(&mut self, release: &Release, workload: &Workload) -> Option<Option<Waiting>> {
        if !self.replaced(workload) {
            return None;
        }
        // A newer template behind the gate gets no pods: those that are there are all that there will be.
        let held = workload.template != release.revision && workload.endpoints >= workload.replicas;
        if !workload.serves(&workload.template) && !held {
            let message = "the stable revision is gone: waits until the Deployment serves again";
            return Some(Some(Waiting::on(reason::UNGATED, message)));
        }
        let detail = if workload.template == release.revision {
            "the Deployment runs it already, without a release".to_owned()
        } else {
            format!("revision {} came, without a release", workload.template)
        };
        Some(self.retreat(&release.revision, release.started, Cause::Superseded, detail))
    }

    /// The step's deadline came without a verdict, or the gauges stood in its way. Whoever has paused it wants it kept.
    pub(super) fn inconclusive(&mut self, release: &Release, gauges: Option<&str>) -> Option<Waiting> {
        if let Some(wait) = self.paused_wait(release.paused) {
            return Some(wait);
        }
        let step = self.plan.rung(release.rung).step + 1;
        let suspect =
            self.plan.rung(release.rung).kind == RungKind::Bake && self.seen.evidence.standing.suspect;
        let (what, more) = match gauges {
            Some(why) => (
                format!("at the deadline of step {step} its gauges still keep the weight ({why})"),
                "room",
            ),
            None if suspect => (
                format!(
                    "at the deadline of step {step} the candidate still looks worse in its bake, though not surely ({})",
                    self.seen.evidence.summary
                ),
                "better readings",
            ),
            None => (
                format!("no verdict at the deadline of step {step}"),
                "more traffic",
            ),
        };
        // What had passed, and waited for something else beyond its deadline, is not taken back for a doubt.
        if self.plan.on_inconclusive == OnSilence::Rollback && !release.overstays() {
            return self.retreat(&release.revision, release.started, Cause::Inconclusive, what);
        }
        let message = format!("{what}: waits for {more}, an abort, or a new template");
        Some(Waiting::on(reason::INCONCLUSIVE, message))
    }
}

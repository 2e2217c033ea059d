//! The Rollout goes away: whoever deletes it, at any time, leaves a service that serves.

use super::super::observation::{Candidate, Route, Workload};
use super::super::quantity::{Revision, Weight};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Phase, Promotion, PromotionStage, Release, Removal};
use super::{Turn, after};

impl Turn<'_> {
    pub(super) fn begin_removal(&mut self, phase: &Phase) -> Option<Waiting> {
        self.note(Note::normal(
            reason::DELETING,
            "the Rollout goes away: traffic returns to the Deployment first",
        ));
        let weight = self.next.weight();
        let (approved, ships) = match phase {
            Phase::Promoting(promotion) if promotion.stage != PromotionStage::Handover => {
                (self.to_serve(promotion), false)
            }
            Phase::Promoting(Promotion { revision, .. }) | Phase::Releasing(Release { revision, .. }) => {
                (self.in_place_of(revision), true)
            }
            Phase::Adopting
            | Phase::Idle
            | Phase::RollingBack(_)
            | Phase::RolledBack(_)
            | Phase::Deleting(_) => (None, false),
        };
        let bakes = matches!(phase, Phase::Promoting(promotion) if promotion.stage == PromotionStage::Baking);
        let watched = bakes || matches!(phase, Phase::RollingBack(_));
        let served = self.last_told(phase.served()).filter(|_| watched);
        let drain = weight > Weight::NONE || served.is_some() || self.may_be_served(phase);
        // In mid-promotion the Deployment may be half rolled: the candidate serves until the approved pods do.
        let weight = if approved.is_some() { weight } else { Weight::NONE };
        self.next.phase = Phase::Deleting(Removal {
            entered: self.now,
            ships: ships && approved.is_some(),
            approved,
            weight,
            drain,
            served,
            watched: served.and_then(|_| phase.watched()),
        });
        None
    }

    /// Whether requests to a candidate whose committed weight is zero may not have ended yet: a route to it can still be on its
    /// way to the gateways, and what they had sent before goes on for a while.
    fn may_be_served(&self, phase: &Phase) -> bool {
        let (route, candidate) = (&self.seen.route, &self.seen.candidate);
        let settled = route.settled(Weight::NONE, self.plan.propagation, self.now);
        if settled.is_some_and(|since| after(since, self.plan.rollback.drain) <= self.now) {
            return false;
        }
        let pods = candidate.revision.is_some() && candidate.desired > 0;
        let led = route.highest() > Weight::NONE || pods && (route.touched() || self.route_unknown());
        matches!(phase, Phase::RollingBack(_)) || self.next.stable.is_some() && led
    }

    pub(super) fn deleting(&mut self, removal: Removal) -> Option<Waiting> {
        if removal.weight > Weight::NONE {
            let other = self.ships_other(&removal);
            if other.is_some() {
                self.next.phase = Phase::Deleting(Removal {
                    approved: other,
                    ..removal
                });
                return None;
            }
            let ready = match (&self.seen.workload, &removal.approved) {
                (Some(workload), Some(approved)) => self.can_serve(workload, approved, &removal),
                _ => true,
            };
            if !ready {
                // Then fewer pods are enough.
                let late = after(removal.entered, self.plan.promotion.deadline);
                let until = Some(late).filter(|late| self.now < *late && !self.before_roll(&removal));
                return Some(Waiting::on(reason::DELETING, self.unready(&removal)).until(until));
            }
            self.next.phase = Phase::Deleting(Removal {
                weight: Weight::NONE,
                entered: self.now,
                ..removal
            });
            return None;
        }
        if removal.drain {
            let bare = self.seen.candidate == Candidate::default() && !self.seen.route.touched();
            let since = if bare {
                Some(removal.entered)
            } else {
                self.emptied(removal.entered)
            };
            let drained = bare || since.is_some_and(|since| self.over(since, self.plan.rollback.drain));
            if !drained {
                let message = "connections to the candidate drain";
                return Some(self.draining(removal.entered, reason::DELETING, message));
            }
            let end = since.map_or(removal.entered, |since| after(since, self.plan.rollback.drain));
            if let Some(wait) = self.served_while_deleting(&removal, end) {
                return Some(wait);
            }
            self.next.phase = Phase::Deleting(Removal {
                drain: false,
                ..removal
            });
            return None;
        }
        if let (Route::Unusable(problem), true) = (&self.seen.route, self.remains()) {
            return Some(Waiting::on(problem.reason, &problem.message));
        }
        Some(Waiting::on(reason::DELETING, "what Serin made is removed"))
    }

    /// Before anything has rolled, the revision whose pods must serve before traffic returns from a candidate that serves
    /// alone, or beside too few; `None`: it can at once.
    fn in_place_of(&self, revision: &Revision) -> Option<Revision> {
        let workload = self.seen.workload.as_ref()?;
        // One that is found worse than what is beside it in this very turn keeps nothing, whoever is left to serve.
        let convicted = self.seen.evidence.convicts(revision);
        let worse = convicted.is_some_and(|(cause, _)| self.is_certain(cause));
        if !self.outnumbers(revision, workload) || worse {
            return None;
        }
        self.to_ship(workload)
    }

    /// Whoever wants the new template shipped waits for its own pods, and for none of the old one unless they are all there.
    fn to_ship(&self, workload: &Workload) -> Option<Revision> {
        let stable = self.next.stable.as_ref()?;
        let ships = self.plan.resume_on_delete && !self.stable_serves(workload);
        Some(if ships { &workload.template } else { stable }).cloned()
    }

    /// The template changed while one was to be shipped that nobody proved: nobody waits for its pods any more.
    fn ships_other(&self, removal: &Removal) -> Option<Revision> {
        let workload = self.seen.workload.as_ref().filter(|_| removal.ships)?;
        let approved = removal.approved.as_ref();
        let changed = approved != Some(&workload.template);
        let other = self.to_ship(workload).filter(|_| changed);
        other.filter(|other| approved != Some(other))
    }

    /// Once it rolls, the revision whose pods must serve before traffic returns; `None`: it can at once.
    fn to_serve(&self, promotion: &Promotion) -> Option<Revision> {
        let workload = self.seen.workload.as_ref()?;
        let (revision, template) = (&promotion.revision, &workload.template);
        let stable = self.next.stable.as_ref();
        // Begun, the way back is the way through. But it may have been given up, with the Deployment on its way back.
        let begun = template == revision && !workload.paused || workload.pods(revision).desired > 0;
        let back = promotion.stage == PromotionStage::Failed && stable == Some(template);
        if begun {
            stable.filter(|_| back).or(Some(revision)).cloned()
        } else {
            stable.filter(|_| !self.stable_serves(workload)).cloned()
        }
    }

    /// Nothing has rolled: the candidate only waits for the pods that served before it.
    fn before_roll(&self, removal: &Removal) -> bool {
        let workload = self.seen.workload.as_ref();
        let stable = self.next.stable.as_ref().filter(|_| removal.ships);
        let waits = stable.filter(|stable| removal.approved.as_ref() == Some(stable));
        waits
            .zip(workload)
            .is_some_and(|(stable, workload)| !workload.stray(stable))
    }

    /// What the candidate still serves for.
    fn unready(&self, removal: &Removal) -> String {
        let gone = removal.approved.as_ref().filter(|approved| {
            let workload = self.seen.workload.as_ref();
            workload.is_some_and(|it| it.template != **approved && it.pods(approved).desired == 0)
        });
        if let Some(approved) = gone {
            return format!(
                "pods of revision {approved} must be ready before traffic returns, and there are none: put its template back"
            );
        }
        let workload = self.seen.workload.as_ref();
        let pods = workload.zip(removal.approved.as_ref());
        let ready = pods.map_or(0, |(workload, approved)| workload.pods(approved).ready);
        let none = workload.is_some_and(|it| it.endpoints == 0);
        if none && ready > 0 {
            return "the approved revision's pods are ready, and no request would reach them: look at the Service, or delete the \
                    candidate's Deployment to let the Rollout go"
                .to_owned();
        }
        let dead = self.seen.candidate.ready == 0;
        let late = after(removal.entered, self.plan.promotion.deadline) <= self.now;
        let cure = match (none, dead, late) {
            (true, true, _) => {
                ", and none is, nor any of the candidate's: fix them, or delete the candidate's Deployment to let the Rollout go"
            }
            (false, _, true) => {
                ", and too few are: fix them, or delete the candidate's Deployment to let the Rollout go"
            }
            (true, false, _) => ", and none is: fix them; until then only the candidate serves",
            (false, _, false) => "",
        };
        let few = workload.filter(|_| !none && !dead && self.before_roll(removal));
        if let Some((workload, revision)) = few.zip(self.seen.candidate.revision.as_ref()) {
            let missing = self.until_enough(revision, workload);
            return format!("{missing}; or delete the candidate's Deployment to let the Rollout go at once");
        }
        format!("the approved revision's pods must be ready before traffic returns{cure}")
    }

    /// Whether the Deployment can have the traffic: its pods of `approved` are all ready, or the candidate can bear it no
    /// longer. Pods may never become ready: then it is enough that most do, or that no fewer serve than now; of those that served
    /// before the release, half. Before anything has rolled they only have to be as many as would have been enough at once.
    fn can_serve(&mut self, workload: &Workload, approved: &Revision, removal: &Removal) -> bool {
        let runs = self.seen.candidate.revision.clone();
        let candidate = runs.as_ref().map_or(0, |revision| self.candidate_ready(revision));
        if self.before_roll(removal) {
            return !runs.is_some_and(|revision| self.outnumbers(&revision, workload));
        }
        let (endpoints, replicas) = (u64::from(workload.endpoints), u64::from(workload.replicas));
        // Old pods that the roll has not replaced yet do no harm; unapproved ones do.
        let clean = workload.template == *approved || !workload.stray(approved);
        // Ready pods that no request reaches yet do not serve.
        let reached = workload.endpoints >= candidate.min(workload.replicas.div_ceil(2)).max(1);
        let whole = workload.pods(approved).ready >= workload.replicas && (reached || workload.replicas == 0);
        let late = self.over(removal.entered, self.plan.promotion.deadline);
        // Where nobody serves, traffic stays with those who may come back.
        let forsaken = u64::from(candidate) * 2 < replicas && candidate < workload.endpoints
            || candidate == 0 && self.lost();
        let most = endpoints * 10 >= replicas * 9;
        let served = self.next.stable.as_ref() == Some(approved) && workload.endpoints > 0;
        let half = served && endpoints * 2 >= replicas;
        let enough = late && (most || half || workload.endpoints >= candidate.max(1));
        clean && (whole || forsaken || enough)
    }

    /// A candidate is there behind a route of which nobody knows what it does.
    fn remains(&self) -> bool {
        !self.seen.route.gone() && self.seen.candidate != Candidate::default()
    }
}

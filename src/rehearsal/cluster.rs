//! The smallest cluster in which a release can run: what the engine sees, and what becomes of what it wants.

use std::collections::BTreeMap;
use std::time::Duration;

use super::course::{At, moment};
use crate::engine::effect::Effect;
use crate::engine::judge::Evidence;
use crate::engine::observation::{
    Action, Candidate, Gate, Observation, Pods, Residual, Route, Verb, Workload,
};
use crate::engine::{Moment, Revision, Weight};

/// A pod becomes ready so long after it is asked for.
const READY: Duration = Duration::from_secs(20);
/// A Deployment's rolling update takes so long.
const ROLL: Duration = Duration::from_secs(60);

/// The cluster, as an observation that is kept up to date in place.
#[derive(Clone, Debug)]
pub(super) struct Cluster {
    pub(super) seen: Observation,
    /// The Deployment runs the new revision.
    pub(super) rolled: bool,
    preflight: Option<At>,
    ready: Option<At>,
    roll: Option<At>,
    asked: u32,
}

impl Cluster {
    /// `pods` of `stable` serve, and the Deployment has just been given the template of `fresh`. Preflight has looked
    /// at the metrics twice after `preflight`.
    pub(super) fn new(stable: &Revision, fresh: &Revision, pods: u32, preflight: At) -> Self {
        let all = Pods {
            desired: pods,
            ready: pods,
        };
        let seen = Observation {
            deleting: false,
            problems: Vec::new(),
            workload: Some(Workload {
                template: fresh.clone(),
                paused: true,
                replicas: pods,
                observed: true,
                revisions: BTreeMap::from([(stable.clone(), all)]),
                endpoints: pods,
                since: Moment::UNIX_EPOCH,
                overdue: None,
                gated: true,
            }),
            candidate: Candidate::default(),
            route: route(Weight::NONE, false, 0),
            gate: Gate::Closed,
            preflight: None,
            evidence: Evidence::none(),
            residual: Residual::Unknown,
            actions: Vec::new(),
            refusal: None,
        };
        Self {
            seen,
            rolled: false,
            preflight: Some(preflight),
            ready: None,
            roll: None,
            asked: 0,
        }
    }

    /// The candidate's share.
    pub(super) fn weight(&self) -> Weight {
        self.seen.route.highest()
    }

    /// When something happens here by itself.
    pub(super) fn next(&self) -> Option<At> {
        [self.preflight, self.ready, self.roll]
            .into_iter()
            .flatten()
            .min()
    }

    /// It is `now`: what was due has happened.
    pub(super) fn advance(&mut self, now: At) {
        let due = |at: &mut Option<At>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.preflight) {
            self.seen.preflight = Some(Vec::new());
        }
        if due(&mut self.ready) {
            self.seen.candidate.ready = self.seen.candidate.desired;
        }
        if due(&mut self.roll)
            && let Some(workload) = &mut self.seen.workload
        {
            let all = Pods {
                desired: workload.replicas,
                ready: workload.replicas,
            };
            workload.revisions = BTreeMap::from([(workload.template.clone(), all)]);
            workload.endpoints = workload.replicas;
            self.rolled = true;
        }
    }

    /// Does what the engine wants; nothing fails.
    pub(super) fn apply(&mut self, effect: &Effect, now: At) {
        let workload = self.seen.workload.as_mut();
        match effect {
            Effect::Route { weight, .. } => self.seen.route = route(*weight, true, now),
            Effect::RestoreRoute => self.seen.route = route(Weight::NONE, false, now),
            Effect::Candidate { revision, replicas } => {
                let candidate = &mut self.seen.candidate;
                candidate.revision = Some(revision.clone());
                candidate.service = true;
                candidate.desired = *replicas;
                candidate.ready = candidate.ready.min(*replicas);
                self.ready = Some(now + READY.as_millis() as At);
            }
            Effect::Unpause { .. } => {
                if let Some(workload) = workload {
                    workload.paused = false;
                    self.roll = Some(now + ROLL.as_millis() as At);
                }
            }
            Effect::Pause => {
                if let Some(workload) = workload {
                    workload.paused = true;
                }
            }
            Effect::Retire => self.seen.candidate = Candidate::default(),
            Effect::Finish { id, .. } => self.seen.actions.retain(|action| action.id != *id),
            // Nothing here is ever un-gated, bypassed or deleted.
            Effect::Guard | Effect::Purge { .. } | Effect::Release { .. } | Effect::RemoveFinalizer => {}
        }
    }

    /// A person is asked for an approval, and gives it.
    pub(super) fn approve(&mut self, revision: &Revision) {
        self.asked += 1;
        self.seen.actions.push(Action {
            id: format!("approval-{}", self.asked),
            created: Moment::UNIX_EPOCH,
            verb: Verb::Approve,
            revision: Some(revision.clone()),
        });
    }
}

/// A route that every proxy accepts at once.
fn route(weight: Weight, touched: bool, now: At) -> Route {
    Route::Seen {
        weight: Some(weight),
        highest: weight,
        touched,
        named: touched,
        accepted_since: Some(moment(now)),
        refusal: None,
    }
}

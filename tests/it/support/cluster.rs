//! A tiny honest cluster: it does what the effects say, with the delays that a real one has.

use std::time::Duration;

use serin::engine::effect::Effect;
use serin::engine::gauge::Gauges;
use serin::engine::judge::{Evidence, Verdict};
use serin::engine::observation::{Action, Candidate, Gate, Observation, Problem, Residual, Route, Workload};
use serin::engine::plan::{GateMode, Plan, RungKind};
use serin::engine::state::{Phase, Stage, State};
use serin::engine::{Moment, Revision, Weight};

/// What the metrics say, as the script has it.
#[derive(Clone, Debug)]
pub(crate) enum Metrics {
    /// A pass, this long after a weight is in force.
    Pass(Duration),
    /// Neither way.
    Unclear,
    /// The candidate is worse.
    Fail(String),
    /// Neither way, though the candidate looks worse.
    Doubtful(String),
    /// Both versions are far worse than usual.
    Outage,
    /// A pass, but no request comes any more.
    Idle,
    /// The candidate is far worse than the past, and nothing comes to the baseline any more.
    FailByPast(String),
    /// The promoted pods are far worse than the past, with nothing beside them.
    Suspect(String),
    /// None since then, and after how long a pass would have come had they gone on as before.
    Silent(Moment, String, Option<Duration>),
}

/// The cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    pub(crate) now: Moment,
    pub(crate) deployment: Option<Deployment>,
    pub(crate) candidate: Candidate,
    /// At most this many candidate pods become ready.
    pub(crate) candidate_cap: u32,
    pub(crate) candidate_takes: Duration,
    candidate_ready_at: Option<Moment>,
    pub(crate) route: RouteFacts,
    pub(crate) metrics: Metrics,
    /// When they were silent before, from and until; what was counted then is gone.
    unread: Vec<(Moment, Moment)>,
    pub(crate) gauges: Gauges,
    /// The candidate's share of the requests, where that is surely not its weight.
    pub(crate) share: Option<Weight>,
    /// What comes to the candidate once its weight is zero.
    pub(crate) residual: Residual,
    pub(crate) gate: Gate,
    pub(crate) preflight: Option<Vec<Problem>>,
    pub(crate) problems: Vec<Problem>,
    pub(crate) actions: Vec<Action>,
    /// Which writes the API server refuses, and how it says so.
    pub(crate) refused: Option<(String, Problem)>,
    /// What was refused of the last decision.
    refusal: Option<Problem>,
    /// Somebody else keeps changing the route.
    pub(crate) contest: Option<Problem>,
    pub(crate) deleting: bool,
    /// The finalizer is off: the Rollout is gone.
    pub(crate) gone: bool,
}

/// The user's Deployment.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    pub(crate) facts: Workload,
    pub(crate) roll_takes: Duration,
    /// Its new pods never become ready.
    pub(crate) stuck: bool,
    pub(crate) rolls_until: Option<Moment>,
}

/// The route as the gateway has it.
#[derive(Clone, Debug)]
pub(crate) struct RouteFacts {
    pub(crate) weight: Weight,
    pub(crate) touched: bool,
    pub(crate) written: Moment,
    /// Since when the gateway could take over what Serin wants. Others who reset the route for a moment undo nothing that was
    /// read.
    pub(crate) given: (Weight, Moment),
    /// When the present controller process began: it knows of nothing before that when it was accepted.
    pub(crate) watched: Moment,
    pub(crate) takes: Duration,
    pub(crate) refusal: Option<String>,
    pub(crate) unusable: Option<Problem>,
}

impl Cluster {
    /// A cluster in which `replicas` pods of `revision` serve.
    pub(crate) fn new(now: Moment, replicas: u32, revision: &Revision) -> Self {
        let mut facts = Workload {
            template: revision.clone(),
            paused: false,
            replicas,
            observed: true,
            revisions: std::collections::BTreeMap::default(),
            endpoints: replicas,
            since: now,
            overdue: None,
            gated: false,
        };
        facts.revisions.insert(revision.clone(), pods(replicas, replicas));
        Self {
            now,
            deployment: Some(Deployment {
                facts,
                roll_takes: Duration::from_secs(20),
                stuck: false,
                rolls_until: None,
            }),
            candidate: Candidate::default(),
            candidate_cap: u32::MAX,
            candidate_takes: Duration::from_secs(8),
            candidate_ready_at: None,
            route: RouteFacts {
                weight: Weight::NONE,
                touched: false,
                written: now,
                given: (Weight::NONE, now),
                watched: now,
                takes: Duration::from_secs(1),
                refusal: None,
                unusable: None,
            },
            metrics: Metrics::Pass(Duration::from_secs(30)),
            unread: Vec::new(),
            gauges: Gauges::default(),
            share: None,
            residual: Residual::Unknown,
            gate: Gate::Closed,
            preflight: Some(Vec::new()),
            problems: Vec::new(),
            actions: Vec::new(),
            refused: None,
            refusal: None,
            contest: None,
            deleting: false,
            gone: false,
        }
    }

    /// What Serin sees at this moment.
    pub(crate) fn observe(&self, plan: &Plan, state: &State) -> Observation {
        Observation {
            deleting: self.deleting,
            problems: self.problems.clone(),
            workload: self
                .deployment
                .as_ref()
                .map(|deployment| deployment.facts.clone()),
            candidate: self.candidate.clone(),
            route: self.seen_route(),
            gate: self.gate.clone(),
            preflight: self.preflight.clone(),
            evidence: self.evidence(plan, state),
            residual: self.residual,
            actions: self.actions.clone(),
            refusal: self.refusal.clone().or_else(|| self.contest.clone()),
        }
    }

    /// The metrics say something else from now on.
    pub(crate) fn say(&mut self, metrics: Metrics) {
        if let Metrics::Silent(since, ..) = self.metrics {
            self.unread.push((since, self.now));
        }
        let passes = match self.metrics {
            Metrics::Pass(after) => Some(after),
            _ => None,
        };
        self.metrics = match metrics {
            Metrics::Silent(since, why, _) => Metrics::Silent(since, why, passes),
            other => other,
        };
    }

    /// How much of the time since then has been read.
    fn measured(&self, since: Moment) -> Duration {
        let now = match self.metrics {
            Metrics::Silent(silent, ..) => silent,
            _ => self.now,
        };
        let span =
            |from: Moment, until: Moment| until.max(since).duration_since(from.max(since)).unsigned_abs();
        let unread: Duration = self.unread.iter().map(|(from, until)| span(*from, *until)).sum();
        span(since, now).saturating_sub(unread)
    }

    fn seen_route(&self) -> Route {
        if let Some(problem) = &self.route.unusable {
            return Route::Unusable(problem.clone());
        }
        let accepted = self.route.written + self.route.takes;
        let known = accepted.max(self.route.watched);
        Route::Seen {
            weight: Some(self.route.weight),
            highest: self.route.weight,
            touched: self.route.touched,
            named: self.route.touched,
            accepted_since: (self.route.refusal.is_none() && accepted <= self.now).then_some(known),
            refusal: self.route.refusal.clone(),
        }
    }

    fn evidence(&self, plan: &Plan, state: &State) -> Evidence {
        let Phase::Releasing(release) = &state.phase else {
            return self.evidence_after(plan, state);
        };
        let mut evidence = Evidence::none();
        evidence.revision = Some(release.revision.clone());
        evidence.rung = release.rung;
        let settled = self
            .seen_route()
            .settled(release.weight, plan.propagation, self.now);
        let flows = release.stage == Stage::Judging && settled.is_some_and(|settled| settled < self.now);
        // What is counted while nobody else serves is left out.
        let open = release.gap.filter(|gap| gap.until.is_none());
        let read = open.map_or(self.now, |gap| gap.from.min(self.now));
        let read = match self.metrics {
            Metrics::Silent(since, ..) => since.min(read),
            _ => read,
        };
        // A new process goes on from what an earlier one has read.
        let before = self.route.watched.checked_sub(Duration::from_secs(1)).ok();
        let before = before.filter(|at| *at > release.entered && self.now < self.reads_again());
        evidence.at = before.or_else(|| flows.then_some(read));
        // Nothing comes to it before the gateway takes its weight.
        evidence.standing.measured = self.measured(release.entered.max(self.route.given.1));
        if flows {
            evidence.gauges = self.gauges.clone();
            evidence.share = self.share;
        }
        match &self.metrics {
            Metrics::Pass(after) if self.pass_at(plan, state, *after).is_some_and(|at| at <= self.now) => {
                evidence.verdict = Verdict::Pass;
            }
            Metrics::Doubtful(why) if flows => {
                evidence.standing.suspect = true;
                evidence.summary.clone_from(why);
            }
            Metrics::Outage if flows => evidence.standing.outage = true,
            Metrics::Idle => {
                evidence.verdict = Verdict::Pass;
                evidence.idle = true;
            }
            Metrics::FailByPast(why) if flows => {
                evidence.verdict = Verdict::Fail;
                evidence.by_past = true;
                evidence.summary.clone_from(why);
            }
            Metrics::Fail(why) if flows || release.weight > Weight::NONE => {
                evidence.verdict = Verdict::Fail;
                evidence.by_past = plan.is_alone(release.rung);
                evidence.summary.clone_from(why);
            }
            Metrics::Silent(since, why, after) => {
                evidence.silent = Some((*since, why.clone()));
                let passed = after.and_then(|after| self.pass_at(plan, state, after));
                if passed.is_some_and(|at| at <= *since) {
                    evidence.verdict = Verdict::Pass;
                }
            }
            Metrics::Pass(_)
            | Metrics::Unclear
            | Metrics::Doubtful(_)
            | Metrics::Outage
            | Metrics::Fail(_)
            | Metrics::FailByPast(_)
            | Metrics::Suspect(_) => {}
        }
        evidence
    }

    /// Of the promoted pods, once a share of the traffic is theirs.
    fn evidence_after(&self, plan: &Plan, state: &State) -> Evidence {
        let mut evidence = Evidence::none();
        let settled = self
            .seen_route()
            .settled(state.weight(), plan.propagation, self.now);
        if let Phase::Promoting(promotion) = &state.phase {
            evidence.revision = Some(promotion.revision.clone());
            let read = settled.is_some_and(|settled| settled < self.now);
            evidence.at = read.then_some(self.now);
        }
        match (&self.metrics, state.active()) {
            (Metrics::Fail(why), Some(active)) => {
                evidence.revision = Some(active.clone());
                evidence.verdict = Verdict::Fail;
                evidence.summary.clone_from(why);
            }
            (Metrics::Suspect(why), Some(_)) => {
                evidence.rung = plan.rungs.len();
                evidence.verdict = Verdict::Fail;
                evidence.summary.clone_from(why);
            }
            (Metrics::Silent(since, why, _), Some(_)) => evidence.silent = Some((*since, why.clone())),
            (Metrics::Idle, Some(_)) => (evidence.at, evidence.idle) = (None, true),
            (Metrics::Doubtful(why), Some(_)) => {
                evidence.standing.suspect = true;
                evidence.summary.clone_from(why);
            }
            _ => {}
        }
        evidence
    }

    fn pass_at(&self, plan: &Plan, state: &State, after: Duration) -> Option<Moment> {
        let Phase::Releasing(release) = &state.phase else {
            return None;
        };
        let (weight, given) = self.route.given;
        let taken = given + self.route.takes + plan.propagation;
        let usable =
            self.route.refusal.is_none() && self.route.unusable.is_none() && weight == release.weight;
        (usable && release.stage == Stage::Judging).then(|| taken.max(release.entered) + after)
    }

    /// When a controller process that has just begun gets its first reading.
    fn reads_again(&self) -> Moment {
        self.route.watched + Duration::from_secs(20)
    }

    /// When the hold of a bake has been read as a whole.
    fn baked_at(&self, plan: &Plan, state: &State) -> Option<Moment> {
        let Phase::Releasing(release) = &state.phase else {
            return None;
        };
        let rung = plan.rung(release.rung);
        let missing = rung.hold.saturating_sub(self.measured(release.entered));
        (rung.kind == RungKind::Bake && !matches!(self.metrics, Metrics::Silent(..)))
            .then(|| self.now + missing)
    }

    /// When something happens here by itself.
    pub(crate) fn next_event(&self, plan: &Plan, state: &State) -> Option<Moment> {
        let pass = match self.metrics {
            Metrics::Pass(after) => self.pass_at(plan, state, after),
            Metrics::Unclear
            | Metrics::Doubtful(_)
            | Metrics::Outage
            | Metrics::Idle
            | Metrics::Fail(_)
            | Metrics::FailByPast(_)
            | Metrics::Suspect(_)
            | Metrics::Silent(..) => None,
        };
        let roll = self
            .deployment
            .as_ref()
            .and_then(|deployment| deployment.rolls_until);
        let accepted = self
            .route
            .refusal
            .is_none()
            .then(|| self.route.written + self.route.takes);
        let baked = self.baked_at(plan, state);
        let reads = match &state.phase {
            Phase::Releasing(release) => {
                Some(self.reads_again()).filter(|_| self.route.watched > release.entered)
            }
            _ => None,
        };
        [pass, roll, accepted, baked, reads, self.candidate_ready_at]
            .into_iter()
            .flatten()
            .filter(|moment| *moment > self.now)
            .min()
    }

    /// Time goes on, and with it what the cluster does by itself.
    pub(crate) fn advance(&mut self, now: Moment) {
        self.now = now;
        if self.candidate_ready_at.is_some_and(|at| at <= now) {
            self.candidate_ready_at = None;
            self.candidate.ready = self.candidate.desired.min(self.candidate_cap);
        }
        let Some(deployment) = &mut self.deployment else {
            return;
        };
        if deployment.rolls_until.is_some_and(|at| at <= now) {
            deployment.rolls_until = None;
            let replicas = deployment.facts.replicas;
            let keep = deployment.facts.template.clone();
            deployment.empty_all_but(&keep);
            deployment.facts.revisions.insert(keep, pods(replicas, replicas));
            deployment.count();
            deployment.facts.since = now;
        }
    }

    /// The gateway takes over what the route says, at last.
    pub(crate) fn accept_route(&mut self) {
        self.route.written = self.now;
        self.route.given.1 = self.now;
    }

    /// At most `cap` candidate pods are ready from now on.
    pub(crate) fn cap_candidate(&mut self, cap: u32) {
        self.candidate_cap = cap;
        self.candidate.ready = self.candidate.desired.min(cap);
    }

    /// The template changes. Where the gate holds, the same request pauses the Deployment.
    pub(crate) fn change_template(&mut self, revision: Revision, gate: GateMode) {
        let holds = self.gate == Gate::Closed && gate == GateMode::Admission;
        if let Some(deployment) = &mut self.deployment {
            deployment.facts.template = revision;
            deployment.facts.paused |= holds && deployment.facts.gated;
            deployment.roll(self.now);
        }
    }

    /// Does what Serin wants, in order, until something is refused.
    pub(crate) fn apply_all<'a>(&mut self, effects: impl Iterator<Item = &'a Effect>) {
        self.refusal = None;
        for effect in effects {
            let refused = self.refused.as_ref().filter(|(kind, _)| kind == kind_of(effect));
            if let Some((_, problem)) = refused {
                self.refusal = Some(problem.clone());
                return;
            }
            self.apply(effect);
        }
    }

    fn apply(&mut self, effect: &Effect) {
        let now = self.now;
        match effect {
            Effect::Route { weight, .. } => self.write_route(*weight, true),
            Effect::RestoreRoute => self.write_route(Weight::NONE, false),
            Effect::Candidate { revision, replicas } => {
                self.candidate.revision = Some(revision.clone());
                self.candidate.service = true;
                self.candidate.desired = *replicas;
                self.candidate.ready = self.candidate.ready.min(*replicas);
                self.candidate_ready_at = (*replicas > 0).then(|| now + self.candidate_takes);
            }
            Effect::Retire => self.candidate = Candidate::default(),
            Effect::Finish { id, .. } => self.actions.retain(|action| action.id != *id),
            Effect::RemoveFinalizer => self.gone = true,
            Effect::Guard
            | Effect::Pause
            | Effect::Unpause { .. }
            | Effect::Purge { .. }
            | Effect::Release { .. } => {
                if let Some(deployment) = &mut self.deployment {
                    deployment.apply(effect, now);
                }
            }
        }
    }

    fn write_route(&mut self, weight: Weight, touched: bool) {
        if self.route.unusable.is_none() {
            self.route.weight = weight;
            self.route.touched = touched;
            self.route.written = self.now;
            if self.route.given.0 != weight {
                self.route.given = (weight, self.now);
            }
        }
    }
}

impl Deployment {
    fn apply(&mut self, effect: &Effect, now: Moment) {
        match effect {
            Effect::Guard => self.facts.gated = true,
            Effect::Pause => self.pause(),
            Effect::Unpause { template } if self.facts.template == *template => self.resume(now),
            Effect::Release { resume } => {
                self.facts.gated = false;
                if *resume {
                    self.resume(now);
                }
            }
            Effect::Purge { keep } => {
                self.pause();
                let (replicas, stuck) = (self.facts.replicas, self.stuck);
                self.empty_all_but(keep);
                if let Some(kept) = self.facts.revisions.get_mut(keep) {
                    // Of a revision that serves more pods can be had.
                    let more = !stuck || kept.ready > 0;
                    *kept = pods(replicas, if more { replicas } else { 0 });
                }
                self.count();
            }
            _ => {}
        }
    }

    /// Of other revisions the ReplicaSets are left, without pods.
    fn empty_all_but(&mut self, keep: &Revision) {
        let others = self.facts.revisions.iter_mut();
        others
            .filter(|(revision, _)| *revision != keep)
            .for_each(|(_, seen)| *seen = pods(0, 0));
    }

    fn pause(&mut self) {
        self.facts.paused = true;
        self.rolls_until = None;
    }

    /// Un-paused, by whomever.
    pub(crate) fn resume(&mut self, now: Moment) {
        self.facts.paused = false;
        self.roll(now);
    }

    /// The Deployment controller starts to replace pods, one half at first.
    fn roll(&mut self, now: Moment) {
        let target = self.facts.template.clone();
        if self.facts.paused || self.facts.serves(&target) {
            return;
        }
        let half = self.facts.replicas.div_ceil(2);
        for (revision, seen) in &mut self.facts.revisions {
            if *revision != target {
                *seen = pods(seen.desired.min(half), seen.ready.min(half));
            }
        }
        let wanted = self.facts.revisions.entry(target).or_default();
        if wanted.desired == 0 {
            *wanted = pods(half, 0);
        }
        self.count();
        self.rolls_until = (!self.stuck).then(|| now + self.roll_takes);
    }

    /// The stable Service's endpoints follow the ready pods.
    pub(crate) fn count(&mut self) {
        self.facts.endpoints = self.facts.revisions.values().map(|pods| pods.ready).sum();
    }
}

/// What a script calls the object that an effect writes.
fn kind_of(effect: &Effect) -> &'static str {
    match effect {
        Effect::Route { .. } | Effect::RestoreRoute => "route",
        Effect::Candidate { .. } | Effect::Retire => "candidate",
        Effect::Finish { .. } => "action",
        Effect::Guard
        | Effect::Pause
        | Effect::Unpause { .. }
        | Effect::Purge { .. }
        | Effect::Release { .. }
        | Effect::RemoveFinalizer => "deployment",
    }
}

/// So many pods.
pub(crate) fn pods(desired: u32, ready: u32) -> serin::engine::observation::Pods {
    serin::engine::observation::Pods { desired, ready }
}

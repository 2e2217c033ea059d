//! Plays a script: the engine decides, the simulated cluster follows, the transcript tells.

use std::fmt::Write as _;
use std::time::Duration;

use serin::api::Duration as Span;
use serin::engine::effect::Effect;
use serin::engine::gauge::{Gauges, Leak, Room};
use serin::engine::judge::Verdict;
use serin::engine::observation::{Action, Candidate, Crashes, Gate, Problem, Residual, Verb};
use serin::engine::state::Phase;
use serin::engine::{Decision, Moment, Observation, Revision, State, Weight, check, decide, report};

use super::cluster::{Cluster, Metrics, pods};
use super::script::{Line, Script, When, span};

/// How the controller misbehaves between two decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Crash {
    /// It does not.
    Never,
    /// It dies after each commit, before anything is done.
    AfterCommit,
    /// It dies after the first thing done, each time.
    AfterFirstEffect,
}

/// A script being played.
pub(crate) struct Play {
    script: Script,
    crash: Crash,
    start: Moment,
    pub(crate) cluster: Cluster,
    pub(crate) state: State,
    wake: Option<Moment>,
    pub(crate) transcript: String,
    told: String,
    actions: usize,
    /// Waits that were told until a moment that had passed.
    pub(crate) overdue: Vec<String>,
    pub(crate) decisions: Vec<(State, Observation, Moment)>,
}

/// Plays it to the end: until nothing is left that would happen by itself.
pub(crate) fn play(script: Script, crash: Crash) -> Play {
    let start = Moment::from_second(1_700_000_000).unwrap();
    let mut cluster = Cluster::new(start, script.replicas, &Revision::named(&script.revision));
    if let (true, Some(deployment)) = (script.fresh, &mut cluster.deployment) {
        deployment.facts.revisions.clear();
        deployment.facts.paused = true;
        deployment.count();
    }
    let mut play = Play {
        script,
        crash,
        start,
        cluster,
        state: State::default(),
        wake: None,
        transcript: String::new(),
        told: String::new(),
        actions: 0,
        overdue: Vec::new(),
        decisions: Vec::new(),
    };
    play.run();
    play
}

impl Play {
    fn run(&mut self) {
        let lines = self.script.lines.clone();
        let mut next = 0;
        let mut since = self.start;
        let mut armed = None;
        self.settle();
        for _ in 0..5000 {
            let due = lines.get(next).and_then(|line| self.due(line, since, &mut armed));
            if let Some(at) = due
                && at <= self.cluster.now
            {
                let line = &lines[next];
                let _ = writeln!(self.transcript, "# {}", line.text);
                self.perform(line);
                (next, since, armed) = (next + 1, self.cluster.now, None);
                self.settle();
                continue;
            }
            let times = [
                due,
                self.wake,
                self.cluster.next_event(&self.script.plan, &self.state),
            ];
            let Some(now) = times.into_iter().flatten().min() else {
                break;
            };
            if self.cluster.gone || now > since + Duration::from_hours(8) {
                break;
            }
            let until = self.state.waiting.as_ref().and_then(|waiting| waiting.until);
            if until.is_some_and(|until| until < now) {
                self.overdue.push(self.told.clone());
            }
            self.cluster.advance(now);
            self.settle();
        }
        assert!(
            next == lines.len(),
            "never came to: {}\n{}",
            lines[next].text,
            self.transcript
        );
    }

    /// When a line is due, as far as that is known yet.
    fn due(&self, line: &Line, since: Moment, armed: &mut Option<Moment>) -> Option<Moment> {
        let (holds, wait) = match &line.when {
            When::At(time) => return Some(self.start + *time),
            When::After(time) => return Some(since + *time),
            When::Weight(weight, wait) => (self.state.weight().percent() == *weight, *wait),
            When::Phase(phase, wait) => (report::phase(&self.state).as_str() == phase, *wait),
        };
        if holds && armed.is_none() {
            *armed = Some(self.cluster.now + wait);
        }
        *armed
    }

    /// Decides and does until nothing changes any more at this moment.
    fn settle(&mut self) {
        for _ in 0..60 {
            if self.cluster.gone {
                return;
            }
            let now = self.cluster.now;
            let seen = self.cluster.observe(&self.script.plan, &self.state);
            let decision = self.decide(&seen);
            let news = decision.next != self.state;
            self.tell(&decision);
            self.state = reread(&decision.next);
            self.wake = decision.wake;
            assert!(self.wake.is_none_or(|wake| wake > now), "wakes in the past");
            let doable = match self.crash {
                Crash::AfterCommit if news => 0,
                Crash::AfterFirstEffect => 1,
                Crash::Never | Crash::AfterCommit => usize::MAX,
            };
            if doable > 0 {
                self.cluster.apply_all(decision.effects.iter().take(doable));
            }
            let same = self.cluster.observe(&self.script.plan, &self.state) == seen;
            if !news && same {
                return;
            }
        }
        panic!("does not come to rest:\n{}", self.transcript);
    }

    /// One decision, with everything that holds of each.
    fn decide(&mut self, seen: &Observation) -> Decision {
        let (plan, now) = (&self.script.plan, self.cluster.now);
        let decision = decide(plan, &self.state, seen, now);
        let breaches = check(plan, &self.state, seen, &decision);
        assert!(breaches.is_empty(), "{breaches:?} at\n{}", self.transcript);
        let again = decide(plan, &reread(&decision.next), seen, now);
        assert_eq!(
            again.next, decision.next,
            "decided twice, at\n{}",
            self.transcript
        );
        assert_eq!(
            again.effects, decision.effects,
            "effects differ after a crash, at\n{}",
            self.transcript
        );
        assert!(
            again.notes.is_empty(),
            "told twice: {:?} at\n{}",
            again.notes,
            self.transcript
        );
        let grows = decision.next.weight() > self.state.weight();
        let releasing = matches!(decision.next.phase, Phase::Releasing(_));
        assert!(!(grows && releasing) || seen.evidence.verdict != Verdict::Fail);
        self.decisions.push((self.state.clone(), seen.clone(), now));
        decision
    }

    fn tell(&mut self, decision: &Decision) {
        let clock = |moment: Moment| {
            let gone = Duration::try_from(moment.duration_since(self.start)).unwrap_or_default();
            Span::from_secs(gone.as_secs()).to_string()
        };
        let mut text = String::new();
        let state = &decision.next;
        let _ = write!(
            text,
            "{:<10} {:>5}",
            report::phase(state).as_str(),
            state.weight().to_string()
        );
        if let Some(waiting) = &state.waiting {
            let _ = write!(text, "  {}: {}", waiting.reason, waiting.message);
            if let Some(until) = waiting.until {
                let _ = write!(text, " (until {})", clock(until));
            }
        }
        let mut lines = String::new();
        for note in &decision.notes {
            let sign = match (note.warning, note.detail) {
                (true, _) => '!',
                (false, true) => '.',
                (false, false) => '*',
            };
            let _ = writeln!(lines, "         {sign} {}: {}", note.reason, note.message);
        }
        if text != self.told {
            let _ = writeln!(lines, "{:>7}  {text}", clock(self.cluster.now));
            self.told = text;
        }
        for effect in &decision.effects {
            let _ = writeln!(lines, "         > {}", words(effect));
        }
        self.transcript += &lines;
    }

    fn perform(&mut self, line: &Line) {
        let words: Vec<&str> = line.words.iter().map(String::as_str).collect();
        let now = self.cluster.now;
        match words.as_slice() {
            [
                "metrics" | "gauges" | "share" | "residual" | "template" | "action" | "scale" | "deployment"
                | "rollout" | "someone" | "clock",
                ..,
            ] => {
                self.perform_by_people(&words);
            }
            ["controller", "restarts"] => self.cluster.route.watched = now,
            ["candidate", "ready", "all"] => self.cluster.cap_candidate(u32::MAX),
            ["candidate", "ready", count] => self.cluster.cap_candidate(count.parse().unwrap()),
            ["candidate", "crashes", restarts, "times", "on", pods, "pods"] => {
                self.cluster.candidate.crashes = Crashes {
                    pods: pods.parse().unwrap(),
                    restarts: restarts.parse().unwrap(),
                    how: Some(
                        "container `app` of pod `checkout-0` ended with OOMKilled, exit code 137".into(),
                    ),
                };
            }
            ["candidate", "trouble", why] => self.cluster.candidate.trouble = Some((*why).to_owned()),
            ["route", "refused", why] => self.cluster.route.refusal = Some((*why).to_owned()),
            ["route", "accepted"] => {
                self.cluster.route.refusal = None;
                self.cluster.accept_route();
            }
            ["route", "gone"] => {
                self.cluster.route.unusable =
                    Some(problem("RouteNotFound", "HTTPRoute shop/checkout is not there"));
                self.cluster.route.weight = Weight::NONE;
                self.cluster.route.touched = false;
            }
            ["route", "names", "neither"] => {
                self.cluster.route.unusable = Some(problem("RouteWithoutService", "no rule names checkout"));
                self.cluster.route.weight = Weight::NONE;
                self.cluster.route.touched = false;
            }
            ["route", "busy", why] => {
                self.cluster.route.unusable = Some(problem("RouteBusy", why));
                self.cluster.route.weight = Weight::NONE;
                self.cluster.route.touched = false;
            }
            ["route", "unreadable", why] => self.cluster.route.unusable = Some(problem("Forbidden", why)),
            ["route", "back"] => {
                self.cluster.route.unusable = None;
                self.cluster.accept_route();
            }
            ["gate", "open", why] => self.cluster.gate = Gate::Open(problem("GateOpen", why)),
            ["gate", "unknown"] => self.cluster.gate = Gate::Unknown,
            ["gate", "closed"] => self.cluster.gate = Gate::Closed,
            ["preflight", "looks"] => self.cluster.preflight = None,
            ["preflight", "clean"] => self.cluster.preflight = Some(Vec::new()),
            ["preflight", "finds", why] => {
                self.cluster.preflight = Some(vec![problem("SelectorOverlap", why)]);
            }
            ["server", "refuses", "nothing"] => self.cluster.refused = None,
            ["server", "refuses", kind, why] => {
                self.cluster.refused = Some(((*kind).to_owned(), problem("AccessDenied", why)));
            }
            ["problem" | "steps" | "spec", ..] => self.edit_spec(&words),
            other => panic!("no such event: {other:?}"),
        }
    }

    /// The owner edits the spec, for better or worse.
    fn edit_spec(&mut self, words: &[&str]) {
        match words {
            ["problem", "is", "cured"] => {
                self.cluster.problems.clear();
                self.script.find_spec();
            }
            ["problem", why] => {
                self.cluster.problems = vec![problem("InvalidSpec", why)];
                self.script.lose_spec();
            }
            ["steps", weights] => self.script.change_steps(weights),
            ["spec", "pauses"] => self.script.pause(true),
            ["spec", "goes", "on"] => self.script.pause(false),
            other => panic!("no such event: {other:?}"),
        }
    }

    fn perform_by_people(&mut self, words: &[&str]) {
        let now = self.cluster.now;
        let gate = self.script.plan.gate;
        match words {
            ["metrics", rest @ ..] => self.cluster.say(metrics(rest, now)),
            ["gauges", rest @ ..] => self.cluster.gauges = gauges(rest),
            ["share", percent] => self.cluster.share = percent.parse().ok().map(Weight::clamped),
            ["residual", rest @ ..] => self.cluster.residual = residual(rest, now),
            ["template", name] => self.cluster.change_template(Revision::named(*name), gate),
            ["action", first, "then", second] => {
                self.ask(first, &[]);
                self.ask(second, &[]);
            }
            ["action", first, "and", "later", second] => {
                self.ask(first, &[]);
                self.ask(second, &[]);
                let latest = format!("action-{}", self.actions);
                let later = self.cluster.actions.iter_mut().filter(|it| it.id == latest);
                later.for_each(|it| it.created += Duration::from_secs(1));
            }
            ["action", verb, rest @ ..] => self.ask(verb, rest),
            ["scale", count, rest @ ..] => self.scale(count.parse().unwrap(), rest),
            ["someone", rest @ ..] => self.someone(rest),
            ["clock", "was", time, "ahead"] => {
                self.state = in_the_future(&self.state, span(time));
            }
            ["rollout", "deleted"] => self.cluster.deleting = true,
            ["deployment", "deleted"] => self.cluster.deployment = None,
            ["deployment", "made", "anew", "paused", name] => self.make_anew(name, true),
            ["deployment", "made", "anew", "of", name] => self.make_anew(name, false),
            ["deployment", rest @ ..] => {
                let deployment = self.cluster.deployment.as_mut().unwrap();
                match rest {
                    ["is", "stuck"] => deployment.stuck = true,
                    ["is", "out", "of", "reach"] => deployment.facts.endpoints = 0,
                    ["is", "in", "reach"] => deployment.count(),
                    ["keeps", "no", "history"] => {
                        deployment.facts.revisions.retain(|_, seen| seen.desired > 0);
                    }
                    ["is", "overdue"] => deployment.facts.overdue = Some(now),
                    ["is", "cured"] => {
                        deployment.stuck = false;
                        if !deployment.facts.paused {
                            deployment.rolls_until = Some(now + deployment.roll_takes);
                        }
                    }
                    ["ready", count] => {
                        let template = deployment.facts.template.clone();
                        if let Some(seen) = deployment.facts.revisions.get_mut(&template) {
                            seen.ready = count.parse().unwrap();
                        }
                        deployment.count();
                    }
                    ["runs", count, "of", name] => {
                        let count = count.parse().unwrap();
                        let revision = Revision::named(*name);
                        deployment.facts.revisions.insert(revision, pods(count, count));
                        deployment.count();
                    }
                    ["has", count, "ready", "of", name] => {
                        let revision = Revision::named(*name);
                        if let Some(seen) = deployment.facts.revisions.get_mut(&revision) {
                            seen.ready = count.parse().unwrap();
                        }
                        deployment.count();
                    }
                    other => panic!("no such event: deployment {other:?}"),
                }
            }
            other => panic!("no such event: {other:?}"),
        }
    }

    /// Other replicas, and their pods at once unless these are slow.
    fn scale(&mut self, count: u32, how: &[&str]) {
        let deployment = self.cluster.deployment.as_mut().unwrap();
        let facts = &mut deployment.facts;
        facts.replicas = count;
        if how == ["pods", "are", "slow"] {
            let some = facts.revisions.values_mut().filter(|seen| seen.desired > 0);
            some.for_each(|seen| seen.desired = count);
        } else {
            let mut some = facts.revisions.iter().filter(|(_, seen)| seen.desired > 0);
            let serving = some.next().map(|(revision, _)| revision.clone());
            let serving = serving.unwrap_or_else(|| facts.template.clone());
            facts.revisions.insert(serving, pods(count, count));
        }
        deployment.count();
    }

    /// Who has no business there.
    fn someone(&mut self, words: &[&str]) {
        let now = self.cluster.now;
        match words {
            ["resets", "the", "route"] => {
                self.cluster.route.weight = Weight::NONE;
                self.cluster.route.touched = false;
                self.cluster.route.written = now;
            }
            ["resumes", "the", "deployment"] => {
                self.cluster.deployment.as_mut().unwrap().resume(now);
            }
            ["takes", "the", "gate", "off"] => {
                self.cluster.deployment.as_mut().unwrap().facts.gated = false;
            }
            ["deletes", "the", "candidate"] => self.cluster.candidate = Candidate::default(),
            ["deletes", "the", "candidate's", "service"] => self.cluster.candidate.service = false,
            ["keeps", "resetting", "the", "route"] => {
                self.cluster.contest = Some(problem(
                    "RouteContested",
                    "HTTPRoute shop/checkout is changed again and again",
                ));
            }
            ["leaves", "the", "route", "alone"] => self.cluster.contest = None,
            other => panic!("no such event: someone {other:?}"),
        }
    }

    fn make_anew(&mut self, name: &str, paused: bool) {
        let now = self.cluster.now;
        let mut fresh = Cluster::new(now, self.script.replicas, &Revision::named(name))
            .deployment
            .unwrap();
        fresh.facts.revisions.clear();
        fresh.facts.paused = paused;
        fresh.count();
        self.cluster.deployment = Some(fresh);
        if !paused {
            self.settle();
            self.cluster.deployment.as_mut().unwrap().resume(now);
        }
    }

    fn ask(&mut self, verb: &str, rest: &[&str]) {
        let verb = match verb {
            "approve" => Verb::Approve,
            "pause" => Verb::Pause,
            "resume" => Verb::Resume,
            "abort" => Verb::Abort,
            other => panic!("no such action: {other}"),
        };
        self.actions += 1;
        let revision = match rest {
            ["of", name] => Some(Revision::named(*name)),
            _ => self.state.active().cloned(),
        };
        self.cluster.actions.push(Action {
            id: format!("action-{}", self.actions),
            created: self.cluster.now,
            verb,
            revision,
        });
        self.cluster
            .actions
            .sort_by_key(|action| action.verb != Verb::Abort);
    }
}

fn metrics(words: &[&str], now: Moment) -> Metrics {
    match words {
        ["pass", "after", time] => Metrics::Pass(span(time)),
        ["idle"] => Metrics::Idle,
        ["outage"] => Metrics::Outage,
        ["fail", "by", "the", "past", why] => Metrics::FailByPast((*why).to_owned()),
        ["unclear"] => Metrics::Unclear,
        ["doubtful", why] => Metrics::Doubtful((*why).to_owned()),
        ["fail", why] => Metrics::Fail((*why).to_owned()),
        ["suspect", why] => Metrics::Suspect((*why).to_owned()),
        ["silent", why] => Metrics::Silent(now, (*why).to_owned(), None),
        other => panic!("no such metrics: {other:?}"),
    }
}

fn gauges(words: &[&str]) -> Gauges {
    let room = |room| Gauges {
        room,
        leak: Leak::None,
    };
    let leak = |leak| Gauges {
        room: Room::Enough,
        leak,
    };
    match words {
        ["fine"] => Gauges::default(),
        ["tight", why] => room(Room::TooTight((*why).to_owned())),
        ["unknown", why] => room(Room::Unknown((*why).to_owned())),
        ["leak", "slowly", why] => leak(Leak::Holds((*why).to_owned())),
        ["leak", "fast", why] => leak(Leak::Fails((*why).to_owned())),
        other => panic!("no such event: gauges {other:?}"),
    }
}

fn residual(words: &[&str], now: Moment) -> Residual {
    match words {
        ["awaited"] => Residual::Awaited,
        ["unknown"] => Residual::Unknown,
        ["gone"] => Residual::Gone,
        [count, "by", "the", "route"] => Residual::Comes {
            per_second: count.parse().unwrap(),
            routed: true,
        },
        [count, "by", "the", "route", "when", "last", "told"] => Residual::Came {
            per_second: count.parse().unwrap(),
            routed: true,
            told: now,
        },
        [count, "in", "the", "pods"] => Residual::Comes {
            per_second: count.parse().unwrap(),
            routed: false,
        },
        other => panic!("no such event: residual {other:?}"),
    }
}

fn problem(reason: &'static str, message: &str) -> Problem {
    Problem {
        reason,
        message: message.to_owned(),
    }
}

/// The state as a process would have written it whose clock is so far ahead.
fn in_the_future(state: &State, span: Duration) -> State {
    let mut state = state.clone();
    match &mut state.phase {
        Phase::Releasing(release) => release.entered += span,
        Phase::Promoting(promotion) => promotion.entered += span,
        other => panic!("no clock in {other:?}"),
    }
    state
}

/// The state as another process reads it.
pub(crate) fn reread(state: &State) -> State {
    let text = serde_json::to_string(state).unwrap();
    let read: State = serde_json::from_str(&text).unwrap();
    assert_eq!(read, *state, "the status loses something");
    read
}

/// An effect in words.
fn words(effect: &Effect) -> String {
    match effect {
        Effect::Guard => "put the gate on the Deployment".into(),
        Effect::Route {
            weight: Weight::NONE,
            up: true,
        } => "the route names the candidate, without a share yet".into(),
        Effect::Route { weight, up: true } => {
            format!("the route gives the candidate {weight}, more than now")
        }
        Effect::Route { weight, up: false } => format!("the route gives the candidate {weight}"),
        Effect::Candidate { revision, replicas } => format!("candidate of {revision} with {replicas} pods"),
        Effect::Unpause { template } => format!("resume the Deployment if it holds {template}"),
        Effect::Pause => "pause the Deployment".into(),
        Effect::Purge { keep } => format!("only {keep} keeps its pods"),
        Effect::RestoreRoute => "the route is the user's again".into(),
        Effect::Retire => "remove the candidate".into(),
        Effect::Release { resume: true } => "take the gate off and resume the Deployment".into(),
        Effect::Release { resume: false } => "take the gate off and leave the Deployment as it is".into(),
        Effect::RemoveFinalizer => "let the Rollout go".into(),
        Effect::Finish { id, refusal: None } => format!("{id} is done"),
        Effect::Finish {
            id,
            refusal: Some(why),
        } => format!("{id} is refused: {why}"),
    }
}

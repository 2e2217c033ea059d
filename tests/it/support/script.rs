//! The language of `tests/scenarios/*.txt`: one line, one fact or event.
//!
//! `at 30s …`, `after 15s …` (since the line before), `when weight 25 …`, `when phase Baking …`; without any of
//! these a line happens together with the one before. `when …, after 10s …` adds a delay.

use std::time::Duration;

use serin::api::Duration as Span;
use serin::engine::Weight;
use serin::engine::plan::{Analysis, GateMode, OnSilence, Plan, Promotion, Rollback, Step, rungs};

/// When a line happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum When {
    /// So long after the start.
    At(Duration),
    /// So long after the line before.
    After(Duration),
    /// As soon as the committed weight is this one, and a while.
    Weight(u8, Duration),
    /// As soon as the phase has this name, and a while.
    Phase(String, Duration),
}

/// One event.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) when: When,
    /// The words of the event; quoted text is one word.
    pub(crate) words: Vec<String>,
    /// As written, for the transcript.
    pub(crate) text: String,
}

/// A scenario: its plan, its first facts, its events.
pub(crate) struct Script {
    pub(crate) plan: Plan,
    pub(crate) replicas: u32,
    pub(crate) revision: String,
    /// The Deployment was created paused and has no pods yet.
    pub(crate) fresh: bool,
    pub(crate) lines: Vec<Line>,
    wishes: Wishes,
}

impl Script {
    /// The owner writes other steps.
    pub(crate) fn change_steps(&mut self, weights: &str) {
        self.wishes.read(&["weights", weights]);
        self.plan = self.wishes.plan();
    }

    /// The spec cannot be read any more.
    pub(crate) fn lose_spec(&mut self) {
        self.plan = Plan::fallback(self.plan.gate);
    }

    /// The spec can be read again.
    pub(crate) fn find_spec(&mut self) {
        self.plan = self.wishes.plan();
    }

    /// The owner sets `spec.paused`.
    pub(crate) fn pause(&mut self, paused: bool) {
        self.plan.paused = paused;
    }
}

/// Reads a script.
pub(crate) fn read(text: &str) -> Script {
    let mut wishes = Wishes::default();
    let (mut replicas, mut revision, mut fresh) = (4, "v1".to_owned(), false);
    let mut lines = Vec::new();
    for line in text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let words = split(line);
        let head: Vec<&str> = words.iter().map(String::as_str).collect();
        match head.as_slice() {
            ["plan", rest @ ..] => wishes.read(rest),
            ["deployment", count, "replicas", "of", name, "serves"] => {
                replicas = count.parse().unwrap();
                revision = (*name).into();
            }
            ["deployment", count, "replicas", "of", name, "created", "paused"] => {
                replicas = count.parse().unwrap();
                revision = (*name).into();
                fresh = true;
            }
            _ => lines.push(event(line, &words)),
        }
    }
    Script {
        plan: wishes.plan(),
        replicas,
        revision,
        fresh,
        lines,
        wishes,
    }
}

fn event(line: &str, words: &[String]) -> Line {
    let head: Vec<&str> = words.iter().map(|word| word.trim_end_matches(',')).collect();
    let (mut when, mut used) = match head.as_slice() {
        ["at", time, ..] => (When::At(span(time)), 2),
        ["after", time, ..] => (When::After(span(time)), 2),
        ["when", "weight", weight, ..] => (When::Weight(weight.parse().unwrap(), Duration::ZERO), 3),
        ["when", "phase", phase, ..] => (When::Phase((*phase).to_owned(), Duration::ZERO), 3),
        _ => (When::After(Duration::ZERO), 0),
    };
    if let (When::Weight(_, wait) | When::Phase(_, wait), ["after", time]) =
        (&mut when, head.get(used..used + 2).unwrap_or_default())
    {
        *wait = span(time);
        used += 2;
    }
    Line {
        when,
        words: words[used..].to_vec(),
        text: line.to_owned(),
    }
}

/// `1m30s` as time.
pub(crate) fn span(text: &str) -> Duration {
    text.parse::<Span>()
        .unwrap_or_else(|_| panic!("`{text}` is no span of time"))
        .into()
}

/// Words at blanks; a quoted text is one word.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('"').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

struct Wishes {
    weights: Vec<u8>,
    hold: Duration,
    deadline: Duration,
    approvals: Vec<u8>,
    bake_share: u8,
    on_no_data: OnSilence,
    on_inconclusive: OnSilence,
    gate: GateMode,
    resume_on_delete: bool,
    returns: Vec<u8>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            weights: vec![10, 25, 100],
            hold: Duration::from_mins(1),
            deadline: Duration::from_mins(30),
            approvals: Vec::new(),
            bake_share: 5,
            on_no_data: OnSilence::Hold,
            on_inconclusive: OnSilence::Hold,
            gate: GateMode::Admission,
            resume_on_delete: false,
            returns: vec![25, 50, 100],
        }
    }
}

impl Wishes {
    fn read(&mut self, words: &[&str]) {
        let list = |text: &str| text.split(',').map(|part| part.parse().unwrap()).collect();
        for pair in words.chunks(2) {
            match pair {
                ["weights", weights] => self.weights = list(weights),
                ["hold", time] => self.hold = span(time),
                ["deadline", time] => self.deadline = span(time),
                ["approval", weights] => self.approvals = list(weights),
                ["bake-share", share] => self.bake_share = share.parse().unwrap(),
                ["no-data", "rollback"] => self.on_no_data = OnSilence::Rollback,
                ["inconclusive", "rollback"] => self.on_inconclusive = OnSilence::Rollback,
                ["gate", "paused"] => self.gate = GateMode::Paused,
                ["returns", shares] => self.returns = list(shares),
                ["on-delete", "resume"] => self.resume_on_delete = true,
                other => panic!("the plan knows no {other:?}"),
            }
        }
    }

    fn plan(&self) -> Plan {
        let steps: Vec<Step> = self
            .weights
            .iter()
            .map(|weight| Step {
                weight: Weight::clamped(*weight),
                hold: self.hold,
                deadline: self.deadline,
                approval: self.approvals.contains(weight),
            })
            .collect();
        let minutes = |count: u64| Duration::from_secs(60 * count);
        Plan {
            rungs: rungs(
                &steps,
                Weight::clamped(20),
                Weight::clamped(self.bake_share),
                self.hold,
            ),
            steps: steps.len(),
            preflight_deadline: minutes(5),
            scaling_deadline: minutes(10),
            route_deadline: Duration::from_secs(10),
            propagation: Duration::from_secs(2),
            on_inconclusive: self.on_inconclusive,
            on_no_data: self.on_no_data,
            no_data_deadline: minutes(5),
            rollback: Rollback {
                drain: Duration::from_secs(30),
                keep: minutes(10),
            },
            promotion: Promotion {
                returns: self.returns.iter().copied().map(Weight::clamped).collect(),
                warm_up: Duration::from_secs(30),
                bake: minutes(5),
                deadline: minutes(15),
            },
            paused: false,
            gate: self.gate,
            resume_on_delete: self.resume_on_delete,
            analysis: Analysis {
                interval: Duration::from_secs(15),
                warm_up: Duration::from_secs(10),
                false_rollback: 0.01,
                wrong_promotion: 0.05,
                metrics: Vec::new(),
            },
        }
    }
}

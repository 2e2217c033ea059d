//! What a backtest finds: what happened when, and how it ended.

use crate::cli::Exit;
use crate::cli::plot::{self, Standing, Tape};
use crate::engine::Moment;
use crate::engine::judge::{Judge, Verdict};
use crate::engine::plan::{Rung, RungKind};
use crate::engine::words;
use crate::stats::Assessment;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) at: Moment,
    /// The user's step, from 1, and the candidate's weight in per cent.
    pub(super) step: usize,
    pub(super) weight: f64,
    pub(super) what: What,
    pub(super) sentence: String,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A step began.
    Step,
    /// The last step went on from its proof to its bake.
    Bake,
    /// A step began that this Rollout would not have begun yet.
    Hasty,
    /// The step's proof is there.
    Pass,
    /// A regression is proven.
    Fail,
    /// The step's deadline passed without a verdict.
    Inconclusive,
    /// The window ends, or the candidate's traffic.
    End,
}

impl What {
    /// A rung of this kind begins.
    pub(super) const fn begins(kind: RungKind) -> Self {
        match kind {
            RungKind::Proof => Self::Step,
            RungKind::Bake => Self::Bake,
        }
    }

    /// Its name in JSON.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Step => "Step",
            Self::Bake => "Bake",
            Self::Hasty => "Hasty",
            Self::Pass => "Pass",
            Self::Fail => "Fail",
            Self::Inconclusive => "Inconclusive",
            Self::End => "End",
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Rolled back at a moment.
    RolledBack(Rollback),
    /// Proven to the end, at a moment.
    Promoted(Moment),
    /// Neither.
    Undecided,
}

/// A rollback, and what it is worth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rollback {
    pub(super) at: Moment,
    pub(super) weight: f64,
    /// What it is counted from: the first bad request that told, or the change.
    pub(super) since: Option<Moment>,
    /// Bad requests that would not have happened.
    pub(super) spared: f64,
    /// They did not fail but took long.
    pub(super) slow: bool,
}

/// A course, as it is told.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) entries: Vec<Entry>,
    pub(super) outcome: Outcome,
    pub(super) tape: Tape,
    /// Evaluations, how many had no data, and why the first had not.
    pub(super) evaluations: usize,
    pub(super) silent: usize,
    pub(super) why_silent: Option<String>,
    /// When the evidence against the candidate was last as low as ever.
    pub(super) lowest: Option<(f64, Moment)>,
}

impl Course {
    /// Something happened on `rung`.
    pub(super) fn enter(&mut self, at: Moment, rung: &Rung, what: What, sentence: String) {
        self.entries.push(Entry {
            at,
            step: rung.step + 1,
            weight: f64::from(rung.weight.percent()),
            what,
            sentence,
        });
    }

    pub(super) fn new() -> Self {
        Self {
            entries: Vec::new(),
            outcome: Outcome::Undecided,
            tape: Tape::of(None),
            evaluations: 0,
            silent: 0,
            why_silent: None,
            lowest: None,
        }
    }

    /// Notes an evaluation.
    pub(super) fn note(&mut self, judge: &Judge, at: Moment, weight: f64) {
        self.evaluations += 1;
        let (against, seen) = (judge.against().evidence, judge.standing());
        if self.lowest.is_none_or(|(lowest, _)| against <= lowest) {
            self.lowest = Some((against, at));
        }
        let steps = judge.assessments().map(|(_, seen): (_, Assessment)| seen.step);
        if let Some(in_favour) = plot::least(steps) {
            self.tape.push(Standing {
                t: at.as_millisecond() as f64 / 1000.0,
                weight,
                against: judge.against(),
                in_favour,
                failed: seen.verdict == Verdict::Fail,
                passes: seen.verdict == Verdict::Pass && !seen.idle,
            });
        }
    }

    /// Notes an evaluation without data.
    pub(super) fn miss(&mut self, why: String) {
        self.silent += 1;
        self.why_silent.get_or_insert(why);
    }

    pub(super) const fn exit(&self) -> Exit {
        match self.outcome {
            Outcome::RolledBack(_) => Exit::Failed,
            Outcome::Promoted(_) => Exit::Healthy,
            Outcome::Undecided => Exit::Undecided,
        }
    }
}

/// What the bake has seen when it ends, or the window does. It waits for no proof, so none is told.
pub(super) fn baked(judge: &Judge, over: bool) -> String {
    let rates = judge.assessments().map(|(metric, seen)| {
        let (candidate, baseline) = (seen.in_step.candidate, seen.in_step.baseline);
        let beside = if baseline.requests == 0 {
            "with nothing beside it".to_owned()
        } else {
            format!("against {} beside it", words::rate(baseline))
        };
        format!("{} {} {beside}", metric.name, words::rate(candidate))
    });
    let ended = if over {
        "the bake is over, and no regression was proven"
    } else {
        "the proof is there, and the bake is not over"
    };
    format!("{ended}: {}", rates.collect::<Vec<_>>().join("; "))
}

/// The metric that convicts, by position: the one with the most evidence against the candidate.
pub(super) fn culprit(judge: &Judge) -> usize {
    let spare = |seen: &Assessment| seen.fail.evidence - seen.fail.needed;
    let all = judge.assessments().map(|(_, seen)| spare(&seen)).enumerate();
    let most = all.max_by(|a, b| a.1.total_cmp(&b.1));
    most.map_or(0, |(index, _)| index)
}

//! A past release: its own counts, judged as they came.

use std::collections::BTreeMap;

use super::course::{Course, Outcome, Rollback, What, baked, culprit};
use super::past::{Read, Window, counts, ticks};
use super::steps::{self, Shares};
use crate::cli::Failure;
use crate::engine::judge::{Judge, Verdict};
use crate::engine::plan::{MetricKind, Plan};
use crate::engine::{Moment, Revision};
use crate::sources::counters::Reading;
use crate::stats::{Arms, Counts};

/// One evaluation: for each metric what was read, or why nothing was.
type Evaluation<'a> = BTreeMap<usize, Result<&'a Reading, String>>;

/// That nothing was read of the candidate, and the last reason if there is one.
fn unread(read: &Read) -> String {
    let mut latest = read.points.iter().flatten().rev();
    let why = latest.find_map(|point| point.outcome.as_ref().err());
    let why = why.map_or_else(String::new, |why| format!(" ({why})"));
    format!("the candidate has no request in this window{why}")
}

/// Judges the release in `read`.
pub(super) fn judge(plan: &Plan, read: &Read, window: &Window) -> Result<Course, Failure> {
    let weights: Vec<f64> = plan
        .rungs
        .iter()
        .map(|rung| f64::from(rung.weight.percent()))
        .collect();
    let shares = steps::course(&shares(read), &weights, &window.steps);
    let Some(begun) = shares.steps.first().map(|step| step.from) else {
        return Err(Failure::usage(
            unread(read),
            "is the window right (--from, --to), and the candidate's name (--revision, --candidate)?",
        ));
    };
    let mut trial = Trial {
        plan,
        judge: Judge::of(
            plan,
            &Revision::named("past"),
            &read.learned.briefs,
            read.learned.pace,
        ),
        course: Course::new(),
        steps: shares.steps,
        next: 0,
        rung: 0,
        entered: begun,
        passed: false,
        proven: None,
        baked: None,
        deserted: false,
        last: vec![None; read.points.len()],
    };
    let mut end = window.to;
    for (at, evaluation) in evaluations(read) {
        if at <= begun {
            trial.set_base(at, &evaluation);
            continue;
        }
        if shares.until.is_some_and(|until| at > until) {
            end = shares.until.unwrap_or(end);
            break;
        }
        trial.take(at, &evaluation);
        if trial.judge.standing().verdict == Verdict::Fail {
            let rollback = rollback(&trial, read, at);
            trial.say(at, What::Fail);
            trial.course.outcome = Outcome::RolledBack(rollback);
            return Ok(trial.course);
        }
    }
    trial.bake(end);
    if let Some(baked) = trial.baked {
        trial.course.outcome = Outcome::Promoted(baked);
    }
    if trial.proven.is_some() {
        let sentence = baked(&trial.judge, matches!(trial.course.outcome, Outcome::Promoted(_)));
        let rung = trial.plan.rung(trial.rung);
        trial.course.enter(end, rung, What::End, sentence);
    } else {
        trial.say(end, What::End);
    }
    Ok(trial.course)
}

/// The release as it is judged.
struct Trial<'a> {
    plan: &'a Plan,
    judge: Judge,
    course: Course,
    steps: Vec<steps::Step>,
    /// The next of the steps.
    next: usize,
    rung: usize,
    entered: Moment,
    /// The present rung's proof was seen.
    passed: bool,
    /// When the last step had its proof, and when its bake was over.
    proven: Option<Moment>,
    baked: Option<Moment>,
    /// Nobody has asked the candidate when it was looked at last.
    deserted: bool,
    /// When each metric was last read.
    last: Vec<Option<Moment>>,
}

impl Trial<'_> {
    /// An evaluation before the release: it only says since when the next one counts.
    fn set_base(&mut self, at: Moment, evaluation: &Evaluation<'_>) {
        for index in evaluation.keys() {
            self.last[*index] = Some(at);
        }
    }

    fn take(&mut self, at: Moment, evaluation: &Evaluation<'_>) {
        while let Some(step) = self.steps.get(self.next).copied().filter(|step| step.from < at) {
            self.begin(step);
        }
        let interval = self.plan.analysis.interval.as_secs_f64();
        for (index, read) in evaluation {
            match read {
                Ok(reading) => {
                    let before = self.last[*index].replace(at);
                    let seconds = before.map_or(interval, |before| at.duration_since(before).as_secs_f64());
                    let ticks = ticks(&reading.candidate, &reading.baseline, seconds);
                    self.judge.observe(*index, at, ticks);
                }
                Err(why) => {
                    self.judge.miss(*index, at, why);
                    self.course.miss(why.clone());
                }
            }
        }
        let seen = self.judge.standing();
        let weight = self.weight();
        self.course.note(&self.judge, at, weight);
        self.bake(at);
        if seen.verdict == Verdict::Pass && !seen.idle && !self.passed {
            self.passed = true;
            if self.plan.rung(self.rung).step + 1 == self.plan.steps {
                self.proven.get_or_insert(at);
            }
            self.say(at, What::Pass);
        }
    }

    /// After its proof the last step is left by time alone, as long as nothing speaks against it and somebody asks the
    /// candidate.
    fn bake(&mut self, at: Moment) {
        let bake = self.plan.rungs.last().map(|rung| rung.hold).unwrap_or_default();
        let over = self.proven.and_then(|proven| proven.checked_add(bake).ok());
        let deserted = self.judge.standing().idle;
        if let Some(over) = over.filter(|over| *over <= at && !deserted) {
            self.baked.get_or_insert(if self.deserted { at } else { over });
        }
        self.deserted = deserted;
    }

    /// A step of the release began, whatever this Rollout would have done.
    fn begin(&mut self, step: steps::Step) {
        let held = step.from.duration_since(self.entered);
        let enough =
            std::time::Duration::try_from(held).unwrap_or_default() >= self.plan.rung(self.rung).hold;
        let seen = self.judge.evidence();
        let ready = self.next == 0 || (self.passed && enough && !seen.idle);
        let lacks = seen.summary;
        self.rung = step.rung;
        self.entered = step.from;
        self.passed = false;
        self.next += 1;
        for index in 0..self.judge.len() {
            let entered = Some(step.from);
            self.judge
                .begin_rung_of(index, self.plan, (step.rung, 1), entered);
        }
        let begins = What::begins(self.plan.rung(step.rung).kind);
        let (what, sentence) = if ready {
            (begins, String::new())
        } else {
            (What::Hasty, lacks)
        };
        self.course
            .enter(step.from, self.plan.rung(self.rung), what, sentence);
    }

    fn weight(&self) -> f64 {
        f64::from(self.plan.rung(self.rung).weight.percent())
    }

    fn say(&mut self, at: Moment, what: What) {
        let sentence = self.judge.evidence().summary;
        self.course.enter(at, self.plan.rung(self.rung), what, sentence);
    }
}

/// What was read at each time, all metrics together.
fn evaluations(read: &Read) -> BTreeMap<Moment, Evaluation<'_>> {
    let mut all: BTreeMap<Moment, Evaluation<'_>> = BTreeMap::new();
    for (index, points) in read.points.iter().enumerate() {
        // Before its first reading and after its last a release is not there: that is no lack of data.
        let known = |point: &crate::sources::Point| point.outcome.is_ok();
        let (first, last) = (points.iter().position(known), points.iter().rposition(known));
        let (Some(first), Some(last)) = (first, last) else {
            continue;
        };
        for point in &points[first..=last] {
            let outcome = point.outcome.as_ref().map_err(ToString::to_string);
            all.entry(point.at).or_default().insert(index, outcome);
        }
    }
    all
}

/// The requests of both sides, of the metric that counts only what went through the route, if one does.
fn shares(read: &Read) -> Vec<Shares> {
    let routed = read
        .learned
        .subjects
        .iter()
        .position(|subject| subject.queries.routed);
    let points = read.points.get(routed.unwrap_or(0)).into_iter().flatten();
    let readings = points.filter_map(|point| point.outcome.as_ref().ok());
    let share = |reading: &Reading| Shares {
        at: reading.at,
        candidate: reading.candidate.requests,
        baseline: reading.baseline.requests,
    };
    readings.map(share).collect()
}

/// What a rollback at `at` would have been worth: the candidate's bad requests from then on, beyond those that the
/// baseline would have had among as many.
fn rollback(trial: &Trial<'_>, read: &Read, at: Moment) -> Rollback {
    let metric = culprit(&trial.judge);
    let kind = trial
        .judge
        .assessments()
        .nth(metric)
        .map(|(metric, _)| metric.kind);
    let readings = || {
        let points = read.points.get(metric).into_iter().flatten();
        points.filter_map(|point| point.outcome.as_ref().ok())
    };
    let sum = |readings: &mut dyn Iterator<Item = &Reading>| {
        readings.fold(Arms::default(), |sum, reading| {
            sum.plus(counts(&reading.candidate, 0), counts(&reading.baseline, 0))
        })
    };
    let rate = sum(&mut readings()).baseline.rate().unwrap_or(0.0);
    let after: Counts = sum(&mut readings().filter(|reading| reading.at > at)).candidate;
    // Failures before this moment are the usual ones; only those since the evidence was lowest contributed to the verdict.
    let lowest = trial.course.lowest.map_or(at, |(_, lowest)| lowest);
    let first = readings().find(|reading| reading.at > lowest && counts(&reading.candidate, 0).bad > 0);
    Rollback {
        at,
        weight: trial.weight(),
        since: first.map(|reading| reading.at),
        spared: (after.bad as f64 - rate * after.requests as f64).max(0.0),
        slow: matches!(kind, Some(MetricKind::Latency { .. })),
    }
}

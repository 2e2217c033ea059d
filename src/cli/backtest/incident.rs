//! A change without a canary: the Rollout's ladder, played on the service before the change and after it.
//!
//! The n-th evaluation after the change stands for the new version, the n-th before it (counted from the window's
//! beginning) for the old one. At a weight of w per cent the new version is given w of its counts, the old one the rest
//! of its own; what is left of a request goes to the next evaluation, so nothing is left to chance. This assumes that
//! traffic and errors would have gone on as they were before the change.

use std::time::Duration;

use super::course::{Course, Outcome, Rollback, What, baked, culprit};
use super::past::{Read, counts, ticks};
use crate::cli::Failure;
use crate::engine::judge::{Judge, Verdict};
use crate::engine::plan::{MetricKind, OnSilence, Plan, RungKind};
use crate::engine::{Moment, Revision};
use crate::ports::Increment;
use crate::sources::counters::Reading;
use crate::stats::Counts;

/// One metric's readings.
struct Sides<'a> {
    before: Vec<&'a Reading>,
    after: Vec<&'a Reading>,
    /// What is left over of each count: of the new version, of the old one.
    left: [Vec<f64>; 2],
}

/// Plays the ladder of `plan` from `at` on.
pub(super) fn play(plan: &Plan, read: &Read, at: Moment) -> Result<Course, Failure> {
    let mut course = Course::new();
    let mut sides: Vec<Sides<'_>> = Vec::with_capacity(read.points.len());
    for points in &read.points {
        let readings = || points.iter().filter_map(|point| point.outcome.as_ref().ok());
        for point in points {
            if let Err(why) = &point.outcome {
                course.miss(why.to_string());
            }
        }
        // An evaluation that straddles the change speaks for neither side.
        let straddles = readings()
            .find(|reading| reading.at > at)
            .map(|reading| reading.at);
        let parts = readings()
            .map(|reading| reading.candidate.bad.len())
            .max()
            .unwrap_or(0);
        sides.push(Sides {
            before: readings().filter(|reading| reading.at <= at).skip(1).collect(),
            after: readings()
                .filter(|reading| Some(reading.at) > straddles && straddles.is_some())
                .collect(),
            left: [vec![0.5; parts + 1], vec![0.5; parts + 1]],
        });
    }
    for (when, empty) in [
        ("before", sides.iter().any(|side| side.before.is_empty())),
        ("after", sides.iter().any(|side| side.after.is_empty())),
    ] {
        if empty {
            return Err(Failure::usage(
                format!("there is no reading {when} --at"),
                "choose a window that begins earlier and ends later",
            ));
        }
    }
    let judge = Judge::of(
        plan,
        &Revision::named("past"),
        &read.learned.briefs,
        read.learned.pace,
    );
    let mut game = Game {
        plan,
        judge,
        course,
        rung: 0,
        entered: at,
        passed: false,
        exposed: Vec::new(),
    };
    game.climb(0, at);
    game.run(&mut sides, at);
    Ok(game.course)
}

/// The release that was not.
struct Game<'a> {
    plan: &'a Plan,
    judge: Judge,
    course: Course,
    rung: usize,
    entered: Moment,
    passed: bool,
    /// The weight of each evaluation so far.
    exposed: Vec<f64>,
}

impl Game<'_> {
    fn run(&mut self, sides: &mut [Sides<'_>], change: Moment) {
        let evaluations = sides.iter().map(|side| side.after.len()).min().unwrap_or(0);
        let mut last = change;
        for index in 0..evaluations {
            let at = sides[0].after[index].at;
            let seconds = at.duration_since(last).as_secs_f64();
            last = at;
            self.exposed.push(self.weight());
            for (metric, side) in sides.iter_mut().enumerate() {
                let ticks = side.split(index, self.weight() / 100.0, seconds);
                self.judge.observe(metric, at, ticks);
            }
            let seen = self.judge.standing();
            let verdict = seen.verdict;
            let weight = self.weight();
            self.course.note(&self.judge, at, weight);
            if verdict == Verdict::Fail || self.is_over_time(verdict, at) {
                let what = if verdict == Verdict::Fail {
                    What::Fail
                } else {
                    What::Inconclusive
                };
                self.say(at, what);
                self.course.outcome = Outcome::RolledBack(self.rollback(sides, at, change));
                return;
            }
            // Where nobody asks the new version, no proof of before counts.
            if !seen.idle && self.leaves((verdict, seen.standing.keeps_bake()), at) {
                if self.plan.is_top(self.rung) {
                    self.course.outcome = Outcome::Promoted(at);
                    self.end(at);
                    return;
                }
                self.climb(self.rung + 1, at);
            }
        }
        self.end(last);
    }

    /// The window ends, or the bake.
    fn end(&mut self, at: Moment) {
        let rung = self.plan.rung(self.rung);
        match rung.kind {
            RungKind::Proof => self.say(at, What::End),
            RungKind::Bake => {
                let over = matches!(self.course.outcome, Outcome::Promoted(_));
                let sentence = baked(&self.judge, over);
                self.course.enter(at, rung, What::End, sentence);
            }
        }
    }

    /// Whether the rung is left upwards.
    fn leaves(&mut self, (verdict, kept): (Verdict, bool), at: Moment) -> bool {
        let rung = self.plan.rung(self.rung);
        let held = self.held(at) >= rung.hold;
        match rung.kind {
            RungKind::Bake => held && !kept,
            RungKind::Proof => {
                if verdict == Verdict::Pass && !self.passed {
                    self.passed = true;
                    self.say(at, What::Pass);
                }
                verdict == Verdict::Pass && held
            }
        }
    }

    /// Whether a proof has not come in time. One that is there may have to wait for requests.
    fn is_over_time(&self, verdict: Verdict, at: Moment) -> bool {
        let rung = self.plan.rung(self.rung);
        self.plan.on_inconclusive == OnSilence::Rollback
            && rung.kind == RungKind::Proof
            && verdict != Verdict::Pass
            && self.held(at) > rung.deadline
    }

    fn held(&self, at: Moment) -> Duration {
        Duration::try_from(at.duration_since(self.entered)).unwrap_or_default()
    }

    fn climb(&mut self, rung: usize, at: Moment) {
        (self.rung, self.entered, self.passed) = (rung, at, false);
        self.judge.begin_rung(self.plan, rung, 1);
        let what = What::begins(self.plan.rung(rung).kind);
        self.course
            .enter(at, self.plan.rung(self.rung), what, String::new());
    }

    fn weight(&self) -> f64 {
        f64::from(self.plan.rung(self.rung).weight.percent())
    }

    fn say(&mut self, at: Moment, what: What) {
        let sentence = self.judge.evidence().summary;
        self.course.enter(at, self.plan.rung(self.rung), what, sentence);
    }

    /// What the change did in the whole window beyond the time before, less what the canary would have let through.
    fn rollback(&self, sides: &[Sides<'_>], at: Moment, change: Moment) -> Rollback {
        let metric = culprit(&self.judge);
        let kind = self
            .judge
            .assessments()
            .nth(metric)
            .map(|(metric, _)| metric.kind);
        let spared = sides.get(metric).map_or(0.0, |side| {
            let before = side.before.iter().map(|reading| counts(&reading.baseline, 0));
            let usual = before.fold(Counts::default(), Counts::plus).rate().unwrap_or(0.0);
            let harm = side.after.iter().enumerate().map(|(index, reading)| {
                let counts = counts(&reading.candidate, 0);
                let excess = counts.bad as f64 - usual * counts.requests as f64;
                let let_through = self.exposed.get(index).map_or(0.0, |weight| weight / 100.0);
                excess * (1.0 - let_through)
            });
            harm.sum()
        });
        Rollback {
            at,
            weight: self.weight(),
            since: Some(change),
            spared: f64::max(spared, 0.0),
            slow: matches!(kind, Some(MetricKind::Latency { .. })),
        }
    }
}

impl Sides<'_> {
    /// The ticks of the evaluation at `index`, of which the new version gets `share`.
    fn split(&mut self, index: usize, share: f64, seconds: f64) -> Vec<crate::stats::Tick> {
        let (after, before) = (self.after[index], self.before[index % self.before.len()]);
        let [mine, theirs] = &mut self.left;
        let candidate = part(&after.candidate, share, mine);
        let baseline = part(&before.baseline, 1.0 - share, theirs);
        ticks(&candidate, &baseline, seconds)
    }
}

/// A share of the counts of one side.
fn part(of: &Increment, share: f64, left: &mut [f64]) -> Increment {
    let mut take = |index: usize, count: u64| {
        let all = left[index] + share * count as f64;
        left[index] = all.fract();
        all as u64
    };
    let requests = take(0, of.requests);
    let bad = of
        .bad
        .iter()
        .enumerate()
        .map(|(index, bad)| take(index + 1, *bad).min(requests));
    Increment {
        requests,
        bad: bad.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost_in_splitting() {
        let mut left = vec![0.5; 2];
        let whole = Increment {
            requests: 37,
            bad: vec![3],
        };
        let mut sum = (0, 0);
        for _ in 0..1000 {
            let some = part(&whole, 0.1, &mut left);
            assert!(some.bad[0] <= some.requests);
            sum = (sum.0 + some.requests, sum.1 + some.bad[0]);
        }
        assert_eq!(sum, (3700, 300));
    }
}

//! What many courses have in common: shares, times, and where they were held.

use std::collections::BTreeMap;

use super::Setting;
use super::course::{Course, End, Lacking};
use crate::engine::state::Cause;
use crate::stats::special::share_interval;

/// A share of the courses, with the interval (95 %) that the number of courses leaves for it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// The share, 0 to 1.
    pub share: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Share {
    /// `some` of `all`.
    pub fn of(some: u64, all: u64) -> Self {
        let (low, high) = share_interval(some, all, 0.95);
        Self {
            share: some as f64 / all.max(1) as f64,
            low,
            high,
        }
    }
}

/// Where most values lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// A tenth lies below.
    pub p10: f64,
    /// The middle.
    pub p50: f64,
    /// A tenth lies above.
    pub p90: f64,
    /// The mean.
    pub mean: f64,
}

impl Spread {
    /// Of no value: none.
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().checked_sub(1)?;
        let at = |share: f64| values[(share * last as f64).round() as usize];
        Some(Self {
            p10: at(0.1),
            p50: at(0.5),
            p90: at(0.9),
            mean: values.iter().sum::<f64>() / values.len() as f64,
        })
    }
}

/// One of the user's steps.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSummary {
    /// The candidate's weights in it, in per cent: two in the last step.
    pub weights: Vec<u8>,
    /// The shortest stay, in seconds: in the last step that of the bake.
    pub hold: f64,
    /// When having no verdict counts as one, in seconds.
    pub deadline: f64,
    /// Minutes spent in it by those that left it upwards.
    pub minutes: Option<Spread>,
    /// Of all courses, those that had no verdict there in time: held, or rolled back for that.
    pub stuck: f64,
    /// What these lacked.
    pub lacks: Vec<Lacking>,
}

/// What many courses have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// How many courses.
    pub runs: u64,
    /// Promoted without a person's help.
    pub promoted: Share,
    /// Taken back without ever having been held.
    pub rolled_back: Share,
    /// Held: at a step's deadline without a verdict, or without an end at the horizon.
    pub held: Share,
    /// Of all courses, those that were held and promoted later all the same.
    pub held_then_promoted: f64,
    /// Of all courses, those that were held and taken back later.
    pub held_then_rolled_back: f64,
    /// Why courses were rolled back without ever having been held, in shares of all.
    pub causes: BTreeMap<&'static str, f64>,
    /// Minutes until all traffic, of those promoted without help.
    pub minutes_to_full: Option<Spread>,
    /// Minutes until the Deployment serves, of those promoted without help.
    pub minutes_to_end: Option<Spread>,
    /// Minutes until the rollback, of those rolled back without ever having been held.
    pub minutes_to_rollback: Option<Spread>,
    /// Failed requests because of the candidate until the rollback, of those rolled back without ever having been held.
    pub harm: Option<Spread>,
    /// The error rate that a promotion surely excludes, in the middle, where the traffic is too thin for that of the
    /// margin.
    pub provable: Option<f64>,
    /// By how much failures come in clumps, on average: 1 if they are independent.
    pub clumps: f64,
    /// The user's steps in order.
    pub steps: Vec<StepSummary>,
    /// Decisions in all.
    pub decisions: u64,
    /// Decisions that broke an invariant.
    pub breaches: u64,
}

/// Sums up the courses of a setting.
pub fn summarize(setting: &Setting, courses: &[Course]) -> Summary {
    let all = courses.len() as u64;
    let count = |test: &dyn Fn(&Course) -> bool| courses.iter().filter(|course| test(course)).count() as u64;
    let part = |test: &dyn Fn(&Course) -> bool| count(test) as f64 / all.max(1) as f64;
    let back = |course: &Course| matches!(course.end, End::RolledBack(_));
    let promoted = |course: &Course| course.end == End::Promoted;
    let held = |course: &Course| course.held;
    let up = |course: &Course| promoted(course) && !held(course);
    let down = |course: &Course| back(course) && !held(course);
    let minutes = |test: &dyn Fn(&Course) -> bool, time: &dyn Fn(&Course) -> Option<f64>| {
        let chosen = courses.iter().filter(|course| test(course));
        Spread::of(chosen.filter_map(time).map(|seconds| seconds / 60.0))
    };
    let mut causes = BTreeMap::new();
    for course in courses {
        if let (End::RolledBack(cause), false) = (course.end, course.held) {
            *causes.entry(Cause::label(cause)).or_insert(0.0) += 1.0 / all.max(1) as f64;
        }
    }
    Summary {
        runs: all,
        promoted: Share::of(count(&up), all),
        rolled_back: Share::of(count(&down), all),
        held: Share::of(count(&held), all),
        held_then_promoted: part(&|c| promoted(c) && held(c)),
        held_then_rolled_back: part(&|c| back(c) && held(c)),
        causes,
        minutes_to_full: minutes(&up, &|course| course.full),
        minutes_to_end: minutes(&up, &|course| Some(course.seconds)),
        minutes_to_rollback: minutes(&down, &|course| Some(course.seconds)),
        harm: Spread::of(courses.iter().filter(|c| down(c)).map(|c| c.harm)),
        provable: provable(courses),
        clumps: Spread::of(courses.iter().map(|course| course.clumps)).map_or(1.0, |spread| spread.mean),
        steps: steps(setting, courses),
        decisions: courses.iter().map(|course| course.decisions).sum(),
        breaches: courses.iter().map(|course| course.breaches).sum(),
    }
}

/// In the middle of all courses.
fn provable(courses: &[Course]) -> Option<f64> {
    let widened = Spread::of(courses.iter().filter_map(|course| course.provable));
    let most = 2 * courses.iter().filter(|course| course.provable.is_some()).count() >= courses.len();
    widened.filter(|_| most).map(|spread| spread.p50)
}

fn steps(setting: &Setting, courses: &[Course]) -> Vec<StepSummary> {
    let plan = &setting.plan;
    let of = |step: usize| {
        let rungs = || plan.rungs.iter().filter(|rung| rung.step == step);
        let lacks: Vec<Lacking> = courses
            .iter()
            .filter_map(|course| course.lacked)
            .filter(|lacking| plan.rung(lacking.rung).step == step)
            .collect();
        // Who did not come to the next step, nor to all traffic, has not left this one upwards.
        let passed = |course: &&Course| course.steps.len() > step + 1 || course.full.is_some();
        let spent = courses
            .iter()
            .filter(passed)
            .filter_map(|course| course.steps.get(step));
        StepSummary {
            weights: rungs().map(|rung| rung.weight.percent()).collect(),
            hold: rungs().map(|rung| rung.hold.as_secs_f64()).fold(0.0, f64::max),
            deadline: rungs()
                .map(|rung| rung.deadline.as_secs_f64())
                .fold(0.0, f64::max),
            minutes: Spread::of(spent.map(|seconds| seconds / 60.0)),
            stuck: lacks.len() as f64 / courses.len().max(1) as f64,
            lacks,
        }
    };
    (0..plan.steps).map(of).collect()
}

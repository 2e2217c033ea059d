//! Rehearsals: releases of one Rollout, simulated through the real engine and judge.
//!
//! Around `engine::decide`, `engine::check` and `engine::judge::Judge` stands the smallest cluster that they can work
//! with: pods become ready after a while, a route is accepted at once, a Deployment rolls in a minute, a person who is
//! asked approves. Traffic comes from [`crate::trials`], and metrics are read as the controller reads them, on a
//! grid from the start of the release and a little late. Time is a number: the same seed gives the same course, bit for
//! bit, on any machine. Nothing here reads a clock or waits.
//!
//! Not simulated: lost pods, refused routes, metrics that stay away, clumped failures (unless a scenario has them).

mod advice;
mod change;
mod cluster;
mod course;
mod diagnosis;
mod past;
mod play;
mod search;
mod summary;
mod traffic;
mod trial;

use std::ops::Range;
use std::time::Duration;

use crate::api;
use crate::engine::Plan;
use crate::engine::plan::{GateMode, Margin, MetricKind, RungKind};
use crate::stats;
use crate::trials::Scenario;

pub use advice::{Advice, advise, excluded};
pub use change::Change;
pub use course::{Course, End, Lack, Lacking, Short, Stop};
pub use diagnosis::{Because, Stuck, Trouble};
pub use past::sufficient_pace;
pub use play::play;
pub use search::{CAUGHT, Extremes, Probe, SLIPS, extremes};
pub use summary::{Share, Spread, StepSummary, Summary, summarize};

/// The longest horizon that is chosen by itself.
const LONGEST: Duration = Duration::from_hours(72);
/// The shortest one.
const SHORTEST: Duration = Duration::from_hours(4);

/// What is assumed of the service, beside its Rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Assumed {
    /// Requests a second of both versions together, their error rates, and what else befalls them.
    pub traffic: Scenario,
    /// Replicas of the Deployment; at least 1.
    pub pods: u32,
    /// Time between two looks at fresh metrics; by default the Rollout's `analysis.interval`.
    pub scrape: Option<Duration>,
    /// How long a release is looked at; by default until its last deadline, 4 to 72 hours.
    pub horizon: Option<Duration>,
    /// Seed of everything that is left to chance.
    pub seed: u64,
}

/// Everything that a course depends on, but for its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The plan, as admitted from the Rollout's spec.
    pub plan: Plan,
    /// The traffic.
    pub traffic: Scenario,
    /// Replicas of the Deployment.
    pub pods: u32,
    /// How long a release is looked at.
    pub horizon: Duration,
    /// Seed of everything that is left to chance.
    pub seed: u64,
}

impl Setting {
    /// The setting of a Rollout; a pause that its spec asks for is left out.
    ///
    /// # Errors
    /// What is wrong with the spec: one sentence each, naming field and remedy.
    pub fn of(spec: &api::RolloutSpec, assumed: &Assumed) -> Result<Self, Vec<String>> {
        let mut plan = Plan::admit(spec, GateMode::Admission)?;
        plan.paused = false;
        if let Some(scrape) = assumed.scrape {
            plan.analysis.interval = scrape;
        }
        let horizon = assumed.horizon.unwrap_or_else(|| enough(&plan));
        Ok(Self {
            plan,
            traffic: assumed.traffic,
            pods: assumed.pods.max(1),
            horizon,
            seed: assumed.seed,
        })
    }

    /// The metric that the candidate's error rate is about: the first error rate, by its index. By the others both
    /// versions are alike.
    pub fn subject(&self) -> usize {
        let metrics = &self.plan.analysis.metrics;
        let first = metrics
            .iter()
            .position(|metric| metric.kind == MetricKind::ErrorRate);
        first.unwrap_or(0)
    }

    /// The error rates on the two lines of the subject: tolerated up to the first, unacceptable from the second on.
    pub fn lines(&self) -> (f64, f64) {
        let rate =
            |margin: Margin| stats::Margin::new(margin.ratio, margin.absolute).rate(self.traffic.baseline);
        let subject = self.plan.analysis.metrics.get(self.subject());
        subject.map_or((0.0, 1.0), |metric| {
            (rate(metric.tolerated), rate(metric.unacceptable))
        })
    }

    /// The same with another error rate of the candidate.
    #[must_use]
    pub fn failing(&self, rate: f64) -> Self {
        let mut changed = self.clone();
        changed.traffic.candidate = rate;
        changed
    }
}

/// Long enough for every step to come to its deadline.
fn enough(plan: &Plan) -> Duration {
    let around = Duration::from_mins(10) + plan.promotion.bake + plan.promotion.warm_up * 3;
    let stays = plan.rungs.iter().map(|rung| match rung.kind {
        RungKind::Proof => rung.deadline,
        RungKind::Bake => rung.hold,
    });
    let all = stays.fold(around, Duration::saturating_add);
    Duration::from_hours(all.as_secs().div_ceil(3600)).clamp(SHORTEST, LONGEST)
}

/// The courses of a setting with these numbers, in order, on as many threads as there are processors.
pub fn courses(setting: &Setting, runs: Range<u64>, stop: Stop) -> Vec<Course> {
    let count = runs.end.saturating_sub(runs.start);
    let threads = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(8) as u64;
    let share = |from: u64| -> Vec<Course> {
        let mine = (runs.start + from..runs.end).step_by(threads as usize);
        mine.map(|run| play(setting, run, stop)).collect()
    };
    let mut shares: Vec<_> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads.min(count))
            .map(|from| scope.spawn(move || share(from)))
            .collect();
        let first = share(0);
        let joined = others.into_iter().map(|other| other.join().unwrap_or_default());
        std::iter::once(first).chain(joined).map(Vec::into_iter).collect()
    });
    let parts = shares.len();
    (0..count as usize)
        .filter_map(|run| shares[run % parts].next())
        .collect()
}

//! Readings of one metric on the evaluation grid.
//!
//! Invariants:
//! - a grid point is passed once, in order; one that the server could not be asked about is asked again, so that an
//!   outage of the server leaves no hole where its history is kept;
//! - reading live and reading the same points again later give the same readings, bit for bit, from the same history;
//! - all queries of a point carry its one time.

use std::time::Duration;

use jiff::Timestamp;

use super::counters::{ArmName, ArmSamples, Counters, NoData, Reading, Role, Snapshot};
use super::presets::{ArmQueries, Queries};
use super::promql::{Arm, TemplateError};
use crate::ports::{MetricSource, Sample};

/// How many points one call of [`Reader::catch_up`] passes, so that the caller stays responsive.
pub const MAX_POINTS: usize = 64;

/// Evaluation times: `start`, `start + interval`, and so on. Each is read once it lies `lag` in the past, when its
/// samples have become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    start: Timestamp,
    interval: Duration,
    lag: Duration,
}

impl Grid {
    /// A grid from the committed `start`. An `interval` below a millisecond counts as one.
    pub fn new(start: Timestamp, interval: Duration, lag: Duration) -> Self {
        Self {
            start,
            interval: interval.max(Duration::from_millis(1)),
            lag,
        }
    }

    /// Its first point.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// The first point after `done`, or the very first.
    pub fn after(&self, done: Option<Timestamp>) -> Timestamp {
        let Some(done) = done.filter(|done| *done >= self.start) else {
            return self.start;
        };
        let passed = done.duration_since(self.start).as_nanos();
        let interval = i128::try_from(self.interval.as_nanos()).unwrap_or(i128::MAX);
        let next = (passed / interval + 1).saturating_mul(interval);
        let next = jiff::SignedDuration::try_from_nanos_i128(next);
        next.and_then(|next| self.start.checked_add(next).ok())
            .unwrap_or(Timestamp::MAX)
    }

    /// When `point` can be read.
    pub fn readable(&self, point: Timestamp) -> Timestamp {
        point.checked_add(self.lag).unwrap_or(Timestamp::MAX)
    }
}

/// One grid point, passed or tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Point {
    /// The evaluation time.
    pub at: Timestamp,
    /// What both arms have served, or why nobody can tell.
    pub outcome: Result<Reading, NoData>,
}

/// Reads one metric of both arms. Its clone goes on from the same point with the same state.
#[derive(Clone, Debug, PartialEq)]
pub struct Reader {
    candidate: ArmQueries,
    baseline: ArmQueries,
    grid: Grid,
    done: Option<Timestamp>,
    counters: Counters,
}

impl Reader {
    /// A reader that has read nothing. `fresh`: the candidate has served nothing before the grid's start, as on the
    /// first rung of a release; its first error then counts whatever series it opens. The caller decides which track
    /// is which arm: in a promotion the promoted pods are the candidate.
    ///
    /// # Errors
    /// A placeholder that is unknown or has no usable value.
    pub fn new(
        queries: &Queries,
        candidate: &Arm,
        baseline: &Arm,
        grid: Grid,
        fresh: bool,
    ) -> Result<Self, TemplateError> {
        Ok(Self {
            candidate: queries.render(candidate)?,
            baseline: queries.render(baseline)?,
            grid,
            done: None,
            counters: Counters::new(fresh),
        })
    }

    /// The next point to be read.
    pub fn next(&self) -> Timestamp {
        self.grid.after(self.done)
    }

    /// When [`Reader::catch_up`] has something to do again.
    pub fn wake(&self) -> Timestamp {
        self.grid.readable(self.next())
    }

    /// Reads every point that is due at `now` and not passed yet, oldest first. Stops after [`MAX_POINTS`], and after a
    /// point about which the server could not be asked: that one is tried again by the next call.
    pub async fn catch_up(&mut self, source: &dyn MetricSource, now: Timestamp) -> Vec<Point> {
        let mut points = Vec::new();
        while points.len() < MAX_POINTS && self.wake() <= now {
            let at = self.next();
            let outcome = self.read(source, at).await;
            let stuck = outcome.as_ref().is_err_and(NoData::transient);
            if !stuck {
                self.done = Some(at);
            }
            points.push(Point { at, outcome });
            if stuck {
                break;
            }
        }
        points
    }

    async fn read(&mut self, source: &dyn MetricSource, at: Timestamp) -> Result<Reading, NoData> {
        let (candidate, baseline) = futures::try_join!(
            self.arm(source, ArmName::Candidate, at),
            self.arm(source, ArmName::Baseline, at)
        )?;
        self.counters.advance(at, &Snapshot { candidate, baseline })
    }

    async fn arm(
        &self,
        source: &dyn MetricSource,
        arm: ArmName,
        at: Timestamp,
    ) -> Result<ArmSamples, NoData> {
        let queries = match arm {
            ArmName::Candidate => &self.candidate,
            ArmName::Baseline => &self.baseline,
        };
        let (total, bad) = futures::try_join!(
            ask(source, arm, Role::Total, &queries.total, at),
            ask(source, arm, Role::Bad, &queries.bad, at)
        )?;
        let starts = match &queries.starts {
            Some(starts) if self.counters.wants_starts(arm, &total) => {
                ask(source, arm, Role::Start, starts, at).await?
            }
            _ => Vec::new(),
        };
        Ok(ArmSamples { total, bad, starts })
    }
}

async fn ask(
    source: &dyn MetricSource,
    arm: ArmName,
    role: Role,
    query: &str,
    at: Timestamp,
) -> Result<Vec<Sample>, NoData> {
    let answer = source.instant(query, at).await;
    answer.map_err(|error| NoData::Source { arm, role, error })
}

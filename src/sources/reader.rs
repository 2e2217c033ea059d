//! Readings of one metric on the evaluation grid.
//!
//! Invariants:
//! - a grid point is passed once, in order; one that the server could not be asked about is asked again, so that an
//!   outage of the server leaves no hole where its history is kept;
//! - reading live and reading the same points again later give the same readings, bit for bit, from the same history;
//! - all queries of a point carry its one time.

use std::time::Duration;

use jiff::Timestamp;

use super::counters::{ArmName, ArmSamples, Counters, Kind, NoData, Reading, Role, Snapshot};
use super::promql::{Arm, TemplateError};
use super::queries::{ArmQueries, Queries};
use crate::ports::{MetricSource, Sample, Samples, Span};

/// How many points one call of [`Reader::catch_up`] passes, so that the caller stays responsive and an answer small.
pub const MAX_POINTS: usize = 64;
/// From so many points on they are asked for together.
const TOGETHER: usize = 3;

/// Evaluation times: `start`, `start + interval`, and so on. Each is read once it lies `lag` in the past, when its
/// samples have become visible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    start: Timestamp,
    interval: Duration,
    lag: Duration,
}

impl Grid {
    /// A grid from the whole second of the committed `start` on, because a server's ranges are in whole seconds. An
    /// `interval` below a millisecond counts as one.
    pub fn new(start: Timestamp, interval: Duration, lag: Duration) -> Self {
        Self {
            start: Timestamp::from_second(start.as_second()).unwrap_or(start),
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

    /// The grid point at `moment`, or the last one before it; the very first where there is none.
    pub fn before(&self, moment: Timestamp) -> Timestamp {
        let next = self.after(Some(moment));
        let back = next.checked_sub(self.interval).unwrap_or(next);
        back.max(self.start)
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
    /// By this evaluation the candidate had been counted, as somebody read who is gone.
    counted: Option<Timestamp>,
    /// Since when the candidate has all traffic.
    alone: Option<Timestamp>,
}

impl Reader {
    /// A reader that has read nothing. `fresh`: the candidate has no weight before the grid's start, as on the first
    /// rung of a release; its first error then counts whatever series it opens. The caller decides which track
    /// is which arm: in a promotion the promoted pods are the candidate. A histogram is compared at the arms' edges,
    /// of which both must have as many.
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
        let kind = |arm: &Arm| match queries.unit() {
            None => Kind::Share,
            Some(_) => Kind::Histogram(arm.edges.clone()),
        };
        Ok(Self {
            candidate: queries.render(candidate)?,
            baseline: queries.render(baseline)?,
            grid,
            done: None,
            counters: Counters::new((kind(candidate), kind(baseline)), fresh.then(|| grid.start())),
            counted: None,
            alone: None,
        })
    }

    /// Somebody has counted the candidate's requests at the evaluation `at`. Where the server does not remember that, a
    /// series of it that shows later has counted before as well.
    #[must_use]
    pub const fn counted(mut self, at: Option<Timestamp>) -> Self {
        self.counted = at;
        self
    }

    /// Whether each series of the candidate that comes counts from 0, because all that it ever counted is known.
    pub const fn is_fresh(&self) -> bool {
        self.counters.is_fresh()
    }

    /// The candidate has all traffic since `alone`: points after that need no baseline.
    pub const fn set_alone(&mut self, since: Option<Timestamp>) {
        self.alone = since;
    }

    /// This reader, with its first point at `from` or the next after it. A candidate that was fresh has served by
    /// then: what the first point shows is the base, and each series that comes later counts from 0 all the same.
    #[must_use]
    pub fn from(mut self, from: Timestamp) -> Self {
        let before = from.checked_sub(Duration::from_nanos(1)).unwrap_or(from);
        self.done = (before >= self.grid.start()).then_some(before);
        if self.done.is_some() {
            self.counters.begin_in_the_middle();
        }
        self
    }

    /// The next point to be read.
    pub fn next(&self) -> Timestamp {
        self.grid.after(self.done)
    }

    /// When [`Reader::catch_up`] has something to do again.
    pub fn wake(&self) -> Timestamp {
        self.readable(self.next())
    }

    /// When `point` can be read.
    pub fn readable(&self, point: Timestamp) -> Timestamp {
        self.grid.readable(point)
    }

    /// Reads every point that is due at `now` and not passed yet, oldest first, and adds each to `read` as soon as it
    /// is known: what was read is not lost if the caller does not wait for the rest. Stops after [`MAX_POINTS`], and
    /// after a point about which the server could not be asked: that one is tried again by the next call. Gives
    /// whether more is due.
    pub async fn catch_up(
        &mut self,
        source: &dyn MetricSource,
        now: Timestamp,
        read: &mut Vec<Point>,
    ) -> bool {
        let due = self.due(now);
        let together = if due.len() >= TOGETHER {
            self.together(source, &due).await
        } else {
            None
        };
        for at in due {
            if self.counted.is_some_and(|counted| counted < at) {
                self.counted = None;
                self.counters.must_have_begun();
            }
            let asked = match &together {
                Some(known) => self.of(source, known, at).await,
                None => self.ask(source, at).await,
            };
            let alone = self.alone.is_some_and(|since| at > since);
            let outcome = asked.and_then(|snapshot| self.counters.advance(at, &snapshot, alone));
            let stuck = outcome.as_ref().is_err_and(NoData::transient);
            if !stuck {
                self.done = Some(at);
            }
            read.push(Point { at, outcome });
            if stuck {
                return false;
            }
        }
        self.wake() <= now
    }

    /// The points that are due, oldest first.
    fn due(&self, now: Timestamp) -> Vec<Timestamp> {
        let later = |at: &Timestamp| Some(self.grid.after(Some(*at)));
        std::iter::successors(Some(self.next()), later)
            .take(MAX_POINTS)
            .take_while(|at| self.grid.readable(*at) <= now)
            .collect()
    }

    /// What all queries give at all these points; `None` where the server does not answer such a question, for whatever
    /// reason: then each point is asked for by itself.
    async fn together(&self, source: &dyn MetricSource, due: &[Timestamp]) -> Option<Together> {
        let span = Span {
            start: *due.first()?,
            end: *due.last()?,
            step: self.grid.interval,
        };
        let all = |query: Option<&String>| {
            let query = query.cloned();
            async move {
                match query {
                    Some(query) => source.range(&query, span).await,
                    None => Ok(Samples::new()),
                }
            }
        };
        let (candidate, baseline) = (&self.candidate, &self.baseline);
        let answers = futures::try_join!(
            candidate.totals_of(source, span),
            all(candidate.bad.as_ref()),
            baseline.totals_of(source, span),
            all(baseline.bad.as_ref()),
        );
        let (total, bad, beside, beside_bad) = answers.ok()?;
        Some(Together {
            candidate: (total, bad),
            baseline: (beside, beside_bad),
        })
    }

    async fn of(
        &self,
        source: &dyn MetricSource,
        known: &Together,
        at: Timestamp,
    ) -> Result<Snapshot, NoData> {
        let samples = |(total, bad): &(Samples, Samples)| {
            let of = |all: &Samples| all.get(&at).cloned().unwrap_or_default();
            (of(total), of(bad))
        };
        let (candidate, baseline) = futures::try_join!(
            self.complete(source, ArmName::Candidate, at, samples(&known.candidate)),
            self.complete(source, ArmName::Baseline, at, samples(&known.baseline)),
        )?;
        Ok(Snapshot { candidate, baseline })
    }

    async fn ask(&self, source: &dyn MetricSource, at: Timestamp) -> Result<Snapshot, NoData> {
        let (candidate, baseline) = futures::try_join!(
            self.ask_arm(source, ArmName::Candidate, at),
            self.ask_arm(source, ArmName::Baseline, at)
        )?;
        Ok(Snapshot { candidate, baseline })
    }

    async fn ask_arm(
        &self,
        source: &dyn MetricSource,
        arm: ArmName,
        at: Timestamp,
    ) -> Result<ArmSamples, NoData> {
        let queries = self.queries(arm);
        let bad = async {
            match &queries.bad {
                Some(bad) => ask(source, arm, Role::Bad, bad, at).await,
                None => Ok(Vec::new()),
            }
        };
        let role = Role::Total;
        let total = async {
            let totals = queries.totals(source, at).await;
            totals.map_err(|error| NoData::Source { arm, role, error })
        };
        let samples = futures::try_join!(total, bad)?;
        self.complete(source, arm, at, samples).await
    }

    /// Adds when the arm's processes started and whether its counters have begun again, where that matters.
    async fn complete(
        &self,
        source: &dyn MetricSource,
        arm: ArmName,
        at: Timestamp,
        (total, bad): (Vec<Sample>, Vec<Sample>),
    ) -> Result<ArmSamples, NoData> {
        let starts = match &self.queries(arm).starts {
            Some(starts) if self.counters.wants_starts(arm, &total) => {
                ask(source, arm, Role::Start, starts, at).await?
            }
            _ => Vec::new(),
        };
        let mut samples = ArmSamples {
            total,
            bad,
            starts,
            resets: Vec::new(),
        };
        if let Some(resets) = &self.queries(arm).resets
            && self.counters.wants_resets(arm, at, &samples)
        {
            samples.resets = match ask(source, arm, Role::Resets, resets, at).await {
                // A server that cannot tell leaves what the samples themselves say.
                Err(error) if !error.transient() => Vec::new(),
                answer => answer?,
            };
        }
        Ok(samples)
    }

    const fn queries(&self, arm: ArmName) -> &ArmQueries {
        match arm {
            ArmName::Candidate => &self.candidate,
            ArmName::Baseline => &self.baseline,
        }
    }
}

/// What the queries give at several points: all requests and bad ones, of each arm.
struct Together {
    candidate: (Samples, Samples),
    baseline: (Samples, Samples),
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

//! Cumulative counters, series by series, to what each arm has served since the last evaluation.
//!
//! Invariants:
//! - a refused snapshot (unreadable, stale, out of order) leaves the state as it was, so that nothing in it is lost;
//! - an increment is emitted once, and for both arms over the same span;
//! - the result depends on the snapshots alone, not on their order within a query nor on when they were fetched.

mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::ports::{Increment, Sample, SourceError};
pub(super) use samples::EDGE_LABEL;
use samples::Values;
pub use samples::{Labels, MAX_AGE, MAX_SERIES, Target};

/// One side of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ArmName {
    /// The track under test.
    Candidate,
    /// The track beside it.
    Baseline,
}

impl fmt::Display for ArmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Candidate => "candidate",
            Self::Baseline => "baseline",
        })
    }
}

/// What a query counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// All requests.
    Total,
    /// Bad requests.
    Bad,
    /// When the arm's processes started.
    Start,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "requests",
            Self::Bad => "bad requests",
            Self::Start => "process starts",
        })
    }
}

/// What the queries of one arm have given at one evaluation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ArmSamples {
    /// Counters of all requests; for a histogram its cumulative buckets.
    pub total: Vec<Sample>,
    /// Counters of bad requests; empty means that none has occurred yet. A histogram has none.
    pub bad: Vec<Sample>,
    /// When the targets' processes started, as far as known: Unix seconds.
    pub starts: Vec<Sample>,
}

/// Both arms at one evaluation time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The track under test.
    pub candidate: ArmSamples,
    /// The track beside it.
    pub baseline: ArmSamples,
}

/// How an arm's samples are counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Requests, and bad ones among them.
    Share,
    /// A histogram at these edges, in its own unit: a request is bad that took longer.
    Histogram(Vec<f64>),
}

/// What both arms have served up to `at`, since the reading before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The evaluation time.
    pub at: Timestamp,
    /// The track under test.
    pub candidate: Increment,
    /// The track beside it.
    pub baseline: Increment,
}

/// Why an evaluation has no increments. Holds the release; it is never a pass and never a fail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoData {
    /// The server gave no samples.
    #[error("{error} (query for the {arm}'s {role})")]
    Source {
        /// Whose query.
        arm: ArmName,
        /// What it counts.
        role: Role,
        /// What went wrong.
        error: SourceError,
    },
    /// No series counts the arm's requests.
    #[error("no series counts the {0}'s requests")]
    Missing(ArmName),
    /// A counter's value is NaN, infinite, negative, or too large to be exact.
    #[error("a counter of the {arm}'s {role} has the value {value}")]
    Value {
        /// Whose query.
        arm: ArmName,
        /// What it counts.
        role: Role,
        /// The value, in words.
        value: &'static str,
    },
    /// A sample lies further from the evaluation time than [`MAX_AGE`] allows.
    #[error("a sample of the {arm}'s {role} is {seconds} s away from the evaluation time")]
    Stale {
        /// Whose query.
        arm: ArmName,
        /// What it counts.
        role: Role,
        /// How far, rounded.
        seconds: i64,
    },
    /// Two samples carry the same labels.
    #[error("two series of the {arm}'s {role} carry the same labels: let the query match one metric only")]
    Duplicate {
        /// Whose query.
        arm: ArmName,
        /// What it counts.
        role: Role,
    },
    /// A histogram has no bucket at an edge that is compared.
    #[error("the {arm}'s histogram has no bucket that ends at {edge}: give both versions the same buckets")]
    Edge {
        /// Whose histogram.
        arm: ArmName,
        /// The edge, in the histogram's own unit.
        edge: String,
    },
    /// More than [`MAX_SERIES`].
    #[error("more than {MAX_SERIES} series count the {arm}'s {role}: narrow the query")]
    TooMany {
        /// Whose query.
        arm: ArmName,
        /// What it counts.
        role: Role,
    },
    /// The evaluation time is not later than that of the last reading.
    #[error("the evaluation time does not move forward")]
    OutOfOrder,
}

impl NoData {
    /// Whether asking again for the same evaluation time can help.
    pub fn transient(&self) -> bool {
        match self {
            Self::Source { error, .. } => match error {
                SourceError::Unreachable
                | SourceError::Credentials(_)
                | SourceError::Denied(_)
                | SourceError::Status(_) => true,
                SourceError::Refused(_) | SourceError::Unusable(_) => false,
            },
            Self::Missing(_)
            | Self::Value { .. }
            | Self::Stale { .. }
            | Self::Duplicate { .. }
            | Self::TooMany { .. }
            | Self::Edge { .. }
            | Self::OutOfOrder => false,
        }
    }
}

/// The last values of every series of both arms, and what is not emitted yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Counters {
    candidate: Track,
    baseline: Track,
    /// Every target that has been up at some evaluation: what was absent then had counted nothing.
    targets: BTreeSet<Target>,
    at: Option<Timestamp>,
}

/// One arm.
#[derive(Clone, Debug, PartialEq)]
struct Track {
    kind: Kind,
    /// Nothing was counted for it before the first evaluation.
    fresh: bool,
    /// A series has counted its requests at some evaluation.
    seen: bool,
    /// The last value of each series: of all requests, then of each part that is counted by itself.
    last: Vec<BTreeMap<Labels, f64>>,
    /// What each of these has grown by, and is not emitted yet.
    pending: Vec<u64>,
}

/// What decides where the count of an unknown series begins.
struct Birth<'a> {
    fresh: bool,
    targets: &'a BTreeSet<Target>,
    starts: &'a BTreeMap<Target, Timestamp>,
    before: Option<Timestamp>,
}

impl Birth<'_> {
    /// Whether a series that was never seen has counted nothing until the evaluation before.
    fn counts_from_zero(&self, labels: &Labels) -> bool {
        let target = Target::of(labels);
        let started = || {
            let start = self.starts.get(&target).copied();
            start
                .zip(self.before)
                .is_some_and(|(start, before)| start > before)
        };
        self.fresh || self.targets.contains(&target) || started()
    }
}

impl Counters {
    /// A state that has seen nothing, for how the candidate is counted and how the baseline is. `fresh`: the candidate
    /// has served nothing before the first evaluation (its first rung), so that all its series count from 0; otherwise
    /// the first evaluation only sets the base.
    pub fn new((candidate, baseline): (Kind, Kind), fresh: bool) -> Self {
        Self {
            candidate: Track::new(candidate, fresh),
            baseline: Track::new(baseline, false),
            targets: BTreeSet::new(),
            at: None,
        }
    }

    /// The last evaluation whose samples were usable.
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// Whether `samples` hold a series that is unknown and whose target was never up: only then does it matter when
    /// the target's process started.
    pub fn wants_starts(&self, arm: ArmName, samples: &[Sample]) -> bool {
        let track = self.track(arm);
        self.at.is_some()
            && !track.fresh
            && samples
                .iter()
                .any(|sample| !track.knows(sample) && !self.targets.contains(&Target::of(&sample.labels)))
    }

    fn track(&self, arm: ArmName) -> &Track {
        match arm {
            ArmName::Candidate => &self.candidate,
            ArmName::Baseline => &self.baseline,
        }
    }

    /// Takes in both arms at `at` and gives what they have served since the last reading. `alone`: the candidate has all
    /// traffic, so that a baseline which nothing counts any more has served nothing.
    ///
    /// # Errors
    /// Why there is nothing to compare at `at`. After [`NoData::Missing`] the state has moved on and what the other arm
    /// served is kept for the next reading; after any other error it is as before.
    pub fn advance(&mut self, at: Timestamp, snapshot: &Snapshot, alone: bool) -> Result<Reading, NoData> {
        if self.at.is_some_and(|before| at <= before) {
            return Err(NoData::OutOfOrder);
        }
        let read = |arm, kind, samples| Values::read(arm, kind, at, samples);
        let candidate = read(ArmName::Candidate, &self.candidate.kind, &snapshot.candidate)?;
        let baseline = read(ArmName::Baseline, &self.baseline.kind, &snapshot.baseline)?;
        self.candidate.advance(&candidate, &self.targets, self.at);
        self.baseline.advance(&baseline, &self.targets, self.at);
        for values in [&candidate, &baseline] {
            self.targets.extend(values.targets());
        }
        self.at = Some(at);
        if baseline.is_empty() && !alone {
            return Err(NoData::Missing(ArmName::Baseline));
        }
        if candidate.is_empty() {
            if !self.candidate.seen {
                // It has served nothing yet, so nothing of it waits for what the baseline has served meanwhile.
                self.baseline.take();
            }
            return Err(NoData::Missing(ArmName::Candidate));
        }
        Ok(Reading {
            at,
            candidate: self.candidate.take(),
            baseline: self.baseline.take(),
        })
    }
}

impl Track {
    fn new(kind: Kind, fresh: bool) -> Self {
        let parts = match &kind {
            Kind::Share => 2,
            Kind::Histogram(edges) => 1 + edges.len(),
        };
        Self {
            kind,
            fresh,
            seen: false,
            last: vec![BTreeMap::new(); parts],
            pending: vec![0; parts],
        }
    }

    fn knows(&self, sample: &Sample) -> bool {
        let mut labels = sample.labels.clone();
        if matches!(self.kind, Kind::Histogram(_)) {
            labels.remove(EDGE_LABEL);
        }
        self.last.iter().any(|series| series.contains_key(&labels))
    }

    fn advance(&mut self, values: &Values, targets: &BTreeSet<Target>, before: Option<Timestamp>) {
        if self.fresh && before.is_none() {
            // All that it shows by now counts at the next evaluation, which the baseline can match.
            return;
        }
        let birth = Birth {
            fresh: self.fresh,
            targets,
            starts: &values.starts,
            before,
        };
        self.seen |= !values.is_empty();
        let restarted = match self.kind {
            Kind::Share => BTreeSet::new(),
            Kind::Histogram(_) => restarted(&self.last, &values.parts),
        };
        for ((last, now), pending) in self.last.iter_mut().zip(&values.parts).zip(&mut self.pending) {
            *pending = pending.saturating_add(difference(last, now, &restarted, &birth));
        }
    }

    fn take(&mut self) -> Increment {
        let requests = self.pending[0];
        let parts = self.pending[1..].iter();
        let bad = match self.kind {
            Kind::Share => parts.map(|bad| *bad.min(&requests)).collect(),
            Kind::Histogram(_) => parts.map(|within| requests.saturating_sub(*within)).collect(),
        };
        self.pending.fill(0);
        Increment { requests, bad }
    }
}

/// The histograms that have begun again: what one bucket has lost shows that all have, though others may have regained
/// more than that by now.
fn restarted<'a>(last: &[BTreeMap<Labels, f64>], now: &'a [BTreeMap<Labels, f64>]) -> BTreeSet<&'a Labels> {
    let parts = last.iter().zip(now);
    let lost = parts.flat_map(|(last, now)| {
        now.iter()
            .filter(|(labels, value)| last.get(*labels).is_some_and(|before| *value < before))
    });
    lost.map(|(labels, _)| labels).collect()
}

/// What the series have counted since their last values, which become those of `now`. A series that is gone keeps its
/// last value until it returns. `restarted`: these are known to have begun again.
fn difference(
    last: &mut BTreeMap<Labels, f64>,
    now: &BTreeMap<Labels, f64>,
    restarted: &BTreeSet<&Labels>,
    birth: &Birth<'_>,
) -> u64 {
    let mut sum = 0.0;
    for (labels, &value) in now {
        sum += match last.insert(labels.clone(), value) {
            Some(before) if value < before || restarted.contains(labels) => value,
            Some(before) => value - before,
            None if birth.counts_from_zero(labels) => value,
            None => 0.0,
        };
    }
    sum.round() as u64
}

#[cfg(test)]
mod tests;

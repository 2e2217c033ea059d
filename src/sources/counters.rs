//! Cumulative counters, series by series, to what each arm has served since the last evaluation.
//!
//! Invariants:
//! - a refused snapshot (unreadable, stale, out of order) leaves the state as it was, so that nothing in it is lost;
//! - an increment is emitted once, and for both arms over the same span;
//! - the result depends on the snapshots alone, not on their order within a query nor on when they were fetched.

mod carry;
mod samples;
mod series;
mod track;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::ports::{Increment, Sample, SourceError};
pub use carry::Carry;
use samples::Values;
pub(super) use samples::{EDGE_LABEL, wrong};
pub use samples::{Labels, MAX_AGE, MAX_SERIES, RESETS_WITHIN, Target};
use series::ResetCheck;
use track::{Birth, Track};

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
    /// How often its counters have begun again.
    Resets,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Total => "requests",
            Self::Bad => "bad requests",
            Self::Start => "process starts",
            Self::Resets => "counter resets",
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
    /// How often each counter of `total` has fallen in the last [`RESETS_WITHIN`], by one server's own samples; as far as
    /// they were asked for.
    pub resets: Vec<Sample>,
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
    /// Failures are counted by one series over all pods.
    #[error(
        "the {arm}'s {role} is a sum over pods, in which a restart cannot be told from requests: add `by (instance, pod)` or \
         remove the sum"
    )]
    Summed {
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
            Self::Source { error, .. } => error.transient(),
            Self::Missing(_)
            | Self::Value { .. }
            | Self::Stale { .. }
            | Self::Duplicate { .. }
            | Self::Summed { .. }
            | Self::TooMany { .. }
            | Self::Edge { .. }
            | Self::OutOfOrder => false,
        }
    }
}

/// Checks that a baseline's samples, all of one evaluation, could be counted in a release. `histogram`: they are buckets.
///
/// # Errors
/// What an evaluation with them would say.
pub fn readable(samples: &ArmSamples, histogram: bool) -> Result<(), NoData> {
    let Some(first) = samples.total.first() else {
        return Err(NoData::Missing(ArmName::Baseline));
    };
    let kind = if histogram {
        Kind::Histogram(Vec::new())
    } else {
        Kind::Share
    };
    Values::read(ArmName::Baseline, &kind, first.at, samples).map(|_| ())
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

impl Counters {
    /// A state that has seen nothing, for how the candidate is counted and how the baseline is. The first evaluation
    /// only sets the base. `fresh`: until then the candidate has had no weight (its first rung), so that each series
    /// that comes later counts from 0; and should the first evaluation that can be read be a later one, so do all.
    pub fn new((candidate, baseline): (Kind, Kind), fresh: Option<Timestamp>) -> Self {
        Self {
            candidate: Track::new(candidate, fresh),
            baseline: Track::new(baseline, None),
            targets: BTreeSet::new(),
            at: None,
        }
    }

    /// The first evaluation that can be read sets the base, whenever it is.
    pub(super) const fn begin_in_the_middle(&mut self) {
        self.candidate.begin_in_the_middle();
    }

    /// The candidate has been counted by now. Where no series has told so, that is forgotten, and it does not begin at 0.
    pub(super) fn must_have_begun(&mut self) {
        self.candidate.lose_history();
    }

    /// Whether each series of the candidate that comes counts from 0.
    pub(super) const fn is_fresh(&self) -> bool {
        self.candidate.is_fresh()
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
            && !track.is_fresh()
            && samples
                .iter()
                .any(|sample| !track.knows(sample) && !self.targets.contains(&Target::of(&sample.labels)))
    }

    /// Whether `samples` hold a counter that is lower than it was. They do not always say whether it was reset: a gateway
    /// may have reset one backend and not the others, or the sample is an older one from another server. At the
    /// first evaluation recent resets must be known, or the server would later report them as new.
    pub fn wants_resets(&self, arm: ArmName, at: Timestamp, samples: &ArmSamples) -> bool {
        let track = self.track(arm);
        let values = Values::read(arm, &track.kind, at, samples);
        values.is_ok_and(|values| self.at.is_none() && !values.is_empty() || track.has_fallen(&values))
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
        // A process counts for both arms: what shows in one that it has begun again holds for the other.
        let signs = self.candidate.signs(&candidate, at);
        let begun = begun(signs.chain(self.baseline.signs(&baseline, at)));
        let beside = Birth {
            at,
            before: self.at,
            targets: &self.targets,
            starts: &baseline.starts,
            based: BTreeSet::new(),
        };
        // A gateway that is new in mid-release counts for both: from the same moment on.
        let mine = Birth {
            starts: &candidate.starts,
            based: beside.based(&baseline),
            ..beside
        };
        self.candidate.advance(&candidate, &begun, &mine);
        self.baseline.advance(&baseline, &begun, &beside);
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
                self.baseline.forget();
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

/// The targets that have begun again. A counter that is too young to tell that from an older sample says so only where no
/// greater one, which is old enough, goes on.
fn begun<'a>(signs: impl Iterator<Item = (&'a Labels, ResetCheck)>) -> BTreeSet<Target> {
    let (mut begun, mut lower, mut go_on) = (BTreeSet::new(), Vec::new(), Vec::new());
    for (labels, sign) in signs {
        match sign {
            ResetCheck::Restarted => drop(begun.insert(Target::of(labels))),
            ResetCheck::Lower(value) => lower.push((Target::of(labels), value)),
            ResetCheck::GoesOn(value) => go_on.push((labels, value)),
            ResetCheck::Undecided => {}
        }
    }
    if lower.is_empty() {
        return begun;
    }
    let mut greatest: BTreeMap<Target, f64> = BTreeMap::new();
    for (labels, value) in go_on {
        let most = greatest.entry(Target::of(labels)).or_default();
        *most = most.max(value);
    }
    let alone = |(target, value): &(Target, f64)| greatest.get(target).is_none_or(|most| most < value);
    begun.extend(lower.into_iter().filter(alone).map(|(target, _)| target));
    begun
}

#[cfg(test)]
mod tests;

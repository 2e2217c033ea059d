//! What one simulated release came to.

use crate::engine::Moment;
use crate::engine::state::Cause;
use crate::stats;

/// Milliseconds since a course began.
pub(super) type At = u64;

/// Any moment will do: 2026-01-01T00:00:00Z.
const EPOCH: i64 = 1_767_225_600_000;

/// A course's time as the engine knows it.
pub(super) fn moment(at: At) -> Moment {
    let since = i64::try_from(at).unwrap_or(i64::MAX);
    Moment::from_millisecond(EPOCH.saturating_add(since)).unwrap_or(Moment::MAX)
}

/// The same backwards; 0 for what was before.
pub(super) fn at(moment: Moment) -> At {
    At::try_from(moment.as_millisecond().saturating_sub(EPOCH)).unwrap_or(0)
}

/// Where a course ends before its horizon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// When nothing is left to do: the Deployment serves the new version, or the candidate has lost its traffic.
    AtEnd,
    /// When the candidate gets all traffic, if not before.
    AtFull,
    /// There, or when a person is called for.
    AtHold,
}

/// How a course has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All traffic went to the new version for good.
    Promoted,
    /// The candidate was rolled back.
    RolledBack(Cause),
    /// Neither.
    Open,
}

/// Why a release called for a person, or had no end.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lack {
    /// Proof.
    Proof(Short),
    /// Innocence: something spoke against the candidate, too little to convict it.
    Doubt,
    /// A sound environment: both versions failed far more than usual.
    Environment,
    /// Time: neither its hold nor its deadline was over at the horizon.
    Time,
    /// The promoted pods: they could not take the traffic back.
    Promotion,
}

/// Where a release had no verdict in time, and what it lacked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lacking {
    /// The rung.
    pub rung: usize,
    /// Of the gating metrics the one that lacked most, by its index in the plan.
    pub metric: usize,
    /// What it lacked.
    pub lack: Lack,
}

/// A proof that is not there yet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Short {
    /// Candidate requests and seconds that are missing, where that can be told.
    pub missing: stats::Missing,
    /// The evidence of this step does not suffice; otherwise only that of the whole release does not.
    pub in_step: bool,
    /// Evidence in nats that is needed of the one that does not suffice.
    pub needed: f64,
    /// By how much the unacceptable margin is widened for it.
    pub multiplier: f64,
}

impl Short {
    /// Of a metric that has not passed.
    pub(super) fn of(seen: &stats::Assessment) -> Self {
        let in_step = !seen.step.reached();
        Self {
            missing: seen.missing,
            in_step,
            needed: if in_step {
                seen.step.needed
            } else {
                seen.release.needed
            },
            multiplier: if in_step { seen.multiplier } else { 1.0 },
        }
    }
}

/// One simulated release.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// How it ended.
    pub end: End,
    /// When, in seconds; the horizon if it has not.
    pub seconds: f64,
    /// When the candidate got all traffic.
    pub full: Option<f64>,
    /// Requests that failed because of the candidate, as expected from its rate, until the end.
    pub harm: f64,
    /// Seconds in each of the user's steps that it came to.
    pub steps: Vec<f64>,
    /// It called for a person, or had no end at the horizon.
    pub held: bool,
    /// Where it first had no verdict in time, held or rolled back for that.
    pub lacked: Option<Lacking>,
    /// The traffic is so thin that a promotion excludes only this error rate and those above it.
    pub provable: Option<f64>,
    /// By how much failures came in clumps before it, as the judge saw it: 1 if they were independent.
    pub clumps: f64,
    /// Decisions in all.
    pub decisions: u64,
    /// Decisions that broke an invariant of the engine; none was carried out.
    pub breaches: u64,
}

impl Lack {
    /// How much is lacking, for a comparison of metrics.
    pub(super) fn rank(self) -> f64 {
        match self {
            Self::Time => 0.0,
            Self::Proof(short) => short.missing.requests.map_or(f64::INFINITY, |n| 1.0 + n as f64),
            Self::Doubt => f64::MAX / 4.0,
            Self::Environment => f64::MAX / 2.0,
            Self::Promotion => f64::MAX,
        }
    }
}

//! The committed state: what the status of a `Rollout` says, and all that survives a crash.

mod removal;
mod served;

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::quantity::{Moment, Revision, Weight};
use super::reason::Waiting;
pub use removal::{Removal, Watched};
pub use served::Served;

/// The whole memory of the engine about one Rollout.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// The revision that serves everyone outside a release; `None` before the first one is seen serving.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<Revision>,
    /// Where the course stands.
    #[serde(default)]
    pub phase: Phase,
    /// What it waits for; `None` at rest. No decision rests on an ordinary wait, so one that was not committed yet is
    /// no loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// Requests by people that were answered, until their objects say so too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handled: Vec<Handled>,
    /// Finished releases, the latest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Outcome>,
}

/// The most releases that the history keeps.
pub const HISTORY: usize = 10;

/// Where the course stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Phase {
    /// No revision has been seen serving yet.
    #[default]
    Adopting,
    /// The stable revision serves and no other one is asked for.
    Idle,
    /// A new revision climbs.
    Releasing(Release),
    /// The candidate is being rolled back.
    RollingBack(Retreat),
    /// A rejected revision is still the Deployment's (held) template.
    RolledBack(Rejection),
    /// A proven revision is becoming the user's Deployment.
    Promoting(Promotion),
    /// The Rollout is going away.
    Deleting(Removal),
}

/// By how much a clock may be ahead of another without anybody saying so: what waits for it is told in its own words.
pub const AHEAD: SignedDuration = SignedDuration::from_secs(10);

impl Phase {
    /// Every moment that something is counted from.
    fn moments(&mut self) -> Vec<&mut Moment> {
        match self {
            Self::Adopting | Self::Idle => Vec::new(),
            Self::Releasing(release) => {
                let gap = release.gap.as_mut();
                let gap = gap
                    .into_iter()
                    .flat_map(|gap| gap.until.iter_mut().chain([&mut gap.from]));
                gap.chain([&mut release.started, &mut release.entered]).collect()
            }
            Self::RollingBack(Retreat {
                started,
                entered,
                served,
                ..
            })
            | Self::Promoting(Promotion {
                started,
                entered,
                served,
                ..
            }) => [started, entered]
                .into_iter()
                .chain(served::told(served))
                .collect(),
            Self::RolledBack(rejection) => vec![&mut rejection.since],
            Self::Deleting(removal) => removal.moments(),
        }
    }
}

/// A release on its way up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Release {
    /// The new revision.
    pub revision: Revision,
    /// When it was first seen.
    pub started: Moment,
    /// When the present stage began.
    pub entered: Moment,
    /// The weights of the plan's rungs that `rung` and `passed` count; empty where none have been noted yet. The owner
    /// may change the steps in mid-release.
    #[serde(default)]
    pub ladder: Vec<Weight>,
    /// Index into the ladder: the rung being prepared or judged.
    pub rung: usize,
    /// How many rungs have been passed: the proof that any weight rests on.
    pub passed: usize,
    /// The candidate's committed weight.
    pub weight: Weight,
    /// What is being done.
    pub stage: Stage,
    /// Ready pods on which `weight` was granted.
    #[serde(default)]
    pub granted: u32,
    /// The step's approval has been given.
    #[serde(default)]
    pub approved: bool,
    /// A person asked to keep the weight.
    #[serde(default)]
    pub paused: bool,
    /// How often the candidate lost ready capacity under traffic.
    #[serde(default)]
    pub lost: u8,
    /// Restarts of its containers before it had any traffic, once it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// When the candidate was last missing because somebody had removed its objects, or served alone because no stable pod
    /// was ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gap: Option<Gap>,
    /// The beginning of a stage that had passed, and waited for something else than its gauges beyond its deadline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overstayed: Option<Moment>,
}

impl Release {
    /// Whether that is the present one: what its gauges say now can only hold it.
    pub fn overstays(&self) -> bool {
        self.overstayed == Some(self.since())
    }

    /// Since when the present stage counts its time: since it began, or since somebody else could serve again.
    pub fn since(&self) -> Moment {
        let until = self.gap.and_then(|gap| gap.until);
        until.map_or(self.entered, |until| until.max(self.entered))
    }

    /// Whether what the past said at a moment was said before the last gap was over. Of a candidate that is not there now
    /// only the time since the gap began is excused: it may have begun before, while it served alone.
    pub fn excuses(&self, at: Option<Moment>) -> bool {
        let excuses = |gap: Gap| match gap.until {
            Some(until) => at.is_none_or(|at| at <= until),
            None => !gap.alone && at.is_none_or(|at| at >= gap.from),
        };
        self.gap.is_some_and(excuses)
    }
}

/// A time in which the candidate was not there, or nobody else was, through no fault of its version: what was counted then
/// is no evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Gap {
    /// When it began.
    pub from: Moment,
    /// When the candidate was given a weight again, or somebody else could serve again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// The candidate was there, and nobody else.
    #[serde(default)]
    pub alone: bool,
}

/// A release's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// Is everything there that the release needs?
    Preflight,
    /// The candidate is getting the capacity for the rung.
    Scaling,
    /// The rung's weight is committed: shifting, warming up, judging, holding.
    Judging,
}

/// Why a candidate was rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// The judge found it worse.
    Regression,
    /// Its pods lose something and would surely reach their limit soon.
    Leaking,
    /// It did not become ready in time.
    NotReady,
    /// It lost its ready pods under traffic, again and again.
    CapacityLost,
    /// Its containers crashed under traffic.
    Crashing,
    /// No verdict at the step's deadline.
    Inconclusive,
    /// No metrics for too long.
    NoData,
    /// A person asked for it.
    Aborted,
    /// A newer revision came.
    Superseded,
    /// The old template was put back.
    Reverted,
}

impl Cause {
    /// One CamelCase word, for conditions and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Regression => "Regression",
            Self::Leaking => "Leaking",
            Self::NotReady => "NotReady",
            Self::CapacityLost => "CapacityLost",
            Self::Crashing => "Crashing",
            Self::Inconclusive => "Inconclusive",
            Self::NoData => "NoData",
            Self::Aborted => "Aborted",
            Self::Superseded => "Superseded",
            Self::Reverted => "Reverted",
        }
    }

    /// Whether the revision stays rejected until a person says otherwise.
    pub const fn rejects(self) -> bool {
        !matches!(self, Self::Superseded | Self::Reverted)
    }
}

/// A candidate being rolled back; its committed weight is zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Retreat {
    /// The revision rolled back.
    pub revision: Revision,
    /// When its release began.
    pub started: Moment,
    /// When the retreat was decided.
    pub entered: Moment,
    /// Why.
    pub cause: Cause,
    /// The numbers or facts behind it.
    pub detail: String,
    /// Requests that came at weight zero all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Served>,
}

/// A rejected revision at rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rejection {
    /// The revision.
    pub revision: Revision,
    /// Since when no request can reach it.
    pub since: Moment,
    /// Why.
    pub cause: Cause,
    /// The numbers or facts behind it.
    pub detail: String,
}

/// A proven revision becoming the Deployment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// The proven revision.
    pub revision: Revision,
    /// When its release began.
    pub started: Moment,
    /// When the present stage began.
    pub entered: Moment,
    /// What is being done.
    pub stage: PromotionStage,
    /// The candidate's committed weight.
    pub weight: Weight,
    /// A person asked to keep the weight.
    #[serde(default)]
    pub paused: bool,
    /// How often the promoted pods lost ready capacity under traffic; in the handover, the candidate.
    #[serde(default)]
    pub lost: u8,
    /// It failed because the promoted pods were found worse than the candidate's.
    #[serde(default)]
    pub worse: bool,
    /// For how many replicas pods have been ready on the side that bears the traffic, or is to bear it: what an autoscaler
    /// adds has still to come, and is not lost. Absent before they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Requests that came to the candidate after all traffic had been given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub served: Option<Served>,
}

/// A promotion's stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum PromotionStage {
    /// All traffic goes to the candidate.
    Handover,
    /// The Deployment's own rolling update runs and bears no traffic.
    Rolling,
    /// Traffic comes back: index into the plan's returns.
    Returning(usize),
    /// All traffic is on the promoted Deployment; the candidate stands by.
    Baking,
    /// It could not be completed: a person must decide.
    Failed,
}

impl PromotionStage {
    /// Whether promoted pods bear traffic that they are judged by.
    pub const fn is_judged(self) -> bool {
        matches!(self, Self::Returning(_) | Self::Baking)
    }
}

/// A request by a person, answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handled {
    /// Uid of the `RolloutAction`.
    pub id: String,
    /// Why it was refused; absent when it was carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// How a release ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The revision.
    pub revision: Revision,
    /// `None`: promoted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// The numbers or facts behind it.
    pub detail: String,
    /// When the release began.
    pub started: Moment,
    /// When it was decided.
    pub ended: Moment,
}

impl State {
    /// The weight that the route must give the candidate.
    pub fn weight(&self) -> Weight {
        match &self.phase {
            Phase::Releasing(release) => release.weight,
            Phase::Promoting(promotion) => promotion.weight,
            Phase::Deleting(removal) => removal.weight,
            Phase::Adopting | Phase::Idle | Phase::RollingBack(_) | Phase::RolledBack(_) => Weight::NONE,
        }
    }

    /// The revision that a release is about.
    pub fn active(&self) -> Option<&Revision> {
        match &self.phase {
            Phase::Releasing(release) => Some(&release.revision),
            Phase::Promoting(promotion) => Some(&promotion.revision),
            Phase::RollingBack(retreat) => Some(&retreat.revision),
            Phase::RolledBack(rejection) => Some(&rejection.revision),
            Phase::Adopting | Phase::Idle | Phase::Deleting(_) => None,
        }
    }

    /// The same without moments that lie ahead of `now` by more than clocks differ: a process whose clock was wrong wrote
    /// them, and whoever waited for them would wait in silence. They count as `now`, so that no wait becomes shorter. Gives
    /// how far ahead the latest was; `None`: nothing is ahead.
    pub fn caught_up(&self, now: Moment) -> Option<(Self, SignedDuration)> {
        let mut state = self.clone();
        let mut most = SignedDuration::ZERO;
        for moment in state.phase.moments() {
            let ahead = moment.duration_since(now);
            if ahead > AHEAD {
                *moment = now;
                most = most.max(ahead);
            }
        }
        (most > AHEAD).then_some((state, most))
    }

    /// Adds the outcome of a release to the history.
    pub fn remember(&mut self, outcome: Outcome) {
        self.history.insert(0, outcome);
        self.history.truncate(HISTORY);
    }
}

//! Why an effect could not be applied, and what to do about it.

use crate::cluster::error::{Class, Error};
use crate::cluster::lease::Stamp;
use crate::engine::observation::Problem;
use crate::engine::reason;

/// Why an effect could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Box<Error>),
    /// The live objects are not those of the decision.
    #[error("the decision is outdated: {0}")]
    Stale(String),
    /// The objects do not allow it; a person must act.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// An object of the name that we need is somebody else's.
    #[error("{kind} {name} exists and was not made by Serin for this Rollout: rename or remove it")]
    Foreign {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The server took the write and answered with something else.
    #[error(
        "{object} does not keep `{field}` as it was written: an admission policy or webhook, or another controller, puts \
         something else there; let Serin's write through{}", gate(.field)
    )]
    NotKept {
        /// Kind, namespace and name.
        object: String,
        /// Which field.
        field: String,
    },
    /// The object carries the stamp of a later term.
    #[error("{object} was written by a later leader ({stamp}): the Lease is to be read")]
    Outranked {
        /// Kind and name.
        object: String,
        /// What it carries.
        stamp: Stamp,
    },
    /// This process does not lead any more.
    #[error("this process does not lead any more")]
    NotLeader,
}

/// What is known of the one policy that does this on purpose.
fn gate(field: &str) -> &'static str {
    if field == "spec.paused" {
        " (the gate's own policy lets only one user resume a Deployment: the one that `gate.serin.dev` names must be the \
         service account that Serin runs as)"
    } else {
        ""
    }
}

impl From<Error> for ApplyError {
    fn from(error: Error) -> Self {
        Self::Call(Box::new(error))
    }
}

/// A [`Problem`] as an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.message)]
pub struct Blocked(pub Problem);

impl Blocked {
    pub(super) fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self(Problem {
            reason,
            message: message.into(),
        })
    }
}

impl ApplyError {
    /// What to do about it.
    pub fn class(&self) -> Class {
        match self {
            Self::Call(error) => error.class(),
            Self::Stale(_) | Self::Outranked { .. } | Self::NotLeader => Class::Conflict,
            Self::Blocked(_) | Self::Foreign { .. } | Self::NotKept { .. } => Class::Invalid,
        }
    }

    /// One of a few words, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Call(error) => error.label(),
            Self::Stale(_) => "stale",
            Self::Blocked(_) => "blocked",
            Self::Foreign { .. } => "foreign",
            Self::NotKept { .. } => "not_kept",
            Self::Outranked { .. } => "outranked",
            Self::NotLeader => "not_leader",
        }
    }

    /// The error for people: a CamelCase reason and a sentence.
    pub fn problem(&self) -> Problem {
        let reason = match self {
            Self::Blocked(blocked) => return blocked.0.clone(),
            Self::Call(error) if error.is_patch_refused() => reason::PATCH_REFUSED,
            Self::Call(error) => match error.class() {
                Class::Denied => reason::ACCESS_DENIED,
                Class::Invalid => reason::REFUSED_BY_SERVER,
                Class::Transient | Class::Unknown => reason::SERVER_UNAVAILABLE,
                Class::Conflict => reason::CONFLICT,
                Class::Bug => reason::INTERNAL_ERROR,
            },
            Self::Stale(_) => reason::CONFLICT,
            Self::Foreign { .. } => reason::NAME_TAKEN,
            Self::NotKept { .. } => reason::WRITE_NOT_KEPT,
            Self::Outranked { .. } => reason::STAMP_TAMPERED,
            Self::NotLeader => reason::NOT_LEADER,
        };
        Problem {
            reason,
            message: self.to_string(),
        }
    }
}

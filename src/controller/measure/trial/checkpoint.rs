//! A trial in the status.

use serde::{Deserialize, Serialize};

use super::super::subject::Subject;
use super::super::warm_up;
use super::gaps::Gaps;
use super::id::TrialId;
use crate::engine::Moment;
use crate::engine::judge::Saved;

/// A trial as it is kept in the status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::controller::measure) struct Kept {
    pub(in crate::controller::measure) returning: bool,
    /// What was asked, in short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::controller::measure) asked: Option<String>,
    pub(super) start: Moment,
    pub(super) fresh: bool,
    pub(super) rung: usize,
    pub(super) entered: Moment,
    pub(super) pods: u32,
    /// When pods were young.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::controller::measure) young: Vec<warm_up::Span>,
    /// When the candidate was away, or alone.
    #[serde(default, skip_serializing_if = "Gaps::is_empty")]
    pub(super) gaps: Gaps,
    pub(super) lines: Vec<KeptLine>,
    pub(in crate::controller::measure) judge: Saved,
}

impl Kept {
    pub(super) fn id(&self) -> TrialId {
        TrialId {
            revision: self.judge.revision.clone(),
            returning: self.returning,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptLine {
    pub(super) subject: Subject,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Moment>,
    #[serde(default)]
    pub(super) straddling: bool,
}

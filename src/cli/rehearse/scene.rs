//! What a rehearsal was about, and what it found: both outputs tell the same.

use super::input;
use crate::engine::plan::Plan;
use crate::stats::Margin;
use crate::world::rehearsal::{Advice, Assumed, Extremes, Setting, Summary, Trouble};

/// What was rehearsed.
pub(super) struct Scene<'a> {
    pub(super) rollout: &'a input::Found,
    pub(super) assumed: &'a Assumed,
    pub(super) setting: &'a Setting,
    pub(super) runs: u64,
}

/// What was found.
pub(super) struct Found {
    pub(super) summary: Summary,
    pub(super) extremes: Extremes,
    pub(super) advice: Option<(Trouble, Vec<Advice>)>,
}

impl Scene<'_> {
    pub(super) fn plan(&self) -> &Plan {
        &self.setting.plan
    }

    /// From this error rate on a promotion is ruled out.
    pub(super) fn unacceptable(&self) -> f64 {
        let margin = self
            .plan()
            .analysis
            .metrics
            .first()
            .map(|metric| metric.unacceptable);
        margin.map_or(0.0, |margin| {
            Margin::new(margin.ratio, margin.absolute).rate(self.assumed.traffic.baseline)
        })
    }

    /// In what the rehearsal differs from what is written.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rollout.spec.paused {
            notes.push("`paused` is taken as false".to_owned());
        }
        if self.plan().rungs.iter().any(|rung| rung.approval) {
            notes.push("approvals are given at once".to_owned());
        }
        if let [first, _, ..] = self.plan().analysis.metrics.as_slice() {
            notes.push(format!(
                "the new version's error rate is that of `{}`; by the other metrics both versions are alike",
                first.name
            ));
        }
        notes
    }
}

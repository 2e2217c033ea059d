//! What a rehearsal was about, and what it found: both outputs tell the same.

use super::input;
use crate::engine::plan::Plan;
use crate::engine::words::percent;
use crate::rehearsal::{Advice, Assumed, Extremes, Setting, Summary, Trouble};
use crate::stats::without_baseline::ALONE;

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

    /// In what the rehearsal differs from what is written.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rollout.spec.paused {
            notes.push("`paused` is taken as false".to_owned());
        }
        if self.plan().rungs.iter().any(|rung| rung.approval) {
            notes.push("approvals are given at once".to_owned());
        }
        if self.plan().is_alone(self.plan().rungs.len() - 1) {
            let usual = self.assumed.traffic.baseline;
            notes.push(format!(
                "in the bake nothing runs beside the new version (`analysis.baseline.bakeShare: 0`): it is compared with the \
                 past, where {} fail, and up to {} is let through",
                percent(usual),
                percent(ALONE.rate(usual).min(1.0))
            ));
        }
        let metrics = &self.plan().analysis.metrics;
        let subject = self.setting.subject();
        let others: Vec<String> = metrics
            .iter()
            .enumerate()
            .filter(|(index, _)| *index != subject)
            .map(|(_, metric)| format!("`{}`", metric.name))
            .collect();
        if let (Some(metric), false) = (metrics.get(subject), others.is_empty()) {
            notes.push(format!(
                "failing is about `{}`; by {} both versions are alike",
                metric.name,
                others.join(", ")
            ));
        }
        notes
    }
}

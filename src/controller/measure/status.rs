//! What the judge's view of the present rung comes to, for the status.

use super::Measure;
use crate::api;
use crate::engine::judge::Judge;
use crate::engine::{Plan, Revision, report};
use crate::stats::Trouble;

impl Measure {
    /// The verdicts on the present rung, for the status.
    pub(in super::super) fn verdicts(
        &self,
        plan: &Plan,
        active: Option<&Revision>,
    ) -> Vec<api::VerdictStatus> {
        // What an earlier revision has shown says nothing of the one that took its place.
        let Some(trial) = self
            .trial
            .as_ref()
            .filter(|trial| active == Some(&trial.id.revision))
        else {
            return Vec::new();
        };
        let mut verdicts = report::verdicts(plan, &trial.judge, trial.id.returning);
        verdicts.extend(self.seen.1.iter().filter(|_| !trial.id.returning).cloned());
        verdicts
    }

    /// What the status says of the metrics.
    pub(in super::super) fn metrics(&self) -> Vec<api::MetricStatus> {
        let Some((_, learned)) = self.learned.as_ref().filter(|(_, learned)| !learned.told) else {
            return Vec::new();
        };
        let mut metrics = match &self.trial {
            Some(trial) => learned.report(trial.judge.provable()),
            None => learned.report(std::iter::empty()),
        };
        if let Some(gauges) = &self.gauges {
            metrics.extend(gauges.report());
        }
        metrics
    }

    /// How the evidence grew.
    pub(in super::super) fn trail(&self, active: Option<&Revision>) -> Vec<api::Mark> {
        let other = self
            .trial
            .as_ref()
            .is_some_and(|trial| active != Some(&trial.id.revision));
        if other {
            return Vec::new();
        }
        self.trail.marks().to_vec()
    }

    /// What keeps each metric from passing.
    pub(in super::super) fn troubles(&self) -> Vec<Option<Trouble>> {
        let judge = self.trial.iter().map(|trial| &trial.judge);
        judge
            .flat_map(Judge::assessments)
            .map(|(_, seen)| seen.trouble())
            .collect()
    }
}

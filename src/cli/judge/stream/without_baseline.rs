//! Steps with all traffic: nothing runs beside the candidate there, and the past is what is left to compare it with.
//!
//! That can fail a candidate but never prove one. So who comes there must have the proof with them: that of a step below
//! which was as strict as the last one's, because nothing comes after it that could be stricter.

use super::Stream;
use crate::cli::judge::metric::Metric;
use crate::cli::judge::rules::Rules;
use crate::stats::{Panel, Verdict};

/// The weight from which on nothing runs beside the candidate, in per cent.
const ALL: f64 = 100.0;
/// Why nothing advances with all traffic, and what to do.
const NO_PROOF: &str = "no step below 100 % was passed before it: nothing advances until one is, with \"next\":100 or \
                        \"final\":true in its lines";
const PROOF_FOR_LESS: &str = "what was passed before it was proof for less than all traffic: nothing advances until a step \
                              below 100 % is passed with \"next\":100 or \"final\":true in its lines";
const DESERTED: &str =
    "no request has reached the candidate for two and a half minutes: nothing advances meanwhile";

impl Stream {
    /// A step begins at this weight, before one of that weight; `whole`: its proof is to be that of a last step.
    pub(super) fn begin_evidence(
        &mut self,
        panel: &mut Panel,
        (weight, next): (f64, f64),
        whole: bool,
        rules: &Rules,
    ) {
        let (before, _, proof_for_all) = self.begun;
        let proof_for_all = proof_for_all || self.is_whole(panel, rules);
        self.begun = (weight, next, whole);
        if weight >= ALL {
            self.unproven = match (self.passed, proof_for_all || before >= ALL) {
                (true, true) => None,
                (true, false) => Some(PROOF_FOR_LESS),
                (false, _) => Some(NO_PROOF),
            };
            self.stand_alone(panel);
        } else {
            self.unproven = None;
            panel.begin_step(weight, next, whole);
        }
        self.passed = weight >= ALL && self.unproven.is_none();
    }

    /// Whether the release has the proof of a last step, whatever its steps have asked for.
    fn is_whole(&self, panel: &Panel, rules: &Rules) -> bool {
        let gating = |(index, metric): (usize, &Metric)| rules.gating(&metric.name).then_some(index);
        let mut seen = self.metrics.iter().enumerate().filter_map(gating);
        seen.all(|index| {
            let seen = panel.assessment(index);
            seen.is_some_and(|it| it.release.evidence >= it.step.needed)
        })
    }

    /// The last step's weight may grow to all traffic for its bake.
    pub(super) fn grow(&self, panel: &mut Panel, weight: f64) {
        if weight >= ALL && !panel.is_alone(0) {
            self.stand_alone(panel);
        }
    }

    fn stand_alone(&self, panel: &mut Panel) {
        (0..self.metrics.len()).for_each(|index| panel.begin_alone_of(index));
    }

    /// Why nothing advances with all traffic, where that is no matter of evidence.
    pub(super) fn why_kept(&self, panel: Option<&Panel>) -> Option<&'static str> {
        if self.verdict() == Verdict::Fail || !panel.is_some_and(|panel| panel.is_alone(0)) {
            return None;
        }
        self.unproven.or_else(|| self.is_deserted().then_some(DESERTED))
    }

    /// The verdict of the metrics. With all traffic the proof is there already, and stands until the past speaks
    /// against it; but not where a metric that is to gate cannot be judged.
    pub(super) fn of_metrics(&self, panel: &Panel, rules: &Rules) -> Verdict {
        let judged =
            |(index, metric): (usize, &Metric)| panel.is_judged(index) || !rules.gating(&metric.name);
        let proven = panel.is_alone(0) && self.unproven.is_none() && !self.is_deserted();
        match panel.verdict() {
            Verdict::Continue if proven && self.metrics.iter().enumerate().all(judged) => Verdict::Pass,
            Verdict::Pass if panel.is_idle() || self.is_deserted() => Verdict::Continue,
            verdict @ (Verdict::Pass | Verdict::Continue | Verdict::Fail) => verdict,
        }
    }
}

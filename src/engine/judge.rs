//! Evidence as the engine sees it, and the fold from metric increments to it.

use super::plan::{Metric, Plan};
use super::quantity::{Moment, Revision};
use super::words;
use crate::stats;

/// What the judge says at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The revision compared.
    pub revision: Option<Revision>,
    /// The rung whose data it rests on.
    pub rung: usize,
    /// The latest evaluation that had data.
    pub at: Option<Moment>,
    /// Since when every evaluation has failed to give data, and why; `None` while there is data.
    pub silent: Option<(Moment, String)>,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence with the numbers.
    pub summary: String,
}

/// A verdict on the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Proven good enough for the next rung.
    Pass,
    /// Proven worse: final for the revision.
    Fail,
    /// Not enough evidence either way.
    Continue,
}

impl Evidence {
    /// No evidence at all.
    pub fn none() -> Self {
        Self {
            revision: None,
            rung: 0,
            at: None,
            silent: None,
            verdict: Verdict::Continue,
            summary: String::new(),
        }
    }

    /// Whether it convicts `revision`, at whatever rung.
    pub fn convicts(&self, revision: &Revision) -> bool {
        self.verdict == Verdict::Fail && self.revision.as_ref() == Some(revision)
    }

    /// Whether it clears `revision` on `rung` with data younger than `since`.
    pub fn clears(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.verdict == Verdict::Pass && self.current(revision, rung, since)
    }

    /// Whether it rests on this revision's data on this rung, younger than `since`, and is not silent.
    pub fn current(&self, revision: &Revision, rung: usize, since: Moment) -> bool {
        self.silent.is_none()
            && self.revision.as_ref() == Some(revision)
            && self.rung == rung
            && self.at.is_some_and(|at| at > since)
    }
}

/// The fold from increments to evidence, for one release: the same increments give the same evidence, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    revision: Revision,
    rung: usize,
    metrics: Vec<Tried>,
}

/// One metric on trial.
#[derive(Clone, Debug, PartialEq)]
struct Tried {
    metric: Metric,
    evidence: stats::Evidence,
    at: Option<Moment>,
    silent: Option<(Moment, String)>,
}

impl Judge {
    /// A judge without evidence, standing before the first rung.
    pub fn new(plan: &Plan, revision: &Revision) -> Self {
        let count = plan.analysis.metrics.len().max(1) as f64;
        let tried = |metric: &Metric| {
            // Each metric may convict alone, so the chance of a false rollback is shared among them.
            let settings = settings(plan, metric, plan.analysis.false_rollback / count);
            Tried {
                metric: metric.clone(),
                evidence: stats::Evidence::new(settings),
                at: None,
                silent: None,
            }
        };
        Self {
            revision: revision.clone(),
            rung: 0,
            metrics: plan.analysis.metrics.iter().map(tried).collect(),
        }
    }

    /// The rung whose data comes next.
    pub fn begin_rung(&mut self, plan: &Plan, rung: usize) {
        let percent = |rung: usize| f64::from(plan.rung(rung).weight.percent());
        let last = plan.rung(rung).step + 1 == plan.steps;
        self.rung = rung;
        for tried in &mut self.metrics {
            tried.evidence.begin_step(percent(rung), percent(rung + 1), last);
            tried.at = None;
        }
    }

    /// An evaluation of the metric at `index` with data.
    pub fn observe(&mut self, index: usize, at: Moment, tick: stats::Tick) {
        if let Some(tried) = self.metrics.get_mut(index) {
            tried.evidence.observe(tick);
            tried.at = Some(at);
            tried.silent = None;
        }
    }

    /// An evaluation of the metric at `index` without data, and why.
    pub fn miss(&mut self, index: usize, at: Moment, why: &str) {
        if let Some(tried) = self.metrics.get_mut(index) {
            let since = tried.silent.as_ref().map_or(at, |(since, _)| *since);
            tried.silent = Some((since, why.to_owned()));
        }
    }

    /// What the engine decides on.
    pub fn evidence(&self) -> Evidence {
        let verdicts = || {
            self.metrics
                .iter()
                .map(|tried| (&tried.metric, tried.evidence.verdict()))
        };
        let verdict = if verdicts().any(|(_, verdict)| verdict == stats::Verdict::Fail) {
            Verdict::Fail
        } else if !self.metrics.is_empty()
            && verdicts().all(|(metric, verdict)| !metric.gating || verdict == stats::Verdict::Pass)
        {
            Verdict::Pass
        } else {
            Verdict::Continue
        };
        let telling = |assessment: &stats::Assessment| {
            verdict != Verdict::Fail || assessment.verdict == stats::Verdict::Fail
        };
        let sentences: Vec<String> = self
            .assessments()
            .filter(|(_, assessment)| telling(assessment))
            .map(|(metric, assessment)| words::sentence(&metric.name, &assessment))
            .collect();
        Evidence {
            revision: Some(self.revision.clone()),
            rung: self.rung,
            at: self.metrics.iter().map(|tried| tried.at).min().flatten(),
            silent: self
                .metrics
                .iter()
                .filter_map(|tried| tried.silent.clone())
                .min_by_key(|(since, _)| *since),
            verdict,
            summary: sentences.join("; "),
        }
    }

    /// The numbers of each metric.
    pub fn assessments(&self) -> impl Iterator<Item = (&Metric, stats::Assessment)> {
        self.metrics
            .iter()
            .map(|tried| (&tried.metric, tried.evidence.assessment()))
    }

    /// The revision on trial.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The rung on trial.
    pub fn rung(&self) -> usize {
        self.rung
    }
}

/// A plan's margins are checked at admission; should they be unusable all the same, the judge takes its own.
fn settings(plan: &Plan, metric: &Metric, alpha: f64) -> stats::Settings {
    let margin = |margin: super::plan::Margin| stats::Margin::new(margin.ratio, margin.absolute);
    stats::Settings::new(
        margin(metric.tolerated),
        margin(metric.unacceptable),
        alpha,
        plan.analysis.wrong_promotion,
    )
    .and_then(|settings| settings.with_warmup(plan.analysis.warm_up.as_secs_f64()))
    .unwrap_or_default()
}

//! The fold from metric increments to evidence.

mod evidence;
mod joint;
mod saved;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::plan::{Analysis, Metric, Plan};
use super::quantity::{Moment, Revision, Weight};
use super::words;
use crate::stats;
pub use evidence::{Evidence, Standing, Verdict};
pub use saved::{Saved, SavedMetric, Unusable};

/// How long after a weight is decided its share is not looked at: the gateway takes it over meanwhile, and clients
/// keep connections.
const SHARE_GRACE: Duration = Duration::from_secs(10);

/// What is known of a metric before its comparison begins, and does not change while it lasts.
#[derive(Clone, Debug, PartialEq)]
pub struct Brief {
    /// Its name in the plan.
    pub metric: String,
    /// It counts only requests that came through the route.
    pub routed: bool,
    /// How the baseline behaved before, for each comparison: one, or one for each edge of a histogram.
    pub past: Vec<stats::Background>,
}

impl Brief {
    /// A metric of one comparison without a past.
    pub fn plain(metric: &Metric) -> Self {
        Self {
            metric: metric.name.clone(),
            routed: false,
            past: vec![stats::Background::default()],
        }
    }
}

/// The fold from increments to evidence, for one release: the same increments give the same evidence, bit for bit.
#[derive(Clone, Debug, PartialEq)]
pub struct Judge {
    revision: Revision,
    /// The rules that it judges by.
    analysis: Analysis,
    metrics: Vec<Tried>,
    panel: stats::Panel,
    /// Why the step's evidence was restarted, if it was.
    anew: Option<String>,
}

/// One metric on trial.
#[derive(Clone, Debug, PartialEq)]
struct Tried {
    metric: Metric,
    routed: bool,
    rung: usize,
    weight: Weight,
    at: Option<Moment>,
    silent: Option<(Moment, String)>,
    /// Evaluations without data since the last one that had some.
    missed: u8,
    /// When the provider began not to answer, while it is silent.
    away: Option<Moment>,
    /// Since when the weight's share is looked at, and the counts until then.
    share_from: Option<Moment>,
    before_share: stats::Arms,
}

impl Judge {
    /// A judge without evidence, standing before the first rung, of all the plan's metrics without a past.
    pub fn new(plan: &Plan, revision: &Revision) -> Self {
        let briefs: Vec<Brief> = plan.analysis.metrics.iter().map(Brief::plain).collect();
        Self::of(plan, revision, &briefs, None)
    }

    /// A judge without evidence of the metrics in `briefs`, standing before the first rung. `pace`: requests a second
    /// to both arms together, as far as they are known beforehand.
    pub fn of(plan: &Plan, revision: &Revision, briefs: &[Brief], pace: Option<f64>) -> Self {
        let named = |name: &str| plan.analysis.metrics.iter().find(|metric| metric.name == name);
        let judged: Vec<(&Metric, &Brief)> = briefs
            .iter()
            .filter_map(|brief| Some((named(&brief.metric)?, brief)))
            .collect();
        let rules: Vec<stats::Rule> = judged
            .iter()
            .map(|(metric, brief)| rule(plan, metric, brief.past.len()))
            .collect();
        let mut panel = stats::Panel::new(plan.analysis.false_rollback, &rules);
        for (index, (_, brief)) in judged.iter().enumerate() {
            for (part, past) in brief.past.iter().enumerate() {
                panel.learn(index, part, *past);
            }
            panel.set_routed(index, brief.routed);
        }
        if let Some(pace) = pace {
            panel.expect(pace, &proofs(plan));
        }
        let tried = |(metric, brief): (&Metric, &Brief)| Tried {
            metric: metric.clone(),
            routed: brief.routed,
            rung: 0,
            weight: Weight::NONE,
            at: None,
            silent: None,
            missed: 0,
            away: None,
            share_from: None,
            before_share: stats::Arms::default(),
        };
        Self {
            revision: revision.clone(),
            analysis: plan.analysis.clone(),
            metrics: judged.into_iter().map(tried).collect(),
            panel,
            anew: None,
        }
    }

    /// The same without the intervals of the ratios, which no verdict needs and which take half of the time: for
    /// simulations.
    #[must_use]
    pub fn without_ratios(mut self) -> Self {
        self.panel.spare_ratios();
        self
    }

    /// Whether it judges by the plan's rules: the owner may change them in mid-release.
    pub fn is_under(&self, plan: &Plan) -> bool {
        self.analysis == plan.analysis
    }

    /// For every metric: the rung whose data comes next. `pods`: candidate pods that take part.
    pub fn begin_rung(&mut self, plan: &Plan, rung: usize, pods: u32) {
        for index in 0..self.metrics.len() {
            self.begin_rung_of(index, plan, (rung, pods), None);
        }
    }

    /// The same for the metric at `index`, which has data up to the moment when the rung was `entered`.
    pub fn begin_rung_of(
        &mut self,
        index: usize,
        plan: &Plan,
        (rung, pods): (usize, u32),
        entered: Option<Moment>,
    ) {
        let Some(tried) = self.metrics.get_mut(index) else {
            return;
        };
        let weight = |rung: usize| plan.rung(rung).weight;
        tried.rung = rung;
        tried.weight = weight(rung);
        tried.at = None;
        tried.before_share = stats::Arms::default();
        tried.share_from = entered.and_then(|entered| graced(plan, entered));
        let percent = |rung: usize| f64::from(weight(rung).percent());
        let last = plan.rung(rung).step + 1 == plan.steps;
        if plan.is_alone(rung) {
            self.panel.begin_alone_of(index);
        } else {
            let step = (percent(rung), percent(rung + 1), last);
            self.panel.begin_step_of(index, step);
        }
        self.panel.set_candidate_pods(index, pods);
        self.anew = None;
    }

    /// The rung of a resumed judge was `entered` so lately, perhaps, that the gateway still hands over.
    pub fn grant_grace(&mut self, plan: &Plan, entered: Moment) {
        for tried in &mut self.metrics {
            tried.share_from = graced(plan, entered);
        }
    }

    /// The evidence of `rung` starts anew, because what was counted in the meantime is not to be had.
    pub fn begin_anew(&mut self, plan: &Plan, (rung, pods): (usize, u32), why: &str) {
        self.begin_rung(plan, rung, pods);
        self.anew = Some(why.to_owned());
    }

    /// An evaluation of the metric at `index` with data: a tick for each of its comparisons.
    pub fn observe(&mut self, index: usize, at: Moment, ticks: impl IntoIterator<Item = stats::Tick>) {
        let Some(tried) = self.metrics.get_mut(index) else {
            return;
        };
        let gone = self.panel.is_forsaken(index);
        let ticks: Vec<stats::Tick> = ticks.into_iter().collect();
        let moved = ticks
            .iter()
            .any(|tick| tick.candidate.requests > 0 || tick.baseline.requests > 0);
        self.panel.observe(index, ticks);
        if moved {
            tried.at = Some(at);
        }
        if tried.metric.gating && !self.panel.is_judged(index) {
            // Counts that nothing can be compared with are no data: the release must not pass by them.
            let since = tried.silent.as_ref().map_or(at, |(since, _)| *since);
            tried.silent = Some((since, words::not_judged(&tried.metric.name)));
            return;
        }
        // A provider that was away answers with what it had before until it has scraped anew: what is of the time before it
        // went ends no silence. Nor does its first answer after that, which may show the requests until it went.
        let back = tried.missed < 2 || tried.away.is_none_or(|away| at >= away);
        let ends = moved && tried.missed < 2;
        match &mut tried.silent {
            Some((_, why)) if !ends => {
                let told = if moved { words::back } else { words::not_moved };
                *why = told(&tried.metric.name);
            }
            silent => (*silent, tried.away) = (None, None),
        }
        if moved && back {
            tried.missed = u8::from(!ends);
        }
        // What the candidate got while the baseline got nothing says nothing of the share that it gets since.
        let beside_again = gone && !self.panel.is_forsaken(index);
        if beside_again || tried.share_from.is_some_and(|from| at < from) {
            tried.before_share = self.panel.in_step(index).unwrap_or_default();
        }
    }

    /// An evaluation of the metric at `index` with data that is no evidence.
    pub fn leave_out(&mut self, index: usize) {
        if let Some(tried) = self.metrics.get_mut(index) {
            (tried.silent, tried.away, tried.missed) = (None, None, 0);
        }
    }

    /// The provider of the metric at `index` does not answer `now`, and why.
    pub fn miss_provider(&mut self, index: usize, now: Moment, why: &str) {
        if let Some(tried) = self.metrics.get_mut(index) {
            tried.away.get_or_insert(now);
        }
        self.miss(index, now, why);
    }

    /// An evaluation of the metric at `index` without data, and why.
    pub fn miss(&mut self, index: usize, at: Moment, why: &str) {
        if let Some(tried) = self.metrics.get_mut(index) {
            let since = tried.silent.as_ref().map_or(at, |(since, _)| *since);
            tried.silent = Some((since, why.to_owned()));
            tried.missed = tried.missed.saturating_add(1);
        }
    }

    /// The numbers of each metric.
    pub fn assessments(&self) -> impl Iterator<Item = (&Metric, stats::Assessment)> {
        let metrics = self.metrics.iter().map(|tried| &tried.metric).enumerate();
        metrics.filter_map(|(index, metric)| Some((metric, self.panel.assessment(index)?)))
    }

    /// The rates that a promotion surely excludes, where they are above those of the plan's margins because the
    /// traffic is thin: metric and rate.
    pub fn provable(&self) -> impl Iterator<Item = (&Metric, f64)> {
        let metrics = self.metrics.iter().map(|tried| &tried.metric).enumerate();
        metrics.filter_map(|(index, metric)| Some((metric, self.panel.widened(index)?)))
    }

    /// What was known before the comparison began.
    pub fn briefs(&self) -> Vec<Brief> {
        let brief = |(index, tried): (usize, &Tried)| Brief {
            metric: tried.metric.name.clone(),
            routed: tried.routed,
            past: self.panel.pasts(index),
        };
        self.metrics.iter().enumerate().map(brief).collect()
    }

    /// The evidence of all metrics against the candidate.
    pub fn against(&self) -> stats::Evidenced {
        self.panel.against()
    }

    /// The revision on trial.
    pub fn revision(&self) -> &Revision {
        &self.revision
    }

    /// The rung on trial: the lowest that any metric that is needed still speaks of.
    pub fn rung(&self) -> usize {
        self.needed().map(|tried| tried.rung).min().unwrap_or(0)
    }

    /// The metrics without which nothing passes: what can only roll back must not hold a release by its silence.
    fn needed(&self) -> impl Iterator<Item = &Tried> {
        self.gating().filter_map(|index| self.metrics.get(index))
    }

    /// Positions of the metrics that a release waits for.
    fn gating(&self) -> impl Iterator<Item = usize> {
        let gated = self.metrics.iter().any(|tried| tried.metric.gating);
        let needed = move |(index, tried): (usize, &Tried)| (tried.metric.gating || !gated).then_some(index);
        self.metrics.iter().enumerate().filter_map(needed)
    }

    /// How many metrics are on trial.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

/// From when on requests show the share of a rung that was `entered` then.
fn graced(plan: &Plan, entered: Moment) -> Option<Moment> {
    let grace = SHARE_GRACE.max(plan.propagation.saturating_mul(2));
    entered.checked_add(grace).ok()
}

/// The weights that are left by proof, in per cent.
fn proofs(plan: &Plan) -> Vec<f64> {
    let proof = |rung: &&super::plan::Rung| rung.kind == super::plan::RungKind::Proof;
    let rungs = plan.rungs.iter().filter(proof);
    rungs.map(|rung| f64::from(rung.weight.percent())).collect()
}

/// How a metric is judged. A plan's margins are checked at admission; should they be unusable all the same, the judge
/// takes its own.
fn rule(plan: &Plan, metric: &Metric, parts: usize) -> stats::Rule {
    let margin = |margin: super::plan::Margin| stats::Margin::new(margin.ratio, margin.absolute);
    let settings = stats::Settings::new(
        margin(metric.tolerated),
        margin(metric.unacceptable),
        plan.analysis.false_rollback,
        plan.analysis.wrong_promotion,
    )
    .and_then(|settings| settings.with_warmup(plan.analysis.warm_up.as_secs_f64()))
    .unwrap_or_default();
    stats::Rule {
        settings,
        weight: metric.kind.weight(),
        gating: metric.gating,
        parts,
    }
}

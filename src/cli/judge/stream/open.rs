//! How a stream's panel begins, and what becomes of it when the edges of a histogram are chosen later.

use super::Stream;
use super::share::Watch;
use crate::cli::judge::line::{Arm, Increments, Line};
use crate::cli::judge::metric::{Metric, buckets, is_latency};
use crate::cli::judge::rules::Rules;
use crate::stats::latency::{self, Edge};
use crate::stats::{Panel, Rule, Verdict};

impl Stream {
    /// The metrics of a stream, from its first scrape. Histograms of which nothing is known wait for their edges.
    pub(super) fn open(&mut self, line: &Line<'_>, rules: &Rules) -> Result<Panel, String> {
        rules.fit(line)?;
        let mut metrics = Vec::new();
        for (name, arms) in line.metrics.iter() {
            let edges: Option<Vec<Edge>> = match &arms.baseline {
                Arm::Increments(baseline) if is_latency(arms) => {
                    let known = self.past.as_ref().and_then(|past| past.edges(name));
                    Some(known.map_or_else(|| Ok(Vec::new()), |known| readable(name, baseline, known))?)
                }
                Arm::Increments(_) | Arm::Series(_) => None,
            };
            let metric = Metric::new(name, arms, edges);
            if let Some(wrong) = metric.unfit(arms) {
                return Err(format!("metric {name}: {wrong}"));
            }
            metrics.push(metric);
        }
        let judged = metrics.iter().map(|metric| rules.rule(metric));
        let judged = judged.collect::<Result<Vec<Rule>, String>>()?;
        self.metrics = metrics;
        let panel = self.panel_of(&judged, rules);
        if self.metrics.iter().any(|metric| metric.waits().is_some()) {
            self.judged = judged;
        }
        Ok(panel)
    }

    /// A panel without evidence, which knows the past.
    fn panel_of(&self, judged: &[Rule], rules: &Rules) -> Panel {
        let mut panel = Panel::new(rules.analysis.false_rollback(), judged);
        if let Some(past) = &self.past {
            for (index, metric) in self.metrics.iter().enumerate() {
                let normal = past.backgrounds(&metric.name, metric.edges.is_some());
                for (part, normal) in normal.into_iter().enumerate() {
                    panel.learn(index, part, normal);
                }
            }
            panel.expect(past.pace, rules.weights());
        }
        panel
    }

    /// Chooses the edges that are due, and judges at them what has waited. Until then a metric is one comparison without a
    /// request, so that it neither fails nor passes, and the others have their share of the chance of a false rollback.
    pub(super) fn choose_edges(&mut self, mut panel: Panel, rules: &Rules) -> Panel {
        if self.judged.is_empty() || panel.verdict() == Verdict::Fail {
            return panel;
        }
        for index in 0..self.metrics.len() {
            if let Some(with_edges) = self.with_edges(index, &panel, rules) {
                panel = with_edges;
            }
        }
        if self.metrics.iter().all(|metric| metric.waits().is_none()) {
            self.judged = Vec::new();
        }
        panel
    }

    /// The panel with the edges of one metric, if they are due. What the others have seen stays as it is, in the same bits.
    fn with_edges(&mut self, index: usize, panel: &Panel, rules: &Rules) -> Option<Panel> {
        let metric = self.metrics.get(index)?;
        let edges = metric.chosen(rules.slowdown(&metric.name))?;
        self.judged.get_mut(index)?.parts = edges.len();
        let mut anew = self.panel_of(&self.judged, rules);
        for other in (0..self.metrics.len()).filter(|other| *other != index) {
            anew.resume(other, &panel.checkpoints(other)).ok()?;
        }
        anew.begin_step_of(index, self.begun);
        if panel.is_alone(index) {
            anew.begin_alone_of(index);
        }
        for ticks in self.metrics.get_mut(index)?.settle(edges) {
            anew.observe(index, ticks);
        }
        if index == 0 {
            // It is what the share is read off, and all of that came at once.
            self.watch = Watch::begin(self.weight);
        }
        Some(anew)
    }
}

/// The edges of a metric's past, which its lines must have.
fn readable(name: &str, baseline: &Increments, known: Vec<Edge>) -> Result<Vec<Edge>, String> {
    let buckets = buckets(baseline);
    let has = |edge: f64| buckets.iter().any(|bucket| latency::same_edge(bucket.edge, edge));
    let strange = known
        .iter()
        .flat_map(|edge| [edge.candidate, edge.baseline])
        .find(|edge| !has(*edge));
    strange.map_or(Ok(known), |edge| {
        Err(format!(
            "metric {name}: there is no bucket up to {edge} s, at which its history is judged"
        ))
    })
}

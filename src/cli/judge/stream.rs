//! One stream: the evidence of one release, fed line by line.

use super::answer::{self, Answer};
use super::line::{Arm, Line, Past};
use super::metric::{Metric, buckets, is_latency, sound};
use super::rules::Rules;
use crate::engine::words;
use crate::stats::history::background_of;
use crate::stats::latency::{self, Edge};
use crate::stats::{Background, Counts, Panel, Verdict};

/// The step after one that is neither last nor told: ladders mostly grow by about this factor.
const USUAL_GROWTH: f64 = 2.5;
/// The weights that thin traffic is measured against: a stream does not tell its ladder beforehand.
const USUAL_LADDER: [f64; 3] = [10.0, 25.0, 80.0];

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    metrics: Vec<Metric>,
    panel: Option<Panel>,
    past: Option<(Background, f64)>,
    t: Option<f64>,
    step: u32,
    /// Seconds in the step, and since the verdict that ends the last one.
    held: f64,
    baked: f64,
    verdict: Option<Verdict>,
}

impl Stream {
    /// The last verdict.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Continue)
    }

    /// Learns the baseline's past.
    pub(super) fn learn(&mut self, past: &[Past], rules: &Rules) -> Result<(), String> {
        if self.panel.is_some() {
            return Err("history must come before the stream's first scrape".into());
        }
        let mut pods = Vec::with_capacity(past.len());
        for (at, moment) in past.iter().enumerate() {
            if at > 0 && moment.t <= past[at - 1].t {
                return Err(format!("history goes back in time at {}", moment.t));
            }
            if let Some((n, x)) = moment.pods.iter().find(|(n, x)| x > n) {
                return Err(format!(
                    "history at {}: x is {} but n only {}",
                    moment.t, x.0, n.0
                ));
            }
            pods.push(
                moment
                    .pods
                    .iter()
                    .map(|(n, x)| Counts::new(n.0, x.0))
                    .collect::<Vec<_>>(),
            );
        }
        let tolerated = rules.settings("", false)?.tolerated();
        let requests: u64 = pods.iter().flatten().map(|c| c.requests).sum();
        let span = match past {
            [first, .., last] => (last.t - first.t) * past.len() as f64 / (past.len() - 1) as f64,
            _ => 0.0,
        };
        let known = background_of(&pods, span / pods.len().max(1) as f64, tolerated);
        self.past = Some((known, if span > 0.0 { requests as f64 / span } else { 0.0 }));
        Ok(())
    }

    /// Takes one scrape. Nothing changes if the line is refused.
    pub(super) fn scrape<'a>(&'a mut self, line: &'a Line<'a>, rules: &Rules) -> Result<Answer<'a>, String> {
        let t = line.t.ok_or("t is missing: the time of the scrape in seconds")?;
        let weight = line
            .weight
            .ok_or("weight is missing: the candidate's share in per cent")?;
        self.check(line, t, weight)?;
        let mut panel = match self.panel.take() {
            Some(panel) if line.step == self.step => panel,
            Some(mut panel) => {
                self.begin(&mut panel, line, weight);
                panel
            }
            None => {
                let mut panel = self.open(line, rules)?;
                self.begin(&mut panel, line, weight);
                panel
            }
        };
        let interval = std::time::Duration::from(rules.analysis.interval).as_secs_f64();
        let seconds = self.t.map_or(interval, |before| t - before);
        for (index, metric) in self.metrics.iter_mut().enumerate() {
            if let Some(arms) = line.metrics.get(metric.name.as_str()) {
                let seen = metric.read(arms, seconds, self.t);
                panel.set_candidate_pods(index, seen.pods);
                panel.observe(index, seen.ticks);
            }
        }
        (self.step, self.t) = (line.step, Some(t));
        self.held += seconds;
        let panel = self.panel.insert(panel);
        let verdict = panel.verdict();
        // Before the last step the hold is that of the step. In the last one it is the bake, from the proof on.
        if verdict == Verdict::Pass {
            self.baked += seconds;
        }
        let stayed = if line.last {
            self.baked - seconds
        } else {
            self.held
        };
        self.verdict = Some(verdict);
        let advance = verdict == Verdict::Pass && stayed >= rules.hold(line.last) - 1e-9;
        Ok(self.answer(line, t, advance))
    }

    fn check(&self, line: &Line<'_>, t: f64, weight: f64) -> Result<(), String> {
        if self.t.is_some_and(|before| t <= before) {
            return Err(format!("t must grow: {t} after {}", self.t.unwrap_or_default()));
        }
        if !(weight > 0.0 && weight <= 100.0) {
            return Err(format!("weight must be above 0 and at most 100: {weight}"));
        }
        if self.panel.is_some() && line.step < self.step {
            return Err(format!(
                "step must not go back: {} after {}",
                line.step, self.step
            ));
        }
        if line.metrics.is_empty() {
            return Err("metrics is missing or empty".into());
        }
        let same = || {
            line.metrics
                .keys()
                .map(AsRef::as_ref)
                .eq(self.metrics.iter().map(|m| m.name.as_str()))
        };
        if !self.metrics.is_empty() && !same() {
            let known: Vec<&str> = self.metrics.iter().map(|m| m.name.as_str()).collect();
            return Err(format!(
                "the stream's metrics changed: they were {}",
                known.join(", ")
            ));
        }
        for (name, arms) in &line.metrics {
            for (which, arm) in [("candidate", &arms.candidate), ("baseline", &arms.baseline)] {
                sound(arm).map_err(|wrong| format!("metric {name}, {which}: {wrong}"))?;
            }
        }
        for metric in &self.metrics {
            if line
                .metrics
                .get(metric.name.as_str())
                .is_some_and(|arms| is_latency(arms) != metric.edges.is_some())
            {
                return Err(format!(
                    "metric {} changed between counts and buckets",
                    metric.name
                ));
            }
        }
        Ok(())
    }

    /// The metrics of a stream, from its first scrape.
    fn open(&mut self, line: &Line<'_>, rules: &Rules) -> Result<Panel, String> {
        let (mut metrics, mut judged) = (Vec::new(), Vec::new());
        for (name, arms) in &line.metrics {
            let edges: Option<Vec<Edge>> = match &arms.baseline {
                Arm::Increments(baseline) if is_latency(arms) => {
                    Some(latency::edges(&buckets(baseline), 0.0, None))
                }
                Arm::Increments(_) | Arm::Series(_) => None,
            };
            if edges.as_ref().is_some_and(Vec::is_empty) {
                return Err(format!(
                    "metric {name}: the first scrape's baseline has no request to choose edges by"
                ));
            }
            let metric = Metric::new(name, edges);
            judged.push(rules.rule(&metric)?);
            metrics.push(metric);
        }
        let mut panel = Panel::new(rules.analysis.false_rollback(), &judged);
        if let Some((known, pace)) = self.past {
            for (index, _) in metrics.iter().enumerate().filter(|(_, m)| m.edges.is_none()) {
                panel.learn(index, 0, known);
            }
            panel.expect(pace, &USUAL_LADDER);
        }
        self.metrics = metrics;
        Ok(panel)
    }

    fn begin(&mut self, panel: &mut Panel, line: &Line<'_>, weight: f64) {
        let next = line.next.unwrap_or_else(|| (weight * USUAL_GROWTH).min(100.0));
        panel.begin_step(weight, next, line.last);
        (self.held, self.baked) = (0.0, 0.0);
    }

    fn answer<'a>(&'a self, line: &'a Line<'a>, t: f64, advance: bool) -> Answer<'a> {
        let seen = |index: usize| {
            let metric = self.metrics.get(index)?;
            Some((metric.name.as_str(), self.panel.as_ref()?.assessment(index)?))
        };
        let telling = self.panel.as_ref().and_then(Panel::telling);
        Answer {
            stream: line.stream.as_ref(),
            t,
            verdict: answer::name(self.verdict()),
            advance,
            reason: telling
                .and_then(seen)
                .map_or_else(String::new, |(name, assessment)| {
                    words::sentence(name, &assessment)
                }),
            metrics: (0..self.metrics.len())
                .filter_map(seen)
                .map(|(name, assessment)| (name, answer::Metric::from(&assessment)))
                .collect(),
        }
    }
}

//! One stream: the evidence of one release, fed line by line.

use super::answer::{self, Answer};
use super::line::{Arm, Line, Past};
use super::metric::{Compared, Metric, buckets, is_latency, sound};
use super::rules::Rules;
use crate::engine::words;
use crate::stats::history::background_of;
use crate::stats::latency::{self, Edge};
use crate::stats::{Assessment, Background, Counts, Evidence, Part, Verdict, joint};

/// The step after one that is neither last nor told: ladders mostly grow by about this factor.
const USUAL_GROWTH: f64 = 2.5;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    metrics: Vec<Metric>,
    past: Option<(Background, f64)>,
    began: bool,
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
        if self.began {
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
        if self.metrics.is_empty() {
            self.metrics = self.open(line, rules)?;
        }
        if !self.began || line.step != self.step {
            self.begin(line, weight);
        }
        let interval = std::time::Duration::from(rules.analysis.interval).as_secs_f64();
        let seconds = self.t.map_or(interval, |before| t - before);
        for metric in &mut self.metrics {
            if let Some(arms) = line.metrics.get(metric.name.as_str()) {
                metric.observe(arms, seconds, self.t);
            }
        }
        (self.began, self.step, self.t) = (true, line.step, Some(t));
        self.held += seconds;
        Ok(self.answer(line, t, seconds, rules))
    }

    fn check(&self, line: &Line<'_>, t: f64, weight: f64) -> Result<(), String> {
        if self.t.is_some_and(|before| t <= before) {
            return Err(format!("t must grow: {t} after {}", self.t.unwrap_or_default()));
        }
        if !(weight > 0.0 && weight <= 100.0) {
            return Err(format!("weight must be above 0 and at most 100: {weight}"));
        }
        if self.began && line.step < self.step {
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
                .is_some_and(|arms| is_latency(arms) != metric.latency)
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
    fn open(&self, line: &Line<'_>, rules: &Rules) -> Result<Vec<Metric>, String> {
        let share = 1.0 / line.metrics.len() as f64;
        let mut metrics = Vec::with_capacity(line.metrics.len());
        for (name, arms) in &line.metrics {
            let latency = is_latency(arms);
            let edges: Vec<Option<Edge>> = match &arms.baseline {
                Arm::Increments(baseline) if latency => latency::edges(&buckets(baseline), 0.0, None)
                    .into_iter()
                    .map(Some)
                    .collect(),
                Arm::Increments(_) | Arm::Series(_) => vec![None],
            };
            if edges.is_empty() {
                return Err(format!(
                    "metric {name}: the first scrape's baseline has no request to choose edges by"
                ));
            }
            let settings = rules.settings(name, latency)?.sharing(share / edges.len() as f64);
            let parts = edges.into_iter().map(|edge| {
                let mut evidence = Evidence::new(settings);
                if let (Some((known, pace)), false) = (&self.past, latency) {
                    evidence = evidence
                        .with_background(*known)
                        .with_traffic(*pace, &[10.0, 25.0, 80.0]);
                }
                Compared { edge, evidence }
            });
            metrics.push(Metric {
                name: name.clone().into_owned(),
                gating: rules.gating(name),
                parts: parts.collect(),
                counters: Default::default(),
                latency,
            });
        }
        Ok(metrics)
    }

    fn begin(&mut self, line: &Line<'_>, weight: f64) {
        let next = line.next.unwrap_or_else(|| (weight * USUAL_GROWTH).min(100.0));
        for part in self.metrics.iter_mut().flat_map(|m| &mut m.parts) {
            part.evidence.begin_step(weight, next, line.last);
        }
        (self.held, self.baked) = (0.0, 0.0);
    }

    fn answer<'a>(&'a mut self, line: &'a Line<'a>, t: f64, seconds: f64, rules: &Rules) -> Answer<'a> {
        let share = 1.0 / self.metrics.len() as f64;
        let parts: Vec<Part<'_>> = self
            .metrics
            .iter()
            .flat_map(|m| {
                let weight = share / m.parts.len() as f64;
                m.parts.iter().map(move |p| Part {
                    evidence: &p.evidence,
                    weight,
                    gating: m.gating,
                })
            })
            .collect();
        let joint = joint(&parts, rules.analysis.false_rollback());
        let verdict = if self.verdict == Some(Verdict::Fail) {
            Verdict::Fail
        } else {
            joint.verdict
        };
        self.verdict = Some(verdict);
        // Before the last step the hold is that of the step. In the last one it is the bake, from the proof on.
        if verdict == Verdict::Pass {
            self.baked += seconds;
        }
        let over = if line.last {
            self.baked - seconds
        } else {
            self.held
        } >= rules.hold(line.last) - 1e-9;
        let assessed: Vec<(&str, Assessment)> = self
            .metrics
            .iter()
            .map(|m| (m.name.as_str(), m.assessment()))
            .collect();
        Answer {
            stream: line.stream.as_ref(),
            t,
            verdict: answer::name(verdict),
            advance: verdict == Verdict::Pass && over,
            reason: reason(&assessed, verdict),
            metrics: assessed
                .iter()
                .map(|(name, a)| (*name, answer::Metric::from(a)))
                .collect(),
        }
    }
}

/// The sentence about the metric that decides, or that all wait for.
fn reason(assessed: &[(&str, Assessment)], verdict: Verdict) -> String {
    let telling = assessed.iter().max_by(|(_, a), (_, b)| {
        let waits = |x: &Assessment| u8::from(x.verdict != Verdict::Pass);
        match verdict {
            Verdict::Continue => waits(a).cmp(&waits(b)).then(short(a).total_cmp(&short(b))),
            Verdict::Pass | Verdict::Fail => a.fail.evidence.total_cmp(&b.fail.evidence),
        }
    });
    telling.map_or_else(String::new, |(name, a)| words::sentence(name, a))
}

/// Seconds that a pass is away, as far as they can be told.
fn short(a: &Assessment) -> f64 {
    a.missing.seconds.unwrap_or(f64::INFINITY)
}

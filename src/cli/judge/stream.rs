//! One stream: the evidence of one release, fed line by line.

use super::answer::{self, Answer};
use super::gauge::{self, Around, Gauge, Told};
use super::line::{Arm, Line, Past};
use super::metric::{Metric, buckets, is_latency, sound};
use super::plot::{self, Standing};
use super::rules::Rules;
use crate::engine::words;
use crate::stats::history::background_of;
use crate::stats::latency::{self, Edge};
use crate::stats::{Assessment, Background, Counts, Panel, Verdict};

/// Times beyond this many seconds are slips: milliseconds, nanoseconds.
const LATEST: f64 = 1e13;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    metrics: Vec<Metric>,
    gauges: Vec<Gauge>,
    panel: Option<Panel>,
    past: Option<(Background, f64)>,
    t: Option<f64>,
    step: u32,
    weight: f64,
    /// Seconds in the step, and since the verdict that ends the last one.
    held: f64,
    baked: f64,
    verdict: Option<Verdict>,
    /// A gauge has failed the release: that is as final as the panel's own fail.
    leaked: bool,
}

impl Stream {
    /// The last verdict.
    pub(super) fn verdict(&self) -> Verdict {
        self.verdict.unwrap_or(Verdict::Continue)
    }

    /// Where it stands, for a picture.
    pub(super) fn standing(&self) -> Option<Standing> {
        let panel = self.panel.as_ref()?;
        let seen = (0..self.metrics.len()).filter_map(|index| panel.assessment(index));
        Some(Standing {
            t: self.t?,
            weight: self.weight,
            against: panel.against(),
            in_favour: plot::least(seen.map(|seen| seen.step))?,
            failed: self.verdict == Some(Verdict::Fail),
        })
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
            let counts = moment.pods.iter().map(|(n, x)| Counts::new(n.0, x.0));
            pods.push(counts.collect::<Vec<_>>());
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
                self.begin(&mut panel, line, (weight, next(line, weight, rules)));
                panel
            }
            None => {
                let mut panel = self.open(line, rules)?;
                self.begin(&mut panel, line, (weight, next(line, weight, rules)));
                panel
            }
        };
        let first = self.t.is_none();
        let seconds = self.t.map_or(rules.interval, |before| t - before);
        let mut requests = [0; 2];
        for (index, (metric, (_, arms))) in self.metrics.iter_mut().zip(line.metrics.iter()).enumerate() {
            let seen = metric.read(arms, seconds, self.t);
            if let Some(tick) = seen.ticks.first() {
                for (most, arm) in requests.iter_mut().zip([tick.candidate, tick.baseline]) {
                    *most = arm.requests.max(*most);
                }
            }
            panel.set_candidate_pods(index, seen.pods);
            panel.observe(index, seen.ticks);
        }
        (self.step, self.weight, self.t) = (line.step, weight, Some(t));
        self.held += seconds;
        let around = Around {
            // Counters that are seen for the first time have only a base.
            requests: (!(first && line.is_cumulative())).then_some(requests),
            seconds,
            warming: self.held <= rules.warm_up,
            weights: [weight, next(line, weight, rules)],
            next_pods: line.pods,
        };
        let gauges = self.read_gauges(line, &around);
        let verdict = self.settle(panel.verdict(), &gauges);
        self.panel = Some(panel);
        // Before the last step the hold is that of the step. In the last one it is the bake, from the proof on.
        if verdict == Verdict::Pass {
            self.baked += seconds;
        }
        let stayed = if line.last {
            self.baked - seconds
        } else {
            self.held
        };
        let advance = verdict == Verdict::Pass && stayed >= rules.hold(line.step, line.last) - 1e-9;
        Ok(self.answer(line, (t, advance), gauges))
    }

    /// The gauges of the stream, each of which must be heard of in every line.
    fn read_gauges(&mut self, line: &Line<'_>, around: &Around) -> Vec<Told> {
        for (name, gauge) in line.gauges.iter() {
            if self.gauges.iter().all(|known| known.name != name) {
                self.gauges.push(Gauge::new(name, gauge));
            }
        }
        let told = self.gauges.iter_mut();
        told.map(|gauge| gauge.read(line.gauges.get(&gauge.name), around))
            .collect()
    }

    /// The verdict of the stream: that of its metrics, unless a gauge stops it. A fail is final.
    fn settle(&mut self, metrics: Verdict, gauges: &[Told]) -> Verdict {
        self.leaked |= gauges.iter().any(|told| told.fails);
        let verdict = match metrics {
            Verdict::Fail => Verdict::Fail,
            Verdict::Continue | Verdict::Pass if self.leaked => Verdict::Fail,
            Verdict::Pass if gauges.iter().any(Told::stops) => Verdict::Continue,
            Verdict::Continue | Verdict::Pass => metrics,
        };
        *self.verdict.insert(verdict)
    }

    fn check(&self, line: &Line<'_>, t: f64, weight: f64) -> Result<(), String> {
        if t.abs() > LATEST {
            return Err(format!("t is out of range: it is in seconds: {t}"));
        }
        if let Some(before) = self.t.filter(|before| t <= *before) {
            return Err(format!("t must grow: {t} after {before}"));
        }
        for (name, weight) in [("weight", Some(weight)), ("next", line.next)] {
            if weight.is_some_and(|weight| !(weight > 0.0 && weight <= 100.0)) {
                let weight = weight.unwrap_or_default();
                return Err(format!("{name} must be above 0 and at most 100: {weight}"));
            }
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
        let known = || self.metrics.iter().map(|metric| metric.name.as_str());
        if !self.metrics.is_empty() && !line.metrics.iter().map(|(name, _)| name).eq(known()) {
            let known: Vec<&str> = known().collect();
            return Err(format!(
                "the stream's metrics changed: they were {}",
                known.join(", ")
            ));
        }
        for (name, arms) in line.metrics.iter() {
            sound(arms).map_err(|wrong| format!("metric {name}: {wrong}"))?;
        }
        for (metric, (_, arms)) in self.metrics.iter().zip(line.metrics.iter()) {
            if is_latency(arms) != metric.edges.is_some() {
                return Err(format!(
                    "metric {} changed between counts and buckets",
                    metric.name
                ));
            }
        }
        for (name, gauge) in line.gauges.iter() {
            gauge::sound(gauge).map_err(|wrong| format!("gauge {name}: {wrong}"))?;
        }
        Ok(())
    }

    /// The metrics of a stream, from its first scrape.
    fn open(&mut self, line: &Line<'_>, rules: &Rules) -> Result<Panel, String> {
        let (mut metrics, mut judged) = (Vec::new(), Vec::new());
        for (name, arms) in line.metrics.iter() {
            let edges: Option<Vec<Edge>> = match &arms.baseline {
                Arm::Increments(baseline) if is_latency(arms) => {
                    let (slowdown, objective) = rules.slowdown(name);
                    Some(latency::edges(&buckets(baseline), slowdown, objective))
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
            panel.expect(pace, rules.weights());
        }
        self.metrics = metrics;
        Ok(panel)
    }

    fn begin(&mut self, panel: &mut Panel, line: &Line<'_>, (weight, next): (f64, f64)) {
        panel.begin_step(weight, next, line.last);
        self.gauges.iter_mut().for_each(Gauge::begin_step);
        (self.held, self.baked) = (0.0, 0.0);
    }

    fn answer<'a>(&'a self, line: &'a Line<'a>, (t, advance): (f64, bool), gauges: Vec<Told>) -> Answer<'a> {
        let panel = self.panel.as_ref();
        let seen: Vec<Assessment> = (0..self.metrics.len())
            .filter_map(|index| panel?.assessment(index))
            .collect();
        let names = self.metrics.iter().map(|metric| metric.name.as_str());
        let telling = panel.and_then(|panel| panel.telling_of(&seen));
        let sentence = telling.and_then(|index| {
            let name = &self.metrics.get(index)?.name;
            Some(words::sentence(name, seen.get(index)?))
        });
        // What a gauge has to say that is no praise.
        let remarks = gauges
            .iter()
            .map(|told| &told.answer)
            .filter(|gauge| gauge.verdict != Some("Fits"));
        let mut reason = sentence.unwrap_or_default();
        for remark in remarks {
            reason.push_str("; ");
            reason.push_str(&remark.reason);
        }
        let gauge_names = self.gauges.iter().map(|gauge| gauge.name.as_str());
        Answer {
            stream: line.stream.as_ref(),
            t,
            verdict: answer::name(self.verdict()),
            advance,
            reason,
            metrics: names.zip(seen.iter().map(answer::Metric::from)).collect(),
            gauges: gauge_names
                .zip(gauges.into_iter().map(|told| told.answer))
                .collect(),
        }
    }
}

/// The weight of the step after this one.
fn next(line: &Line<'_>, weight: f64, rules: &Rules) -> f64 {
    match line.next {
        Some(next) => next,
        None if line.last => 100.0,
        None => rules.next(line.step, weight),
    }
}

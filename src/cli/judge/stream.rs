//! One stream: the evidence of one release, fed line by line.

mod check;
mod past;
mod share;

use self::past::Known;
use self::share::Watch;
use super::answer::{self, Answer};
use super::gauge::{Around, Gauge, Told};
use super::line::{Arm, Increments, Line};
use super::metric::{Metric, buckets, is_latency};
use super::plot::{self, Standing};
use super::rules::Rules;
use crate::engine::words;
use crate::stats::latency::{self, Edge};
use crate::stats::{Assessment, Panel, Verdict};

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    metrics: Vec<Metric>,
    gauges: Vec<Gauge>,
    panel: Option<Panel>,
    past: Option<Known>,
    t: Option<f64>,
    step: u32,
    weight: f64,
    last: bool,
    /// Seconds in the step, and since the verdict that ends the last one.
    held: f64,
    baked: f64,
    verdict: Option<Verdict>,
    watch: Watch,
    /// A gauge has failed the release: that is as final as the panel's own fail.
    leaked: bool,
}

impl Stream {
    /// Whether a scrape was seen.
    pub(super) const fn has_begun(&self) -> bool {
        self.t.is_some()
    }

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
            passes: self.verdict == Some(Verdict::Pass),
        })
    }

    /// Takes one scrape. Nothing changes if the line is refused.
    pub(super) fn scrape<'a>(&'a mut self, line: &'a Line<'a>, rules: &Rules) -> Result<Answer<'a>, String> {
        let t = line.t.ok_or("t is missing: the time of the scrape in seconds")?;
        let weight = line
            .weight
            .ok_or("weight is missing: the candidate's share in per cent")?;
        self.check(line, t, weight)?;
        let first = self.panel.is_none();
        let begins = first || self.leaves_step(line, weight);
        let opened = match self.panel.take() {
            None => self.open(line, rules)?,
            known => known,
        };
        let Some(mut panel) = opened else {
            return Ok(self.wait(line, t));
        };
        if begins {
            self.begin(&mut panel, line, (weight, next(line, weight, rules)));
        }
        self.stand_alone(&mut panel, line, weight);
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
        (self.step, self.weight, self.last, self.t) = (line.step, weight, line.last, Some(t));
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
        let in_step = panel.in_step(0).filter(|_| rules.routed).unwrap_or_default();
        let share = self.watch.look(weight, seconds, in_step);
        let metrics = self.of_metrics(&panel, rules);
        let verdict = self.settle(metrics, &gauges, share.is_some());
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
        let share = share.map(|seen| answer::Share { asked: weight, seen });
        Ok(self.answer(line, (t, advance), gauges, share))
    }

    /// Whether a line belongs to another step than the one before: a proof for one weight is none for another. In the
    /// last step the weight may grow once its proof is there: that is the bake. If it falls the step begins anew.
    fn leaves_step(&self, line: &Line<'_>, weight: f64) -> bool {
        let bakes = self.last && line.last && self.baked > 0.0;
        let moves = weight.total_cmp(&self.weight);
        line.step != self.step || line.last != self.last || !(moves.is_eq() || (moves.is_gt() && bakes))
    }

    /// A bake with all traffic: nothing runs beside the candidate from here on, and the past is what is left.
    fn stand_alone(&self, panel: &mut Panel, line: &Line<'_>, weight: f64) {
        if line.last && self.baked > 0.0 && weight >= 100.0 && !panel.is_alone(0) {
            (0..self.metrics.len()).for_each(|index| panel.begin_alone_of(index));
        }
    }

    /// The verdict of the metrics. In a bake with all traffic the proof is there already, and stands until the past speaks
    /// against it; but not where a metric that is to gate cannot be judged.
    fn of_metrics(&self, panel: &Panel, rules: &Rules) -> Verdict {
        let judged =
            |(index, metric): (usize, &Metric)| panel.is_judged(index) || !rules.gating(&metric.name);
        match panel.verdict() {
            Verdict::Continue if panel.is_alone(0) && self.metrics.iter().enumerate().all(judged) => {
                Verdict::Pass
            }
            verdict @ (Verdict::Pass | Verdict::Continue | Verdict::Fail) => verdict,
        }
    }

    /// The answer to a line that nothing can be learned from yet: there is no request to choose latencies by.
    fn wait<'a>(&mut self, line: &'a Line<'a>, t: f64) -> Answer<'a> {
        self.t = Some(t);
        let waiting = line.metrics.iter().find(|(_, arms)| is_latency(arms));
        let name = waiting.map_or("", |(name, _)| name);
        Answer {
            stream: line.stream.as_ref(),
            t,
            verdict: answer::name(self.verdict()),
            advance: false,
            share: None,
            metrics: Vec::new(),
            gauges: Vec::new(),
            reason: format!("{name}: no request of the baseline yet"),
        }
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

    /// The verdict of the stream: that of its metrics, unless a gauge stops it, or a share of the requests that is not the
    /// weight. A fail is final.
    fn settle(&mut self, metrics: Verdict, gauges: &[Told], off: bool) -> Verdict {
        self.leaked |= gauges.iter().any(|told| told.fails);
        let verdict = match metrics {
            Verdict::Fail => Verdict::Fail,
            Verdict::Continue | Verdict::Pass if self.leaked => Verdict::Fail,
            Verdict::Pass if off || gauges.iter().any(Told::stops) => Verdict::Continue,
            Verdict::Continue | Verdict::Pass => metrics,
        };
        *self.verdict.insert(verdict)
    }

    /// The metrics of a stream, from its first scrape; `None` if that has no request to choose latencies by.
    fn open(&mut self, line: &Line<'_>, rules: &Rules) -> Result<Option<Panel>, String> {
        let (mut metrics, mut judged) = (Vec::new(), Vec::new());
        for (name, arms) in line.metrics.iter() {
            let edges: Option<Vec<Edge>> = match &arms.baseline {
                Arm::Increments(baseline) if is_latency(arms) => {
                    let known = self.past.as_ref().and_then(|past| past.edges(name));
                    Some(edges(name, baseline, known, rules)?)
                }
                Arm::Increments(_) | Arm::Series(_) => None,
            };
            if edges.as_ref().is_some_and(Vec::is_empty) {
                return Ok(None);
            }
            let metric = Metric::new(name, arms, edges);
            judged.push(rules.rule(&metric)?);
            metrics.push(metric);
        }
        let mut panel = Panel::new(rules.analysis.false_rollback(), &judged);
        if let Some(past) = &self.past {
            for (index, metric) in metrics.iter().enumerate() {
                let normal = past.backgrounds(&metric.name, metric.edges.is_some());
                for (part, normal) in normal.into_iter().enumerate() {
                    panel.learn(index, part, normal);
                }
            }
            panel.expect(past.pace, rules.weights());
        }
        self.metrics = metrics;
        Ok(Some(panel))
    }

    fn begin(&mut self, panel: &mut Panel, line: &Line<'_>, (weight, next): (f64, f64)) {
        panel.begin_step(weight, next, line.last);
        self.gauges.iter_mut().for_each(Gauge::begin_step);
        (self.held, self.baked) = (0.0, 0.0);
        self.watch = Watch::begin(weight);
    }

    fn answer<'a>(
        &'a self,
        line: &'a Line<'a>,
        (t, advance): (f64, bool),
        gauges: Vec<Told>,
        share: Option<answer::Share>,
    ) -> Answer<'a> {
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
        // What a gauge has to say that is no praise; first of all if it is what fails the release.
        let remarks = gauges.iter().filter(|told| told.answer.verdict != Some("Fits"));
        let (fails, stops): (Vec<&Told>, Vec<&Told>) = remarks.partition(|told| told.fails);
        let said = |told: &Told| told.answer.reason.clone();
        let (first, then) = (fails.into_iter().map(said), stops.into_iter().map(said));
        let off = share.as_ref().map(answer::Share::reason);
        let reasons: Vec<String> = first.chain(sentence).chain(off).chain(then).collect();
        let reason = reasons.join("; ");
        let gauge_names = self.gauges.iter().map(|gauge| gauge.name.as_str());
        Answer {
            stream: line.stream.as_ref(),
            t,
            verdict: answer::name(self.verdict()),
            advance,
            share,
            reason,
            metrics: names.zip(seen.iter().map(answer::Metric::from)).collect(),
            gauges: gauge_names
                .zip(gauges.into_iter().map(|told| told.answer))
                .collect(),
        }
    }
}

/// The edges to compare a histogram at: as its past has it, or else as the baseline of this line, its first, does.
fn edges(
    name: &str,
    baseline: &Increments,
    known: Option<Vec<Edge>>,
    rules: &Rules,
) -> Result<Vec<Edge>, String> {
    let buckets = buckets(baseline);
    let Some(known) = known else {
        let (slowdown, objective) = rules.slowdown(name);
        return Ok(latency::edges(&buckets, slowdown, objective));
    };
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

/// The weight of the step after this one.
fn next(line: &Line<'_>, weight: f64, rules: &Rules) -> f64 {
    match line.next {
        Some(next) => next,
        None if line.last => 100.0,
        None => rules.next(line.step, weight),
    }
}

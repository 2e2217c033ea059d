//! One stream: the evidence of one release, fed line by line.

mod check;
mod open;
mod past;
mod share;
mod without_baseline;

use std::borrow::Cow;

use self::past::Known;
use self::share::Watch;
use super::answer::{self, Answer};
use super::gauge::{Around, Gauge, Told};
use super::line::Line;
use super::metric::Metric;
use super::rules::Rules;
use crate::cli::plot::{self, Standing};
use crate::engine::words;
use crate::stats::{Assessment, Panel, Rule, Verdict};

/// A candidate without a request for longer than this shows nothing any more, in seconds. So long may targets be silent that
/// are scraped rarely.
const SILENCE: f64 = 150.0;

/// Where a stream stands.
#[derive(Debug, Default)]
pub(super) struct Stream {
    metrics: Vec<Metric>,
    gauges: Vec<Gauge>,
    panel: Option<Panel>,
    /// How its metrics are judged, as long as some wait for their edges.
    judged: Vec<Rule>,
    past: Option<Known>,
    t: Option<f64>,
    step: u32,
    weight: f64,
    last: bool,
    /// What the step was begun with: its weight, that of its successor, and whether its proof is that of a last step.
    begun: (f64, f64, bool),
    /// Seconds in the step, and since its proof; without those in which nobody came.
    held: f64,
    baked: f64,
    /// Seconds since the candidate's last request.
    quiet: f64,
    /// The step has passed.
    passed: bool,
    /// Why nothing advances at this step, which has all traffic.
    unproven: Option<&'static str>,
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
        let mut panel = match self.panel.take() {
            None => self.open(line, rules)?,
            Some(known) => known,
        };
        if begins {
            self.begin(&mut panel, line, (weight, next(line, weight, rules)), rules);
        }
        self.grow(&mut panel, weight);
        let seconds = self
            .t
            .map_or_else(|| self.begun_at(t, rules), |before| t - before);
        let (mut requests, read_over) = ([0; 2], if seconds > 0.0 { seconds } else { UNKNOWN_SPAN });
        for (index, (metric, (_, arms))) in self.metrics.iter_mut().zip(line.metrics.iter()).enumerate() {
            let seen = metric.read(arms, read_over, (self.t, t));
            for (most, of_metric) in requests.iter_mut().zip(seen.requests) {
                *most = of_metric.max(*most);
            }
            panel.set_candidate_pods(index, seen.pods);
            panel.observe(index, seen.ticks);
        }
        (self.step, self.weight, self.last, self.t) = (line.step, weight, line.last, Some(t));
        let panel = self.choose_edges(panel, rules);
        self.quiet = if requests[0] > 0 {
            0.0
        } else {
            self.quiet + seconds
        };
        let lived = if self.is_deserted() { 0.0 } else { seconds };
        self.held += lived;
        let around = Around {
            // Counters that are seen for the first time have only a base, and a time that nobody knows is no pace.
            requests: (seconds > 0.0 && !(first && line.is_cumulative())).then_some(requests),
            seconds,
            warming: self.held <= rules.warm_up,
            weights: [weight, next(line, weight, rules)],
            next_pods: line.pods,
        };
        let gauges = self.read_gauges(line, &around);
        let in_step = panel.in_step(0).filter(|_| rules.routed).unwrap_or_default();
        let share = self.watch.look(weight, seconds, in_step, panel.is_forsaken(0));
        let metrics = self.of_metrics(&panel, rules);
        let verdict = self.settle(metrics, &gauges, share.is_some());
        self.panel = Some(panel);
        // Before the last step the hold is that of the step. In the last one it is the bake, from the proof on.
        if verdict == Verdict::Pass {
            self.baked += if self.passed { lived } else { 0.0 };
            self.passed = true;
        }
        let stayed = if line.last { self.baked } else { self.held };
        let advance = verdict == Verdict::Pass && stayed >= rules.hold(line.step, line.last) - 1e-9;
        let share = share.map(|seen| answer::Share { asked: weight, seen });
        Ok(self.answer(line, (t, advance), gauges, share))
    }

    /// Whether nothing can be learned of the candidate, for nobody asks it.
    fn is_deserted(&self) -> bool {
        self.quiet > SILENCE
    }

    /// The seconds that a stream's first line, at `t`, stands for: those since its clock began or its history ended, if that
    /// is no longer ago than an interval (clocks are not quite regular). Else nobody knows, and none are counted: holds and
    /// warm-ups end a line later.
    fn begun_at(&self, t: f64, rules: &Rules) -> f64 {
        let since_history = self.past.as_ref().map(|past| t - past.until);
        let known = [Some(t), since_history].into_iter().flatten();
        let mut near = known.filter(|span| *span > 0.0 && *span <= 1.1 * rules.interval);
        near.next().unwrap_or(0.0)
    }

    /// Whether a line belongs to another step than the one before: a proof for one weight is none for another. In the
    /// last step the weight may grow once its proof is there: that is the bake. If it falls the step begins again.
    fn leaves_step(&self, line: &Line<'_>, weight: f64) -> bool {
        let bakes = self.last && line.last && self.passed;
        let moves = weight.total_cmp(&self.weight);
        line.step != self.step || line.last != self.last || !(moves.is_eq() || (moves.is_gt() && bakes))
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

    fn begin(&mut self, panel: &mut Panel, line: &Line<'_>, (weight, next): (f64, f64), rules: &Rules) {
        let whole = line.last || next >= 100.0 && (weight > ASSUMED_LAST_ABOVE || rules.knows_next(line));
        self.begin_evidence(panel, (weight, next), whole, rules);
        self.metrics.iter_mut().for_each(Metric::begin_step);
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
        // What waits for its edges has no numbers yet.
        let waits: Vec<(usize, String)> = if self.judged.is_empty() {
            Vec::new()
        } else {
            let all = self.metrics.iter().enumerate();
            all.filter_map(|(index, metric)| Some((index, metric.waits()?)))
                .collect()
        };
        let is_judged = |index: usize| waits.iter().all(|(waiting, _)| *waiting != index);
        let sentence = self.sentence(&seen, is_judged);
        // What a gauge has to say that is no praise; first of all if it is what fails the release.
        let remarks = gauges.iter().filter(|told| told.answer.verdict != Some("Fits"));
        let (fails, stops): (Vec<&Told>, Vec<&Told>) = remarks.partition(|told| told.fails);
        let said = |told: &Told| told.answer.reason.clone();
        let (first, then) = (fails.into_iter().map(said), stops.into_iter().map(said));
        let kept = self.why_kept(panel).map(str::to_owned);
        let waiting = waits.iter().map(|(_, why)| why.clone());
        let off = share.as_ref().map(answer::Share::reason);
        let reasons: Vec<String> = first
            .chain(sentence)
            .chain(kept)
            .chain(waiting)
            .chain(off)
            .chain(then)
            .collect();
        let reason = reasons.join("; ");
        let told = self.metrics.iter().zip(&seen);
        let metrics = told.map(|(metric, seen)| (metric.name.as_str(), answer::Metric::from(seen)));
        let gauge_names = self.gauges.iter().map(|gauge| gauge.name.as_str());
        Answer {
            stream: line.stream.as_ref(),
            t,
            verdict: answer::name(self.verdict()),
            advance,
            share,
            reason,
            metrics: metrics.collect(),
            gauges: gauge_names
                .zip(gauges.into_iter().map(|told| told.answer))
                .collect(),
        }
    }

    /// What the metric says that decides, or that all wait for; of those that are judged.
    fn sentence(&self, seen: &[Assessment], is_judged: impl Fn(usize) -> bool) -> Option<String> {
        let mut ranked = Cow::Borrowed(seen);
        for index in (0..seen.len()).filter(|index| !is_judged(*index)) {
            let silent = ranked.to_mut().get_mut(index)?;
            (silent.verdict, silent.fail.evidence) = (Verdict::Pass, f64::NEG_INFINITY);
        }
        let index = self.panel.as_ref()?.telling_of(&ranked)?;
        let metric = self.metrics.get(index).filter(|_| is_judged(index))?;
        Some(words::sentence(&metric.name, seen.get(index)?))
    }
}

/// Length assumed for a first line of unknown length, in seconds: judged at once, and too short to fill a hold.
const UNKNOWN_SPAN: f64 = 1.0;
/// Above this weight, in per cent, a line without `next` is taken to precede all traffic.
const ASSUMED_LAST_ABOVE: f64 = 90.0;

/// The weight of the step after this one.
fn next(line: &Line<'_>, weight: f64, rules: &Rules) -> f64 {
    match line.next {
        Some(next) => next,
        None if line.last => 100.0,
        None => rules.next(line.step, weight),
    }
}

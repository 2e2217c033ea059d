//! The gauges of one release: read beside the metrics on the same grid, and never in their way.
//!
//! Nothing of them is kept in the status. A new process reads the present step again from the provider; what the steps
//! before have shown (above all what the stable pods use without requests) is lost, and the forecast is the vaguer.

mod line;

use std::collections::BTreeMap;
use std::time::Duration;

use super::look::Look;
use super::trial::{Place, Served};
use crate::api;
use crate::engine::gauge::{self, Room};
use crate::engine::quantity::after;
use crate::engine::{Moment, Plan, Revision};
use crate::ports::{MetricSource, Sample, Span};
use crate::sources::reader::Grid;
use line::Line;

/// How often a search that came to nothing is made again in mid-release.
const TRIES: u8 = 3;
/// The most points that are read again; older ones are left out.
const POINTS: usize = 720;
/// How long a gauge is waited for in a step, and in intervals, before it is left out if it may be.
const PATIENCE: (Duration, u32) = (Duration::from_mins(2), 6);

/// The gauges of one release.
pub(super) struct Gauges {
    pub(super) revision: Revision,
    wanted: Vec<api::Gauge>,
    lines: Vec<Line>,
    /// Those that the release goes without, and why.
    left_out: Vec<(String, String)>,
    /// Those that it does not go without, and what they lack.
    absent: Vec<(String, String)>,
    found: bool,
    tries: u8,
    /// Where the release stands; none before its first weight.
    place: Option<Place>,
    /// From when on readings count.
    warm: Moment,
    done: Option<Moment>,
    fetched: Vec<Point>,
    /// Requests of candidate and baseline up to each reading of the metrics.
    served: BTreeMap<Moment, [u64; 2]>,
}

/// What both arms gave at one time, line by line; `None` where the provider gave nothing.
struct Point {
    at: Moment,
    answers: Vec<Option<[Vec<Sample>; 2]>>,
}

impl Gauges {
    /// Gauges of which nothing is known yet.
    pub(super) fn new(look: &Look<'_>, revision: &Revision) -> Self {
        Self {
            revision: revision.clone(),
            wanted: look.spec.analysis.gauges.clone(),
            lines: Vec::new(),
            left_out: Vec::new(),
            absent: Vec::new(),
            found: false,
            tries: 0,
            place: None,
            warm: Moment::MAX,
            done: None,
            fetched: Vec::new(),
            served: BTreeMap::new(),
        }
    }

    /// Whether these are the gauges that the release asks for.
    pub(super) fn fit(&self, look: &Look<'_>, revision: &Revision) -> bool {
        self.revision == *revision && self.wanted == look.spec.analysis.gauges
    }

    /// Looks which of them can be read that were not found yet: what has a limit, and values of the stable pods.
    pub(super) async fn find(&mut self, look: &Look<'_>, source: &dyn MetricSource) {
        let (candidate, baseline) = look.arms(&self.revision);
        let (mut lines, mut left_out, mut absent) = (Vec::new(), Vec::new(), Vec::new());
        for wanted in self.unread() {
            match line::find(look, source, wanted, (&candidate, &baseline)).await {
                Ok(line) => lines.push(line),
                Err(why) if wanted.optional => left_out.push((wanted.name.clone(), why)),
                Err(why) => absent.push((wanted.name.clone(), why)),
            }
        }
        self.lines.extend(lines);
        (self.left_out, self.absent) = (left_out, absent);
        self.found = true;
    }

    /// What the release asks for and cannot have.
    pub(super) fn missing(&self) -> Option<String> {
        let (name, why) = self.absent.first()?;
        Some(format!(
            "gauge `{name}`: {why}; set `optional: true` to do without it"
        ))
    }

    /// The provider has not answered the search in time: all is as if it had nothing.
    pub(super) fn give_up(&mut self) {
        let why = |wanted: &api::Gauge| {
            (
                wanted.name.clone(),
                "the metric provider took too long".to_owned(),
            )
        };
        let (optional, asked_for): (Vec<_>, Vec<_>) = self.unread().partition(|wanted| wanted.optional);
        let left_out = optional.into_iter().map(why).collect();
        let absent = asked_for.into_iter().map(why).collect();
        (self.left_out, self.absent, self.found) = (left_out, absent, true);
    }

    fn unread(&self) -> impl Iterator<Item = &api::Gauge> {
        self.wanted
            .iter()
            .filter(move |wanted| self.lines.iter().all(|line| line.gauge.name() != wanted.name))
    }

    /// What the status says of them among the metrics.
    pub(super) fn report(&self) -> impl Iterator<Item = api::MetricStatus> {
        let read = self.lines.iter().map(|line| api::MetricStatus {
            name: line.gauge.name().to_owned(),
            source: Some(format!("gauge: {}", line.way.name)),
            note: None,
        });
        let left_out = self.left_out.iter().chain(&self.absent);
        read.chain(left_out.map(|(name, why)| api::MetricStatus {
            name: name.clone(),
            source: None,
            note: Some(format!("gauge not read: {why}")),
        }))
    }

    /// A rung was entered: what follows its warm-up is its own.
    pub(super) fn enter(&mut self, plan: &Plan, place: Place) {
        if self
            .place
            .is_some_and(|it| (it.rung, it.entered) == (place.rung, place.entered))
        {
            return;
        }
        let cold = plan.analysis.warm_up.max(plan.propagation);
        self.warm = after(place.entered, cold);
        self.place = Some(place);
        self.done = None;
        self.fetched.clear();
        // What was missing may have come.
        (self.found, self.tries) = (false, 0);
        for line in &mut self.lines {
            line.begin_step();
        }
    }

    /// Reads what is due. A caller that drops the future early calls [`Self::cut_off`].
    pub(super) async fn fetch(&mut self, look: &Look<'_>, source: &dyn MetricSource, grid: Grid) {
        if !self.found || !self.absent.is_empty() {
            self.find(look, source).await;
        }
        if self.place.is_none() || self.lines.is_empty() {
            return;
        }
        let due = self.due(&grid, look.now);
        let (Some(first), Some(last)) = (due.first(), due.last()) else {
            return;
        };
        let span = Span {
            start: *first,
            end: *last,
            step: look.plan.analysis.interval,
        };
        let mut points: Vec<Point> = due
            .iter()
            .map(|at| Point {
                at: *at,
                answers: Vec::new(),
            })
            .collect();
        let asked = self
            .lines
            .iter()
            .map(|line| line::ask(source, &line.queries, &due, span));
        for mut answers in futures::future::join_all(asked).await {
            for point in &mut points {
                point.answers.push(answers.remove(&point.at));
            }
        }
        self.done = Some(*last);
        self.fetched.extend(points);
    }

    /// The provider was too slow: what was due is left out, and a search is not made for ever.
    pub(super) fn cut_off(&mut self, grid: &Grid, now: Moment) {
        if !self.found {
            self.tries += 1;
            if self.tries >= TRIES {
                self.give_up();
            }
            return;
        }
        let Some(last) = self.due(grid, now).last().copied() else {
            return;
        };
        self.done = Some(last);
        let answers = self.lines.iter().map(|_| None).collect();
        self.fetched.push(Point { at: last, answers });
    }

    /// Takes what the metrics have counted meanwhile, and then what was read in `ordinary` times: while no pod was young,
    /// and others served beside the candidate.
    pub(super) fn take(
        &mut self,
        served: impl Iterator<Item = Served>,
        ordinary: impl Fn(Moment, Moment) -> bool,
    ) {
        for (at, [mine, theirs]) in served {
            let before = self.served.range(..at).next_back().map_or([0, 0], |(_, it)| *it);
            self.served
                .entry(at)
                .or_insert_with(|| [before[0].saturating_add(mine), before[1].saturating_add(theirs)]);
        }
        while self.served.len() > 2 * POINTS {
            self.served.pop_first();
        }
        for point in std::mem::take(&mut self.fetched) {
            for (line, answer) in self.lines.iter_mut().zip(&point.answers) {
                line.take(point.at, answer.as_ref(), (&self.served, &ordinary));
            }
        }
    }

    /// What they say together, and each by itself for the status.
    pub(super) fn view(&mut self, look: &Look<'_>) -> (gauge::Gauges, Vec<api::VerdictStatus>) {
        let plan = look.plan;
        let (mut all, mut told) = (gauge::Gauges::default(), Vec::new());
        let Some(place) = self.place else {
            return (all, told);
        };
        let here = standing(plan, place.rung, look.replicas(), (self.warm, look.now));
        for line in &mut self.lines {
            let view = line.gauge.view(&here);
            told.push(verdict(plan, place.rung, line.gauge.name(), &view));
            all = all.and(view.gauges);
        }
        if !self.found && self.unread().any(|wanted| !wanted.optional) {
            all = all.and(gauge::Gauges {
                room: Room::Reading,
                leak: gauge::Leak::None,
            });
        }
        if let Some((name, why)) = self.absent.first() {
            all = all.and(gauge::Gauges {
                room: Room::Unknown(format!("gauge {name}: {why}")),
                leak: gauge::Leak::None,
            });
        }
        (all, told)
    }

    fn due(&self, grid: &Grid, now: Moment) -> Vec<Moment> {
        let first = match self.done {
            Some(done) => grid.after(Some(done)),
            None => grid.after(Some(self.warm)),
        };
        let later = |at: &Moment| Some(grid.after(Some(*at)));
        let mut due: Vec<Moment> = std::iter::successors(Some(first), later)
            .take_while(|at| grid.readable(*at) <= now)
            .take(100_000)
            .collect();
        due.drain(..due.len().saturating_sub(POINTS));
        due
    }
}

fn standing(plan: &Plan, rung: usize, replicas: u32, (warm, now): (Moment, Moment)) -> gauge::Place {
    let percent = |rung: usize| f64::from(plan.rung(rung).weight.percent());
    let next = if plan.is_top(rung) {
        100.0
    } else {
        percent(rung + 1)
    };
    let (least, intervals) = PATIENCE;
    gauge::Place {
        weights: [percent(rung), next],
        pods: [plan.pods(rung + 1, replicas), replicas],
        waited: Duration::try_from(now.duration_since(warm)).unwrap_or_default(),
        patience: least.max(plan.analysis.interval.saturating_mul(intervals)),
    }
}

/// A gauge's line among the verdicts.
fn verdict(plan: &Plan, rung: usize, name: &str, view: &gauge::View) -> api::VerdictStatus {
    let verdict = match (&view.gauges.leak, &view.gauges.room) {
        (gauge::Leak::Fails(_), _) => api::Verdict::Fail,
        (gauge::Leak::None, Room::Enough) => api::Verdict::Pass,
        (gauge::Leak::None | gauge::Leak::Holds(_), _) => api::Verdict::Continue,
    };
    api::VerdictStatus {
        step: i32::try_from(plan.rung(rung).step + 1).unwrap_or(i32::MAX),
        metric: name.to_owned(),
        verdict,
        reason: view.sentence.chars().take(900).collect(),
        numbers: None,
    }
}

//! The judge in a rehearsal, fed as the controller feeds it: on a grid from the start of the first step, each point
//! read when its samples have become visible.

use std::collections::VecDeque;
use std::time::Duration;

use super::Setting;
use super::course::{At, moment};
use super::past::{Past, shares};
use super::traffic::Flow;
use crate::engine::Revision;
use crate::engine::judge::{Evidence, Judge};
use crate::stats::{Counts, Tick};

/// Samples become visible so long after their time: the default of a `MetricProvider`.
const LAG: At = Duration::from_secs(5).as_millis() as At;

/// Where a release stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) rung: usize,
    pub(super) entered: At,
    /// Pods of the version on trial.
    pub(super) pods: u32,
}

/// A comparison under way.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) judge: Judge,
    /// The promoted pods are on trial, with the candidate's beside them.
    swapped: bool,
    place: Place,
    /// The rung has changed, and the reading under way still belongs to the rung before.
    straddling: bool,
    interval: At,
    /// The next point of the grid.
    point: At,
    before: At,
    /// Points that are passed and not yet visible.
    late: VecDeque<(At, Counts, Counts)>,
}

impl Trial {
    /// A trial whose grid begins when its place is entered.
    pub(super) fn new(
        setting: &Setting,
        past: &Past,
        revision: &Revision,
        place: Place,
        swapped: bool,
    ) -> Self {
        let interval = (setting.plan.analysis.interval.as_millis() as At).max(1);
        let mut trial = Self {
            judge: Judge::of(&setting.plan, revision, &past.briefs, past.pace).without_ratios(),
            swapped,
            place,
            straddling: false,
            interval,
            point: place.entered + interval,
            before: place.entered,
            late: VecDeque::with_capacity(2),
        };
        trial.begin_rung(setting);
        trial
    }

    /// Another rung, or the same one anew.
    pub(super) fn enter(&mut self, place: Place) {
        if (self.place.rung, self.place.entered) != (place.rung, place.entered) {
            self.place = place;
            self.straddling = true;
        }
    }

    fn begin_rung(&mut self, setting: &Setting) {
        let Place { rung, entered, pods } = self.place;
        for index in 0..self.judge.len() {
            self.judge
                .begin_rung_of(index, &setting.plan, (rung, pods), Some(moment(entered)));
        }
    }

    /// The error rate that a promotion surely excludes, where the traffic is too thin for that of the margin.
    pub(super) fn provable(&self, setting: &Setting) -> Option<f64> {
        let subject = setting.plan.analysis.metrics.get(setting.subject())?;
        let mut widened = self.judge.provable();
        widened
            .find(|(metric, _)| metric.name == subject.name)
            .map(|(_, rate)| rate)
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> At {
        let visible = self.late.front().map_or(At::MAX, |(at, ..)| *at + LAG);
        self.point.min(visible)
    }

    /// Passes the points up to `now`, and takes what has become visible: then there is news for the engine.
    pub(super) fn advance(&mut self, setting: &Setting, flow: &mut Flow, now: At) -> Option<Evidence> {
        while self.point <= now {
            flow.run(self.point);
            let (candidate, baseline) = flow.cut();
            self.late.push_back((self.point, candidate, baseline));
            self.point += self.interval;
        }
        let mut news = false;
        while let Some((at, candidate, baseline)) = self.late.pop_front_if(|(at, ..)| *at + LAG <= now) {
            self.take(setting, flow, at, (candidate, baseline));
            news = true;
        }
        news.then(|| self.judge.standing())
    }

    fn take(&mut self, setting: &Setting, flow: &mut Flow, at: At, counts: (Counts, Counts)) {
        let seconds = (at - std::mem::replace(&mut self.before, at)) as f64 / 1000.0;
        let swapped = self.swapped;
        let tick = |(candidate, baseline)| {
            let (tested, beside) = if swapped {
                (baseline, candidate)
            } else {
                (candidate, baseline)
            };
            Tick::new(tested, beside, seconds)
        };
        for (index, metric) in setting.plan.analysis.metrics.iter().enumerate() {
            if index == setting.subject() {
                self.judge.observe(index, moment(at), [tick(counts)]);
            } else {
                let alike = flow.alike(counts, shares(setting, metric)).map(tick);
                self.judge.observe(index, moment(at), alike);
            }
        }
        // A reading that began before the rung did still speaks for the rung before.
        if self.straddling && at >= self.place.entered {
            self.straddling = false;
            self.begin_rung(setting);
        }
    }
}

//! The judge in a rehearsal, fed as the controller feeds it: on a grid from the start of the first step, each point
//! read when its samples have become visible.

use std::collections::VecDeque;
use std::time::Duration;

use super::course::{At, moment};
use super::traffic::Flow;
use crate::engine::judge::{Brief, Evidence, Judge};
use crate::engine::{Plan, Revision};
use crate::stats::{Counts, Tick};

/// Samples become visible so long after their time: the default of a `MetricProvider`.
const LAG: At = Duration::from_secs(5).as_millis() as At;

/// Pods of one version are alike here, so their number does not matter.
const PODS: u32 = 1;

/// A comparison under way.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) judge: Judge,
    /// The promoted pods are on trial, with the candidate's beside them.
    swapped: bool,
    rung: usize,
    entered: At,
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
    /// A trial whose grid begins at `entered`.
    pub(super) fn new(plan: &Plan, revision: &Revision, rung: usize, entered: At, swapped: bool) -> Self {
        // What is left out where nobody counts it is left out here.
        let counted = plan.analysis.metrics.iter().filter(|metric| !metric.optional);
        let briefs: Vec<Brief> = counted.map(Brief::plain).collect();
        let mut judge = Judge::of(plan, revision, &briefs, None);
        judge.begin_rung(plan, rung, PODS);
        let interval = (plan.analysis.interval.as_millis() as At).max(1);
        Self {
            judge,
            swapped,
            rung,
            entered,
            straddling: false,
            interval,
            point: entered + interval,
            before: entered,
            late: VecDeque::with_capacity(2),
        }
    }

    /// Another rung, or the same one anew.
    pub(super) fn enter(&mut self, rung: usize, entered: At) {
        if (self.rung, self.entered) != (rung, entered) {
            (self.rung, self.entered) = (rung, entered);
            self.straddling = true;
        }
    }

    /// When there is something to do.
    pub(super) fn next(&self) -> At {
        let visible = self.late.front().map_or(At::MAX, |(at, ..)| *at + LAG);
        self.point.min(visible)
    }

    /// Passes the points up to `now`, and takes what has become visible: then there is news for the engine.
    pub(super) fn advance(&mut self, plan: &Plan, flow: &mut Flow, now: At) -> Option<Evidence> {
        while self.point <= now {
            flow.run(self.point);
            let (candidate, baseline) = flow.cut();
            self.late.push_back((self.point, candidate, baseline));
            self.point += self.interval;
        }
        let mut news = false;
        while let Some((at, candidate, baseline)) = self.late.pop_front_if(|(at, ..)| *at + LAG <= now) {
            self.take(plan, flow, at, (candidate, baseline));
            news = true;
        }
        news.then(|| self.judge.evidence())
    }

    fn take(&mut self, plan: &Plan, flow: &mut Flow, at: At, counts: (Counts, Counts)) {
        let seconds = (at - std::mem::replace(&mut self.before, at)) as f64 / 1000.0;
        for index in 0..self.judge.len() {
            let (candidate, baseline) = match index {
                0 => counts,
                _ => flow.by_another(counts),
            };
            let (tested, beside) = if self.swapped {
                (baseline, candidate)
            } else {
                (candidate, baseline)
            };
            self.judge
                .observe(index, moment(at), [Tick::new(tested, beside, seconds)]);
        }
        if self.straddling && at >= self.entered {
            self.straddling = false;
            self.judge.begin_rung(plan, self.rung, PODS);
        }
    }
}

//! The comparison of one release: readings on the grid, folded into the judge's evidence.
//!
//! Invariants: the evidence is a function of the counters and of what was committed; a trial that is kept, resumed and
//! read on ends in the same bits as one that never stopped, as long as the server keeps its history.

mod checkpoint;
mod gaps;
mod id;

use std::time::Duration;

use super::subject::{Learned, Subject};
use super::warm_up::{self, Young};
use crate::engine::judge::{Brief, Judge};
use crate::engine::observation::Problem;
use crate::engine::state::{AHEAD, Gap};
use crate::engine::{Moment, Plan};
use crate::ports::{Increment, MetricSource};
use crate::sources::counters::{NoData, Reading};
use crate::sources::promql::Arm;
use crate::sources::reader::{Grid, Point, Reader};
use crate::stats;
pub(super) use checkpoint::Kept;
use checkpoint::KeptLine;
use gaps::{Gaps, Within};
pub(super) use id::TrialId;

/// How long before the last reading a resumed trial begins to read again, to know each series' last value.
const LEAD: Duration = Duration::from_secs(3600);

/// Where a release stands, as it was committed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) rung: usize,
    pub(super) entered: Moment,
    /// Pods of the version on trial.
    pub(super) pods: u32,
}

/// Requests of candidate and baseline from one reading to that at a moment.
pub(super) type Served = (Moment, [u64; 2]);

/// How an evaluation grid lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) interval: Duration,
    pub(super) lag: Duration,
}

/// The comparison of one release.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Trial {
    pub(super) id: TrialId,
    pub(super) judge: Judge,
    /// Where the grid begins.
    start: Moment,
    place: Place,
    lines: Vec<Line>,
    /// When pods of the version on trial were young.
    pub(super) young: Young,
    /// When the candidate was away, or alone.
    gaps: Gaps,
}

/// One metric's readings.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    subject: Subject,
    reader: Reader,
    /// The last reading that was judged.
    last: Option<Moment>,
    /// Readings up to here were judged before this process began.
    lead: Option<Moment>,
    /// The rung has changed, and readings that straddle the change still belong to the rung before.
    straddling: bool,
    /// What was before the next reading is lost: none of that time was read.
    lost: bool,
    /// What was read and not judged yet.
    read: Vec<Point>,
}

impl Trial {
    /// A trial without evidence. `arms`: the version on trial, and the one beside it.
    pub(super) fn begin(
        plan: &Plan,
        id: TrialId,
        learned: &Learned,
        arms: (&Arm, &Arm),
        (place, fresh, pace): (Place, bool, Pace),
    ) -> Result<Self, String> {
        // The shares of a return are no step's.
        let brief = |brief: &Brief| Brief {
            routed: brief.routed && !id.returning,
            ..brief.clone()
        };
        let briefs: Vec<Brief> = learned.briefs.iter().map(brief).collect();
        let mut judge = Judge::of(plan, &id.revision, &briefs, learned.pace);
        for index in 0..judge.len() {
            judge.begin_rung_of(index, plan, (place.rung, place.pods), Some(place.entered));
        }
        let grid = Grid::new(place.entered, pace.interval, pace.lag);
        let line = |subject: &Subject| {
            Ok(Line {
                subject: subject.clone(),
                reader: reader(subject, arms, grid, fresh)?,
                last: None,
                lead: None,
                straddling: false,
                lost: false,
                read: Vec::new(),
            })
        };
        let lines: Vec<Line> = learned.subjects.iter().map(line).collect::<Result<_, String>>()?;
        if judge.len() != lines.len() {
            return Err("`spec.analysis.metrics` has changed since the release began".to_owned());
        }
        let mut trial = Self {
            id,
            judge,
            start: place.entered,
            place,
            lines,
            young: Young::default(),
            gaps: Gaps::default(),
        };
        trial.expect_baseline(plan);
        Ok(trial)
    }

    /// The trial that was kept.
    ///
    /// # Errors
    /// Why it cannot be used; the evidence must start anew.
    pub(super) fn resume(plan: &Plan, kept: Kept, arms: (&Arm, &Arm), pace: Pace) -> Result<Self, String> {
        let mut judge = Judge::resume(plan, &kept.judge).map_err(|error| error.to_string())?;
        judge.grant_grace(plan, kept.entered);
        let grid = Grid::new(kept.start, pace.interval, pace.lag);
        let line = |line: KeptLine| {
            let lead = |last: Moment| grid.before(last.checked_sub(LEAD).unwrap_or(last));
            let from = line.last.map_or_else(|| grid.start(), lead);
            Ok(Line {
                reader: reader(&line.subject, arms, grid, kept.fresh)?
                    .from(from)
                    .counted(line.last),
                subject: line.subject,
                last: line.last,
                lead: line.last,
                straddling: line.straddling,
                lost: false,
                read: Vec::new(),
            })
        };
        let id = kept.id();
        let lines: Vec<Line> = kept.lines.into_iter().map(line).collect::<Result<_, String>>()?;
        if judge.len() != lines.len() {
            return Err("what was kept of it is damaged".to_owned());
        }
        let mut trial = Self {
            id,
            judge,
            start: kept.start,
            place: Place {
                rung: kept.rung,
                entered: kept.entered,
                pods: kept.pods,
            },
            lines,
            young: Young::resume(kept.young),
            gaps: kept.gaps,
        };
        trial.expect_baseline(plan);
        Ok(trial)
    }

    /// What to keep of it.
    pub(super) fn keep(&self, plan: &Plan) -> Kept {
        let line = |line: &Line| KeptLine {
            subject: line.subject.clone(),
            // What is still to be read again is as it was when it was kept.
            last: line.last,
            straddling: line.straddling,
        };
        Kept {
            returning: self.id.returning,
            asked: None,
            start: self.start,
            fresh: self.lines.iter().all(|line| line.reader.is_fresh()),
            rung: self.place.rung,
            entered: self.place.entered,
            pods: self.place.pods,
            young: self.young.spans().to_vec(),
            gaps: self.gaps.clone(),
            lines: self.lines.iter().map(line).collect(),
            judge: self.judge.save(plan),
        }
    }

    /// What was known before it began.
    pub(super) fn learned(&self) -> Learned {
        Learned {
            subjects: self.lines.iter().map(|line| line.subject.clone()).collect(),
            briefs: self.judge.briefs(),
            told: true,
            ..Learned::default()
        }
    }

    /// A rung was entered: readings from then on are its own.
    pub(super) fn enter(&mut self, plan: &Plan, place: Place) {
        if (self.place.rung, self.place.entered) != (place.rung, place.entered) {
            self.place = place;
            let read = self.lines.iter().filter_map(|line| line.last).min();
            self.young.begin_step(place.entered, read.unwrap_or(self.start));
            self.lines.iter_mut().for_each(|line| line.straddling = true);
            self.expect_baseline(plan);
        }
    }

    /// Notes when the candidate was away, or alone: what was counted then is no evidence.
    pub(super) fn leave_out(&mut self, gap: Option<Gap>, plan: &Plan) {
        let read = self
            .lines
            .iter()
            .map(|line| line.last.unwrap_or(self.start))
            .min();
        self.gaps.note(gap, plan, read.unwrap_or(self.start));
    }

    /// Whether a clock that was ahead of this one has made it: nothing would be read before its time comes.
    pub(super) fn is_ahead(&self, now: Moment) -> bool {
        let last = self.lines.iter().filter_map(|line| line.last).max();
        self.start.max(last.unwrap_or(self.start)).duration_since(now) > AHEAD
    }

    /// Whether a baseline must be counted from here on.
    fn expect_baseline(&mut self, plan: &Plan) {
        let alone = plan.is_alone(self.place.rung);
        let since = alone.then_some(self.place.entered);
        self.lines
            .iter_mut()
            .for_each(|line| line.reader.set_alone(since));
    }

    /// Whether what was judged before this process began is being read again.
    pub(super) fn reads_again(&self) -> bool {
        self.lines.iter().any(|line| line.lead.is_some())
    }

    /// The step that the pods on trial may come in.
    pub(super) fn step(&self, plan: &Plan) -> warm_up::Step {
        warm_up::Step {
            entered: self.place.entered,
            warm_up: plan.analysis.warm_up,
        }
    }

    /// Whether the time from one reading to the next says something of pods that are warm and have others beside them.
    pub(super) fn is_ordinary(&self, plan: &Plan, from: Moment, until: Moment) -> bool {
        !self.young.between(from, until) && self.gaps.between(plan, from, until) == Within::None
    }

    /// When there is something to read again.
    pub(super) fn wake(&self) -> Option<Moment> {
        self.lines.iter().map(|line| line.reader.wake()).min()
    }

    /// Reads what is due, and judges it when all of it is there: never on a part of what is known. Whoever does not
    /// wait for the end loses nothing. Metrics are judged in the order of the evaluations, however they were read. Gives
    /// what candidate and baseline have served from one reading of the first metric to the next.
    pub(super) async fn read(
        &mut self,
        plan: &Plan,
        source: Result<&dyn MetricSource, &Problem>,
        now: Moment,
    ) -> Vec<Served> {
        let source = match source {
            Ok(source) => source,
            Err(problem) => {
                let lines = 0..self.lines.len();
                lines.for_each(|index| self.judge.miss_provider(index, now, &problem.message));
                return Vec::new();
            }
        };
        for line in &mut self.lines {
            while line.reader.catch_up(source, now, &mut line.read).await {}
        }
        let mut points: Vec<(usize, Point)> = Vec::new();
        for (index, line) in self.lines.iter_mut().enumerate() {
            points.extend(line.read.drain(..).map(|point| (index, point)));
        }
        points.sort_by_key(|(index, point)| (point.at, *index));
        let mut served = Vec::new();
        for (index, point) in points {
            if let (0, Ok(reading)) = (index, &point.outcome) {
                served.push((point.at, [reading.candidate.requests, reading.baseline.requests]));
            }
            self.take(plan, (index, now), point.at, point.outcome);
        }
        served
    }

    /// The evaluations.
    pub(super) fn grid(&self, pace: Pace) -> Grid {
        Grid::new(self.start, pace.interval, pace.lag)
    }

    fn take(
        &mut self,
        plan: &Plan,
        (index, now): (usize, Moment),
        at: Moment,
        outcome: Result<Reading, NoData>,
    ) {
        let line = &mut self.lines[index];
        if let Some(why) = outcome.as_ref().err().filter(|why| why.transient()) {
            // The server is away: what was kept is not fresh any more, and its history may still be there. The point may
            // be long past, the silence is not.
            return self.judge.miss_provider(index, now, &why.to_string());
        }
        if let Some(lead) = line.lead {
            if at < lead {
                return;
            }
            line.lead = None;
            if at == lead {
                // It was judged when it was first read; now it only says where the counters stood.
                if outcome.is_err() {
                    self.begin_anew(
                        plan,
                        "the metric provider has lost the history of the time without a leader",
                    );
                }
                return;
            }
        }
        match outcome {
            Ok(reading) => self.judge(plan, index, &reading),
            // It could not be known before.
            Err(why) => self.judge.miss(index, line.reader.readable(at), &why.to_string()),
        }
    }

    /// The present rung's evidence starts anew, and says why.
    pub(super) fn begin_anew(&mut self, plan: &Plan, why: &str) {
        for line in &mut self.lines {
            (line.straddling, line.lost) = (false, true);
        }
        self.judge
            .begin_anew(plan, (self.place.rung, self.place.pods), why);
    }

    fn judge(&mut self, plan: &Plan, index: usize, reading: &Reading) {
        let line = &mut self.lines[index];
        let before = line.last.replace(reading.at);
        let from = before.unwrap_or(reading.at);
        let counted = if std::mem::take(&mut line.lost) {
            reading.at
        } else {
            from
        };
        let seconds = reading.at.duration_since(counted).as_secs_f64();
        let within = self.gaps.between(plan, from, reading.at);
        let warming = within == Within::WarmUp || self.young.between(from, reading.at);
        if within == Within::Gap {
            self.judge.leave_out(index);
        } else {
            self.judge
                .observe(index, reading.at, ticks(reading, seconds, warming));
        }
        // A reading that began before the rung did still speaks for the rung before.
        if line.straddling && reading.at >= self.place.entered {
            line.straddling = false;
            let (rung, pods) = (self.place.rung, self.place.pods);
            self.judge
                .begin_rung_of(index, plan, (rung, pods), Some(self.place.entered));
        }
    }
}

/// A tick for each comparison of a metric.
fn ticks(reading: &Reading, seconds: f64, warming: bool) -> Vec<stats::Tick> {
    let counts = |increment: &Increment, bad: u64| stats::Counts::new(increment.requests, bad);
    let (mine, theirs) = (&reading.candidate, &reading.baseline);
    let pairs = mine.bad.iter().zip(&theirs.bad);
    pairs
        .map(|(bad, beside)| stats::Tick {
            warming,
            ..stats::Tick::new(counts(mine, *bad), counts(theirs, *beside), seconds)
        })
        .collect()
}

fn reader(subject: &Subject, arms: (&Arm, &Arm), grid: Grid, fresh: bool) -> Result<Reader, String> {
    let (tested, beside) = subject.arms(arms);
    Reader::new(&subject.queries, &tested, &beside, grid, fresh)
        .map_err(|error| format!("metric `{}`: {error}", subject.metric))
}

#[cfg(test)]
mod tests;

//! The comparison of one release: readings on the grid, folded into the judge's evidence.

use super::Look;
use crate::engine::judge::{Evidence, Judge};
use crate::engine::{Moment, Revision};
use crate::sources::preflight::Choice;
use crate::sources::promql::Arm;
use crate::sources::reader::{Grid, Reader};
use crate::stats;

/// The comparison of one release.
pub(super) struct Trial {
    pub(super) key: (Revision, bool),
    pub(super) judge: Judge,
    pub(super) readers: Vec<Reader>,
    pub(super) rung: usize,
    pub(super) entered: Moment,
    /// The rung has changed, and readings that straddle the change still belong to the rung before.
    pub(super) straddling: Vec<bool>,
    pub(super) last: Vec<Option<Moment>>,
}

impl Trial {
    pub(super) fn new(
        look: &Look<'_>,
        key: (Revision, bool),
        choices: &[Choice],
        (tested, beside): (&Arm, &Arm),
        (rung, entered, fresh): (usize, Moment, bool),
    ) -> Result<Self, String> {
        let grid = Grid::new(entered, look.plan.analysis.interval, look.lag());
        let readers: Result<Vec<Reader>, _> = choices
            .iter()
            .map(|choice| Reader::new(&choice.queries, tested, beside, grid, fresh))
            .collect();
        let readers = readers.map_err(|error| error.to_string())?;
        let mut judge = Judge::new(look.plan, &key.0);
        judge.begin_rung(look.plan, rung);
        let count = readers.len();
        Ok(Self {
            key,
            judge,
            readers,
            rung,
            entered,
            straddling: vec![false; count],
            last: vec![None; count],
        })
    }

    pub(super) fn enter(&mut self, rung: usize, entered: Moment) {
        if (self.rung, self.entered) != (rung, entered) {
            (self.rung, self.entered) = (rung, entered);
            self.straddling.fill(true);
        }
    }

    pub(super) async fn read(&mut self, look: &Look<'_>) -> Evidence {
        let source = match look.source() {
            Ok(source) => source,
            Err(problem) => {
                (0..self.readers.len()).for_each(|index| self.judge.miss(index, look.now, &problem.message));
                return self.judge.evidence();
            }
        };
        for index in 0..self.readers.len() {
            for point in self.readers[index].catch_up(&*source, look.now).await {
                match point.outcome {
                    Ok(reading) => self.take(look, index, &reading),
                    Err(why) => self.judge.miss(index, point.at, &why.to_string()),
                }
            }
        }
        self.judge.evidence()
    }

    /// A reading that began before the rung did still speaks for the rung before.
    fn take(&mut self, look: &Look<'_>, index: usize, reading: &crate::sources::Reading) {
        let counts =
            |increment: crate::ports::Increment| stats::Counts::new(increment.requests, increment.bad);
        let before = self.last[index].replace(reading.at);
        let seconds = before.map_or(0.0, |before| reading.at.duration_since(before).as_secs_f64());
        self.judge.observe(
            index,
            reading.at,
            stats::Tick::new(counts(reading.candidate), counts(reading.baseline), seconds),
        );
        if self.straddling[index] && reading.at >= self.entered {
            self.straddling[index] = false;
            if self.straddling.iter().all(|straddling| !straddling) {
                self.judge.begin_rung(look.plan, self.rung);
            }
        }
    }
}

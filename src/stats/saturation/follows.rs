//! Whether what the candidate's pods use follows their traffic, told by changes of both: a level alone cannot tell a
//! larger footprint from dearer requests, and a cache that fills while the traffic happens to rise must not look like
//! either.

use super::line::Load;
use super::{SHOWN, quantile};

/// Readings at the start of a step whose change of use is attributed to the new weight; later change is attributed to time.
const ONSET_READINGS: f64 = 12.0;
/// Neighbouring differences share a reading, which correlates their products by a quarter: the variance grows by this
/// factor.
const DIFFERENCE_VARIANCE_FACTOR: f64 = 1.5;
/// Initial readings of a step still in transition to the new use; left out of the noise estimate.
const TRANSITION_READINGS: f64 = 6.0;
/// Smoothing factors of a fast and a slow running mean, and the lag between them in readings: their difference shows how
/// fast the use grows.
const FAST_EWMA: f64 = 0.25;
const SLOW_EWMA: f64 = 0.1;
const EWMA_LAG: f64 = 6.0;
/// Fewest readings that tell a step's level.
const MIN_READINGS: f64 = 4.0;

/// Changes of one arm's pace and use, within steps and from one to the next, as sums.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Follows {
    /// From one reading to the next: their number, and sums of dx², dx dy, dy².
    changes: [f64; 4],
    /// About the means of the steps that are over: degrees of freedom, and sums of squares xx, xy, yy.
    within: [f64; 4],
    /// From step to step, of those that are over: sums of dx² and dx dy.
    leaps: [f64; 2],
    /// This step: the number of readings, and sums of x, y, xx, xy, yy; and the same of those that are settled.
    here: [f64; 6],
    settled: [f64; 6],
    /// The running means of its latest readings: x and y, and y again, slower. Negative x stands for none.
    late: [f64; 3],
    /// The first two of them as they were after its first readings.
    early: [f64; 2],
    /// And at the end of the step before, with what each reading added to y there.
    before: [f64; 3],
    /// The last reading, if there was one at the last look.
    last: [f64; 2],
}

const NONE: [f64; 2] = [-1.0, 0.0];
const NO_MEANS: [f64; 3] = [-1.0, 0.0, 0.0];

impl Follows {
    pub(super) const EMPTY: Self = Self {
        changes: [0.0; 4],
        within: [0.0; 4],
        leaps: [0.0; 2],
        here: [0.0; 6],
        settled: [0.0; 6],
        late: NO_MEANS,
        early: NONE,
        before: NO_MEANS,
        last: NONE,
    };

    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        if let Some([dx, dy]) = self.leap() {
            add(&mut self.leaps, [dx * dx, dx * dy]);
        }
        let over = about_mean(&self.settled);
        add(&mut self.within, over);
        let [x, y, slow] = self.late;
        if self.here[0] >= MIN_READINGS {
            self.before = [x, y, ((y - slow) / EWMA_LAG).max(0.0)];
        }
        (self.here, self.settled) = ([0.0; 6], [0.0; 6]);
        (self.late, self.early, self.last) = (NO_MEANS, NONE, NONE);
    }

    /// Takes a reading; without one the chain of neighbours is broken.
    pub(super) fn take(&mut self, reading: Option<Load>) {
        let Some(Load { pace: x, used: y }) = reading else {
            self.last = NONE;
            return;
        };
        if self.last[0] >= 0.0 {
            let (dx, dy) = (x - self.last[0], y - self.last[1]);
            add(&mut self.changes, [1.0, dx * dx, dx * dy, dy * dy]);
        }
        let one = [1.0, x, y, x * x, x * y, y * y];
        if self.here[0] >= TRANSITION_READINGS {
            add(&mut self.settled, one);
        }
        add(&mut self.here, one);
        let [late_x, late_y, slow] = self.late;
        self.late = if late_x < 0.0 {
            [x, y, y]
        } else {
            [
                late_x + FAST_EWMA * (x - late_x),
                late_y + FAST_EWMA * (y - late_y),
                slow + SLOW_EWMA * (y - slow),
            ]
        };
        if self.here[0] <= ONSET_READINGS {
            self.early = [self.late[0], self.late[1]];
        }
        self.last = [x, y];
    }

    /// What one request a second more uses, and its standard error, where the use is shown to follow the traffic.
    pub(super) fn slope(&self) -> Option<(f64, f64)> {
        let shown = |(slope, error, freedom): (f64, f64, f64)| {
            (slope > quantile(SHOWN, freedom) * error).then_some((slope, error))
        };
        let (within, across) = (self.by_changes().and_then(shown), self.by_leaps().and_then(shown));
        // What answers slowly shows less of itself from one reading to the next: the steeper one is nearer the truth.
        match (within, across) {
            (Some(a), Some(b)) => Some(if a.0 > b.0 { a } else { b }),
            (one, other) => one.or(other),
        }
    }

    /// A slope, its standard error, and the degrees of freedom of that.
    fn by_changes(&self) -> Option<(f64, f64, f64)> {
        let [n, xx, xy, yy] = self.changes;
        let slope = xy / xx;
        if n < MIN_READINGS || !slope.is_finite() {
            return None;
        }
        let variance = (yy - slope * xy).max(1e-14 * yy) / (n - 1.0);
        Some((
            slope,
            (DIFFERENCE_VARIANCE_FACTOR * variance / xx).sqrt(),
            n - 1.0,
        ))
    }

    fn by_leaps(&self) -> Option<(f64, f64, f64)> {
        let [mut xx, mut xy] = self.leaps;
        if let Some([dx, dy]) = self.leap() {
            (xx, xy) = (xx + dx * dx, xy + dx * dy);
        }
        let slope = xy / xx;
        let mut within = self.within;
        add(&mut within, about_mean(&self.settled));
        let [freedom, about_xx, about_xy, about_yy] = within;
        if freedom < MIN_READINGS || !slope.is_finite() {
            return None;
        }
        // However much neighbours are alike: a whole block of readings counts as one of them.
        let squares = about_yy - 2.0 * slope * about_xy + slope * slope * about_xx;
        let variance = squares.max(1e-14) / freedom;
        Some((slope, (2.0 * variance / xx).sqrt(), freedom))
    }

    /// By how much pace and use changed from the end of the step before to the beginning of this one, without what the
    /// use would have grown by anyway.
    fn leap(&self) -> Option<[f64; 2]> {
        let ([x, y], [before_x, before_y, growth]) = (self.early, self.before);
        let readings = self.here[0].min(ONSET_READINGS);
        let known = readings >= MIN_READINGS && before_x >= 0.0;
        known.then_some([x - before_x, y - before_y - growth * readings])
    }

    /// The standard deviation of the readings of this step.
    pub(super) fn spread(&self) -> f64 {
        let [freedom, _, _, squares] = about_mean(&self.here);
        (squares / freedom.max(1.0)).sqrt()
    }

    /// Every number of the state, to write or to read it.
    pub(super) fn numbers(&mut self) -> Vec<&mut f64> {
        let Self {
            changes,
            within,
            leaps,
            here,
            settled,
            late,
            early,
            before,
            last,
        } = self;
        let sums = changes
            .iter_mut()
            .chain(within)
            .chain(leaps)
            .chain(here)
            .chain(settled);
        sums.chain(late).chain(early).chain(before).chain(last).collect()
    }
}

/// Degrees of freedom and sums of squares about the mean: xx, xy, yy.
fn about_mean([n, x, y, xx, xy, yy]: &[f64; 6]) -> [f64; 4] {
    if *n < 2.0 {
        return [0.0; 4];
    }
    [
        n - 1.0,
        (xx - x * x / n).max(0.0),
        xy - x * y / n,
        (yy - y * y / n).max(0.0),
    ]
}

fn add<const N: usize>(sums: &mut [f64; N], parts: [f64; N]) {
    sums.iter_mut().zip(parts).for_each(|(sum, part)| *sum += part);
}

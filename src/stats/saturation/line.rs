//! Sums from which a straight line through readings follows, whatever its intercept turns out to be.

use super::{SHOWN, quantile};

/// One reading of the pods of one arm: their mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Requests a second to each pod; not negative.
    pub pace: f64,
    /// What each pod uses, as a share of its limit: 1 is all of it.
    pub used: f64,
}

/// Readings one after the other, as sums; those of neighbours tell how much they depend on each other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    n: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
    /// Over pairs of neighbours: their number, and sums of x + x', y + y', x x', x y' + y x', y y'.
    pairs: f64,
    both_x: f64,
    both_y: f64,
    lag_xx: f64,
    lag_xy: f64,
    lag_yy: f64,
    /// The last reading, if there was one at the last look: negative pace stands for none.
    last: [f64; 2],
}

/// A line with a given intercept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Fit {
    /// What one request a second more uses, as a share of the limit.
    pub(super) slope: f64,
    /// Its standard error.
    pub(super) error: f64,
    /// As how many independent readings they count.
    pub(super) readings: f64,
}

/// Least share of the use that requests must explain before a gauge counts as one that follows the traffic. (Its slope must
/// also be significantly above 0.)
const MATERIAL: f64 = 0.1;
/// Highest correlation of neighbouring readings for which the effective sample size still means something.
const MAX_AUTOCORRELATION: f64 = 0.8;

impl Sums {
    pub(super) const EMPTY: Self = Self {
        n: 0.0,
        x: 0.0,
        y: 0.0,
        xx: 0.0,
        xy: 0.0,
        yy: 0.0,
        pairs: 0.0,
        both_x: 0.0,
        both_y: 0.0,
        lag_xx: 0.0,
        lag_xy: 0.0,
        lag_yy: 0.0,
        last: [-1.0, 0.0],
    };

    /// Takes a reading; without one the chain of neighbours is broken.
    pub(super) fn take(&mut self, reading: Option<Load>) {
        let Some(Load { pace: x, used: y }) = reading else {
            self.last = [-1.0, 0.0];
            return;
        };
        self.n += 1.0;
        self.x += x;
        self.y += y;
        self.xx += x * x;
        self.xy += x * y;
        self.yy += y * y;
        let [before_x, before_y] = self.last;
        if before_x >= 0.0 {
            self.pairs += 1.0;
            self.both_x += x + before_x;
            self.both_y += y + before_y;
            self.lag_xx += x * before_x;
            self.lag_xy += x * before_y + y * before_x;
            self.lag_yy += y * before_y;
        }
        self.last = [x, y];
    }

    /// How many readings were taken.
    pub(super) const fn readings(&self) -> f64 {
        self.n
    }

    /// The mean use.
    pub(super) fn used(&self) -> f64 {
        self.y / self.n
    }

    /// By how much the slope changes with the intercept.
    pub(super) fn lever(&self) -> f64 {
        -self.x / self.xx
    }

    /// The line through `intercept` that fits best; `None` before there are two readings with requests that count as
    /// independent.
    pub(super) fn through(&self, intercept: f64) -> Option<Fit> {
        let slope = (self.xy - intercept * self.x) / self.xx;
        if !slope.is_finite() {
            return None;
        }
        let (variance, readings) = self.scatter(intercept, slope, 1.0)?;
        Some(Fit {
            slope,
            error: (variance * self.n / (readings * self.xx)).sqrt(),
            readings,
        })
    }

    /// The line that fits best: how much the pace spreads, the slope and the intercept; `None` where the pace never
    /// changed.
    fn best(&self) -> Option<[f64; 3]> {
        let spread = self.xx - self.x * self.x / self.n;
        // Below this the difference of the sums is rounding.
        if spread.is_nan() || spread <= 1e-12 * self.xx {
            return None;
        }
        let slope = (self.xy - self.x * self.y / self.n) / spread;
        Some([spread, slope, (self.y - slope * self.x) / self.n])
    }

    /// The intercept of the line that fits best, and its standard error; `None` where the pace never changed.
    pub(super) fn intercept(&self) -> Option<(f64, f64)> {
        let [spread, slope, intercept] = self.best()?;
        let (variance, readings) = self.scatter(intercept, slope, 2.0)?;
        let mean = self.x / self.n;
        let error = variance * self.n / readings * (1.0 / self.n + mean * mean / spread);
        Some((intercept, error.sqrt()))
    }

    /// Whether the use follows the pace, surely and by more than a little.
    pub(super) fn follows(&self) -> bool {
        self.best().is_some_and(|[spread, slope, intercept]| {
            self.scatter(intercept, slope, 2.0)
                .is_some_and(|(variance, readings)| {
                    let error = (variance * self.n / readings / spread).sqrt();
                    slope > quantile(SHOWN, readings - 2.0) * error && slope * self.x > MATERIAL * self.y
                })
        })
    }

    /// The variance of the readings about a line with so many fitted parameters, and as how many independent ones they
    /// count: `n (1 - r) / (1 + r)`, with r the correlation of neighbours, corrected for what the fit takes off it.
    fn scatter(&self, a: f64, b: f64, fitted: f64) -> Option<(f64, f64)> {
        let squares = self.yy - 2.0 * a * self.y - 2.0 * b * self.xy
            + a * a * self.n
            + 2.0 * a * b * self.x
            + b * b * self.xx;
        let products = self.lag_yy - a * self.both_y - b * self.lag_xy
            + a * a * self.pairs
            + a * b * self.both_x
            + b * b * self.lag_xx;
        // Sums of squares that differ by less than this are equal but for rounding.
        let squares = squares.max(1e-14 * self.yy);
        let raw = products * self.n / (self.pairs.max(1.0) * squares);
        let alike = (raw + (1.0 + 3.0 * raw) / self.n).clamp(0.0, MAX_AUTOCORRELATION);
        let readings = (self.n * (1.0 - alike) / (1.0 + alike)).max(fitted + 1.0);
        if self.n <= fitted + 1.0 {
            return None;
        }
        Some((squares / (self.n * (1.0 - fitted / readings)), readings))
    }

    /// Every number of the state, to write or to read it.
    pub(super) fn numbers(&mut self) -> [&mut f64; 14] {
        let [last_x, last_y] = &mut self.last;
        [
            &mut self.n,
            &mut self.x,
            &mut self.y,
            &mut self.xx,
            &mut self.xy,
            &mut self.yy,
            &mut self.pairs,
            &mut self.both_x,
            &mut self.both_y,
            &mut self.lag_xx,
            &mut self.lag_xy,
            &mut self.lag_yy,
            last_x,
            last_y,
        ]
    }
}

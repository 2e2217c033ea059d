//! A robust trend: the median of the slopes between all pairs of points (Theil and Sen), with its interval.

/// The correlation of neighbours is not taken to be more than this.
const ALIKE: f64 = 0.9;

/// A slope and its interval, in units of the values per unit of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Trend {
    /// Lower end; minus infinity where there are too few points for one.
    pub(super) low: f64,
    /// The median of all slopes.
    pub(super) slope: f64,
    /// Upper end.
    pub(super) high: f64,
}

/// The trend of points `(time, value)` in the order of time. `quantile`: of the normal distribution, for each side of
/// the interval. `None` with fewer than three points.
pub(super) fn trend(points: &[(f64, f64)], quantile: f64) -> Option<Trend> {
    let n = points.len();
    if n < 3 {
        return None;
    }
    let mut slopes = Vec::with_capacity(n * (n - 1) / 2);
    for (index, (t, value)) in points.iter().enumerate() {
        slopes.extend(
            points[..index]
                .iter()
                .map(|(s, before)| (value - before) / (t - s)),
        );
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let pairs = slopes.len();
    let slope = f64::midpoint(slopes[(pairs - 1) / 2], slopes[pairs / 2]);
    // Kendall's variance of the number of rising pairs minus falling ones, as if the points were independent.
    let size = n as f64;
    let independent = size * (size - 1.0) * (2.0 * size + 5.0) / 18.0;
    let alike = alike(points, slope);
    let reach = quantile * (independent * (1.0 + alike) / (1.0 - alike)).sqrt();
    let at = (pairs as f64 - reach) / 2.0;
    let (low, high) = if at < 0.0 {
        (f64::NEG_INFINITY, f64::INFINITY)
    } else {
        let at = at as usize;
        (slopes[at], slopes[pairs - 1 - at])
    };
    Some(Trend { low, slope, high })
}

/// How much neighbours are alike about the trend: their correlation, corrected for what a fitted trend takes off it.
fn alike(points: &[(f64, f64)], slope: f64) -> f64 {
    let n = points.len() as f64;
    let rest: Vec<f64> = points.iter().map(|(t, value)| value - slope * t).collect();
    let mean = rest.iter().sum::<f64>() / n;
    let squares: f64 = rest.iter().map(|it| (it - mean).powi(2)).sum();
    let products: f64 = rest.windows(2).map(|it| (it[0] - mean) * (it[1] - mean)).sum();
    if squares <= 0.0 {
        return 0.0;
    }
    let raw = products / squares;
    (raw + (1.0 + 4.0 * raw) / n).clamp(0.0, ALIKE)
}

#[cfg(test)]
mod tests;

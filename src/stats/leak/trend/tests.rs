//! The numbers of these tables are a plain reckoning by numpy: all slopes sorted, the variance of Kendall's statistic,
//! the first autocorrelation of what the line leaves.

#![allow(clippy::float_cmp)] // nothing is rounded where equality is meant

use super::*;

type Points = Vec<(f64, f64)>;

/// Twelve readings, not quite regular, whose noise is new in each.
fn restless() -> Points {
    let times = [
        0.0, 15.0, 31.0, 45.0, 62.0, 75.0, 90.0, 107.0, 120.0, 134.0, 151.0, 165.0,
    ];
    let values = [4.0, 4.6, 4.1, 5.2, 5.0, 4.7, 6.1, 5.6, 6.4, 5.9, 7.3, 6.6];
    times.into_iter().zip(values).collect()
}

/// The same times, with a slow wave about the line: neighbours are alike by 0.775.
fn waving() -> Points {
    let values = [4.0, 4.3, 4.5, 4.4, 5.0, 5.5, 6.1, 6.2, 6.0, 6.3, 6.2, 6.4];
    let times = restless().into_iter().map(|(t, _)| t);
    times.zip(values).collect()
}

fn line(points: usize, slope: f64) -> Points {
    (0..points).map(|at| (at as f64, slope * at as f64)).collect()
}

/// Of `runs` readings in turn above and below a line of slope 3 at irregular times.
fn square_wave(points: usize, runs: usize) -> Points {
    let mut t = 0.0;
    (0..points)
        .map(|at| {
            t += 1.0 + (at % 3) as f64;
            let side = if (at / runs).is_multiple_of(2) { 1.0 } else { -1.0 };
            (t, 7.0 + 3.0 * t + side)
        })
        .collect()
}

#[test]
fn a_trend_is_the_median_slope_and_its_interval_widens_with_certainty_and_likeness() {
    let few = |points: usize| restless()[..points].to_vec();
    // Quantile; lower end, slope and upper end in millionths a second.
    let cases = [
        (restless(), 1.0, [14179.0, 17359.0, 20000.0]),
        (restless(), 1.645, [12500.0, 17359.0, 21111.0]),
        (restless(), 2.33, [10000.0, 17359.0, 25843.0]),
        (restless(), 3.09, [4444.0, 17359.0, 29032.0]),
        (waving(), 0.25, [14286.0, 16129.0, 16854.0]),
        (waving(), 0.5, [13592.0, 16129.0, 18056.0]),
        (waving(), 0.75, [10000.0, 16129.0, 20652.0]),
        (waving(), 1.0, [5882.0, 16129.0, 22368.0]),
        (waving(), 1.25, [3333.0, 16129.0, 27119.0]),
        (waving(), 1.645, [f64::NEG_INFINITY, 16129.0, f64::INFINITY]),
        (few(5), 1.0, [3226.0, 18065.0, 29032.0]),
        (few(5), 1.645, [-11765.0, 18065.0, 40000.0]),
        (few(5), 2.33, [-31250.0, 18065.0, 78571.0]),
        (few(5), 3.09, [f64::NEG_INFINITY, 18065.0, f64::INFINITY]),
        (few(4), 1.0, [3226.0, 23333.0, 40000.0]),
        (few(4), 1.645, [-31250.0, 23333.0, 78571.0]),
        (few(4), 2.33, [f64::NEG_INFINITY, 23333.0, f64::INFINITY]),
        (few(3), 1.0, [-31250.0, 3226.0, 40000.0]),
        (few(3), 1.645, [f64::NEG_INFINITY, 3226.0, f64::INFINITY]),
    ];
    for (points, quantile, want) in cases {
        let seen = trend(&points, quantile).unwrap();
        for (seen, want) in [seen.low, seen.slope, seen.high].into_iter().zip(want) {
            if want.is_infinite() {
                assert_eq!(seen, want, "{} points, {quantile}", points.len());
            } else {
                let off = (seen * 1e6 - want).abs();
                assert!(off < 0.501, "{} points, {quantile}: {seen} {want}", points.len());
            }
        }
    }
}

#[test]
fn a_trend_needs_three_points() {
    for points in 0..3 {
        assert_eq!(trend(&line(points, 2.0), 1.0), None, "{points}");
    }
    assert!(trend(&line(3, 2.0), 1.0).is_some());
}

#[test]
fn an_interval_that_reaches_just_to_the_last_slope_still_has_ends() {
    // Of five points all ten slopes, for 10 = 6^0.5 (5 4 15 / 18)^0.5.
    let reaches = 10.0 / (5.0 * 4.0 * 15.0 / 18.0_f64).sqrt();
    assert_eq!(reaches * (5.0 * 4.0 * 15.0 / 18.0_f64).sqrt(), 10.0);
    let ends = |quantile: f64| trend(&line(5, 2.0), quantile).map(|it| (it.low, it.slope, it.high));
    assert_eq!(ends(reaches), Some((2.0, 2.0, 2.0)));
    let none = (f64::NEG_INFINITY, 2.0, f64::INFINITY);
    assert_eq!(ends(reaches + 1e-9), Some(none));
}

#[test]
fn neighbours_are_alike_by_their_correlation_about_the_line_and_a_correction() {
    // In turn 1, 1, -1, -1: 10 products of 1 and 9 of -1, so 1/20, and (1 + 4/20) / 20 more.
    let two = alike(&square_wave(20, 2), 3.0);
    assert!((two - 0.11).abs() < 1e-9, "{two}");
    // In turn three: 8 of 1 and 3 of -1, so 5/12, and (1 + 20/12) / 12 more.
    let three = alike(&square_wave(12, 3), 3.0);
    assert!((three - (5.0 / 12.0 + 32.0 / 144.0)).abs() < 1e-9, "{three}");
    // Never less than nothing and never more than 0.9; a line leaves nothing that could be alike.
    assert_eq!(alike(&square_wave(20, 1), 3.0), 0.0);
    assert_eq!(alike(&square_wave(20, 10), 3.0), ALIKE);
    assert_eq!(alike(&line(20, 2.0), 2.0), 0.0);
}

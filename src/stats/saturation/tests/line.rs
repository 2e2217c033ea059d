//! Lines through readings. All numbers come from the plain definitions (sums of residuals over the readings, in Python),
//! not from sums that are carried along.

use super::super::line::Sums;
use super::*;

fn sums(readings: &[Option<Load>]) -> Sums {
    let mut sums = Sums::EMPTY;
    for reading in readings {
        sums.take(*reading);
    }
    sums
}

fn loads(paces: &[f64], used: impl Fn(usize, f64) -> f64) -> Vec<Option<Load>> {
    let load = |(at, pace): (usize, &f64)| {
        Some(Load {
            pace: *pace,
            used: used(at, *pace),
        })
    };
    paces.iter().enumerate().map(load).collect()
}

/// Four readings, a gap, and five more.
fn with_a_gap() -> Sums {
    let mut readings = run(4, 10.0, (0.1, 0.02)).loads();
    readings.push(None);
    readings.extend(run(5, 12.0, (0.1, 0.02)).loads());
    sums(&readings)
}

/// Fourteen whose noise drags on: neighbours are alike by 0.31.
fn alike() -> Sums {
    let noise = [
        0.01, 0.008, -0.002, -0.006, 0.004, 0.009, -0.005, -0.01, -0.003, 0.006, 0.002, -0.008, 0.001, 0.007,
    ];
    let mut readings = Run {
        noise: 0.0,
        ..run(14, 10.0, (0.1, 0.02))
    }
    .loads();
    for (load, noise) in readings.iter_mut().flatten().zip(noise) {
        load.used += noise;
    }
    sums(&readings)
}

#[test]
fn the_mean_use_and_the_lever_are_those_of_the_readings() {
    let sums = with_a_gap();
    near(sums.readings(), 9.0, "readings");
    near(sums.used(), 0.327_444_444_444_444_4, "used");
    near(sums.lever(), -0.086_225_026_288_117_78, "lever");
}

#[test]
fn a_line_through_a_known_intercept_knows_its_error() {
    for (name, sums, through, [slope, error, readings]) in [
        (
            "a gap",
            with_a_gap(),
            0.05,
            [0.024_260_357_518_401_682, 0.000_277_895_680_533_482_5, 9.0],
        ),
        (
            "alike",
            alike(),
            0.1,
            [
                0.020_092_573_402_417_96,
                0.000_248_633_870_255_446_05,
                7.443_648_514_117_175,
            ],
        ),
        (
            // Far off the line, all on one side and then on the other: they count as two, not as fewer.
            "curved",
            sums(&loads(&[10.0, 10.5, 11.0, 11.5, 12.0], |at, _| {
                0.2 + 0.01 * (at * at) as f64
            })),
            0.0,
            [0.023_868_312_757_201_648, 0.003_914_616_489_018_099_6, 2.0],
        ),
        (
            // What rounding may hide remains as an error: 1e-14 of the squares.
            "exact",
            sums(&loads(&[8.0, 9.0, 10.0, 11.0, 12.0], |_, pace| {
                100.0 + 4.0 * pace
            })),
            100.0,
            [4.0, 9.082_257_151_060_148e-7, 3.333_333_333_333_333_5],
        ),
    ] {
        let fit = sums.through(through).unwrap();
        near(fit.slope, slope, name);
        near(fit.error, error, name);
        near(fit.readings, readings, name);
    }
}

#[test]
fn the_intercept_of_the_best_line_knows_its_error() {
    for (name, sums, intercept, error) in [
        (
            "a gap",
            with_a_gap(),
            0.113_688_311_688_311_73,
            0.009_147_858_440_302_217,
        ),
        (
            "alike",
            alike(),
            0.099_800_781_250_000_14,
            0.019_980_809_035_812_473,
        ),
    ] {
        let told = sums.intercept().unwrap();
        near(told.0, intercept, name);
        near(told.1, error, name);
    }
}

#[test]
fn a_line_needs_one_reading_more_than_what_is_fitted_and_one_to_tell_its_error() {
    let first = |n| sums(&run(n, 10.0, (0.1, 0.02)).loads());
    assert_eq!(Sums::EMPTY.through(0.0), None);
    assert!(first(2).through(0.0).is_none() && first(3).through(0.0).is_some());
    assert_eq!(Sums::EMPTY.intercept(), None);
    assert!(first(3).intercept().is_none() && first(4).intercept().is_some());
    assert!(!Sums::EMPTY.follows() && !first(3).follows());
}

#[test]
fn a_pace_that_never_changes_shows_no_intercept_however_it_is_rounded() {
    for (pace, n) in [(10.0, 8), (333.3, 5), (333.3, 7), (1234.567, 13), (99.9, 9)] {
        let level = sums(&loads(&vec![pace; n], |at, _| 0.3 + 0.01 * (at % 3) as f64));
        assert_eq!(level.intercept(), None, "{pace} {n}");
        assert!(!level.follows(), "{pace} {n}");
    }
}

#[test]
fn use_follows_the_pace_where_the_slope_is_sure_and_matters() {
    // The slope is 3.66 of its errors, beyond Student's 3.47 for eighteen degrees of freedom (3.92 for ten).
    let paces: Vec<f64> = run(20, 10.0, (0.0, 0.0))
        .loads()
        .iter()
        .flatten()
        .map(|l| l.pace)
        .collect();
    let zigzag = |size: f64| {
        move |at: usize, pace: f64| {
            let side = if at % 2 == 1 { size } else { -size };
            0.1 + 0.02 * pace + side * (1.0 + 0.3 * (at % 3) as f64)
        }
    };
    assert!(sums(&loads(&paces, zigzag(0.035))).follows());
    // With half as much noise again it is 2.4 of them.
    assert!(!sums(&loads(&paces, zigzag(0.053))).follows());
    // Requests make up just a tenth of what is used: that vouches for nothing. A little more does.
    let tenth = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 4.0, 4.0];
    assert!(!sums(&loads(&tenth, |_, pace| 9.0 + 0.25 * pace)).follows());
    assert!(sums(&loads(&tenth, |_, pace| 8.9 + 0.25 * pace)).follows());
    // What falls while the pace rises does not follow it.
    assert!(!sums(&loads(&paces, |_, pace| 0.9 - 0.02 * pace)).follows());
}

//! What changes of pace and use tell. All numbers come from the plain definitions over lists of readings, in Python.

use super::super::follows::Follows;
use super::*;

type Step = Vec<Option<Load>>;

/// Takes the steps one after the other; the last one is not over.
fn taken(steps: &[Step]) -> Follows {
    let mut follows = Follows::EMPTY;
    for (at, step) in steps.iter().enumerate() {
        if at > 0 {
            follows.begin_step();
        }
        for reading in step {
            follows.take(*reading);
        }
    }
    follows
}

const LINE: (f64, f64) = (0.1, 0.02);

/// No reading has a neighbour: nothing but the leaps from step to step tells.
fn apart(it: Run) -> Step {
    it.loads().into_iter().flat_map(|load| [load, None]).collect()
}

fn quiet(it: Run) -> Run {
    Run { noise: 0.3, ..it }
}

/// Slope and error as they should be.
fn shows(name: &str, steps: &[Step], slope: f64, error: f64) {
    let told = taken(steps).slope().unwrap_or_else(|| panic!("{name}: no slope"));
    near(told.0, slope, name);
    near(told.1, error, name);
}

#[test]
fn the_slope_shows_in_changes_from_one_reading_to_the_next() {
    let mut step = run(4, 10.0, LINE).loads();
    step.push(None);
    step.extend(run(3, 12.0, LINE).loads());
    shows(
        "a gap",
        &[step.clone()],
        0.017_943_925_233_644_85,
        0.000_861_284_803_025_349_6,
    );
    near(
        taken(&[step]).spread(),
        0.028_626_494_554_454_086,
        "the spread of seven",
    );
    // Four changes are enough, three are not.
    let calm = |readings| {
        vec![
            Run {
                noise: 0.2,
                ..run(readings, 10.0, LINE)
            }
            .loads(),
        ]
    };
    shows(
        "four changes",
        &calm(5),
        0.019_549_514_563_106_787,
        0.000_163_360_874_689_675_95,
    );
    assert_eq!(taken(&calm(4)).slope(), None);
    // Noisier, it is 7.0 of its errors, and four changes need 7.4: Student's three for three degrees of freedom.
    let noisy = Run {
        noise: 2.5,
        ..run(5, 10.0, LINE)
    };
    assert_eq!(taken(&[noisy.loads()]).slope(), None);
}

#[test]
fn what_lies_on_a_line_keeps_the_error_that_rounding_may_hide() {
    let level = |pace: f64, used: f64| vec![Some(Load { pace, used }); 14];
    let mut higher = level(16.0, 4.0);
    (higher[12], higher[13]) = (level(20.0, 5.0)[0], level(12.0, 3.0)[0]);
    // Two changes that are not nothing, of 4 and of -8, among thirteen: their squares are 80 of the pace and 5 of the use.
    let changes = (1.5 * 1e-14 * 5.0 / 12.0 / 80.0_f64).sqrt();
    shows("changes", &[higher.clone()], 0.25, changes);
    // A leap of 8 beside them is just as steep. Its error, over fourteen settled readings, is the smaller one.
    let leap = (2.0 * 1e-14 / 14.0 / 64.0_f64).sqrt();
    shows("a leap too", &[level(8.0, 2.0), higher], 0.25, leap);
}

#[test]
fn the_slope_shows_in_leaps_from_step_to_step() {
    let growing = Run {
        drift: 0.001,
        ..run(14, 10.0, LINE)
    };
    let falling = Run {
        drift: -0.0005,
        ..run(16, 14.0, LINE)
    };
    let steps = [
        apart(growing),
        apart(run(9, 20.0, LINE)),
        apart(falling),
        apart(run(11, 25.0, LINE)),
    ];
    shows(
        "three leaps",
        &steps,
        0.019_948_967_460_042_846,
        0.000_327_169_521_257_565_1,
    );
    near(
        taken(&steps).spread(),
        0.028_530_685_235_374_192,
        "the spread of the last step",
    );
    // A step of three readings is none: the leap is from the one before it.
    shows(
        "a step that is too short",
        &[
            apart(run(12, 10.0, LINE)),
            apart(run(3, 40.0, LINE)),
            apart(run(4, 20.0, LINE)),
        ],
        0.020_010_641_058_371_67,
        0.000_506_632_257_730_596_8,
    );
    // A step without requests is one.
    let idle = Run {
        wobble: 0.0,
        ..run(12, 0.0, LINE)
    };
    shows(
        "from nothing",
        &[apart(idle), apart(run(6, 20.0, LINE))],
        0.020_077_266_311_736_442,
        0.000_253_676_285_141_911_64,
    );
}

#[test]
fn a_leap_needs_four_degrees_of_freedom_to_know_its_error() {
    let steps = |first| {
        [(first, 10.0), (4, 20.0)].map(|(readings, pace)| {
            apart(Run {
                noise: 0.5,
                ..run(readings, pace, LINE)
            })
        })
    };
    // The first six readings of a step do not count for that.
    shows(
        "five settled readings",
        &steps(11),
        0.019_745_748_951_454_69,
        0.000_289_157_129_973_499_6,
    );
    assert_eq!(taken(&steps(10)).slope(), None);
}

#[test]
fn the_steeper_one_is_nearer_the_truth() {
    let leaping_to = |idle| {
        [
            quiet(run(14, 10.0, LINE)).loads(),
            quiet(run(14, 20.0, (idle, 0.02))).loads(),
        ]
    };
    // What answers slowly shows the less of itself from one reading to the next.
    shows(
        "leaps",
        &leaping_to(0.2),
        0.029_771_514_517_668_112,
        0.002_069_976_790_216_890_5,
    );
    shows(
        "changes",
        &leaping_to(0.02),
        0.020_001_704_545_454_53,
        0.000_163_003_926_998_576_77,
    );
}

#[test]
fn a_use_that_never_changes_shows_no_slope() {
    let level = |pace| run(14, pace, (0.25, 0.0));
    let still = |pace| {
        Run {
            noise: 0.0,
            ..level(pace)
        }
        .loads()
    };
    let told = taken(&[still(10.0), still(20.0)]);
    assert_eq!((told.slope(), told.spread()), (None, 0.0));
    // Nor does one whose changes are noise.
    assert_eq!(taken(&[level(10.0).loads(), level(20.0).loads()]).slope(), None);
    // Nor does one that varies while the pace does not.
    let even = Run {
        wobble: 0.0,
        ..run(14, 10.0, LINE)
    };
    assert_eq!(taken(&[even.loads()]).slope(), None);
}

#[test]
fn two_readings_have_a_spread() {
    let load = |used| Some(Load { pace: 10.0, used });
    near(
        taken(&[vec![load(0.2), load(0.26)]]).spread(),
        0.03 * 2.0_f64.sqrt(),
        "two",
    );
    // Those of a step that is over do not count.
    let over = taken(&[vec![load(0.2), load(0.26)], vec![load(0.9)]]);
    assert_eq!((taken(&[vec![load(0.2)]]).spread(), over.spread()), (0.0, 0.0));
}

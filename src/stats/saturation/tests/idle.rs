//! What pods use when nobody asks them anything: told, read off either arm, or not known.

use super::*;

#[test]
fn an_idle_use_that_nobody_knows_is_waited_for_and_then_warns_only() {
    // The pace never changes, so nobody shows what a pod uses without requests. A CPU follows the traffic all the same.
    let vague = |readings: usize| {
        let mut saturation = Saturation::new(None).following();
        let load = |pace: f64| {
            Some(Load {
                pace,
                used: 0.4 + 0.01 * pace,
            })
        };
        (0..readings).for_each(|_| saturation.observe(load(10.0), load(30.0)));
        saturation.outlook(&AHEAD).unwrap().fits
    };
    assert_eq!([8, 19, 20].map(vague), [Fits::Unsure, Fits::Unsure, Fits::Warn]);
    // What fits whatever the idle use is, fits.
    let low = exact(|pace| 0.1 + 0.01 * pace, &[10.0; 8]);
    assert_eq!(low.outlook(&AHEAD).unwrap().fits, Fits::Yes);
    // What it uses now is too much already.
    let much = exact(|pace| 0.75 + 0.01 * pace, &[10.0; 8]);
    let scaled = Ahead { next: 10.0, ..AHEAD };
    assert_eq!(much.outlook(&scaled).unwrap().fits, Fits::No);
}

#[test]
fn the_candidates_own_steps_show_the_idle_use_that_a_steady_baseline_hides() {
    // Ten and twenty-five per cent of a steady traffic: the baseline's pace moves by a sixth, the candidate's by more than half.
    let mut saturation = Saturation::new(None).following();
    let mut random = Random::new(7);
    let mut noises = [Noise(0.0, 0.03, 0.5), Noise(0.0, 0.03, 0.5)];
    for weight in [10.0, 25.0] {
        saturation.begin_step();
        for _ in 0..20 {
            let mut load = |pace: f64, cost: f64, noise: &mut Noise| {
                let used = 0.1 + cost * pace + noise.next(&mut random);
                Some(Load { pace, used })
            };
            let [mine, theirs] = &mut noises;
            let (mine, theirs) = (load(weight, 0.018, mine), load(100.0 - weight, 0.004, theirs));
            saturation.observe(mine, theirs);
        }
    }
    let (idle, error) = saturation.idle();
    assert!((0.05..0.15).contains(&idle) && error < 0.03, "{idle} {error}");
    let (_, theirs) = saturation.baseline.intercept().unwrap();
    assert!(theirs > 2.0 * error, "{theirs}");
    let ahead = Ahead {
        weight: 25.0,
        next: 50.0,
        ..AHEAD
    };
    let outlook = saturation.outlook(&ahead).unwrap();
    assert!((0.95..1.05).contains(&outlook.forecast), "{outlook:?}");
    assert_eq!(outlook.fits, Fits::No);
}

#[test]
fn of_two_estimates_the_surer_counts_for_more() {
    let (value, error) = together((1.0, 0.3), (2.0, 0.4));
    near(value, 1.36, "value");
    near(error, 0.24, "error");
    assert_eq!(together((1.0, 0.0), (2.0, 0.4)), (1.0, 0.0));
    assert_eq!(together((1.0, 0.0), (2.0, 0.0)), (1.5, 0.0));
}

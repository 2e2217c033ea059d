//! Forecasts by their numbers. Those with many digits come from the plain definitions over lists of readings, in Python; the
//! others are worked out by hand.

use super::*;

const NEAR: Ahead = Ahead {
    weight: 10.0,
    next: 25.0,
    pods: 2,
    next_pods: 3,
    full_pods: 8,
    limit: 0.8,
};

/// A candidate's steps, after what the baseline has shown.
fn seen(mut saturation: Saturation, baseline: &[Run], candidate: &[Run]) -> Saturation {
    for load in baseline.iter().flat_map(|it| it.loads()) {
        saturation.observe(None, load);
    }
    for (at, step) in candidate.iter().enumerate() {
        if at > 0 {
            saturation.begin_step();
        }
        step.loads()
            .iter()
            .for_each(|load| saturation.observe(*load, None));
    }
    saturation
}

fn told(idle: f64) -> Saturation {
    Saturation::new(Some(idle))
}

fn untold() -> Saturation {
    Saturation::new(None)
}

const STEPS: [Run; 2] = [run(6, 10.0, (0.06, 0.021)), run(5, 12.0, (0.06, 0.021))];
const NEIGHBOURS: Run = Run {
    noise: 0.5,
    ..run(30, 11.0, (0.07, 0.02))
};
/// A larger footprint than that of any neighbour, and requests that cost.
const LARGER: [Run; 2] = [run(14, 10.0, (0.3, 0.02)), run(12, 16.0, (0.3, 0.02))];

fn is(
    outlook: Option<Outlook>,
    [used, forecast, upper, full]: [f64; 4],
    fits: Fits,
    pods: Option<u32>,
    name: &str,
) {
    let it = outlook.unwrap_or_else(|| panic!("{name}: no forecast"));
    near(it.used, used, name);
    near(it.forecast, forecast, name);
    near(it.upper, upper, name);
    near(it.full, full, name);
    assert_eq!((it.fits, it.pods), (fits, pods), "{name}");
}

#[test]
fn what_follows_the_traffic_is_carried_along_the_line_through_its_idle_use() {
    let known = [
        0.3162,
        0.494_995_630_351_343_3,
        0.535_170_110_968_290_8,
        0.717_493_445_527_015_1,
    ];
    let it = seen(told(0.05), &[], &STEPS);
    is(
        it.outlook(&NEAR),
        known,
        Fits::Yes,
        Some(2),
        "an idle use that is told",
    );
    // What is not known of the slope counts for the pods as well: 1.90 of them, or 2.07.
    let scarce = Ahead { limit: 0.75, ..NEAR };
    is(it.outlook(&scarce), known, Fits::Yes, Some(3), "three pods");
    let read = [
        0.3162,
        0.481_245_072_241_473_5,
        0.518_667_173_988_790_5,
        0.688_046_269_564_170_7,
    ];
    for (saturation, name) in [
        (untold(), "neighbours that follow"),
        (untold().following(), "by its nature"),
    ] {
        let it = seen(saturation, &[NEIGHBOURS], &STEPS);
        is(it.outlook(&NEAR), read, Fits::Yes, Some(2), name);
        let outlook = it.outlook(&NEAR).unwrap();
        assert_eq!(
            (outlook.limit, outlook.weight, outlook.if_it_follows),
            (0.8, 25.0, None)
        );
    }
}

#[test]
fn what_need_not_follow_the_traffic_is_carried_along_its_own_changes() {
    let it = seen(untold(), &[], &LARGER);
    let twelve = [
        0.622_583_333_333_333_3,
        0.839_476_264_952_303_9,
        0.891_100_101_568_775_8,
        1.110_592_429_476_017_2,
    ];
    is(it.outlook(&NEAR), twelve, Fits::No, Some(4), "twelve readings");
    let few = seen(
        untold(),
        &[],
        &[
            LARGER[0],
            Run {
                readings: 5,
                ..LARGER[1]
            },
        ],
    );
    let five = [
        0.624,
        0.843_277_410_807_650_7,
        0.912_476_726_790_281_8,
        1.117_374_174_317_214_3,
    ];
    is(few.outlook(&NEAR), five, Fits::No, Some(4), "five readings");
}

/// A use that never changes while the pace does not either, so many times as much traffic ahead.
fn level(saturation: &Saturation, used: f64, times: f64, limit: f64) -> Outlook {
    let mut saturation = *saturation;
    for _ in 0..8 {
        saturation.observe(Some(Load { pace: 10.0, used }), None);
    }
    let ahead = Ahead {
        weight: 10.0,
        next: 10.0 * times,
        pods: 2,
        next_pods: 2,
        full_pods: 20,
        limit,
    };
    saturation.outlook(&ahead).unwrap()
}

#[test]
fn a_vague_idle_use_refuses_only_what_is_surely_too_much() {
    // Nobody knows the idle use. Student's quantile is 1.894, and the idle use moves the forecast by that many times
    // what is used times what is added.
    for (used, times, fits) in [
        // 1.1 less 0.19.
        (1.0, 1.1, Fits::No),
        // 0.875 less 0.33: perhaps, and these are few readings.
        (0.7, 1.25, Fits::Unsure),
        // 0.819 less 0.074: that is not vague.
        (0.78, 1.05, Fits::No),
        (0.5, 1.25, Fits::Yes),
    ] {
        let it = level(&untold().following(), used, times, 0.8);
        near(it.forecast, used * times, "forecast");
        assert_eq!(it.fits, fits, "{used} {times}: {it:?}");
    }
    // An idle use that is told is not vague, unless what is ahead is far.
    assert_eq!(level(&told(0.0), 0.4, 2.5, 0.8).fits, Fits::No);
    assert_eq!(level(&told(0.0), 0.4, 2.6, 0.8).fits, Fits::Warn);
    assert_eq!(level(&told(0.0), 0.3, 2.5, 0.8).fits, Fits::Yes);
}

#[test]
fn a_footprint_that_shows_no_slope_stays_as_it_is() {
    for (used, times, fits, follows) in [
        // Were it to follow, it would be 0.625; or 0.9375, which is worth a warning.
        (0.25, 2.5, Fits::Yes, None),
        (0.375, 2.5, Fits::Warn, Some(0.9375)),
        // It is too much already, whatever comes: refused, however far ahead.
        (0.875, 1.0, Fits::No, None),
        (0.875, 2.6, Fits::No, None),
    ] {
        let it = level(&untold(), used, times, 0.75);
        near(it.forecast, used, "forecast");
        near(it.upper, used, "upper");
        near(it.full, used, "full");
        // More pods are no remedy.
        assert_eq!((it.fits, it.pods), (fits, None), "{used} {times}: {it:?}");
        assert_eq!(
            it.if_it_follows.is_some(),
            follows.is_some(),
            "{used} {times}: {it:?}"
        );
        near(
            it.if_it_follows.unwrap_or(1.0),
            follows.unwrap_or(1.0),
            "if it follows",
        );
    }
    // What would just be allowed is no doubt.
    let just = level(&untold(), 0.375, 2.5, 0.75).if_it_follows.unwrap();
    let allowed = level(&untold(), 0.375, 2.5, just);
    assert_eq!((allowed.fits, allowed.if_it_follows), (Fits::Yes, None));
}

#[test]
fn a_slope_of_its_own_is_not_carried_far() {
    let it = seen(untold(), &[], &LARGER);
    let far = Ahead { next: 40.0, ..NEAR };
    assert_eq!(it.outlook(&far).unwrap().fits, Fits::Warn);
    // Pods as many as the weight grows by: it fits, but all at once would not.
    let scaled = Ahead { next_pods: 5, ..NEAR };
    assert_eq!(it.outlook(&scaled).unwrap().fits, Fits::Warn);
    let enough = Ahead {
        full_pods: 20,
        ..scaled
    };
    assert_eq!(it.outlook(&enough).unwrap().fits, Fits::Yes);
}

#[test]
fn use_is_known_to_follow_if_told_or_by_nature_or_by_its_neighbours() {
    let silent = untold();
    assert!(!silent.is_known_to_follow());
    assert!(told(0.0).is_known_to_follow() && silent.following().is_known_to_follow());
    assert!(seen(silent, &[NEIGHBOURS], &[]).is_known_to_follow());
    // An idle use that cannot be one is not told.
    for idle in [-0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(told(idle), silent, "{idle}");
    }
}

#[test]
fn an_idle_use_beyond_what_is_used_is_what_is_used() {
    let it = level(&told(0.5), 0.25, 2.0, 0.8);
    near(it.forecast, 0.25, "no request costs anything");
    let it = level(&told(0.125), 0.25, 2.0, 0.8);
    near(it.forecast, 0.375, "one eighth and twice as much again");
}

#[test]
fn a_reading_that_is_none_is_left_out() {
    let sound = seen(told(0.05), &[NEIGHBOURS], &STEPS);
    for (pace, used) in [
        (f64::NAN, 0.3),
        (f64::INFINITY, 0.3),
        (-1.0, 0.3),
        (10.0, f64::NAN),
        (10.0, f64::INFINITY),
        (10.0, f64::NEG_INFINITY),
    ] {
        let (mut odd, mut gap) = (sound, sound);
        odd.observe(Some(Load { pace, used }), Some(Load { pace, used }));
        gap.observe(None, None);
        assert_eq!(odd, gap, "{pace} {used}");
    }
}

#[test]
fn a_step_without_requests_is_no_forecast_though_the_one_before_had_some() {
    let idle = Run {
        wobble: 0.0,
        ..run(6, 0.0, (0.06, 0.021))
    };
    let it = seen(told(0.05), &[], &[STEPS[0], idle]);
    assert_eq!((it.readings(), it.outlook(&NEAR)), (6, None));
}

fn costs(it: &Saturation, [low, ratio, high]: [f64; 3], name: &str) {
    let cost = it.cost().unwrap_or_else(|| panic!("{name}: no cost"));
    near(cost.ratio, ratio, name);
    near(cost.low, low, name);
    near(cost.high, high, name);
}

#[test]
fn what_a_request_costs_has_an_interval() {
    let neighbours = [run(7, 11.0, (0.05, 0.02)), run(6, 9.0, (0.05, 0.02))];
    costs(
        &seen(told(0.05), &neighbours, &STEPS),
        [
            1.076_284_243_781_369_6,
            1.092_974_800_719_552_6,
            1.109_924_187_694_983,
        ],
        "an idle use that is told",
    );
    // Neighbours that are asked twice as much: an error of the idle use moves their slope by half.
    let busy = [run(7, 21.0, (0.05, 0.02)), run(6, 19.0, (0.05, 0.02))];
    costs(
        &seen(untold(), &busy, &STEPS),
        [
            1.024_982_393_717_686,
            1.061_359_344_616_531_5,
            1.099_027_325_063_599_1,
        ],
        "an idle use that is read off",
    );
    // One whose neighbours use less than a pod is told to without requests tells nothing.
    let lower = seen(told(0.2), &[run(7, 11.0, (0.05, 0.005))], &STEPS);
    assert_eq!(lower.cost(), None);
}

#[test]
fn a_cost_is_high_if_it_is_surely_more_and_by_more_than_a_quarter() {
    for (low, ratio, high) in [
        (1.1, 1.25, false),
        (1.0, 1.3, false),
        (0.9, 1.3, false),
        (1.01, 1.26, true),
    ] {
        let cost = Cost {
            low,
            ratio,
            high: 2.0,
        };
        assert_eq!(cost.is_high(), high, "{cost:?}");
    }
}

#[test]
fn students_quantiles_follow_from_the_normal_ones() {
    // Worked out by hand: z + (z³ + z) / 4v + (5 z⁵ + 16 z³ + 3 z) / 96 v².
    near(quantile(2.0, 1.0), 2.0 + 10.0 / 4.0 + 294.0 / 96.0, "two, one");
    near(
        quantile(2.0, 3.0),
        2.0 + 10.0 / 12.0 + 294.0 / 864.0,
        "two, three",
    );
    near(quantile(1.0, 2.0), 1.0 + 2.0 / 8.0 + 24.0 / 384.0, "one, two");
    near(quantile(2.0, 0.3), quantile(2.0, 1.0), "never less than one");
    // The distribution's own: 1.8125 for ten degrees of freedom, 1.6973 for thirty (scipy).
    for (freedom, want) in [(10.0, 1.8125), (30.0, 1.6973), (1e9, 1.645)] {
        assert!((quantile(QUANTILE, freedom) - want).abs() < 1e-3, "{freedom}");
    }
}

#[test]
fn limits_are_reached_only_beyond_them() {
    let ahead = Ahead { limit: 0.5, ..NEAR };
    for (upper, full, sure, fits) in [
        (0.5, 0.5, Sure::Yes, Fits::Yes),
        (0.6, 0.5, Sure::Yes, Fits::No),
        (0.6, 0.5, Sure::Soon, Fits::Unsure),
        (0.6, 0.5, Sure::No, Fits::Warn),
        (0.5, 0.6, Sure::Yes, Fits::Warn),
        (0.5, 0.6, Sure::Soon, Fits::Warn),
    ] {
        assert_eq!(ahead.fits(upper, full, sure), fits, "{upper} {full} {sure:?}");
    }
    // Just as far as a forecast reaches, and a little further.
    let times = |times: f64| Ahead {
        weight: 1.0,
        next: times,
        pods: 1,
        next_pods: 1,
        ..NEAR
    };
    assert!(!times(FAR * (1.0 + 1e-9)).is_far() && times(FAR * (1.0 + 1e-8)).is_far());
    // Twenty pods' worth beyond the idle use at a quarter of room each; one at least; none where there is no room.
    assert_eq!(ahead.pods_enough(0.25, 1.0), Some(20));
    assert_eq!(ahead.pods_enough(0.25, 0.0), Some(1));
    assert_eq!(ahead.pods_enough(0.5, 1.0), None);
    assert_eq!(ahead.pods_enough(0.6, 1.0), None);
}

//! What a record is made of, and when it means a leak: figures small enough to be reckoned in the head. Where a limit is
//! met exactly, all numbers are halves of halves, so that nothing is rounded.

#![allow(clippy::float_cmp)] // nothing is rounded where equality is meant

use super::super::*;

fn level(mean: f64) -> Level {
    Level::of([mean]).unwrap()
}

/// Readings of a candidate beside a baseline that uses a quarter, `seconds` apart.
fn record(seconds: f64, beyond: impl IntoIterator<Item = f64>) -> Leak {
    let mut leak = Leak::default();
    for beyond in beyond {
        leak.observe(level(0.25 + beyond), level(0.25), seconds);
    }
    leak
}

fn danger(leak: &Leak) -> Option<Danger> {
    leak.growth().map(|growth| growth.danger)
}

#[test]
fn a_level_is_the_mean_and_both_ends_of_what_pods_use() {
    let want = Level {
        pods: 4,
        mean: 0.375,
        least: 0.125,
        most: 0.75,
    };
    assert_eq!(Level::of([0.25, 0.75, 0.125, 0.375]), Some(want));
    assert_eq!(Level::of([0.5, f64::INFINITY]), None);
}

#[test]
fn a_reading_brings_its_difference_its_fullest_pod_and_what_the_baseline_does() {
    let mut leak = Leak::default();
    let baseline = |used: [f64; 4]| Level::of(used).unwrap();
    leak.observe(
        Level::of([0.5, 0.75]).unwrap(),
        baseline([0.25, 0.5, 0.25, 0.5]),
        15.0,
    );
    leak.observe(
        Level::of([0.5, 0.625]).unwrap(),
        baseline([0.125, 0.125, 0.125, 0.5]),
        15.0,
    );
    leak.observe(
        Level::of([0.5, 0.5]).unwrap(),
        baseline([0.25, 0.25, 0.25, 0.25]),
        15.0,
    );
    let values: Vec<f32> = leak.blocks[..3].iter().map(|block| block.value).collect();
    assert_eq!(values, [0.25, 0.34375, 0.25]);
    assert_eq!((leak.most, leak.range), (0.5, [0.21875, 0.375]));
    // The range of four pods to that of many is as 3 to 5; it was taken three times.
    let [sum, times] = leak.apart;
    assert!((sum - (0.25 + 0.375) * 5.0 / 3.0).abs() < 1e-12);
    assert_eq!(times, 3.0);
    // One pod has no range.
    leak.observe(level(0.5), level(0.5), 15.0);
    assert_eq!((leak.apart, leak.range), ([sum, 3.0], [0.21875, 0.5]));
}

#[test]
fn a_record_lasts_from_its_first_reading_whatever_the_clock_says() {
    let mut leak = Leak::default();
    let mut lasts = Vec::new();
    for seconds in [40.0, 15.0, -5.0, f64::NAN, f64::INFINITY, 10.0] {
        leak.observe(level(0.5), level(0.5), seconds);
        lasts.push(leak.seconds);
    }
    assert_eq!(lasts, [0.0, 15.0, 15.0, 15.0, 15.0, 25.0]);
}

#[test]
fn points_are_means_of_as_many_readings_each_and_twice_as_many_when_they_are_full() {
    let value = |reading: usize| (reading * reading % 97) as f64 / 128.0;
    let mean = |readings: &[usize], of: &dyn Fn(usize) -> f64| {
        readings.iter().map(|it| of(*it)).sum::<f64>() / readings.len() as f64
    };
    for (readings, width) in [
        (1, 1),
        (48, 1),
        (49, 2),
        (50, 2),
        (96, 2),
        (97, 4),
        (99, 4),
        (100, 4),
        (192, 4),
        (195, 8),
    ] {
        let leak = record(10.0, (0..readings).map(value));
        let all: Vec<usize> = (0..readings).collect();
        assert_eq!(usize::from(leak.width), width, "{readings}");
        assert_eq!(usize::from(leak.length), all.chunks(width).count(), "{readings}");
        for (block, part) in leak.blocks.iter().zip(all.chunks(width)) {
            let (t, value) = (mean(part, &|it| 10.0 * it as f64), mean(part, &value));
            assert!((f64::from(block.t) - t).abs() < 1e-3, "{readings}: {block:?} {t}");
            assert!(
                (f64::from(block.value) - value).abs() < 1e-6,
                "{readings}: {block:?} {value}"
            );
        }
        let unused = &leak.blocks[usize::from(leak.length)..];
        assert!(unused.iter().all(|it| *it == Block::default()), "{readings}");
    }
}

#[test]
fn a_new_record_keeps_only_how_far_the_baselines_pods_lie_apart() {
    let mut leak = Leak::default();
    leak.observe(level(0.75), Level::of([0.25, 0.375]).unwrap(), 15.0);
    leak.observe(level(0.75), Level::of([0.5, 0.625]).unwrap(), 15.0);
    leak.begin();
    let fresh = Leak {
        apart: [2.0 * 0.125 * 3.0, 2.0],
        ..Leak::default()
    };
    assert_eq!(leak, fresh);
}

#[test]
fn the_baseline_wanders_by_the_range_of_its_pods_or_of_its_mean_in_time() {
    let wander = |apart: [f64; 2], range: [f64; 2]| {
        Leak {
            range,
            apart,
            ..Leak::default()
        }
        .wander()
    };
    assert_eq!(wander([1.5, 6.0], [0.25, 0.375]), 0.25);
    assert_eq!(wander([1.5, 6.0], [0.25, 0.75]), 0.5);
    assert_eq!(wander([0.0, 0.0], [0.25, 0.375]), 0.125);
    assert_eq!(Leak::default().wander(), 0.0);
}

#[test]
fn a_leak_has_grown_beyond_a_quarter_more_than_the_baseline_wanders() {
    // In 320 s the candidate grows by 5/128, while the mean of the baseline is here and there: just 1.25 times 1/32.
    let beside = |range: f64| {
        let mut leak = Leak::default();
        for reading in 0..=40 {
            let baseline = 0.25 + if reading % 4 == 1 { range } else { 0.0 };
            leak.observe(
                level(baseline + f64::from(reading) / 1024.0),
                level(baseline),
                8.0,
            );
        }
        danger(&leak)
    };
    assert_eq!(beside(0.03125), Some(Danger::None));
    assert_eq!(beside(0.031), Some(Danger::Holds));
}

#[test]
fn a_leak_has_surely_a_slope_that_is_not_flat() {
    // Seven readings are so few that the surest slope is the least of all: here of each second pair.
    let stairs = |tread: f64| {
        let values = [1.0, 1.0 + tread, 3.0, 3.0 + tread, 5.0, 5.0 + tread, 7.0];
        danger(&record(60.0, values.map(|it| it / 64.0)))
    };
    assert_eq!(stairs(0.0), Some(Danger::None));
    assert_eq!(stairs(0.125), Some(Danger::Holds));
    // Too few for either half to have a trend.
    assert_eq!(danger(&record(100.0, (0..5).map(f64::from))), Some(Danger::None));
}

#[test]
fn a_pod_that_does_not_grow_never_reaches_its_limit() {
    let until = |beyond: [f64; 11]| record(30.0, beyond).growth().map(|it| (it.used, it.until));
    assert_eq!(until([0.75; 11]), Some((1.0, f64::INFINITY)));
    assert_eq!(until([0.5; 11]), Some((0.75, f64::INFINITY)));
    let line = |slope: f64| std::array::from_fn(|at| 0.25 + slope * at as f64);
    // From 0.8125 with 1/32 in half a minute it is six of them; beyond the limit it is none.
    assert_eq!(until(line(0.03125)), Some((0.8125, 180.0)));
    assert_eq!(until(line(0.0625)), Some((1.125, 0.0)));
    assert_eq!(until(line(-0.015_625)), Some((0.34375, f64::INFINITY)));
}

fn flat(slope: f64) -> Trend {
    ends(slope, slope)
}

fn ends(low: f64, high: f64) -> Trend {
    Trend {
        low,
        slope: f64::midpoint(low, high),
        high,
    }
}

/// A whole trend that is steep enough for any danger.
const STEEP: Trend = Trend {
    low: 1.0,
    slope: 1.0,
    high: 1.0,
};

fn of_halves(room: f64, early: Trend, late: Trend) -> Danger {
    let leak = Leak {
        seconds: 1024.0,
        ..Leak::default()
    };
    leak.danger(room, STEEP, STEEP, (early, late))
}

#[test]
fn a_leak_that_dies_away_is_as_dangerous_as_what_is_still_to_come_of_it() {
    // Of halves of 512 s the late one grows by 1/4 at 2^-11 a second. With half of that in each one after it: 1/4.
    let (early, late) = (0.5_f64.powi(10), 0.5_f64.powi(11));
    for (room, early, late, want) in [
        (0.25, early, late, Danger::None),
        (0.249, early, late, Danger::Fails),
        // Three quarters of it: 3/8 and three times that, 9/8.
        (1.125, early, 1.5 * late, Danger::None),
        (1.124, early, 1.5 * late, Danger::Fails),
        // As steep as before, steeper, or where before nothing grew: there is no end to it.
        (9.0, late, late, Danger::Fails),
        (9.0, late, early, Danger::Fails),
        (9.0, 0.0, late, Danger::Fails),
        (9.0, -early, late, Danger::Fails),
        // What has stopped brings nothing, however it was.
        (0.0, early, 0.0, Danger::None),
        (0.0, 0.0, 0.0, Danger::None),
        (0.0, -early, -late, Danger::None),
    ] {
        assert_eq!(
            of_halves(room, flat(early), flat(late)),
            want,
            "{room} {early} {late}"
        );
    }
}

#[test]
fn a_fail_needs_that_it_surely_lasts_and_a_hold_that_it_may() {
    let (slow, fast) = (0.5_f64.powi(11), 0.5_f64.powi(10));
    // The late half at its lower end against the early one at its upper end decides upon a fail: 1/4 is to come.
    let (early, late) = (ends(slow, fast), ends(slow, fast));
    assert_eq!(of_halves(0.249, early, late), Danger::Fails);
    assert_eq!(of_halves(0.25, early, late), Danger::Holds);
    // The other ends decide upon a hold.
    let (early, late) = (ends(fast, f64::INFINITY), ends(f64::NEG_INFINITY, slow));
    assert_eq!(of_halves(0.249, early, late), Danger::Holds);
    assert_eq!(of_halves(0.25, early, late), Danger::None);
}

#[test]
fn a_fail_is_for_half_an_hour_and_a_hold_for_four() {
    let leak = Leak {
        seconds: 1024.0,
        ..Leak::default()
    };
    let of = |room: f64, likely: Trend, sure: Trend| leak.danger(room, likely, sure, (STEEP, STEEP));
    // 2^-13 a second surely, for 1800 s.
    let sure = ends(0.5_f64.powi(13), 1.0);
    let room = 1800.0 / 8192.0;
    assert_eq!(of(0.999 * room, STEEP, sure), Danger::Fails);
    assert_eq!(of(room, STEEP, sure), Danger::Holds);
    // 2^-16 a second possibly, for 14,400 s, the same room; surely nothing.
    let (maybe, no) = (ends(0.0, 0.5_f64.powi(16)), flat(0.0));
    assert_eq!(of(0.999 * room, maybe, no), Danger::Holds);
    assert_eq!(of(room, maybe, no), Danger::None);
}

#[test]
fn only_a_whole_record_of_possible_counts_is_resumed() {
    let full = record(15.0, (0..48).map(|it| f64::from(it) / 64.0)).checkpoint();
    assert!(full.len() == 8 + 2 * BLOCKS && Leak::resume(&full).is_some());
    let changed = |change: &dyn Fn(&mut Vec<f64>)| {
        let mut numbers = full.clone();
        change(&mut numbers);
        Leak::resume(&numbers)
    };
    // Width and readings of the last point: whole, 1..=65535, and not more than go into it.
    for (width, filled, sound) in [
        (4.0, 4.0, true),
        (4.0, 3.0, true),
        (65535.0, 1.0, true),
        (4.0, 5.0, false),
        (4.0, 1.5, false),
        (1.5, 1.0, false),
        (0.0, 0.0, false),
        (4.0, 0.0, false),
        (65536.0, 1.0, false),
        (f64::NAN, 1.0, false),
    ] {
        let seen = changed(&|it| (it[0], it[1]) = (width, filled));
        assert_eq!(seen.is_some(), sound, "{width} {filled}");
    }
    assert_eq!(changed(&|it| it.truncate(7)), None);
    assert_eq!(changed(&|it| it.truncate(9)), None);
    assert_eq!(changed(&|it| it.extend([1.0, 1.0])), None);
    for at in 2..full.len() {
        assert_eq!(changed(&|it| it[at] = f64::INFINITY), None, "{at}");
    }
    // No points yet: the state of a record that has just begun.
    assert_eq!(Leak::resume(&Leak::default().checkpoint()), Some(Leak::default()));
}

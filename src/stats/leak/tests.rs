mod facts;

use super::*;
use crate::stats::random::Random;

#[derive(Clone, Copy, Debug)]
struct Service {
    pods: (usize, usize),
    level: f64,
    noise: f64,
    alike: f64,
    /// Garbage collection: height and period of a tooth, in shares and seconds.
    tooth: (f64, f64),
    /// Candidate: growth that dies away (height, seconds), and growth that does not (share an hour).
    fills: (f64, f64),
    leaks: f64,
    /// A step of the candidate's level, height and second.
    step: (f64, f64),
    /// A day's swing of both arms.
    swing: f64,
    /// How long it is looked at, and from when on somebody listens, in seconds.
    seconds: f64,
    silent: f64,
}

const STEADY: Service = Service {
    pods: (2, 6),
    level: 0.5,
    noise: 0.01,
    alike: 0.5,
    tooth: (0.0, 60.0),
    fills: (0.0, 1.0),
    leaks: 0.0,
    step: (0.0, 0.0),
    swing: 0.0,
    seconds: 1800.0,
    silent: 0.0,
};

/// The worst that was said of it, and when first.
fn play(it: &Service, seed: u64) -> (Danger, f64) {
    let mut random = Random::new(seed);
    let (mine, theirs) = it.pods;
    let mut noise: Vec<f64> = (0..mine + theirs).map(|_| it.noise * random.normal()).collect();
    let phase: Vec<f64> = (0..mine + theirs).map(|_| random.unit()).collect();
    let period: Vec<f64> = (0..mine + theirs)
        .map(|_| it.tooth.1 * (0.8 + 0.4 * random.unit()))
        .collect();
    let base: Vec<f64> = (0..mine + theirs)
        .map(|_| it.level + 0.01 * random.normal())
        .collect();
    let mut leak = Leak::default();
    let (mut worst, mut first) = (Danger::None, f64::NAN);
    let mut t = 30.0;
    while t < it.seconds {
        t += 15.0;
        let mut used = Vec::new();
        for pod in 0..mine + theirs {
            noise[pod] =
                it.alike * noise[pod] + (1.0 - it.alike * it.alike).sqrt() * it.noise * random.normal();
            let mut level =
                base[pod] + noise[pod] + it.tooth.0 * ((t / period[pod] + phase[pod]).fract() - 0.5);
            level += it.swing * (t / 7200.0 * std::f64::consts::TAU).sin();
            if pod < mine {
                level += it.fills.0 * (1.0 - (-t / it.fills.1).exp()) + it.leaks * t / 3600.0;
                level += if t > it.step.1 { it.step.0 } else { 0.0 };
            }
            used.push(level);
        }
        let (Some(a), Some(b)) = (Level::of(used[..mine].to_vec()), Level::of(used[mine..].to_vec())) else {
            continue;
        };
        leak.observe(a, b, 15.0);
        // Every second scrape is enough to look at.
        if t % 30.0 < 1.0
            && t >= it.silent
            && let Some(growth) = leak.growth()
            && growth.danger > worst
        {
            if worst == Danger::None {
                first = t;
            }
            worst = growth.danger;
            if worst == Danger::Fails {
                first = t;
                break;
            }
        }
    }
    (worst, first)
}

/// Of so many per cent of 100 releases the worst that is said: nothing, hold, fail; and the median second when.
fn shares(it: &Service) -> ([u32; 3], f64) {
    let mut counts = [0; 3];
    let mut when = Vec::new();
    for seed in 0..100 {
        let (danger, first) = play(it, seed);
        counts[danger as usize] += 1;
        when.push(if first.is_nan() { f64::INFINITY } else { first });
    }
    when.sort_by(f64::total_cmp);
    (counts, when[50])
}

fn with(change: impl Fn(&mut Service)) -> Service {
    let mut it = STEADY;
    change(&mut it);
    it
}

#[test]
fn what_does_not_leak_is_not_held() {
    let healthy = [
        ("steady", STEADY),
        ("slow noise", with(|it| it.alike = 0.95)),
        ("loud noise", with(|it| it.noise = 0.05)),
        ("one pod each", with(|it| (it.noise, it.pods) = (0.05, (1, 1)))),
        ("nearly full", with(|it| (it.noise, it.level) = (0.03, 0.8))),
        ("teeth of a minute", with(|it| it.tooth = (0.2, 60.0))),
        ("teeth of ten minutes", with(|it| it.tooth = (0.2, 600.0))),
        ("teeth of half an hour", with(|it| it.tooth = (0.2, 1800.0))),
        (
            "a single pod's teeth",
            with(|it| (it.tooth, it.pods) = ((0.3, 600.0), (1, 4))),
        ),
        (
            "a cache that fills in a minute",
            with(|it| it.fills = (0.2, 60.0)),
        ),
        ("a step after warm-up", with(|it| it.step = (0.2, 100.0))),
        ("a step in the middle", with(|it| it.step = (0.2, 600.0))),
        ("a swing that both have", with(|it| it.swing = 0.2)),
        ("a leak of ten hours", with(|it| it.leaks = 0.05)),
    ];
    for (name, it) in healthy {
        let ([none, holds, fails], _) = shares(&it);
        assert!(none >= 98 && fails == 0, "{name}: {none} {holds} {fails}");
    }
}

#[test]
fn a_cache_that_fills_for_minutes_may_hold_for_a_while_and_never_fails() {
    for (height, seconds) in [(0.2, 300.0), (0.2, 900.0), (0.3, 600.0), (0.4, 300.0)] {
        let ([_, _, fails], _) = shares(&with(|it| it.fills = (height, seconds)));
        assert_eq!(fails, 0, "{height} in {seconds} s");
    }
    // Once it is full, it no longer holds.
    let late = with(|it| (it.fills, it.seconds, it.silent) = ((0.2, 300.0), 7200.0, 5400.0));
    assert!(shares(&late).0[0] >= 98);
}

#[test]
fn a_leak_of_hours_holds_and_one_of_minutes_fails() {
    for leaks in [0.2, 0.5] {
        let (counts, when) = shares(&with(|it| it.leaks = leaks));
        assert!(counts[0] <= 3 && when < 1500.0, "{leaks}: {counts:?} {when}");
    }
    for (leaks, tooth, latest) in [
        (1.0, 0.0, 1200.0),
        (1.5, 0.0, 800.0),
        (1.5, 0.1, 1000.0),
        (3.0, 0.0, 500.0),
    ] {
        let it = with(|it| (it.leaks, it.tooth) = (leaks, (tooth, 120.0)));
        let (counts, when) = shares(&it);
        assert!(counts[2] >= 99 && when <= latest, "{leaks}: {counts:?} {when}");
    }
}

#[test]
fn the_numbers_are_those_of_the_line() {
    let mut leak = Leak::default();
    let level = |mean: f64| Level::of([mean, mean]).unwrap();
    for tick in 0..=40 {
        assert_eq!(leak.growth().is_some(), tick > 20, "{tick}");
        leak.observe(level(0.4 + 0.001 * f64::from(tick)), level(0.4), 15.0);
    }
    let growth = leak.growth().unwrap();
    assert!((growth.hourly - 0.24).abs() < 1e-4, "{growth:?}");
    assert!((growth.used - 0.44).abs() < 1e-9);
    assert!((growth.until - 0.56 / 0.24 * 3600.0).abs() < 10.0, "{growth:?}");
    assert_eq!(growth.danger, Danger::Holds);
    leak.begin();
    assert_eq!(leak.growth(), None);
    assert_eq!(Level::of([]), None);
    assert_eq!(Level::of([0.1, f64::NAN]), None);
}

#[test]
fn the_range_of_a_few_pods_stands_for_that_of_many() {
    let mut leak = Leak::default();
    let baseline = Level::of([0.3, 0.4, 0.5]).unwrap();
    for _ in 0..3 {
        leak.observe(Level::of([0.4]).unwrap(), baseline, 15.0);
    }
    // Three pods show half of it.
    assert!((leak.wander() - 0.4).abs() < 1e-9, "{}", leak.wander());
}

#[test]
fn a_record_of_any_length_takes_the_same_room() {
    assert!(size_of::<Leak>() <= 1024, "{}", size_of::<Leak>());
    let mut leak = Leak::default();
    let level = |mean: f64| Level::of([mean]).unwrap();
    for tick in 0..20_000 {
        leak.observe(level(0.4 + 1e-5 * f64::from(tick)), level(0.4), 15.0);
    }
    let growth = leak.growth().unwrap();
    assert!((growth.hourly - 0.0024).abs() < 1e-5, "{growth:?}");
    assert!(leak.checkpoint().len() * 8 <= 1024);
}

#[test]
fn a_restart_changes_nothing() {
    for readings in [0, 1, 47, 48, 49, 63, 150] {
        let (mut one, level) = (Leak::default(), |mean: f64| {
            Level::of([mean, mean + 0.01]).unwrap()
        });
        let mut random = Random::new(3);
        for _ in 0..readings {
            one.observe(level(0.5 + 0.1 * random.unit()), level(0.5), 15.0);
        }
        let kept = one.checkpoint();
        let mut two = Leak::resume(&kept).unwrap();
        for leak in [&mut one, &mut two] {
            leak.observe(level(0.6), level(0.5), 15.0);
        }
        assert_eq!(one, two, "{readings}");
        assert_eq!(Leak::resume(&kept[1..]), None);
        let mut odd = kept.clone();
        odd[1] = 0.5;
        assert_eq!(Leak::resume(&odd), None);
    }
    assert_eq!(Leak::resume(&[]), None);
}

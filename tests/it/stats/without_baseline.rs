//! A candidate without a baseline: bounds by simulation, how soon it is found out, what it must not do.

use serin::stats::random::Random;
use serin::stats::without_baseline::ALONE;
use serin::stats::{Against, Alone, Background, Bursts, Counts, Evidence, Settings, Tick, Verdict};

const PAST: f64 = 0.001;

fn past() -> Background {
    Background::new(Some(PAST), 1.0, 1, 0.0)
        .with_tick_seconds(15.0)
        .with_bursts(Bursts::None)
}

/// Scrapes of 15 s at 50 requests a second until a fail; `None` if it never comes within `ticks`.
fn fails(random: &mut Random, past: Background, ticks: u32, rate: impl Fn(u32) -> f64) -> Option<u32> {
    let mut alone = Alone::new(&Settings::default(), past).unwrap();
    (1..=ticks).find(|t| {
        alone.observe(Counts::new(750, random.binomial(750, rate(*t))), 15.0, false);
        alone.verdict() == Verdict::Fail
    })
}

#[test]
fn on_the_line_it_is_rarely_failed_however_often_one_looks() {
    let mut random = Random::new(1);
    let limit = ALONE.rate(PAST);
    let failed = (0..2_000)
        .filter(|_| fails(&mut random, past(), 240, |_| limit).is_some())
        .count();
    assert!(failed <= 20 + 3 * 5, "{failed} of 2000");
    // Without what is set aside the bound is not far: the test could see a breach.
    assert!(
        Alone::new(&Settings::default(), past())
            .unwrap()
            .evidence()
            .evidence
            < -3.0
    );
}

#[test]
fn what_is_far_worse_than_the_past_is_found_soon_and_never_in_one_scrape() {
    let mut random = Random::new(2);
    for (rate, most) in [(0.3, 4), (0.05, 8), (0.02, 40)] {
        for _ in 0..50 {
            let at = fails(&mut random, past(), 240, |_| rate).unwrap();
            assert!(at > 1 && at <= most, "{rate}: scrape {at}");
        }
    }
    // A leak that begins after half an hour of health.
    let leak = |t: u32| if t < 120 { PAST } else { PAST * f64::from(t - 118) };
    assert!(fails(&mut random, past(), 240, leak).is_some_and(|at| (122..150).contains(&at)));
}

#[test]
fn bursts_that_the_past_knows_do_not_fail_it() {
    let mut random = Random::new(3);
    let known = Background::new(Some(PAST), 2.5, 4, 0.0).with_tick_seconds(15.0);
    let bursts = |t: u32| if t % 40 < 4 { 0.05 } else { PAST };
    let failed = (0..200)
        .filter(|_| fails(&mut random, known, 240, bursts).is_some())
        .count();
    assert!(failed <= 4, "{failed} of 200");
}

#[test]
fn one_scrape_is_not_enough_and_silence_says_nothing() {
    let mut alone = Alone::new(&Settings::default(), past()).unwrap();
    for t in 0..200 {
        let bad = if t == 7 { 750 } else { 0 };
        alone.observe(Counts::new(750, bad), 15.0, false);
        assert_eq!(alone.verdict(), Verdict::Continue, "at {t}");
    }
    let before = alone.evidence();
    for _ in 0..100 {
        alone.observe(Counts::default(), 15.0, false);
        alone.observe(Counts::default(), f64::NAN, false);
    }
    assert!((alone.evidence().evidence - before.evidence).abs() < 1e-9);
}

#[test]
fn a_verdict_is_final_and_an_unknown_past_gives_none() {
    let mut alone = Alone::new(&Settings::default(), past()).unwrap();
    assert!((alone.limit() - 0.008).abs() < 1e-12);
    for _ in 0..10 {
        alone.observe(Counts::new(750, 400), 15.0, false);
    }
    let failed = alone.clone();
    assert_eq!(alone.verdict(), Verdict::Fail);
    alone.observe(Counts::new(750, 0), 15.0, false);
    assert_eq!(alone, failed);
    assert_eq!(Alone::new(&Settings::default(), Background::default()), None);
    let broken = Background::new(Some(0.4), 1.0, 1, 0.0);
    assert_eq!(Alone::new(&Settings::default(), broken), None);
}

#[test]
fn clumps_count_for_less() {
    let of = |dispersion: f64| {
        let known = Background::new(Some(PAST), dispersion, 1, 0.0);
        let mut alone = Alone::new(&Settings::default(), known).unwrap();
        for _ in 0..3 {
            alone.observe(Counts::new(750, 12), 15.0, false);
        }
        alone.evidence().evidence
    };
    assert!(of(1.0) > of(2.0) && of(2.0) > of(4.0));
}

#[test]
fn while_it_warms_up_a_little_more_is_let_through() {
    let of = |warming: bool| {
        let mut alone = Alone::new(&Settings::default(), past()).unwrap();
        for _ in 0..3 {
            alone.observe(Counts::new(750, 12), 15.0, warming);
        }
        alone.evidence().evidence
    };
    assert!(of(true) < of(false) - 1.0, "{} {}", of(true), of(false));
}

/// A release at half of the traffic, so many scrapes of 15 s with these failures in either arm.
fn compared(past: Background, ticks: u32, mut bad: impl FnMut() -> (u64, u64)) -> Evidence {
    let mut evidence = Evidence::new(Settings::default()).with_background(past);
    evidence.begin_step(50.0, 100.0, true);
    for _ in 0..ticks {
        let (candidate, baseline) = bad();
        evidence.observe(Tick::new(
            Counts::new(400, candidate),
            Counts::new(400, baseline),
            15.0,
        ));
    }
    evidence
}

fn all_traffic(bad: u64) -> Tick {
    Tick::new(Counts::new(800, bad), Counts::default(), 15.0)
}

#[test]
fn it_bets_what_the_comparison_has_left() {
    let unknown = Background::default();
    for bad in [(0, 0), (1, 1), (2, 1)] {
        let mut evidence = compared(unknown, 60, || bad);
        let before = evidence.assessment().fail.evidence;
        evidence.begin_alone();
        let after = evidence.assessment().fail.evidence;
        assert!((after - before).abs() < 1e-9, "{bad:?}: {before} and {after}");
    }
}

#[test]
fn a_burst_that_was_set_aside_stays_so_when_the_baseline_goes() {
    let unknown = Background::default();
    for burst in [8, 20, 200] {
        let mut scrape = 0;
        let mut evidence = compared(unknown, 60, || {
            scrape += 1;
            (if (20..22).contains(&scrape) { burst } else { 0 }, 0)
        });
        let before = evidence.assessment().fail.evidence;
        evidence.begin_alone();
        let after = evidence.assessment().fail.evidence;
        assert!((after - before).abs() < 1e-5, "{burst}: {before} and {after}");
        evidence.observe(all_traffic(0));
        assert_eq!(evidence.verdict(), Verdict::Continue, "{burst}");
    }
}

#[test]
fn both_together_keep_the_bound_on_false_rollbacks() {
    use std::cell::RefCell;
    let random = RefCell::new(Random::new(4));
    let draw = |n: u64, rate: f64| random.borrow_mut().binomial(n, rate);
    let mut failed = 0;
    for _ in 0..500 {
        // On the line of the comparison first, then on that of the past.
        let mut evidence = compared(past(), 40, || (draw(400, PAST * 1.05 + 5e-5), draw(400, PAST)));
        evidence.begin_alone();
        let Against::Past { limit, .. } = evidence.assessment().against else {
            panic!("not alone")
        };
        for _ in 0..120 {
            evidence.observe(all_traffic(draw(800, limit)));
        }
        failed += u32::from(evidence.verdict() == Verdict::Fail);
    }
    assert!(failed <= 5 + 3 * 3, "{failed} of 500");
}

#[test]
fn the_past_is_the_history_or_the_release_s_own_baseline_where_that_was_worse() {
    let usual = |past: Background, ticks: u32, bad: u64| {
        let mut evidence = compared(past, ticks, || (bad, bad));
        evidence.begin_alone();
        match evidence.assessment().against {
            Against::Past { usual, limit } => {
                assert!((limit - ALONE.rate(usual)).abs() < 1e-12);
                Some(usual)
            }
            Against::Beside => panic!("something runs beside it"),
            Against::Nothing => None,
        }
    };
    let near = |found: Option<f64>, wanted: f64| {
        let found = found.unwrap();
        assert!(
            (found - wanted).abs() < wanted / 20.0,
            "{found} is not near {wanted}"
        );
    };
    // A calm hour, and a baseline that was as it, or spotless, or ten times worse.
    near(usual(past(), 40, 0), PAST);
    near(usual(past(), 2_000, 4), 0.01);
    // A history too short to rely on, or none: what the release has seen, at its worse end.
    let short = Background::new(Some(0.0001), 1.0, 1, 0.0);
    near(usual(short, 1, 0), 1.0 / 400.0);
    near(usual(Background::default(), 2_000, 4), 0.01);
    near(usual(Background::default(), 1, 0), 1.0 / 400.0);
    near(usual(short, 0, 0), 0.0001);
    assert_eq!(usual(Background::default(), 0, 0), None);
}

#[test]
fn a_step_without_a_baseline_can_only_fail() {
    let mut good = compared(past(), 40, || (0, 0));
    assert_eq!(good.verdict(), Verdict::Pass);
    good.begin_alone();
    for _ in 0..200 {
        good.observe(all_traffic(1));
        assert_eq!(good.verdict(), Verdict::Continue);
    }
    // Begun anew, after lost pods for example, it keeps what speaks against it.
    let mut bad = good.clone();
    for _ in 0..4 {
        bad.observe(all_traffic(16));
    }
    let before = bad.assessment().fail.evidence;
    assert!(before > good.assessment().fail.evidence && bad.verdict() == Verdict::Continue);
    bad.begin_alone();
    assert!((bad.assessment().fail.evidence - before).abs() < 1e-9);
    for _ in 0..20 {
        bad.observe(all_traffic(40));
    }
    assert_eq!(bad.verdict(), Verdict::Fail);
    let last = bad.clone();
    bad.observe(all_traffic(0));
    assert_eq!(bad, last);
    // Without any past there is no evidence, however bad it is.
    let mut unknown = Evidence::new(Settings::default());
    unknown.begin_alone();
    for _ in 0..50 {
        unknown.observe(all_traffic(400));
    }
    assert_eq!(unknown.verdict(), Verdict::Continue);
    assert_eq!(unknown.assessment().against, Against::Nothing);
}

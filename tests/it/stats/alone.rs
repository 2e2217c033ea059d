//! A candidate without a baseline: bounds by simulation, how soon it is found out, what it must not do.

use serin::stats::alone::ALONE;
use serin::stats::random::Random;
use serin::stats::{Alone, Background, Counts, Settings, Verdict};

const PAST: f64 = 0.001;

fn past() -> Background {
    Background::new(Some(PAST), 1.0, 1, 0.0)
        .with_tick_seconds(15.0)
        .with_calm(true)
}

/// Scrapes of 15 s at 50 requests a second until a fail; `None` if it never comes within `ticks`.
fn fails(random: &mut Random, past: Background, ticks: u32, rate: impl Fn(u32) -> f64) -> Option<u32> {
    let mut alone = Alone::new(&Settings::default(), past).unwrap();
    (1..=ticks).find(|t| {
        alone.observe(Counts::new(750, random.binomial(750, rate(*t))), 15.0);
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
        alone.observe(Counts::new(750, bad), 15.0);
        assert_eq!(alone.verdict(), Verdict::Continue, "at {t}");
    }
    let before = alone.evidence();
    for _ in 0..100 {
        alone.observe(Counts::default(), 15.0);
        alone.observe(Counts::default(), f64::NAN);
    }
    assert!((alone.evidence().evidence - before.evidence).abs() < 1e-9);
}

#[test]
fn a_verdict_is_final_and_an_unknown_past_gives_none() {
    let mut alone = Alone::new(&Settings::default(), past()).unwrap();
    assert!((alone.limit() - 0.008).abs() < 1e-12);
    for _ in 0..10 {
        alone.observe(Counts::new(750, 400), 15.0);
    }
    let failed = alone.clone();
    assert_eq!(alone.verdict(), Verdict::Fail);
    alone.observe(Counts::new(750, 0), 15.0);
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
            alone.observe(Counts::new(750, 12), 15.0);
        }
        alone.evidence().evidence
    };
    assert!(of(1.0) > of(2.0) && of(2.0) > of(4.0));
}

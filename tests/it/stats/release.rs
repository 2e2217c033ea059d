//! Laws of a release's evidence as a whole: what it must not depend on, and bounds where it keeps something back.

use proptest::prelude::*;
use serin::stats::random::Random;
use serin::stats::{Amiss, Background, Bursts, Counts, Evidence, Margin, Settings, Tick, Verdict};

fn calm(rate: f64) -> Background {
    Background::new(Some(rate), 1.0, 1, 0.0)
        .with_tick_seconds(15.0)
        .with_bursts(Bursts::None)
}

fn restless(rate: f64, burst_ticks: usize) -> Background {
    Background::new(Some(rate), 1.0, burst_ticks, 0.0)
        .with_tick_seconds(15.0)
        .with_bursts(Bursts::Seen)
}

/// A past too short to tell of bursts.
fn short(rate: f64) -> Background {
    Background::new(Some(rate), 1.0, 1, 0.0).with_tick_seconds(15.0)
}

fn settings(alpha: f64) -> Settings {
    Settings::new(Margin::new(1.05, 5e-5), Margin::new(1.5, 1e-3), alpha, 0.05)
        .unwrap()
        .with_warmup(0.0)
        .unwrap()
}

fn tick(random: &mut Random, n: (u64, u64), rates: (f64, f64)) -> Tick {
    Tick::new(
        Counts::new(n.0, random.binomial(n.0, rates.0)),
        Counts::new(n.1, random.binomial(n.1, rates.1)),
        15.0,
    )
}

/// Crossings among `runs`, at most the nominal share and three standard deviations.
fn at_most(crossings: usize, runs: usize, nominal: f64) {
    let n = runs as f64;
    let bound = n * nominal + 3.0 * (n * nominal * (1.0 - nominal)).sqrt();
    assert!(
        (crossings as f64) <= bound,
        "{crossings} of {runs}, bound {bound}"
    );
}

#[test]
fn failures_that_count_late_keep_the_bound() {
    // Nine of ten requests go to the candidate and its past knows no failures: most ticks lie beyond the limit, so
    // the candidate's failures are cut and come back in every run of three.
    let margin = Margin::new(1.05, 5e-5);
    let mut random = Random::new(1);
    let mut withheld = 0;
    let failed = (0..4_000).filter(|_| {
        let mut evidence = Evidence::new(settings(0.05)).with_background(calm(1e-6));
        for _ in 0..60 {
            let before = evidence.assessment().fail.evidence;
            evidence.observe(tick(&mut random, (180, 20), (margin.rate(0.05), 0.05)));
            withheld += usize::from(evidence.assessment().fail.evidence > before + 2.0);
        }
        evidence.verdict() == Verdict::Fail
    });
    at_most(failed.count(), 4_000, 0.05);
    assert!(withheld > 10, "{withheld}");
}

/// How many of `runs` equal arms are failed when one stretch of the candidate's ticks is arbitrarily bad.
fn corrupted(past: Background, stretch: usize, runs: usize) -> usize {
    let mut random = Random::new(2);
    (0..runs)
        .filter(|_| {
            let mut evidence = Evidence::new(settings(0.05)).with_background(past);
            evidence.begin_step(50.0, 75.0, false);
            let from = random.below(80);
            (0..100).any(|t| {
                let mut tick = tick(&mut random, (400, 400), (0.0105 + 5e-5, 0.01));
                if (from..from + stretch).contains(&t) {
                    tick.candidate = Counts::new(400, 400);
                }
                evidence.observe(tick);
                evidence.verdict() == Verdict::Fail
            })
        })
        .count()
}

#[test]
fn one_burst_as_long_as_known_changes_no_verdict() {
    at_most(corrupted(restless(0.01, 1), 1, 1_000), 1_000, 0.05);
    at_most(corrupted(restless(0.01, 4), 4, 1_000), 1_000, 0.05);
    at_most(corrupted(Background::default(), 1, 1_000), 1_000, 0.05);
    at_most(corrupted(short(0.01), 1, 1_000), 1_000, 0.05);
    // In a calm past a burst may add two nats: e² times the bound, but not more.
    at_most(corrupted(calm(0.01), 1, 1_000), 1_000, 0.05 * 2.0_f64.exp());
    // A longer one than any known is no burst any more: the test could see a breach.
    assert!(corrupted(restless(0.01, 1), 4, 100) > 90);
}

#[test]
fn equal_arms_are_practically_never_failed() {
    for (seed, rate, past) in [
        (3, 0.001, calm(0.001)),
        (4, 0.01, calm(0.01)),
        (5, 0.01, Background::default()),
    ] {
        let mut random = Random::new(seed);
        let failed = (0..1_500).filter(|_| {
            let mut evidence = Evidence::new(Settings::default()).with_background(past);
            evidence.begin_step(10.0, 25.0, false);
            (0..80).any(|_| {
                evidence.observe(tick(&mut random, (75, 675), (rate, rate)));
                evidence.verdict() == Verdict::Fail
            })
        });
        assert_eq!(failed.count(), 0, "{rate}");
    }
}

/// Ticks until a fail.
fn until_fail(mut evidence: Evidence, mut ticks: impl FnMut(u32) -> Tick) -> u32 {
    (1..=2_000)
        .find(|t| {
            evidence.observe(ticks(*t));
            evidence.verdict() == Verdict::Fail
        })
        .unwrap_or(9_999)
}

#[test]
fn a_calm_past_shortens_the_way_to_a_verdict() {
    let mean = |past: Background| {
        let mut random = Random::new(6);
        let all = (0..200).map(|_| {
            let mut evidence = Evidence::new(Settings::default()).with_background(past);
            evidence.begin_step(10.0, 25.0, false);
            f64::from(until_fail(evidence, |_| {
                tick(&mut random, (75, 675), (0.03, 0.01))
            }))
        });
        all.sum::<f64>() / 200.0
    };
    let (known, restless, lower) = (mean(calm(0.01)), mean(restless(0.01, 1)), mean(calm(0.05)));
    assert!(known < 0.96 * restless, "{known} {restless}");
    // A past that was worse than today makes it slower, within limits; it never makes it blind.
    assert!(lower > 1.1 * known && lower < 1.6 * known, "{lower} {known}");
}

#[test]
fn trouble_that_outlasts_a_burst_counts_from_its_start() {
    let at = |past: Background| {
        let mut evidence = Evidence::new(settings(0.01)).with_background(past);
        evidence.begin_step(50.0, 75.0, false);
        for _ in 0..40 {
            evidence.observe(Tick::new(Counts::new(375, 0), Counts::new(375, 0), 15.0));
        }
        until_fail(evidence, |_| {
            Tick::new(Counts::new(375, 37), Counts::new(375, 0), 15.0)
        })
    };
    assert_eq!(at(calm(0.001)), 3);
    assert_eq!(at(Background::default()), 3);
    assert_eq!(at(short(0.001)), 3);
    // Where bursts are known they may follow each other: nothing counts late, and failures count in full only once the
    // trouble lasts.
    assert_eq!(at(restless(0.001, 1)), 3);
    assert_eq!(at(restless(0.001, 4)), 7);
}

/// Scrapes of a second, 10 % of 400 requests a second on the candidate, an unknown past: how many scrapes with errors
/// it takes, in nine of ten and in 99 of 100 releases.
fn seconds_to_convict(past: Background, error_rate: f64, healthy: u32) -> (u32, u32) {
    let mut random = Random::new(8);
    let mut all: Vec<u32> = (0..200)
        .map(|_| {
            let settings = Settings::default().with_warmup(1.0).unwrap();
            let mut evidence = Evidence::new(settings).with_background(past);
            evidence.begin_step(10.0, 25.0, false);
            let mut second = |rate: f64| {
                let (c, b) = (random.poisson(40.0), random.poisson(360.0));
                Tick::new(
                    Counts::new(c, random.binomial(c, rate)),
                    Counts::new(b, random.binomial(b, 0.001)),
                    1.0,
                )
            };
            (0..healthy).for_each(|_| evidence.observe(second(0.001)));
            until_fail(evidence, |_| second(error_rate))
        })
        .collect();
    all.sort_unstable();
    (all[180], all[198])
}

#[test]
fn who_scrapes_every_second_gets_a_verdict_in_three_or_four() {
    for past in [Background::default(), short(0.0), short(0.001)] {
        for healthy in [0, 20] {
            let (most, all) = seconds_to_convict(past, 0.2, healthy);
            assert!(most <= 4 && all <= 5, "20 %, {healthy}: {most} {all}");
            let (most, all) = seconds_to_convict(past, 0.5, healthy);
            assert!(most <= 3 && all <= 4, "50 %, {healthy}: {most} {all}");
        }
    }
}

#[test]
fn an_outage_is_told_without_a_past_and_proves_nothing() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    let mut random = Random::new(7);
    for t in 0..40 {
        let outage = (8..28).contains(&t);
        let rate = if outage { 0.2 } else { 0.001 };
        let before = evidence.assessment().release.evidence;
        evidence.observe(tick(&mut random, (150, 1_350), (rate, rate)));
        let now = evidence.assessment();
        assert_eq!(now.amiss == Some(Amiss::SharedFault), outage, "tick {t}");
        assert!(!outage || now.release.evidence <= before + 1e-9);
    }
}

#[test]
fn clumps_are_learned_where_no_past_is_known() {
    let fails = |seed: u64| {
        let mut random = Random::new(seed);
        let mut evidence = Evidence::new(Settings::default());
        evidence.begin_step(50.0, 75.0, false);
        let mut arm = || {
            let causes = random.poisson(1.0);
            Counts::new(1_000, (0..causes).map(|_| 1 + random.geometric(5.0)).sum())
        };
        for _ in 0..60 {
            evidence.observe(Tick::new(arm(), arm(), 15.0));
        }
        evidence.verdict() == Verdict::Fail
    };
    let failed = (0..200).filter(|seed| fails(*seed)).count();
    assert!(failed <= 12, "{failed} of 200");
}

/// Everything of two releases that decides.
fn same_evidence(a: &Evidence, b: &Evidence) -> bool {
    let (a, b) = (a.assessment(), b.assessment());
    let near = |x: f64, y: f64| (x - y).abs() <= 1e-9 * x.abs().max(1.0);
    a.verdict == b.verdict
        && near(a.fail.evidence, b.fail.evidence)
        && near(a.step.evidence, b.step.evidence)
        && near(a.release.evidence, b.release.evidence)
        && (a.in_release, a.in_step) == (b.in_release, b.in_step)
}

fn arms() -> impl Strategy<Value = ((u64, u64), (u64, u64))> {
    ((1_u64..400, 0_u64..6), (1_u64..4_000, 0_u64..20))
}

proptest! {
    #[test]
    fn bursts_make_fine_scrapes_as_good_as_coarse_ones(
        thirds in prop::collection::vec(prop::collection::vec(arms(), 3), 1..40),
    ) {
        // Where bursts are known, three scrapes of 5 s say exactly what one of 15 s says.
        let mut fine = Evidence::new(settings(0.01)).with_background(restless(0.002, 4));
        let mut coarse = fine.clone();
        for third in thirds {
            let mut sum = Tick::new(Counts::default(), Counts::default(), 15.0);
            for (c, b) in third {
                let tick = Tick::new(Counts::new(c.0, c.1), Counts::new(b.0, b.1), 5.0);
                fine.observe(tick);
                sum.candidate = sum.candidate.plus(tick.candidate);
                sum.baseline = sum.baseline.plus(tick.baseline);
            }
            coarse.observe(sum);
            prop_assert!(same_evidence(&fine, &coarse), "{:?} {:?}", fine.assessment(), coarse.assessment());
        }
    }

    #[test]
    fn one_more_failure_of_the_candidate_never_speaks_for_it(
        ticks in prop::collection::vec(arms(), 1..40), which in 0_usize..3,
    ) {
        let past = [calm(0.002), restless(0.002, 2), Background::default()][which];
        let mut better = Evidence::new(settings(1e-9)).with_background(past);
        for (c, b) in &ticks[..ticks.len() - 1] {
            better.observe(Tick::new(Counts::new(c.0, c.1), Counts::new(b.0, b.1), 15.0));
        }
        let mut worse = better.clone();
        let (c, b) = ticks[ticks.len() - 1];
        better.observe(Tick::new(Counts::new(c.0 + 1, c.1), Counts::new(b.0, b.1), 15.0));
        worse.observe(Tick::new(Counts::new(c.0 + 1, c.1 + 1), Counts::new(b.0, b.1), 15.0));
        let (better, worse) = (better.assessment(), worse.assessment());
        // What is set aside is kept in single precision: at some ten nats that is good for a millionth.
        prop_assert!(worse.fail.evidence >= better.fail.evidence - 1e-5, "{better:?} {worse:?}");
    }

    #[test]
    fn a_burst_within_its_length_never_convicts(
        at in 0_usize..30, share in 0.0_f64..=1.0, step in 1_u64..400, which in 0_usize..4,
    ) {
        // However the failures of one burst are spread over what it touches.
        let pasts = [(calm(0.001), 1), (Background::default(), 1), (short(0.001), 1), (restless(0.001, 4), 4)];
        let (past, length) = pasts[which];
        let mut evidence = Evidence::new(Settings::default()).with_background(past);
        evidence.begin_step(10.0, 25.0, false);
        let first = (share * 75.0) as u64;
        for t in 0..40_usize {
            let bad = match t.checked_sub(at) {
                Some(0) => first,
                Some(d) if d < length => (step * d as u64) % 76,
                // One as long as a scrape touches two where it is not known to start with one.
                Some(1) if length == 1 => 75 - first,
                _ => u64::from(t % 13 == 0),
            };
            evidence.observe(Tick::new(Counts::new(75, bad), Counts::new(675, u64::from(t % 2 == 0)), 15.0));
            prop_assert!(evidence.verdict() != Verdict::Fail, "tick {t}, burst at {at}");
        }
    }
}

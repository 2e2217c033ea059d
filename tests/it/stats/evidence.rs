//! A release's evidence as a whole: error bounds by simulation, restarts, odd input.

use proptest::prelude::*;
use serin::stats::evidence::step_multiplier;
use serin::stats::{
    Amiss, Background, Bursts, Checkpoint, Counts, Evidence, Margin, Settings, Tick, Verdict,
};

/// A small seeded generator; `stats` has no randomness of its own to lean on.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Failures among `n` requests of rate `p`, by skipping from failure to failure.
    fn failures(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 {
            return 0;
        }
        let (mut at, mut bad) = (0.0, 0);
        loop {
            at += ((1.0 - self.unit()).ln() / (-p).ln_1p()).floor() + 1.0;
            if at > n as f64 {
                return bad;
            }
            bad += 1;
        }
    }

    fn tick(&mut self, requests: (u64, u64), rates: (f64, f64)) -> Tick {
        Tick::new(
            Counts::new(requests.0, self.failures(requests.0, rates.0)),
            Counts::new(requests.1, self.failures(requests.1, rates.1)),
            15.0,
        )
    }
}

/// Crossings among `runs`, at most the nominal share and three standard deviations.
fn at_most(crossings: u32, runs: u32, nominal: f64) {
    let n = f64::from(runs);
    let bound = n * nominal + 3.0 * (n * nominal * (1.0 - nominal)).sqrt();
    assert!(
        f64::from(crossings) <= bound,
        "{crossings} of {runs}, bound {bound}"
    );
}

#[test]
fn a_tolerable_candidate_is_rarely_failed_however_often_one_looks() {
    let margin = Margin::new(1.05, 5e-5);
    let settings = Settings::new(margin, Margin::new(1.5, 1e-3), 0.05, 0.05)
        .unwrap()
        .with_warmup(0.0)
        .unwrap();
    let mut random = Random(1);
    let mut failed = 0;
    for run in 0..4_000 {
        let mut evidence = Evidence::new(settings);
        for t in 0..60_u32 {
            let p = 0.002 * 10_f64.powf(f64::from(t) / 30.0);
            let split = if t < 30 { (40, 360) } else { (200, 200) };
            evidence.observe(random.tick(split, (margin.rate(p), p)));
        }
        failed += u32::from(evidence.verdict() == Verdict::Fail);
        assert!(run > 0 || evidence.assessment().in_release.candidate.requests > 0);
    }
    at_most(failed, 4_000, 0.05);
}

#[test]
fn an_unacceptable_candidate_is_rarely_passed_however_often_one_looks() {
    let margin = Margin::new(1.5, 1e-3);
    let settings = Settings::new(Margin::new(1.05, 5e-5), margin, 0.01, 0.05)
        .unwrap()
        .with_warmup(0.0)
        .unwrap();
    let mut random = Random(2);
    let mut passed = 0;
    for _ in 0..4_000 {
        let mut evidence = Evidence::new(settings);
        evidence.begin_step(75.0, 100.0, true);
        let ever = (0..80).any(|_| {
            evidence.observe(random.tick((150, 150), (margin.rate(0.01), 0.01)));
            evidence.verdict() == Verdict::Pass
        });
        passed += u32::from(ever);
    }
    at_most(passed, 4_000, 0.05);
}

#[test]
fn the_proof_of_a_step_follows_from_weights() {
    let ladder = [
        (10.0, 25.0, false),
        (25.0, 50.0, false),
        (50.0, 75.0, false),
        (75.0, 100.0, true),
    ];
    assert_eq!(
        ladder.map(|(w, n, last)| step_multiplier(w, n, last)),
        [6.0, 4.0, 2.0, 1.5]
    );
    // The same step of another ladder needs the same proof; a bold jump needs a better one.
    assert_eq!(step_multiplier(25.0, 80.0, false), 2.5);
    assert_eq!(step_multiplier(10.0, 100.0, false), 2.0);
    assert_eq!(step_multiplier(1.0, 5.0, false), 6.0);
    assert_eq!(step_multiplier(0.0, 0.0, false), 6.0);
}

/// Runs a release of equal arms until it passes each step; the seconds at each pass.
fn course(mut random: Random, rate: f64, rates: (f64, f64)) -> (Evidence, Vec<f64>) {
    let mut evidence = Evidence::new(Settings::default());
    let mut passes = Vec::new();
    for (weight, next, last) in [(10.0, 25.0, false), (25.0, 80.0, false), (80.0, 100.0, true)] {
        evidence.begin_step(weight, next, last);
        for _ in 0..400 {
            let n = (rate * 15.0) as u64;
            let candidate = (n as f64 * weight / 100.0) as u64;
            evidence.observe(random.tick((candidate, n - candidate), rates));
            if evidence.verdict() != Verdict::Continue {
                break;
            }
        }
        passes.push(evidence.assessment().step_seconds);
        if evidence.verdict() == Verdict::Fail {
            break;
        }
    }
    (evidence, passes)
}

#[test]
fn a_good_release_passes_each_step_and_says_what_is_missing() {
    let (evidence, passes) = course(Random(3), 50.0, (0.001, 0.001));
    let end = evidence.assessment();
    assert_eq!(end.verdict, Verdict::Pass);
    assert_eq!(passes.len(), 3);
    assert_eq!(end.missing.requests, Some(0));
    assert!(end.release.reached() && end.step.reached() && !end.fail.reached());
    let ratio = end.ratio.unwrap();
    assert!(ratio.low < 1.0 && ratio.high.unwrap() > 1.0, "{ratio:?}");
}

#[test]
fn the_forecast_of_missing_requests_is_about_right() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    let mut random = Random(4);
    for _ in 0..8 {
        evidence.observe(random.tick((75, 675), (0.0, 0.0)));
    }
    let early = evidence.assessment();
    let (requests, seconds) = (early.missing.requests.unwrap(), early.missing.seconds.unwrap());
    let mut took = 0;
    while evidence.verdict() == Verdict::Continue {
        evidence.observe(random.tick((75, 675), (0.0, 0.0)));
        took += 75;
    }
    assert!(
        (requests as f64 / f64::from(took) - 1.0).abs() < 0.25,
        "{requests} foretold, {took} taken"
    );
    assert!((seconds / 15.0 * 75.0 - requests as f64).abs() < 1.0);
}

#[test]
fn a_catastrophe_is_caught_in_three_scrapes_after_warm_up_and_never_in_one() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    let mut random = Random(5);
    for t in 1..=5 {
        evidence.observe(random.tick((75, 675), (0.3, 0.001)));
        assert!(
            t > 1 || evidence.verdict() == Verdict::Continue,
            "one scrape convicted"
        );
    }
    assert_eq!(evidence.verdict(), Verdict::Fail);
    let ratio = evidence.assessment().ratio.unwrap();
    assert!(ratio.low > 20.0, "{ratio:?}");
}

#[test]
fn one_burst_does_not_convict_and_a_shared_outage_neither_convicts_nor_proves() {
    let mut evidence =
        Evidence::new(Settings::default()).with_background(Background::new(Some(0.001), 1.0, 1, 0.0));
    evidence.begin_step(50.0, 75.0, false);
    let mut random = Random(6);
    for t in 0..200 {
        let mut tick = random.tick((375, 375), (0.001, 0.001));
        if t == 20 {
            tick.candidate.bad = 375;
        }
        evidence.observe(tick);
    }
    assert_ne!(evidence.verdict(), Verdict::Fail);
    let before = evidence.assessment().release.evidence;
    for _ in 0..10 {
        evidence.observe(random.tick((375, 375), (0.2, 0.2)));
        let now = evidence.assessment();
        assert!(
            now.amiss == Some(Amiss::SharedFault)
                && now.verdict == Verdict::Continue
                && now.release.evidence <= before + 1e-9
        );
    }
}

/// One arm has few requests, which look well by luck now and then.
#[test]
fn nothing_passes_in_an_outage_that_both_arms_have_and_what_is_missing_after_it_is_told_aright() {
    let (mut told, mut waited, mut early) = (0.0, 0.0, 0);
    for seed in 0..400 {
        let past = Background::new(Some(0.001), 1.0, 1, 0.0).with_bursts(Bursts::None);
        let mut evidence = Evidence::new(Settings::default()).with_background(past);
        evidence.begin_step(10.0, 25.0, false);
        let mut random = Random(seed);
        (0..6).for_each(|_| evidence.observe(random.tick((75, 675), (0.001, 0.001))));
        if evidence.verdict() == Verdict::Pass {
            continue;
        }
        for t in 0..20 {
            evidence.observe(random.tick((75, 675), (0.12, 0.12)));
            // At its very beginning nobody can tell luck from health.
            early += u32::from(t > 0 && evidence.verdict() == Verdict::Pass);
        }
        // As the rates of both say that they are well again.
        (0..6).for_each(|_| evidence.observe(random.tick((75, 675), (0.001, 0.001))));
        let missing = evidence.assessment().missing.seconds;
        let mut ticks = 0;
        while evidence.verdict() == Verdict::Continue && ticks < 400 {
            evidence.observe(random.tick((75, 675), (0.001, 0.001)));
            ticks += 1;
        }
        if let Some(missing) = missing {
            (told, waited) = (told + missing, waited + 15.0 * f64::from(ticks));
        }
    }
    assert!(early <= 2, "{early} passed within it");
    assert!(
        waited < 2.0 * told && told < 2.0 * waited,
        "told {told}, waited {waited}"
    );
}

#[test]
fn a_service_that_always_fails_much_is_no_outage() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(50.0, 75.0, false);
    let mut random = Random(8);
    for _ in 0..100 {
        evidence.observe(random.tick((375, 375), (0.3, 0.3)));
        assert_eq!(evidence.assessment().amiss, None);
    }
    assert_eq!(evidence.verdict(), Verdict::Pass);
}

#[test]
fn a_sick_baseline_does_not_hold_a_normal_candidate() {
    let mut evidence =
        Evidence::new(Settings::default()).with_background(Background::new(Some(0.001), 1.0, 1, 0.0));
    evidence.begin_step(50.0, 75.0, false);
    let mut random = Random(7);
    for _ in 0..40 {
        evidence.observe(random.tick((375, 375), (0.001, 0.4)));
        assert_eq!(evidence.assessment().amiss, None);
    }
    assert_eq!(evidence.verdict(), Verdict::Pass);
}

#[test]
fn without_a_request_beside_it_nothing_is_foreseen() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(50.0, 75.0, false);
    for _ in 0..20 {
        evidence.observe(Tick::new(Counts::new(400, 0), Counts::default(), 15.0));
    }
    let seen = evidence.assessment();
    assert_eq!((seen.missing.requests, seen.missing.seconds), (None, None));
}

#[test]
fn the_warm_up_that_is_left_is_part_of_what_is_missing() {
    let missing = |warm_up| {
        let settings = Settings::default().with_warmup(warm_up).unwrap();
        let mut evidence = Evidence::new(settings);
        evidence.begin_step(10.0, 25.0, false);
        evidence.observe(Tick::new(Counts::new(150, 0), Counts::new(1_350, 1), 15.0));
        evidence.assessment().missing
    };
    // With 30 s or 600 s of warm-up nothing has counted yet after 15 s; the rest of it comes first.
    let (short, long) = (missing(30.0), missing(600.0));
    assert_eq!(short.requests, long.requests);
    let apart = long.seconds.unwrap() - short.seconds.unwrap();
    assert!((apart - 570.0).abs() < 1e-6, "{short:?} {long:?}");
    assert!((short.seconds.unwrap() - 15.0 - short.requests.unwrap() as f64 / 10.0).abs() < 1e-6);
}

#[test]
fn silence_is_never_a_pass() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    for _ in 0..100_000 {
        evidence.observe(Tick::new(Counts::default(), Counts::new(1_000, 1), 15.0));
    }
    let end = evidence.assessment();
    assert_eq!(end.verdict, Verdict::Continue);
    assert_eq!(end.missing.seconds, None);
}

fn any_tick() -> impl Strategy<Value = Tick> {
    let arm = prop_oneof![
        3 => (0_u64..5_000, 0_u64..40),
        1 => (0_u64..5_000, 0_u64..5_000),
        1 => (0..=u64::MAX, 0..=u64::MAX),
    ];
    (
        arm.clone(),
        arm,
        prop_oneof![Just(5.0), Just(15.0), Just(0.0), Just(f64::NAN), 0.0..1e9_f64],
        any::<bool>(),
    )
        .prop_map(|(c, b, seconds, warming)| Tick {
            candidate: Counts {
                requests: c.0,
                bad: c.1,
            },
            baseline: Counts {
                requests: b.0,
                bad: b.1,
            },
            seconds,
            warming,
        })
}

proptest! {
    #[test]
    fn any_input_leaves_finite_numbers_and_a_restart_at_any_tick_changes_no_bit(
        ticks in prop::collection::vec((any_tick(), prop::option::weighted(0.1, (1_u8..100, 1_u8..=100, any::<bool>()))), 1..60),
        phi in 1.0_f64..5.0, burst in 1_usize..5, spread in 0.0_f64..0.5,
    ) {
        let background = Background::new(Some(0.001), phi, burst, spread);
        let mut whole = Evidence::new(Settings::default()).with_background(background);
        let mut cut = whole.clone();
        for (tick, step) in ticks {
            if let Some((weight, next, last)) = step {
                for e in [&mut whole, &mut cut] {
                    e.begin_step(f64::from(weight), f64::from(next), last);
                    e.set_candidate_pods(u32::from(next));
                }
            }
            whole.observe(tick);
            let text = cut.checkpoint().to_string();
            prop_assert!(text.len() <= 720, "{}", text.len());
            cut = Evidence::resume(Settings::default(), &text.parse::<Checkpoint>().unwrap()).unwrap();
            cut.observe(tick);
            prop_assert_eq!(&whole, &cut);
            let a = whole.assessment();
            for x in [a.fail.evidence, a.step.evidence, a.release.evidence] {
                prop_assert!(!x.is_nan(), "{a:?}");
            }
            if let Some(seconds) = a.missing.seconds {
                prop_assert!(seconds >= 0.0);
            }
        }
    }

    #[test]
    fn a_damaged_checkpoint_is_refused_not_believed(cut in 0_usize..200, junk in "[0-9A-Za-z+/. ]{0,20}") {
        let text = Evidence::new(Settings::default()).checkpoint().to_string();
        let damaged = format!("{}{junk}", &text[..cut.min(text.len() - 1)]);
        if let Ok(parsed) = damaged.parse::<Checkpoint>()
            && parsed.reals.len() != Evidence::new(Settings::default()).checkpoint().reals.len()
        {
            prop_assert!(Evidence::resume(Settings::default(), &parsed).is_err());
        }
    }
}

#[test]
fn the_state_is_small() {
    assert!(
        std::mem::size_of::<Evidence>() <= 520,
        "{}",
        std::mem::size_of::<Evidence>()
    );
}

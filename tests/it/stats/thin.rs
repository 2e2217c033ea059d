//! Traffic so thin that no margin worth having can be proven: the judge says what it can prove, and waits for that.

use serin::stats::random::Random;
use serin::stats::{Background, Bursts, Counts, Evidence, Settings, Tick, Verdict};

/// One request an hour, to both arms together.
const PACE: f64 = 1.0 / 3600.0;

fn thin(past: Option<f64>, pace: f64) -> Evidence {
    let past = Background::new(past, 1.0, 1, 0.0)
        .with_tick_seconds(15.0)
        .with_bursts(Bursts::None);
    let settings = Settings::default().with_warmup(0.0).unwrap();
    Evidence::new(settings)
        .with_background(past)
        .with_traffic(pace, &[10.0, 25.0, 50.0])
}

/// Candidate requests without a failure until a pass.
fn until_pass(mut evidence: Evidence, others: u64) -> u64 {
    (1..10_000)
        .find(|_| {
            evidence.observe(Tick::new(Counts::new(1, 0), Counts::new(others, 0), 15.0));
            evidence.verdict() == Verdict::Pass
        })
        .unwrap()
}

#[test]
fn one_or_two_requests_never_pass_however_thin_the_traffic() {
    for pace in [1e-9, PACE, 0.01] {
        let mut first = thin(None, pace);
        first.begin_step(10.0, 25.0, false);
        let early = until_pass(first, 9);
        assert!((10..=40).contains(&early), "{pace}: {early}");
        let mut last = thin(None, pace);
        last.begin_step(50.0, 100.0, true);
        let promoted = until_pass(last, 1);
        assert!((60..=250).contains(&promoted), "{pace}: {promoted}");
    }
}

#[test]
fn thin_traffic_says_what_it_can_prove_and_never_more_than_five_points() {
    let provable = |past, pace| thin(past, pace).provable();
    assert!((provable(None, 1e-9) - 0.05).abs() < 1e-12);
    assert!((provable(Some(0.02), 1e-9) - 0.08).abs() < 1e-12);
    // Enough for less: what the traffic proves, as ever; and a busy service keeps its own margin.
    let some = provable(Some(0.002), 2.0);
    assert!(some > 0.004 && some < 0.05, "{some}");
    assert!((provable(Some(0.002), 1e6) - 0.004).abs() < 1e-12);
    // Until there is that much, the missing requests are told.
    let mut evidence = thin(None, PACE);
    evidence.begin_step(10.0, 25.0, false);
    evidence.observe(Tick::new(Counts::new(1, 0), Counts::new(1, 0), 3_600.0));
    let missing = evidence.assessment().missing;
    assert!(
        missing.requests.is_some_and(|n| (9..200).contains(&n)),
        "{missing:?}"
    );
    assert!(missing.seconds.is_some_and(|s| s > 9.0 * 3_600.0), "{missing:?}");
}

#[test]
fn a_candidate_on_the_widest_margin_is_promoted_no_more_often_than_allowed() {
    let mut random = Random::new(11);
    let runs = 2_000;
    let promoted = (0..runs).filter(|_| {
        let mut evidence = thin(Some(0.0), 1e-9);
        evidence.begin_step(50.0, 100.0, true);
        (0..300).any(|_| {
            let bad = random.binomial(1, 0.05);
            evidence.observe(Tick::new(Counts::new(1, bad), Counts::new(1, 0), 15.0));
            evidence.verdict() == Verdict::Pass
        })
    });
    let promoted = promoted.count();
    assert!(
        (1..=129).contains(&promoted),
        "{promoted} of {runs}, 5 % and three deviations"
    );
}

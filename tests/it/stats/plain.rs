//! Plain facts of the numbers that are handed around: bounds, words, ends of ranges.

use serin::stats::assessment::Arms;
use serin::stats::{
    Background, Bursts, Checkpoint, CheckpointError, Counts, Evidence, Margin, Settings, SettingsError, Tick,
};

#[test]
fn what_a_background_keeps_within_bounds() {
    let b = Background::new(Some(7.0), 0.2, 0, -1.0);
    assert_eq!(
        (b.rate(), b.dispersion(), b.burst_ticks(), b.pod_spread()),
        (Some(1.0), 1.0, 1, 0.0)
    );
    let b = Background::new(Some(f64::NAN), f64::INFINITY, 1_000_000, f64::NAN);
    assert_eq!(
        (b.rate(), b.dispersion(), b.burst_ticks(), b.pod_spread()),
        (None, 1.0, 3_600, 0.0)
    );
    for (seconds, known) in [
        (15.0, 15.0),
        (0.0, 0.0),
        (-1.0, 0.0),
        (f64::NAN, 0.0),
        (f64::INFINITY, 0.0),
    ] {
        assert_eq!(
            Background::default().with_tick_seconds(seconds).tick_seconds(),
            known
        );
    }
    let bursts = Background::new(Some(0.01), 1.0, 3, 0.0);
    assert_eq!(bursts.burst_seconds(5.0), 15.0);
    assert_eq!(bursts.with_tick_seconds(60.0).burst_seconds(5.0), 180.0);
    // A calm past tells no length; one without a rate is not known, so it is not calm either.
    assert_eq!(bursts.with_bursts(Bursts::None).burst_seconds(5.0), 5.0);
    assert!(bursts.with_bursts(Bursts::None).calm() && !bursts.calm());
    assert!(!Background::default().with_bursts(Bursts::None).calm());
}

#[test]
fn an_assessment_tells_what_it_has_counted() {
    let mut evidence = Evidence::new(Settings::default());
    assert_eq!(evidence.assessment().in_step.candidate.rate(), None);
    evidence.observe(Tick::new(Counts::new(200, 30), Counts::new(1_000, 20), 15.0));
    let seen = evidence.assessment().in_step;
    assert_eq!(
        (seen.candidate.rate(), seen.baseline.rate()),
        (Some(0.15), Some(0.02))
    );
    let both = Arms::default().plus(Counts::new(3, 1), Counts::new(5, 2));
    assert_eq!(
        both.plus(Counts::new(1, 1), Counts::default()).candidate,
        Counts::new(4, 2)
    );
}

#[test]
fn every_refusal_says_what_to_do() {
    let settings = [
        SettingsError::Tolerated,
        SettingsError::Unacceptable,
        SettingsError::Order,
        SettingsError::Alpha,
        SettingsError::Beta,
        SettingsError::Warmup,
    ];
    let checkpoints = [
        CheckpointError::Version,
        CheckpointError::Shape,
        CheckpointError::Value,
    ];
    let words: Vec<String> = settings
        .iter()
        .map(ToString::to_string)
        .chain(checkpoints.iter().map(ToString::to_string))
        .collect();
    for (at, said) in words.iter().enumerate() {
        assert!(said.len() > 20 && !words[..at].contains(said), "{said}");
    }
}

#[test]
fn settings_reach_their_ends() {
    let (t, u) = (Margin::new(1.0, 0.0), Margin::new(1.5, 1e-3));
    for (alpha, beta) in [(0.5, 0.5), (1e-12, 1e-12)] {
        let s = Settings::new(t, u, alpha, beta)
            .unwrap()
            .with_warmup(0.0)
            .unwrap();
        assert_eq!((s.alpha(), s.beta(), s.warmup_seconds()), (alpha, beta, 0.0));
        assert_eq!((s.tolerated(), s.unacceptable()), (t, u));
        assert!(
            (s.needed_to_fail() + alpha.ln()).abs() < 1e-12 && (s.needed_to_pass() + beta.ln()).abs() < 1e-12
        );
    }
    let shared = Settings::default().sharing(0.25);
    assert!((shared.alpha() - 0.0025).abs() < 1e-15 && (shared.beta() - 0.05).abs() < 1e-15);
    assert_eq!(Settings::default().sharing(4.0).alpha(), 0.01);
    assert_eq!(Settings::default().sharing(0.0).alpha(), 1e-12);
    // A margin may rest on one of its parts alone, but must lie above the tolerated one.
    assert!(Settings::new(t, Margin::new(1.0, 1e-3), 0.01, 0.05).is_ok());
    assert!(Settings::new(t, Margin::new(1.5, 0.0), 0.01, 0.05).is_ok());
    assert_eq!(u.times(2.0), Margin::new(3.0, 2e-3));
    assert!((u.rate(0.01) - 0.016).abs() < 1e-15);
}

#[test]
fn a_checkpoint_of_another_layout_or_with_impossible_numbers_is_refused() {
    let evidence = Evidence::new(Settings::default());
    let good = evidence.checkpoint();
    assert_eq!(Evidence::resume(Settings::default(), &good), Ok(evidence));
    let refused = |change: fn(&mut Checkpoint)| {
        let mut other = good.clone();
        change(&mut other);
        Evidence::resume(Settings::default(), &other).unwrap_err()
    };
    assert_eq!(refused(|c| c.wholes[0] = 1), CheckpointError::Version);
    assert_eq!(refused(|c| c.wholes.truncate(2)), CheckpointError::Shape);
    assert_eq!(refused(|c| c.wholes.push(0)), CheckpointError::Shape);
    assert_eq!(refused(|c| c.reals.push(0.0)), CheckpointError::Shape);
    assert_eq!(refused(|c| c.reals.truncate(3)), CheckpointError::Shape);
    assert_eq!(
        refused(|c| c.reals.truncate(c.reals.len() - 1)),
        CheckpointError::Shape
    );
    assert_eq!(refused(|c| c.reals[3] = f64::NAN), CheckpointError::Value);
    for text in ["", "1.2.3", "zz", "AQ"] {
        assert_eq!(text.parse::<Checkpoint>(), Err(CheckpointError::Shape), "{text}");
    }
    assert_eq!(good.to_string().parse::<Checkpoint>(), Ok(good));
}

/// A release whose state has something in every corner, so that a restart can lose nothing unseen.
#[test]
fn a_restart_keeps_the_past_and_the_traffic_too() {
    for background in [
        Background::new(Some(0.001), 1.5, 7, 0.2).with_tick_seconds(15.0),
        Background::new(Some(0.0), 1.0, 1, 0.0)
            .with_tick_seconds(30.0)
            .with_bursts(Bursts::None),
        Background::default(),
    ] {
        let mut evidence = Evidence::new(Settings::default())
            .with_background(background)
            .with_traffic(2.0, &[10.0, 25.0, 80.0]);
        for (weight, last) in [(10.0, false), (80.0, true)] {
            evidence.begin_step(weight, 80.0, last);
            evidence.set_candidate_pods(3);
            for t in 0..7 {
                evidence.observe(Tick::new(Counts::new(40, t % 5 * 9), Counts::new(60, t % 3), 4.0));
                let back = Evidence::resume(Settings::default(), &evidence.checkpoint()).unwrap();
                assert_eq!(back, evidence);
                assert_eq!(back.provable(), evidence.provable());
                assert_eq!(back.background(), evidence.background());
            }
        }
    }
}

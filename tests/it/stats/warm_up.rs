//! Ticks in which pods are young: what they may say, and what not.

use serin::stats::{Background, Counts, Evidence, Settings, Tick, Verdict, Warming};

fn step(past: Background) -> Evidence {
    let mut evidence = Evidence::new(Settings::default()).with_background(past);
    evidence.begin_step(80.0, 95.0, true);
    evidence
}

/// `bad` of 400 requests fail on the candidate, and none beside it.
fn tick(bad: u64, seconds: f64, warming: bool) -> Tick {
    Tick {
        warming,
        ..Tick::new(Counts::new(400, bad), Counts::new(100, 0), seconds)
    }
}

/// A minute of health, so that the step's own warm-up is over.
fn settled(past: Background) -> Evidence {
    let mut evidence = step(past);
    (0..4).for_each(|_| evidence.observe(tick(0, 15.0, false)));
    assert_eq!(evidence.assessment().warming, None);
    evidence
}

const CALM: Option<f64> = Some(0.0005);

#[test]
fn a_cold_start_neither_convicts_nor_proves() {
    let (mut young, mut grown) = (settled(past(1.0)), settled(past(1.0)));
    let before = young.assessment();
    for _ in 0..10 {
        young.observe(tick(7, 15.0, true));
        grown.observe(tick(7, 15.0, false));
    }
    let after = young.assessment();
    assert_eq!(grown.verdict(), Verdict::Fail, "it would have convicted");
    assert_eq!(after.verdict, Verdict::Continue);
    assert_eq!(after.warming, Some(Warming::Pods));
    assert!(!after.suspicion.reached(), "{after:?}");
    assert_eq!(after.step.evidence.to_bits(), before.step.evidence.to_bits());
    assert_eq!(
        after.release.evidence.to_bits(),
        before.release.evidence.to_bits()
    );
    (0..2).for_each(|_| young.observe(tick(0, 15.0, false)));
    assert!(young.assessment().step.evidence > before.step.evidence);
    assert_eq!(young.assessment().warming, None);
}

/// Each warm-up bets anew: what the calm ones before have lost does not blind it.
#[test]
fn a_gross_fault_of_young_pods_convicts_as_fast_as_one_at_the_beginning() {
    let tick = |bad: u64, warming: bool| Tick {
        warming,
        ..Tick::new(Counts::new(75, bad), Counts::new(675, 1), 15.0)
    };
    let begun = || {
        let mut evidence = Evidence::new(Settings::default()).with_background(past(1.0));
        evidence.begin_step(10.0, 25.0, false);
        evidence
    };
    let scrapes = |mut evidence: Evidence| {
        (1..100).find(|_| {
            evidence.observe(tick(22, true));
            evidence.verdict() == Verdict::Fail
        })
    };
    let first = scrapes(begun()).unwrap();
    let mut later = begun();
    for _ in 0..3 {
        (0..6).for_each(|_| later.observe(tick(0, true)));
        (0..2).for_each(|_| later.observe(tick(0, false)));
    }
    let again = scrapes(later).unwrap();
    assert!(first <= 4 && again <= first + 1, "{first} scrapes, then {again}");
}

/// Where bursts are known short scrapes are read together: a young one among them makes all of them young.
#[test]
fn what_is_read_together_is_as_young_as_its_youngest_part() {
    let (mut part, mut whole) = (settled(past(2.0)), settled(past(2.0)));
    for warming in [true, false, false] {
        part.observe(tick(3, 5.0, warming));
        whole.observe(tick(3, 5.0, true));
    }
    assert_eq!(part, whole);
    part.observe(tick(3, 5.0, false));
    assert_eq!(part.assessment().warming, None);
}

fn past(dispersion: f64) -> Background {
    Background::new(CALM, dispersion, 1, 0.0)
}

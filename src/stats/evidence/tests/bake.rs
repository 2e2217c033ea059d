//! What speaks against a candidate in its bake, and what was forgiven before.

use super::super::verdict::SUSPICION;
use super::*;

/// 20,000 requests a scrape, of which 0.1 % fail; of the candidate's 1 or 2 % more in the scrapes of `bad`.
fn served(evidence: &mut Evidence, weight: u64, scrapes: u64, (bad, more): (std::ops::Range<u64>, u64)) {
    let of = |share: u64| 200 * share;
    for at in 0..scrapes {
        let more = if bad.contains(&at) { more } else { 0 };
        let usual = |requests: u64| requests / 1000;
        let (candidate, baseline) = (of(weight), of(100 - weight));
        evidence.observe(tick(
            (candidate, usual(candidate) + candidate * more / 1000),
            (baseline, usual(baseline)),
            15.0,
        ));
    }
}

#[test]
fn what_a_pass_has_forgiven_keeps_no_bake() {
    for alone in [true, false] {
        let past = usual(0.001).with_tick_seconds(15.0).with_bursts(Bursts::None);
        let mut evidence = without_warm_up().with_background(past);
        for (step, (weight, next, last)) in [(10.0, 50.0, false), (50.0, 80.0, false), (80.0, 95.0, true)]
            .into_iter()
            .enumerate()
        {
            evidence.begin_step(weight, next, last);
            let bad = if step == 0 { (4..6, 10) } else { (0..0, 0) };
            served(&mut evidence, weight as u64, 120, bad);
            assert_eq!(evidence.verdict(), Verdict::Pass, "step {step}");
        }
        let forgiven = evidence.assessment().suspicion;
        assert!(
            forgiven.evidence >= SUSPICION && !forgiven.reached(),
            "{forgiven:?}"
        );
        if alone {
            evidence.begin_alone();
            served(&mut evidence, 100, 40, (0..0, 0));
        } else {
            evidence.begin_step(95.0, 95.0, true);
            served(&mut evidence, 95, 40, (0..0, 0));
        }
        assert!(!evidence.is_suspect(), "alone: {alone}");
    }
}

#[test]
fn a_bake_in_which_the_candidate_is_worse_is_suspect() {
    let mut evidence = without_warm_up().with_background(usual(0.001));
    evidence.begin_step(95.0, 95.0, true);
    served(&mut evidence, 95, 20, (0..0, 0));
    assert!(!evidence.is_suspect());
    served(&mut evidence, 95, 2, (0..2, 20));
    assert_eq!(evidence.verdict(), Verdict::Continue);
    assert!(evidence.is_suspect());
}

/// One reading may tell of minutes, in which a provider was away. No burst is convicted for it, and nothing passes by it.
#[test]
fn while_it_is_open_whether_trouble_is_a_burst_nothing_passes() {
    let past = usual(0.001).with_tick_seconds(15.0).with_bursts(Bursts::None);
    let mut evidence = without_warm_up().with_background(past);
    evidence.begin_step(80.0, 95.0, true);
    for at in 0..60 {
        evidence.observe(tick((600, at % 2), (150, u64::from(at % 6 == 0)), 15.0));
    }
    assert_eq!(
        (evidence.verdict(), evidence.is_suspect()),
        (Verdict::Pass, false)
    );
    evidence.observe(tick((12_000, 3_000), (700, 0), 285.0));
    assert_eq!(
        (evidence.verdict(), evidence.is_suspect()),
        (Verdict::Continue, true)
    );
    (0..3).for_each(|_| evidence.observe(tick((600, 180), (150, 0), 15.0)));
    assert_eq!(evidence.verdict(), Verdict::Fail);
}

#[test]
fn a_scrape_a_minute_leaves_open_for_as_long_whether_trouble_is_a_burst() {
    let past = usual(0.001).with_tick_seconds(15.0).with_bursts(Bursts::None);
    let mut evidence = without_warm_up().with_background(past);
    evidence.begin_step(95.0, 95.0, true);
    let minute = |evidence: &mut Evidence, (candidate, baseline)| {
        (0..3).for_each(|_| evidence.observe(tick((0, 0), (0, 0), 15.0)));
        evidence.observe(tick(candidate, baseline, 15.0));
        evidence.is_suspect()
    };
    let good = |at: u64| ((2_850, 2 + at % 2), (150, u64::from(at.is_multiple_of(6))));
    assert!((0..12).all(|at| !minute(&mut evidence, good(at)) || at < 4));
    for _ in 0..2 {
        assert!(minute(&mut evidence, ((2_850, 700), (150, 0))));
        evidence.observe(tick((0, 0), (0, 0), 15.0));
        assert!(evidence.is_suspect());
    }
    assert_eq!(evidence.verdict(), Verdict::Continue);
    minute(&mut evidence, ((2_850, 700), (150, 0)));
    assert_eq!(evidence.verdict(), Verdict::Fail);
}

#[test]
fn known_bursts_do_not_let_a_candidate_end_its_bake_while_it_fails() {
    for known in [1, 4] {
        let past = Background::new(Some(0.001), 1.0, known, 0.0)
            .with_tick_seconds(15.0)
            .with_bursts(Bursts::Seen);
        let mut evidence = without_warm_up().with_background(past);
        evidence.begin_step(95.0, 95.0, true);
        served(&mut evidence, 95, 40, (0..0, 0));
        assert!(!evidence.is_suspect());
        let keeps = |_| {
            evidence.observe(tick((712, 712), (38, 0), 15.0));
            evidence.is_suspect()
        };
        assert!((0..4).all(keeps), "{known}");
    }
}

#[test]
fn what_may_be_a_burst_ends_no_bake_with_all_traffic_either() {
    let past = usual(0.001).with_tick_seconds(15.0).with_bursts(Bursts::None);
    let mut evidence = without_warm_up().with_background(past);
    evidence.begin_step(80.0, 100.0, true);
    served(&mut evidence, 80, 40, (0..0, 0));
    evidence.begin_alone();
    served(&mut evidence, 100, 10, (0..0, 0));
    assert!(!evidence.is_suspect());
    evidence.observe(tick((13_500, 3_200), (0, 0), 285.0));
    assert_eq!(
        (evidence.verdict(), evidence.is_suspect()),
        (Verdict::Continue, true)
    );
    served(&mut evidence, 100, 1, (0..0, 0));
    assert!(!evidence.is_suspect());
}

/// A Prometheus that was away scrapes one pod after the other.
#[test]
fn failures_of_minutes_wait_for_the_requests_beside_them() {
    for routed in [true, false] {
        let mut evidence = without_warm_up().with_background(usual(0.001));
        evidence.set_routed(routed);
        evidence.begin_step(80.0, 95.0, true);
        for at in 0..60 {
            evidence.observe(tick((760, at % 2), (190, u64::from(at % 6 == 0)), 15.0));
        }
        evidence.begin_step(95.0, 95.0, true);
        (0..20).for_each(|at| evidence.observe(tick((900, at % 2), (48, 0), 15.0)));
        assert!(!evidence.is_suspect());
        let weighed = evidence.seconds_in_step();
        evidence.observe(tick((4_164, 909), (15, 0), 90.0));
        let later = evidence.seconds_in_step();
        // Where it is not known how many there should be nothing waits, and the bake may end by them.
        assert_eq!(later > weighed, !routed, "{weighed} {later}");
        evidence.observe(tick((1_500, 450), (260, 0), 15.0));
        assert!(evidence.is_suspect());
    }
}

/// Beside 95 % of the traffic the baseline has a request or two a second.
#[test]
fn a_bake_does_not_end_with_what_the_past_hour_never_had() {
    let past = usual(0.001).with_tick_seconds(15.0).with_bursts(Bursts::None);
    for (beside, kept) in [(0, true), (4, false)] {
        let mut evidence = without_warm_up().with_background(past);
        evidence.begin_step(80.0, 95.0, true);
        for at in 0..60 {
            evidence.observe(tick((480, at % 2), (120, u64::from(at % 6 == 0)), 15.0));
        }
        evidence.begin_step(95.0, 95.0, true);
        evidence.observe(tick((570, 1), (30, 0), 15.0));
        assert!(!evidence.is_suspect());
        evidence.observe(tick((190, 16), (10, beside), 5.0));
        assert_eq!(evidence.is_suspect(), kept, "{beside}");
        // It was a burst: a minute is as usual.
        (0..4).for_each(|_| evidence.observe(tick((570, 1), (30, 0), 15.0)));
        assert!(!evidence.is_suspect());
    }
}

#[test]
fn an_outage_keeps_no_bake_once_the_baseline_gets_no_request_and_the_candidate_is_well() {
    let mut evidence = without_warm_up().with_background(usual(0.001));
    evidence.begin_step(95.0, 95.0, true);
    (0..20).for_each(|_| evidence.observe(tick((28, 0), (2, 0), 15.0)));
    (0..20).for_each(|_| evidence.observe(tick((28, 14), (2, 1), 15.0)));
    assert!(evidence.is_in_shared_fault());
    let alone = |evidence: &mut Evidence, bad| {
        (0..10).for_each(|_| evidence.observe(tick((28, bad), (0, 0), 15.0)));
        evidence.is_in_shared_fault()
    };
    assert!(alone(&mut evidence, 14));
    assert!(!alone(&mut evidence, 0));
}

mod bake;

use super::fail::at_stake;
use super::*;
use crate::stats::assessment::{Against, Verdict};
use crate::stats::background::Bursts;
use crate::stats::counts::Counts;
use crate::stats::settings::Margin;

fn tick(candidate: (u64, u64), baseline: (u64, u64), seconds: f64) -> Tick {
    Tick::new(
        Counts::new(candidate.0, candidate.1),
        Counts::new(baseline.0, baseline.1),
        seconds,
    )
}

fn usual(rate: f64) -> Background {
    Background::new(Some(rate), 1.0, 1, 0.0)
}

fn without_warm_up() -> Evidence {
    Evidence::new(Settings::default().with_warmup(0.0).unwrap())
}

fn near(got: f64, want: f64, what: &str) {
    assert!(
        (got - want).abs() <= 1e-6 * want.abs(),
        "{what}: {got:?}, not {want:?}"
    );
}

#[test]
fn a_shared_fault_is_both_arms_far_above_the_usual_rate() {
    // Ten times the usual rate, but five per cent at least; and the candidate beyond half of the baseline.
    for (rate, candidate, baseline, shared) in [
        (0.01, 0.2, 0.2, true),
        (0.01, 0.1, 0.2, false),
        (0.01, 0.2, 0.1, false),
        (0.01, 0.2, 0.4, false),
        (0.01, 0.21, 0.4, true),
        (0.001, 0.06, 0.06, true),
        (0.001, 0.05, 0.06, false),
        (0.001, 0.06, 0.05, false),
    ] {
        let evidence = Evidence::new(Settings::default()).with_background(usual(rate));
        assert_eq!(
            evidence.is_environment((candidate, baseline)),
            shared,
            "{rate} {candidate} {baseline}"
        );
    }
}

#[test]
fn a_service_without_a_past_does_not_take_an_outage_for_normal_however_long_it_lasts() {
    let mut evidence = Evidence::new(Settings::default());
    (0..10).for_each(|_| evidence.observe(tick((400, 1), (400, 1), 15.0)));
    for at in 0..60 {
        evidence.observe(tick((400, 80), (400, 80), 15.0));
        assert_eq!(evidence.assessment().amiss, Some(Amiss::SharedFault), "{at}");
    }
    near(evidence.usual_rate(), 0.0025, "the mean of before");
}

#[test]
fn arms_that_are_scraped_in_turn_are_compared_all_the_same() {
    // Looks of 15 s at targets that are scraped every 30 s, each at a moment of its own.
    let verdict = |bad: u64| {
        let mut evidence = without_warm_up();
        evidence.begin_step(10.0, 25.0, false);
        for _ in 0..20 {
            evidence.observe(tick((150, bad), (0, 0), 15.0));
            evidence.observe(tick((0, 0), (1_350, 1), 15.0));
        }
        evidence.verdict()
    };
    assert_eq!(verdict(75), Verdict::Fail);
    assert_eq!(verdict(0), Verdict::Pass);
}

#[test]
fn silence_deals_the_bets_out_anew_and_forgets_what_is_owed() {
    let mut evidence = without_warm_up();
    (0..8).for_each(|_| evidence.observe(tick((400, 4), (400, 1), 15.0)));
    let before = evidence.clone();
    evidence.withheld.seconds = 15.0;
    // Three thousand seconds: one half is dealt anew.
    evidence.observe(tick((0, 0), (400, 1), 3_000.0));
    let halved = |now: &[f64], then: &[f64], prior: &[f64]| {
        for ((now, then), prior) in now.iter().zip(then).zip(prior) {
            assert!((then - prior).abs() > 1e-4, "{then} {prior}");
            near(*now, 0.5 * then + 0.5 * prior, "a share");
        }
    };
    halved(&evidence.fail.weights, &before.fail.weights, &FAIL_PRIOR);
    halved(&evidence.release.weights, &before.release.weights, &PASS_PRIOR);
    halved(&evidence.step.weights, &before.step.weights, &PASS_PRIOR);
    assert!((evidence.fail.evidence() - before.fail.evidence()).abs() < 1e-12);
    assert_eq!(evidence.withheld, WithheldEvidence::default());
}

#[test]
fn a_step_warms_up_only_if_it_is_asked_to_and_seconds_add_up() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    assert_eq!(evidence.assessment().warming, Some(Warming::Step));
    for (weight, seconds) in [(10.0, 15.0), (25.0, 20.0)] {
        evidence.begin_step(weight, 80.0, false);
        evidence.observe(tick((40, 0), (360, 0), seconds));
        evidence.observe(tick((40, 0), (360, 0), 10.0));
    }
    let seen = evidence.assessment();
    assert_eq!((seen.step_seconds, seen.release_seconds), (30.0, 55.0));
    let mut warm = without_warm_up();
    warm.begin_step(10.0, 25.0, false);
    assert_eq!((warm.assessment().warming, warm.is_young()), (None, false));
    // Its pods may come later.
    warm.observe(Tick {
        warming: true,
        ..tick((40, 0), (360, 0), 15.0)
    });
    assert_eq!(
        (warm.assessment().warming, warm.is_young()),
        (Some(Warming::Pods), true)
    );
    warm.observe(tick((40, 0), (360, 0), 15.0));
    assert!(!warm.is_young());
}

#[test]
fn a_release_learns_clumps_from_pairs_of_ticks_as_long_as_each_other() {
    let mut evidence = without_warm_up();
    evidence.observe(tick((2_000, 2), (2_000, 2), 30.0));
    assert_eq!((evidence.learned.squares, evidence.learned.pairs), (0.0, 0.0));
    // Half as long, so the one before had twice its requests: (0.004 - 0.001)² over 0.002 (1/1000 + 1/2000).
    evidence.observe(tick((1_000, 4), (1_000, 4), 15.0));
    near(f64::from(evidence.learned.squares), 3.0, "squares");
    near(f64::from(evidence.learned.pairs), 1.0, "pairs");
}

#[test]
fn a_stake_wins_and_loses_no_more_than_it_is() {
    // ln(1 + 0.1 (e^x - 1)); far up that is x + ln 0.1.
    for (log_e, want) in [
        (0.0, 0.0),
        (2.0, 0.494_028_708_044_178_8),
        (-5.0, -0.104_612_134_986_835_61),
        (40.0, 37.697_414_907_005_95),
    ] {
        assert!((at_stake(0.1, log_e) - want).abs() < 1e-12, "{log_e}");
    }
}

#[test]
fn what_is_cut_of_a_gross_fault_is_owed_to_its_bet() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(50.0, 80.0, false);
    // Beside 2 failures of 375 chance explains 8. The bet is 40 : 1 against a margin of 2 and two per cent: 105.5 nats
    // from 300 failures, and -5.7 from 8 (from the closed form, in Python).
    evidence.observe(tick((375, 300), (375, 2), 15.0));
    near(f64::from(evidence.gross), -5.659_349_348_027_614, "given");
    near(f64::from(evidence.withheld.gross), 111.185_568_691_195_4, "owed");
    near(
        evidence.fail.evidence(),
        (0.1 * (-5.659_349_348_027_614_f64).exp_m1()).ln_1p(),
        "wealth",
    );
}

#[test]
fn what_a_pass_lacks_is_told_before_the_first_request() {
    // Where no failure is expected, from the mixture's growth per request by bisection (Python): that of the release
    // is larger at 10 %, that of the step at 50 %.
    for (weight, next, last, requests) in [
        (10.0, 25.0, false, 1_168),
        (50.0, 75.0, false, 2_159),
        (100.0, 100.0, true, 14_168),
    ] {
        let mut evidence = Evidence::new(Settings::default());
        evidence.begin_step(weight, next, last);
        let missing = evidence.missing();
        assert_eq!(
            (missing.requests, missing.seconds),
            (Some(requests), None),
            "{weight}"
        );
    }
}

#[test]
fn a_step_that_is_proven_stays_proven() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    // Its evidence has sunk since; the release's suffices.
    evidence.step_best = Settings::default().needed_to_pass();
    evidence.release.multiply(1.0);
    assert!(evidence.step.evidence() < evidence.step_best);
    let missing = evidence.missing();
    assert_eq!((missing.requests, missing.seconds), (Some(0), Some(0.0)));
    assert_eq!(evidence.verdict(), Verdict::Pass);
}

#[test]
fn what_lies_beyond_a_calm_past_is_not_set_aside() {
    let calm = |settings: Settings, rate: f64, dispersion: f64| {
        let past = Background::new(Some(rate), dispersion, 1, 0.0).with_bursts(Bursts::None);
        Evidence::new(settings).with_background(past)
    };
    // 13 failures where 1.1 are tolerated: 20.2 nats as a Poisson likelihood ratio, half as many where failures come two
    // by two. Of the five that are set aside 14 less that remain.
    let mut evidence = calm(Settings::default(), 0.001, 2.0);
    near(evidence.fail_evidence(), -5.0, "nothing beyond");
    evidence.in_step.candidate = Counts::new(1_000, 13);
    near(
        evidence.fail_evidence(),
        (13.0 * (13.0_f64 / 1.1).ln() - 11.9) / 2.0 - 14.0,
        "in this step",
    );
    // As many as are tolerated are none beyond, and neither are those of which nothing at all is expected.
    evidence.in_step.candidate = Counts::new(1_000, 1);
    near(evidence.fail_evidence(), -5.0, "as expected");
    let strict = Settings::new(Margin::new(1.05, 0.0), Margin::new(1.5, 1e-3), 0.01, 0.05).unwrap();
    let mut evidence = calm(strict, 0.0, 1.0);
    evidence.in_step.candidate = Counts::new(1_000, 13);
    near(evidence.fail_evidence(), -5.0, "nothing expected");
}

#[test]
fn where_the_baseline_goes_its_own_counts_are_the_past_and_the_burst_is_remembered() {
    let mut evidence = without_warm_up();
    evidence.observe(tick((1_000, 4), (1_000, 4), 15.0));
    evidence.guard.largest = 7.5;
    evidence.begin_alone();
    near(f64::from(evidence.guard.largest), 7.5, "the burst");
    // Four, their standard deviation, and one more.
    let Against::Past { usual, .. } = evidence.compared() else {
        panic!("{evidence:?}")
    };
    near(usual, 0.007, "the past");
}

#[test]
fn traffic_that_cannot_be_one_changes_nothing() {
    let plain = Evidence::new(Settings::default());
    for pace in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(plain.clone().with_traffic(pace, &[10.0, 80.0]), plain, "{pace}");
    }
}

#[test]
fn thin_traffic_proves_the_nats_that_are_needed_over_its_requests() {
    // Ten minutes of a step at two requests a second: 300 at 25 %. Each without a failure is worth its rate, and ln 20
    // and two more nats are needed.
    let nats = 20.0_f64.ln() + 2.0;
    let mut evidence = Evidence::new(Settings::default()).with_traffic(2.0, &[10.0, 25.0, 80.0]);
    evidence.begin_step(25.0, 80.0, false);
    near(evidence.provable_in_step(25.0), nats / 300.0, "in the step");
    near(f64::from(evidence.step_floor), nats / 300.0, "its floor");
    // A quarter of what all steps are planned to have.
    near(evidence.provable(), nats / 345.0, "in the release");
    // Never more than five points, times what the step is widened by.
    near(evidence.provable_in_step(0.1), 0.05 * 2.5, "the widest");
}

/// A candidate beside a baseline until it is proven, at a weight.
fn proven(weight: f64) -> Evidence {
    let mut evidence = without_warm_up();
    evidence.begin_step(weight, weight, true);
    for at in 0..40 {
        evidence.observe(tick(
            (600, u64::from(at % 4 == 0)),
            (600, u64::from(at % 2 == 0)),
            15.0,
        ));
    }
    assert_eq!(evidence.verdict(), Verdict::Pass);
    evidence
}

#[test]
fn a_candidate_whose_baseline_goes_is_compared_with_what_that_has_shown() {
    // Two and a half minutes, and a few scrapes.
    let mut bad = proven(50.0);
    let ticks = (1..40).find(|_| {
        bad.observe(tick((600, 240), (0, 0), 15.0));
        bad.verdict() == Verdict::Fail
    });
    assert!(ticks.is_some_and(|ticks| (11..=15).contains(&ticks)), "{ticks:?}");
    // Three times the past and half a point are let through.
    let mut good = proven(50.0);
    for at in 0..400 {
        good.observe(tick((600, u64::from(at % 2 == 0)), (0, 0), 15.0));
        assert_eq!(good.verdict(), Verdict::Pass, "{at}");
    }
    assert_eq!(good.assessment().amiss, Some(Amiss::BaselineGone));
    // It is back.
    good.observe(tick((600, 1), (600, 1), 15.0));
    assert_eq!(good.assessment().amiss, None);
}

#[test]
fn a_baseline_that_chance_leaves_without_requests_is_not_gone() {
    let mut evidence = proven(95.0);
    for _ in 0..100 {
        evidence.observe(tick((30, 15), (0, 0), 15.0));
    }
    // In two and a half minutes 16 requests should have come to it.
    let seen = evidence.assessment();
    assert_eq!((seen.amiss, seen.verdict), (None, Verdict::Pass));
}

#[test]
fn a_proof_says_nothing_where_the_baseline_goes_and_the_past_is_as_bad() {
    let mut evidence = without_warm_up();
    evidence.begin_step(50.0, 50.0, true);
    (0..40).for_each(|_| evidence.observe(tick((600, 200), (600, 210), 15.0)));
    assert_eq!(evidence.verdict(), Verdict::Pass);
    (0..11).for_each(|_| evidence.observe(tick((600, 200), (0, 0), 15.0)));
    assert_eq!(evidence.verdict(), Verdict::Continue);
}

#[test]
fn an_outage_that_both_arms_share_is_not_learned_as_clumps() {
    let mut evidence = without_warm_up();
    (0..20).for_each(|at| evidence.observe(tick((400, at % 2), (400, (at + 1) % 2), 15.0)));
    for bad in [120, 90, 140, 1, 0, 1] {
        evidence.observe(tick((400, bad), (400, bad), 15.0));
    }
    near(evidence.learned.dispersion(), 1.0, "clumps");
}

#[test]
fn counts_that_wait_are_not_cut_however_many_there_are() {
    let mut evidence = without_warm_up();
    evidence.begin_step(90.0, 100.0, false);
    for _ in 0..400 {
        evidence.observe(tick((9_000_000_000, 9_000_000), (1_000_000_000, 1_000_000), 0.5));
    }
    assert_ne!(evidence.verdict(), Verdict::Fail);
    assert_eq!(
        evidence.in_step.candidate,
        Counts::new(3_600_000_000_000, 3_600_000_000)
    );
}

#[test]
fn a_short_stretch_of_one_arm_at_the_end_of_a_step_is_no_sign_that_the_baseline_is_gone() {
    let mut evidence = without_warm_up();
    evidence.begin_step(10.0, 25.0, false);
    (0..4).for_each(|_| evidence.observe(tick((75, 0), (675, 1), 15.0)));
    evidence.observe(tick((75, 1), (0, 0), 15.0));
    let before = evidence.fail.evidence();
    evidence.begin_step(25.0, 80.0, false);
    assert_eq!(evidence.assessment().amiss, None);
    near(evidence.fail.evidence(), before, "what speaks against it");
}

#[test]
fn by_what_has_come_so_far_a_baseline_may_have_less_than_its_weight_says() {
    // Traffic comes back: the version on trial has three quarters, though the step was begun with a tenth.
    let mut evidence = without_warm_up();
    evidence.begin_step(10.0, 25.0, false);
    (0..20).for_each(|_| evidence.observe(tick((3, 0), (1, 0), 15.0)));
    (0..10).for_each(|at| evidence.observe(tick((u64::from(at < 3), 0), (0, 0), 15.0)));
    assert_eq!(evidence.assessment().amiss, None);
}

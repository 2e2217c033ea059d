mod facts;
mod gone;

use super::*;
use crate::stats::Counts;

fn rule(weight: f64, gating: bool, parts: usize) -> Rule {
    Rule {
        settings: Settings::default(),
        weight,
        gating,
        parts,
    }
}

fn tick(candidate: (u64, u64), baseline: (u64, u64)) -> Tick {
    Tick::new(
        Counts::new(candidate.0, candidate.1),
        Counts::new(baseline.0, baseline.1),
        15.0,
    )
}

const GOOD: Part = ((500, 0), (4_500, 4));
const BAD: Part = ((500, 40), (4_500, 4));

/// Requests and bad ones of the candidate, and of the baseline.
type Part = ((u64, u64), (u64, u64));

fn feed(panel: &mut Panel, metric: usize, parts: &[Part], times: usize) {
    for _ in 0..times {
        panel.observe(metric, parts.iter().map(|(c, b)| tick(*c, *b)));
    }
}

#[test]
fn one_metric_alone_is_judged_as_its_own_evidence_would_be() {
    let mut panel = Panel::new(0.01, &[rule(3.0, true, 1)]);
    let mut alone = Evidence::new(Settings::default());
    panel.begin_step(10.0, 25.0, false);
    alone.begin_step(10.0, 25.0, false);
    for (c, b) in [GOOD, GOOD, BAD, GOOD, BAD, BAD, BAD, BAD, BAD] {
        panel.observe(0, [tick(c, b)]);
        alone.observe(tick(c, b));
        assert_eq!(panel.verdict(), alone.verdict());
    }
    assert_eq!(panel.assessment(0), Some(alone.assessment()));
    assert_eq!(panel.verdict(), Verdict::Fail);
}

#[test]
fn a_fail_is_final_and_its_numbers_stay() {
    let mut panel = Panel::new(0.01, &[rule(1.0, true, 1), rule(1.0, true, 1)]);
    panel.begin_step(10.0, 25.0, false);
    feed(&mut panel, 0, &[BAD], 8);
    assert_eq!((panel.verdict(), panel.telling()), (Verdict::Fail, Some(0)));
    let before = panel.clone();
    feed(&mut panel, 0, &[GOOD], 100);
    feed(&mut panel, 1, &[GOOD], 100);
    assert_eq!(panel, before);
}

#[test]
fn what_all_metrics_convict_together_is_told_as_that() {
    let mut panel = Panel::new(0.01, &[rule(1.0, true, 1), rule(1.0, true, 1)]);
    panel.begin_step(10.0, 25.0, false);
    let worse = ((500, 8), (4_500, 9));
    let ticks = (0..200).take_while(|_| {
        feed(&mut panel, 0, &[worse], 1);
        feed(&mut panel, 1, &[worse], 1);
        panel.verdict() != Verdict::Fail
    });
    assert!(ticks.count() < 200);
    assert!(panel.evidence().all(|it| it.verdict() != Verdict::Fail));
    let told: Vec<_> = (0..2).filter_map(|metric| panel.assessment(metric)).collect();
    let telling = panel.telling().unwrap();
    assert_eq!(told[telling].verdict, Verdict::Fail);
    assert!(told[telling].together && told[telling].fail == panel.against() && panel.against().reached());
    let other = told[1 - telling];
    assert_eq!((other.verdict, other.together), (Verdict::Continue, false));
}

#[test]
fn every_gating_edge_of_a_histogram_must_pass_and_one_can_fail() {
    let mut panel = Panel::new(0.01, &[rule(1.0, true, 3)]);
    panel.begin_step(10.0, 25.0, false);
    feed(&mut panel, 0, &[GOOD, GOOD, GOOD], 60);
    assert_eq!(panel.verdict(), Verdict::Pass);
    let mut slow = Panel::new(0.01, &[rule(1.0, true, 3)]);
    slow.begin_step(10.0, 25.0, false);
    feed(&mut slow, 0, &[GOOD, GOOD, BAD], 10);
    assert_eq!(slow.verdict(), Verdict::Fail);
    let told = slow.assessment(0).map(|a| a.in_step.candidate);
    assert!(
        told.is_some_and(|it| it.bad * 500 == it.requests * 40),
        "{told:?}"
    );
}

#[test]
fn the_metric_that_all_wait_for_speaks() {
    let mut panel = Panel::new(
        0.01,
        &[rule(1.0, true, 1), rule(1.0, true, 1), rule(1.0, false, 1)],
    );
    panel.begin_step(10.0, 25.0, false);
    feed(&mut panel, 0, &[GOOD], 60);
    feed(&mut panel, 1, &[((10, 0), (90, 0))], 60);
    assert_eq!((panel.verdict(), panel.telling()), (Verdict::Continue, Some(1)));
}

#[test]
fn a_panel_goes_on_from_its_checkpoints_bit_by_bit() {
    let rules = [rule(5.0, true, 1), rule(3.0, true, 2)];
    let mut panel = Panel::new(0.01, &rules);
    panel.learn(0, 0, Background::new(Some(0.001), 1.5, 2, 0.0));
    panel.expect(50.0, &[10.0, 25.0]);
    panel.begin_step(10.0, 25.0, false);
    feed(&mut panel, 0, &[GOOD], 7);
    feed(&mut panel, 1, &[GOOD, BAD], 1);
    let mut other = Panel::new(0.01, &rules);
    for metric in 0..2 {
        assert_eq!(other.resume(metric, &panel.checkpoints(metric)), Ok(()));
    }
    assert_eq!(other, panel);
    assert_eq!(
        other.resume(0, &panel.checkpoints(1)),
        Err(CheckpointError::Shape)
    );
    assert_eq!(other, panel);
}

#[test]
fn a_share_that_is_not_the_weight_is_found() {
    let mut panel = Panel::new(0.01, &[rule(1.0, true, 1)]);
    panel.begin_step(10.0, 25.0, false);
    feed(&mut panel, 0, &[((2_500, 2), (2_500, 2))], 2);
    assert_eq!(panel.not_honoured(0, 10.0), Some(50.0));
    assert_eq!(panel.not_honoured(0, 50.0), None);
    assert_eq!(panel.not_honoured(1, 10.0), None);
}

#[test]
fn a_panel_without_ratios_gives_the_same_verdicts_and_joint_agrees_with_both() {
    let mut random = crate::stats::random::Random::new(5);
    let mut seen = [0; 3];
    for case in 0..60_u32 {
        let mut panel = Panel::new(0.01, &[rule(5.0, true, 1), rule(3.0, case % 2 == 0, 3)]);
        let mut spared = panel.clone();
        spared.spare_ratios();
        let worse = 1.0 + f64::from(case % 4);
        for at in 0..90_u32 {
            for panel in [&mut panel, &mut spared] {
                if at % 30 == 0 {
                    panel.begin_step(10.0, 25.0, false);
                }
            }
            for (metric, parts) in [(0, 1), (1, 3)] {
                let ticks: Vec<Tick> = (0..parts)
                    .map(|_| {
                        let bad = random.binomial(500, (0.004 * worse).min(1.0));
                        tick((500, bad), (4_500, random.binomial(4_500, 0.004)))
                    })
                    .collect();
                panel.observe(metric, ticks.clone());
                spared.observe(metric, ticks);
                assert_eq!(panel.verdict(), spared.verdict());
                assert_eq!(panel.verdict(), panel.joint().verdict);
            }
            seen[panel.verdict() as usize] += 1;
        }
        assert_eq!(spared.assessment(0).and_then(|seen| seen.ratio), None);
    }
    assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
}

//! What a panel hands on to which of its comparisons, and which of them it lets speak.

#![allow(clippy::float_cmp)] // nothing is rounded where equality is meant

use super::super::*;
use super::rule;
use crate::stats::{Bursts, Counts, Margin};

/// Two metrics: a share, and a histogram of two edges.
fn panel() -> Panel {
    Panel::new(0.01, &[rule(5.0, true, 1), rule(3.0, true, 2)])
}

fn scrape(requests: u64, bad: u64) -> Tick {
    Tick::new(Counts::new(requests, bad), Counts::new(9 * requests, 9), 15.0)
}

fn past(rate: f64) -> Background {
    Background::new(Some(rate), 1.0, 1, 0.0)
        .with_tick_seconds(15.0)
        .with_bursts(Bursts::None)
}

#[test]
fn each_comparison_has_its_part_of_the_chance_of_a_false_rollback() {
    let panel = panel();
    let shares: Vec<f64> = panel.parts().map(|part| part.weight).collect();
    assert_eq!(shares, [0.625, 0.1875, 0.1875]);
    for (evidence, share) in panel.evidence().zip(shares) {
        assert!((evidence.settings().alpha() - 0.01 * share).abs() < 1e-15);
    }
    assert_eq!(panel.evidence().count(), 3);
    // No edges are one comparison.
    assert_eq!(Panel::new(0.01, &[rule(1.0, true, 0)]).evidence().count(), 1);
}

#[test]
fn a_panel_knows_how_many_metrics_it_has() {
    let none = Panel::new(0.01, &[]);
    assert_eq!((none.len(), none.is_empty()), (0, true));
    assert_eq!((panel().len(), panel().is_empty()), (2, false));
    assert_eq!(
        (none.telling(), none.assessment(0), none.in_step(0)),
        (None, None, None)
    );
}

#[test]
fn a_past_is_told_to_the_comparison_that_it_is_of() {
    let mut panel = panel();
    panel.learn(1, 1, past(0.25));
    panel.learn(1, 2, past(0.5));
    panel.learn(2, 0, past(0.5));
    assert_eq!(panel.pasts(0), [Background::default()]);
    assert_eq!(panel.pasts(1), [Background::default(), past(0.25)]);
    assert_eq!(panel.pasts(2), []);
}

#[test]
fn the_traffic_is_expected_by_all_comparisons_and_widens_where_it_is_thin() {
    let relative = Settings::new(Margin::new(1.0, 0.0), Margin::new(1.5, 0.0), 0.01, 0.05).unwrap();
    let mut panel = panel();
    panel.learn(0, 0, past(0.002));
    let widened = |panel: &Panel| [panel.widened(0), panel.widened(1), panel.widened(2)];
    // Nothing is known of the traffic: then the margins hold, also one that is nothing at all.
    assert_eq!(widened(&panel), [None; 3]);
    let nothing = Rule {
        settings: relative,
        ..rule(1.0, true, 1)
    };
    assert_eq!(Panel::new(0.01, &[nothing]).widened(0), None);
    let mut rich = panel.clone();
    rich.expect(1e9, &[10.0, 25.0]);
    assert_eq!(widened(&rich), [None; 3]);
    // 1 request a second, 35 % of it for 600 s a step: a quarter of 210. That many cannot tell the candidate from
    // what lies below the widest margin: 1.5 times the past's rate and five points.
    panel.expect(1.0, &[10.0, 25.0]);
    assert!(panel.evidence().all(|it| it.given.pace == Some(1.0)));
    let [first, second, none] = widened(&panel);
    assert!((first.unwrap() - 0.053).abs() < 1e-12, "{first:?}");
    assert!((second.unwrap() - 0.05).abs() < 1e-12, "{second:?}");
    assert_eq!(none, None);
}

#[test]
fn a_step_begins_for_all_metrics_or_for_one() {
    let seen = |panel: &Panel| -> Vec<(f32, u64)> {
        let of = |it: &Evidence| (it.weight, it.counts_in_step().candidate.requests);
        panel.evidence().map(of).collect()
    };
    let mut panel = panel();
    panel.begin_step(10.0, 25.0, false);
    panel.observe(0, [scrape(100, 0)]);
    panel.observe(1, [scrape(200, 0), scrape(300, 0)]);
    panel.observe(2, [scrape(400, 0)]);
    assert_eq!(seen(&panel), [(10.0, 100), (10.0, 200), (10.0, 300)]);
    panel.begin_step_of(2, (50.0, 50.0, true));
    assert_eq!(seen(&panel), [(10.0, 100), (10.0, 200), (10.0, 300)]);
    panel.begin_step_of(1, (25.0, 50.0, false));
    assert_eq!(seen(&panel), [(10.0, 100), (25.0, 0), (25.0, 0)]);
    panel.begin_step(80.0, 100.0, true);
    assert_eq!(seen(&panel), [(80.0, 0); 3]);
}

#[test]
fn as_many_pods_take_part_as_were_told_of_their_metric() {
    let mut panel = panel();
    panel.set_candidate_pods(1, 7);
    panel.set_candidate_pods(2, 9);
    let pods: Vec<u32> = panel.evidence().map(|it| it.given.candidate_pods).collect();
    assert_eq!(pods, [1, 7, 7]);
}

#[test]
fn a_metric_that_is_alone_is_judged_where_one_of_its_comparisons_has_a_past() {
    let state = |panel: &Panel| -> Vec<(bool, bool)> {
        (0..3)
            .map(|it| (panel.is_alone(it), panel.is_judged(it)))
            .collect()
    };
    let mut panel = panel();
    assert_eq!(state(&panel), [(false, true), (false, true), (false, false)]);
    let mut known = panel.clone();
    known.learn(1, 1, past(0.001));
    for panel in [&mut panel, &mut known] {
        panel.begin_alone_of(1);
        panel.begin_alone_of(2);
    }
    assert_eq!(state(&panel), [(false, true), (true, false), (false, false)]);
    assert_eq!(state(&known), [(false, true), (true, true), (false, false)]);
    // The edge that is judged speaks for the metric, or else any.
    let against = |panel: &Panel| panel.assessment(1).map(|seen| seen.against);
    assert_eq!(against(&panel), Some(Against::Nothing));
    let Some(Against::Past { usual, .. }) = against(&known) else {
        panic!("{:?}", against(&known));
    };
    assert_eq!(usual, 0.001);
}

/// What a metric shows that has this verdict, so much evidence beside what a rollback needs, and waits so long.
fn shows(verdict: Verdict, (evidence, needed): (f64, f64), seconds: Option<f64>) -> Assessment {
    let mut seen = Evidence::new(Settings::default()).assessment();
    seen.verdict = verdict;
    seen.fail = Evidenced { evidence, needed };
    seen.missing.seconds = seconds;
    seen
}

#[test]
fn of_two_comparisons_the_first_that_failed_speaks_or_what_lacks_a_pass_or_else_the_worse_one() {
    use Verdict::{Continue, Fail, Pass};
    for (first, second, speaks) in [
        // The first that failed, whatever the others say.
        ((Fail, 5.0), (Fail, 9.0), 0),
        ((Fail, 5.0), (Continue, 9.0), 0),
        ((Fail, 5.0), (Pass, 9.0), 0),
        ((Continue, 9.0), (Fail, 5.0), 1),
        ((Pass, 9.0), (Fail, 5.0), 1),
        // One without a pass before one with it.
        ((Continue, 1.0), (Pass, 2.0), 0),
        ((Pass, 2.0), (Continue, 1.0), 1),
        // Of equal ones that with more evidence against the candidate; the first if that is equal too.
        ((Continue, 1.0), (Continue, 2.0), 1),
        ((Continue, 2.0), (Continue, 1.0), 0),
        ((Continue, 1.0), (Continue, 1.0), 0),
        ((Pass, 1.0), (Pass, 2.0), 1),
        ((Pass, 2.0), (Pass, 1.0), 0),
        ((Pass, 1.0), (Pass, 1.0), 0),
    ] {
        let of = |(verdict, evidence), seconds| shows(verdict, (evidence, 5.0), Some(seconds));
        let told = telling(of(first, 0.0), of(second, 1.0));
        assert_eq!(
            told.missing.seconds,
            Some(f64::from(speaks)),
            "{first:?} {second:?}"
        );
    }
}

#[test]
fn before_a_fail_the_gating_metric_speaks_whose_pass_is_furthest_away() {
    use Verdict::{Continue, Pass};
    let gates = [rule(1.0, true, 1), rule(1.0, true, 1), rule(1.0, false, 1)];
    let panel = Panel::new(0.01, &gates);
    let waits = |seconds| shows(Continue, (0.0, 5.0), seconds);
    let calm = |verdict, evidence| shows(verdict, (evidence, 5.0), Some(900.0));
    for (seen, speaks) in [
        (vec![waits(Some(30.0)), waits(Some(60.0))], 1),
        (vec![waits(Some(60.0)), waits(Some(30.0))], 0),
        (vec![waits(Some(60.0)), waits(Some(60.0))], 0),
        (vec![waits(Some(60.0)), waits(None)], 1),
        // One that has passed, or that no pass needs, does not keep the others waiting.
        (vec![calm(Pass, 3.0), waits(Some(1.0)), calm(Continue, 4.0)], 1),
        // If none waits: the most evidence against the candidate.
        (vec![calm(Pass, 3.0), calm(Pass, 4.0), calm(Continue, 2.0)], 1),
        (vec![calm(Pass, 3.0), calm(Pass, 2.0), calm(Continue, 4.0)], 2),
        // More than there are metrics.
        (vec![waits(Some(1.0)); 4], 0),
    ] {
        assert_eq!(panel.telling_of(&seen), Some(speaks), "{seen:?}");
    }
}

#[test]
fn after_a_fail_the_metric_speaks_that_is_furthest_beyond_what_it_needs() {
    let mut panel = panel();
    panel.failed = true;
    for (first, second, speaks) in [
        ((8.0, 5.0), (7.0, 3.0), 1),
        ((8.0, 5.0), (3.0, 1.0), 0),
        ((8.0, 5.0), (8.0, 5.0), 0),
        ((-9.0, 5.0), (-8.0, 5.0), 1),
    ] {
        let seen = [first, second].map(|it| shows(Verdict::Continue, it, Some(0.0)));
        assert_eq!(panel.telling_of(&seen), Some(speaks), "{first:?} {second:?}");
    }
}

#[test]
fn a_fail_outlives_a_restart() {
    let mut failed = panel();
    failed.begin_step(10.0, 25.0, false);
    for _ in 0..20 {
        failed.observe(1, [scrape(500, 40), scrape(500, 0)]);
    }
    assert_eq!(failed.verdict(), Verdict::Fail);
    let mut other = panel();
    for metric in 0..2 {
        assert_eq!(other.resume(metric, &failed.checkpoints(metric)), Ok(()));
    }
    assert_eq!(other, failed);
    assert_eq!(other.resume(2, &[]), Err(CheckpointError::Shape));
}

#[test]
fn a_panel_is_idle_when_no_request_comes_by_any_metric() {
    let mut panel = Panel::new(0.01, &[rule(5.0, true, 1), rule(3.0, true, 1)]);
    panel.begin_step(50.0, 50.0, true);
    let tick = |n: u64| Tick::new(Counts::new(n, 0), Counts::new(n, 0), 15.0);
    for _ in 0..60 {
        panel.observe(0, [tick(6_000)]);
        panel.observe(1, [tick(6_000)]);
    }
    assert_eq!(panel.verdict(), Verdict::Pass);
    for at in 1..=20 {
        panel.observe(0, [tick(0)]);
        // The other has one request more.
        panel.observe(1, [tick(u64::from(at == 5))]);
        let idle = at > 15;
        assert_eq!(panel.is_idle(), idle, "{at}");
    }
    panel.observe(1, [tick(1)]);
    assert!(!panel.is_idle());
}

//! A histogram to whose baseline nothing comes any more: what becomes of its proofs, and what is said.

use super::super::*;
use super::rule;
use crate::stats::{Amiss, Counts, Missing, Trouble};

/// Of a thousand requests so many are as a rule slower than the median, the 90th and the 99th percentile.
const USUAL: [u64; 3] = [500, 100, 10];

/// Requests of the candidate, of which so many of a thousand are slow at each edge, and of the baseline.
fn scrape(panel: &mut Panel, slow: [u64; 3], (mine, theirs): (u64, u64)) {
    let tick = |(slow, usual): (u64, u64)| {
        Tick::new(
            Counts::new(mine, mine * slow / 1_000),
            Counts::new(theirs, theirs * usual / 1_000),
            15.0,
        )
    };
    panel.observe(0, slow.into_iter().zip(USUAL).map(tick));
}

/// A candidate that is slow as usual, beside its baseline for so many scrapes.
fn beside(scrapes: usize, requests: u64) -> Panel {
    let mut panel = Panel::new(0.01, &[rule(1.0, true, 3)]);
    panel.begin_step(50.0, 50.0, true);
    (0..scrapes).for_each(|_| scrape(&mut panel, USUAL, (requests, requests)));
    panel
}

#[test]
fn a_proof_stays_where_the_past_judges_another_edge() {
    let mut panel = beside(40, 6_000);
    assert_eq!(panel.verdict(), Verdict::Pass);
    for at in 0..400 {
        scrape(&mut panel, USUAL, (12_000, 0));
        let seen = panel.assessment(0).unwrap();
        assert_eq!(
            (panel.verdict(), panel.joint().verdict, seen.verdict),
            (Verdict::Pass, Verdict::Pass, Verdict::Pass),
            "{at}"
        );
    }
    let seen = panel.assessment(0).unwrap();
    assert_eq!(
        (seen.amiss, seen.against),
        (Some(Amiss::BaselineGone), Against::Beside)
    );
    // What becomes far slower than ever is found by the edges at which that can be.
    let mut slower = panel.clone();
    let fails = (1..20).find(|_| {
        scrape(&mut slower, [900, 500, 100], (12_000, 0));
        slower.verdict() == Verdict::Fail
    });
    assert!(fails.is_some(), "{:?}", slower.against());
    // It is back.
    scrape(&mut panel, USUAL, (6_000, 6_000));
    assert_eq!(
        (panel.verdict(), panel.assessment(0).unwrap().amiss),
        (Verdict::Pass, None)
    );
}

#[test]
fn what_was_not_proven_before_is_not_proven_without_a_baseline() {
    let mut panel = beside(40, 6_000);
    panel.begin_step(50.0, 50.0, true);
    (0..4).for_each(|_| scrape(&mut panel, USUAL, (60, 60)));
    (0..400).for_each(|_| scrape(&mut panel, USUAL, (120, 0)));
    assert_eq!(panel.verdict(), Verdict::Continue);
    let seen = panel.assessment(0).unwrap();
    assert_eq!(
        (seen.verdict, seen.amiss),
        (Verdict::Continue, Some(Amiss::BaselineGone))
    );
    // However many requests come, they prove nothing.
    assert_eq!(seen.missing, Missing::UNKNOWN);
    assert_eq!(seen.trouble(), Some(Trouble::OneArm));
}

#[test]
fn where_no_edge_can_be_judged_nothing_passes() {
    let mut panel = Panel::new(0.01, &[rule(1.0, true, 2)]);
    panel.begin_step(50.0, 50.0, true);
    let slow = |bad| {
        [600, 400].map(|of| {
            Tick::new(
                Counts::new(6_000, 6 * of),
                Counts::new(bad, bad * of / 1_000),
                15.0,
            )
        })
    };
    (0..40).for_each(|_| panel.observe(0, slow(6_000)));
    assert_eq!(panel.verdict(), Verdict::Pass);
    (0..11).for_each(|_| panel.observe(0, slow(0)));
    let seen = panel.assessment(0).unwrap();
    assert_eq!(
        (panel.verdict(), panel.joint().verdict, seen.verdict, seen.against),
        (
            Verdict::Continue,
            Verdict::Continue,
            Verdict::Continue,
            Against::Nothing
        )
    );
    assert_eq!(
        (seen.missing, seen.trouble()),
        (Missing::UNKNOWN, Some(Trouble::OneArm))
    );
    panel.observe(0, slow(6_000));
    assert_eq!(panel.verdict(), Verdict::Pass);
}

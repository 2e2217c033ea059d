//! What the past convicted while nobody else served.

use super::super::super::cached::is_excused;
use super::*;
use crate::engine::Weight;
use crate::engine::state::{Gap, Release, Stage};
use crate::stats::{Counts, Tick};

/// A release with all traffic that served alone until then.
fn release(until: i64) -> Release {
    Release {
        revision: Revision::named("v2"),
        started: second(0),
        entered: second(ENTERED[3]),
        ladder: Vec::new(),
        rung: 3,
        passed: 3,
        weight: Weight::FULL,
        stage: Stage::Judging,
        granted: 4,
        approved: true,
        paused: false,
        lost: 0,
        restarts: None,
        gap: Some(Gap {
            from: second(until - 60),
            until: Some(second(until)),
            alone: true,
        }),
        overstayed: None,
    }
}

#[test]
fn what_the_past_says_until_somebody_else_can_serve_is_dropped() {
    let plan = Plan::with_bake_share(0);
    let mut trial = begin(&plan);
    trial.judge.begin_rung(&plan, 3, 4);
    assert!(!is_excused(&trial, &release(700)));
    let mut at = ENTERED[3];
    while !trial.judge.evidence().by_past {
        at += INTERVAL;
        let bad = Tick::new(Counts::new(750, 300), Counts::default(), 15.0);
        trial.judge.observe(0, second(at), [bad]);
        trial.judge.observe(1, second(at), [bad; 2]);
    }
    assert!(is_excused(&trial, &release(at)));
    assert!(!is_excused(&trial, &release(at - 1)));
    let never = Release {
        gap: None,
        ..release(at)
    };
    assert!(!is_excused(&trial, &never));
    // Somebody has removed it, since the time in which it served alone.
    let removed = |from| Release {
        gap: Some(Gap {
            from: second(from),
            until: None,
            alone: false,
        }),
        ..release(at)
    };
    assert!(is_excused(&trial, &removed(at)));
    assert!(!is_excused(&trial, &removed(at + 1)));
}

/// Where its series went with the stable pods, they are back with them, long before anything counts again.
#[tokio::test]
async fn a_reading_that_is_left_out_ends_a_silence() {
    let plan = plan();
    let mut trial = begin(&plan);
    live(&plan, &mut trial, ENTERED[0], 60).await;
    let at = trial.judge.evidence().at;
    for index in 0..2 {
        trial.judge.miss(index, second(60), "no series of the baseline");
    }
    assert!(trial.judge.evidence().silent.is_some());
    trial.leave_out(
        release(3_600).gap.map(|gap| Gap {
            from: second(60),
            ..gap
        }),
        &plan,
    );
    live(&plan, &mut trial, 61, 120).await;
    let evidence = trial.judge.evidence();
    assert_eq!((evidence.silent, evidence.at), (None, at));
}

use super::*;
use crate::engine::plan::GateMode;
use crate::stats::{Background, Counts, Tick};

fn plan(gating: bool) -> Plan {
    let spec = serde_json::json!({
        "workload": {"name": "app"},
        "traffic": {"gatewayAPI": {"routes": [{"name": "app"}]}},
        "analysis": {
            "baseline": {"bakeShare": 0},
            "metrics": [{"name": "a"}, {"name": "b", "gating": gating}],
        },
    });
    Plan::admit(&serde_json::from_value(spec).unwrap(), GateMode::Admission).unwrap()
}

fn at(scrape: i64) -> Moment {
    Moment::from_second(15 * scrape).unwrap()
}

/// A judge that comes to the bake with all traffic without having seen anything; the past knows `a`, and `b` if it is
/// told.
fn bakes(plan: &Plan, b: Option<f64>) -> Judge {
    let brief = |(name, rate): (&str, Option<f64>)| Brief {
        metric: name.to_owned(),
        routed: true,
        past: vec![Background::new(rate, 1.0, 1, 0.0)],
    };
    let briefs = [("a", Some(0.001)), ("b", b)].map(brief);
    let mut judge = Judge::of(plan, &Revision::named("v2"), &briefs, None);
    assert!(plan.is_alone(3) && !plan.is_alone(2));
    judge.begin_rung(plan, 3, 4);
    judge
}

fn watch(judge: &mut Judge, bad: u64) -> Evidence {
    for scrape in 1..=40 {
        for metric in 0..2 {
            let tick = Tick::new(Counts::new(750, bad), Counts::default(), 15.0);
            judge.observe(metric, at(scrape), [tick]);
        }
    }
    judge.evidence()
}

#[test]
fn with_all_traffic_the_past_is_told_with_its_numbers() {
    let plan = plan(true);
    let good = watch(&mut bakes(&plan, Some(0.001)), 0);
    assert_eq!((good.verdict, &good.silent), (Verdict::Continue, &None));
    assert!(good.current(&Revision::named("v2"), 3, at(0)));
    assert!(
        good.summary.starts_with(
            "a 0 % (0/30,000) with nothing beside it, 0.1 % in the past: up to 0.8 % is let through; evidence against it 0.0 of"
        ),
        "{}",
        good.summary
    );
    let bad = watch(&mut bakes(&plan, Some(0.001)), 40);
    assert_eq!(bad.verdict, Verdict::Fail);
    assert!(bad.summary.contains("with nothing beside it"), "{}", bad.summary);
    assert!(bad.by_past && !good.by_past);
}

/// Only the metric that decided counts: another one may have its baseline still.
#[test]
fn a_fail_beside_a_baseline_rests_on_no_past() {
    let plan = plan(true);
    let mut judge = bakes(&plan, Some(0.001));
    judge.begin_rung_of(0, &plan, (2, 4), None);
    for scrape in 1..=40 {
        let beside = Tick::new(Counts::new(750, 80), Counts::new(750, 0), 15.0);
        judge.observe(0, at(scrape), [beside]);
        judge.observe(
            1,
            at(scrape),
            [Tick::new(Counts::new(750, 0), Counts::default(), 15.0)],
        );
    }
    let evidence = judge.evidence();
    assert_eq!((evidence.verdict, evidence.by_past), (Verdict::Fail, false));
}

#[test]
fn without_a_past_nothing_is_judged_and_nothing_passes() {
    let plan = plan(true);
    let evidence = watch(&mut bakes(&plan, None), 0);
    let (since, why) = evidence.silent.clone().unwrap();
    assert_eq!(since, at(1));
    assert!(
        why.starts_with("b: nothing runs beside the candidate, and the past tells too little"),
        "{why}"
    );
    assert!(!evidence.current(&Revision::named("v2"), 3, at(0)));
    assert!(
        evidence.summary.contains("b 0 % (0/30,000): nothing runs"),
        "{}",
        evidence.summary
    );
    // A metric that holds nobody does not hold here either; the other one is judged all the same.
    let plan = self::plan(false);
    let evidence = watch(&mut bakes(&plan, None), 0);
    assert!(evidence.silent.is_none() && evidence.current(&Revision::named("v2"), 3, at(0)));
    assert_eq!(watch(&mut bakes(&plan, None), 40).verdict, Verdict::Fail);
}

/// The other one may be silent since all traffic is on the version on trial, and still speak of the step before.
#[test]
fn a_fail_speaks_of_the_rung_of_the_metric_that_decided() {
    let plan = plan(true);
    let mut judge = bakes(&plan, Some(0.001));
    judge.begin_rung_of(1, &plan, (2, 4), None);
    for (bad, verdict, rung) in [(0, Verdict::Continue, 2), (40, Verdict::Fail, 3)] {
        for scrape in 1..=40 {
            let tick = Tick::new(Counts::new(750, bad), Counts::default(), 15.0);
            judge.observe(0, at(scrape), [tick]);
        }
        let evidence = judge.evidence();
        assert_eq!(
            (evidence.verdict, evidence.rung),
            (verdict, rung),
            "{}",
            evidence.summary
        );
        assert_eq!(evidence.at.is_some(), verdict == Verdict::Fail);
    }
}

#[test]
fn a_metric_that_holds_nobody_does_not_hold_by_its_silence() {
    let briefs = ["a", "b"].map(|name| Brief {
        metric: name.to_owned(),
        routed: true,
        past: vec![Background::new(Some(0.001), 1.0, 1, 0.0)],
    });
    for gating in [false, true] {
        let plan = plan(gating);
        let mut judge = Judge::of(&plan, &Revision::named("v2"), &briefs, None);
        judge.begin_rung(&plan, 0, 1);
        for scrape in 1..=60 {
            judge.observe(
                0,
                at(scrape),
                [Tick::new(Counts::new(750, 0), Counts::new(6_750, 6), 15.0)],
            );
            judge.miss(1, at(scrape), "b: nothing of the candidate");
        }
        let evidence = judge.evidence();
        let clear = evidence.silent.is_none() && evidence.current(&Revision::named("v2"), 0, at(0));
        assert_eq!(
            (evidence.verdict == Verdict::Pass, clear),
            (!gating, !gating),
            "{evidence:?}"
        );
    }
}

#[test]
fn the_share_of_an_outage_is_not_held_against_the_time_after_it() {
    let plan = plan(true);
    let briefs = [Brief {
        metric: "a".to_owned(),
        routed: true,
        past: vec![Background::new(Some(0.001), 1.0, 1, 0.0)],
    }];
    let mut judge = Judge::of(&plan, &Revision::named("v2"), &briefs, None);
    judge.begin_rung(&plan, 0, 1);
    // The gateway gives all requests to the candidate meanwhile, for ten minutes.
    for scrape in 1..=60 {
        let gone = (11..=50).contains(&scrape);
        let (mine, theirs) = if gone { (7_500, 0) } else { (750, 6_750) };
        let tick = Tick::new(Counts::new(mine, 0), Counts::new(theirs, 6), 15.0);
        judge.observe(0, at(scrape), [tick]);
        let share = judge.standing().share;
        assert_eq!(share.is_some(), gone, "{scrape}: {share:?}");
    }
}

#[test]
fn the_proof_is_told_as_whole_only_where_the_step_may_be_left() {
    let plan = plan(true);
    let briefs = ["a", "b"].map(|name| Brief {
        metric: name.to_owned(),
        routed: true,
        past: vec![Background::new(Some(0.001), 1.0, 1, 0.0)],
    });
    let mut judge = Judge::of(&plan, &Revision::named("v2"), &briefs, None);
    judge.begin_rung(&plan, 0, 1);
    let mut waited = 0;
    for scrape in 1..=60 {
        for metric in 0..2 {
            let (mine, theirs) = (u64::from(scrape % 15 == 3), u64::from(scrape % 2 == 0));
            let tick = Tick::new(Counts::new(75, mine), Counts::new(675, theirs), 15.0);
            judge.observe(metric, at(scrape), [tick]);
        }
        let Some(mark) = crate::engine::report::mark(&plan, &judge) else {
            continue;
        };
        let whole = |it: stats::Evidenced| it.evidence >= it.needed;
        let seen: Vec<_> = judge.assessments().map(|(_, seen)| seen).collect();
        let proven = |it: &stats::Assessment| whole(it.step) && whole(it.release);
        assert!(
            mark.in_favour < 1.0 || seen.iter().all(proven),
            "{scrape}: {mark:?}"
        );
        // The step alone is proven, and the release is not yet: what is missing is told.
        if seen.iter().any(|it| whole(it.step) && !whole(it.release)) {
            waited += 1;
            assert!(mark.missing_seconds.is_some(), "{scrape}: {mark:?}");
        }
    }
    assert!(waited > 0);
}

/// A provider that was killed answers with its old samples for minutes, until it has scraped its targets again.
#[test]
fn what_shows_no_request_is_no_reading_after_a_silence() {
    let plan = plan(true);
    let mut judge = bakes(&plan, Some(0.001));
    let tick = |requests| [Tick::new(Counts::new(requests, 0), Counts::default(), 15.0)];
    let both = |judge: &mut Judge, scrape: i64, requests: u64| {
        (0..2).for_each(|metric| judge.observe(metric, at(scrape), tick(requests)));
        judge.evidence()
    };
    let before = both(&mut judge, 1, 750);
    assert_eq!((before.at, before.standing.measured.as_secs()), (Some(at(1)), 15));
    (0..2).for_each(|metric| judge.miss(metric, at(2), "away"));
    for scrape in 3..20 {
        let old = both(&mut judge, scrape, 0);
        assert_eq!((old.at, old.standing.measured.as_secs()), (Some(at(1)), 15));
        let (since, why) = old.silent.expect("silent");
        assert!(
            since == at(2) && why.contains("no request has been counted since"),
            "{why}"
        );
    }
    // Its counters have gone on meanwhile: the time is seen after all.
    let new = both(&mut judge, 20, 9_000);
    assert_eq!((new.at, new.silent), (Some(at(20)), None));
    assert_eq!(new.standing.measured.as_secs(), 15 * 19);
    // The first answer after a longer silence may be about the time before it.
    (21..30).for_each(|scrape| (0..2).for_each(|metric| judge.miss(metric, at(scrape), "away")));
    let (_, why) = both(&mut judge, 30, 90).silent.expect("silent");
    assert!(why.contains("the next reading tells"), "{why}");
    assert!(both(&mut judge, 31, 0).silent.is_some());
    assert_eq!(both(&mut judge, 32, 9_000).silent, None);
    // Nor are those of before it, which the lag has kept from being read: the provider tells them as soon as it is back.
    for now in [33, 40] {
        (0..2).for_each(|metric| judge.miss_provider(metric, at(now), "away"));
    }
    for (scrape, silent) in [(31, true), (32, true), (34, true), (35, false)] {
        let seen = both(&mut judge, scrape, 750);
        assert_eq!(seen.silent.is_some(), silent, "{scrape}");
    }
    // What is left out is an answer, too: a miss after it is the first one of another silence.
    (33..40).for_each(|scrape| (0..2).for_each(|metric| judge.miss(metric, at(scrape), "away")));
    (0..2).for_each(|metric| judge.leave_out(metric));
    (0..2).for_each(|metric| judge.miss(metric, at(41), "away"));
    assert_eq!(both(&mut judge, 42, 9_000).silent, None);
}

use super::*;
use crate::stats::{Evidence, Settings, Tick};

#[test]
fn numbers_read_like_a_person_writes_them() {
    assert_eq!(percent(31.0 / 1480.0), "2.1 %");
    assert_eq!(percent(15.0 / 13302.0), "0.11 %");
    assert_eq!(percent(0.0), "0 %");
    assert_eq!(percent(1.0), "100 %");
    assert_eq!(digits(38.4), "38");
    assert_eq!(grouped(13302), "13,302");
    assert_eq!(grouped(999), "999");
    assert_eq!(span(600.0), "10 min");
    assert_eq!(rate(Counts::new(1480, 31)), "2.1 % (31/1,480)");
}

#[test]
fn evidence_looks_sufficient_only_where_it_is() {
    let told = |evidence, needed| reaches(Evidenced { evidence, needed });
    for (evidence, needed, shown) in [
        (0.66, 0.693, "0.6 of 0.7"),
        (0.693, 0.693, "0.7 of 0.7"),
        (2.9961, 2.9957, "3.0 of 3.0"),
        (4.64, 4.65, "4.6 of 4.7"),
        (4.605, 4.6052, "4.5 of 4.6"),
        (-3.64, 4.6, "-3.6 of 4.6"),
        (9.28, 4.6, "9.3 of 4.6"),
    ] {
        assert_eq!(told(evidence, needed), shown);
    }
}

#[test]
fn what_no_metric_proves_alone_is_told_as_the_evidence_of_all() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(50.0, 75.0, false);
    evidence.observe(Tick::new(Counts::new(400, 9), Counts::new(400, 1), 15.0));
    let seen = Assessment {
        verdict: Verdict::Fail,
        fail: Evidenced {
            evidence: 4.71,
            needed: 4.605,
        },
        together: true,
        ..evidence.assessment()
    };
    let said = sentence("e", &seen);
    assert!(
        said.ends_with("; evidence of all metrics against it 4.7 of 4.6 needed"),
        "{said}"
    );
}

/// As `errors` of the demo is seen while it warms up: nobody reading 23 % against 0.14 % asks for the proof of a pass.
#[test]
fn what_plainly_fails_is_told_by_what_speaks_against_it() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    evidence.observe(Tick::new(Counts::new(129, 30), Counts::new(1406, 2), 30.0));
    let failing = Assessment {
        verdict: Verdict::Continue,
        suspicion: Evidenced {
            evidence: 0.0,
            needed: 0.4,
        },
        warming: None,
        ..evidence.assessment()
    };
    let weak = |evidence| Assessment {
        fail: Evidenced {
            evidence,
            needed: 4.6,
        },
        ..failing
    };
    assert!(
        sentence("e", &weak(-1.0)).ends_with("; evidence against it 0.0 of 4.6 needed"),
        "the whole interval of the ratio lies above 1"
    );
    let by_evidence = Assessment {
        ratio: None,
        ..weak(2.3)
    };
    assert!(sentence("e", &by_evidence).ends_with("; evidence against it 2.3 of 4.6 needed"));
    let fresh = Assessment {
        warming: Some(Warming::Step),
        ..weak(-1.0)
    };
    let why = "evidence against it 0.0 of 4.6 needed; the step warms up: only gross faults count meanwhile";
    assert!(sentence("e", &fresh).ends_with(why));
    let neither = Assessment {
        ratio: None,
        ..weak(-1.0)
    };
    assert!(sentence("e", &neither).contains("evidence for it"));
    let suspected = Assessment {
        suspicion: Evidenced {
            evidence: 2.8,
            needed: 0.4,
        },
        ..by_evidence
    };
    assert!(
        sentence("e", &suspected)
            .ends_with("(suspicion 2.8, where 0.4 keeps the weight); evidence against it 2.3 of 4.6 needed")
    );
}

/// Where the proof is no longer awaited nobody is told how many requests it lacks.
#[test]
fn a_bake_is_told_by_what_speaks_against_it() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(95.0, 100.0, true);
    evidence.observe(Tick::new(Counts::new(400, 0), Counts::new(30, 0), 15.0));
    let seen = evidence.assessment();
    assert!(sentence("e", &seen).contains("evidence for it"));
    let said = watched("e", &seen);
    assert!(
        said.contains("; evidence against it 0.0 of ") && !said.contains("missing"),
        "{said}"
    );
}

#[test]
fn silence_beside_the_candidate_is_told_in_place_of_a_forecast() {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(50.0, 75.0, false);
    for _ in 0..20 {
        evidence.observe(Tick::new(Counts::new(400, 0), Counts::default(), 15.0));
    }
    let said = sentence("e", &evidence.assessment());
    assert!(
        said.ends_with("and no request beside it to compare with"),
        "{said}"
    );
}

/// So many scrapes of 600 requests on either side, so many of which are bad, and then of the candidate alone.
fn abandoned(scrapes: usize, bad: u64) -> Assessment {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(50.0, 50.0, true);
    let counts = Counts::new(600, bad);
    (0..scrapes).for_each(|_| evidence.observe(Tick::new(counts, counts, 15.0)));
    (0..20).for_each(|_| evidence.observe(Tick::new(counts, Counts::default(), 15.0)));
    evidence.assessment()
}

#[test]
fn a_baseline_that_is_gone_is_told_in_place_of_a_forecast() {
    const GONE: &str = "nothing comes to the baseline any more: only what is far worse than the past counts";
    let said = sentence("e", &abandoned(5, 0));
    assert!(
        said.starts_with("e 0 % (0/15,000) against 0 % (0/3,000) beside it; evidence for it ")
            && said.ends_with(&format!(" of 3.0 needed; {GONE}")),
        "{said}"
    );
    // What is proven stays so.
    let said = sentence("e", &abandoned(40, 0));
    assert!(said.ends_with(&format!(" of 3.0 needed; {GONE}")), "{said}");
    // Thrice as much would be more than all: there is no far worse.
    for scrapes in [5, 40] {
        let told = "e 40 % (6,000/15,000): nothing comes to the baseline any more, and the past tells too little to compare \
                    it with: it is not judged until something does";
        let told = if scrapes == 5 {
            told.to_owned()
        } else {
            told.replace("6,000/15,000", "14,400/36,000")
        };
        assert_eq!(sentence("e", &abandoned(scrapes, 240)), told);
    }
}

#[test]
fn a_gauge_is_told_with_its_remedy() {
    let seen = Outlook {
        used: 0.35,
        forecast: 0.93,
        upper: 0.97,
        full: 0.93,
        limit: 0.8,
        weight: 100.0,
        fits: Fits::No,
        pods: Some(5),
        if_it_follows: None,
    };
    let told = |change: &dyn Fn(&mut Outlook)| {
        let mut seen = seen;
        change(&mut seen);
        saturated("cpu", &seen)
    };
    assert_eq!(
        told(&|_| {}),
        "cpu: at 100 % each pod would use 93 % of its limit, where 80 % is the most: 5 pods would suffice"
    );
    assert_eq!(
        told(&|it| (it.forecast, it.upper, it.pods) = (0.79, 0.82, None)),
        "cpu: at 100 % each pod would use 79 % (up to 82 %) of its limit, where 80 % is the most, and more pods do not \
         help"
    );
    assert_eq!(
        told(&|it| (it.fits, it.upper, it.forecast, it.weight) = (Fits::Warn, 0.5, 0.41, 25.0)),
        "cpu: at 100 % each pod would use 93 % of its limit, where 80 % is the most"
    );
    assert_eq!(
        told(&|it| (it.fits, it.forecast, it.weight) = (Fits::Yes, 0.405, 12.5)),
        "cpu: at 12 % each pod would use 40 % of its limit"
    );
    assert!(told(&|it| it.fits = Fits::Warn).ends_with("too vague to hold for"));
    assert!(told(&|it| it.fits = Fits::Unsure).ends_with("where 80 % is the most; more readings will tell"));
    assert_eq!(
        told(&|it| (it.fits, it.upper, it.forecast, it.if_it_follows) = (Fits::Warn, 0.67, 0.65, Some(0.88))),
        "cpu: at 100 % each pod would use 65 % of its limit; if it followed the traffic, which it has not shown, it \
         would be 88 %, where 80 % is the most"
    );
}

#[test]
fn a_leak_says_how_long_there_is() {
    let seen = Growth {
        hourly: 0.32,
        used: 0.61,
        until: 4390.0,
        danger: crate::stats::leak::Danger::Holds,
    };
    assert_eq!(
        leaking("memory", &seen),
        "memory: each pod grows by 32 % of its limit an hour beyond those beside it; the fullest is at 61 % and has 73 min"
    );
    let cost = Cost {
        low: 1.31,
        ratio: 1.42,
        high: 1.58,
    };
    assert_eq!(
        costly("cpu", &cost),
        "cpu: a request costs 1.4× (1.3–1.6×) what it costs beside it"
    );
}

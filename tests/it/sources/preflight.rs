//! What preflight says before a release may begin.

use serin::ports::{Sample, SourceError};
use serin::sources::preflight::Look;
use serin::sources::{Arm, Choice, Outlook, Preflight, Queries, Tally, pods_of_deployment};

use super::script::{Script, codes, second};

fn baseline() -> Arm {
    Arm {
        namespace: "shop".into(),
        service: "checkout".into(),
        ports: vec![80],
        pods: pods_of_deployment("checkout"),
        edges: Vec::new(),
    }
}

fn search() -> Preflight {
    Preflight::new(Choice::preset(None, false), &baseline()).expect("renders")
}

fn look(total: Vec<Sample>) -> Look {
    Look {
        total: Ok(total),
        bad: Ok(vec![]),
        again: None,
    }
}

/// A look at the six searched variants, each with this count, or with no series.
fn looks(counts: [Option<u32>; 6]) -> Vec<Look> {
    let total = |count: Option<u32>| count.map_or_else(Vec::new, |count| codes(0, &[(200, count)]));
    counts.map(|count| look(total(count))).into()
}

fn found(outlook: &Outlook) -> Option<(&str, &str)> {
    match outlook {
        Outlook::Found(choice) => Some((&choice.name, total(&choice.queries))),
        Outlook::Looking(_) | Outlook::Late(_) => None,
    }
}

fn total(queries: &Queries) -> &str {
    match &queries.tally {
        Tally::Share { total, .. } => total,
        Tally::Histogram { buckets, .. } => buckets,
        Tally::Native { histogram, .. } => histogram,
    }
}

fn words(outlook: Outlook) -> String {
    match outlook {
        Outlook::Looking(words) | Outlook::Late(words) => words,
        Outlook::Found(choice) => format!("found {}", choice.name),
    }
}

#[test]
fn moving_series_are_found_at_the_second_look() {
    let mut preflight = search();
    let first = preflight.observe(looks([None, None, None, None, Some(5), None]));
    assert_eq!(
        words(first),
        "series of http-requests found for Service shop/checkout; a second look will show whether they move"
    );
    let second = preflight.observe(looks([None, None, None, None, Some(6), None]));
    let (name, total) = found(&second).expect("found");
    assert_eq!(name, "http-requests");
    assert!(total.contains(r#"code!="""#), "{total}");
}

#[test]
fn nothing_at_all_names_what_was_looked_for() {
    let outlook = search().observe(looks([None; 6]));
    assert_eq!(
        words(outlook),
        "no series matched for Service shop/checkout; looked for contour, envoy-gateway, traefik, http-requests: \
         scrape the gateway or the pods, or give your own query"
    );
}

#[test]
fn series_that_stand_still_or_start_again_are_not_evidence() {
    let mut preflight = search();
    let still = "series of contour found for Service shop/checkout, but they do not move: send requests through the route";
    preflight.observe(looks([Some(9), None, None, None, None, None]));
    assert_eq!(
        words(preflight.observe(looks([Some(9), None, None, None, None, None]))),
        still
    );
    assert_eq!(
        words(preflight.observe(looks([Some(2), None, None, None, None, None]))),
        still
    );
    assert_eq!(
        words(preflight.observe(looks([Some(3), None, None, None, None, None]))),
        "found contour"
    );
}

#[test]
fn the_gateway_goes_before_the_pods_unless_nobody_uses_it() {
    let mut preflight = search();
    preflight.observe(looks([Some(9), None, None, None, Some(1), None]));
    // Health probes move the pods' counters at once; users may take a moment.
    assert_eq!(
        found(&preflight.observe(looks([Some(9), None, None, None, Some(2), None]))),
        None
    );
    let found = words(preflight.observe(looks([Some(10), None, None, None, Some(3), None])));
    assert_eq!(found, "found contour");
    let mut preflight = search();
    let mut last = String::new();
    for n in 0..4 {
        last = words(preflight.observe(looks([Some(9), None, None, None, Some(n), None])));
    }
    assert_eq!(last, "found http-requests");
}

#[test]
fn sums_and_refusals_say_what_to_do() {
    let mut preflight = search();
    let mut summed = looks([Some(1), None, None, None, None, None]);
    for sample in summed[0].total.as_mut().expect("samples") {
        sample.labels.remove("instance");
    }
    assert!(words(preflight.observe(summed)).contains("add `by (instance, pod)` or remove the sum"));
    let refused = || Look {
        total: Err(SourceError::Denied(401)),
        bad: Ok(vec![]),
        again: None,
    };
    let outlook = search().observe((0..5).map(|_| refused()).collect());
    assert_eq!(
        words(outlook),
        "no metrics can be read for Service shop/checkout: the metric provider refuses the credentials (HTTP 401)"
    );
    // The bad query must work as well, though it may find nothing.
    let broken = Look {
        total: Ok(codes(0, &[(200, 1)])),
        bad: Err(SourceError::Refused("HTTP 400: bad_data".into())),
        again: None,
    };
    let custom = Choice::custom(Queries::custom("a", "b"));
    let mut preflight = Preflight::new(vec![custom], &baseline()).expect("renders");
    assert!(words(preflight.observe(vec![broken])).contains("bad_data"));
}

/// What a user's own query gives, look by look.
fn own(total: impl Fn(u32) -> Vec<Sample>, bad: impl Fn(u32) -> Vec<Sample>) -> String {
    let custom = Choice::custom(Queries::custom("a", "b"));
    let mut preflight = Preflight::new(vec![custom], &baseline()).expect("renders");
    let mut last = String::new();
    for n in 1..4 {
        let look = Look {
            bad: Ok(bad(n)),
            ..look(total(n))
        };
        last = words(preflight.observe(vec![look]));
    }
    last
}

fn with(mut samples: Vec<Sample>, change: impl Fn(&mut Sample)) -> Vec<Sample> {
    samples.iter_mut().for_each(change);
    samples
}

/// A pod or gateway that goes takes its share out of a sum, and all that remains would count as new.
#[test]
fn series_of_a_job_are_sums_and_so_are_bad_ones() {
    let job = |sample: &mut Sample| {
        sample.labels.remove("instance");
        sample.labels.insert("job".into(), "shop".into());
    };
    let pod = |sample: &mut Sample| {
        sample.labels.remove("instance");
        sample.labels.insert("pod".into(), "checkout-1".into());
    };
    let good = |n| codes(0, &[(200, n)]);
    let bad = |n| codes(0, &[(500, n)]);
    assert_eq!(own(good, bad), "found the Rollout's own query");
    assert_eq!(
        own(|n| with(good(n), pod), |_| vec![]),
        "found the Rollout's own query"
    );
    for told in [own(|n| with(good(n), job), bad), own(good, |n| with(bad(n), job))] {
        assert!(told.contains("without instance and pod"), "{told}");
    }
}

#[test]
fn what_could_not_be_read_in_a_release_does_not_begin_one() {
    let good = |n| codes(0, &[(200, n)]);
    let nan = |sample: &mut Sample| sample.value = f64::NAN;
    let below = |sample: &mut Sample| sample.value = -1.0;
    let many = |n| {
        let counts: Vec<(u32, u32)> = (0..5_001).map(|code| (code, n)).collect();
        codes(0, &counts)
    };
    for (told, why) in [
        (
            own(good, |n| with(good(n), nan)),
            "bad requests has the value NaN",
        ),
        (
            own(|n| with(good(n), below), |_| vec![]),
            "requests has the value below zero",
        ),
        (own(many, |_| vec![]), "more than 5000 series"),
    ] {
        assert!(told.contains(why), "{told}");
    }
}

/// What may be answered the next time is no reason to give a metric up.
#[test]
fn a_provider_that_does_not_answer_is_not_hopeless() {
    for (error, hopeless) in [
        (SourceError::Unreachable, false),
        (SourceError::Status(503), false),
        (SourceError::Denied(401), false),
        (SourceError::Refused("HTTP 400: bad_data".into()), true),
        (SourceError::Unusable("a scalar".into()), true),
    ] {
        let custom = Choice::custom(Queries::custom("a", "b"));
        let mut preflight = Preflight::new(vec![custom], &baseline()).expect("renders");
        preflight.observe(vec![Look {
            total: Err(error.clone()),
            bad: Ok(vec![]),
            again: None,
        }]);
        assert_eq!(preflight.hopeless(), hopeless, "{error}");
    }
}

#[tokio::test]
async fn a_look_asks_every_choice_at_one_time() {
    let mut script = Script::default();
    let custom = Queries::custom("all_{{service}}", "bad_{{service}}");
    for at in [0, 15] {
        let count = 7 + u32::try_from(at).expect("small");
        script.put("all_checkout", at, Ok(codes(at, &[(200, count)])));
    }
    let mut preflight = Preflight::new(vec![Choice::custom(custom.clone())], &baseline()).expect("renders");
    assert_eq!(found(&preflight.look(&script, second(0)).await), None);
    assert_eq!(
        preflight.look(&script, second(15)).await,
        Outlook::Found(Choice::custom(custom))
    );
    // Both queries at each look, and at the second what the first had found.
    assert_eq!(script.asked(), 5);
    let unknown = Queries::custom("{{pod}}", "x");
    let error = Preflight::new(vec![Choice::custom(unknown)], &baseline()).expect_err("refused");
    assert!(error.to_string().contains("`{{pod}}`"));
}

#[tokio::test]
async fn a_gateway_that_counts_all_backends_together_is_named_with_its_cure() {
    let rules =
        r#"envoy_cluster_upstream_rq{envoy_cluster_name=~"httproute/shop/.+/rule/[0-9]+(/backend/[0-9]+)?"}"#;
    let mut script = Script::default();
    script.put(rules, 0, Ok(codes(0, &[(200, 7)])));
    let cure = "no series counts Service shop/checkout by itself: Envoy Gateway counts by rules of the routes, not by \
                Services; set `mergeBackends: {}` in its EnvoyProxy and leave filters off the backendRefs, or let the pods \
                count their requests";
    for latency in [false, true] {
        for preset in [None, Some("envoy-gateway")] {
            let mut preflight =
                Preflight::new(Choice::preset(preset, latency), &baseline()).expect("renders");
            assert_eq!(words(preflight.look(&script, second(0)).await), cure);
            assert!(preflight.hopeless());
            // Gone again, or not to be read: then it is no reason any more.
            script.put(rules, 15, Err(SourceError::Unreachable));
            assert!(words(preflight.look(&script, second(15)).await).starts_with("no series matched"));
        }
    }
    // Pods that count go on, whatever the gateway does; and nobody asks about a gateway that is not looked for.
    let pods = Choice::preset(None, false).pop().expect("the pods' own");
    let total = pods.queries.render(&baseline()).expect("renders").total;
    for at in [30, 45] {
        let count = u32::try_from(at).expect("small");
        script.put(&total, at, Ok(codes(at, &[(200, count)])));
        script.put(rules, at, Ok(codes(at, &[(200, count)])));
    }
    let mut preflight = search();
    preflight.look(&script, second(30)).await;
    assert_eq!(
        words(preflight.look(&script, second(45)).await),
        "found http-requests"
    );
    let mut preflight = Preflight::new(Choice::preset(Some("contour"), false), &baseline()).expect("renders");
    assert!(words(preflight.look(&script, second(0)).await).starts_with("no series matched"));
}

/// A counter that has more once than when it was first read, or less: in both cases a later reading of the same moment
/// would make increments of nothing.
#[tokio::test]
async fn samples_that_come_after_the_lag_are_told_before_a_release() {
    for (settled, late) in [(7, false), (9, true), (5, true)] {
        let mut script = Script::default();
        let custom = Choice::custom(Queries::custom("all", "bad"));
        let mut preflight = Preflight::new(vec![custom], &baseline()).expect("renders");
        script.put("all", 0, Ok(codes(0, &[(200, 7)])));
        assert_eq!(found(&preflight.look(&script, second(0)).await), None);
        script.put("all", 0, Ok(codes(0, &[(200, settled)])));
        script.put("all", 15, Ok(codes(15, &[(200, 11)])));
        let outlook = preflight.look(&script, second(15)).await;
        assert_eq!(matches!(outlook, Outlook::Late(_)), late, "{outlook:?}");
        if late {
            let words = words(outlook);
            assert!(
                words.contains("still changes once its `lag` is over: raise `lag`"),
                "{words}"
            );
        }
        // What came late is there now: the next look finds nothing wrong.
        script.put("all", 30, Ok(codes(30, &[(200, 12)])));
        assert!(matches!(
            preflight.look(&script, second(30)).await,
            Outlook::Found(_)
        ));
    }
}

/// So many pods whose histograms have 20 buckets each.
fn buckets(pods: u32, count: u32) -> Vec<Sample> {
    let edges = (1..20).map(|edge| format!("{edge}")).chain(["+Inf".to_owned()]);
    let all = edges.flat_map(|edge| (0..pods).map(move |pod| (edge.clone(), pod)));
    let sample = |(edge, pod): (String, u32)| Sample {
        labels: [("le".to_owned(), edge), ("pod".to_owned(), format!("p{pod}"))].into(),
        value: f64::from(count),
        at: second(0),
    };
    all.map(sample).collect()
}

/// A release reads a few buckets of a query that names its edges, and all of one that does not.
#[test]
fn too_many_buckets_are_told_before_the_release_unless_it_reads_few_of_them() {
    let told = |query: &str, pods: u32| {
        let choice = Choice::custom(Queries::histogram(query, 1.0));
        let mut preflight = Preflight::new(vec![choice], &baseline()).expect("renders");
        preflight.observe(vec![look(buckets(pods, 1))]);
        words(preflight.observe(vec![look(buckets(pods, 2))]))
    };
    let own = "found the Rollout's own query";
    let (all, few) = ("took_bucket", r#"took_bucket{le=~"{{le}}"}"#);
    assert_eq!(told(all, 200), own);
    assert_eq!(told(few, 300), own);
    for (query, pods) in [(all, 300), (few, 6_000)] {
        let words = told(query, pods);
        assert!(words.contains("more than 5000 series"), "{query}: {words}");
    }
}

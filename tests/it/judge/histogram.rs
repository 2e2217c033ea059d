//! Latency: histograms, their edges, and what the past has of them.

use std::fmt::Write as _;

use serde_json::{Value, json};
use serin::cli::Exit;

use super::{Folder, judge};

#[test]
fn latency_follows_the_configured_slow_down() {
    let folder = Folder::new("latency");
    let config = "metrics: [{name: latency, kind: Latency, latency: {slowdown: 100}}]\n";
    let tolerant = folder.file("latency.yaml", config);
    let mut input = String::new();
    for t in 1..=60 {
        let arm = |within: [u64; 3]| {
            let [fast, middle, slow] = within;
            json!({"n": 1000, "buckets": [[0.025, fast], [0.05, middle], [0.1, slow], [0.2, 995]]})
        };
        // The candidate takes twice as long.
        let line = json!({"stream": "s", "t": t * 15, "weight": 50, "metrics":
            {"latency": {"candidate": arm([10, 100, 500]), "baseline": arm([100, 500, 900])}}});
        writeln!(input, "{line}").unwrap();
    }
    assert_eq!(judge(&input, None).0, Exit::Failed);
    assert_eq!(judge(&input, Some(tolerant)).0, Exit::Healthy);
    let other = input.replacen("[0.05,", "[0.06,", 1);
    let (exit, answers) = judge(&other, None);
    assert!(
        exit == Exit::Usage && answers[0]["error"].as_str().unwrap().contains("same edges"),
        "{}",
        answers[0]
    );
}

#[test]
fn without_a_request_latency_waits() {
    let mut input = String::new();
    for t in 1..=40_u64 {
        let n = if t < 3 { 0 } else { 1000 };
        let arm = json!({"n": n, "buckets": [[0.05, n / 2], [0.1, n * 9 / 10], [0.5, n * 99 / 100]]});
        let line = json!({"stream": "s", "t": t * 15, "weight": 50, "metrics":
            {"latency": {"candidate": arm, "baseline": arm}}});
        writeln!(input, "{line}").unwrap();
    }
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Healthy);
    assert_eq!(answers[1]["reason"], "latency: no request of the baseline yet");
    assert_eq!(answers[2]["metrics"]["latency"]["candidate"]["n"], 1000);
}

/// A histogram of 1,000 requests, of which so many took at most 25, 50, 100 and 500 ms.
fn histogram(within: [u64; 4]) -> Value {
    let [a, b, c, d] = within;
    json!({"n": 1000, "buckets": [[0.025, a], [0.05, b], [0.1, c], [0.5, d]]})
}

#[test]
fn edges_are_those_of_the_past_where_it_is_told() {
    // In the past half of the requests took 25 ms and 1 % more than 500 ms; the first scrape shows something else.
    let usual = || histogram([500, 800, 900, 990]);
    let past: Vec<Value> = (0..240)
        .map(|k| json!({"t": f64::from(k) * 15.0 - 3_600.0, "metrics": {"latency": [usual(), usual()]}}))
        .collect();
    let history = json!({"stream": "s", "history": past});
    // A start at which everything is slow: only at the last edge can anything be told apart.
    let slow = histogram([0, 0, 0, 500]);
    // The candidate is slower at the median alone.
    let slower = histogram([300, 800, 900, 990]);
    let mut input = String::new();
    for t in 1..=40 {
        let (mine, theirs) = if t == 1 {
            (&slow, &slow)
        } else {
            (&slower, &usual())
        };
        let line = json!({"stream": "s", "t": t * 15, "weight": 50,
            "metrics": {"latency": {"candidate": mine, "baseline": theirs}}});
        writeln!(input, "{line}").unwrap();
    }
    assert_eq!(judge(&format!("{history}\n{input}"), None).0, Exit::Failed);
    // Without the past the first scrape decides what is looked at.
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Healthy);
    assert_eq!(answers[39]["metrics"]["latency"]["candidate"]["x"], 500 + 39 * 10);
}

#[test]
fn a_past_of_a_histogram_must_fit_what_is_scraped() {
    let moment = |t: i32, of: Value| json!({"t": t, "metrics": of});
    let history = |of: Value| json!({"stream": "s", "history": [moment(-30, of.clone()), moment(-15, of)]});
    let arm = json!({"n": 10, "buckets": [[0.1, 5], [0.3, 9]]});
    let line = json!({"stream": "s", "t": 15, "weight": 50, "metrics": {"latency": {"candidate": arm, "baseline": arm}}});
    for (of, said) in [
        (
            json!({"latency": [histogram([500, 800, 900, 990])]}),
            "there is no bucket up to 0.025 s",
        ),
        (
            json!({"latency": [{"n": 5, "x": 6}]}),
            "metric latency: x is 6 but n only 5",
        ),
        (
            json!({"latency": [{"n": 5, "x": 1}, {"n": 5, "buckets": [[0.1, 5]]}]}),
            "has both x and buckets",
        ),
        (
            json!({"latency": [{"n": 5, "buckets": [[0.2, 1], [0.1, 5]]}]}),
            "buckets must rise",
        ),
    ] {
        let (exit, answers) = judge(&format!("{}\n{line}\n", history(of)), None);
        assert_eq!(exit, Exit::Usage);
        assert!(
            answers
                .iter()
                .any(|it| it["error"].as_str().is_some_and(|it| it.contains(said))),
            "{said}: {answers:?}"
        );
    }
    // A past of another kind, or without a request, tells nothing of it.
    for of in [
        json!({"latency": [{"n": 5, "x": 1}]}),
        json!({"latency": [{"n": 0, "buckets": [[0.1, 0], [0.3, 0]]}]}),
    ] {
        let (_, answers) = judge(&format!("{}\n{line}\n", history(of)), None);
        let reason = answers[0]["reason"].as_str().unwrap();
        assert!(reason.ends_with(": 10 so far"), "{answers:?}");
    }
}

#[test]
fn a_histogram_that_loses_a_judged_edge_is_refused() {
    let line = |t: u64, mine: &[(f64, u64)], theirs: &[(f64, u64)]| {
        let arm = |buckets: &[(f64, u64)], factor: u64| {
            let buckets: Vec<Value> = buckets
                .iter()
                .map(|(edge, n)| json!([edge, n * factor]))
                .collect();
            json!({"n": 300 * factor, "buckets": buckets})
        };
        json!({"stream": "s", "t": t, "weight": 10,
            "metrics": {"latency": {"candidate": arm(mine, 1), "baseline": arm(theirs, 9)}}})
    };
    // Judged at all three: nearest to the median, the 90th and the 99th percentile.
    let full: &[(f64, u64)] = &[(0.05, 150), (0.1, 270), (0.5, 297)];
    let more: &[(f64, u64)] = &[(0.05, 150), (0.07, 200), (0.1, 270), (0.5, 297), (1.0, 300)];
    for (t, mine, theirs, reason) in [
        // All requests would count as slow on both sides, and the candidate would seem proven.
        (
            30,
            &[(0.01, 0), (60.0, 300)][..],
            &[(0.01, 0), (60.0, 300)][..],
            "no bucket up to 0.05 s",
        ),
        (
            30,
            &[(0.05, 150), (0.2, 280), (0.5, 297)],
            &[(0.05, 150), (0.2, 280), (0.5, 297)],
            "up to 0.1 s",
        ),
        (30, full, &[(0.05, 150), (0.1, 270), (0.6, 297)], "the same edges"),
    ] {
        let input = format!(
            "{}\n{}\n{}\n",
            line(15, full, full),
            line(t, mine, theirs),
            line(45, more, more)
        );
        let (exit, answers) = judge(&input, None);
        let error = answers[1]["error"].as_str().unwrap_or_default();
        assert!(
            error.contains(reason) && answers[1]["line"] == 2,
            "{reason}: {}",
            answers[1]
        );
        // It changed nothing, and what has more edges is read at those that are judged.
        let seen = &answers[2]["metrics"]["latency"];
        assert_eq!(
            (exit, &seen["candidate"]["n"]),
            (Exit::Usage, &json!(600)),
            "{seen}"
        );
    }
}

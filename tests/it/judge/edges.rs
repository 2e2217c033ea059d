//! Latency without a past: which edges of a histogram are judged, from when on, and what goes on meanwhile.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;

use super::judge;

/// A histogram of `n` requests as they usually are: of 1,000 so many took at most 25, 50, 100 and 500 ms.
fn histogram(n: u64, within: [u64; 4]) -> Value {
    let [a, b, c, d] = within.map(|of_1000| n * of_1000 / 1000);
    json!({"n": n, "buckets": [[0.025, a], [0.05, b], [0.1, c], [0.5, d]]})
}

const USUAL: [u64; 4] = [500, 800, 900, 990];

fn line(t: u64, weight: u32, metrics: &Value) -> String {
    json!({"stream": "s", "t": t, "weight": weight, "metrics": metrics}).to_string()
}

/// So many lines, 15 s apart, of so many requests in the baseline and a ninth of that in the candidate; the first line's
/// baseline has one request, a fast one.
fn thin(lines: u64, n: u64, mine: [u64; 4]) -> String {
    let mut input = String::new();
    for t in 1..=lines {
        let theirs = if t == 1 {
            histogram(1, [1000; 4])
        } else {
            histogram(n, USUAL)
        };
        let metrics = json!({"latency": {"candidate": histogram(n / 9, mine), "baseline": theirs}});
        writeln!(input, "{}", line(t * 15, 10, &metrics)).unwrap();
    }
    input
}

#[test]
fn one_request_does_not_choose_the_edges() {
    // A fifth more of the requests take longer than 100 ms, none longer than 25 ms.
    let slower = [500, 800, 800, 990];
    let (exit, answers) = judge(&thin(200, 900, slower), None);
    assert_eq!(exit, Exit::Failed, "{}", answers[199]);
    let (exit, answers) = judge(&thin(200, 900, USUAL), None);
    assert_eq!(exit, Exit::Healthy, "{}", answers[199]);
}

#[test]
fn what_was_read_before_the_edges_were_chosen_counts() {
    let (_, answers) = judge(&thin(8, 180, USUAL), None);
    // 1, 181, 361, 541 requests.
    for (at, so_far) in [1, 181, 361].into_iter().enumerate() {
        let seen = &answers[at]["metrics"]["latency"];
        assert_eq!(
            (&seen["verdict"], &seen["candidate"]["n"]),
            (&json!("Continue"), &json!(0))
        );
        let told = format!(
            "latency: its edges are chosen from 500 requests of the baseline, or from 100 after 5 min: {so_far} so far"
        );
        assert_eq!(answers[at]["reason"], told);
        assert_eq!(answers[at]["verdict"], "Continue");
    }
    for (at, mine, theirs) in [(3, 80, 541), (4, 100, 721)] {
        let seen = &answers[at]["metrics"]["latency"];
        assert_eq!(
            (&seen["candidate"]["n"], &seen["baseline"]["n"]),
            (&json!(mine), &json!(theirs)),
            "{}",
            answers[at]
        );
    }
}

#[test]
fn thin_traffic_does_not_wait_for_ever() {
    // 7 requests a line: 100 are there after 15 lines, 5 minutes after 20.
    let (_, answers) = judge(&thin(40, 7, USUAL), None);
    let first = answers
        .iter()
        .position(|answer| answer["metrics"]["latency"]["baseline"]["n"] != 0);
    assert_eq!(first, Some(19));
    // 3 a line, and the first one: 100 after 34.
    let (_, answers) = judge(&thin(40, 3, USUAL), None);
    let first = answers
        .iter()
        .position(|answer| answer["metrics"]["latency"]["baseline"]["n"] != 0);
    assert_eq!(first, Some(33));
    assert_eq!(answers[33]["metrics"]["latency"]["baseline"]["n"], 100);
}

#[test]
fn the_other_metrics_are_judged_meanwhile() {
    let silent = histogram(0, USUAL);
    let mut input = String::new();
    for t in 1..=40 {
        let metrics = json!({
            "error-rate": {"candidate": {"n": 75, "x": 75}, "baseline": {"n": 675, "x": 0}},
            "latency": {"candidate": silent, "baseline": silent},
        });
        writeln!(input, "{}", line(t * 15, 10, &metrics)).unwrap();
    }
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Failed);
    let failed = answers
        .iter()
        .position(|answer| answer["verdict"] == "Fail")
        .unwrap();
    assert!(failed < 8, "{failed}");
    assert_eq!(answers[0]["metrics"]["error-rate"]["candidate"]["n"], 75);
    let reason = answers[0]["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("error-rate 100 %")
            && reason.ends_with("; latency: no request of the baseline yet"),
        "{reason}"
    );
}

#[test]
fn what_the_others_have_seen_stays_when_the_edges_are_chosen() {
    let mut input = String::new();
    for t in 1..=60 {
        let errors =
            json!({"candidate": {"n": 75, "x": u64::from(t % 9 == 0)}, "baseline": {"n": 675, "x": 1}});
        let slow = json!({"candidate": histogram(20, USUAL), "baseline": histogram(180, USUAL)});
        let metrics = json!({"error-rate": errors, "latency": slow});
        writeln!(input, "{}", line(t * 15, 10, &metrics)).unwrap();
    }
    // The same lines after a past that has the edges.
    let past =
        json!({"stream": "s", "history": [{"t": -30, "metrics": {"latency": [histogram(1000, USUAL)]}}]});
    let known = judge(&format!("{past}\n{input}"), None).1;
    let waited = judge(&input, None).1;
    let seen = |at: usize| &waited[at]["metrics"]["latency"];
    assert_eq!(
        (&seen(1)["verdict"], &seen(1)["candidate"]["n"]),
        (&json!("Continue"), &json!(0))
    );
    assert_eq!(seen(2)["candidate"]["n"], 60);
    for at in [0, 1, 2, 10, 59] {
        let of = |answers: &[Value]| answers[at]["metrics"]["error-rate"].clone();
        assert_eq!(of(&waited), of(&known), "{at}");
    }
}

#[test]
fn a_step_that_begins_meanwhile_takes_nothing_from_the_one_before() {
    let mut input = String::new();
    for t in 1..=6_u64 {
        let weight = if t < 3 { 10 } else { 25 };
        let metrics =
            json!({"latency": {"candidate": histogram(20, USUAL), "baseline": histogram(150, USUAL)}});
        writeln!(input, "{}", line(t * 15, weight, &metrics)).unwrap();
    }
    let (_, answers) = judge(&input, None);
    // 600 requests are there at the fourth line, of which two lines are of this step.
    assert_eq!(answers[2]["metrics"]["latency"]["baseline"]["n"], 0);
    let seen = &answers[3]["metrics"]["latency"];
    assert_eq!(
        (&seen["candidate"]["n"], &seen["baseline"]["n"]),
        (&json!(40), &json!(300))
    );
}

#[test]
fn only_edges_that_all_lines_have_are_chosen() {
    let with = |edges: &[(f64, u64)], n: u64| {
        let buckets: Vec<Value> = edges
            .iter()
            .map(|(edge, share)| json!([edge, n * share / 100]))
            .collect();
        json!({"n": n, "buckets": buckets})
    };
    let line = |t: u64, edges: &[(f64, u64)]| {
        let metrics = json!({"latency": {"candidate": with(edges, 30), "baseline": with(edges, 270)}});
        line(t, 10, &metrics)
    };
    let more: &[(f64, u64)] = &[(0.05, 50), (0.1, 90), (0.2, 95), (0.5, 99)];
    let less: &[(f64, u64)] = &[(0.05, 50), (0.2, 95), (0.5, 99)];
    let none: &[(f64, u64)] = &[(0.06, 60), (0.3, 97)];
    let input = [line(15, more), line(30, none), line(45, less), line(60, less)].join("\n");
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Usage);
    let error = answers[1]["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("metric latency: no bucket edge is in all lines so far"),
        "{}",
        answers[1]
    );
    // The 90th percentile is read where all lines can be read: at 200 ms.
    assert_eq!(
        answers[3]["metrics"]["latency"]["candidate"]["n"], 90,
        "{}",
        answers[3]
    );
    let lost = [line(15, more), line(30, less), line(45, more), line(60, none)].join("\n");
    let (_, answers) = judge(&lost, None);
    let error = answers[3]["error"].as_str().unwrap_or_default();
    assert!(
        error.contains("there is no bucket up to 0.05 s"),
        "{}",
        answers[3]
    );
}

#[test]
fn gauges_are_read_meanwhile() {
    let silent = histogram(0, USUAL);
    let mut input = String::new();
    for t in 1..=30 {
        let line = json!({"stream": "s", "t": t * 15, "weight": 10,
            "metrics": {"latency": {"candidate": silent, "baseline": silent}},
            "gauges": {"cpu": {"limit": 1, "candidate": [0.41], "baseline": [0.4]}}});
        writeln!(input, "{line}").unwrap();
    }
    let (_, answers) = judge(&input, None);
    assert_eq!(answers[29]["gauges"]["cpu"]["used"], 0.41, "{}", answers[29]);
}

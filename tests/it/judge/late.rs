//! Raw counters whose errors show one line after, or before, the requests that they are of.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;

use super::judge;

/// So many lines, 15 s apart, in which a pod has had so many requests and errors; the baseline has ten times the requests
/// and so many errors a line.
fn lines(counters: impl IntoIterator<Item = (u64, u64)>, errors: u64) -> String {
    let mut input = String::new();
    for (line, (n, x)) in (1..).zip(counters) {
        let arms = json!({
            "candidate": [{"series": "a", "n": n, "x": x}],
            "baseline": [{"series": "b", "n": 3_000 * line, "x": errors * line}]});
        let line = json!({"stream": "s", "t": 15 * line, "weight": 10, "metrics": {"error-rate": arms}});
        writeln!(input, "{line}").unwrap();
    }
    input
}

/// Requests and errors of the candidate, line by line.
fn seen(answers: &[Value]) -> Vec<(u64, u64)> {
    let count = |answer: &Value, of: &str| answer["metrics"]["error-rate"]["candidate"][of].as_u64().unwrap();
    answers
        .iter()
        .map(|it| (count(it, "n"), count(it, "x")))
        .collect()
}

#[test]
fn errors_that_show_a_line_after_their_requests_fail_a_release() {
    let (exit, answers) = judge(
        &lines(
            (0..80).map(|line: u64| (300 * line.div_ceil(2), 300 * (line / 2))),
            0,
        ),
        None,
    );
    assert_eq!(exit, Exit::Failed, "{}", answers[79]);
    assert_eq!(
        seen(&answers[..5]),
        [(0, 0), (300, 0), (300, 0), (600, 300), (600, 300)]
    );
}

#[test]
fn errors_wait_for_the_next_requests_and_no_longer() {
    let counters = [
        (500, 0),
        (500, 90),
        (500, 120),
        (600, 120),
        (700, 125),
        (710, 155),
        (712, 155),
        (800, 155),
    ];
    // The baseline fails more often: nothing ends the release.
    let (_, answers) = judge(&lines(counters, 2_700), None);
    // Without requests all wait. 30 beside 10 leave 20 for the line after, and what that has no room for is gone.
    assert_eq!(
        seen(&answers),
        [
            (0, 0),
            (0, 0),
            (0, 0),
            (100, 100),
            (200, 125),
            (210, 135),
            (212, 137),
            (300, 137)
        ]
    );
}

#[test]
fn pods_are_clipped_together() {
    let mut input = String::new();
    for (line, (n, x)) in (1..).zip([(1_000, 0), (1_100, 0)]) {
        let arms = json!({
            "candidate": [
                {"series": "a", "n": n, "x": x},
                {"series": "b", "n": 1_000, "x": 40 * (line - 1)}],
            "baseline": [{"series": "c", "n": 3_000 * line, "x": 0}]});
        let line = json!({"stream": "s", "t": 15 * line, "weight": 10, "metrics": {"error-rate": arms}});
        writeln!(input, "{line}").unwrap();
    }
    assert_eq!(seen(&judge(&input, None).1), [(0, 0), (100, 40)]);
}

//! What time a stream's lines stand for.

use std::fmt::Write;

use serde_json::json;
use serin::cli::Exit;

use super::judge;

/// A spotless line at 10 %.
fn line(t: f64, n: u64) -> String {
    json!({"stream": "s", "t": t, "weight": 10, "metrics": {"e": {
        "candidate": {"n": n, "x": n / 1000}, "baseline": {"n": 9 * n, "x": 9 * n / 1000}}}})
    .to_string()
}

/// The line, counted from 1, at which the first step may be left.
fn first_advance(lines: &str) -> usize {
    let (_, answers) = judge(lines, None);
    let at = answers.iter().position(|answer| answer["advance"] == true);
    at.map_or(usize::MAX, |at| at + 1)
}

fn every(seconds: u32, zero: f64) -> String {
    let mut input = String::new();
    for k in 1..=100 {
        writeln!(input, "{}", line(zero + f64::from(k * seconds), 4_000)).unwrap();
    }
    input
}

#[test]
fn a_hold_of_a_minute_is_one_however_often_is_scraped() {
    assert_eq!(first_advance(&every(15, 0.0)), 4);
    assert_eq!(first_advance(&every(5, 0.0)), 12);
    assert_eq!(first_advance(&every(1, 0.0)), 60);
    // On a clock that did not begin with the stream the first line stands for nobody knows how long.
    assert_eq!(first_advance(&every(15, 1_790_946_000.0)), 5);
    assert_eq!(first_advance(&every(1, 1_790_946_000.0)), 61);
    // The history's end tells it.
    for (seconds, lines) in [(15, 4), (1, 60)] {
        let zero = 1_790_946_000.0;
        let past = json!({"stream": "s", "history": [{"t": zero, "pods": [[900, 1]]}]});
        let input = format!("{past}\n{}", every(seconds, zero));
        assert_eq!(first_advance(&input), lines, "{seconds}");
    }
}

#[test]
fn a_cold_start_is_no_regression_however_often_is_scraped() {
    // 1.5 % of the first 28 seconds' requests fail.
    for zero in [0.0, 1_790_946_000.0] {
        let mut input = String::new();
        for k in 1..=90 {
            let bad = if k <= 28 { 3 } else { 0 };
            let line = json!({"stream": "s", "t": zero + f64::from(k), "weight": 50, "metrics": {"e": {
                "candidate": {"n": 200, "x": bad}, "baseline": {"n": 200, "x": 0}}}});
            writeln!(input, "{line}").unwrap();
        }
        let (exit, answers) = judge(&input, None);
        assert_ne!(exit, Exit::Failed, "{}", answers[89]);
    }
}

/// It is read at once, however little is known of its time: a gross fault takes no line longer.
#[test]
fn a_first_line_of_unknown_length_is_evidence_at_once() {
    for start in [60, 1_700_000_000] {
        let line = |k: i64| {
            json!({"stream": "s", "t": start + 60 * k, "weight": 10, "metrics": {"error-rate": {
                "candidate": {"n": 300, "x": 90}, "baseline": {"n": 2_700, "x": 3}}}})
            .to_string()
        };
        let input: Vec<String> = (0..5).map(line).collect();
        let (_, answers) = judge(&input.join("\n"), None);
        let failed = answers.iter().position(|answer| answer["verdict"] == "Fail");
        assert_eq!(failed, Some(2), "{start}");
    }
}

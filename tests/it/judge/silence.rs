//! A candidate that nobody asks any more.

use std::fmt::Write;

use serde_json::{Value, json};

use super::judge;

/// A last step of so many lines at 80 %, then so many at another weight without a request, then `lines` more with some.
fn pause(before: usize, weight: u32, silent: usize, lines: usize) -> Vec<Value> {
    let mut input = String::new();
    for k in 1..=before + silent + lines {
        let (weight, n) = match k {
            k if k <= before => (80, 20_000),
            k if k <= before + silent => (weight, 0),
            _ => (weight, 20_000),
        };
        let arm = |share: u32| json!({"n": n * share / 100, "x": n * share / 100_000});
        let line = json!({"stream": "s", "t": k * 15, "weight": weight, "final": true, "metrics": {"e": {
            "candidate": arm(weight), "baseline": arm(100 - weight)}}});
        writeln!(input, "{line}").unwrap();
    }
    judge(&input, None).1
}

/// How many lines the last step takes to its proof.
fn proof() -> usize {
    let answers = pause(40, 80, 0, 0);
    1 + answers
        .iter()
        .position(|answer| answer["verdict"] == "Pass")
        .unwrap()
}

#[test]
fn a_bake_without_a_request_is_none() {
    let proven = proof();
    for weight in [95, 100] {
        // The pause begins five lines after the proof, and lasts an hour.
        let answers = pause(proven + 5, weight, 240, 60);
        let baked = 1 + answers
            .iter()
            .position(|answer| answer["advance"] == true)
            .unwrap();
        // Two and a half minutes of silence may happen to anybody, ten lines; the rest of the hour is left out.
        assert_eq!(baked - proven, 40 + 240 - 10, "at {weight}");
    }
}

#[test]
fn nothing_advances_on_a_candidate_that_nobody_asks_any_more() {
    let before = proof() + 40;
    let answers = pause(before, 100, 240, 1);
    for (silent, verdict) in [(10, "Pass"), (11, "Continue"), (240, "Continue"), (241, "Pass")] {
        let answer = &answers[before + silent - 1];
        assert_eq!(
            (&answer["verdict"], &answer["advance"]),
            (&json!(verdict), &json!(verdict == "Pass")),
            "{silent}: {answer}"
        );
        let told = answer["reason"]
            .as_str()
            .unwrap()
            .contains("no request has reached the candidate for two and a half minutes");
        assert_eq!(told, verdict == "Continue", "{silent}: {answer}");
    }
}

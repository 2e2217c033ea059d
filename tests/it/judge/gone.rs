//! A baseline to which nothing comes any more: what is said line by line, and when it is back.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::judge::Judge;

use super::{NOW, command, judge};

/// How many lines in a row, at which weight, and whether the baseline gets requests.
type Stretch = (u64, u64, bool);

/// Of 1,000 requests one fails, and 50, 90 and 99 of 100 take at most 50, 100 and 500 ms.
fn lines(stretches: &[Stretch], n: u64) -> String {
    let (mut input, mut t) = (String::new(), 0);
    let histogram =
        |n: u64| json!({"n": n, "buckets": [[0.05, n / 2], [0.1, n * 9 / 10], [0.5, n * 99 / 100]]});
    for (count, weight, there) in stretches {
        for _ in 0..*count {
            t += 15;
            let mine = n * weight / 100;
            let theirs = if *there { n - mine } else { 0 };
            let line = json!({"stream": "s", "t": t, "weight": weight, "final": true, "metrics": {
                "error-rate": {"candidate": {"n": mine, "x": mine / 1000}, "baseline": {"n": theirs, "x": theirs / 1000}},
                "latency": {"candidate": histogram(mine), "baseline": histogram(theirs)},
            }});
            writeln!(input, "{line}").unwrap();
        }
    }
    input
}

const GONE: &str = "; nothing comes to the baseline any more: only what is far worse than the past counts";

fn reason(answer: &Value) -> &str {
    answer["reason"].as_str().unwrap()
}

#[test]
fn a_bake_goes_on_without_a_baseline_and_says_so() {
    let (exit, answers) = judge(
        &lines(
            &[(20, 80, true), (5, 95, true), (30, 95, false), (20, 95, true)],
            20_000,
        ),
        None,
    );
    let proven = answers.iter().position(|it| it["verdict"] == "Pass").unwrap();
    for (at, answer) in answers.iter().enumerate().skip(proven) {
        // Two and a half minutes are no sign of it yet: ten lines.
        let gone = (34..55).contains(&at);
        assert_eq!(
            (
                &answer["verdict"],
                reason(answer).ends_with(GONE),
                &answer["advance"]
            ),
            (&json!("Pass"), gone, &json!(at >= proven + 40)),
            "{at}: {answer}"
        );
        for metric in ["error-rate", "latency"] {
            let seen = &answer["metrics"][metric];
            assert_eq!(
                (&seen["verdict"], &seen["missing"]),
                (&json!("Pass"), &json!({"requests": 0, "seconds": 0.0})),
                "{at}: {answer}"
            );
        }
    }
    assert_eq!(exit, Exit::Healthy);
}

#[test]
fn a_proof_that_was_not_there_cannot_come_without_a_baseline() {
    let input = lines(&[(5, 50, true), (60, 50, false), (60, 50, true)], 2_000);
    let unrouted = Judge {
        unrouted: true,
        ..command(None)
    };
    let mut out = Vec::new();
    let exit = unrouted.run(NOW, &mut input.as_bytes(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let answers: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (at, answer) in answers.iter().enumerate().take(65).skip(14) {
        assert_eq!(
            (&answer["verdict"], reason(answer).ends_with(GONE)),
            (&json!("Continue"), true),
            "{at}: {answer}"
        );
        assert!(
            !reason(answer).contains("missing") && !reason(answer).contains("suffices"),
            "{at}: {answer}"
        );
        for metric in ["error-rate", "latency"] {
            let seen = &answer["metrics"][metric];
            if seen["verdict"] == "Continue" {
                assert_eq!(
                    seen["missing"],
                    json!({"requests": null, "seconds": null}),
                    "{at}: {answer}"
                );
            }
        }
    }
    assert!(reason(&answers[65]).contains("missing"), "{}", answers[65]);
    assert_eq!(exit, Exit::Healthy, "{}", answers[124]);
}

#[test]
fn the_share_of_an_outage_is_not_held_against_the_time_after_it() {
    // The gateway gives all requests to the candidate meanwhile, for ten minutes.
    let mut input = String::new();
    for k in 1..=60 {
        let mine = if (11..=50).contains(&k) { 20_000 } else { 2_000 };
        let arm = |n: u64| json!({"n": n, "x": n / 1000});
        let line = json!({"stream": "s", "t": k * 15, "weight": 10, "metrics": {"e": {
            "candidate": arm(mine), "baseline": arm(20_000 - mine)}}});
        writeln!(input, "{line}").unwrap();
    }
    let (_, answers) = judge(&input, None);
    assert_eq!(answers[49]["verdict"], "Continue");
    assert!(
        reason(&answers[49]).contains("of the requests instead of 10 %"),
        "{}",
        answers[49]
    );
    for answer in &answers[50..] {
        assert_eq!(
            (&answer["share"], &answer["verdict"]),
            (&Value::Null, &json!("Pass")),
            "{answer}"
        );
    }
}

//! Steps with all traffic: who may come there, and what speaks there.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::stats::random::Random;

use super::judge;

/// A step of a driver: weight, what it says of its successor, and whether it is the last.
type Step = (u32, Option<u32>, bool);

/// A driver that climbs these steps as it may, with so many requests a line, of which this share fails; in steps with all
/// traffic another. It stays at each for 240 lines at most.
fn climb(steps: &[Step], rates: [f64; 2], before: &str) -> (Exit, Vec<Value>) {
    climb_with(20_000, steps, rates, before)
}

fn climb_with(n: u64, steps: &[Step], rates: [f64; 2], before: &str) -> (Exit, Vec<Value>) {
    let mut input = before.to_owned();
    let mut end = (Exit::Undecided, Vec::new());
    let mut random = Random::new(11);
    let mut t = 0;
    for (step, (weight, next, last)) in steps.iter().enumerate() {
        let begun = input.clone();
        let mut lines = Vec::new();
        for _ in 0..240 {
            t += 15;
            let mine = n * u64::from(*weight) / 100;
            let rate = rates[usize::from(*weight == 100)];
            let mut line = json!({"stream": "s", "t": t, "step": step, "weight": weight, "final": last, "metrics": {"e": {
                "candidate": {"n": mine, "x": random.binomial(mine, rate)},
                "baseline": {"n": n - mine, "x": random.binomial(n - mine, rates[0])}}}});
            if let Some(next) = next {
                line["next"] = json!(next);
            }
            writeln!(input, "{line}").unwrap();
            lines.push(line.to_string());
        }
        end = judge(&input, None);
        let of_step = &end.1[end.1.len() - 240..];
        let Some(up) = of_step.iter().position(|answer| answer["advance"] == true) else {
            return end;
        };
        input = format!("{begun}{}\n", lines[..=up].join("\n"));
        t -= 15 * (240 - 1 - up as u64);
        end = judge(&input, None);
    }
    end
}

const LADDERS: [&[Step]; 4] = [
    &[
        (1, Some(5), false),
        (5, Some(50), false),
        (50, None, false),
        (99, None, false),
        (100, None, true),
    ],
    &[(5, Some(100), false), (100, None, true)],
    &[
        (10, Some(50), false),
        (50, Some(99), false),
        (99, None, false),
        (100, None, true),
    ],
    &[
        (10, Some(50), false),
        (50, Some(100), false),
        (100, None, false),
        (100, None, true),
    ],
];

#[test]
fn a_good_release_is_promoted_from_a_step_with_all_traffic() {
    for ladder in LADDERS {
        let (exit, answers) = climb(ladder, [0.001, 0.001], "");
        let last = answers.last().unwrap();
        assert_eq!(
            (exit, &last["advance"]),
            (Exit::Healthy, &json!(true)),
            "{ladder:?}: {last}"
        );
        // With all traffic it has baked.
        let baked = answers.iter().rev().take(41).all(|it| it["verdict"] == "Pass");
        assert!(baked, "{ladder:?}");
    }
}

#[test]
fn a_candidate_that_fails_with_all_traffic_is_failed() {
    for ladder in LADDERS {
        let (exit, answers) = climb(ladder, [0.001, 0.5], "");
        assert_eq!(exit, Exit::Failed, "{ladder:?}: {}", answers.last().unwrap());
    }
}

fn past() -> String {
    let past: Vec<Value> = (0..240)
        .map(|k| json!({"t": f64::from(k) * 15.0 - 3_600.0, "pods": [[20_000, 20]]}))
        .collect();
    format!("{}\n", json!({"stream": "s", "history": past}))
}

#[test]
fn all_traffic_at_once_is_never_promoted_but_may_be_failed() {
    for before in ["", &past()] {
        let (exit, answers) = climb(&[(100, None, true)], [0.001, 0.001], before);
        assert_eq!(exit, Exit::Undecided);
        let last = answers.last().unwrap();
        let reason = last["reason"].as_str().unwrap();
        assert!(
            reason.contains("no step below 100 % was passed before it") && reason.contains("\"next\":100"),
            "{reason}"
        );
    }
    assert_eq!(climb(&[(100, None, true)], [0.001, 0.5], &past()).0, Exit::Failed);
}

#[test]
fn a_proof_for_less_is_none_for_all_traffic() {
    // What passes at 5 % for 12.5 % may be six times as bad as the baseline.
    let steps = &[(5, None, false), (100, None, true)];
    let (exit, answers) = climb_with(2_000, steps, [0.001, 0.001], "");
    assert_eq!(exit, Exit::Undecided);
    let last = answers.last().unwrap();
    assert_eq!(
        (&last["verdict"], &last["advance"]),
        (&json!("Continue"), &json!(false))
    );
    assert!(
        last["reason"].as_str().unwrap().contains("\"next\":100"),
        "{last}"
    );
    // With so much traffic the release has the full proof by the end of the hold.
    assert_eq!(climb(steps, [0.001, 0.001], "").0, Exit::Healthy);
    // Back below and up again, with the full proof.
    let there = &[(5, None, false), (5, Some(100), false), (100, None, true)];
    assert_eq!(climb_with(2_000, there, [0.001, 0.001], "").0, Exit::Healthy);
}

#[test]
fn the_proof_before_all_traffic_is_that_of_the_last_step() {
    let proof = |next: u32, last: bool| {
        let (_, answers) = climb(&[(50, Some(next), last)], [0.001, 0.001], "");
        let first = &answers[1]["metrics"]["e"];
        (first["step"].clone(), first["release"].clone())
    };
    assert_eq!(proof(100, false), proof(100, true));
    assert_ne!(proof(99, false), proof(100, true));
}

/// A release at 80 with its proof, then a bake with all traffic in which so many of 20,000 requests fail.
fn bake_with_all_traffic(bad: u64, first: &str) -> (Exit, Vec<Value>) {
    let mut input = first.to_owned();
    for t in 1..=100 {
        let arm = |share: f64| json!({"n": (20_000.0 * share).round(), "x": (20.0 * share).round()});
        let (weight, arms) = if t <= 40 {
            (80, json!({"candidate": arm(0.8), "baseline": arm(0.2)}))
        } else {
            (
                100,
                json!({"candidate": {"n": 20_000, "x": bad}, "baseline": {"n": 0, "x": 0}}),
            )
        };
        let line =
            json!({"stream": "s", "t": t * 15, "weight": weight, "final": true, "metrics": {"e": arms}});
        writeln!(input, "{line}").unwrap();
    }
    judge(&input, None)
}

#[test]
fn in_a_bake_with_all_traffic_the_past_is_what_speaks() {
    let (exit, answers) = bake_with_all_traffic(20, "");
    assert_eq!(
        (exit, &answers[99]["advance"]),
        (Exit::Healthy, &json!(true)),
        "{}",
        answers[99]
    );
    let reason = answers[99]["reason"].as_str().unwrap();
    assert!(reason.contains("with nothing beside it, 0.1"), "{reason}");
    assert_eq!(
        (&answers[40]["verdict"], &answers[40]["advance"]),
        (&json!("Pass"), &json!(false))
    );
    // Three times the past's rate and half a point are let through, more are not.
    assert_eq!(bake_with_all_traffic(140, "").0, Exit::Healthy);
    let (exit, answers) = bake_with_all_traffic(800, "");
    let failed = answers.iter().position(|it| it["verdict"] == "Fail").unwrap();
    assert_eq!(exit, Exit::Failed);
    assert!((41..50).contains(&failed), "at {failed}");
}

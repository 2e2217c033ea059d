//! Steps: where one ends and the next begins, and the proof that each needs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{judge, serin};

/// Lines of a spotless release at these weights, each for so many scrapes; `last` marks the last so many of them.
pub(super) fn spotless(weights: &[(f64, u32)], step: impl Fn(usize) -> u32, last: u32) -> Vec<Value> {
    let all: u32 = weights.iter().map(|(_, scrapes)| scrapes).sum();
    let mut input = String::new();
    let mut t = 0;
    for (index, (weight, scrapes)) in weights.iter().enumerate() {
        for _ in 0..*scrapes {
            t += 1;
            let arm = |share: f64| json!({"n": (20_000.0 * share).round(), "x": (20.0 * share).round()});
            let line = json!({"stream": "s", "t": t * 15, "step": step(index), "weight": weight,
                "final": t > all - last,
                "metrics": {"e": {"candidate": arm(weight / 100.0), "baseline": arm(1.0 - weight / 100.0)}}});
            writeln!(input, "{line}").unwrap();
        }
    }
    let (_, answers) = judge(&input, None);
    assert!(answers.iter().all(|answer| answer.get("error").is_none()));
    answers
}

#[test]
fn another_weight_is_another_step_even_if_its_number_is_the_same() {
    let counts = |answers: &[Value], at: usize| answers[at]["metrics"]["e"]["candidate"]["n"].as_u64();
    let numbered = spotless(&[(10.0, 12), (25.0, 3)], |index| index as u32, 0);
    let unnumbered = spotless(&[(10.0, 12), (25.0, 3)], |_| 0, 0);
    assert_eq!(unnumbered, numbered);
    assert_eq!(counts(&unnumbered, 12), Some(5_000));
    assert_eq!(unnumbered[11]["advance"], true);
    assert_eq!(unnumbered[12]["advance"], false);
    // A step that turns out to be the last one must be proven as such.
    let turned = spotless(&[(80.0, 40)], |_| 0, 20);
    assert_eq!(
        (counts(&turned, 19), counts(&turned, 20)),
        (Some(16_000 * 20), Some(16_000))
    );
}

#[test]
fn in_the_last_step_the_weight_grows_for_the_bake() {
    let answers = spotless(&[(80.0, 40), (95.0, 50)], |_| 0, 90);
    let first = |what: &dyn Fn(&Value) -> bool| answers.iter().position(what).unwrap();
    let proven = first(&|answer| answer["verdict"] == "Pass");
    assert!(proven < 40, "{proven}");
    // It is the same step, and the bake counts from the proof.
    assert_eq!(
        answers[40]["metrics"]["e"]["candidate"]["n"],
        16_000 * 40 + 19_000
    );
    let promoted = first(&|answer| answer["advance"] == true);
    assert!(promoted > 40, "{promoted}");
    assert_eq!(promoted - proven, 10 * 60 / 15);
}

#[test]
fn a_weight_that_falls_in_the_bake_begins_the_step_anew() {
    let answers = spotless(&[(80.0, 40), (1.0, 40)], |_| 0, 80);
    assert_eq!(answers[39]["verdict"], "Pass");
    // What was proven and baked at 80 is nothing at 1.
    assert_eq!(answers[40]["metrics"]["e"]["candidate"]["n"], 200);
    let after = &answers[40..];
    assert!(after.iter().all(|answer| answer["advance"] == false), "{after:?}");
}

#[test]
fn the_example_has_a_release_that_goes_on_and_one_that_ends() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/judge.jsonl");
    let (exit, out, error) = serin(&[example]);
    assert_eq!((exit, error.as_str()), (Some(1), ""), "{out}");
    let answers: Vec<Value> = out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let of = |stream: &str| {
        answers
            .iter()
            .filter(|it| it["stream"] == stream)
            .collect::<Vec<_>>()
    };
    let advances = of("search").iter().filter(|it| it["advance"] == true).count();
    assert_eq!(
        (advances, &of("search").last().unwrap()["advance"]),
        (2, &json!(true))
    );
    let failed: Vec<bool> = of("payment").iter().map(|it| it["verdict"] == "Fail").collect();
    assert_eq!(failed, [false, false, false, false, false, true]);
}

/// The evidence for leaving its step that each line at weight 25 has, after lines at these weights.
fn evidence_at_25(before: &[u32], step: u32, next: u32) -> Vec<f64> {
    let past: Vec<Value> = (0..240)
        .map(|k| json!({"t": f64::from(k) * 15.0 - 3_600.0, "pods": [[750, 1]]}))
        .collect();
    let mut input = format!("{}\n", json!({"stream": "s", "history": past}));
    let mut t = 0;
    for (step, weight, lines) in before
        .iter()
        .enumerate()
        .map(|(at, weight)| (at as u32, *weight, 6))
        .chain([(step, 25, 12)])
    {
        for _ in 0..lines {
            t += 15;
            let arm = |share: u32| json!({"n": 8 * share, "x": share / 25});
            let line = json!({"stream": "s", "t": t, "step": step, "weight": weight, "next": next,
                "metrics": {"e": {"candidate": arm(weight), "baseline": arm(100 - weight)}}});
            writeln!(input, "{line}").unwrap();
        }
    }
    let (_, answers) = judge(&input, None);
    let step = |answer: &Value| answer["metrics"]["e"]["step"]["evidence"].as_f64().unwrap();
    answers.iter().rev().take(12).rev().map(step).collect()
}

#[test]
fn the_proof_a_step_needs_follows_from_its_weight_and_its_successor_s() {
    let first = evidence_at_25(&[], 0, 50);
    assert!(first[11] > 0.5, "{first:?}");
    for (before, step) in [(&[][..], 7), (&[10][..], 1), (&[5, 10, 20][..], 3)] {
        let elsewhere = evidence_at_25(before, step, 50);
        let apart = first.iter().zip(&elsewhere).any(|(a, b)| (a - b).abs() > 1e-9);
        assert!(!apart, "step {step}: {first:?} and {elsewhere:?}");
    }
    // The more traffic comes next, the stricter; with little to come its own weight decides.
    let (near, far) = (evidence_at_25(&[], 0, 30), evidence_at_25(&[], 0, 100));
    assert_eq!(near, first);
    assert!(first[11] > far[11] + 1.0, "{first:?} {far:?}");
}

//! A suspicion: what keeps the weight, and what ends it.

use std::fmt::Write as _;

use serde_json::{Value, json};
use serin::cli::Exit;

use super::judge;

/// A short fault at the beginning, then so many lines in all of health, or with a failure in every so many lines.
fn early_fault(lines: u64, every: u64) -> (Exit, Vec<Value>) {
    let mut input = String::new();
    for t in 1..=lines {
        let later = u64::from(t % every == 0);
        let bad = [0, 3, 3, 4].get(t as usize - 1).copied().unwrap_or(later);
        let line = json!({"stream": "s", "t": t * 15, "weight": 10, "metrics": {"e": {
            "candidate": {"n": 75, "x": bad}, "baseline": {"n": 675, "x": u64::from(t % 4 == 0)}}}});
        writeln!(input, "{line}").unwrap();
    }
    judge(&input, None)
}

#[test]
fn a_suspicion_that_keeps_the_weight_is_told_with_its_numbers() {
    let (exit, answers) = early_fault(80, 1_000);
    let last = &answers[79];
    let seen = &last["metrics"]["e"];
    let reached = |proof: &str| seen[proof]["evidence"].as_f64() >= seen[proof]["needed"].as_f64();
    assert_eq!(exit, Exit::Undecided);
    assert!(
        reached("step") && reached("release") && !reached("fail"),
        "{seen}"
    );
    // Both proofs are there: what holds is a number of its own, and no request would end it.
    assert!(reached("suspicion"), "{seen}");
    assert_eq!(seen["missing"], json!({"requests": null, "seconds": null}));
    let suspicion = seen["suspicion"]["evidence"].as_f64().unwrap();
    let told = format!("(suspicion {suspicion:.1}, where 0.4 keeps the weight)");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains(&told), "{reason}");
}

#[test]
fn a_suspicion_ends_with_proof_and_not_where_the_fault_stays() {
    let (exit, answers) = early_fault(160, 1_000);
    let last = &answers[159];
    assert_eq!((exit, &last["advance"]), (Exit::Healthy, &json!(true)), "{last}");
    let seen = &last["metrics"]["e"]["suspicion"];
    let [evidence, needed] = ["evidence", "needed"].map(|it| seen[it].as_f64().unwrap());
    assert!(0.4 < evidence && evidence < needed, "{seen}");
    // Three times the baseline's rate after the fault, which no four hours prove wrong.
    let (exit, answers) = early_fault(960, 12);
    assert_ne!(exit, Exit::Healthy, "{}", answers[959]);
    assert!(answers.iter().all(|it| it["advance"] == false));
}

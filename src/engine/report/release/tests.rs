use super::*;

const MAX: usize = api::MAX_VERDICTS as usize;

fn line(step: i32, metric: &str) -> api::VerdictStatus {
    api::VerdictStatus {
        step,
        metric: metric.to_owned(),
        verdict: api::Verdict::Continue,
        reason: String::new(),
        numbers: None,
    }
}

/// Everything that one look has to say on a step.
fn look(step: i32, kind: &str, of: &str) -> Vec<api::VerdictStatus> {
    let count = api::MAX_ITEMS + if of.is_empty() { api::MAX_GAUGES } else { 0 };
    (0..count)
        .map(|index| line(step, &format!("{kind}{index}{of}")))
        .collect()
}

/// Twenty steps of as many metrics and gauges as there may be.
fn longest() -> Vec<api::VerdictStatus> {
    (1..=20).fold(Vec::new(), |all, step| merged(all, &look(step, "metric", "")))
}

#[test]
fn the_lines_of_the_return_fit_beside_the_longest_release() {
    let all = longest();
    assert_eq!(all.len(), MAX);
    let present = look(20, "metric", " of the return");
    let all = merged(all, &present);
    assert_eq!(all.len(), MAX);
    assert!(present.iter().all(|line| all.contains(line)));
    let left = |step: i32| all.iter().filter(|line| line.step == step).count();
    assert_eq!((left(1), left(2), left(20)), (8, 24, 40));
}

#[test]
fn metrics_that_are_renamed_again_and_again_fit() {
    let mut all = longest();
    for round in 0..30 {
        let present = look(20, &format!("round{round}-"), "");
        all = merged(all, &present);
        assert_eq!(all.len(), MAX);
        assert!(present.iter().all(|line| all.contains(line)));
    }
}

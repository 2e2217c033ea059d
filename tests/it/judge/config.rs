//! `--config`: what it says of metrics holds for the lines, or they are refused.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;

use super::{NOW, command, drive, judge};

/// A configuration of this test; the file goes with it.
struct Config(std::path::PathBuf);

impl Config {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("serin-config-{name}-{}.yaml", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Config {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn counts() -> Value {
    json!({"candidate": {"n": 90, "x": 0}, "baseline": {"n": 900, "x": 1}})
}

fn slow() -> Value {
    let arm = |n: u64| json!({"n": n, "buckets": [[0.05, n / 2], [0.1, n * 9 / 10], [0.5, n * 99 / 100]]});
    json!({"candidate": arm(90), "baseline": arm(900)})
}

fn lines(metrics: &Value) -> String {
    let mut input = String::new();
    for t in 1..=2 {
        writeln!(
            input,
            "{}",
            json!({"stream": "s", "t": t * 15, "weight": 10, "metrics": metrics})
        )
        .unwrap();
    }
    input
}

#[test]
fn metrics_that_are_not_those_of_the_configuration_are_refused() {
    for (name, config, metrics, told) in [
        (
            "other",
            "metrics: [{name: errors}]",
            json!({"error-rate": counts()}),
            "the line has error-rate, but the configuration wants errors for a pass",
        ),
        (
            "absent",
            "metrics: [{name: errors}, {name: login}]",
            json!({"errors": counts()}),
            "the line has errors, but the configuration wants login for a pass",
        ),
        (
            "kind",
            "metrics: [{name: slow, kind: Latency}]",
            json!({"slow": counts()}),
            "metric slow: the configuration has it as Latency, but the line has no buckets",
        ),
    ] {
        let config = Config::new(name, config);
        let (exit, answers) = judge(&lines(&metrics), Some(config.path()));
        assert_eq!(exit, Exit::Usage, "{name}");
        for answer in &answers {
            let error = answer["error"].as_str().unwrap_or_default();
            assert!(error.contains(told), "{name}: {answer}");
        }
    }
}

#[test]
fn metrics_of_the_configuration_are_taken() {
    let some = "metrics: [{name: errors}, {name: slow, kind: Latency}, {name: login, gating: false}]";
    let config = Config::new("some", some);
    for metrics in [
        json!({"errors": counts(), "slow": slow()}),
        json!({"errors": counts(), "slow": slow(), "login": counts()}),
        json!({"errors": counts(), "slow": slow(), "more": slow()}),
    ] {
        let (exit, answers) = judge(&lines(&metrics), Some(config.path()));
        assert_eq!(exit, Exit::Undecided, "{answers:?}");
    }
    // What is optional may be absent.
    let optional = "metrics: [{name: errors}, {name: slow, kind: Latency, optional: true}]";
    let config = Config::new("optional", optional);
    let (exit, _) = judge(&lines(&json!({"errors": counts()})), Some(config.path()));
    assert_eq!(exit, Exit::Undecided);
    // Whoever lists none takes any, as always.
    let config = Config::new("none", "interval: 15s\n");
    let (exit, _) = judge(
        &lines(&json!({"whatever": counts(), "slow": slow()})),
        Some(config.path()),
    );
    assert_eq!(exit, Exit::Undecided);
}

#[test]
fn steps_beside_the_analysis_count_without_a_kind_too() {
    let steps = "steps: [{weight: 10, hold: 3m}, {weight: 25, hold: 0s}, {weight: 100, hold: 5m}]";
    let (input, _, _) = drive("s", (0.001, 0.001), 100.0, 12, 7);
    let first = |text: &str| {
        let config = Config::new("steps", text);
        let (_, answers) = judge(&input, Some(config.path()));
        answers
            .iter()
            .position(|answer| answer["advance"] == true)
            .unwrap()
    };
    let usual = first("interval: 15s\n");
    assert!(usual < 11, "{usual}");
    for text in [
        format!("analysis: {{interval: 15s}}\n{steps}\n"),
        format!("{steps}\n"),
        format!("spec:\n  analysis: {{interval: 15s}}\n  {steps}\n"),
        format!("spec:\n  {steps}\n"),
        format!("metadata: {{name: shop}}\nspec:\n  {steps}\n"),
    ] {
        assert_eq!(first(&text), 11, "{text}");
    }
}

#[test]
fn what_nobody_knows_beside_the_analysis_is_refused() {
    for (text, told) in [
        ("analysis: {interval: 15s}\ninterval: 5s\n", "interval"),
        ("spec: {analysis: {interval: 15s}, stepz: []}\n", "stepz"),
        ("spec: {analysis: {interval: 15s}}\nsteps: []\n", "steps"),
        ("analysis: {interval: 15s}\nsteps: [{weight: 0}]\n", "weight"),
    ] {
        let config = Config::new("unknown", text);
        let error = command(Some(config.path()))
            .run(NOW, &mut "".as_bytes(), &mut Vec::new())
            .unwrap_err();
        assert!(error.to_string().contains(told), "{text}: {error}");
    }
}

#[test]
fn an_analysis_without_content_is_an_empty_one() {
    for text in [
        "",
        "# nothing\n",
        "analysis:\n",
        "spec:\n",
        "spec:\n  analysis:\n",
        "interval:\n",
        "{}\n",
    ] {
        let config = Config::new("empty", text);
        let (exit, answers) = judge(&lines(&json!({"e": counts()})), Some(config.path()));
        assert_eq!((exit, answers.len()), (Exit::Undecided, 2), "{text:?}");
    }
}

#[test]
fn empty_cells_are_absent() {
    let header = "stream,t,step,weight,next,pods,final,candidate_n,candidate_x,baseline_n,baseline_x\n";
    let (exit, answers) = judge(&format!("{header}s,15,,10,,,,90,0,900,1\n"), None);
    assert_eq!((exit, answers.len()), (Exit::Undecided, 1));
    let (_, plain) = judge(&format!("{header}s,15,0,10,,,,90,0,900,1\n"), None);
    assert_eq!(answers, plain);
    // Where it counts its absence is told.
    let (exit, answers) = judge(
        &format!("{header}s,15,2,10,,,,90,0,900,1\ns,30,,10,,,,90,0,900,1\n"),
        None,
    );
    assert_eq!(exit, Exit::Usage);
    assert!(
        answers[1]["error"]
            .as_str()
            .unwrap()
            .contains("step must not go back"),
        "{}",
        answers[1]
    );
}

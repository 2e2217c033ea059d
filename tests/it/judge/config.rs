//! `--config`: what it says of metrics holds for the lines, or they are refused.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::check::Check;

use super::{Folder, NOW, command, drive, judge, line, serin};

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

#[test]
fn a_whole_rollout_gives_its_steps_holds_and_weights() {
    let folder = Folder::new("config");
    let rollout = |steps: &str| {
        let text = format!(
            "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {{name: a}}\nspec:\n  workload: {{name: a}}\n  \
             traffic: {{gatewayAPI: {{routes: [{{name: a}}]}}}}\n  steps:\n{steps}"
        );
        Some(folder.file("rollout.yaml", &text))
    };
    let steps = "  - {weight: 10, hold: 3m}\n  - {weight: 25, hold: 0s}\n  - {weight: 100, hold: 5m}\n";
    let (input, _, _) = drive("s", (0.001, 0.001), 100.0, 12, 7);
    let first = |config| {
        let (_, answers) = judge(&input, config);
        answers
            .iter()
            .position(|answer| answer["advance"] == true)
            .unwrap()
    };
    // The preset's minute is over before the proof is there; three minutes are not.
    let usual = first(None);
    assert!(usual < 11, "{usual}");
    assert_eq!(first(rollout(steps)), 11);
    // The file of an example serves as it is.
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/minimal.yaml");
    assert_eq!(first(Some(example.into())), usual);
}

#[test]
fn a_wrong_config_gets_the_sentence_of_check() {
    let folder = Folder::new("wrong");
    let head = "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec:\n  workload: {name: a}\n  \
                traffic: {gatewayAPI: {routes: [{name: a}]}}\n  analysis:\n";
    for (analysis, field) in [
        ("interval: 10ms\n", "interval"),
        ("confidense: {falseRollback: 0.01}\n", "confidense"),
        ("confidence: {falseRollback: 0.9}\n", "confidence.falseRollback"),
        ("preset: Slow\n", "preset"),
        ("metrics: []\n", "metrics"),
        (
            "metrics: [{name: e, tolerated: {ratio: 3, absolute: 0}, unacceptable: {ratio: 2, absolute: 0.1}}]\n",
            "tolerated.ratio of metrics",
        ),
    ] {
        let indented: String = analysis.lines().map(|line| format!("    {line}\n")).collect();
        let whole = folder.file("whole.yaml", &format!("{head}{indented}"));
        let mut out = Vec::new();
        let check = Check {
            paths: vec![whole.clone().into()],
        };
        check.run(&mut "".as_bytes(), &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        let sentence = told
            .lines()
            .next()
            .unwrap()
            .split("spec.analysis")
            .nth(1)
            .unwrap()
            .trim_start_matches(['.', ':', ' '])
            .to_owned();
        assert!(sentence.starts_with(field), "{sentence}");
        let under = format!("analysis:\n{indented}");
        for config in [
            whole,
            folder.file("bare.yaml", analysis),
            folder.file("under.yaml", &under),
        ] {
            let error = command(Some(config))
                .run(NOW, &mut "".as_bytes(), &mut Vec::new())
                .unwrap_err();
            assert!(error.to_string().contains(&sentence), "{error}\nlacks {sentence}");
        }
    }
    let empty = folder.file("empty.yaml", "# nothing\n");
    let mut out = Vec::new();
    let exit = command(Some(empty))
        .run(NOW, &mut line("s", 15).as_bytes(), &mut out)
        .unwrap();
    assert_eq!(exit, Exit::Undecided);
}

#[test]
fn a_name_chooses_among_the_rollouts_of_the_configuration() {
    let folder = Folder::new("names");
    let rollout = |name: &str, preset: &str| {
        format!(
            "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {{name: {name}}}\nspec:\n  workload: {{name: {name}}}\n  \
             traffic: {{gatewayAPI: {{routes: [{{name: {name}}}]}}}}\n  analysis: {{confidence: {{falseRollback: {preset}}}}}\n"
        )
    };
    let both = format!(
        "{}---\n{}",
        rollout("search", "0.01"),
        rollout("payment", "0.001")
    );
    let (both, bare) = (
        folder.file("both.yaml", &both),
        folder.file("bare.yaml", "interval: 5s\n"),
    );
    let lines = folder.file("lines.jsonl", &line("s", 15));
    let needed = |name: &str| {
        let (exit, out, error) = serin(&[&lines, "--config", &both, "--name", name]);
        assert_eq!(exit, Some(4), "{out}{error}");
        let answer: Value = serde_json::from_str(&out).unwrap();
        answer["metrics"]["e"]["fail"]["needed"].as_f64().unwrap()
    };
    assert!((needed("search") - 100_f64.ln()).abs() < 1e-9);
    assert!((needed("payment") - 1000_f64.ln()).abs() < 1e-9);
    for (arguments, said) in [
        (vec!["--config", &both], "choose one with --name"),
        (
            vec!["--config", &both, "--name", "shop"],
            "--name takes one of search, payment",
        ),
        (
            vec!["--config", &bare, "--name", "shop"],
            "no Rollout for --name to choose",
        ),
        (vec!["--name", "shop"], "no file has any"),
    ] {
        let (exit, _, error) = serin(&[&[lines.as_str()][..], &arguments].concat());
        assert_eq!(exit, Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

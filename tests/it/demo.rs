//! `serin demo`: every scenario ends as it must, and one seed gives one story.

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(["demo", "--speed", "0"]).args(arguments);
    command.output().unwrap()
}

/// What a scenario prints, of which the README shows lines where it has a transcript of it.
fn told(scenario: &str) -> String {
    let output = demo(&["--scenario", scenario]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    text
}

/// The lines of the README's transcript that follows `introduction`, without those that stand for what is left out.
fn transcript(introduction: &str) -> Vec<String> {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, after) = readme.split_once(introduction).unwrap();
    let (_, block) = after.split_once("```text\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let lines = block
        .lines()
        .filter(|line| line.trim() != "⋮" && !line.is_empty());
    lines.map(str::to_owned).collect()
}

/// Whether all of them are printed, in this order.
fn in_order(lines: &[String], text: &str) {
    let mut printed = text.lines();
    for line in lines {
        assert!(
            printed.any(|other| other.trim_end() == line.trim_end()),
            "the README shows what the demo does not print (any more, or there):\n{line}\nof\n{text}"
        );
    }
}

/// The last line of a run that went as it must.
fn outcome(scenario: &str) -> String {
    let text = told(scenario);
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_good_version_is_promoted() {
    let text = told("good");
    assert!(
        text.lines()
            .last()
            .unwrap_or_default()
            .starts_with("Promoted after "),
        "{text}"
    );
    in_order(
        &transcript("From `serin demo --speed 0`: a good version is promoted."),
        &text,
    );
}

#[test]
fn a_failing_version_is_taken_back() {
    let text = told("errors");
    assert!(
        text.lines()
            .last()
            .unwrap_or_default()
            .starts_with("RolledBack after "),
        "{text}"
    );
    in_order(
        &transcript("From `serin demo --scenario errors --speed 0`"),
        &text,
    );
}

#[test]
fn little_traffic_takes_longer_and_an_outage_of_both_convicts_nobody() {
    assert!(outcome("low-traffic").starts_with("Promoted after "));
    assert!(outcome("outage").starts_with("Promoted after "));
}

#[test]
fn a_version_that_would_saturate_waits_until_it_is_scaled() {
    let output = demo(&["--scenario", "saturation"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("cpu: at 25 % each pod would use"), "{text}");
    assert!(text.contains("a person reads that and scales up"), "{text}");
}

#[test]
fn one_seed_gives_one_story_and_another_seed_another() {
    let story = |seed: &str| demo(&["--scenario", "errors", "--output", "json", "--seed", seed]).stdout;
    assert_eq!(story("7"), story("7"));
    assert_ne!(story("7"), story("8"));
}

#[test]
fn a_speed_that_is_none_is_refused() {
    assert_eq!(demo(&["--speed=-1"]).status.code(), Some(2));
}

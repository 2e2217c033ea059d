//! `serin demo`: every scenario ends as it must, and one seed gives one story.

use std::process::{Command, Output};

fn demo(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(["demo", "--speed", "0"]).args(arguments);
    command.output().unwrap()
}

/// The last line of a run that went as it must.
fn outcome(scenario: &str) -> String {
    let output = demo(&["--scenario", scenario]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}");
    text.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn a_good_version_is_promoted() {
    assert!(outcome("good").starts_with("Promoted after "));
}

#[test]
fn a_failing_version_is_taken_back() {
    assert!(outcome("errors").starts_with("RolledBack after "));
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

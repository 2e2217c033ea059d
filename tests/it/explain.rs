//! `serin explain`: the course of whole releases, as the operator left it in the status.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serin::world::{Image, World};

use super::operator::{operate, phase_is, shop};

/// What the command says of `object` in 100 columns.
fn explain(object: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_serin"))
        .args(["explain", "--file", "-"])
        .env("COLUMNS", "100")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(object.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// The Rollout once the release of a version that fails this share of requests has come to `phase`.
async fn after(failing: f64, phase: &str) -> String {
    let world: World = shop();
    world.define_image("checkout:v2", Image::failing(failing));
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    phase_is(&world, phase).await;
    world.object("rollouts", "shop", "checkout").unwrap().to_string()
}

async fn golden(name: &str, failing: f64, phase: &str) {
    told(name, &after(failing, phase).await);
}

fn told(name: &str, rollout: &str) {
    let output = explain(rollout);
    assert_eq!(output.status.code(), Some(0));
    let found = String::from_utf8(output.stdout).unwrap();
    assert!(found.lines().all(|line| line.chars().count() <= 100), "{found}");
    let path = format!("{}/tests/data/explain/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), found);
}

#[tokio::test(start_paused = true)]
async fn a_promoted_release_is_told_from_its_first_step_to_its_last() {
    golden("good", 0.0, "Promoted").await;
}

#[tokio::test(start_paused = true)]
async fn a_release_that_was_taken_back_shows_what_spoke_against_it() {
    golden("bad", 0.05, "RolledBack").await;
}

#[tokio::test(start_paused = true)]
async fn a_release_under_way_tells_what_is_missing() {
    golden("under-way", 0.0, "Baking").await;
}

#[tokio::test(start_paused = true)]
async fn a_release_that_turned_bad_with_all_traffic_is_told_against_its_past() {
    told(
        "alone",
        &super::operator::without_baseline::taken_back().await.to_string(),
    );
}

#[test]
fn what_cannot_be_told_is_refused_in_one_line() {
    let untouched = "{apiVersion: serin.dev/v1alpha1, kind: Rollout, metadata: {name: checkout}, \
                     spec: {workload: {name: checkout}, traffic: {gatewayAPI: {routes: [{name: checkout}]}}}}";
    for (object, code, said) in [
        (untouched, 1, "Rollout `checkout` has not seen a release yet"),
        // As some editors begin a file.
        (
            "\u{feff}apiVersion: serin.dev/v1alpha1\nkind: Deployment\n",
            2,
            "it is `Deployment` of `serin.dev/v1alpha1`",
        ),
        ("kind: [", 2, "- holds no Rollout"),
        ("", 2, "- holds no Rollout"),
        (
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}, spec: {}}",
            2,
            "- holds no Rollout: it is `Deployment` of `apps/v1`",
        ),
    ] {
        let output = explain(object);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(
            error.contains(said) && error.trim_end().lines().count() == 1,
            "{error}"
        );
    }
}

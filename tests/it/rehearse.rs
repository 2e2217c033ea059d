//! `serin rehearse`: what it says is what simulated releases come to, and its advice is true.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it rehearse` writes the golden answer and those of the page anew: read them before
//! you commit them.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use serin::api::RolloutSpec;
use serin::cli::Exit;
use serin::cli::rehearse::{self, Rehearse};
use serin::engine::state::Cause;
use serin::rehearsal::{
    Assumed, Course, End, Setting, Stop, Summary, courses, play, sufficient_pace, summarize,
};
use serin::trials::scenario::Extra;
use serin::trials::{MATRIX, Scenario};

const MINIMAL: &str = "examples/minimal.yaml";

fn file(path: &str) -> String {
    format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))
}

fn spec_of(text: &str, name: &str) -> RolloutSpec {
    let documents: Vec<Value> = text
        .split("\n---\n")
        .map(|text| serde_yaml::from_str(text).unwrap())
        .collect();
    let object = documents
        .iter()
        .find(|object| object["kind"] == "Rollout" && object["metadata"]["name"] == name)
        .unwrap();
    serde_json::from_value(object["spec"].clone()).unwrap()
}

fn minimal() -> RolloutSpec {
    spec_of(&std::fs::read_to_string(file(MINIMAL)).unwrap(), "checkout")
}

fn assumed(rps: f64, baseline: f64, candidate: f64) -> Assumed {
    Assumed {
        traffic: Scenario {
            name: "",
            pace: rps,
            baseline,
            candidate,
            extra: Extra::None,
        },
        pods: 4,
        scrape: None,
        horizon: None,
        seed: 1,
    }
}

fn played(spec: &RolloutSpec, assumed: &Assumed, runs: u64) -> (Setting, Vec<Course>) {
    let setting = Setting::of(spec, assumed).unwrap();
    let courses = courses(&setting, 0..runs, Stop::AtEnd);
    (setting, courses)
}

fn summary(spec: &RolloutSpec, assumed: &Assumed, runs: u64) -> Summary {
    let (setting, courses) = played(spec, assumed, runs);
    summarize(&setting, &courses)
}

/// The command as a test calls it.
fn command(file: &str) -> Rehearse {
    Rehearse {
        file: file.to_owned(),
        name: None,
        rps: None,
        baseline_error_rate: None,
        candidate_error_rate: None,
        pods: 4,
        scrape: None,
        scenario: None,
        runs: 100,
        seed: 1,
        hours: None,
        output: rehearse::Output::Text,
    }
}

fn answer(command: &Rehearse, input: &str) -> String {
    let mut out = Vec::new();
    let exit = command.run(&mut input.as_bytes(), &mut out).unwrap();
    assert_eq!(exit, Exit::Healthy);
    String::from_utf8(out).unwrap()
}

fn json(command: Rehearse, input: &str) -> Value {
    let command = Rehearse {
        output: rehearse::Output::Json,
        ..command
    };
    serde_json::from_str(&answer(&command, input)).unwrap()
}

fn share(answer: &Value, pointer: &str) -> f64 {
    answer.pointer(pointer).and_then(Value::as_f64).unwrap()
}

#[test]
fn one_seed_gives_one_answer_on_any_number_of_threads() {
    let first = answer(&command(&file(MINIMAL)), "");
    assert_eq!(first, answer(&command(&file(MINIMAL)), ""));
    let other = Rehearse {
        seed: 2,
        ..command(&file(MINIMAL))
    };
    assert_ne!(first.replace("seed 1", "seed 2"), answer(&other, ""));
    let (setting, all) = played(&minimal(), &assumed(50.0, 0.001, 0.004), 9);
    let alone: Vec<Course> = (0..9).map(|run| play(&setting, run, Stop::AtEnd)).collect();
    assert_eq!(all, alone);
}

/// A key with nothing behind it is an absent one, as for the API server.
#[test]
fn a_field_without_content_has_its_default() {
    let minimal = std::fs::read_to_string(file(MINIMAL)).unwrap();
    let input = format!("{minimal}  analysis:\n  steps:\n");
    let plain = answer(&command(&file(MINIMAL)), "");
    assert_eq!(answer(&command("-"), &input), plain);
}

#[test]
fn the_golden_answer() {
    let golden = file("tests/data/rehearse.txt");
    let found = answer(&command(&file(MINIMAL)), "");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &found).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&golden).unwrap_or_default(), found);
}

/// The page shows what the command prints, to the letter.
#[test]
fn the_page_shows_real_answers() {
    let path = file("docs/rehearse.md");
    let mut page = std::fs::read_to_string(&path).unwrap();
    let blocks: Vec<String> = page
        .split("```")
        .filter_map(|block| block.strip_prefix("text\n$ serin rehearse "))
        .map(str::to_owned)
        .collect();
    assert!(blocks.len() >= 2);
    for block in blocks {
        let (arguments, shown) = block.split_once('\n').unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("rehearse");
        let output = command.args(arguments.split(' ')).output().unwrap();
        let found = String::from_utf8(output.stdout).unwrap();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            page = page.replace(&block, &format!("{arguments}\n{found}"));
            std::fs::write(&path, &page).unwrap();
        } else {
            assert_eq!(shown, found, "serin rehearse {arguments}");
        }
    }
}

#[test]
fn a_good_version_with_ample_traffic_is_promoted() {
    let seen = summary(&minimal(), &assumed(500.0, 0.001, 0.001), 300);
    assert!(seen.promoted.share >= 0.99, "{seen:?}");
    let (full, end) = (seen.minutes_to_full.unwrap(), seen.minutes_to_end.unwrap());
    // Preflight, two holds of a minute, a proof and ten minutes of bake; then a roll, the return, and its bake.
    assert!((13.0..25.0).contains(&full.p50), "{full:?}");
    assert!((6.0..10.0).contains(&(end.p50 - full.p50)), "{end:?}");
    assert!(seen.harm.is_none());
}

#[test]
fn a_bad_version_is_taken_back_before_it_harms_many() {
    let seen = summary(&minimal(), &assumed(50.0, 0.001, 0.02), 300);
    assert!(seen.rolled_back.share >= 0.99, "{seen:?}");
    assert_eq!(seen.causes.keys().collect::<Vec<_>>(), [&"Regression"]);
    let (minutes, harm) = (seen.minutes_to_rollback.unwrap(), seen.harm.unwrap());
    assert!((0.5..6.0).contains(&minutes.p50), "{minutes:?}");
    assert!((3.0..25.0).contains(&harm.mean), "{harm:?}");
    assert!(harm.p10 <= harm.p50 && harm.p50 <= harm.p90);
    // One that fails always, three scrapes after it was let in.
    let (_, all) = played(&minimal(), &assumed(50.0, 0.001, 1.0), 50);
    assert!(
        all.iter()
            .all(|course| course.end == End::RolledBack(Cause::Regression) && course.seconds < 180.0)
    );
}

#[test]
fn no_decision_of_any_rehearsal_breaks_an_invariant() {
    let mut ended = [0; 3];
    for (path, name) in [
        (MINIMAL, "checkout"),
        ("examples/approval.yaml", "checkout"),
        ("examples/custom-query.yaml", "orders"),
        ("examples/steps.yaml", "search"),
        ("examples/rollback.yaml", "stream"),
    ] {
        let spec = spec_of(&std::fs::read_to_string(file(path)).unwrap(), name);
        for scenario in MATRIX {
            let assumed = Assumed {
                traffic: scenario,
                pods: 7,
                ..assumed(1.0, 0.0, 0.0)
            };
            for course in played(&spec, &assumed, 3).1 {
                assert_eq!(course.breaches, 0, "{path} {}", scenario.name);
                assert!(course.decisions > 10, "{path} {}: {course:?}", scenario.name);
                ended[match course.end {
                    End::Promoted => 0,
                    End::RolledBack(_) => 1,
                    End::Open => 2,
                }] += 1;
            }
        }
    }
    assert!(ended[0] > 100 && ended[1] > 100, "{ended:?}");
}

/// The Rollout of [`MINIMAL`] with merge patches, as YAML.
fn patched(patches: &[&Value]) -> String {
    let mut object: Value = serde_yaml::from_str(&std::fs::read_to_string(file(MINIMAL)).unwrap()).unwrap();
    for patch in patches {
        json_patch::merge(&mut object, patch);
    }
    serde_yaml::to_string(&object).unwrap()
}

/// Deadlines that little traffic cannot keep.
fn hasty() -> Value {
    serde_json::json!({"spec": {"steps": [
        {"weight": 10, "deadline": "8m"}, {"weight": 25, "deadline": "8m"}, {"weight": 100, "deadline": "30m"},
    ]}})
}

#[test]
fn thin_traffic_holds_releases_and_the_advice_is_true() {
    let thin = |input: &str| Rehearse {
        rps: Some(1.0),
        runs: 300,
        ..command(input)
    };
    let hasty = hasty();
    let before = json(thin("-"), &patched(&[&hasty]));
    let held = share(&before, "/held/share");
    assert!(held > 0.1, "{held}");
    let trouble = before["trouble"].as_str().unwrap();
    assert!(trouble.contains("no verdict at step"), "{trouble}");
    let advice = before["advice"].as_array().unwrap();
    assert!(!advice.is_empty(), "{before:#}");
    for one in advice {
        let after = json(thin("-"), &patched(&[&hasty, &one["patch"]]));
        let sentence = one["sentence"].as_str().unwrap();
        for (promised, found) in [
            ("/promoted", "/promoted/share"),
            ("/held", "/held/share"),
            ("/rolledBack", "/rolledBack/share"),
        ] {
            // Fewer releases are played for a promise where they last long.
            let (promised, found) = (share(one, promised), share(&after, found));
            assert!(
                (promised - found).abs() < 0.13,
                "{sentence}: {promised}, not {found}"
            );
        }
        assert!(share(&after, "/held/share") < held, "{sentence}");
    }
}

#[test]
fn what_is_called_caught_is_caught_and_what_slips_through_does() {
    let seen = json(command(&file(MINIMAL)), "");
    let at = |rate: f64| {
        json(
            Rehearse {
                candidate_error_rate: Some(rate),
                seed: 77,
                runs: 200,
                ..command(&file(MINIMAL))
            },
            "",
        )
    };
    let caught = at(share(&seen, "/caught/errorRate"));
    let back = share(&caught, "/rolledBack/share") + share(&caught, "/held/thenRolledBack");
    assert!(back > 0.8, "{back}");
    let slips = at(share(&seen, "/slipsThrough/errorRate"));
    let up = share(&slips, "/promoted/share") + share(&slips, "/held/thenPromoted");
    assert!((0.01..0.3).contains(&up), "{up}");
    // Beyond what a promotion rules out nothing slips through.
    assert!(share(&seen, "/slipsThrough/errorRate") <= share(&seen, "/excludes"));
}

#[test]
fn a_late_fault_asks_for_a_longer_bake() {
    let mut spec = minimal();
    spec.steps = Some(spec.steps());
    if let Some(last) = spec.steps.iter_mut().flatten().last() {
        last.hold = Some(serin::api::Duration::from_secs(60));
    }
    let rollout = serde_json::json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "quick"}, "spec": spec,
    });
    let leak = MATRIX.iter().find(|scenario| scenario.name == "B9").copied();
    let seen = json(
        Rehearse {
            scenario: leak,
            runs: 200,
            ..command("-")
        },
        &rollout.to_string(),
    );
    assert!(share(&seen, "/promoted/share") > 0.1, "{seen:#}");
    let trouble = seen["trouble"].as_str().unwrap();
    assert!(trouble.contains("must not be promoted"), "{trouble}");
    let advice = seen["advice"].as_array().unwrap();
    let bake = advice
        .iter()
        .find(|one| one["sentence"].as_str().unwrap().contains("watch the last step"))
        .unwrap();
    assert!(share(bake, "/promoted") < 0.05, "{bake:#}");
}

#[test]
fn no_verdict_in_time_is_a_rollback_where_the_rollout_says_so() {
    let mut spec = spec_of(&patched(&[&hasty()]), "checkout");
    spec.analysis.on_inconclusive = serin::api::OnDoubt::Rollback;
    let thin = assumed(1.0, 0.001, 0.001);
    let (setting, all) = played(&spec, &thin, 100);
    let seen = summarize(&setting, &all);
    assert_eq!(seen.held.share, 0.0);
    let back = seen.causes.get("Inconclusive").copied().unwrap_or(0.0);
    assert!(back > 0.05, "{seen:?}");
    let stuck: f64 = seen.steps.iter().map(|step| step.stuck).sum();
    assert!((stuck - back).abs() < 1e-9, "each of them says where and why");
}

#[test]
fn the_traffic_that_would_do_does() {
    let provable = |rps: f64| summary(&minimal(), &assumed(rps, 0.001, 0.001), 40).provable;
    let setting = Setting::of(&minimal(), &assumed(2.0, 0.001, 0.001)).unwrap();
    let enough = sufficient_pace(&setting).unwrap();
    assert!((10.0..200.0).contains(&enough), "{enough}");
    assert!(provable(enough / 10.0).is_some());
    assert!(provable(enough * 1.3).is_none());
}

#[test]
fn a_release_without_an_end_in_time_says_that_it_is_the_time() {
    let mut spec = minimal();
    spec.analysis.preset = serin::api::Preset::Cautious;
    let short = Assumed {
        horizon: Some(Duration::from_mins(20)),
        ..assumed(500.0, 0.001, 0.001)
    };
    let seen = summary(&spec, &short, 40);
    assert_eq!(seen.held.share, 1.0);
    let text = answer(
        &Rehearse {
            hours: Some(0.2),
            rps: Some(500.0),
            ..command(&file(MINIMAL))
        },
        "",
    );
    assert!(text.contains("Rehearse with more `--hours`"), "{text}");
}

#[test]
fn the_answer_fits_a_screen() {
    let many: Vec<u32> = (1..20).chain([100]).collect();
    let long = patched(&[&serde_json::json!({"spec": {"weights": many, "paused": true}})]);
    let mut answers = vec![answer(
        &Rehearse {
            rps: Some(0.5),
            runs: 30,
            ..command("-")
        },
        &long,
    )];
    for (path, name) in [
        ("examples/approval.yaml", None),
        ("examples/custom-query.yaml", None),
        ("examples/steps.yaml", Some("payment")),
        ("examples/provider.yaml", None),
    ] {
        let thin = Rehearse {
            name: name.map(str::to_owned),
            rps: Some(1.0),
            runs: 30,
            ..command(&file(path))
        };
        answers.push(answer(&thin, ""));
    }
    assert!(
        answers[0].contains("`paused` is taken as false"),
        "{}",
        answers[0]
    );
    assert!(
        answers[1].contains("approvals are given at once"),
        "{}",
        answers[1]
    );
    for answer in &answers {
        assert!(
            answer.lines().count() <= 30,
            "{} lines:\n{answer}",
            answer.lines().count()
        );
        assert!(
            answer.lines().all(|line| line.chars().count() <= 110),
            "a long line:\n{answer}"
        );
        assert!(answer.lines().all(|line| line == line.trim_end()));
        assert!(!answer.contains("NaN") && !answer.contains("inf"), "{answer}");
    }
}

fn serin(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command
        .arg("rehearse")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Whoever refuses the command line does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn what_cannot_be_rehearsed_is_refused_in_one_line() {
    let two = std::fs::read_to_string(file("examples/steps.yaml")).unwrap();
    let broken = patched(&[&serde_json::json!({"spec": {"weights": [50]}})]);
    let wrong = patched(&[&serde_json::json!({"spec": {"weights": [50], "progressDeadline": "1s"}})]);
    let minimal = file(MINIMAL);
    let minimal = minimal.as_str();
    let cases: &[(&[&str], &str, &str)] = &[
        (&["/does/not/exist.yaml"], "", "cannot read /does/not/exist.yaml"),
        (&["-"], "", "no Rollout in -: it is empty"),
        (&["-"], "kind: Service\nmetadata: {name: a}\n", "it has Service/a"),
        (&["-"], "kind: [\n", "document 1: it is not YAML"),
        (
            &["-"],
            &two,
            "has several Rollouts: search, payment; hint: choose one with --name",
        ),
        (&["-", "--name", "nobody"], &two, "no Rollout called nobody"),
        (
            &["-"],
            &broken,
            "Rollout/checkout: spec.weights: the last of weights must be 100: append 100",
        ),
        (&["-"], &wrong, "(and 1 more)"),
        (&[minimal, "--rps", "0"], "", "from 0.000001 to 1000000"),
        (&[minimal, "--rps", "1e-300"], "", "from 0.000001 to 1000000"),
        (&[minimal, "--runs", "0"], "", "whole number from 1 to 100000"),
        (&[minimal, "--pods", "0"], "", "whole number from 1 to 10000"),
        (&[minimal, "--baseline-error-rate", "120%"], "", "from 0 to 1"),
        (&[minimal, "--candidate-error-rate", "two"], "", "from 0 to 1"),
        (&[minimal, "--scenario", "G99"], "", "B1 to B14"),
        (&[minimal, "--scrape", "15"], "", "1s to 5m"),
        (&[minimal, "--hours", "0"], "", "at most 720"),
        (
            &[
                minimal, "--runs", "1", "--rps", "0.000001", "--scrape", "1s", "--hours", "720",
            ],
            "",
            "2592000 looks at the metrics, at most 1000000 are simulated; hint: give at most --hours 277, or a longer --scrape",
        ),
        (
            &[minimal, "--runs", "100000", "--hours", "720"],
            "",
            "hint: give at most --runs 2893, fewer --hours or a longer --scrape",
        ),
        (&[], "", "not provided: <FILE>"),
    ];
    for (arguments, input, want) in cases {
        let output = serin(arguments, input);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {told}");
        assert_eq!(told.lines().count(), 1, "{arguments:?}: {told}");
        assert!(told.starts_with("error: ") && told.contains("; hint: "), "{told}");
        assert!(told.contains(want), "{arguments:?}: {told}");
        assert!(output.stdout.is_empty());
    }
    let named = serin(&["-", "--name", "search", "--runs", "2"], &two);
    assert_eq!(named.status.code(), Some(0));
    assert!(
        String::from_utf8(named.stdout)
            .unwrap()
            .starts_with("Rollout/search: 2 simulated")
    );
}

/// A version that fails only with all traffic is caught there by the past alone, and a good one is promoted all the same.
#[test]
fn without_a_baseline_in_the_bake_the_past_is_what_catches() {
    let mut spec = minimal();
    spec.analysis.baseline.bake_share = 0;
    let mut late = assumed(50.0, 0.002, 0.002);
    let good = summary(&spec, &late, 40);
    assert!(good.promoted.share > 0.9, "{good:?}");
    late.traffic.extra = Extra::From(0.99, 0.05);
    let bad = summary(&spec, &late, 40);
    assert!(bad.rolled_back.share > 0.95, "{bad:?}");
    // A little worse is not told from the past: that is the price.
    late.traffic.extra = Extra::From(0.99, 0.006);
    assert!(summary(&spec, &late, 40).promoted.share > 0.9);
}

#[test]
fn what_was_looked_at_for_too_short_is_no_lack_of_traffic() {
    let minimal = file(MINIMAL);
    let output = serin(
        &[minimal.as_str(), "--runs", "1", "--hours", "0.1", "--pods", "1"],
        "",
    );
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(
        told.contains("100 % of releases have no end within 6m") && told.contains("more `--hours`"),
        "{told}"
    );
    assert!(
        told.contains("(looked at for 6m)") && !told.contains("No setting"),
        "{told}"
    );
    for singular in [": 1 simulated release,", "; 1 pod;", "what 1 run leaves open"] {
        assert!(told.contains(singular), "{singular}: {told}");
    }
}

#[test]
fn what_is_missing_takes_as_long_as_the_assumed_traffic_says() {
    let minimal = file(MINIMAL);
    let output = serin(&[minimal.as_str(), "--runs", "10", "--rps", "0.001"], "");
    let told = String::from_utf8(output.stdout).unwrap();
    let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("the new version gets less than 1 request in 1h, which are too few for a proof"),
        "{told}"
    );
    // At a tenth of 0.001 requests a second each takes 2.8 hours.
    let (_, lack) = told.split_once("half of them lack ").unwrap();
    let (requests, rest) = lack.split_once(" requests (").unwrap();
    let hours = rest.split_once(" h) or more").unwrap().0;
    let (requests, hours): (f64, f64) = (requests.parse().unwrap(), hours.parse().unwrap());
    assert!((hours - requests / 0.36).abs() < 1.0, "{told}");
}

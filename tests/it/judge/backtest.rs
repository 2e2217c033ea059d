//! Backtests: past releases and incidents, over HTTP and in the simulated cluster.

use std::path::PathBuf;

use serde_json::Value;
use serin::cli::judge::{Judge, Output, Past};
use serin::cli::{Exit, Failure};
use serin::engine::Moment;

use super::prometheus::{BEGIN, Manner, Memory, Served, Server, TOKEN};

const MINIMAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/minimal.yaml");
const REVISION: &str = "9hjnd4zdst";
const CANDIDATE: &str = "checkout-canary-9hjnd4zdst";

fn at(seconds: i64) -> Moment {
    Moment::from_second(BEGIN + seconds).unwrap()
}

/// The backtest of a window of so many seconds, whose "now" is ten minutes after its end.
fn past(server: &Server, seconds: i64) -> Past {
    Past {
        prometheus: Some(server.address.clone()),
        rollout: Some(MINIMAL.into()),
        from: Some(at(0).to_string()),
        to: Some(at(seconds).to_string()),
        namespace: Some("shop".into()),
        ..Past::default()
    }
}

fn run(past: Past, output: Output, plot: Option<String>) -> Result<(Exit, String), Failure> {
    let judge = Judge {
        past,
        output: Some(output),
        plot,
        ..Judge::default()
    };
    let mut out = Vec::new();
    let now = at(100_000);
    let exit = judge.run(now, &mut "".as_bytes(), &mut out)?;
    Ok((exit, String::from_utf8(out).unwrap()))
}

/// Compares with a file of this folder; `UPDATE_GOLDEN=1` writes it anew.
fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/judge")
        .join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        known == text,
        "{}: differs; read it, then UPDATE_GOLDEN=1\n{text}",
        path.display()
    );
}

/// A release with the default steps. From `bad_from` on (a second) the candidate fails `bad` of its requests.
fn release(bad: f64, bad_from: i64, seed: u64) -> Memory {
    // It begins after ten minutes, and takes ten at each weight.
    let share = |second: i64| match second {
        600..1200 => 0.1,
        1200..1800 => 0.25,
        1800..2400 => 0.8,
        2400..3000 => 0.95,
        _ => 0.0,
    };
    let served = |share: f64, bad: f64| Served {
        requests: 100.0 * share,
        bad,
        slow: 0.01,
    };
    let stable = move |second: i64| Some(served(1.0 - share(second), 0.001));
    let candidate = move |second: i64| {
        let rate = if second >= bad_from { bad } else { 0.001 };
        (600..=3000)
            .contains(&second)
            .then(|| served(share(second), rate))
    };
    Memory::gateway(3600, &[("checkout", &stable), (CANDIDATE, &candidate)], seed)
}

/// A service that is changed in place after half an hour; from then on so many requests fail, and so many are slow.
fn change(bad: f64, slow: f64, seed: u64) -> Memory {
    let stable = move |second: i64| {
        let after = second > 1800;
        Some(Served {
            requests: 100.0,
            bad: if after { bad } else { 0.001 },
            slow: if after { slow } else { 0.01 },
        })
    };
    Memory::gateway(5400, &[("checkout", &stable)], seed)
}

fn of_revision(past: Past) -> Past {
    Past {
        revision: Some(REVISION.into()),
        ..past
    }
}

fn of_change(past: Past) -> Past {
    Past {
        at: Some(at(1800).to_string()),
        ..past
    }
}

#[test]
fn a_release_that_went_bad_would_have_been_rolled_back() {
    let server = Server::start(release(0.02, 1500, 1), Manner::Well);
    let folder = std::env::temp_dir().join(format!("serin-backtest-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let plot = folder.join("release.svg").display().to_string();
    let (exit, text) = run(of_revision(past(&server, 3600)), Output::Text, Some(plot.clone())).unwrap();
    assert_eq!(exit, Exit::Failed, "{text}");
    golden("release.txt", &text);
    golden("release.svg", &std::fs::read_to_string(plot).unwrap());
    std::fs::remove_dir_all(folder).unwrap();
    // An hour at 15 s is asked for in ranges, not moment by moment.
    assert!(server.asked() < 150, "{} questions", server.asked());
}

#[test]
fn json_says_the_same_for_programs() {
    let server = Server::start(release(0.02, 1500, 1), Manner::Well);
    let (exit, text) = run(of_revision(past(&server, 3600)), Output::Json, None).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = lines.iter().filter_map(|line| line["event"].as_str()).collect();
    assert_eq!(events, ["Step", "Pass", "Step", "Pass", "Fail"], "{text}");
    let last = lines.last().unwrap();
    assert_eq!(
        (exit, &last["outcome"]),
        (Exit::Failed, &Value::from("RolledBack"))
    );
    let rolled_back: Moment = last["at"].as_str().unwrap().parse().unwrap();
    let late = rolled_back.duration_since(at(1500)).as_secs();
    assert!((15..=120).contains(&late), "{late} s after the fault began");
    // What the candidate failed from then on: 25 % for the rest of five minutes, 80 %, 95 %.
    let spared = last["spared"].as_f64().unwrap();
    let expected = 0.019 * 100.0 * (0.25 * (1800.0 - 1500.0 - late as f64) + 0.8 * 600.0 + 0.95 * 600.0);
    assert!((spared / expected - 1.0).abs() < 0.1, "{spared} {expected}");
    // Counted from the failures that told, not from one of the usual ones before.
    let after = last["after"].as_f64().unwrap();
    assert!((after - late as f64).abs() <= 15.0, "{after} {late}");
}

#[test]
fn a_good_release_would_have_been_promoted_and_a_hasty_one_is_told() {
    let server = Server::start(release(0.001, 0, 2), Manner::Well);
    let (exit, text) = run(of_revision(past(&server, 3600)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Healthy, "{text}");
    assert!(text.contains("it would have been promoted at 13:42:"), "{text}");
    assert!(!text.contains("would still have waited"), "{text}");
    // The bake waits for no proof.
    let ends = text.lines().find(|line| line.contains("ends: ")).unwrap();
    assert!(!ends.contains("needed"), "{ends}");
    assert!(
        text.contains("ends: the bake is over, and no regression was proven: error-rate 0."),
        "{text}"
    );
    let (exit, text) = run(of_revision(past(&server, 2400)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Undecided, "{text}");
    assert!(
        text.contains("ends: the proof is there, and the bake is not over: error-rate 0."),
        "{text}"
    );
    // Who says that the second step began at once is told that this Rollout had waited.
    let hasty = Past {
        step_at: vec![at(630).to_string()],
        ..of_revision(past(&server, 3600))
    };
    let (_, text) = run(hasty, Output::Text, None).unwrap();
    assert!(
        text.contains("step 2/3 began; this Rollout would still have waited: "),
        "{text}"
    );
    assert!(!text.contains("it would have been promoted"), "{text}");
    // In the middle nothing is decided.
    let (exit, text) = run(of_revision(past(&server, 1700)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Undecided, "{text}");
    assert!(
        text.ends_with("undecided: neither a rollback nor a promotion, 25 % when the window ends\n"),
        "{text}"
    );
}

#[test]
fn another_controllers_release_is_named_by_its_service() {
    let server = Server::start(release(0.02, 1500, 1), Manner::Well);
    for candidate in [
        CANDIDATE.to_owned(),
        format!("{CANDIDATE}/{CANDIDATE}-[a-z0-9-]+"),
    ] {
        let named = Past {
            candidate: Some(candidate),
            ..past(&server, 3600)
        };
        assert_eq!(run(named, Output::Text, None).unwrap().0, Exit::Failed);
    }
    let absent = Past {
        candidate: Some("checkout-blue".into()),
        ..past(&server, 3600)
    };
    let error = run(absent, Output::Text, None).unwrap_err().to_string();
    assert!(
        error.contains("the candidate has no request in this window"),
        "{error}"
    );
}

#[test]
fn an_incident_is_played_as_if_it_had_been_a_release() {
    let server = Server::start(change(0.02, 0.01, 3), Manner::Well);
    let (exit, text) = run(of_change(past(&server, 5400)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Failed, "{text}");
    golden("incident.txt", &text);
    // A change that changed nothing climbs the whole ladder.
    let server = Server::start(change(0.001, 0.01, 4), Manner::Well);
    let (exit, text) = run(of_change(past(&server, 5400)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Healthy, "{text}");
    for step in [
        "step 1/3 begins",
        "step 2/3 begins",
        "step 3/3 begins",
        "ends: the bake is over, and no regression was proven: error-rate 0.",
        "it would have been promoted at ",
    ] {
        assert!(text.contains(step), "{step}: {text}");
    }
    // One that made requests slow is convicted by the histogram.
    let server = Server::start(change(0.001, 0.1, 5), Manner::Well);
    let (exit, text) = run(of_change(past(&server, 5400)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Failed, "{text}");
    assert!(
        text.contains("slow requests would have been spared") && text.contains("fails: latency"),
        "{text}"
    );
}

/// When a backtest says that a release would have been promoted.
fn promoted(text: &str) -> &str {
    let said = text
        .lines()
        .find_map(|line| line.strip_prefix("it would have been promoted at "));
    said.unwrap_or_else(|| panic!("not promoted: {text}"))
}

#[test]
fn an_incident_climbs_no_step_while_nobody_asks_the_new_version() {
    // Nobody asks the service from the midst of the bake on, until half past two.
    let stable = |second: i64| {
        let silent = (2520..5400).contains(&second);
        Some(Served {
            requests: if silent { 0.0 } else { 100.0 },
            bad: 0.001,
            slow: 0.01,
        })
    };
    let server = Server::start(Memory::gateway(7800, &[("checkout", &stable)], 6), Manner::Well);
    let (exit, text) = run(of_change(past(&server, 7800)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Healthy, "{text}");
    assert!(text.contains("the bake of step 3/3 begins"), "{text}");
    assert!(("14:30:00".."14:31:00").contains(&promoted(&text)), "{text}");
}

#[test]
fn a_bake_at_whose_end_nobody_asks_goes_on_until_somebody_does() {
    let rates = |share: f64, second: i64| Served {
        requests: if (2340..3060).contains(&second) {
            0.0
        } else {
            100.0 * share
        },
        bad: 0.001,
        slow: 0.01,
    };
    let share = |second: i64| match second {
        600..1200 => 0.1,
        1200..1800 => 0.25,
        1800..2280 => 0.8,
        2280.. => 0.95,
        _ => 0.0,
    };
    let stable = move |second: i64| Some(rates(1.0 - share(second), second));
    let candidate = move |second: i64| {
        (600..=3600)
            .contains(&second)
            .then(|| rates(share(second), second))
    };
    let memory = Memory::gateway(3600, &[("checkout", &stable), (CANDIDATE, &candidate)], 2);
    let server = Server::start(memory, Manner::Well);
    let (exit, text) = run(of_revision(past(&server, 3600)), Output::Text, None).unwrap();
    assert_eq!(exit, Exit::Healthy, "{text}");
    // The silence ends at 13:51.
    assert!(("13:51:00".."13:52:00").contains(&promoted(&text)), "{text}");
}

#[test]
fn a_good_change_is_seldom_convicted() {
    let mut convicted = 0;
    for seed in 0..30 {
        let server = Server::start(change(0.001, 0.01, 100 + seed), Manner::Well);
        let (exit, _) = run(of_change(past(&server, 5400)), Output::Text, None).unwrap();
        convicted += u32::from(exit == Exit::Failed);
    }
    assert_eq!(convicted, 0);
}

#[test]
fn who_is_let_in_is_answered_and_others_learn_what_to_do() {
    let folder = std::env::temp_dir().join(format!("serin-backtest-token-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let token = folder.join("token");
    std::fs::write(&token, TOKEN).unwrap();
    let server = Server::start(release(0.02, 1500, 1), Manner::Guarded);
    let allowed = Past {
        header: vec!["X-Scope-OrgID: shop".into()],
        bearer_token_file: Some(token),
        ..of_revision(past(&server, 3600))
    };
    assert_eq!(run(allowed, Output::Text, None).unwrap().0, Exit::Failed);
    std::fs::remove_dir_all(folder).unwrap();
    let told = |past: Past| match run(past, Output::Text, None).unwrap_err() {
        Failure::Told { message, hint, exit } => {
            assert_eq!((exit, message.lines().count()), (Exit::Usage, 1), "{message}");
            format!("{message}; {hint}")
        }
        failure @ (Failure::Output(_) | Failure::Unread) => panic!("{failure}"),
    };
    let denied = told(of_revision(past(&server, 3600)));
    assert!(
        denied.contains("HTTP 401") && denied.contains("--bearer-token-file"),
        "{denied}"
    );
    let lost = Server::start(Memory::default(), Manner::Status(404));
    let lost = told(of_revision(past(&lost, 3600)));
    assert!(
        lost.contains("HTTP 404") && lost.contains("base address"),
        "{lost}"
    );
    let nowhere = Past {
        prometheus: Some("http://127.0.0.1:9".into()),
        ..of_revision(past(&server, 3600))
    };
    assert!(
        told(nowhere).contains("cannot be reached"),
        "an address where nobody listens"
    );
    let empty = Server::start(Memory::default(), Manner::Well);
    let empty = told(of_revision(past(&empty, 3600)));
    assert!(
        empty.contains("no series matched for Service shop/checkout") && empty.contains("--namespace"),
        "{empty}"
    );
    let server = Server::start(release(0.02, 1500, 1), Manner::Well);
    let other = Past {
        namespace: Some("bank".into()),
        ..of_revision(past(&server, 3600))
    };
    assert!(told(other).contains("bank/checkout"), "another namespace");
}

/// What is asked, and a part of the answer.
fn nonsense(server: &Server) -> Vec<(Past, &'static str)> {
    let base = || of_revision(past(server, 3600));
    let with = |change: &dyn Fn(&mut Past)| {
        let mut past = base();
        change(&mut past);
        past
    };
    vec![
        (
            past(server, 3600),
            "give --revision or --candidate for a release, --at",
        ),
        (
            with(&|it| it.from = Some("yesterday".into())),
            "--from: `yesterday` is not a moment",
        ),
        (
            with(&|it| it.to = Some(at(-5).to_string())),
            "not in order: --from, each --step-at, --to",
        ),
        (
            with(&|it| (it.at, it.revision) = (Some(at(4000).to_string()), None)),
            "not in order: --from, --at, --to",
        ),
        (
            with(&|it| it.to = Some(at(200_000).to_string())),
            "--to is in the future",
        ),
        (
            with(&|it| it.from = Some("40w ago".into())),
            "choose a window of at most",
        ),
        (
            with(&|it| it.step_at = (1..=5).map(|step| at(step * 600).to_string()).collect()),
            "grows 3 times",
        ),
        (
            with(&|it| it.header = vec!["secret-without-colon".into()]),
            "--header without a colon",
        ),
        (
            with(&|it| it.prometheus = Some("prometheus:9090".into())),
            "must begin with http",
        ),
        (
            with(&|it| it.rollout = Some("/nonexistent/rollout.yaml".into())),
            "/nonexistent/rollout.yaml",
        ),
    ]
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_is_asked() {
    let server = Server::start(release(0.02, 1500, 1), Manner::Well);
    for (past, reason) in nonsense(&server) {
        let Failure::Told { message, hint, exit } = run(past, Output::Text, None).unwrap_err() else {
            panic!("{reason}")
        };
        let told = format!("{message}; {hint}");
        assert!(
            exit == Exit::Usage && told.contains(reason),
            "{told}\nlacks {reason}"
        );
        assert!(!told.contains("secret"), "{told}");
    }
    assert_eq!(server.asked(), 0);
}

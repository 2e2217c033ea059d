//! `serin judge`: lines in, verdicts out.

mod backtest;
mod config;
mod edges;
mod gauges;
mod gone;
mod histogram;
mod input;
mod late;
mod plot;
mod prometheus;
mod share;
mod silence;
mod simulated;
mod steps;
mod suspicion;
mod table;
mod time;
mod without_baseline;

use std::fmt::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::judge::{Judge, Output};
use serin::engine::Moment;
use serin::stats::random::Random;

const NOW: Moment = Moment::UNIX_EPOCH;

fn command(config: Option<String>) -> Judge {
    Judge {
        file: Some("-".into()),
        config,
        output: Some(Output::Json),
        ..Judge::default()
    }
}

fn judge(input: &str, config: Option<String>) -> (Exit, Vec<Value>) {
    let mut out = Vec::new();
    let exit = command(config).run(NOW, &mut input.as_bytes(), &mut out).unwrap();
    let answers = String::from_utf8(out).unwrap();
    (
        exit,
        answers
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

fn line(stream: &str, t: u64) -> String {
    format!(
        r#"{{"stream":"{stream}","t":{t},"weight":10,"metrics":{{"e":{{"candidate":{{"n":90,"x":0}},"baseline":{{"n":900,"x":1}}}}}}}}"#
    )
}

/// A file of this test, and its folder, which goes with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("serin-judge-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serin(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    let output = command
        .arg("judge")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// A driver as the manual describes it: it raises the step when it may. Gives input and answers.
fn drive(stream: &str, rates: (f64, f64), pace: f64, ticks: u32, seed: u64) -> (String, Exit, Vec<Value>) {
    const WEIGHTS: [f64; 3] = [10.0, 25.0, 80.0];
    let (mut step, mut input) = (0, String::new());
    let mut random = Random::new(seed);
    let mut end = (Exit::Undecided, Vec::new());
    for t in 1..=ticks {
        let n = random.poisson(pace * 15.0);
        let nc = random.binomial(n, WEIGHTS[step] / 100.0);
        let arm = |n: u64, x: u64| json!({"n": n, "x": x});
        let line = json!({
            "stream": stream, "t": f64::from(t) * 15.0, "step": step, "weight": WEIGHTS[step],
            "final": step == 2, "metrics": {"error-rate": {
                "candidate": arm(nc, random.binomial(nc, rates.0)),
                "baseline": arm(n - nc, random.binomial(n - nc, rates.1)),
            }},
        });
        writeln!(input, "{line}").unwrap();
        end = judge(&input, None);
        let last = end.1.last().unwrap();
        if last["advance"] == true {
            step += 1;
        }
        if step == WEIGHTS.len() || last["verdict"] == "Fail" {
            break;
        }
    }
    (input, end.0, end.1)
}

#[test]
fn a_good_release_is_promoted_and_a_bad_one_is_not() {
    let (_, exit, answers) = drive("good", (0.001, 0.001), 50.0, 200, 1);
    let last = answers.last().unwrap();
    assert_eq!(
        (exit, &last["verdict"], &last["advance"]),
        (Exit::Healthy, &json!("Pass"), &json!(true))
    );
    // Steps wait for their hold, the last one for its bake.
    assert!(answers.iter().take(3).all(|a| a["advance"] == false));
    assert!(last["t"].as_f64().unwrap() >= 600.0);

    let (_, exit, answers) = drive("bad", (0.05, 0.001), 50.0, 200, 2);
    let last = answers.last().unwrap();
    assert_eq!((exit, &last["verdict"]), (Exit::Failed, &json!("Fail")));
    assert!(answers.len() <= 16, "{} scrapes", answers.len());
    let fail = &last["metrics"]["error-rate"]["fail"];
    assert!(fail["evidence"].as_f64() >= fail["needed"].as_f64());
    assert!(
        last["reason"].as_str().unwrap().contains("against it"),
        "{}",
        last["reason"]
    );
}

#[test]
fn a_fail_is_final() {
    let (mut input, _, answers) = drive("s", (0.3, 0.001), 50.0, 20, 3);
    let t = answers.last().unwrap()["t"].as_f64().unwrap();
    for i in 1..200 {
        let line = json!({"stream": "s", "t": t + 15.0 * f64::from(i), "step": 0, "weight": 10, "metrics":
            {"error-rate": {"candidate": {"n": 500, "x": 0}, "baseline": {"n": 4500, "x": 400}}}});
        writeln!(input, "{line}").unwrap();
    }
    let (exit, answers) = judge(&input, None);
    assert_eq!(
        (exit, &answers.last().unwrap()["verdict"]),
        (Exit::Failed, &json!("Fail"))
    );
}

#[test]
fn streams_do_not_know_of_each_other() {
    let (good, _, alone) = drive("a", (0.001, 0.001), 20.0, 30, 4);
    let (bad, _, _) = drive("b", (0.2, 0.001), 20.0, 30, 5);
    let mut mixed = String::new();
    let mut others = bad.lines();
    for line in good.lines() {
        writeln!(mixed, "{line}").unwrap();
        if let Some(other) = others.next() {
            writeln!(mixed, "{other}").unwrap();
        }
    }
    let (exit, answers) = judge(&mixed, None);
    let ours: Vec<Value> = answers.into_iter().filter(|a| a["stream"] == "a").collect();
    assert_eq!(ours, alone);
    assert_eq!(exit, Exit::Failed);
}

#[test]
fn raw_series_and_columns_say_the_same_as_increments() {
    let (input, _, answers) = drive("s", (0.004, 0.002), 50.0, 12, 6);
    let mut series = String::new();
    let mut columns = "stream,t,step,weight,final,candidate_n,candidate_x,baseline_n,baseline_x\n".to_owned();
    let mut totals = [(1_000_000_u64, 500_u64); 2];
    let text = |totals: &[(u64, u64); 2], t: f64, line: &Value| {
        let arm =
            |at: usize| json!([{"series": "old", "started": -9e5, "n": totals[at].0, "x": totals[at].1}]);
        json!({"stream": "s", "t": t, "step": line["step"], "weight": line["weight"], "final": line["final"],
            "metrics": {"error-rate": {"candidate": arm(0), "baseline": arm(1)}}})
    };
    for line in input.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let metric = &line["metrics"]["error-rate"];
        let get = |arm: &str, what: &str| metric[arm][what].as_u64().unwrap();
        if series.is_empty() {
            writeln!(series, "{}", text(&totals, 0.0, &line)).unwrap();
        }
        for (total, arm) in totals.iter_mut().zip(["candidate", "baseline"]) {
            *total = (total.0 + get(arm, "n"), total.1 + get(arm, "x"));
        }
        writeln!(series, "{}", text(&totals, line["t"].as_f64().unwrap(), &line)).unwrap();
        let counts = ["candidate", "baseline"]
            .map(|arm| format!("{},{}", get(arm, "n"), get(arm, "x")))
            .join(",");
        writeln!(
            columns,
            "s,{},{},{},{},{counts}",
            line["t"], line["step"], line["weight"], line["final"]
        )
        .unwrap();
    }
    assert_eq!(judge(&columns, None).1, answers);
    let counts = |answers: &[Value]| {
        let last = &answers.last().unwrap()["metrics"]["error-rate"];
        (last["candidate"].clone(), last["baseline"].clone())
    };
    assert_eq!(counts(&judge(&series, None).1), counts(&answers));
}

#[test]
fn what_cannot_be_used_is_named_and_the_rest_goes_on() {
    let good = |t: u32| {
        format!(
            r#"{{"stream":"s","t":{t},"weight":10,"metrics":{{"e":{{"candidate":{{"n":9,"x":0}},"baseline":{{"n":90,"x":0}}}}}}}}"#
        )
    };
    let cases = [
        (good(15).replace("\"weight\"", "\"wait\""), "wait"),
        (good(15).replace("\"n\":9,", "\"n\":-9,"), "negative"),
        (
            good(15).replace("\"x\":0}}}", "\"x\":91}}}"),
            "x is 91 but n only 90",
        ),
        (good(3), "t must grow"),
        (good(15).replace("\"e\"", "\"f\""), "metrics changed"),
        (good(15).replace("\"weight\":10", "\"weight\":0"), "weight"),
        (good(15).replace("\"t\":15,", ""), "t is missing"),
        (
            r#"{"stream":"s","history":[]}"#.to_owned(),
            "history must come before",
        ),
        ("{".to_owned(), "EOF"),
        ("\u{1}".to_owned(), "a line begins with {"),
    ];
    for (bad, reason) in cases {
        let (exit, answers) = judge(&format!("{}\n{bad}\n{}\n", good(5), good(20)), None);
        assert_eq!((exit, answers.len()), (Exit::Usage, 3), "{bad}");
        assert_eq!(answers[1]["line"], 2);
        assert!(
            answers[1]["error"].as_str().unwrap().contains(reason),
            "{bad}: {}",
            answers[1]
        );
        assert_eq!(answers[2]["metrics"]["e"]["candidate"]["n"], 18, "{bad}");
    }
}

#[test]
fn a_clumpy_past_asks_for_more_proof() {
    let evidence = |clump: u64| {
        let past: Vec<Value> = (0..240)
            .map(|t| {
                let bad = |p: u64| {
                    if (t * 7 + p * 11).is_multiple_of(40) {
                        clump
                    } else {
                        0
                    }
                };
                let pods: Vec<[u64; 2]> = (0..8).map(|p| [100, bad(p)]).collect();
                json!({"t": -3600.0 + t as f64 * 15.0, "pods": pods})
            })
            .collect();
        let mut input = format!("{}\n", json!({"stream": "s", "history": past}));
        for t in 1..20 {
            let line = json!({"stream": "s", "t": t * 15, "step": 0, "weight": 10, "metrics":
                {"error-rate": {"candidate": {"n": 80, "x": 1}, "baseline": {"n": 720, "x": 1}}}});
            writeln!(input, "{line}").unwrap();
        }
        let (_, answers) = judge(&input, None);
        answers.last().unwrap()["metrics"]["error-rate"]["fail"]["evidence"]
            .as_f64()
            .unwrap()
    };
    assert!(evidence(1) > evidence(3) + 1.0, "{} {}", evidence(1), evidence(3));
}

#[test]
fn latency_is_judged_from_buckets() {
    let run = |slower: u64| {
        let mut input = String::new();
        for t in 1..=60 {
            let arm = |n: u64, slow: u64| json!({"n": n, "buckets": [[0.05, n / 2 - slow / 2], [0.1, n * 9 / 10 - slow], [0.5, n * 99 / 100]]});
            let line = json!({"stream": "s", "t": t * 15, "step": 0, "weight": 50, "metrics":
                {"latency": {"candidate": arm(1000, slower), "baseline": arm(1000, 0)}}});
            writeln!(input, "{line}").unwrap();
        }
        judge(&input, None)
    };
    assert_eq!(run(0).0, Exit::Healthy);
    let (exit, answers) = run(200);
    assert_eq!(exit, Exit::Failed);
    assert!(answers.iter().position(|a| a["verdict"] == "Fail").unwrap() < 12);
}

#[test]
fn a_config_is_the_analysis_of_a_rollout() {
    let folder = std::env::temp_dir().join(format!("serin-judge-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::write(&path, text).unwrap();
        Some(path.display().to_string())
    };
    let (input, _, _) = drive("s", (0.001, 0.001), 20.0, 3, 7);
    let strict = write("strict", "analysis:\n  confidence: {falseRollback: 0.001}\n");
    let needed = |config| {
        let (_, answers) = judge(&input, config);
        answers[0]["metrics"]["error-rate"]["fail"]["needed"]
            .as_f64()
            .unwrap()
    };
    assert!((needed(None) - 100.0_f64.ln()).abs() < 1e-9);
    assert!((needed(strict) - 1000.0_f64.ln()).abs() < 1e-9);
    for bad in ["confidense: {falseRollback: 0.1}\n", "interval: [1]\n", "- 1\n"] {
        let command = command(write("bad", bad));
        assert!(
            command.run(NOW, &mut input.as_bytes(), &mut Vec::new()).is_err(),
            "{bad}"
        );
    }
    std::fs::remove_dir_all(folder).unwrap();
}

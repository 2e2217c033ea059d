//! Gauges beside the metrics: what stops a release, and what ends it.

use std::fmt::Write;

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::stats::random::Random;

use super::judge;

/// A service whose error rate is spotless: only its gauges can say anything.
#[derive(Clone, Copy)]
struct Service {
    /// CPU of a pod without requests, and for each request a second, as a share of its limit.
    idle: f64,
    cost: f64,
    /// By how much of its limit a candidate pod grows in an hour.
    leak: f64,
    weight: f64,
    next: f64,
    pods: usize,
    next_pods: usize,
    ticks: u32,
}

const USUAL: Service = Service {
    idle: 0.05,
    cost: 0.02,
    leak: 0.0,
    weight: 10.0,
    next: 25.0,
    pods: 2,
    next_pods: 2,
    ticks: 20,
};

/// What its drivers would tell of it, at 200 requests a second.
fn lines(it: &Service, named: bool) -> String {
    let mut random = Random::new(4);
    let mut input = String::new();
    for tick in 1..=it.ticks {
        let t = f64::from(tick) * 15.0;
        let n = random.poisson(200.0 * 15.0);
        let nc = random.binomial(n, it.weight / 100.0);
        let mut cpu = |requests: u64, pods: usize| -> Vec<f64> {
            let pace = requests as f64 / 15.0 / pods as f64;
            let mut one = || it.idle + it.cost * pace + 0.005 * random.normal();
            (0..pods).map(|_| one()).collect()
        };
        let (mine, theirs) = (cpu(nc, it.pods), cpu(n - nc, 8));
        let mut memory = |pods: usize, leak: f64| -> Vec<f64> {
            let mut one = || 0.5 + leak * t / 3600.0 + 0.005 * random.normal();
            (0..pods).map(|_| one()).collect()
        };
        let (my_memory, their_memory) = (memory(it.pods, it.leak), memory(8, 0.0));
        let list = |shares: Vec<f64>, limit: f64, arm: &str| -> Value {
            let pod = |(index, share): (usize, f64)| {
                if named {
                    json!({"pod": format!("{arm}-{index}"), "used": share * limit, "limit": limit})
                } else {
                    json!(share * limit)
                }
            };
            shares.into_iter().enumerate().map(pod).collect()
        };
        let gauge = |mine: Vec<f64>, theirs: Vec<f64>, limit: f64| {
            let (candidate, baseline) = (list(mine, limit, "c"), list(theirs, limit, "b"));
            if named {
                json!({"candidate": candidate, "baseline": baseline})
            } else {
                json!({"candidate": candidate, "baseline": baseline, "limit": limit})
            }
        };
        let line = json!({
            "stream": "s", "t": t, "step": 0, "weight": it.weight, "next": it.next, "pods": it.next_pods,
            "metrics": {"error-rate": {"candidate": {"n": nc, "x": 0}, "baseline": {"n": n - nc, "x": 0}}},
            "gauges": {"cpu": gauge(mine, theirs, 2.0), "memory": gauge(my_memory, their_memory, 1e9)},
        });
        writeln!(input, "{line}").unwrap();
    }
    input
}

fn last(it: &Service) -> (Exit, Value) {
    let (exit, answers) = judge(&lines(it, true), None);
    (exit, answers.last().unwrap().clone())
}

#[test]
fn what_fits_goes_on() {
    let (exit, answer) = last(&USUAL);
    assert_eq!((exit, &answer["advance"]), (Exit::Healthy, &json!(true)));
    let cpu = &answer["gauges"]["cpu"];
    assert_eq!((&cpu["verdict"], &cpu["limit"]), (&json!("Fits"), &json!(0.8)));
    // 10 requests a second to each pod now, 25 then.
    assert!((cpu["used"].as_f64().unwrap() - 0.25).abs() < 0.02, "{cpu}");
    assert!((cpu["forecast"].as_f64().unwrap() - 0.55).abs() < 0.04, "{cpu}");
    assert_eq!(answer["gauges"]["memory"]["verdict"], "Fits");
    assert_eq!(answer["gauges"]["memory"]["limit"], 0.85);
    assert!(!answer["reason"].as_str().unwrap().contains("cpu"), "{answer}");
}

#[test]
fn what_would_tip_over_waits_for_pods() {
    let tight = Service { cost: 0.04, ..USUAL };
    let (exit, answer) = last(&tight);
    assert_eq!((exit, &answer["advance"]), (Exit::Undecided, &json!(false)));
    assert_eq!(answer["verdict"], "Continue");
    assert_eq!(answer["metrics"]["error-rate"]["verdict"], "Pass");
    assert_eq!(answer["gauges"]["cpu"]["verdict"], "TooTight");
    let reason = answer["reason"].as_str().unwrap();
    let remedy = "of its limit, where 80 % is the most: 3 pods would suffice";
    assert!(
        reason.contains("cpu: at 25 % each pod would use") && reason.contains(remedy),
        "{reason}"
    );
    let scaled = Service {
        next_pods: 3,
        ..tight
    };
    assert_eq!(last(&scaled).1["advance"], true);
    // Two steps at once are beyond what is forecast: warned of, not refused.
    let far = Service { next: 50.0, ..tight };
    let (_, answer) = last(&far);
    assert_eq!(
        (&answer["gauges"]["cpu"]["verdict"], &answer["advance"]),
        (&json!("Warn"), &json!(true))
    );
    assert!(answer["reason"].as_str().unwrap().contains("cpu: at 50 %"));
}

#[test]
fn bare_numbers_say_the_same_as_pods_with_names() {
    let answers = |named| judge(&lines(&USUAL, named), None).1;
    assert_eq!(answers(true), answers(false));
}

#[test]
fn silence_of_a_gauge_is_no_pass() {
    let input = lines(&USUAL, true);
    let mut all: Vec<Value> = input
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let mut silent = all.last().unwrap().clone();
    silent["t"] = json!(315.0);
    silent.as_object_mut().unwrap().remove("gauges");
    all.push(silent);
    let text = |all: &[Value]| all.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (exit, answers) = judge(&text(&all), None);
    let answer = answers.last().unwrap();
    assert_eq!((exit, &answer["advance"]), (Exit::Undecided, &json!(false)));
    assert_eq!(answer["gauges"]["cpu"]["verdict"], Value::Null);
    assert!(
        answer["reason"]
            .as_str()
            .unwrap()
            .contains("cpu: no reading in this line")
    );
    // The next step begins without a forecast of its own.
    let step = all.len() - 1;
    all[step] = all[step - 1].clone();
    all[step]["t"] = json!(315.0);
    all[step]["step"] = json!(1);
    let (_, answers) = judge(&text(&all), None);
    let cpu = &answers.last().unwrap()["gauges"]["cpu"];
    assert!(
        cpu["reason"].as_str().unwrap().contains("0 of the 4 readings"),
        "{cpu}"
    );
    // And whoever never had a gauge is not asked for one.
    for line in &mut all {
        line.as_object_mut().unwrap().remove("gauges");
    }
    let (_, answers) = judge(&text(&all[..20]), None);
    assert_eq!(answers.last().unwrap().get("gauges"), None);
    assert_eq!(answers.last().unwrap()["advance"], true);
}

#[test]
fn a_leak_of_an_hour_holds_and_one_of_minutes_fails_for_good() {
    let hour = Service {
        leak: 0.5,
        ticks: 60,
        ..USUAL
    };
    let (exit, answer) = last(&hour);
    assert_eq!((exit, &answer["advance"]), (Exit::Undecided, &json!(false)));
    let memory = &answer["gauges"]["memory"];
    assert_eq!(memory["verdict"], "TooTight");
    let reason = memory["reason"].as_str().unwrap();
    assert!(
        reason.contains("memory: each pod grows by") && reason.contains("an hour beyond"),
        "{reason}"
    );
    let minutes = Service {
        leak: 2.0,
        ticks: 50,
        ..USUAL
    };
    let (exit, answers) = judge(&lines(&minutes, true), None);
    let first = answers
        .iter()
        .position(|answer| answer["verdict"] == "Fail")
        .unwrap();
    assert!((20..40).contains(&first), "{first}");
    assert_eq!(exit, Exit::Failed);
    assert!(
        answers[first..]
            .iter()
            .all(|answer| answer["verdict"] == "Fail" && answer["advance"] == false)
    );
}

#[test]
fn pods_that_change_are_no_leak() {
    let input = lines(&Service { ticks: 60, ..USUAL }, true);
    let mut text = String::new();
    for (index, line) in input.lines().enumerate() {
        // From the middle on other pods serve, which use more memory.
        if index < 30 {
            writeln!(text, "{line}").unwrap();
            continue;
        }
        let mut line: Value = serde_json::from_str(&line.replace("\"c-", "\"d-")).unwrap();
        for pod in line["gauges"]["memory"]["candidate"].as_array_mut().unwrap() {
            pod["used"] = json!(pod["used"].as_f64().unwrap() + 1.5e8);
        }
        writeln!(text, "{line}").unwrap();
    }
    let (_, answers) = judge(&text, None);
    assert!(
        answers
            .iter()
            .all(|answer| answer["gauges"]["memory"]["verdict"] != "TooTight")
    );
}

#[test]
fn a_gauge_that_cannot_be_used_is_named() {
    let line = lines(&Service { ticks: 1, ..USUAL }, true);
    let with = |gauge: &str| {
        let mut line: Value = serde_json::from_str(line.trim()).unwrap();
        line["gauges"] = Value::Null;
        line.to_string()
            .replace("\"gauges\":null", &format!("\"gauges\":{{\"cpu\":{gauge}}}"))
    };
    for (gauge, reason) in [
        (
            r#"{"candidate":[0.4]}"#,
            "gauge cpu: candidate, a pod: there is no limit",
        ),
        (
            r#"{"candidate":[{"pod":"a","used":-1,"limit":1}]}"#,
            "candidate, a: used must not be negative: -1",
        ),
        (
            r#"{"baseline":[{"pod":"b","used":1,"limit":0}]}"#,
            "baseline, b: limit must be above 0: 0",
        ),
        (
            r#"{"limit":1,"idle":50}"#,
            "gauge cpu: idle must not be above the limit",
        ),
        (
            r#"{"idle":50,"candidate":[{"pod":"a","used":0.6,"limit":1}]}"#,
            "gauge cpu: idle must not be above the limit",
        ),
        (r#"{"limit":-2}"#, "gauge cpu: limit must be above 0: -2"),
        (r#"{"limit":1,"idle":-0.1}"#, "idle must not be negative"),
        (
            r#"{"limit":1,"candidate":["x"]}"#,
            "a number, or an object with used",
        ),
        (r#"{"limit":1,"candidate":[{"limit":1}]}"#, "missing field `used`"),
        (r#"{"limit":1,"colour":1}"#, "unknown field `colour`"),
        (r#"{"limit":1},"cpu":{"limit":1}"#, "cpu is there twice"),
    ] {
        let (exit, answers) = judge(&with(gauge), None);
        let error = answers[0]["error"]
            .as_str()
            .unwrap_or_else(|| panic!("{gauge}: {}", answers[0]));
        assert!(exit == Exit::Usage && error.contains(reason), "{gauge}: {error}");
    }
    assert_eq!(
        judge(&with(r#"{"candidate":[],"baseline":[]}"#), None).0,
        Exit::Undecided
    );
}

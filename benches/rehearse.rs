//! How long rehearsals take: `cargo bench --bench rehearse [-- RUNS]`.
//!
//! A thousand releases of two hours, looked at every 15 s, on one core; the aim is 5 s. Then the whole command on all
//! cores, search and advice included.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints, and reads the clock

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use serin::cli::rehearse::{Output, Rehearse};
use serin::rehearsal::{Assumed, Setting, Stop, play, summarize};
use serin::trials::Scenario;
use serin::trials::scenario::Extra;

fn main() {
    let given = std::env::args()
        .skip(1)
        .find_map(|argument| argument.parse().ok());
    let runs = given.unwrap_or(1000);
    two_hours(runs, "error rate alone", &json!([{"name": "error-rate"}]));
    let both = json!([{"name": "error-rate"}, {"name": "latency", "kind": "Latency", "optional": true}]);
    two_hours(runs, "error rate and latency (four comparisons)", &both);
    for (rps, what) in [(50.0, "ample traffic"), (1.0, "thin traffic")] {
        whole(runs, rps, what);
    }
}

/// The first step lasts longer than the horizon, so that every release is looked at 480 times.
fn two_hours(runs: u64, what: &str, metrics: &Value) {
    let spec = json!({
        "workload": {"name": "checkout"},
        "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}},
        "steps": [{"weight": 25, "hold": "3h", "deadline": "4h"}, {"weight": 100}],
        "analysis": {"metrics": metrics},
    });
    let assumed = Assumed {
        traffic: Scenario {
            name: "",
            pace: 50.0,
            baseline: 0.001,
            candidate: 0.001,
            extra: Extra::None,
        },
        pods: 4,
        scrape: None,
        horizon: Some(Duration::from_hours(2)),
        seed: 1,
    };
    let Some(setting) = serde_json::from_value(spec)
        .ok()
        .and_then(|spec| Setting::of(&spec, &assumed).ok())
    else {
        println!("the Rollout of this benchmark is not admitted any more: correct it");
        return;
    };
    let began = Instant::now();
    let courses: Vec<_> = (0..runs).map(|run| play(&setting, run, Stop::AtEnd)).collect();
    let took = began.elapsed().as_secs_f64();
    let looks: f64 = courses.iter().map(|course| course.seconds / 15.0).sum();
    let seen = summarize(&setting, &courses);
    println!(
        "{runs} releases of 2 h, {what}: {took:.2} s on one core, {:.1} µs a look, {} decisions, {} broken invariants",
        took * 1e6 / looks,
        seen.decisions,
        seen.breaches
    );
}

fn whole(runs: u64, rps: f64, what: &str) {
    let command = Rehearse {
        file: concat!(env!("CARGO_MANIFEST_DIR"), "/examples/minimal.yaml").into(),
        name: None,
        rps: Some(rps),
        baseline_error_rate: None,
        candidate_error_rate: None,
        pods: 4,
        scrape: None,
        scenario: None,
        runs,
        seed: 1,
        hours: None,
        output: Output::Text,
    };
    let began = Instant::now();
    let done = command.run(&mut std::io::empty(), &mut std::io::sink());
    println!(
        "serin rehearse examples/minimal.yaml --rps {rps} ({what}): {:.2} s, {}",
        began.elapsed().as_secs_f64(),
        done.map_or("failed", |_| "done")
    );
}

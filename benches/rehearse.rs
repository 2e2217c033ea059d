//! How long a thousand rehearsals take: `cargo bench --bench rehearse [-- RUNS]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints, and reads the clock

use std::time::{Duration, Instant};

use serin::stats::trials::scenario::{Extra, Scenario};
use serin::world::rehearsal::{Assumed, Setting, Stop, play, summarize};

fn main() {
    let runs: u64 = std::env::args()
        .skip(1)
        .find_map(|a| a.parse().ok())
        .unwrap_or(1000);
    let spec = serde_json::from_value(serde_json::json!({
        "workload": {"name": "checkout"},
        "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}},
    }))
    .expect("a spec");
    for (pace, candidate) in [(50.0, 0.001), (50.0, 0.0018), (0.2, 0.001), (50.0, 0.01)] {
        let assumed = Assumed {
            traffic: Scenario {
                name: "x",
                pace,
                baseline: 0.001,
                candidate,
                extra: Extra::None,
            },
            pods: 4,
            scrape: None,
            horizon: Some(Duration::from_hours(2)),
            seed: 1,
        };
        let setting = Setting::of(&spec, &assumed).expect("sound");
        let began = Instant::now();
        let courses: Vec<_> = (0..runs).map(|run| play(&setting, run, Stop::AtEnd)).collect();
        let took = began.elapsed().as_secs_f64();
        let ticks: f64 = courses.iter().map(|c| c.seconds / 15.0).sum();
        let s = summarize(&setting, &courses);
        println!(
            "{pace} rps {candidate}: {took:.2} s, {:.2} us a tick, {} decisions, breaches {}",
            took * 1e6 / ticks,
            s.decisions,
            s.breaches
        );
        println!(
            "  {:?} {:?} {:?} later {} {} full {:?} end {:?} back {:?} harm {:?}",
            s.promoted,
            s.rolled_back,
            s.held,
            s.held_then_promoted,
            s.held_then_rolled_back,
            s.minutes_to_full,
            s.minutes_to_end,
            s.minutes_to_rollback,
            s.harm
        );
        for st in &s.steps {
            println!(
                "   {:?} {:?} {} {:?}",
                st.weights,
                st.minutes,
                st.stuck,
                st.lacks.iter().take(2).collect::<Vec<_>>()
            );
        }
    }
}

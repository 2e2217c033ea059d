//! The judge and its peers on the same simulated releases: `cargo bench --bench judge_matrix [-- RUNS]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints, and reads the clock

use std::time::Instant;

use serin::cli::bench::report;
use serin::stats::{Counts, Evidence, Settings, Tick};

fn main() {
    let runs = std::env::args()
        .skip(1)
        .find_map(|a| a.parse().ok())
        .unwrap_or(1000);
    let began = Instant::now();
    report(runs, &mut |line| println!("{line}"));
    println!(
        "{:.0} s in all; {:.2} µs a tick with its assessment",
        began.elapsed().as_secs_f64(),
        tick()
    );
}

/// Microseconds for one tick with its assessment.
fn tick() -> f64 {
    let mut evidence = Evidence::new(Settings::default());
    evidence.begin_step(10.0, 25.0, false);
    let ticks: u32 = 200_000;
    let began = Instant::now();
    let mut sum = 0.0;
    for i in 0..ticks {
        let bad = u64::from(i % 7 == 0);
        evidence.observe(Tick::new(Counts::new(150, bad), Counts::new(1350, 1 + bad), 15.0));
        sum += std::hint::black_box(evidence.assessment()).fail.evidence;
    }
    std::hint::black_box(sum);
    began.elapsed().as_secs_f64() * 1e6 / f64::from(ticks)
}

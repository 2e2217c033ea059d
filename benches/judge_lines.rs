//! How many lines a second `serin judge` answers on one core, and what a stream costs in memory:
//! `cargo bench --bench judge_lines [-- LINES]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints, and reads the clock

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Instant;

use serin::cli::judge::{Judge, Output};
use serin::engine::Moment;
use serin::stats::random::Random;

/// Answers go nowhere, and are counted.
#[derive(Default)]
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Scrapes of `streams` releases in turn, of this baseline error rate.
fn lines(streams: u64, lines: u64, rate: f64) -> String {
    let mut random = Random::new(1);
    let mut text = String::new();
    for line in 0..lines {
        let (stream, t) = (line % streams, (line / streams + 1) * 15);
        let n = random.poisson(750.0);
        let nc = random.binomial(n, 0.1);
        let (xc, xb) = (random.binomial(nc, rate), random.binomial(n - nc, rate));
        let _ = writeln!(
            text,
            r#"{{"stream":"release-{stream}","t":{t},"step":0,"weight":10,"metrics":{{"error-rate":{{"candidate":{{"n":{nc},"x":{xc}}},"baseline":{{"n":{},"x":{xb}}}}}}}}}"#,
            n - nc
        );
    }
    text
}

fn judge(input: &str) -> f64 {
    let command = Judge {
        file: Some("-".into()),
        output: Some(Output::Json),
        ..Judge::default()
    };
    let (begun, mut sink) = (Instant::now(), Sink::default());
    let exit = command.run(Moment::UNIX_EPOCH, &mut input.as_bytes(), &mut sink);
    assert!(exit.is_ok() && sink.0 > 0);
    begun.elapsed().as_secs_f64()
}

/// Resident memory in KiB, as Linux tells it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

fn main() {
    let all: u64 = std::env::args()
        .skip(1)
        .find_map(|a| a.parse().ok())
        .unwrap_or(200_000);
    // Memory first: the peak is what is read.
    let input = lines(20_000, 60_000, 0.001);
    let before = resident();
    judge(&input);
    if let (Some(before), Some(after)) = (before, resident()) {
        println!(
            "20,000 streams: {:.2} KiB a stream (peak, input and buffers excluded)",
            (after - before) / 20_000.0
        );
    }
    for (streams, rate) in [(1, 0.001), (1, 0.01), (1_000, 0.001), (20_000, 0.001)] {
        let input = lines(streams, all, rate);
        let best = (0..3).map(|_| judge(&input)).fold(f64::INFINITY, f64::min);
        println!(
            "{streams} streams, {} % errors: {:.0} lines a second, {:.2} µs a line",
            rate * 100.0,
            all as f64 / best,
            best * 1e6 / all as f64
        );
    }
}

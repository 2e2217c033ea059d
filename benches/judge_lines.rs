//! How many lines a second `serin judge` answers on one core, and what a stream costs in memory:
//! `cargo bench --bench judge_lines [-- LINES]`.
#![allow(clippy::print_stdout, clippy::disallowed_methods)] // a benchmark prints, and reads the clock

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::Command;
use std::time::Instant;

use serin::cli::judge::{Judge, Output};
use serin::engine::Moment;
use serin::stats::random::Random;

/// Streams whose memory is measured.
const STREAMS: u64 = 10_000;

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

/// What a line is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One metric, as increments.
    Counts,
    /// The same as a row of CSV.
    Csv,
    /// Three metrics.
    Three,
    /// One metric as raw series of three pods on each side.
    Series,
    /// A histogram of ten buckets, judged at three edges.
    Buckets,
    /// One metric and a gauge.
    Gauge,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::Counts,
        Self::Csv,
        Self::Three,
        Self::Series,
        Self::Buckets,
        Self::Gauge,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Counts => "counts",
            Self::Csv => "CSV",
            Self::Three => "three metrics",
            Self::Series => "raw series of six pods",
            Self::Buckets => "a histogram of ten buckets",
            Self::Gauge => "counts and a gauge",
        }
    }

    /// The metric on one side, of the `scrape`-th line.
    fn arm(self, (n, x): (u64, u64), scrape: u64) -> String {
        match self {
            Self::Series => {
                let pod = |pod: u64| {
                    let (n, x) = (250 * scrape, scrape / 4);
                    format!(r#"{{"series":"pod-{pod}","started":0,"n":{n},"x":{x}}}"#)
                };
                format!("[{},{},{}]", pod(1), pod(2), pod(3))
            }
            Self::Buckets => {
                let slower = |edge: u64| n >> edge;
                let bucket = |edge: u64| format!("[{},{}]", 0.01 * edge as f64, n - slower(edge));
                let all: Vec<String> = (1..=10).map(bucket).collect();
                format!(r#"{{"n":{n},"buckets":[{}]}}"#, all.join(","))
            }
            Self::Counts | Self::Csv | Self::Three | Self::Gauge => format!(r#"{{"n":{n},"x":{x}}}"#),
        }
    }
}

/// Scrapes of `streams` releases in turn, of this baseline error rate.
fn lines(kind: Kind, streams: u64, lines: u64, rate: f64) -> String {
    let mut random = Random::new(1);
    let mut text = String::new();
    if kind == Kind::Csv {
        text.push_str("stream,t,step,weight,candidate_n,candidate_x,baseline_n,baseline_x\n");
    }
    for line in 0..lines {
        let (stream, scrape) = (line % streams, line / streams + 1);
        let t = scrape * 15;
        let n = random.poisson(750.0);
        let nc = random.binomial(n, 0.1);
        let (xc, xb) = (random.binomial(nc, rate), random.binomial(n - nc, rate));
        if kind == Kind::Csv {
            let _ = writeln!(text, "release-{stream},{t},0,10,{nc},{xc},{},{xb}", n - nc);
            continue;
        }
        let (candidate, baseline) = (kind.arm((nc, xc), scrape), kind.arm((n - nc, xb), scrape));
        let metric = format!(r#"{{"candidate":{candidate},"baseline":{baseline}}}"#);
        let metrics = match kind {
            Kind::Three => format!(r#""error-rate":{metric},"login":{metric},"search":{metric}"#),
            Kind::Counts | Kind::Csv | Kind::Series | Kind::Buckets | Kind::Gauge => {
                format!(r#""error-rate":{metric}"#)
            }
        };
        let gauges = match kind {
            Kind::Gauge => {
                let used = 0.4 + 0.0001 * nc as f64;
                format!(
                    r#","gauges":{{"cpu":{{"limit":1,"candidate":[{used}],"baseline":[0.5,0.52,0.51]}}}}"#
                )
            }
            Kind::Counts | Kind::Csv | Kind::Three | Kind::Series | Kind::Buckets => String::new(),
        };
        // What the raw series count is the same on both sides.
        let weight = if kind == Kind::Series { 50 } else { 10 };
        let _ = writeln!(
            text,
            r#"{{"stream":"release-{stream}","t":{t},"step":0,"weight":{weight},"metrics":{{{metrics}}}{gauges}}}"#
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
    assert!(exit.is_ok_and(|exit| exit != serin::cli::Exit::Usage) && sink.0 > 0);
    begun.elapsed().as_secs_f64()
}

/// The most memory that was resident, in KiB, as Linux tells it.
fn resident() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Prints what a stream costs. The peak never falls, so each kind has a process of its own.
fn memory(kind: Kind) {
    let input = lines(kind, STREAMS, 8 * STREAMS, 0.001);
    // A first stream fills the tables and buffers that all share.
    judge(&lines(kind, 1, 100, 0.01));
    let before = resident();
    judge(&input);
    if let (Some(before), Some(after)) = (before, resident()) {
        let each = (after - before) / STREAMS as f64;
        println!("{}, {STREAMS} streams: {each:.2} KiB a stream", kind.name());
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |kind: &&Kind| arguments.contains(&format!("memory={kind:?}"));
    if let Some(kind) = Kind::ALL.iter().find(wanted) {
        return memory(*kind);
    }
    let all: u64 = arguments.iter().find_map(|a| a.parse().ok()).unwrap_or(200_000);
    for kind in Kind::ALL {
        let program = std::env::current_exe().expect("its own path");
        let status = Command::new(program).arg(format!("memory={kind:?}")).status();
        assert!(status.is_ok_and(|status| status.success()));
    }
    let counts = [(1, 0.001), (1, 0.01), (1_000, 0.001), (20_000, 0.001)];
    let cases = counts.map(|(streams, rate)| (Kind::Counts, streams, rate));
    let others = Kind::ALL[1..].iter().map(|kind| (*kind, 1_000, 0.001));
    for (kind, streams, rate) in cases.into_iter().chain(others) {
        let input = lines(kind, streams, all, rate);
        let best = (0..3).map(|_| judge(&input)).fold(f64::INFINITY, f64::min);
        println!(
            "{}, {streams} streams, {} % errors: {:.0} lines a second, {:.2} µs a line",
            kind.name(),
            rate * 100.0,
            all as f64 / best,
            best * 1e6 / all as f64
        );
    }
}

//! `serin judge`: the judge for anyone, on counts from anywhere, or on what a Prometheus remembers.

mod answer;
mod config;
mod gauge;
mod line;
mod metric;
mod rules;
mod series;
mod session;
mod stream;
mod table;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

pub use super::backtest::Past;
use super::plot::{Caption, Tape};
use super::{Exit, Failure};
use crate::engine::Moment;
use session::Session;

const HELP: &str = r#"A line is a JSON object:
  {"stream":"shop","t":15,"step":0,"weight":10,"final":false,
   "metrics":{"error-rate":{"candidate":{"n":150,"x":1},"baseline":{"n":1350,"x":1}}}}
  stream   which release; lines of thousands may be mixed [default: ""]
  t        seconds on any clock, later with each line of a stream; the first line stands for the time since 0 or since the
           history's end where that is at most an interval (15), else for none
  step     number of the step, which does not fall [default: 0]; another weight is another step, too
  weight   the candidate's share in per cent, above 0 and at most 100
  final    this is the last step: promotion follows [default: false]
  next     the weight of the step after this one: the larger, the more proof is needed, with 100 that of the last step
           [default: that of --config, else 2.5 times as much; 100 in the last step]
  metrics  by name, the same ones in each line; n requests, x bad ones (0 <= x <= n <= 2^53) since the stream's last line
An arm may also be, always for the same stream:
  [{"series":"pod-a","started":-30,"n":1500,"x":3},...]   raw counters; "started" (on the clock of t) may be absent
  {"n":150,"buckets":[[0.05,120],[0.1,140]]}              a histogram: how many took at most so many seconds
Before the first line, on one of its own, the baseline's past, pod by pod:
  {"stream":"shop","history":[{"t":-3600,"pods":[[n,x],...]},...]}
and in it, for metrics that have a past of their own: "metrics":{"latency":[{"n":150,"buckets":[[0.05,120],[0.1,140]]},...]}
Gauges are forecast for the next step and watched for leaks; "cpu" and "memory" are known by name, any unit will do:
  "gauges":{"cpu":{"candidate":[{"pod":"a","used":0.41,"limit":1}],"baseline":[...]}}
  "gauges":{"cpu":{"limit":1,"idle":0.05,"candidate":[0.41],"baseline":[0.39,0.4]}}
  pods     candidate pods at the next step [default: as many as now]
CSV has the columns t, weight, [METRIC.]candidate_n, candidate_x, baseline_n, baseline_x, and optionally stream, step,
next, pods, final. METRIC is error-rate by default.

An answer: {"stream":"shop","t":15,"verdict":"Continue","advance":false,"metrics":{...},"gauges":{...},"reason":"..."}
  verdict  Pass, Continue or Fail; a Fail is final
  advance  the evidence suffices and the hold (in the last step: the bake) is over: raise step and weight in the next
           line, or promote if the line was final. In the last step the weight may grow for the bake after a Pass.
  share    {"asked":10,"seen":50}, per cent, where the candidate's share of the requests surely is not the weight: a
           finding of its own that stops all advance, and no evidence. --unrouted switches it off.
A line that cannot be used gets {"line":7,"error":"..."} and changes nothing; the others go on.

A past window, instead of a file (docs/judge-cli.md):
  serin judge --prometheus URL --rollout FILE --from '3h ago' --to '1h ago' --revision 9hjnd4zdst
  serin judge --prometheus URL --rollout FILE --from 2026-10-02T13:00:00Z --at 2026-10-02T14:00:00Z --plot incident.svg"#;

/// Judge releases from counts: one line a scrape and stream (JSON Lines or CSV), one answer a line.
///
/// Exit status: 0 if every stream passed, 1 if one failed, 4 if none failed and one is undecided (or there is no line at
/// all), 2 if lines could not be used or answers not be written.
#[derive(Args, Debug, Default)]
#[command(after_long_help = HELP)]
pub struct Judge {
    /// A file of JSON Lines or CSV; - reads standard input.
    #[arg(required_unless_present = "prometheus", conflicts_with = "prometheus")]
    pub file: Option<String>,
    /// Answer each line as it comes.
    #[arg(long, conflicts_with = "prometheus")]
    pub follow: bool,
    /// A YAML file with the analysis part of a Rollout, or with a whole Rollout: then its steps' holds and weights count.
    #[arg(long, value_name = "FILE", conflicts_with = "prometheus")]
    pub config: Option<String>,
    /// The counts also hold requests that the weights do not divide: their shares are not looked at.
    #[arg(long, conflicts_with = "prometheus")]
    pub unrouted: bool,
    /// How to answer; by default a table on a terminal and JSON elsewhere.
    #[arg(long, short, value_enum)]
    pub output: Option<Output>,
    /// Draw the evidence over time, as SVG.
    #[arg(long, value_name = "FILE.svg")]
    pub plot: Option<String>,
    /// The stream that --plot draws, where there are several.
    #[arg(long, value_name = "NAME", requires = "plot", conflicts_with = "prometheus")]
    pub stream: Option<String>,
    /// A past window instead of a file.
    #[command(flatten)]
    pub past: Past,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
/// How answers are written.
pub enum Output {
    /// A line of JSON for each line.
    Json,
    /// A table for people.
    Text,
}

impl Judge {
    /// Judges all lines of the file, or of `stdin` where it is `-`; or the past window. `now` ends a window without an
    /// end of its own.
    ///
    /// # Errors
    /// When the input cannot be used, or the answer cannot be written.
    pub fn run(self, now: Moment, stdin: &mut dyn BufRead, out: &mut dyn Write) -> Result<Exit, Failure> {
        let usual = || {
            if io::stdout().is_terminal() {
                Output::Text
            } else {
                Output::Json
            }
        };
        self.keep_inputs()?;
        if self.past.prometheus.is_some() {
            // People look back, programs go on.
            let output = self.output.unwrap_or(Output::Text);
            return self.past.run((now, output, self.plot.as_deref()), out);
        }
        let mut rules = config::rules(self.config.as_deref(), self.past.name.as_deref())?;
        rules.routed = !self.unrouted;
        let output = self.output.unwrap_or_else(usual);
        let name = self.file.as_deref().unwrap_or("-");
        let mut file;
        let input: &mut dyn BufRead = if name == "-" {
            stdin
        } else {
            file = open(name)?;
            &mut file
        };
        let tape = self.plot.is_some().then(|| Tape::of(self.stream));
        let ended = Session::new(rules, output, tape, out).read(input, self.follow)?;
        if let Some((plot, tape)) = self.plot.zip(ended.tape) {
            let caption = Caption {
                title: format!("{} {}", name, tape.stream()).trim_end().to_owned(),
                outcome: tape.outcome(),
                epoch: None,
            };
            tape.draw(&plot, &caption)?;
        }
        Ok(ended.exit)
    }

    /// Refuses to draw over what is read.
    fn keep_inputs(&self) -> Result<(), Failure> {
        let Some(plot) = &self.plot else {
            return Ok(());
        };
        let past = &self.past;
        let names = [&self.file, &self.config, &past.rollout].into_iter().flatten();
        let paths = [&past.bearer_token_file, &past.ca_file].into_iter().flatten();
        let mut read = names.map(Path::new).chain(paths.map(PathBuf::as_path));
        if read.any(|path| same(path, Path::new(plot))) {
            return Err(Failure::usage(
                format!("--plot {plot} would overwrite what is read"),
                "name another file for the picture",
            ));
        }
        Ok(())
    }
}

/// Whether both are the same file, by whatever path.
fn same(one: &Path, other: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    real(one).is_some_and(|one| Some(one) == real(other))
}

fn open(name: &str) -> Result<BufReader<File>, Failure> {
    let wrong = |why: &dyn std::fmt::Display| {
        Failure::usage(
            format!("cannot read {name}: {why}"),
            "name a file of JSON Lines or CSV, or -",
        )
    };
    let file = File::open(name).map_err(|error| wrong(&error))?;
    if file.metadata().is_ok_and(|meta| meta.is_dir()) {
        return Err(wrong(&"it is a folder"));
    }
    Ok(BufReader::with_capacity(1 << 16, file))
}

//! `serin judge`: the judge for anyone, on counts from anywhere.

mod answer;
mod line;
mod metric;
mod rules;
mod series;
mod stream;
mod table;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, IsTerminal, Write};

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::api::Analysis;
use crate::stats::Verdict;
use answer::{Answer, Refusal};
use line::Line;
use rules::Rules;
use stream::Stream;
use table::Columns;

/// A longer line is refused.
const LONGEST_LINE: usize = 1 << 20;

/// Judges releases from counts: one line a scrape and stream (JSON Lines or CSV), one answer a line.
///
/// Exit status: 0 if every stream passed, 1 if one failed, 4 if one is undecided, 2 if lines could not be used.
#[derive(Args, Debug)]
#[command(
    after_long_help = r#"A line: {"stream":"s","t":15,"step":0,"weight":10,"final":false,"metrics":{"error-rate":
  {"candidate":{"n":150,"x":1},"baseline":{"n":1350,"x":1}}}}
n and x (bad) are increments since the stream's last line. In place of {n, x} an arm may be a list of raw cumulative
series [{"series":"pod-a","started":-30,"n":1500,"x":3}], or a histogram {"n":150,"buckets":[[0.05,120],[0.1,140]]}.
{"stream":"s","history":[{"t":-3600,"pods":[[n,x],...]},...]} before the first line tells the baseline's past.
Optional "next" is the weight of the step after this one.
CSV columns: stream, t, step, weight, next, final, [METRIC.]candidate_n, candidate_x, baseline_n, baseline_x."#
)]
pub struct Judge {
    /// A file of JSON Lines or CSV; - reads standard input.
    pub file: String,
    /// Answer each line as it comes.
    #[arg(long)]
    pub follow: bool,
    /// A YAML file with the analysis part of a Rollout.
    #[arg(long, value_name = "FILE")]
    pub config: Option<String>,
    /// How to answer; by default a table on a terminal and JSON elsewhere.
    #[arg(long, short, value_enum)]
    pub output: Option<Output>,
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
    /// Judges all lines of the file, or of `stdin` where it is `-`.
    pub fn run(self, stdin: &mut dyn BufRead, out: &mut dyn Write) -> Result<Exit, Failure> {
        let rules = Rules {
            analysis: self
                .config
                .as_deref()
                .map_or_else(|| Ok(Analysis::default()), analysis)?,
        };
        let usual = || {
            if io::stdout().is_terminal() {
                Output::Text
            } else {
                Output::Json
            }
        };
        let output = self.output.unwrap_or_else(usual);
        let mut file;
        let input: &mut dyn BufRead = if self.file == "-" {
            stdin
        } else {
            let opened = File::open(&self.file).map_err(|error| {
                let message = format!("cannot read {}: {error}", self.file);
                Failure::usage(message, "name a file of JSON Lines or CSV, or -")
            })?;
            file = BufReader::with_capacity(1 << 16, opened);
            &mut file
        };
        let mut session = Session {
            rules,
            streams: BTreeMap::new(),
            columns: None,
            number: 0,
            refused: 0,
            output,
            out: BufWriter::with_capacity(1 << 16, out),
        };
        session.read(input, self.follow)
    }
}

/// The analysis part of a Rollout: bare, under `analysis`, or in a whole Rollout.
fn analysis(path: &str) -> Result<Analysis, Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::usage(
            format!("cannot use the analysis in {path}: {error}"),
            "give the analysis part of a Rollout",
        )
    };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let mut value: serde_yaml::Value = serde_yaml::from_str(&text).map_err(|error| wrong(&error))?;
    for key in ["spec", "analysis"] {
        if let Some(inner) = value.get(key) {
            value = inner.clone();
        }
    }
    if value.is_null() {
        return Ok(Analysis::default());
    }
    let read: Analysis = serde_yaml::from_value(value.clone()).map_err(|error| wrong(&error))?;
    // What is written back must name every key that was read: anything else is a slip of the pen.
    let known = serde_yaml::to_value(&read).map_err(|error| wrong(&error))?;
    let keys = value.as_mapping().into_iter().flat_map(|m| m.keys());
    for key in keys {
        if known.get(key).is_none() {
            let name = key.as_str().unwrap_or("that is no text");
            return Err(wrong(&format!("unknown field {name}")));
        }
    }
    Ok(read)
}

/// All streams of one run.
struct Session<W: Write> {
    rules: Rules,
    streams: BTreeMap<String, Stream>,
    columns: Option<Columns>,
    number: u64,
    refused: u64,
    output: Output,
    out: W,
}

impl<W: Write> Session<W> {
    fn read(&mut self, input: &mut dyn BufRead, follow: bool) -> Result<Exit, Failure> {
        if self.output == Output::Text {
            writeln!(self.out, "{}", answer::HEADER)?;
        }
        let mut text = Vec::new();
        loop {
            text.clear();
            let limit = LONGEST_LINE as u64 + 1;
            let length = io::Read::take(&mut *input, limit)
                .read_until(b'\n', &mut text)
                .map_err(|error| {
                    Failure::failed(
                        format!("cannot read on after line {}: {error}", self.number),
                        "is the file whole?",
                    )
                })?;
            if length == 0 {
                break;
            }
            self.number += 1;
            if text.len() > LONGEST_LINE {
                let rest = skip_line(input, &text)?;
                self.refuse(&format!(
                    "the line is longer than 1 MiB ({} bytes at least)",
                    text.len() + rest
                ))?;
                continue;
            }
            match std::str::from_utf8(&text) {
                Ok(line) => self.take(line.trim())?,
                Err(error) => self.refuse(&format!("not UTF-8: {error}"))?,
            }
            if follow {
                self.out.flush()?;
            }
        }
        self.out.flush()?;
        Ok(self.exit())
    }

    fn exit(&self) -> Exit {
        let any = |verdict| self.streams.values().any(|s| s.verdict() == verdict);
        if self.refused > 0 {
            Exit::Usage
        } else if any(Verdict::Fail) {
            Exit::Failed
        } else if any(Verdict::Continue) || self.streams.is_empty() {
            Exit::Undecided
        } else {
            Exit::Healthy
        }
    }

    fn take(&mut self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        if self.number == 1 && !text.starts_with('{') {
            match Columns::parse(text.trim_start_matches('\u{feff}')) {
                Ok(columns) => self.columns = Some(columns),
                Err(error) => self.refuse(&error)?,
            }
            return Ok(());
        }
        let columns = self.columns.take();
        let line = match &columns {
            Some(columns) => columns.line(text),
            None => serde_json::from_str(text).map_err(|error| plain(&error)),
        };
        let result = match line {
            Ok(line) => self.judge(&line),
            Err(error) => self.refuse(&error),
        };
        self.columns = columns;
        result
    }

    fn judge(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let mut fresh = None;
        let stream = match self.streams.get_mut(line.stream.as_ref()) {
            Some(known) => known,
            None => fresh.insert(Stream::default()),
        };
        let result = match &line.history {
            Some(_) if !line.metrics.is_empty() => {
                Err("history and metrics must be on lines of their own".to_owned())
            }
            Some(past) => stream.learn(past, &self.rules).map(|()| None),
            None => stream.scrape(line, &self.rules).map(Some),
        };
        let refused = match result {
            Ok(Some(answer)) => {
                tell(&mut self.out, self.output, &answer)?;
                None
            }
            Ok(None) => None,
            Err(error) => Some(error),
        };
        match (refused, fresh) {
            (Some(error), _) => self.refuse(&error)?,
            (None, Some(stream)) => {
                self.streams.insert(line.stream.clone().into_owned(), stream);
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn refuse(&mut self, error: &str) -> Result<(), Failure> {
        self.refused += 1;
        match self.output {
            Output::Json => {
                write_json(
                    &mut self.out,
                    &Refusal {
                        line: self.number,
                        error,
                    },
                )?;
            }
            Output::Text => writeln!(self.out, "line {}: {error}", self.number)?,
        }
        Ok(())
    }
}

fn tell(out: &mut impl Write, output: Output, answer: &Answer<'_>) -> Result<(), Failure> {
    match output {
        Output::Json => write_json(out, answer),
        Output::Text => Ok(writeln!(out, "{}", answer::row(answer))?),
    }
}

fn write_json(out: &mut impl Write, value: &impl serde::Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::Output(error.into()))?;
    Ok(out.write_all(b"\n")?)
}

/// The parser's message without the place, which is always line 1 of its own.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ")
        .next()
        .map_or_else(|| text.clone(), ToOwned::to_owned)
}

/// Reads on to the end of an over-long line; the bytes skipped.
fn skip_line(input: &mut dyn BufRead, begun: &[u8]) -> Result<usize, Failure> {
    let mut skipped = 0;
    if begun.ends_with(b"\n") {
        return Ok(0);
    }
    loop {
        let buffer = input.fill_buf()?;
        let (used, done) = match buffer.iter().position(|b| *b == b'\n') {
            Some(end) => (end + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(used);
        skipped += used;
        if done {
            return Ok(skipped);
        }
    }
}

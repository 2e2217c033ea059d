//! Lines in, answers out: all streams of one run.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufWriter, Read, Write};

use serde::Serialize;
use serde_json::error::Category;

use super::Output;
use super::answer::{self, Answer, Refusal};
use super::line::Line;
use super::rules::Rules;
use super::stream::Stream;
use super::table::Columns;
use crate::cli::plot::Tape;
use crate::cli::text::harmless;
use crate::cli::{Exit, Failure};
use crate::stats::Verdict;

/// A longer line is refused, in bytes without its end.
const LONGEST_LINE: usize = 1 << 20;
/// Of a longer reason this much is shown: it may quote the line.
const LONGEST_REASON: usize = 300;
/// Some programs begin their files with this mark.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// All streams of one run.
pub(super) struct Session<'a> {
    rules: Rules,
    /// Apart from their names, because the map's leaves are seldom full.
    streams: BTreeMap<String, Box<Stream>>,
    form: Form,
    number: u64,
    refused: u64,
    output: Output,
    /// What is to be drawn, if anything is.
    tape: Option<Tape>,
    out: BufWriter<&'a mut dyn Write>,
}

/// How the lines are written, as the first of them shows.
#[derive(Debug, Default)]
enum Form {
    /// No line was seen yet.
    #[default]
    Unknown,
    Json,
    /// A table, unless its header cannot be used.
    Table(Option<Columns>),
}

/// What has come of all lines.
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) tape: Option<Tape>,
}

impl<'a> Session<'a> {
    /// Without a stream yet.
    pub(super) fn new(rules: Rules, output: Output, tape: Option<Tape>, out: &'a mut dyn Write) -> Self {
        Self {
            rules,
            streams: BTreeMap::new(),
            form: Form::Unknown,
            number: 0,
            refused: 0,
            output,
            tape,
            out: BufWriter::with_capacity(1 << 16, out),
        }
    }

    /// Reads to the end. `follow`: an answer leaves as soon as its line is in.
    pub(super) fn read(mut self, input: &mut dyn BufRead, follow: bool) -> Result<Ended, Failure> {
        if self.output == Output::Text {
            writeln!(self.out, "{}", answer::HEADER)?;
        }
        let mut text = Vec::new();
        loop {
            text.clear();
            // The end of the line may be two characters.
            let limit = LONGEST_LINE as u64 + 2;
            let length = Read::take(&mut *input, limit).read_until(b'\n', &mut text);
            let length = length.map_err(|error| unreadable(self.number, &error))?;
            if length == 0 {
                break;
            }
            self.number += 1;
            let bare = text.strip_suffix(b"\n").unwrap_or(&text);
            let bare = bare.strip_suffix(b"\r").unwrap_or(bare);
            if bare.len() > LONGEST_LINE {
                let rest = skip_line(input, &text).map_err(|error| unreadable(self.number, &error))?;
                let least = text.len() + rest;
                self.refuse(&format!(
                    "the line is longer than 1 MiB ({least} bytes): one line is one scrape of one stream"
                ))?;
            } else {
                match std::str::from_utf8(bare) {
                    Ok(line) => self.take(line)?,
                    Err(error) => self.refuse(&format!("not UTF-8: {error}"))?,
                }
            }
            if follow {
                self.out.flush()?;
            }
        }
        if self.output == Output::Text && self.streams.len() > 1 {
            self.sum_up()?;
        }
        self.out.flush()?;
        if self.refused == 0 && self.streams.values().all(|stream| !stream.has_begun()) {
            return Err(Failure::Told {
                message: "there is no line to judge".to_owned(),
                hint: "write one a scrape; `serin judge --help` has the format".to_owned(),
                exit: Exit::Undecided,
            });
        }
        Ok(Ended {
            exit: self.exit(),
            tape: self.tape,
        })
    }

    /// How many streams stand where: who reads thousands of rows wants to know.
    fn sum_up(&mut self) -> Result<(), Failure> {
        let count = |verdict| self.streams.values().filter(|it| it.verdict() == verdict).count();
        let [passed, failed, undecided] = [Verdict::Pass, Verdict::Fail, Verdict::Continue].map(count);
        let all = self.streams.len();
        let (out, refused) = (&mut self.out, self.refused);
        write!(
            out,
            "\n{all} streams: {passed} pass, {failed} failed, {undecided} undecided"
        )?;
        if refused > 0 {
            let lines = if refused == 1 { "line" } else { "lines" };
            write!(out, "; {refused} {lines} could not be used")?;
        }
        Ok(writeln!(out)?)
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
        let text = match self.number {
            1 => text.trim_start_matches(BYTE_ORDER_MARK),
            _ => text,
        };
        let text = text.trim();
        if text.is_empty() {
            return Ok(());
        }
        let json = text.starts_with('{');
        // The form is put back below; what a row says borrows from its columns.
        let form = match std::mem::take(&mut self.form) {
            Form::Unknown if json => Form::Json,
            Form::Unknown => {
                let columns = Columns::parse(text);
                let told = columns
                    .as_ref()
                    .map_or_else(|error| self.refuse(error), |_| Ok(()));
                self.form = Form::Table(columns.ok());
                return told;
            }
            known @ (Form::Json | Form::Table(_)) => known,
        };
        let line = match &form {
            Form::Table(Some(columns)) => columns.line(text),
            _ if json => serde_json::from_str(text).map_err(|error| plain(&error)),
            Form::Table(None) => Err("no header of columns came before it".to_owned()),
            Form::Json | Form::Unknown => Err("not a JSON object: a line begins with {".to_owned()),
        };
        let result = match line {
            Ok(line) => self.judge(&line),
            Err(error) => self.refuse(&error),
        };
        self.form = form;
        result
    }

    fn judge(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let mut fresh = None;
        let stream = match self.streams.get_mut(line.stream.as_ref()) {
            Some(known) => known,
            None => fresh.insert(Box::default()),
        };
        let beside = !line.metrics.is_empty() || !line.gauges.is_empty();
        let result = match &line.history {
            Some(_) if beside => Err("history and metrics must be on lines of their own: write the history first, then the scrapes".to_owned()),
            Some(past) => stream.learn(past, &self.rules).map(|()| None),
            None => stream.scrape(line, &self.rules).map(Some),
        };
        let refused = match result {
            Ok(Some(answer)) => {
                tell(&mut self.out, self.output, &answer)?;
                if let Some(tape) = &mut self.tape
                    && let Some(standing) = stream.standing()
                {
                    tape.record(&line.stream, standing);
                }
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
        let line = self.number;
        let error = match error.char_indices().nth(LONGEST_REASON) {
            Some((end, _)) => &format!("{}…", &error[..end]),
            None => error,
        };
        match self.output {
            Output::Json => write_json(&mut self.out, &Refusal { line, error })?,
            Output::Text => writeln!(self.out, "line {line}: {}", harmless(error))?,
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

fn write_json(out: &mut impl Write, value: &impl Serialize) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::Output(error.into()))?;
    Ok(out.write_all(b"\n")?)
}

/// Exit status 2, for 1 means that a release failed.
fn unreadable(line: u64, error: &io::Error) -> Failure {
    let message = format!("cannot read on after line {line}: {error}");
    Failure::usage(message, "is it a file, and whole?")
}

/// The parser's message in the reader's words. Of its place the column counts: it sees one line.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or_default();
    let what = what
        .replace(
            "expected u32",
            "expected a whole number of at least 0 and below 2^32",
        )
        .replace("expected f64", "expected a number");
    let column = error.column();
    match error.classify() {
        Category::Syntax | Category::Eof => format!("not JSON: {what} (column {column})"),
        Category::Data | Category::Io => format!("{what} (column {column})"),
    }
}

/// Reads on to the end of an over-long line; the bytes skipped.
fn skip_line(input: &mut dyn BufRead, begun: &[u8]) -> io::Result<usize> {
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

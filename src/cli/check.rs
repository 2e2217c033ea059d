//! `serin check`: the API server's verdict on Rollouts, RolloutActions and MetricProviders, offline.
//!
//! Schemas and rules are those of the CRDs, so the verdict is the server's; only what needs other objects of the
//! cluster (does the workload exist?) is not looked at. Objects of other kinds are passed over.

mod complete;
pub(super) mod documents;
mod finding;
mod object;
mod rules;
mod schema;
mod together;

use std::fs::File;
use std::io::{Read, Write};
use std::path::PathBuf;

use serde_json::Value;

use self::documents::Document;
pub use self::finding::Finding;
pub use self::object::{Checker, Verdict};
use self::together::Together;
use super::{Exit, Failure};

/// Check Rollouts, RolloutActions and MetricProviders without a cluster.
#[derive(clap::Args, Debug)]
pub struct Check {
    /// Files, folders (every .yaml, .yml and .json below), or `-` for standard input.
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pub paths: Vec<PathBuf>,
}

#[derive(Debug, Default)]
struct Tally {
    fine: usize,
    refused: usize,
    passed_over: usize,
    together: Together,
}

impl Check {
    /// Writes a line per finding, and one with the outcome.
    ///
    /// # Errors
    /// When an input cannot be read or the answer cannot be written.
    pub fn run(&self, input: &mut dyn Read, out: &mut dyn Write) -> Result<Exit, Failure> {
        let checker = Checker::new();
        let mut tally = Tally::default();
        for document in self.documents(input)? {
            tally.add(&checker, &document, out)?;
        }
        for (place, warning) in tally.together.finish() {
            writeln!(out, "{place}: warning: {warning}")?;
        }
        let Tally {
            fine,
            refused,
            passed_over,
            ..
        } = tally;
        writeln!(out, "{refused} refused, {fine} fine, {passed_over} passed over")?;
        Ok(if refused > 0 { Exit::Failed } else { Exit::Healthy })
    }

    fn documents(&self, input: &mut dyn Read) -> Result<Vec<Document>, Failure> {
        let mut documents = Vec::new();
        for path in &self.paths {
            let name = path.display().to_string();
            let unreadable = |name: &str, error: &std::io::Error| {
                Failure::usage(
                    format!("cannot read {name}: {error}"),
                    "name a file of YAML or JSON, a folder, or -",
                )
            };
            if name == "-" {
                documents.extend(documents::read("-", input).map_err(|error| unreadable("-", &error))?);
                continue;
            }
            for file in documents::files(path).map_err(|error| unreadable(&name, &error))? {
                let name = file.display().to_string();
                let read = File::open(&file).and_then(|mut file| documents::read(&name, &mut file));
                documents.extend(read.map_err(|error| unreadable(&name, &error))?);
            }
        }
        Ok(documents)
    }
}

impl Tally {
    fn add(&mut self, checker: &Checker, document: &Document, out: &mut dyn Write) -> Result<(), Failure> {
        let place = format!("{}: document {}", document.file, document.number);
        let object = match &document.content {
            Ok(object) => object,
            Err(error) => {
                self.refused += 1;
                writeln!(out, "{place}: it is not YAML: {error}")?;
                return Ok(());
            }
        };
        let place = format!("{place}: {}", title(object));
        match checker.check(object) {
            Verdict::Foreign => {
                self.passed_over += 1;
                writeln!(out, "{place}: passed over, not an object of Serin's")?;
            }
            Verdict::Ours(findings) if findings.is_empty() => {
                self.fine += 1;
                match self.together.add(&place, object) {
                    Some(warning) => writeln!(out, "{place}: fine; warning: {warning}")?,
                    None => writeln!(out, "{place}: fine")?,
                }
            }
            Verdict::Ours(findings) => {
                self.refused += 1;
                for finding in findings {
                    writeln!(out, "{place}: {finding}")?;
                }
            }
        }
        Ok(())
    }
}

/// `Kind/name` as far as the object has them.
pub(super) fn title(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let name = if object.pointer("/metadata/name").is_some() {
        "/metadata/name"
    } else {
        "/metadata/generateName"
    };
    format!("{}/{}", text("/kind"), text(name))
}

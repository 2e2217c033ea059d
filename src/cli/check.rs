//! `serin check`: the API server's verdict on Rollouts, RolloutActions and MetricProviders, offline.
//!
//! Schemas and rules are those of the CRDs, so the verdict is the server's; only what needs other objects of the
//! cluster (does the workload exist?) is not looked at. Objects of other kinds are passed over.

mod cross_checks;
mod defaults;
pub(super) mod documents;
mod finding;
mod metadata;
mod object;
mod rules;
mod schema;
mod yaml;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use serde_json::Value;

use self::cross_checks::Together;
use self::documents::Document;
pub use self::finding::Finding;
pub use self::object::{Checker, Verdict};
use super::{Exit, Failure};
use crate::api;

/// Check Rollouts, RolloutActions and MetricProviders without a cluster.
///
/// Exit status: 0 nothing is refused, 1 something is, 2 an input cannot be read. What cannot be read does not keep the others
/// from being checked.
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
    /// The first input that could not be read.
    unreadable: Option<Failure>,
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
        for document in self.documents(input) {
            match document {
                Ok(document) => tally.add(&checker, &document, out)?,
                Err(failure) => {
                    writeln!(out, "{failure}")?;
                    tally.unreadable = tally.unreadable.or(Some(failure));
                }
            }
        }
        for (place, warning) in tally.together.finish() {
            writeln!(out, "{place}: warning: {warning}")?;
        }
        let Tally {
            fine,
            refused,
            passed_over,
            unreadable,
            ..
        } = tally;
        writeln!(out, "{refused} refused, {fine} fine, {passed_over} passed over")?;
        if let Some(failure) = unreadable {
            return Err(failure);
        }
        if refused + fine == 0 {
            writeln!(
                out,
                "nothing was checked: there is no object of {} in {}",
                api::GROUP,
                self.shown()
            )?;
        }
        Ok(if refused > 0 { Exit::Failed } else { Exit::Healthy })
    }

    fn documents(&self, input: &mut dyn Read) -> Vec<Result<Document, Failure>> {
        let mut all = Vec::new();
        let mut add = |name: &str, read: io::Result<Vec<Document>>| match read {
            Ok(documents) => all.extend(documents.into_iter().map(Ok)),
            Err(error) => all.push(Err(Failure::usage(
                format!("cannot read {name}: {error}"),
                "name a file of YAML or JSON, a folder, or -",
            ))),
        };
        for path in &self.paths {
            let name = path.display().to_string();
            if name == "-" {
                add("-", documents::read("-", input));
                continue;
            }
            match documents::files(path) {
                Ok(files) => {
                    for file in files {
                        let name = file.display().to_string();
                        let opened = File::open(&file);
                        add(
                            &name,
                            opened.and_then(|mut file| documents::read(&name, &mut file)),
                        );
                    }
                }
                Err(error) => add(&name, Err(error)),
            }
        }
        all
    }

    fn shown(&self) -> String {
        let paths: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        paths.join(", ")
    }
}

impl Tally {
    fn add(&mut self, checker: &Checker, document: &Document, out: &mut dyn Write) -> Result<(), Failure> {
        let place = format!("{}: document {}", document.file, document.number);
        let object = match &document.content {
            Ok(object) => object,
            Err(error) => {
                self.refused += 1;
                writeln!(out, "{place}: {error}")?;
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
                match self.together.add(&place, &checker.completed(object)) {
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

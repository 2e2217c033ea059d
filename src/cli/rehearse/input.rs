//! Finds the Rollout to rehearse in a file of one or several documents, and refuses it as `serin check` would.

use std::fs::File;
use std::io::Read;

use serde_json::Value;

use crate::api::{self, RolloutSpec};
use crate::cli::Failure;
use crate::cli::check::documents::{self, Document};
use crate::cli::check::{Checker, Verdict, title};

/// The Rollout that was found.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Found {
    /// `Rollout/name`.
    pub(in crate::cli) title: String,
    /// Its name.
    pub(in crate::cli) name: String,
    /// Its namespace, where it names one.
    pub(in crate::cli) namespace: Option<String>,
    /// Its spec.
    pub(in crate::cli) spec: RolloutSpec,
}

/// The only Rollout in `file`, or the one called `name`.
pub(in crate::cli) fn find(file: &str, name: Option<&str>, stdin: &mut dyn Read) -> Result<Found, Failure> {
    let documents = read(file, stdin)?;
    let mut rollouts = Vec::new();
    for document in &documents {
        match &document.content {
            Ok(object) if is_rollout(object) => rollouts.push((document.number, object)),
            Ok(_) => {}
            Err(error) => {
                let message = format!("{file}: document {}: {error}", document.number);
                return Err(Failure::usage(
                    message,
                    "correct it; `serin check` reads the same",
                ));
            }
        }
    }
    let (number, object) = choose(file, name, &rollouts, &documents)?;
    let title = title(object);
    let checker = Checker::new();
    if let Verdict::Ours(findings) = checker.check(object)
        && let Some(first) = findings.first()
    {
        let more = match findings.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let place = format!("{file}: document {number}");
        return Err(refused(&place, &title, &format!("{first}{more}")));
    }
    // As the operator gets it from the API server: without nulls, with the defaults.
    let spec = checker.completed(object)["spec"].take();
    let spec = serde_json::from_value(spec).map_err(|error| refused(file, &title, &error.to_string()))?;
    Ok(Found {
        name: name_of(object).to_owned(),
        namespace: object
            .pointer("/metadata/namespace")
            .and_then(Value::as_str)
            .map(str::to_owned),
        title,
        spec,
    })
}

/// The Rollout at `place` cannot be rehearsed.
pub(in crate::cli) fn refused(place: &str, title: &str, why: &str) -> Failure {
    Failure::usage(
        format!("{place}: {title}: {why}"),
        "`serin check` says all that it finds",
    )
}

fn read(file: &str, stdin: &mut dyn Read) -> Result<Vec<Document>, Failure> {
    let read = if file == "-" {
        documents::read(file, stdin)
    } else {
        File::open(file).and_then(|mut opened| documents::read(file, &mut opened))
    };
    read.map_err(|error| {
        let message = format!("cannot read {file}: {error}");
        Failure::usage(message, "name a file of YAML or JSON with a Rollout, or -")
    })
}

fn is_rollout(object: &Value) -> bool {
    let text = |field| object.get(field).and_then(Value::as_str);
    let ours = text("apiVersion").is_some_and(|version| version.split('/').next() == Some(api::GROUP));
    ours && text("kind") == Some("Rollout")
}

fn name_of(object: &Value) -> &str {
    let name = object.pointer("/metadata/name").and_then(Value::as_str);
    name.unwrap_or("?")
}

fn choose<'a>(
    file: &str,
    name: Option<&str>,
    rollouts: &[(usize, &'a Value)],
    documents: &[Document],
) -> Result<(usize, &'a Value), Failure> {
    let named: Vec<_> = rollouts
        .iter()
        .filter(|(_, object)| name.is_none_or(|name| name_of(object) == name))
        .collect();
    if let [one] = named.as_slice() {
        return Ok(**one);
    }
    let names: Vec<&str> = rollouts.iter().map(|(_, object)| name_of(object)).collect();
    if rollouts.is_empty() {
        let objects = documents
            .iter()
            .filter_map(|document| document.content.as_ref().ok());
        let titles: Vec<String> = objects.map(title).collect();
        let has = match titles.as_slice() {
            [] => "it is empty".to_owned(),
            titles => format!("it has {}", titles.join(", ")),
        };
        let message = format!("no Rollout in {file}: {has}");
        return Err(Failure::usage(
            message,
            "name a file with a Rollout, such as examples/minimal.yaml",
        ));
    }
    let list = names.join(", ");
    Err(match (name, named.len()) {
        (Some(name), 0) => Failure::usage(
            format!("no Rollout called {name} in {file}"),
            format!("--name takes one of {list}"),
        ),
        (Some(name), _) => Failure::usage(
            format!("{file} has several Rollouts called {name}"),
            "give a file with one of them",
        ),
        (None, _) => Failure::usage(
            format!("{file} has several Rollouts: {list}"),
            "choose one with --name",
        ),
    })
}

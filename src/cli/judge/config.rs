//! `--config`: the analysis part of a Rollout, bare or in a whole one, refused as `serin check` would.

use std::fs::File;

use serde_json::{Value, json};

use super::rules::{Ladder, Rules};
use crate::api::Analysis;
use crate::cli::Failure;
use crate::cli::check::documents;
use crate::cli::check::{Checker, Verdict};
use crate::cli::rehearse::input;
use crate::engine::Plan;
use crate::engine::plan::GateMode;

/// What a file says of the rules; `None` for a file stands for the defaults. `name`: the Rollout, of several.
pub(super) fn rules(file: Option<&str>, name: Option<&str>) -> Result<Rules, Failure> {
    let Some(file) = file else {
        return match name {
            None => Ok(Rules::of(Analysis::default(), None)),
            Some(_) => Err(Failure::usage(
                "--name chooses among Rollouts, and no file has any",
                "give --config, or --prometheus with --rollout",
            )),
        };
    };
    let wrong = |why: &str| {
        Failure::usage(
            format!("cannot use the analysis in {file}: {why}"),
            "give the analysis part of a Rollout, or a Rollout; `serin check` knows their fields",
        )
    };
    let read = File::open(file).and_then(|mut opened| documents::read(file, &mut opened));
    let read = read.map_err(|error| wrong(&error.to_string()))?;
    let mut objects = Vec::new();
    for document in read {
        let number = document.number;
        let object = document.content;
        objects.push(object.map_err(|error| wrong(&format!("document {number}: {error}")))?);
    }
    if objects.iter().any(|object| object.get("kind").is_some()) {
        return of_rollout(file, name);
    }
    if name.is_some() {
        return Err(wrong("it has no Rollout for --name to choose"));
    }
    match objects.as_slice() {
        [] => Ok(Rules::of(Analysis::default(), None)),
        [object] => bare(object).map_err(|why| wrong(&why)),
        _ => Err(wrong("it has several documents, and none is a Rollout")),
    }
}

/// The rules of the only Rollout in a file, or of the one called `name`.
fn of_rollout(file: &str, name: Option<&str>) -> Result<Rules, Failure> {
    let found = input::find(file, name, &mut std::io::empty())?;
    let plan = Plan::admit(&found.spec, GateMode::Admission)
        .map_err(|wrong| input::refused(file, &found.title, &wrong.join("; ")))?;
    let ladder = Ladder::of(&plan);
    Ok(Rules::of(found.spec.analysis, Some(ladder)))
}

/// The rules of an analysis that stands alone, under `analysis`, or under `spec`.
fn bare(object: &Value) -> Result<Rules, String> {
    let mut analysis = object;
    // What the file does not write before a field.
    let mut missing = vec!["spec", "analysis"];
    for key in ["spec", "analysis"] {
        if let Some(inner) = analysis.get(key) {
            analysis = inner;
            missing.retain(|it| *it == "spec" && key == "analysis");
        }
    }
    let rollout = json!({
        "apiVersion": format!("{}/{}", crate::api::GROUP, crate::api::VERSION),
        "kind": "Rollout",
        "metadata": {"name": "judge"},
        "spec": {
            "workload": {"name": "judge"},
            "traffic": {"gatewayAPI": {"routes": [{"name": "judge"}]}},
            "analysis": analysis,
        },
    });
    if let Verdict::Ours(findings) = Checker::new().check(&rollout)
        && let Some(first) = findings.first()
    {
        // The place as the file has it.
        let told = first.to_string();
        let mut place = told.as_str();
        for missing in missing {
            place = place
                .strip_prefix(missing)
                .map_or(place, |rest| rest.trim_start_matches(['.', ':', ' ']));
        }
        return Err(place.to_owned());
    }
    let analysis = serde_json::from_value(analysis.clone()).map_err(|error| error.to_string())?;
    Ok(Rules::of(analysis, None))
}

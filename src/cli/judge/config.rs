//! `--config`: the analysis part of a Rollout, bare or in a whole one, refused as `serin check` would.

use std::fs::File;

use serde_json::{Value, json};

use super::rules::{Ladder, Rules};
use crate::api::{Analysis, RolloutSpec};
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
    let object = objects.pop();
    match object {
        _ if !objects.is_empty() => Err(wrong("it has several documents, and none is a Rollout")),
        Some(object) => bare(object).map_err(|why| wrong(&why)),
        None => Ok(Rules::of(Analysis::default(), None)),
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

/// The rules of what is not called a Rollout: an analysis alone; one under `analysis` with `steps` beside it; or either under
/// `spec`. Whatever else is there is judged as a Rollout's, so that nothing is passed over in silence.
fn bare(mut object: Value) -> Result<Rules, String> {
    leave_out_empty(&mut object);
    let mut rollout = json!({
        "apiVersion": format!("{}/{}", crate::api::GROUP, crate::api::VERSION),
        "kind": "Rollout",
        "metadata": {"name": "judge"},
        "spec": {
            "workload": {"name": "judge"},
            "traffic": {"gatewayAPI": {"routes": [{"name": "judge"}]}},
        },
    });
    let has = |key: &str| object.get(key).is_some();
    // What the file does not write before a field.
    let missing: &[&str] = if has("spec") {
        lay_over(&mut rollout, &object);
        &[]
    } else if has("analysis") || has("steps") {
        lay_over(&mut rollout["spec"], &object);
        &["spec"]
    } else {
        rollout["spec"]["analysis"] = object;
        &["spec", "analysis"]
    };
    if let Verdict::Ours(findings) = Checker::new().check(&rollout)
        && let Some(first) = findings.first()
    {
        return Err(place_in_file(&first.to_string(), missing));
    }
    let spec = rollout["spec"].take();
    let has_steps = spec.get("steps").is_some();
    let spec: RolloutSpec = serde_json::from_value(spec).map_err(|error| error.to_string())?;
    let ladder = if has_steps {
        let plan = Plan::admit(&spec, GateMode::Admission).map_err(|wrong| wrong.join("; "))?;
        Some(Ladder::of(&plan))
    } else {
        None
    };
    Ok(Rules::of(spec.analysis, ladder))
}

/// Lays one object over another, field by field in `metadata` and `spec`.
fn lay_over(under: &mut Value, over: &Value) {
    for (key, value) in over.as_object().into_iter().flatten() {
        if matches!(key.as_str(), "metadata" | "spec") && value.is_object() {
            lay_over(&mut under[key], value);
        } else {
            under[key] = value.clone();
        }
    }
}

/// Leaves out fields without content: they say nothing, as an empty file does.
fn leave_out_empty(object: &mut Value) {
    if let Some(object) = object.as_object_mut() {
        object.retain(|_, value| !value.is_null());
        object.values_mut().for_each(leave_out_empty);
    }
}

/// A finding with its place as the file has it.
fn place_in_file(finding: &str, missing: &[&str]) -> String {
    let strip = |place: &'_ str, missing: &&str| -> Option<String> {
        let rest = place.strip_prefix(missing)?;
        Some(rest.trim_start_matches(['.', ':', ' ']).to_owned())
    };
    missing.iter().fold(finding.to_owned(), |place, missing| {
        strip(&place, missing).unwrap_or(place)
    })
}

//! Serin's definitions on a real API server: accepted, with the defaults of the types, and refusing what
//! `serin check` refuses offline.

use crate::scenario::{Kind, Scenario, trial};
use crate::{Outcome, apply};
use kube::Client;
use kube::api::{DynamicObject, Patch, PatchParams};
use libtest_mimic::{Failed, Trial};
use serde_json::{Value, json};
use serin::api::RolloutSpec;
use std::path::{Path, PathBuf};

const ROLLOUT: Kind = ("serin.dev/v1alpha1", "Rollout");
const ACTION: Kind = ("serin.dev/v1alpha1", "RolloutAction");

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("crds::invalid", invalid),
        trial("crds::examples", examples),
        trial("crds::defaults", defaults),
        trial("crds::status", status),
        trial("crds::actions-stay", actions_stay),
        trial("crds::in-use", in_use),
    ]
}

/// Every object of the table is refused, with a message that names the field and the remedy.
async fn invalid(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    let mut wrong = Vec::new();
    for (file, text) in files("tests/data/invalid")? {
        let says = |what: &str| {
            let prefix = format!("# {what}: ");
            text.lines().find_map(|line| line.strip_prefix(prefix.as_str()))
        };
        let field = says("field").ok_or("a file without `# field:`")?;
        let words = says("server")
            .or_else(|| says("remedy"))
            .ok_or("a file without `# remedy:`")?;
        for object in apply::parse(&text)? {
            match create(&scenario, &object).await {
                Ok(()) => wrong.push(format!("{file}: accepted")),
                Err(answer) if answer.contains(field) && answer.contains(words) => {}
                Err(answer) => wrong.push(format!("{file}: wanted {field} and {words}: {answer}")),
            }
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n").into())
    }
}

/// What `serin check` calls fine is created.
async fn examples(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    for (file, text) in files("examples")? {
        for mut object in apply::parse(&text)? {
            object.metadata.namespace = None;
            create(&scenario, &object)
                .await
                .map_err(|answer| Failed::from(format!("{file}: {answer}")))?;
        }
    }
    Ok(())
}

/// The defaults that the server fills in are those that deserialization fills in.
async fn defaults(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    let minimal = std::fs::read_to_string(root("examples/minimal.yaml"))?;
    scenario.apply(&minimal).await?;
    let stored = scenario.get(ROLLOUT, "checkout").await?["spec"].clone();
    let written = json!({
        "workload": {"name": "checkout"},
        "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}},
    });
    let read = serde_json::to_value(serde_json::from_value::<RolloutSpec>(written)?)?;
    if stored == read {
        Ok(())
    } else {
        Err(format!("the server has {stored}, the types {read}").into())
    }
}

/// A status comes back as it was written, the controller's own state included, and leaves the generation alone.
async fn status(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    scenario
        .apply(&std::fs::read_to_string(root("examples/minimal.yaml"))?)
        .await?;
    let condition = json!({"type": "Ready", "status": "False", "reason": "Judging", "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z", "observedGeneration": 1});
    let status = json!({
        "observedGeneration": 1, "phase": "Judging", "message": "900 requests are missing", "stamp": "uid/7",
        "conditions": [condition],
        "release": {"revision": "6d4b75cb6d", "step": 1, "steps": 3, "verdict": "Continue",
            "weight": {"desired": 10, "observed": 10}, "startedAt": "2026-01-02T03:04:05Z"},
        "originals": [{"kind": "HTTPRoute", "name": "checkout", "uid": "u", "rule": 0, "backend": "checkout"}],
        "course": {"phase": {"Judging": {"at": 1.5, "list": [1, null, "x"]}}},
    });
    let patch = json!({"apiVersion": ROLLOUT.0, "kind": ROLLOUT.1, "status": status});
    let api = scenario.api(ROLLOUT).await?;
    api.patch_status("checkout", &PatchParams::apply("serin"), &Patch::Apply(patch))
        .await?;
    let stored = scenario.get(ROLLOUT, "checkout").await?;
    if stored["status"] != status || stored["metadata"]["generation"] != 1 {
        return Err(format!("wrote {status}, stored {stored}").into());
    }
    Ok(())
}

/// An approval cannot be turned into another one.
async fn actions_stay(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    let action = "{rollout: checkout, revision: a1, action: Approve}";
    let (version, kind) = ACTION;
    scenario
        .apply(&format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\nspec: {action}\n"
        ))
        .await?;
    let Err(error) = scenario
        .patch(ACTION, "a", json!({"spec": {"revision": "b2"}}))
        .await
    else {
        return Err("the revision of an action could be changed".into());
    };
    let message = error.message().unwrap_or_default().to_owned();
    if message.contains("create another RolloutAction") {
        Ok(())
    } else {
        Err(message.into())
    }
}

/// While a candidate is in a route, that route, the workload and the Service stay as they are; all else may change.
async fn in_use(scenario: Scenario) -> Outcome {
    install(&scenario).await?;
    let minimal = std::fs::read_to_string(root("examples/minimal.yaml"))?;
    scenario.apply(&minimal).await?;
    let change = async |spec: Value| scenario.patch(ROLLOUT, "checkout", json!({ "spec": spec })).await;
    let routes = |names: &[&str]| {
        let routes: Vec<Value> = names.iter().map(|name| json!({ "name": name })).collect();
        json!({"traffic": {"gatewayAPI": {"routes": routes}}})
    };
    change(routes(&["other", "checkout"])).await?;
    let entry =
        json!({"kind": "HTTPRoute", "name": "checkout", "uid": "u", "rule": 0, "backend": "checkout"});
    let used = json!([{"op": "add", "path": "/status", "value": {"originals": [entry]}}]);
    scenario.patch_status(ROLLOUT, "checkout", used).await?;
    for spec in [
        json!({"workload": {"name": "other"}}),
        json!({"traffic": {"service": "other"}}),
        routes(&["other"]),
    ] {
        let Err(error) = change(spec.clone()).await else {
            return Err(format!("{spec} was accepted").into());
        };
        let message = error.message().unwrap_or_default();
        if !message.contains("wait for the end of the release") {
            return Err(format!("{spec}: {message}").into());
        }
    }
    change(json!({"traffic": {"service": "checkout"}, "progressDeadline": "1m"})).await?;
    change(routes(&["checkout", "third"])).await?;
    let free = json!([{"op": "remove", "path": "/status/originals"}]);
    scenario.patch_status(ROLLOUT, "checkout", free).await?;
    change(json!({"workload": {"name": "other"}})).await?;
    Ok(())
}

pub(super) async fn install(scenario: &Scenario) -> Outcome {
    for (_, text) in files("crds")? {
        apply::definitions(&scenario.cluster.admin, &text).await?;
    }
    Ok(())
}

/// Creates as kubectl does, with strict validation, but for show; the error is the server's answer.
pub(super) async fn create(scenario: &Scenario, object: &DynamicObject) -> Result<(), String> {
    let client: &Client = &scenario.cluster.admin;
    let types = object.types.clone().unwrap_or_default();
    let api = apply::api(client, &scenario.namespace, &types, None).await;
    let api = api.map_err(|error| error.message().unwrap_or_default().to_owned())?;
    let url = format!("{}?dryRun=All&fieldValidation=Strict", api.resource_url());
    let body = serde_json::to_vec(object).map_err(|error| error.to_string())?;
    let request = http::Request::post(url)
        .header("Content-Type", "application/json")
        .body(body);
    let request = request.map_err(|error| error.to_string())?;
    client
        .request::<Value>(request)
        .await
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Names and contents of the manifests of a folder.
pub(super) fn files(folder: &str) -> Outcome<Vec<(String, String)>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(root(folder))? {
        paths.push(entry?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    paths.sort();
    paths
        .iter()
        .map(|path| Ok((path.display().to_string(), std::fs::read_to_string(path)?)))
        .collect()
}

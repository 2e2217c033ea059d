//! The gate: which kind the server can have, and the proof that it holds.

use kube::Client;
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use super::cache::Kind;
use super::client::{DEADLINE, call};
use super::error::{Call, Error};
use super::watches::api_resource;
use crate::engine::plan::GateMode;
use crate::render::json::text;

/// What only the dry run writes; it never reaches the store.
const PROOF: &str = "serin.dev/gate-proof";

/// `Admission` where the server has MutatingAdmissionPolicy v1, `Paused` elsewhere.
///
/// # Errors
/// The server's discovery cannot be read.
pub async fn detect(client: &Client) -> Result<GateMode, Error> {
    let what = Call::new("get", "apis/admissionregistration.k8s.io/v1");
    let list = call(
        what,
        DEADLINE,
        client.list_api_group_resources("admissionregistration.k8s.io/v1"),
    )
    .await?;
    let served = list
        .resources
        .iter()
        .any(|resource| resource.name == "mutatingadmissionpolicies");
    Ok(if served {
        GateMode::Admission
    } else {
        GateMode::Paused
    })
}

/// Whether a change of the Deployment's template would come back paused: a server-side dry run of an annotation.
///
/// # Errors
/// The dry run was refused or not answered; nothing is known then.
pub async fn prove(client: &Client, workload: &Value) -> Result<bool, Error> {
    let (namespace, name) = (
        text(workload, "/metadata/namespace"),
        text(workload, "/metadata/name"),
    );
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), namespace, &api_resource(Kind::Deployment));
    let proof = json!({"spec": {"template": {"metadata": {"annotations": {PROOF: "dry run"}}}}});
    let params = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let what = Call::new("patch", "deployments.apps").within(namespace).on(name);
    let answer = call(what, DEADLINE, api.patch(name, &params, &Patch::Merge(&proof))).await?;
    Ok(answer
        .data
        .pointer("/spec/paused")
        .and_then(Value::as_bool)
        .unwrap_or(false))
}

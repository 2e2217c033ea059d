//! What the admission gate relies on: a real API server's mutating policy pauses what is not ours, and only that.

use crate::control_plane::{OPERATOR_TOKENS, User};
use crate::scenario::fixtures::deployment;
use crate::scenario::{DEPLOYMENT, REPLICA_SET, Scenario, trial};
use crate::{Outcome, wait};
use kube::api::{Api, DynamicObject, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![trial("gate::policy", policy)]
}

/// The user's template change and un-pausing come out paused; ours do not; a scale is nobody's business.
async fn policy(scenario: Scenario) -> Outcome {
    scenario.apply(&[&gate(), "---\n", RIGHTS].concat()).await?;
    scenario.apply(&deployment("app", "app:v1", 1)).await?;
    scenario.wait_deployed("app", 1).await?;
    let gated = json!({"metadata": {"labels": {"serin.test/gate": "held"}}});
    scenario.patch(DEPLOYMENT, "app", gated).await?;
    in_force(&scenario).await?;
    let unchanged = scenario.get(DEPLOYMENT, "app").await?;
    expect(
        "a dry run changes nothing",
        unchanged["spec"]["paused"] == Value::Null,
        &unchanged,
    )?;

    let scaled = scenario
        .patch(DEPLOYMENT, "app", json!({"spec": {"replicas": 2}}))
        .await?;
    expect(
        "a scale does not pause",
        scaled["spec"]["paused"] == Value::Null,
        &scaled,
    )?;
    scenario.set_image("app", "app:v2").await?;
    let released = scenario.get(DEPLOYMENT, "app").await?;
    expect(
        "a new image comes out paused",
        released["spec"]["paused"] == true,
        &released,
    )?;
    let resumed = scenario
        .patch(DEPLOYMENT, "app", json!({"spec": {"paused": false}}))
        .await?;
    expect(
        "a user's resume comes out paused",
        resumed["spec"]["paused"] == true,
        &resumed,
    )?;
    let sets = scenario.list(REPLICA_SET, "app=app").await?;
    expect("no ReplicaSet of the new template", sets.len() == 1, &json!(sets))?;

    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    // A token that no process of the operator has, so that nobody counts these calls as its own.
    let ours = User::Operator(OPERATOR_TOKENS);
    let operator = scenario.cluster.plane.client(ours).await?;
    let ours: Api<DynamicObject> = Api::namespaced_with(operator, &scenario.namespace, &resource);
    // So Serin proves that the gate holds: its own template is paused too, though nothing of it is written.
    let held = ours.patch("app", &dry_run(), &probe()).await?;
    expect(
        "our own change of the template comes out paused",
        held.data["spec"]["paused"] == true,
        &held.data,
    )?;
    let resume = Patch::Merge(json!({"spec": {"paused": false}}));
    ours.patch("app", &PatchParams::default(), &resume).await?;
    scenario.wait_deployed("app", 2).await?;
    let sets = scenario.list(REPLICA_SET, "app=app").await?;
    expect(
        "our own resume ships the new template",
        sets.len() == 2,
        &json!(sets),
    )?;
    for kind in ["MutatingAdmissionPolicyBinding", "MutatingAdmissionPolicy"] {
        let kind = ("admissionregistration.k8s.io/v1", kind);
        scenario
            .delete(kind, "ground.serin.test", &kube::api::DeleteParams::default())
            .await?;
    }
    Ok(())
}

/// The gate is known to be there when a dry run says so, as Serin itself asks.
async fn in_force(scenario: &Scenario) -> Outcome {
    let user = scenario.api(DEPLOYMENT).await?;
    wait::until("the policy to be in force", Duration::from_secs(15), || async {
        let answer = user.patch("app", &dry_run(), &probe()).await?;
        Ok((answer.data["spec"]["paused"] == true).then_some(()))
    })
    .await
}

fn dry_run() -> PatchParams {
    PatchParams {
        dry_run: true,
        ..PatchParams::default()
    }
}

/// A change of the template.
fn probe() -> Patch<Value> {
    Patch::Merge(json!({"spec": {"template": {"metadata": {"annotations": {"probe": "1"}}}}}))
}

fn expect(what: &str, holds: bool, seen: &Value) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(format!("{what}, but: {seen}").into())
    }
}

/// The demo's policy, which is the chart's, under another name and label, so that it meets only this scenario's Deployment.
fn gate() -> String {
    include_str!("../../../src/cli/demo/gate.yaml")
        .replace("gate.serin.dev", "ground.serin.test")
        .replace("serin.dev/gate", "serin.test/gate")
}

const RIGHTS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: serin}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, namespace: serin, name: serin}]
";

//! Objects that the API server will not have: a candidate against a policy, a name that is taken, pods above a quota.

use super::super::care::Care;
use super::SOON;
use crate::scenario::fixtures::deployment;
use crate::scenario::{DEPLOYMENT, SERVICE, Scenario, trial};
use crate::{Outcome, apply, wait};
use kube::api::{DeleteParams, Patch, PatchParams};
use libtest_mimic::Trial;
use std::time::Duration;

pub(super) fn all() -> Vec<Trial> {
    vec![
        trial("release::bad_input_refused", refused),
        trial("release::bad_input_quota", quota),
    ]
}

const BINDING: crate::scenario::Kind = (
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicyBinding",
);
/// What is refused is tried again every 30 s.
const TRIED_AGAIN: Duration = Duration::from_secs(45);

/// A policy refuses the candidate, then its name is taken: the release says so in the words of the server and waits, no
/// request is lost, and it goes on when the obstacle is gone.
async fn refused(scenario: Scenario) -> Outcome {
    let steps = "  progressDeadline: 5m\n  steps: [{weight: 10, hold: 2m}, {weight: 100, hold: 2s}]\n";
    let care = Care::begin(&scenario, "app:v1", steps).await?;
    let policy = POLICY.replace("{namespace}", &scenario.namespace);
    scenario.apply(&policy).await?;
    in_force(&scenario).await?;
    scenario.set_image("app", "app:v2").await?;
    let words = ["cannot create deployments.apps", "no canaries here"];
    let status = care.wait_reason("RefusedByServer", &words, SOON).await?;
    care.told(&["ReleaseStarted", "RefusedByServer"]).await?;
    let revision = status["release"]["revision"].as_str().unwrap_or_default();
    let name = format!("app-canary-{revision}");
    let foreign = format!(
        "apiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\nspec: {{ports: [{{port: 80}}], selector: {{app: mine}}}}\n"
    );
    scenario.apply(&foreign).await?;
    let binding = format!("{}.serin.test", scenario.namespace);
    scenario
        .delete(BINDING, &binding, &DeleteParams::default())
        .await?;
    let words = [
        &format!("Service {}/{name} exists", scenario.namespace),
        "rename or remove it",
    ];
    let words = words.map(|word: &str| word);
    care.wait_reason("NameTaken", &words, TRIED_AGAIN).await?;
    if care.course().highest() > 0 {
        return Err(format!("traffic moved: {:?}", care.course().marks).into());
    }
    let service = scenario.get(SERVICE, &name).await?;
    if service["spec"]["selector"]["app"] != "mine" {
        return Err(format!("somebody else's Service was changed: {service}").into());
    }
    scenario.delete(SERVICE, &name, &DeleteParams::default()).await?;
    care.shifted(10, TRIED_AGAIN).await?;
    let policy = ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy");
    scenario
        .delete(policy, &binding, &DeleteParams::default())
        .await?;
    let (_, report) = care.end().await?;
    report.no_failures()
}

/// The policy is there when a dry run says so.
async fn in_force(scenario: &Scenario) -> Outcome {
    let probe = apply::parse(&deployment("probe-canary-a", "app:v1", 1))?.remove(0);
    let api = scenario.api(DEPLOYMENT).await?;
    wait::until("the policy to be in force", Duration::from_secs(15), || async {
        let mut dry_run = PatchParams::apply(apply::MANAGER);
        dry_run.dry_run = true;
        let answer = api.patch("probe-canary-a", &dry_run, &Patch::Apply(&probe)).await;
        Ok(answer.is_err().then_some(()))
    })
    .await
}

/// Pods that a quota refuses: the wait names it, and so does the outcome at the deadline.
async fn quota(scenario: Scenario) -> Outcome {
    let care = Care::begin(&scenario, "app:v1", "  progressDeadline: 15s\n").await?;
    let quota = "apiVersion: v1\nkind: ResourceQuota\nmetadata: {name: two}\nspec: {hard: {pods: \"2\"}}\n";
    scenario.apply(quota).await?;
    let counted = |it: &serde_json::Value| it["status"]["used"]["pods"] == "2";
    scenario
        .wait(("v1", "ResourceQuota"), "two", "counted", SOON, counted)
        .await?;
    scenario.set_image("app", "app:v2").await?;
    care.wait_reason("Scaling", &["exceeded quota: two"], SOON)
        .await?;
    let status = care.wait_phase("RolledBack", SOON).await?;
    let outcome = &status["history"][0];
    let evidence = outcome["evidence"].as_str().unwrap_or_default();
    if outcome["reason"] != "NotReady" || !evidence.contains("exceeded quota: two") {
        return Err(format!("the history does not tell of the quota: {outcome}").into());
    }
    care.no_candidate().await?;
    let (course, report) = care.end().await?;
    if course.highest() > 0 {
        return Err(format!("traffic moved: {:?}", course.marks).into());
    }
    report.no_failures()
}

const POLICY: &str = r#"
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: "{namespace}.serin.test"}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules:
    - {apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}
  validations:
  - {expression: "!object.metadata.name.contains('-canary-')", message: no canaries here}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: "{namespace}.serin.test"}
spec:
  policyName: "{namespace}.serin.test"
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "{namespace}"}}}
---
"#;

//! The admission gate: what the chart's `MutatingAdmissionPolicy` does to updates of Deployments.
//!
//! The policy's expressions are not evaluated: a policy and a binding named `gate.serin.dev` switch on the behaviour that they
//! describe. The exempt user is read from the policy's `not-serin` condition.

use serde_json::Value;

use super::resources::{self, Resource};
use super::store::Store;
use crate::world::json::{self, put};

const POLICY: &str = "gate.serin.dev";
const GROUP: &str = "admissionregistration.k8s.io";

/// Pauses a gated Deployment whose template changes, or that is un-paused by another than the exempt user.
pub(super) fn gate(store: &Store, user: &str, resource: &Resource, old: &Value, new: &mut Value) {
    if resource.plural != "deployments" || !gated(old) {
        return;
    }
    let changed = old["spec"]["template"] != new["spec"]["template"];
    let resumed = json::flag(old, "/spec/paused") && !json::flag(new, "/spec/paused");
    let bound = store
        .list(resources::plural(GROUP, "mutatingadmissionpolicybindings"), "")
        .any(|binding| json::text(binding, "/spec/policyName") == POLICY);
    let policy = store.get(resources::plural(GROUP, "mutatingadmissionpolicies"), "", POLICY);
    // Serin never changes a template, so nobody is exempt from that: its own dry run proves the gate.
    if policy.is_some_and(|policy| bound && (changed || (resumed && exempt(policy) != user))) {
        put(new, &["spec", "paused"], true.into());
    }
}

fn gated(deployment: &Value) -> bool {
    deployment
        .pointer("/metadata/labels")
        .is_some_and(|labels| labels.get("serin.dev/gate").is_some())
}

/// The quoted user name in the condition that lets Serin's own account through.
fn exempt(policy: &Value) -> &str {
    json::items(policy, "/spec/matchConditions")
        .iter()
        .map(|condition| json::text(condition, "/expression"))
        .find(|expression| expression.contains("request.userInfo.username"))
        .and_then(|expression| expression.split('\'').nth(1))
        .unwrap_or("")
}

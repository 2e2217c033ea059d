//! The gate: a paused Deployment runs no new template. Patches that set it, open it, and take it away, and the purge
//! of pods that should not be there.
//!
//! Invariants: a Deployment is un-paused only while it holds the template that was approved; a field that Serin no
//! longer needs is removed, not set to its default.

use serde_json::{Value, json};

use super::json::{list, text, title};
use super::patch::Patch;
use super::{names, revision};
use crate::engine::observation::Problem;
use crate::engine::quantity::Revision;
use crate::engine::reason::{REVISION_GONE, TEMPLATE_CHANGED};

/// A conditional patch of one object or of its scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Kind of the object.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Whether the patch is for the `scale` subresource.
    pub scale: bool,
    /// The operations.
    pub ops: Vec<Value>,
}

/// Whether the Deployment is paused.
pub fn is_paused(workload: &Value) -> bool {
    workload.pointer("/spec/paused").and_then(Value::as_bool) == Some(true)
}

/// Whether the Rollout carries Serin's finalizer.
pub fn is_guarded(rollout: &Value) -> bool {
    list(rollout, "/metadata/finalizers")
        .iter()
        .any(|name| name.as_str() == Some(names::FINALIZER))
}

/// Puts the gate's label on the Deployment, over one that another Rollout has left. `None` where it is there.
pub fn label(workload: &Value, rollout: &Value) -> Option<Vec<Value>> {
    let mut patch = Patch::of(workload);
    patch.set_metadata(workload, "labels", names::GATE, text(rollout, "/metadata/uid"));
    patch.ops()
}

/// Puts the finalizer on the Rollout. `None` where it is there, or where the Rollout goes away already: the server
/// would refuse a new one.
pub fn add_finalizer(rollout: &Value) -> Option<Vec<Value>> {
    if is_guarded(rollout) || rollout.pointer("/metadata/deletionTimestamp").is_some() {
        return None;
    }
    let mut patch = Patch::of(rollout);
    if rollout
        .pointer("/metadata/finalizers")
        .is_some_and(Value::is_array)
    {
        patch.add("/metadata/finalizers/-", names::FINALIZER);
    } else {
        patch.add("/metadata/finalizers", json!([names::FINALIZER]));
    }
    patch.ops()
}

/// Takes the finalizer from the Rollout. `None` where there is none.
pub fn remove_finalizer(rollout: &Value) -> Option<Vec<Value>> {
    let mut patch = Patch::of(rollout);
    let ours = |name: &Value| name.as_str() == Some(names::FINALIZER);
    let index = list(rollout, "/metadata/finalizers").iter().position(ours)?;
    let place = format!("/metadata/finalizers/{index}");
    patch.test(&place, &names::FINALIZER.into());
    patch.remove(&place);
    patch.ops()
}

/// Pauses the Deployment. `None` where it is paused.
pub fn pause(workload: &Value, stamp: &str) -> Option<Vec<Value>> {
    if is_paused(workload) {
        return None;
    }
    let mut patch = Patch::of(workload);
    patch.add("/spec/paused", true);
    patch.stamp(workload, stamp);
    patch.ops()
}

/// Un-pauses the Deployment, which must hold `template`. `None` where it is not paused.
///
/// # Errors
/// It holds another template: un-pausing it would ship what nobody approved.
pub fn unpause(workload: &Value, template: &Revision, stamp: &str) -> Result<Option<Vec<Value>>, Problem> {
    let held = revision::of_template(&workload["spec"]["template"]);
    if held != *template {
        return Err(Problem {
            reason: TEMPLATE_CHANGED,
            message: format!(
                "{} now holds revision {held} instead of {template}: it stays paused until that one is released",
                title(workload)
            ),
        });
    }
    if !is_paused(workload) {
        return Ok(None);
    }
    let mut patch = Patch::of(workload);
    patch.remove("/spec/paused");
    patch.stamp(workload, stamp);
    Ok(patch.ops())
}

/// Takes everything of Serin from the Deployment; it is un-paused only if `resume`. `None` where nothing is left.
pub fn release(workload: &Value, resume: bool) -> Option<Vec<Value>> {
    let mut patch = Patch::of(workload);
    patch.unset_metadata(workload, "labels", names::GATE);
    patch.unset_metadata(workload, "annotations", names::STAMP);
    if resume && is_paused(workload) {
        patch.remove("/spec/paused");
    }
    patch.ops()
}

/// Whether the Deployment may run: the template that it holds is the one whose pods serve already.
pub fn holds_nothing(workload: &Value, replica_sets: &[Value]) -> bool {
    let held = revision::of_template(&workload["spec"]["template"]);
    let mut running = replica_sets.iter().filter(|set| desired(set) > 0).peekable();
    running.peek().is_some() && running.all(|set| revision_of(set) == held)
}

/// The steps, in order, after which only the pods of `keep` are left: the Deployment is paused, and the Deployment
/// controller then gives the one ReplicaSet that has pods the full count.
///
/// # Errors
/// There is no ReplicaSet of `keep`: a purge would leave no pod at all.
pub fn purge(
    workload: &Value,
    replica_sets: &[Value],
    keep: &Revision,
    stamp: &str,
) -> Result<Vec<Step>, Problem> {
    let kept = replica_sets
        .iter()
        .filter(|set| revision_of(set) == *keep)
        .max_by_key(|set| desired(set))
        .ok_or_else(|| Problem {
            reason: REVISION_GONE,
            message: format!(
                "{} has no ReplicaSet of revision {keep} any more, so pods of other revisions are left alone: put \
                 the template of {keep} back",
                title(workload)
            ),
        })?;
    let mut steps = Vec::new();
    if let Some(ops) = pause(workload, stamp) {
        steps.push(Step {
            kind: "Deployment",
            name: text(workload, "/metadata/name").to_owned(),
            scale: false,
            ops,
        });
    }
    if desired(kept) == 0 && desired(workload) > 0 {
        steps.extend(scale(kept, 1));
    }
    let others = replica_sets
        .iter()
        .filter(|set| revision_of(set) != *keep && desired(set) > 0);
    steps.extend(others.filter_map(|set| scale(set, 0)));
    Ok(steps)
}

/// The revision of a ReplicaSet.
pub fn revision_of(replica_set: &Value) -> Revision {
    revision::of_template(&replica_set["spec"]["template"])
}

fn desired(replica_set: &Value) -> u64 {
    replica_set
        .pointer("/spec/replicas")
        .and_then(Value::as_u64)
        .unwrap_or(1)
}

fn scale(replica_set: &Value, replicas: u32) -> Option<Step> {
    let mut patch = Patch::of(replica_set);
    patch.add("/spec/replicas", replicas);
    Some(Step {
        kind: "ReplicaSet",
        name: text(replica_set, "/metadata/name").to_owned(),
        scale: true,
        ops: patch.ops()?,
    })
}

#[cfg(test)]
mod tests;

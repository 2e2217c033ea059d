//! Which label tells the candidate's pods from the stable ones, and who else would select them.
//!
//! Invariant: with the key that is given, no Service, PodDisruptionBudget, HorizontalPodAutoscaler or Deployment of
//! the namespace selects the candidate but Serin's own, and every NetworkPolicy that speaks of the stable pods speaks
//! of the candidate's too.

use serde_json::Value;

use super::json::{list, map, text, title};
use super::labels::{self, Labels};
use super::{candidate, names};
use crate::engine::observation::Problem;
use crate::engine::quantity::Revision;
use crate::engine::reason::{NETWORK_POLICY_MISSES, SELECTOR_OVERLAP, SERVICE_SELECTS_NOTHING};

/// Keys that are tried first: the narrowest by convention.
const PREFERRED: [&str; 3] = ["app.kubernetes.io/instance", "app", "app.kubernetes.io/name"];

/// What the choice of a key rests on.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The user's Deployment.
    pub workload: &'a Value,
    /// The Service of the stable pods.
    pub service: &'a Value,
    /// Objects of the namespace that are not Serin's own for this Rollout.
    pub neighbours: &'a [Value],
    /// The candidate's Deployment, where there is one: its key is kept.
    pub candidate: Option<&'a Value>,
    /// The new revision.
    pub revision: &'a Revision,
}

/// The label key that gets the suffix.
///
/// # Errors
/// The Service cannot be divided or selects nothing, or whichever key is taken, somebody else selects the
/// candidate's pods or a NetworkPolicy misses them; the message names the object that stands in the way of the best
/// key.
pub fn suffix_key(scene: &Scene<'_>) -> Result<String, Problem> {
    candidate::usable(scene.service)?;
    let selector = labels::at(scene.service, "/spec/selector");
    let stable = labels::at(scene.workload, "/spec/template/metadata/labels");
    if !labels::map_matches(&selector, &stable) {
        return Err(Problem {
            reason: SERVICE_SELECTS_NOTHING,
            message: format!(
                "{} selects none of the pods of {}: make its spec.selector match the labels of the pod template",
                title(scene.service),
                title(scene.workload)
            ),
        });
    }
    let keys = keys(scene, &selector);
    let mut first = None;
    for key in &keys {
        match obstacle(scene, &stable, key) {
            None => return Ok(key.clone()),
            Some(problem) => first = first.or(Some(problem)),
        }
    }
    Err(first.unwrap_or_else(|| Problem {
        reason: SELECTOR_OVERLAP,
        message: format!(
            "no label is both in spec.selector of {} and in spec.selector.matchLabels of {}, so the candidate's pods \
             cannot be told apart: add one of the Deployment's matchLabels to the Service's selector",
            title(scene.service),
            title(scene.workload)
        ),
    }))
}

/// The keys that could be taken, the best first; of an existing candidate only its own.
fn keys(scene: &Scene<'_>, selector: &Labels) -> Vec<String> {
    let existing = scene
        .candidate
        .and_then(|candidate| map(candidate, "/metadata/annotations"))
        .and_then(|annotations| annotations.get(names::SUFFIX_KEY))
        .and_then(Value::as_str);
    if let Some(key) = existing {
        return vec![key.to_owned()];
    }
    let matched = labels::at(scene.workload, "/spec/selector/matchLabels");
    let mut keys: Vec<String> = selector
        .iter()
        .filter(|(key, value)| !value.is_empty() && matched.get(*key) == Some(value))
        .map(|(key, _)| key.clone())
        .collect();
    let rank = |key: &String| PREFERRED.iter().position(|preferred| preferred == key);
    keys.sort_by_key(|key| rank(key).unwrap_or(PREFERRED.len()));
    keys
}

/// Who stands in the way of `key`, if anybody.
fn obstacle(scene: &Scene<'_>, stable: &Labels, key: &str) -> Option<Problem> {
    let mut pods = stable.clone();
    if let Some(value) = pods.get_mut(key) {
        *value = names::suffixed(value, scene.revision);
    }
    pods.insert(names::ROLE.into(), names::CANDIDATE.into());
    pods.insert(names::REVISION.into(), scene.revision.as_str().into());
    scene
        .neighbours
        .iter()
        .find_map(|neighbour| conflict(scene, neighbour, stable, &pods, key))
}

fn conflict(
    scene: &Scene<'_>,
    neighbour: &Value,
    stable: &Labels,
    pods: &Labels,
    key: &str,
) -> Option<Problem> {
    let what = match text(neighbour, "/kind") {
        "Service" => labels::map_matches(&labels::at(neighbour, "/spec/selector"), pods)
            .then_some("would send requests to"),
        "PodDisruptionBudget" => selects(neighbour, pods).then_some("would count"),
        "Deployment" => selects(neighbour, pods).then_some("would adopt"),
        "HorizontalPodAutoscaler" => scales_overlap(scene, neighbour, pods).then_some("would measure"),
        "NetworkPolicy" => return policy_misses(neighbour, stable, pods, key),
        _ => None,
    }?;
    Some(Problem {
        reason: SELECTOR_OVERLAP,
        message: format!(
            "{} {what} the candidate's pods, which differ from the stable ones in label `{key}` only: add \
             `{key}: {}` to its selector",
            title(neighbour),
            stable.get(key).map_or("", String::as_str)
        ),
    })
}

fn selects(object: &Value, pods: &Labels) -> bool {
    labels::selector_matches(object.pointer("/spec/selector"), pods)
}

/// An autoscaler selects what its target selects.
fn scales_overlap(scene: &Scene<'_>, autoscaler: &Value, pods: &Labels) -> bool {
    let target = |object: &&Value| {
        text(object, "/kind") == text(autoscaler, "/spec/scaleTargetRef/kind")
            && text(object, "/metadata/name") == text(autoscaler, "/spec/scaleTargetRef/name")
    };
    scene
        .neighbours
        .iter()
        .find(target)
        .is_some_and(|target| selects(target, pods))
}

/// A policy that speaks of the stable pods but not of the candidate's: as those it protects, or as a peer.
fn policy_misses(policy: &Value, stable: &Labels, pods: &Labels, key: &str) -> Option<Problem> {
    let misses = |selector: Option<&Value>| {
        labels::selector_matches(selector, stable) && !labels::selector_matches(selector, pods)
    };
    let peers = || {
        [("/spec/ingress", "/from"), ("/spec/egress", "/to")]
            .into_iter()
            .flat_map(|(rules, peers)| list(policy, rules).iter().flat_map(move |rule| list(rule, peers)))
    };
    let how = if misses(policy.pointer("/spec/podSelector")) {
        "applies to"
    } else if peers().any(|peer| misses(peer.get("podSelector"))) {
        "allows traffic with"
    } else {
        return None;
    };
    Some(Problem {
        reason: NETWORK_POLICY_MISSES,
        message: format!(
            "{} {how} the stable pods but not the candidate's, whose label `{key}` differs: select both, for example \
             by another label of the pod template",
            title(policy)
        ),
    })
}

#[cfg(test)]
mod tests;

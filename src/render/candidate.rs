//! The candidate: a Deployment and a Service for the new revision, copied from the user's.
//!
//! Invariants: the pod template is the user's, but for one label's suffix (and the selectors of its own affinity on
//! that label) and Serin's own labels; no ownerReference, since foreground deletion would end pods under traffic; no
//! mark by which a GitOps tool would take the copy for its own.

mod service;
mod template;

use serde_json::{Map, Value, json};

pub use service::{service, usable};

use super::json::{entry, map, text, title};
use super::patch::Patch;
use super::{gate, names, revision};
use crate::engine::observation::Problem;
use crate::engine::quantity::Revision;
use crate::engine::reason::TEMPLATE_GONE;

/// For whom a candidate is made.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// The Rollout.
    pub rollout: &'a Value,
    /// The revision.
    pub revision: &'a Revision,
    /// The label key that gets the suffix, from [`super::selector::suffix_key`].
    pub key: &'a str,
    /// Who makes it.
    pub stamp: &'a str,
}

/// The template of `revision`: the Deployment's own, or that of a ReplicaSet.
///
/// # Errors
/// Neither holds it any more.
pub fn template_of(workload: &Value, replica_sets: &[Value], wanted: &Revision) -> Result<Value, Problem> {
    let own = &workload["spec"]["template"];
    if revision::of_template(own) == *wanted {
        return Ok(revision::plain(own));
    }
    replica_sets
        .iter()
        .find(|set| gate::revision_of(set) == *wanted)
        .map(|set| revision::plain(&set["spec"]["template"]))
        .ok_or_else(|| Problem {
            reason: TEMPLATE_GONE,
            message: format!(
                "{} holds no template of revision {wanted} any more",
                title(workload)
            ),
        })
}

/// The candidate's Deployment with `replicas` pods.
pub fn deployment(workload: &Value, template: &Value, replicas: u32, order: &Order<'_>) -> Value {
    let labels = map(workload, "/spec/template/metadata/labels");
    let own = labels
        .and_then(|labels| labels.get(order.key))
        .and_then(Value::as_str)
        .unwrap_or_default();
    let suffixed = names::suffixed(own, order.revision);
    let change = template::Suffix {
        key: order.key,
        own,
        suffixed: &suffixed,
    };
    let mut spec = map(workload, "/spec").cloned().unwrap_or_default();
    spec.remove("paused");
    spec.insert("replicas".into(), replicas.into());
    if let Some(selector) = spec.get_mut("selector") {
        change.selector(selector);
    }
    let mut template = template.clone();
    change.template(&mut template);
    mark_pods(&mut template, order);
    spec.insert("template".into(), template);
    let mut metadata = metadata(workload, order);
    if let Some(annotations) = entry(&mut metadata, "annotations") {
        annotations.insert(names::SUFFIX_KEY.into(), order.key.into());
    }
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec})
}

/// A patch that gives the candidate `replicas` pods; `None` where it has them.
pub fn scale(candidate: &Value, replicas: u32, stamp: &str) -> Option<Vec<Value>> {
    if candidate.pointer("/spec/replicas").and_then(Value::as_u64) == Some(replicas.into()) {
        return None;
    }
    let mut patch = Patch::of(candidate);
    patch.add("/spec/replicas", replicas);
    patch.stamp(candidate, stamp);
    patch.ops()
}

/// The revision that an object of Serin's belongs to; `None` where its label is missing.
pub fn revision_of(object: &Value) -> Option<Revision> {
    map(object, "/metadata/labels")?
        .get(names::REVISION)?
        .as_str()
        .map(Revision::named)
}

/// Whether Serin made `object` for `rollout`.
pub fn is_ours(object: &Value, rollout: &Value) -> bool {
    let uid = text(rollout, "/metadata/uid");
    let label = map(object, "/metadata/labels").and_then(|labels| labels.get(names::ROLLOUT_UID));
    !uid.is_empty() && label.and_then(Value::as_str) == Some(uid)
}

/// The endpoints of a Service that carry `label=value` may be told apart by these.
fn mark_pods(template: &mut Value, order: &Order<'_>) {
    let Some(template) = template.as_object_mut() else {
        return;
    };
    if let Some(labels) = entry(template, "metadata").and_then(|metadata| entry(metadata, "labels")) {
        own_labels(labels, order);
    }
}

fn own_labels(labels: &mut Map<String, Value>, order: &Order<'_>) {
    labels.insert(
        names::ROLLOUT_UID.into(),
        text(order.rollout, "/metadata/uid").into(),
    );
    labels.insert(names::ROLE.into(), names::CANDIDATE.into());
    labels.insert(names::REVISION.into(), order.revision.as_str().into());
}

/// Name, namespace and labels of a copy of `original`. Its annotations are not copied: most are orders to, or notes
/// of, tools that look after the original.
fn metadata(original: &Value, order: &Order<'_>) -> Map<String, Value> {
    let workload = text(order.rollout, "/spec/workload/name");
    let mut labels: Map<String, Value> = map(original, "/metadata/labels")
        .into_iter()
        .flatten()
        .filter(|(key, _)| !is_tracking(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if let Some(value) = labels.get_mut(order.key)
        && let Some(text) = value.as_str()
    {
        *value = names::suffixed(text, order.revision).into();
    }
    labels.insert("app.kubernetes.io/managed-by".into(), "serin".into());
    own_labels(&mut labels, order);
    let mut metadata = Map::new();
    metadata.insert("name".into(), names::candidate(workload, order.revision).into());
    metadata.insert("namespace".into(), text(original, "/metadata/namespace").into());
    metadata.insert("labels".into(), labels.into());
    metadata.insert("annotations".into(), json!({ names::STAMP: order.stamp }));
    metadata
}

/// Labels by which a GitOps tool, `kubectl apply --prune` or Helm knows what it may prune, and Serin's own.
fn is_tracking(key: &str) -> bool {
    const PREFIXES: [&str; 8] = [
        "argocd.argoproj.io/",
        "kustomize.toolkit.fluxcd.io/",
        "helm.toolkit.fluxcd.io/",
        "fluxcd.controlplane.io/",
        "objectset.rio.cattle.io/",
        "kapp.k14s.io/",
        "applyset.kubernetes.io/",
        "serin.dev/",
    ];
    // Argo CD's default mark of what belongs to an application, and Helm's of what to a release.
    const KEYS: [&str; 3] = [
        "app.kubernetes.io/instance",
        "app.kubernetes.io/managed-by",
        "helm.sh/chart",
    ];
    KEYS.contains(&key) || PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

#[cfg(test)]
mod tests;

//! The ReplicaSet controller: makes and removes pods, counts them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::api_server::request::Part;
use crate::world::api_server::resources;
use crate::world::json::{self, put};
use crate::world::object::{condition, holds, later, owner_reference, replicas, set_counts};
use crate::world::state::State;

/// The node on which all pods run.
pub(in crate::world) const NODE: &str = "node-1";

/// One round for every ReplicaSet.
pub(super) fn sync(state: &mut State, now: Timestamp) {
    for set in state.objects(resources::plural("apps", "replicasets"), "") {
        let mut active: Vec<Value> = state
            .controlled(resources::plural("", "pods"), &set)
            .iter()
            .filter(|pod| !json::deleting(pod))
            .map(|pod| Value::clone(pod))
            .collect();
        if !json::deleting(&set) {
            let wanted = replicas(&set).max(0) as usize;
            for _ in active.len()..wanted {
                active.extend(state.launch(now, resources::plural("", "pods"), pod(&set)));
            }
            if active.len() > wanted {
                // The unready go first, then the youngest.
                let born = |pod: &Value| state.cluster.born.get(json::uid(pod)).copied().unwrap_or(now);
                active.sort_by_key(|pod| (!holds(pod, "Ready"), born(pod)));
                for surplus in active.split_off(wanted) {
                    state.discard(now, resources::plural("", "pods"), &surplus, &json!({}));
                }
            }
        }
        write_status(state, now, &set, &active);
    }
}

fn pod(set: &Value) -> Value {
    let mut pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "generateName": format!("{}-", json::name(set)), "namespace": json::namespace(set),
            "labels": set["spec"]["template"]["metadata"]["labels"],
            "ownerReferences": [owner_reference(set)],
        },
        "spec": set["spec"]["template"]["spec"],
    });
    if let Some(annotations) = set.pointer("/spec/template/metadata/annotations") {
        put(&mut pod, &["metadata", "annotations"], annotations.clone());
    }
    // No scheduler: there is one node, and it has room.
    put(&mut pod, &["spec", "nodeName"], NODE.into());
    pod
}

fn write_status(state: &mut State, now: Timestamp, set: &Value, active: &[Value]) {
    let least = json::int(set, "/spec/minReadySeconds").unwrap_or(0).max(0) as u64;
    let ready: Vec<&Value> = active.iter().filter(|pod| holds(pod, "Ready")).collect();
    let mut available = 0;
    for pod in &ready {
        let since = condition(pod, "Ready").and_then(|c| json::time(c, "/lastTransitionTime"));
        let at = later(since.unwrap_or(now), Duration::from_secs(least));
        if at <= now {
            available += 1;
        } else {
            state.cluster.wake_at(at);
        }
    }
    let mut object = set.clone();
    let (total, ready) = (size(active.len()), size(ready.len()));
    put(&mut object, &["status", "replicas"], total.into());
    set_counts(
        &mut object,
        &[
            ("fullyLabeledReplicas", total),
            ("readyReplicas", ready),
            ("availableReplicas", available),
        ],
    );
    put(
        &mut object,
        &["status", "observedGeneration"],
        json::generation(set).into(),
    );
    if object["status"] != set["status"] {
        state.control(
            now,
            resources::plural("apps", "replicasets"),
            Part::Status,
            &object,
        );
    }
}

fn size(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

//! Who serves, and since when.
//!
//! A pod's warm-up counts from its *first* readiness, when requests begin to reach it: `startTime` lies before its images
//! are pulled and its process starts. Each failed probe and each crash resets the transition time of `Ready`, so that is the
//! first readiness only of a pod that never restarted, and that we have not seen ready before.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pods;
use super::routes::{arms, stable_ports};
use crate::cluster::snapshot::Snapshot;
use crate::engine::{Moment, Revision};
use crate::render::json::{conditions, label, list, number, text};
use crate::render::names;

/// A candidate pod that is ready and whose containers have run without a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Its uid.
    pub uid: String,
    /// When it was made.
    pub created: Moment,
    /// Since when it has been ready.
    pub ready: Moment,
}

/// The candidate pods of `revision` that may be young. One that has crashed is not among them: a crash must not buy
/// leniency.
pub fn newcomers(snapshot: &Snapshot, revision: &Revision) -> Vec<Newcomer> {
    let ours = |pod: &&Value| label(pod, names::REVISION) == Some(revision.as_str());
    let pods = snapshot.candidate_pods.iter().filter(ours);
    pods.filter(|pod| !restarted(pod)).filter_map(newcomer).collect()
}

/// The ready endpoints of a Service that requests can reach, each pod once however many address families it has. Pods
/// without a port that the Service asks for by name are ready in its slices all the same, and no gateway finds them there.
pub fn endpoints<'a>(snapshot: &'a Snapshot, service: &str) -> BTreeSet<&'a str> {
    let ports = Ports::of(snapshot, service);
    ready(slices(snapshot, service).filter(|slice| ports.missing(slice).is_none()))
}

/// What is said where all ready pods of a Service lack one of its ports; `None`: it is not so.
pub fn portless(snapshot: &Snapshot, service: &str) -> Option<String> {
    if !endpoints(snapshot, service).is_empty() || ready(slices(snapshot, service)).is_empty() {
        return None;
    }
    let ports = Ports::of(snapshot, service);
    let port = slices(snapshot, service).find_map(|slice| ports.missing(slice))?;
    let target = port.get("targetPort").and_then(Value::as_str);
    Some(format!(
        "no pod behind Service {}/{service} has a container port named `{}`, which its port {} asks for as `targetPort`: \
         name it so in the pod template, or correct the Service it is copied from",
        snapshot.namespace,
        target.unwrap_or_else(|| text(port, "/name")),
        port["port"]
    ))
}

/// The ports of a Service that pods must have: those that routes name and pods that serve have. Where there are none of
/// these, and for those pods themselves, any one: a route may have been given a port that only a newer version opens.
struct Ports<'a> {
    named: Vec<&'a Value>,
    any: bool,
}

impl<'a> Ports<'a> {
    fn of(snapshot: &'a Snapshot, service: &str) -> Self {
        let all = snapshot.service.iter().chain(&snapshot.candidate_services);
        let object = all.into_iter().find(|it| text(it, "/metadata/name") == service);
        let ports = object.map_or(&[][..], |object| list(object, "/spec/ports"));
        let routed = stable_ports(snapshot);
        // The same number may be there once more for QUIC, which no HTTPRoute asks for.
        let asked = |port: &&Value| {
            text(port, "/protocol") != "UDP"
                && number(port, "/port")
                    .is_some_and(|it| routed.iter().any(|routed| u32::from(*routed) == it))
        };
        let named: Vec<&Value> = ports.iter().filter(asked).collect();
        let named = if named.is_empty() {
            ports.iter().collect()
        } else {
            named
        };
        let stable = arms(&snapshot.rollout).stable;
        let serves = |port: &&Value| slices(snapshot, stable).any(|slice| has(slice, port));
        let served: Vec<&Value> = named.iter().copied().filter(serves).collect();
        let any = service == stable || routed.is_empty() || served.is_empty();
        Self {
            named: if any { named } else { served },
            any,
        }
    }

    /// The first port that the pods of a slice do not have, and must.
    fn missing(&self, slice: &Value) -> Option<&'a Value> {
        let lacks = |port: &&Value| !has(slice, port);
        let mut lacking = self.named.iter().copied().filter(lacks);
        let first = lacking.next()?;
        (!self.any || lacking.count() + 1 == self.named.len()).then_some(first)
    }
}

/// Whether the pods of a slice have a port of this name.
fn has(slice: &Value, port: &Value) -> bool {
    list(slice, "/ports")
        .iter()
        .any(|it| text(it, "/name") == text(port, "/name"))
}

fn slices<'a>(snapshot: &'a Snapshot, service: &str) -> impl Iterator<Item = &'a Value> {
    let of = move |slice: &&Value| label(slice, "kubernetes.io/service-name") == Some(service);
    snapshot.endpoint_slices.iter().filter(of)
}

fn ready<'a>(slices: impl Iterator<Item = &'a Value>) -> BTreeSet<&'a str> {
    let mut ready = BTreeSet::new();
    for slice in slices {
        for endpoint in list(slice, "/endpoints") {
            if endpoint
                .pointer("/conditions/ready")
                .and_then(Value::as_bool)
                .unwrap_or(true)
            {
                let pod = endpoint.pointer("/targetRef/name").and_then(Value::as_str);
                let address = endpoint.pointer("/addresses/0").and_then(Value::as_str);
                ready.insert(pod.or(address).unwrap_or_default());
            }
        }
    }
    ready
}

fn newcomer(pod: &Value) -> Option<Newcomer> {
    let ready = conditions(pod)
        .find(|condition| text(condition, "/type") == "Ready" && text(condition, "/status") == "True")?;
    Some(Newcomer {
        uid: text(pod, "/metadata/uid").to_owned(),
        created: text(pod, "/metadata/creationTimestamp").parse().ok()?,
        ready: text(ready, "/lastTransitionTime").parse().ok()?,
    })
}

fn restarted(pod: &Value) -> bool {
    let mut statuses = pods::lasting(pod);
    statuses.any(|status| number(status, "/restartCount").unwrap_or(0) > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(name: &str, revision: &str, ready: &str, restarts: u32) -> Value {
        json!({
            "metadata": {
                "name": name, "uid": format!("uid-{name}"), "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {names::REVISION: revision},
            },
            "status": {
                "startTime": "2026-01-01T00:00:01Z",
                "conditions": [
                    {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-01-01T00:00:40Z"},
                    {"type": "Ready", "status": ready, "lastTransitionTime": "2026-01-01T00:00:42Z"},
                ],
                "containerStatuses": [{"name": "app", "restartCount": 0}, {"name": "proxy", "restartCount": restarts}],
            },
        })
    }

    #[test]
    fn a_pod_is_young_from_readiness_on_and_never_after_a_crash() {
        let snapshot = Snapshot {
            candidate_pods: vec![
                pod("a", "v2", "True", 0),
                pod("crashed", "v2", "True", 1),
                pod("starting", "v2", "False", 0),
                pod("other", "v1", "True", 0),
                json!({"metadata": {"labels": {names::REVISION: "v2"}}}),
            ],
            ..Snapshot::default()
        };
        let newcomer = Newcomer {
            uid: "uid-a".into(),
            created: "2026-01-01T00:00:00Z".parse().unwrap(),
            ready: "2026-01-01T00:00:42Z".parse().unwrap(),
        };
        assert_eq!(newcomers(&snapshot, &Revision::named("v2")), [newcomer]);
    }
}

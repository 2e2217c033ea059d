//! The EndpointSlice controller: one slice for each Service with a selector.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::controllers::{controller, holds, owner_reference};
use super::json::{self, put, text};
use super::request::Part;
use super::resources;
use super::selector;
use super::state::State;

const SERVICE: &str = "kubernetes.io/service-name";

/// One round for every Service.
pub(super) fn sync(state: &mut State, now: Timestamp) {
    let slices = resources::plural("discovery.k8s.io", "endpointslices");
    for service in state.objects(resources::plural("", "services"), "") {
        let wanted = json::map(&service, "/spec/selector");
        if wanted.is_none_or(serde_json::Map::is_empty) || json::deleting(&service) {
            continue;
        }
        let pods: Vec<_> = state
            .objects(resources::plural("", "pods"), json::namespace(&service))
            .into_iter()
            .filter(|pod| selector::equals(wanted, json::map(pod, "/metadata/labels")))
            .filter(|pod| !text(pod, "/status/podIP").is_empty())
            .collect();
        let endpoints: Vec<Value> = pods.iter().map(|pod| endpoint(pod)).collect();
        let ports = ports(&service, pods.first().map(AsRef::as_ref));
        let existing = state
            .objects(slices, json::namespace(&service))
            .into_iter()
            .find(|slice| controller(slice) == Some(json::uid(&service)));
        if let Some(slice) = existing {
            let mut object = Value::clone(&slice);
            put(&mut object, &["endpoints"], endpoints.into());
            put(&mut object, &["ports"], ports.into());
            if object != *slice {
                state.control(now, slices, Part::Main, &object);
            }
        } else {
            let slice = json!({
                "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {
                    "generateName": format!("{}-", json::name(&service)),
                    "namespace": json::namespace(&service),
                    "labels": {
                        SERVICE: json::name(&service),
                        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
                    },
                    "ownerReferences": [owner_reference(&service)],
                },
                "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
            });
            state.launch(now, slices, slice);
        }
    }
}

fn endpoint(pod: &Value) -> Value {
    let (ready, terminating) = (holds(pod, "Ready"), json::deleting(pod));
    json!({
        "addresses": [text(pod, "/status/podIP")],
        "conditions": {"ready": ready && !terminating, "serving": ready, "terminating": terminating},
        "nodeName": text(pod, "/spec/nodeName"),
        "targetRef": {
            "kind": "Pod", "name": json::name(pod), "namespace": json::namespace(pod), "uid": json::uid(pod),
        },
    })
}

/// The Service's ports as its pods listen on them.
fn ports(service: &Value, pod: Option<&Value>) -> Vec<Value> {
    json::items(service, "/spec/ports")
        .iter()
        .map(|port| {
            let mut out = json!({
                "name": text(port, "/name"), "protocol": text(port, "/protocol"),
                "port": target_port(port, pod),
            });
            if let Some(protocol) = port.get("appProtocol") {
                out["appProtocol"] = protocol.clone();
            }
            out
        })
        .collect()
}

fn target_port(port: &Value, pod: Option<&Value>) -> Value {
    let Some(name) = port["targetPort"].as_str() else {
        return port["targetPort"].clone();
    };
    pod.into_iter()
        .flat_map(|pod| json::items(pod, "/spec/containers"))
        .flat_map(|container| json::items(container, "/ports"))
        .find(|own| text(own, "/name") == name)
        .map_or_else(|| port["port"].clone(), |own| own["containerPort"].clone())
}

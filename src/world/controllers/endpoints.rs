//! The EndpointSlice controller: slices for each Service with a selector.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::api_server::request::Part;
use crate::world::api_server::resources;
use crate::world::api_server::selector;
use crate::world::json::{self, put, text};
use crate::world::object::{controller, holds, owner_reference};
use crate::world::state::State;

const SERVICE: &str = "kubernetes.io/service-name";

/// One round for every Service.
pub(super) fn sync(state: &mut State, now: Timestamp) {
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
        let mut groups: Vec<(Vec<Value>, Vec<Value>)> = Vec::new();
        for pod in &pods {
            let ports = ports(&service, pod);
            match groups.iter_mut().find(|group| group.0 == ports) {
                Some(group) => group.1.push(endpoint(pod)),
                None => groups.push((ports, vec![endpoint(pod)])),
            }
        }
        publish(state, now, &service, groups);
    }
}

/// Writes one slice for each set of ports that pods listen on: a pod without a port of the name that the Service asks for
/// is in a slice that lacks the port, and is ready there all the same. A Service without pods keeps an empty slice.
fn publish(state: &mut State, now: Timestamp, service: &Value, groups: Vec<(Vec<Value>, Vec<Value>)>) {
    let slices = resources::plural("discovery.k8s.io", "endpointslices");
    let mut existing = state.objects(slices, json::namespace(service));
    existing.retain(|slice| controller(slice) == Some(json::uid(service)));
    if groups.is_empty() {
        let mut rest = existing.into_iter();
        match rest.next() {
            Some(slice) => write(state, now, &slice, (slice["ports"].clone(), Vec::new())),
            None => create(state, now, service, (Vec::new(), Vec::new())),
        }
        rest.for_each(|slice| state.discard(now, slices, &slice, &json!({})));
        return;
    }
    let mut fresh = Vec::new();
    for (ports, endpoints) in groups {
        let same = |slice: &Arc<Value>| json::items(slice, "/ports") == ports;
        match existing.iter().position(same) {
            Some(at) => write(state, now, &existing.remove(at), (ports.into(), endpoints)),
            None => fresh.push((ports, endpoints)),
        }
    }
    // What is left is written over, as far as it goes.
    for (ports, endpoints) in fresh {
        match existing.pop() {
            Some(slice) => write(state, now, &slice, (ports.into(), endpoints)),
            None => create(state, now, service, (ports, endpoints)),
        }
    }
    for slice in existing {
        state.discard(now, slices, &slice, &json!({}));
    }
}

fn write(state: &mut State, now: Timestamp, slice: &Value, (ports, endpoints): (Value, Vec<Value>)) {
    let mut object = slice.clone();
    put(&mut object, &["endpoints"], endpoints.into());
    put(&mut object, &["ports"], ports);
    if object != *slice {
        let slices = resources::plural("discovery.k8s.io", "endpointslices");
        state.control(now, slices, Part::Main, &object);
    }
}

fn create(state: &mut State, now: Timestamp, service: &Value, (ports, endpoints): (Vec<Value>, Vec<Value>)) {
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "generateName": format!("{}-", json::name(service)),
            "namespace": json::namespace(service),
            "labels": {
                SERVICE: json::name(service),
                "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4", "endpoints": endpoints, "ports": ports,
    });
    state.launch(
        now,
        resources::plural("discovery.k8s.io", "endpointslices"),
        slice,
    );
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

/// The Service's ports as a pod listens on them. One that it does not name is not there.
fn ports(service: &Value, pod: &Value) -> Vec<Value> {
    json::items(service, "/spec/ports")
        .iter()
        .filter_map(|port| {
            let mut out = json!({
                "name": text(port, "/name"), "protocol": text(port, "/protocol"),
                "port": target_port(port, pod)?,
            });
            if let Some(protocol) = port.get("appProtocol") {
                out["appProtocol"] = protocol.clone();
            }
            Some(out)
        })
        .collect()
}

fn target_port(port: &Value, pod: &Value) -> Option<Value> {
    let Some(name) = port["targetPort"].as_str() else {
        return Some(port["targetPort"].clone());
    };
    json::items(pod, "/spec/containers")
        .iter()
        .flat_map(|container| json::items(container, "/ports"))
        .find(|own| text(own, "/name") == name)
        .map(|own| own["containerPort"].clone())
}

//! The candidate's Service: what a gateway needs of the stable one, and nothing that names an address.

use serde_json::{Map, Value, json};

use super::template::Suffix;
use super::{Order, metadata};
use crate::engine::observation::Problem;
use crate::engine::reason::UNSUPPORTED_SERVICE;
use crate::render::json::{list, map, text, title};
use crate::render::names;

/// Fields of the spec that the copy shares.
const SPEC: [&str; 6] = [
    "sessionAffinity",
    "sessionAffinityConfig",
    "internalTrafficPolicy",
    "trafficDistribution",
    "ipFamilyPolicy",
    "ipFamilies",
];
/// Fields of a port that the copy shares; a node port belongs to one Service.
const PORT: [&str; 5] = ["name", "protocol", "port", "targetPort", "appProtocol"];
/// Annotations that say how to speak to the pods. All others may order a load balancer or a DNS name.
const ANNOTATIONS: [&str; 7] = [
    "projectcontour.io/",
    "traefik.ingress.kubernetes.io/service.",
    "service.kubernetes.io/topology-mode",
    "service.kubernetes.io/topology-aware-hints",
    "konghq.com/protocol",
    "cloud.google.com/app-protocols",
    "haproxy.org/",
];

/// Checks that traffic of this Service can be divided at all.
///
/// # Errors
/// It is an ExternalName, or selects no pods.
pub fn usable(service: &Value) -> Result<(), Problem> {
    let problem = |what: &str| {
        Err(Problem {
            reason: UNSUPPORTED_SERVICE,
            message: format!(
                "{} {what}: name a Service that selects the Deployment's pods in spec.traffic.service",
                title(service)
            ),
        })
    };
    if text(service, "/spec/type") == "ExternalName" {
        return problem("is an ExternalName");
    }
    if map(service, "/spec/selector").is_none_or(Map::is_empty) {
        return problem("has no selector");
    }
    if list(service, "/spec/ports").is_empty() {
        return problem("has no port");
    }
    Ok(())
}

/// The candidate's Service, a copy of the stable one.
///
/// # Errors
/// The stable one cannot be divided: [`usable`].
pub fn service(stable: &Value, order: &Order<'_>) -> Result<Value, Problem> {
    usable(stable)?;
    let mut spec = Map::new();
    for field in SPEC {
        if let Some(value) = stable["spec"].get(field) {
            spec.insert(field.into(), value.clone());
        }
    }
    spec.insert("type".into(), "ClusterIP".into());
    if text(stable, "/spec/clusterIP") == "None" {
        spec.insert("clusterIP".into(), "None".into());
    }
    let mut selector = stable["spec"]["selector"].clone();
    let own = text(&selector, &format!("/{}", crate::render::json::escape(order.key))).to_owned();
    let suffixed = names::suffixed(&own, order.revision);
    let change = Suffix {
        key: order.key,
        own: &own,
        suffixed: &suffixed,
    };
    change.labels(&mut selector);
    spec.insert("selector".into(), selector);
    let ports: Vec<Value> = list(stable, "/spec/ports").iter().map(port).collect();
    spec.insert("ports".into(), ports.into());
    let mut metadata = metadata(stable, order);
    let kept = map(stable, "/metadata/annotations")
        .into_iter()
        .flatten()
        .filter(|(key, _)| ANNOTATIONS.iter().any(|allowed| key.starts_with(allowed)));
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
    }
    Ok(json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec}))
}

fn port(port: &Value) -> Value {
    let fields = PORT
        .iter()
        .filter_map(|field| Some(((*field).to_owned(), port.get(field)?.clone())));
    Value::Object(fields.collect())
}

//! The defaults that the server writes into built-in kinds, and the normal form in which it stores them.

use serde_json::{Value, json};

use super::resources::{self, Resource};
use super::store::Store;
use crate::world::json::{self, cut, default_to, int, items, put, text};

/// Brings an object into the form in which the server stores it.
pub(super) fn apply(resource: &Resource, object: &mut Value, old: Option<&Value>) {
    if !resource.custom || resource.group != "serin.dev" {
        drop_nulls(object);
    }
    drop_empty(object, "metadata");
    match resource.plural {
        "deployments" => deployment(object),
        "replicasets" => {
            default_to(object, &["spec", "replicas"], 1.into());
            template(object);
            default_to(object, &["status"], json!({"replicas": 0}));
        }
        "pods" => {
            if let Some(spec) = object.get_mut("spec") {
                pod_spec(spec);
            }
            default_to(
                object,
                &["status"],
                json!({"phase": "Pending", "qosClass": "BestEffort"}),
            );
        }
        "services" => service(object, old),
        "namespaces" => {
            let name = json::name(object).to_owned();
            default_to(
                object,
                &["metadata", "labels", "kubernetes.io/metadata.name"],
                name.into(),
            );
            default_to(object, &["spec", "finalizers"], json!(["kubernetes"]));
            default_to(object, &["status", "phase"], "Active".into());
        }
        "httproutes" => http_route(object),
        "horizontalpodautoscalers" => autoscaler(object),
        "poddisruptionbudgets" => {
            for field in [
                "currentHealthy",
                "desiredHealthy",
                "disruptionsAllowed",
                "expectedPods",
            ] {
                default_to(object, &["status", field], 0.into());
            }
        }
        "events" => default_to(object, &["deprecatedSource"], json!({})),
        "secrets" => default_to(object, &["type"], "Opaque".into()),
        _ => {}
    }
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            fields.values_mut().for_each(drop_nulls);
        }
        Value::Array(list) => list.iter_mut().for_each(drop_nulls),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Empty maps and lists of metadata are not stored.
fn drop_empty(object: &mut Value, field: &str) {
    if let Some(metadata) = object.get_mut(field).and_then(Value::as_object_mut) {
        metadata.retain(|_, value| match value {
            Value::Object(fields) => !fields.is_empty(),
            Value::Array(list) => !list.is_empty(),
            Value::Null => false,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        });
    }
}

fn deployment(object: &mut Value) {
    default_to(object, &["spec", "replicas"], 1.into());
    default_to(object, &["spec", "revisionHistoryLimit"], 10.into());
    default_to(object, &["spec", "progressDeadlineSeconds"], 600.into());
    default_to(object, &["spec", "strategy", "type"], "RollingUpdate".into());
    if text(object, "/spec/strategy/type") == "RollingUpdate" {
        default_to(
            object,
            &["spec", "strategy", "rollingUpdate", "maxSurge"],
            "25%".into(),
        );
        default_to(
            object,
            &["spec", "strategy", "rollingUpdate", "maxUnavailable"],
            "25%".into(),
        );
    }
    if object.pointer("/spec/paused") == Some(&Value::Bool(false)) {
        cut(object, &["spec", "paused"]);
    }
    if int(object, "/spec/minReadySeconds") == Some(0) {
        cut(object, &["spec", "minReadySeconds"]);
    }
    template(object);
    default_to(object, &["status"], json!({}));
}

fn template(object: &mut Value) {
    if let Some(template) = object.pointer_mut("/spec/template") {
        drop_empty(template, "metadata");
        if let Some(spec) = template.get_mut("spec") {
            pod_spec(spec);
        }
    }
}

fn pod_spec(spec: &mut Value) {
    default_to(spec, &["restartPolicy"], "Always".into());
    default_to(spec, &["dnsPolicy"], "ClusterFirst".into());
    default_to(spec, &["schedulerName"], "default-scheduler".into());
    default_to(spec, &["terminationGracePeriodSeconds"], 30.into());
    default_to(spec, &["securityContext"], json!({}));
    for list in ["containers", "initContainers"] {
        if let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) {
            containers.iter_mut().for_each(container);
        }
    }
}

fn container(container: &mut Value) {
    let image = text(container, "/image").to_owned();
    let tag = image
        .rsplit('/')
        .next()
        .and_then(|last| last.split_once(':'))
        .map_or("", |(_, tag)| tag);
    let latest = (tag.is_empty() || tag == "latest") && !image.contains('@');
    default_to(
        container,
        &["imagePullPolicy"],
        if latest { "Always" } else { "IfNotPresent" }.into(),
    );
    default_to(
        container,
        &["terminationMessagePath"],
        "/dev/termination-log".into(),
    );
    default_to(container, &["terminationMessagePolicy"], "File".into());
    default_to(container, &["resources"], json!({}));
    for port in container
        .get_mut("ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        default_to(port, &["protocol"], "TCP".into());
    }
    for probe in ["readinessProbe", "livenessProbe", "startupProbe"] {
        let Some(probe) = container.get_mut(probe) else {
            continue;
        };
        for (field, value) in [
            ("timeoutSeconds", 1),
            ("periodSeconds", 10),
            ("successThreshold", 1),
            ("failureThreshold", 3),
        ] {
            default_to(probe, &[field], value.into());
        }
        if probe.get("httpGet").is_some() {
            default_to(probe, &["httpGet", "scheme"], "HTTP".into());
        }
    }
    for kind in ["requests", "limits"] {
        let amounts = container
            .pointer_mut(&format!("/resources/{kind}"))
            .and_then(Value::as_object_mut);
        amounts
            .into_iter()
            .flat_map(|map| map.values_mut())
            .for_each(quantity);
    }
}

/// `1000m` and `1` are one quantity, stored as `1`.
fn quantity(amount: &mut Value) {
    if let Some(number) = amount.as_i64() {
        *amount = number.to_string().into();
    }
    let thousandths = amount
        .as_str()
        .and_then(|a| a.strip_suffix('m'))
        .and_then(|a| a.parse::<u64>().ok());
    if let Some(whole) = thousandths.filter(|n| n % 1000 == 0) {
        *amount = (whole / 1000).to_string().into();
    }
}

fn service(object: &mut Value, old: Option<&Value>) {
    default_to(object, &["spec", "type"], "ClusterIP".into());
    default_to(object, &["spec", "sessionAffinity"], "None".into());
    for port in object
        .pointer_mut("/spec/ports")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        default_to(port, &["protocol"], "TCP".into());
        let number = port["port"].clone();
        default_to(port, &["targetPort"], number);
    }
    if text(object, "/spec/type") != "ExternalName" {
        default_to(object, &["spec", "internalTrafficPolicy"], "Cluster".into());
    }
    for field in ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] {
        if let Some(kept) = old.and_then(|old| old["spec"].get(field)) {
            default_to(object, &["spec", field], kept.clone());
        }
    }
    default_to(object, &["status", "loadBalancer"], json!({}));
}

/// Gives a new Service its address.
pub(super) fn allot(resource: &Resource, object: &mut Value, store: &Store) {
    if resource.plural != "services" || text(object, "/spec/type") == "ExternalName" {
        return;
    }
    let ip = match text(object, "/spec/clusterIP") {
        "" => free_address(store),
        given => given.to_owned(),
    };
    default_to(object, &["spec", "clusterIPs"], json!([ip]));
    default_to(object, &["spec", "clusterIP"], ip.into());
    default_to(object, &["spec", "ipFamilies"], json!(["IPv4"]));
    default_to(object, &["spec", "ipFamilyPolicy"], "SingleStack".into());
}

/// The first cluster address that no Service has.
fn free_address(store: &Store) -> String {
    let services = resources::plural("", "services");
    (2..=u16::MAX)
        .map(|n| format!("10.96.{}.{}", n >> 8, n & 255))
        .find(|ip| {
            store
                .list(services, "")
                .all(|service| text(service, "/spec/clusterIP") != ip)
        })
        .unwrap_or_default()
}

fn http_route(object: &mut Value) {
    for parent in object
        .pointer_mut("/spec/parentRefs")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        default_to(parent, &["group"], "gateway.networking.k8s.io".into());
        default_to(parent, &["kind"], "Gateway".into());
    }
    default_to(object, &["spec", "rules"], json!([{}]));
    for rule in object
        .pointer_mut("/spec/rules")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        default_to(
            rule,
            &["matches"],
            json!([{"path": {"type": "PathPrefix", "value": "/"}}]),
        );
        if items(rule, "/matches").is_empty() {
            put(rule, &["matches"], json!([]));
        }
        for request in rule
            .get_mut("matches")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            default_to(request, &["path"], json!({"type": "PathPrefix", "value": "/"}));
            default_to(request, &["path", "type"], "PathPrefix".into());
            default_to(request, &["path", "value"], "/".into());
            for header in request
                .get_mut("headers")
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
            {
                default_to(header, &["type"], "Exact".into());
            }
        }
        for backend in rule
            .get_mut("backendRefs")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            default_to(backend, &["group"], "".into());
            default_to(backend, &["kind"], "Service".into());
            default_to(backend, &["weight"], 1.into());
        }
    }
}

fn autoscaler(object: &mut Value) {
    default_to(object, &["spec", "minReplicas"], 1.into());
    if object.pointer("/spec/behavior").is_some() {
        let all = json!({"type": "Percent", "value": 100, "periodSeconds": 15});
        let four = json!({"type": "Pods", "value": 4, "periodSeconds": 15});
        default_to(
            object,
            &["spec", "behavior", "scaleUp", "stabilizationWindowSeconds"],
            0.into(),
        );
        default_to(
            object,
            &["spec", "behavior", "scaleUp", "selectPolicy"],
            "Max".into(),
        );
        default_to(
            object,
            &["spec", "behavior", "scaleUp", "policies"],
            json!([four, all]),
        );
        default_to(
            object,
            &["spec", "behavior", "scaleDown", "selectPolicy"],
            "Max".into(),
        );
        default_to(
            object,
            &["spec", "behavior", "scaleDown", "policies"],
            json!([all]),
        );
    }
    default_to(object, &["status", "desiredReplicas"], 0.into());
    default_to(object, &["status", "currentMetrics"], Value::Null);
}

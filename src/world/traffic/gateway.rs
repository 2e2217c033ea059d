//! The gateway: accepts HTTPRoutes after a delay, and routes by their weights after another.
//!
//! It behaves as Contour does: a backend whose Service is missing is left out and its share goes to the others.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::api_server::request::Part;
use crate::world::api_server::resources;
use crate::world::json::{self, put, text};
use crate::world::object::later;
use crate::world::state::State;
use crate::world::traffic::counters::cluster_name;

const GROUP: &str = "gateway.networking.k8s.io";

/// A backend in force.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::world) struct Backend {
    pub(in crate::world) namespace: String,
    pub(in crate::world) service: String,
    pub(in crate::world) port: i64,
    pub(in crate::world) weight: f64,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::world) struct Rule {
    /// Whether a request without special headers, method or query meets it.
    pub(in crate::world) open: bool,
    pub(in crate::world) backends: Vec<Backend>,
}

/// Namespace and name of a route.
pub(in crate::world) type RouteName = (String, String);

/// What the gateway knows.
#[derive(Debug)]
pub(in crate::world) struct Gateway {
    /// From a route's change to its status.
    pub(in crate::world) accept_after: Duration,
    /// From a route's change to its effect.
    pub(in crate::world) propagate_after: Duration,
    /// What was counted of a backend is dropped while its weight is 0, and begins again at 0.
    pub(in crate::world) forgets_idle: bool,
    /// Routes that are not accepted, and why.
    pub(in crate::world) rejected: BTreeMap<RouteName, String>,
    /// Routes are accepted, and do not come into force.
    pub(in crate::world) frozen: bool,
    /// When each route's generation (with its uid) was first seen.
    seen: BTreeMap<RouteName, (String, i64, Timestamp)>,
    /// The rules in force.
    pub(in crate::world) planes: BTreeMap<RouteName, Vec<Rule>>,
}

impl Gateway {
    pub(in crate::world) fn new() -> Self {
        Self {
            accept_after: Duration::from_millis(30),
            propagate_after: Duration::from_millis(300),
            forgets_idle: false,
            rejected: BTreeMap::new(),
            frozen: false,
            seen: BTreeMap::new(),
            planes: BTreeMap::new(),
        }
    }
}

/// One round for every route.
pub(in crate::world) fn sync(state: &mut State, now: Timestamp) {
    let routes = state.objects(resources::plural(GROUP, "httproutes"), "");
    let names: Vec<RouteName> = routes.iter().map(|route| place(route)).collect();
    state.gateway.seen.retain(|name, _| names.contains(name));
    state.gateway.planes.retain(|name, _| names.contains(name));
    for (name, route) in names.into_iter().zip(routes) {
        let version = (json::uid(&route).to_owned(), json::generation(&route));
        let entry = state
            .gateway
            .seen
            .entry(name.clone())
            .or_insert((String::new(), 0, now));
        if (entry.0.as_str(), entry.1) != (version.0.as_str(), version.1) {
            *entry = (version.0, version.1, now);
        }
        let since = entry.2;
        let (accept, effect) = (
            later(since, state.gateway.accept_after),
            later(since, state.gateway.propagate_after),
        );
        for at in [accept, effect] {
            if at > now {
                state.cluster.wake_at(at);
            }
        }
        if accept <= now {
            write_status(state, now, &route);
        }
        if effect <= now && !state.gateway.frozen && !state.gateway.rejected.contains_key(&name) {
            let rules = json::items(&route, "/spec/rules");
            let rules: Vec<Rule> = rules.iter().map(|rule| read_rule(&name.0, rule)).collect();
            if state.gateway.forgets_idle {
                let backends = rules.iter().flat_map(|rule| &rule.backends);
                for idle in backends.filter(|backend| backend.weight <= 0.0) {
                    state.traffic.counters.clusters.remove(&cluster_name(idle));
                }
            }
            state.gateway.planes.insert(name, rules);
        }
    }
}

fn place(object: &Value) -> RouteName {
    (json::namespace(object).to_owned(), json::name(object).to_owned())
}

fn read_rule(namespace: &str, rule: &Value) -> Rule {
    let special = |request: &Value| {
        ["headers", "queryParams", "method"]
            .iter()
            .any(|field| request.get(*field).is_some())
    };
    let matches = json::items(rule, "/matches");
    let backends = json::items(rule, "/backendRefs").iter().map(|backend| Backend {
        namespace: Some(text(backend, "/namespace"))
            .filter(|n| !n.is_empty())
            .unwrap_or(namespace)
            .to_owned(),
        service: json::text(backend, "/name").to_owned(),
        port: json::int(backend, "/port").unwrap_or(0),
        weight: json::int(backend, "/weight").unwrap_or(1) as f64,
    });
    Rule {
        open: matches.is_empty() || !matches.iter().all(special),
        backends: backends.collect(),
    }
}

/// Writes this gateway's entry for each parent that it serves; entries of other controllers stay.
fn write_status(state: &mut State, now: Timestamp, route: &Value) {
    let mut own = Vec::new();
    for parent in json::items(route, "/spec/parentRefs") {
        if let Some(controller) = controller_of(state, json::namespace(route), parent) {
            own.push((parent.clone(), controller));
        }
    }
    let before = json::items(route, "/status/parents");
    let mut parents: Vec<Value> = before
        .iter()
        .filter(|entry| {
            !own.iter()
                .any(|(_, controller)| text(entry, "/controllerName") == controller)
        })
        .cloned()
        .collect();
    let (accepted, resolved) = verdicts(state, route);
    for (parent, controller) in own {
        let old = before
            .iter()
            .find(|entry| entry["parentRef"] == parent && text(entry, "/controllerName") == controller);
        let generation = json::generation(route);
        let conditions = [
            condition(old, now, generation, "Accepted", &accepted),
            condition(old, now, generation, "ResolvedRefs", &resolved),
        ];
        parents.push(json!({"parentRef": parent, "controllerName": controller, "conditions": conditions}));
    }
    let mut object = route.clone();
    put(&mut object, &["status", "parents"], parents.into());
    if object["status"] != route["status"] {
        state.control(now, resources::plural(GROUP, "httproutes"), Part::Status, &object);
    }
}

/// The controller of the gateway that a parent reference names.
fn controller_of(state: &State, namespace: &str, parent: &Value) -> Option<String> {
    let namespace = Some(text(parent, "/namespace"))
        .filter(|n| !n.is_empty())
        .unwrap_or(namespace);
    let gateway = state.store.get(
        resources::plural(GROUP, "gateways"),
        namespace,
        text(parent, "/name"),
    )?;
    let class = text(gateway, "/spec/gatewayClassName");
    let class = state
        .store
        .get(resources::plural(GROUP, "gatewayclasses"), "", class)?;
    Some(text(class, "/spec/controllerName").to_owned())
}

/// Status, reason and message of a condition.
type Verdict = (bool, String, String);

fn verdicts(state: &State, route: &Value) -> (Verdict, Verdict) {
    let accepted = state.gateway.rejected.get(&place(route)).map_or_else(
        || (true, "Accepted".to_owned(), "Accepted HTTPRoute".to_owned()),
        |reason| (false, reason.clone(), format!("route is not accepted: {reason}")),
    );
    let missing = json::items(route, "/spec/rules")
        .iter()
        .flat_map(|rule| read_rule(json::namespace(route), rule).backends)
        .find(|b| {
            state
                .store
                .get(resources::plural("", "services"), &b.namespace, &b.service)
                .is_none()
        });
    let resolved = missing.map_or_else(
        || (true, "ResolvedRefs".to_owned(), "References resolved".to_owned()),
        |b| {
            let message = format!(
                "service {:?} is invalid: service {:?} not found",
                b.service, b.service
            );
            (false, "BackendNotFound".to_owned(), message)
        },
    );
    (accepted, resolved)
}

fn condition(
    old: Option<&Value>,
    now: Timestamp,
    generation: i64,
    kind: &str,
    (holds, reason, message): &Verdict,
) -> Value {
    let status = if *holds { "True" } else { "False" };
    let since = old
        .and_then(|entry| {
            json::items(entry, "/conditions")
                .iter()
                .find(|c| text(c, "/type") == kind)
        })
        .filter(|c| text(c, "/status") == status)
        .map_or_else(|| json::stamp(now), |c| c["lastTransitionTime"].clone());
    json!({
        "type": kind, "status": status, "reason": reason, "message": message,
        "observedGeneration": generation, "lastTransitionTime": since,
    })
}

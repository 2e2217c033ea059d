//! Requests: how many come, whom the gateway gives them to, and how they end.

pub(super) mod counters;
pub(super) mod gateway;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::api_server::resources;
use super::controllers::pods::image_name;
use super::image::{Image, Moment};
use super::json::{self, text};
use super::object::holds;
use super::rng::Rng;
use super::state::State;
use counters::Counters;
use gateway::Backend;

/// Requests per second by the virtual time since the world began.
pub type RequestRate = Arc<dyn Fn(Duration) -> f64 + Send + Sync>;

/// A stream of requests to one HTTPRoute, as clients send it who know nothing of versions.
#[derive(Clone)]
pub struct Load {
    /// Namespace of the route.
    pub namespace: String,
    /// Name of the HTTPRoute.
    pub route: String,
    /// How many requests come.
    pub rate: RequestRate,
}

impl Load {
    /// A constant number of requests per second.
    pub fn constant(namespace: &str, route: &str, per_second: f64) -> Self {
        Self {
            namespace: namespace.into(),
            route: route.into(),
            rate: Arc::new(move |_| per_second),
        }
    }
}

impl fmt::Debug for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Load({}/{})", self.namespace, self.route)
    }
}

/// A fault in something that all versions depend on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outage {
    /// When it begins, in virtual time since the world began.
    pub from: Duration,
    /// When it ends.
    pub until: Duration,
    /// The chance that a request fails because of it, 0 to 1.
    pub rate: f64,
}

/// What clients saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests sent.
    pub requests: u64,
    /// Answers of 500 and above.
    pub failures: u64,
    /// Requests by Service name, with how many of them failed.
    pub backends: BTreeMap<String, (u64, u64)>,
}

/// Everything about requests.
#[derive(Debug)]
pub(super) struct Traffic {
    pub(super) loads: Vec<Load>,
    pub(super) outages: Vec<Outage>,
    pub(super) rng: Rng,
    pub(super) seen: BTreeMap<(String, String), Seen>,
    pub(super) counters: Counters,
}

impl Traffic {
    pub(super) fn new(rng: Rng) -> Self {
        Self {
            loads: Vec::new(),
            outages: Vec::new(),
            rng,
            seen: BTreeMap::new(),
            counters: Counters::default(),
        }
    }
}

/// A pod that takes requests.
struct Target {
    namespace: String,
    name: String,
    image: Image,
    born: Timestamp,
}

/// Sends the requests of the last `length`, which ends at `elapsed`.
pub(super) fn tick(state: &mut State, now: Timestamp, elapsed: Duration, length: Duration) {
    for load in state.traffic.loads.clone() {
        let mean = (load.rate)(elapsed) * length.as_secs_f64();
        let count = state.traffic.rng.poisson(mean);
        if count > 0 {
            send(state, now, elapsed, &load, count);
        }
    }
}

fn send(state: &mut State, now: Timestamp, elapsed: Duration, load: &Load, count: u64) {
    let place = (load.namespace.clone(), load.route.clone());
    let rule = state
        .gateway
        .planes
        .get(&place)
        .and_then(|rules| rules.iter().find(|rule| rule.open));
    let backends: Vec<Backend> = rule
        .into_iter()
        .flat_map(|rule| rule.backends.clone())
        .filter(|b| {
            state
                .store
                .get(resources::plural("", "services"), &b.namespace, &b.service)
                .is_some()
        })
        .collect();
    let weights: Vec<f64> = backends.iter().map(|b| b.weight).collect();
    let total: f64 = weights.iter().sum();
    let parts = state.traffic.rng.split(count, &weights);
    let mut seen = state.traffic.seen.remove(&place).unwrap_or_default();
    seen.requests += count;
    if total <= 0.0 {
        // No route, or nothing behind it: the gateway answers itself.
        seen.failures += count;
    }
    for (backend, part) in backends.iter().zip(parts).filter(|(_, part)| *part > 0) {
        let share = backend.weight / total;
        let failed = serve(state, now, elapsed, backend, part, share);
        let entry = seen.backends.entry(backend.service.clone()).or_default();
        entry.0 += part;
        entry.1 += failed;
        seen.failures += failed;
    }
    state.traffic.seen.insert(place, seen);
}

/// Lets a backend's ready pods answer; returns how many requests failed.
fn serve(
    state: &mut State,
    now: Timestamp,
    elapsed: Duration,
    backend: &Backend,
    count: u64,
    share: f64,
) -> u64 {
    let targets = ready_pods(state, now, backend);
    let traffic = &mut state.traffic;
    let cluster = traffic.counters.cluster(backend);
    if targets.is_empty() {
        cluster.answered(503, count);
        return count;
    }
    let outage = traffic
        .outages
        .iter()
        .filter(|o| (o.from..o.until).contains(&elapsed))
        .fold(1.0, |passes, o| passes * (1.0 - o.rate));
    let mut all_failed = 0;
    for (target, part) in targets
        .iter()
        .zip(traffic.rng.split(count, &vec![1.0; targets.len()]))
    {
        if part == 0 {
            continue;
        }
        let age = now.duration_since(target.born);
        let moment = Moment {
            elapsed,
            pod_age: Duration::try_from(age).unwrap_or_default(),
            share,
        };
        let own = (target.image.errors)(&moment).clamp(0.0, 1.0);
        let failed = traffic.rng.binomial(part, 1.0 - (1.0 - own) * outage);
        let cluster = traffic.counters.cluster(backend);
        for (code, n) in [(200, part - failed), (500, failed)] {
            cluster.answered(code, n);
        }
        cluster.took(&mut traffic.rng, part, &target.image);
        let pod = traffic.counters.pod(&target.namespace, &target.name);
        for (code, n) in [(200, part - failed), (500, failed)] {
            pod.answered(code, n);
        }
        pod.took_in_pod(&mut traffic.rng, part, &target.image);
        all_failed += failed;
    }
    all_failed
}

/// The pods behind a Service's ready endpoints, in name order.
fn ready_pods(state: &State, now: Timestamp, backend: &Backend) -> Vec<Target> {
    let slices = resources::plural("discovery.k8s.io", "endpointslices");
    let pods = resources::plural("", "pods");
    state
        .store
        .list(slices, &backend.namespace)
        .filter(|slice| slice["metadata"]["labels"]["kubernetes.io/service-name"] == backend.service.as_str())
        .filter(|slice| listens(state, slice, backend))
        .flat_map(|slice| json::items(slice, "/endpoints"))
        .filter(|endpoint| json::flag(endpoint, "/conditions/ready"))
        .filter_map(|endpoint| {
            state
                .store
                .get(pods, &backend.namespace, text(endpoint, "/targetRef/name"))
        })
        .filter(|pod| holds(pod, "Ready"))
        .map(|pod| Target {
            namespace: backend.namespace.clone(),
            name: json::name(pod).to_owned(),
            image: state
                .cluster
                .images
                .get(image_name(pod))
                .cloned()
                .unwrap_or_default(),
            born: state.cluster.born.get(json::uid(pod)).copied().unwrap_or(now),
        })
        .collect()
}

/// Whether the pods of a slice have the port that a backend asks for.
fn listens(state: &State, slice: &Value, backend: &Backend) -> bool {
    let services = resources::plural("", "services");
    let service = state.store.get(services, &backend.namespace, &backend.service);
    let port = service.and_then(|service| {
        let ports = json::items(service, "/spec/ports").iter();
        let mut ports = ports.filter(|port| json::int(port, "/port") == Some(backend.port));
        ports.next().map(|port| text(port, "/name").to_owned())
    });
    port.is_some_and(|name| {
        json::items(slice, "/ports")
            .iter()
            .any(|it| text(it, "/name") == name)
    })
}

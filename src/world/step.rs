//! The passing of time: the one task that moves the world.

use std::time::Duration;

use tokio::time::Instant;

use super::image::Image;
use super::prometheus::{MetricFault, Metrics};
use super::traffic::{Load, Outage, Seen};
use super::{World, controllers, prometheus, traffic};

/// How far the world moves at a time.
pub const STEP: Duration = Duration::from_millis(100);

impl World {
    /// Moves the world until the end; spawn it once, or nothing happens in the cluster.
    pub async fn run(self) {
        self.run_with(|_| {}).await;
    }

    /// Like [`World::run`], but calls `pace` with the virtual time after each step. A pace that blocks its thread
    /// slows a world in paused time down to what a person can follow.
    pub async fn run_with(self, mut pace: impl FnMut(Duration) + Send) {
        let mut next = Instant::now() + STEP;
        loop {
            tokio::time::sleep_until(next).await;
            self.step();
            pace(self.elapsed());
            next += STEP;
        }
    }

    /// One step of [`STEP`]: controllers, requests, scrapes.
    fn step(&self) {
        let (now, elapsed) = (self.shared.now(), self.shared.elapsed());
        let mut state = self.shared.lock();
        let before = state.store.version();
        controllers::round(&mut state, now);
        traffic::tick(&mut state, now, elapsed, STEP);
        prometheus::scrape(&mut state, now);
        let changed = state.store.version() != before;
        drop(state);
        if changed {
            self.shared.changed.notify_waiters();
        }
    }

    /// Says how the containers of an image behave from now on. Unknown images are healthy.
    pub fn define_image(&self, name: &str, image: Image) {
        let mut state = self.shared.lock();
        state.cluster.images.insert(name.to_owned(), image);
        state.cluster.wake();
    }

    /// Forces the readiness of one pod, or leaves it to its image again.
    pub fn force_pod(&self, namespace: &str, name: &str, ready: Option<bool>) {
        let mut state = self.shared.lock();
        let place = (namespace.to_owned(), name.to_owned());
        match ready {
            Some(ready) => state.cluster.forced.insert(place, ready),
            None => state.cluster.forced.remove(&place),
        };
        state.cluster.wake();
    }

    /// Sets how long the gateway takes to accept a route, and to act on it.
    pub fn delay_gateway(&self, accept: Duration, propagate: Duration) {
        let mut state = self.shared.lock();
        state.gateway.accept_after = accept;
        state.gateway.propagate_after = propagate;
    }

    /// From now on the gateway drops its counters of a backend while its weight is 0, as Envoy Gateway with merged backends
    /// does.
    pub fn forget_idle_backends(&self) {
        self.shared.lock().gateway.forgets_idle = true;
    }

    /// Cuts the gateway's proxies off: routes are accepted, and what was in force stays in force until they are back.
    pub fn freeze_proxies(&self, frozen: bool) {
        let mut state = self.shared.lock();
        state.gateway.frozen = frozen;
        state.cluster.wake();
    }

    /// Makes the gateway refuse a route for a reason (`Accepted` false, old weights stay in force), or accept it again.
    pub fn reject_route(&self, namespace: &str, name: &str, reason: Option<&str>) {
        let mut state = self.shared.lock();
        let place = (namespace.to_owned(), name.to_owned());
        match reason {
            Some(reason) => state.gateway.rejected.insert(place, reason.to_owned()),
            None => state.gateway.rejected.remove(&place),
        };
        state.cluster.wake();
    }

    /// Adds a stream of requests; it begins at once.
    pub fn add_load(&self, load: Load) {
        self.shared.lock().traffic.loads.push(load);
    }

    /// Adds a fault that hits all versions alike.
    pub fn add_outage(&self, outage: Outage) {
        self.shared.lock().traffic.outages.push(outage);
    }

    /// What the clients of a route saw so far.
    pub fn seen(&self, namespace: &str, route: &str) -> Seen {
        let place = (namespace.to_owned(), route.to_owned());
        self.shared
            .lock()
            .traffic
            .seen
            .get(&place)
            .cloned()
            .unwrap_or_default()
    }

    /// The weights in force in the gateway's data plane: Service name and weight of the rule that requests without
    /// special headers meet.
    pub fn weights_in_force(&self, namespace: &str, route: &str) -> Vec<(String, f64)> {
        let place = (namespace.to_owned(), route.to_owned());
        let state = self.shared.lock();
        let rule = state
            .gateway
            .planes
            .get(&place)
            .and_then(|rules| rules.iter().find(|rule| rule.open));
        rule.into_iter()
            .flat_map(|rule| &rule.backends)
            .map(|b| (b.service.clone(), b.weight))
            .collect()
    }

    /// The metric provider.
    pub fn metrics(&self) -> Metrics {
        Metrics {
            shared: self.shared.clone(),
        }
    }

    /// Sets what is wrong with the metric provider.
    pub fn fault_metrics(&self, fault: MetricFault) {
        self.shared.lock().metrics.fault = fault;
    }
}

//! What the cluster's controllers share: reading owned objects, writing specs and statuses, timers.
//!
//! A round of the controllers runs when something changed or a timer is due; each is a function of the store and the time.

mod deployments;
mod endpoints;
mod gc;
pub(super) mod pods;
pub(super) mod replicasets;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::api_server::request::Part;
use super::api_server::resources::Resource;
use super::api_server::write::Booking;
use super::image::Image;
use super::json::{self, put};
use super::object::controller;
use super::state::State;

use super::traffic::gateway;

const MANAGER: &str = "kube-controller-manager";

/// What the controllers remember between rounds.
#[derive(Debug)]
pub(super) struct Cluster {
    /// How the containers of an image behave.
    pub(super) images: BTreeMap<String, Image>,
    /// Readiness forced on single pods, by namespace and name.
    pub(super) forced: BTreeMap<(String, String), bool>,
    /// When each pod (by uid) was first seen.
    pub(super) born: BTreeMap<String, Timestamp>,
    /// When the deletion of each pod (by uid) was first seen.
    pub(super) dying: BTreeMap<String, Timestamp>,
    /// How long a pod takes to stop.
    pub(super) stop_after: Duration,
    /// Pod addresses given out so far.
    pub(super) addresses: u32,
    /// The version up to which the controllers have seen everything.
    seen: u64,
    /// When something is due though nothing changed.
    timer: Option<Timestamp>,
}

impl Cluster {
    pub(super) fn new() -> Self {
        Self {
            images: BTreeMap::new(),
            forced: BTreeMap::new(),
            born: BTreeMap::new(),
            dying: BTreeMap::new(),
            stop_after: Duration::from_secs(1),
            addresses: 0,
            seen: 0,
            timer: None,
        }
    }

    /// Makes the controllers run at `at`, or sooner.
    pub(super) fn wake_at(&mut self, at: Timestamp) {
        self.timer = Some(self.timer.map_or(at, |timer| timer.min(at)));
    }

    /// Makes the controllers run in the next step.
    pub(super) fn wake(&mut self) {
        self.seen = 0;
    }
}

/// One round of all controllers, when there is a reason for it.
pub(super) fn round(state: &mut State, now: Timestamp) {
    let version = state.store.version();
    let due = state.cluster.timer.is_some_and(|timer| timer <= now);
    if state.cluster.seen == version && !due {
        return;
    }
    state.cluster.seen = version;
    state.cluster.timer = None;
    gc::collect(state, now);
    deployments::sync(state, now);
    replicasets::sync(state, now);
    pods::sync(state, now);
    endpoints::sync(state, now);
    gateway::sync(state, now);
}

impl State {
    /// A copy of the list, so that it can be worked through while writing.
    pub(super) fn objects(&self, resource: &'static Resource, namespace: &str) -> Vec<Arc<Value>> {
        self.store.list(resource, namespace).cloned().collect()
    }

    /// The objects whose controller is `owner`.
    pub(super) fn controlled(&self, resource: &'static Resource, owner: &Value) -> Vec<Arc<Value>> {
        self.store
            .list(resource, json::namespace(owner))
            .filter(|object| controller(object) == Some(json::uid(owner)))
            .cloned()
            .collect()
    }

    /// Writes a part of an object as a controller does; what the server refuses is left for the next round.
    pub(super) fn control(
        &mut self,
        now: Timestamp,
        resource: &'static Resource,
        part: Part,
        object: &Value,
    ) -> Option<Value> {
        let current = Value::clone(
            self.store
                .get(resource, json::namespace(object), json::name(object))?,
        );
        let mut object = object.clone();
        json::cut(&mut object, &["metadata", "resourceVersion"]);
        put(
            &mut object,
            &["metadata", "resourceVersion"],
            current["metadata"]["resourceVersion"].clone(),
        );
        self.writer(now, MANAGER)
            .update(resource, part, &current, object, Booking::Update)
            .ok()
    }

    /// Creates an object as a controller does.
    pub(super) fn launch(
        &mut self,
        now: Timestamp,
        resource: &'static Resource,
        object: Value,
    ) -> Option<Value> {
        let namespace = json::namespace(&object).to_owned();
        self.writer(now, MANAGER)
            .create(resource, &namespace, object, Booking::Update)
            .ok()
    }

    /// Deletes an object as a controller does.
    pub(super) fn discard(
        &mut self,
        now: Timestamp,
        resource: &'static Resource,
        object: &Value,
        options: &Value,
    ) {
        // Already gone is as good.
        self.writer(now, MANAGER)
            .delete(resource, json::namespace(object), json::name(object), options)
            .ok();
    }
}

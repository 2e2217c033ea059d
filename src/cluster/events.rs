//! What happened, for people: events of `events.k8s.io/v1` about a Rollout.
//!
//! Of our own, since kube's recorder drops the note of a second event of one reason. Invariants: publishing never
//! waits, never fails, and never holds a reconcile up; what does not fit the queue is counted and dropped; the same
//! words about the same object within [`REPEAT`] become one event with a count, written at most once a minute.

mod ledger;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;
use tokio::sync::mpsc;

use self::ledger::{Ledger, Step};
use super::client::{Clients, DEADLINE, call};
use super::error::{Call, Error};
use crate::ports::Clock;

const RESOURCE: &str = "events.events.k8s.io";
const CONTROLLER: &str = "serin.dev/controller";
/// The API server's own limit of a note, in bytes.
const NOTE_MAX: usize = 1024;
/// Events that wait to be written; one release has about 15.
const QUEUE: usize = 512;
/// How long the same words count as a repetition.
const REPEAT: Duration = Duration::from_mins(10);

/// Something to tell about a Rollout.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Notice {
    /// The Rollout.
    pub regarding: Reference,
    /// Another object that it is about: the route, say.
    pub related: Option<Reference>,
    /// CamelCase, one of `engine::reason`.
    pub reason: String,
    /// What was being done: CamelCase; the API server requires it.
    pub action: &'static str,
    /// It needs attention.
    pub warning: bool,
    /// What happened, to what, and why; cut at 1 kB.
    pub note: String,
}

/// The object that an event is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Such as `serin.dev/v1alpha1`.
    pub api_version: String,
    /// Such as `Rollout`.
    pub kind: String,
    /// The namespace, where the event is written too.
    pub namespace: String,
    /// The name.
    pub name: String,
    /// The uid; `kubectl describe` finds events by it.
    pub uid: Option<String>,
}

impl Reference {
    /// Where its events are written: those of cluster-scoped objects go to `default`.
    fn home(&self) -> &str {
        if self.namespace.is_empty() {
            "default"
        } else {
            &self.namespace
        }
    }

    fn object(&self) -> ObjectReference {
        ObjectReference {
            api_version: Some(self.api_version.clone()),
            kind: Some(self.kind.clone()),
            namespace: Some(self.namespace.clone()).filter(|namespace| !namespace.is_empty()),
            name: Some(self.name.clone()),
            uid: self.uid.clone(),
            ..ObjectReference::default()
        }
    }
}

/// The entrance of the queue. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    queue: mpsc::Sender<Notice>,
    dropped: Arc<AtomicU64>,
}

impl Events {
    /// Tells `notice`, sooner or later; dropped when the queue is full.
    pub fn publish(&self, mut notice: Notice) {
        cut(&mut notice.note, NOTE_MAX);
        if self.queue.try_send(notice).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many notices found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// The other end of the queue: writes the events.
pub struct Publisher {
    queue: mpsc::Receiver<Notice>,
    clients: Clients,
    clock: Arc<dyn Clock>,
    instance: String,
    ledger: Ledger,
}

/// A queue for events; `instance` is the identity of this process.
pub fn events(clients: &Clients, clock: Arc<dyn Clock>, instance: &str) -> (Events, Publisher) {
    let (queue, receiver) = mpsc::channel(QUEUE);
    let publisher = Publisher {
        queue: receiver,
        clients: clients.clone(),
        clock,
        // The API server allows 128 characters.
        instance: instance.chars().take(128).collect(),
        ledger: Ledger::default(),
    };
    let events = Events {
        queue,
        dropped: Arc::default(),
    };
    (events, publisher)
}

impl Publisher {
    /// Writes until every [`Events`] is dropped and the queue is empty.
    pub async fn run(mut self) {
        while let Some(notice) = self.queue.recv().await {
            if let Err(error) = self.write(notice).await {
                tracing::warn!(%error, label = error.label(), "an event could not be written");
            }
        }
    }

    async fn write(&mut self, notice: Notice) -> Result<(), Error> {
        let now = self.clock.now();
        match self.ledger.step(&notice, now) {
            Step::Suppress => Ok(()),
            Step::Create { name } => {
                let event = self.event(&notice, &name);
                let api = self.api(&notice);
                let what = Call::new("create", RESOURCE)
                    .within(notice.regarding.home())
                    .on(&name);
                call(what, DEADLINE, api.create(&PostParams::default(), &event)).await?;
                Ok(())
            }
            Step::Count { name, count } => {
                let series = json!({"series": {"count": count, "lastObservedTime": MicroTime(now)}});
                let api = self.api(&notice);
                let what = Call::new("patch", RESOURCE)
                    .within(notice.regarding.home())
                    .on(&name);
                let patch = Patch::Merge(series);
                let outcome = call(what, DEADLINE, api.patch(&name, &PatchParams::default(), &patch)).await;
                if outcome.is_err() {
                    // Expired, or deleted: the next repetition starts a new series.
                    self.ledger.forget(&notice);
                }
                outcome.map(drop)
            }
        }
    }

    fn api(&self, notice: &Notice) -> Api<Event> {
        Api::namespaced(self.clients.write.clone(), notice.regarding.home())
    }

    fn event(&self, notice: &Notice, name: &str) -> Event {
        let kind = if notice.warning { "Warning" } else { "Normal" };
        let labels = BTreeMap::from([("app.kubernetes.io/managed-by".to_owned(), "serin".to_owned())]);
        Event {
            metadata: ObjectMeta {
                name: Some(name.to_owned()),
                namespace: Some(notice.regarding.home().to_owned()),
                labels: Some(labels),
                ..ObjectMeta::default()
            },
            event_time: Some(MicroTime(self.clock.now())),
            reporting_controller: Some(CONTROLLER.into()),
            reporting_instance: Some(self.instance.clone()),
            action: Some(notice.action.into()),
            reason: Some(notice.reason.clone()),
            type_: Some(kind.into()),
            note: Some(notice.note.clone()),
            regarding: Some(notice.regarding.object()),
            related: notice.related.as_ref().map(Reference::object),
            ..Event::default()
        }
    }
}

/// Cuts `text` to `limit` bytes, between characters.
fn cut(text: &mut String, limit: usize) {
    if text.len() > limit {
        let end = (0..=limit - '…'.len_utf8())
            .rev()
            .find(|&at| text.is_char_boundary(at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests;

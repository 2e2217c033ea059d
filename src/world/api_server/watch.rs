//! Watches: the log of changes as a stream of events, with initial events, bookmarks, and 410 for a start too old.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::Stream;
use http_body::Frame;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::read;
use super::refusal::Refusal;
use super::request::{Asked, Target};
use super::selector::Selector;
use super::store::{Change, Store};
use crate::world::json;
use crate::world::state::Shared;

/// How often an idle watch is told where the log is.
const BOOKMARK: Duration = Duration::from_mins(1);

/// One open watch.
pub(super) struct Watch {
    shared: Arc<Shared>,
    target: Target,
    selector: Selector,
    partial: bool,
    bookmarks: bool,
    cursor: u64,
    /// The watch ends when the world's count of cut watches passes this.
    generation: u64,
    end: Instant,
    next_bookmark: Instant,
    queue: VecDeque<Bytes>,
    done: bool,
}

impl Watch {
    /// Opens a watch: what it starts with is queued at once.
    pub(super) fn open(
        shared: Arc<Shared>,
        store: &Store,
        generation: u64,
        asked: &Asked,
        target: &Target,
    ) -> Result<Self, Refusal> {
        let mut selector_fields = asked.param("fieldSelector").to_owned();
        if let Some(name) = &target.name {
            selector_fields = format!("metadata.name={name}");
        }
        let selector = Selector::parse(asked.param("labelSelector"), &selector_fields)?;
        let from = match asked.param("resourceVersion") {
            "" => 0,
            version => version
                .parse()
                .map_err(|_| Refusal::bad_request("invalid resource version"))?,
        };
        let seconds = asked.param("timeoutSeconds").parse().unwrap_or(1800);
        let now = Instant::now();
        let mut watch = Self {
            shared,
            target: target.clone(),
            selector,
            partial: read::metadata_only(asked),
            bookmarks: asked.is("allowWatchBookmarks"),
            cursor: from,
            generation,
            end: now + Duration::from_secs(seconds),
            next_bookmark: now + BOOKMARK,
            queue: VecDeque::new(),
            done: false,
        };
        let streaming = asked.is("sendInitialEvents");
        if from == 0 || streaming {
            for object in store.list(target.resource, &target.namespace) {
                if watch.selector.matches(object) {
                    watch.event("ADDED", object);
                }
            }
            watch.cursor = store.version();
            if streaming && watch.bookmarks {
                watch.bookmark(true);
            }
        }
        Ok(watch)
    }

    /// The events as body frames.
    pub(super) fn stream(self) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
        futures::stream::unfold(self, async |mut watch| {
            loop {
                if let Some(event) = watch.queue.pop_front() {
                    return Some((Ok(Frame::data(event)), watch));
                }
                if watch.done {
                    return None;
                }
                watch.wait().await;
            }
        })
    }

    /// Queues what is new, or waits until something may be.
    async fn wait(&mut self) {
        let shared = Arc::clone(&self.shared);
        let mut changed = std::pin::pin!(shared.changed.notified());
        changed.as_mut().enable();
        self.collect(&shared);
        if self.done || !self.queue.is_empty() {
            return;
        }
        tokio::select! {
            biased;
            () = changed => {}
            () = tokio::time::sleep_until(self.end.min(self.next_bookmark)) => {
                let now = Instant::now();
                if now >= self.end {
                    self.done = true;
                } else {
                    self.next_bookmark = now + BOOKMARK;
                    if self.bookmarks {
                        self.bookmark(false);
                    }
                }
            }
        }
    }

    fn collect(&mut self, shared: &Shared) {
        let state = shared.lock();
        if state.watches_cut != self.generation {
            self.done = true;
            return;
        }
        if state.watches_held {
            return;
        }
        match state.store.since(self.cursor) {
            Err(oldest) => {
                let status = Refusal::expired(self.cursor, oldest).body();
                self.push(&json!({"type": "ERROR", "object": status}));
                self.done = true;
            }
            Ok(changes) => {
                for change in changes.filter(|c| std::ptr::eq(c.resource, self.target.resource)) {
                    self.change(change);
                }
                self.cursor = state.store.version();
            }
        }
    }

    /// A change as seen through the selector: an object that leaves the selection is deleted for this watch.
    fn change(&mut self, change: &Change) {
        let wanted = |object: &Value| {
            (self.target.namespace.is_empty() || json::namespace(object) == self.target.namespace)
                && self.selector.matches(object)
        };
        let before = change.old.as_deref().is_some_and(wanted);
        let after = !change.deleted && wanted(&change.object);
        let kind = match (before, after) {
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
            (false, false) => return,
        };
        self.event(kind, &change.object);
    }

    fn event(&mut self, kind: &str, object: &Value) {
        let object = if self.partial {
            read::partial(object)
        } else {
            object.clone()
        };
        self.push(&json!({"type": kind, "object": object}));
    }

    fn bookmark(&mut self, initial: bool) {
        let mut metadata = json!({"resourceVersion": self.cursor.to_string()});
        if initial {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (api_version, kind) = if self.partial {
            ("meta.k8s.io/v1".to_owned(), "PartialObjectMetadata")
        } else {
            (self.target.resource.api_version(), self.target.resource.kind)
        };
        let object = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        self.push(&json!({"type": "BOOKMARK", "object": object}));
    }

    fn push(&mut self, event: &Value) {
        self.queue.push_back(Bytes::from(format!("{event}\n")));
    }
}

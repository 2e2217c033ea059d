//! The watches that fill the cache: one a kind and process, each on its own, so that a kind that is missing or
//! forbidden stops nobody else.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::task::JoinSet;

use super::cache::{Cache, Kind};
use super::error::chain;

/// Only candidates' pods are watched.
const CANDIDATE_SELECTOR: &str = "serin.dev/rollout-uid";

/// How long an optional kind that the cluster does not serve is left alone before it is tried again: a list every half
/// minute would cost more calls than all watches.
const ABSENT_KIND_RETRY: Duration = Duration::from_mins(5);

/// Refusals in a row after which a kind counts as forbidden: an API server refuses everything for a second after its
/// start.
const REFUSALS_BEFORE_ABSENT: u32 = 5;

/// The longest pause before a watch is tried again. The library's own, half a minute, would leave a new leader with objects as
/// old as that after an outage of the API server.
const PAUSE: Duration = Duration::from_secs(3);

/// The library's pauses, but none longer than [`PAUSE`].
#[derive(Default)]
struct Pauses(watcher::DefaultBackoff);

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next().map(|pause| pause.min(PAUSE))
    }
}

impl Backoff for Pauses {
    fn reset(&mut self) {
        self.0.reset();
    }
}

/// Starts every watch in `tasks`, for all namespaces or only for those named, and says how many there are.
pub fn start(tasks: &mut JoinSet<()>, client: &Client, namespaces: &[String], cache: &Cache) -> usize {
    let everywhere = [String::new()];
    let mut watches = 0;
    for kind in Kind::ALL {
        let scopes = if kind.cluster_scoped() || namespaces.is_empty() {
            &everywhere[..]
        } else {
            namespaces
        };
        for namespace in scopes {
            let follower = Follower {
                kind,
                namespace: namespace.clone(),
                cache: cache.clone(),
            };
            let api = api(
                client,
                kind,
                Some(namespace.as_str()).filter(|namespace| !namespace.is_empty()),
            );
            tasks.spawn(follower.follow(api));
            watches += 1;
        }
    }
    watches
}

/// The untyped API of a kind.
pub fn api(client: &Client, kind: Kind, namespace: Option<&str>) -> Api<DynamicObject> {
    let resource = api_resource(kind);
    match namespace {
        Some(namespace) if !kind.cluster_scoped() => {
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        _ => Api::all_with(client.clone(), &resource),
    }
}

/// What the client must know of a kind.
pub fn api_resource(kind: Kind) -> ApiResource {
    let (group, version, name, plural) = kind.resource();
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, name), plural)
}

/// Takes one watch into the cache.
struct Follower {
    kind: Kind,
    namespace: String,
    cache: Cache,
}

impl Follower {
    async fn follow(self, api: Api<DynamicObject>) {
        // Its timeout stays long: a shorter one for thirteen kinds would be more calls at rest than all else (the Lease takes
        // 720 an hour, the watches 160), and of a connection that has died the kernel tells.
        let mut config = watcher::Config::default();
        if self.kind == Kind::CandidatePod {
            config = config.labels(CANDIDATE_SELECTOR);
        }
        let mut stream = watcher(api, config).backoff(Pauses::default()).boxed();
        let mut list = Vec::new();
        // How often in a row it has failed: told once, and a missing right when it lasts.
        let mut failures = 0;
        loop {
            let event = stream.try_next().await;
            failures = match &event {
                // A list begins, and may fail yet.
                Ok(Some(Event::Init)) => failures,
                Ok(_) => 0,
                Err(_) => failures + 1,
            };
            match event {
                Ok(Some(Event::Init)) => list = Vec::new(),
                Ok(Some(Event::InitApply(object))) => list.extend(value(self.kind, object)),
                Ok(Some(Event::InitDone)) => {
                    self.cache
                        .replace(self.kind, &self.namespace, std::mem::take(&mut list));
                }
                Ok(Some(Event::Apply(object))) => {
                    if let Some(object) = value(self.kind, object) {
                        self.cache.put(self.kind, object);
                    }
                }
                Ok(Some(Event::Delete(object))) => {
                    if let Some(object) = value(self.kind, object) {
                        self.cache.remove(self.kind, &object);
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    self.trouble(&error, failures);
                    if self.kind.optional() && absent(&error, failures) {
                        tokio::time::sleep(ABSENT_KIND_RETRY).await;
                    }
                }
            }
        }
    }

    fn trouble(&self, error: &watcher::Error, failures: u32) {
        let (group, _, _, plural) = self.kind.resource();
        let (watcher::Error::InitialListFailed(cause)
        | watcher::Error::WatchStartFailed(cause)
        | watcher::Error::WatchFailed(cause)) = error
        else {
            tracing::warn!(resource = plural, group, error = %error, "the watch was interrupted");
            return;
        };
        let code = if let kube::Error::Api(status) = cause {
            status.code
        } else {
            0
        };
        match code {
            404 => {
                tracing::debug!(resource = plural, group, "the cluster does not serve this kind");
                self.cache.absent(self.kind, &self.namespace);
            }
            403 => {
                if failures == REFUSALS_BEFORE_ABSENT {
                    tracing::error!(
                        resource = plural,
                        group,
                        "rbac: `list` and `watch` on `{plural}` in group `{group}` are missing: grant them"
                    );
                }
                // The right is asked for before the kind is: without it nobody can say whether that is served at all.
                if self.kind.optional() {
                    self.cache.absent(self.kind, &self.namespace);
                }
            }
            _ if failures == 1 => {
                tracing::warn!(
                    resource = plural,
                    group,
                    error = chain(cause),
                    "the watch was interrupted"
                );
            }
            _ => tracing::debug!(
                resource = plural,
                group,
                error = chain(cause),
                "the watch is still interrupted"
            ),
        }
    }
}

/// Whether the server does not serve the kind, or not to us.
fn absent(error: &watcher::Error, failures: u32) -> bool {
    let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause)) = error else {
        return false;
    };
    let kube::Error::Api(status) = cause else {
        return false;
    };
    status.code == 404 || status.code == 403 && failures >= REFUSALS_BEFORE_ABSENT
}

/// The items of a list do not say their kind; everybody else wants to know it.
fn value(kind: Kind, object: DynamicObject) -> Option<Value> {
    let mut object = serde_json::to_value(object).ok()?;
    let (group, version, name, _) = kind.resource();
    let api_version = if group.is_empty() {
        version.to_owned()
    } else {
        format!("{group}/{version}")
    };
    let fields = object.as_object_mut()?;
    fields.insert("apiVersion".into(), api_version.into());
    fields.insert("kind".into(), name.into());
    Some(object)
}

//! The watches that fill the cache: one a kind and process, each on its own, so that a kind that is missing or
//! forbidden stops nobody else.

use futures::{StreamExt, TryStreamExt};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use serde_json::Value;
use tokio::task::JoinSet;

use super::cache::{Cache, Kind};

/// Selects the candidates' pods; all others are none of our business.
const CANDIDATE_SELECTOR: &str = "serin.dev/rollout-uid";

/// Starts every watch in `tasks`. With a `namespace` only that one is watched.
pub fn start(tasks: &mut JoinSet<()>, client: &Client, namespace: Option<&str>, cache: &Cache) {
    for kind in Kind::ALL {
        let api = api(client, kind, namespace);
        let cache = cache.clone();
        tasks.spawn(async move { follow(api, kind, cache).await });
    }
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

async fn follow(api: Api<DynamicObject>, kind: Kind, cache: Cache) {
    let config = match kind {
        Kind::CandidatePod => watcher::Config::default().labels(CANDIDATE_SELECTOR),
        _ => watcher::Config::default(),
    };
    let mut stream = watcher(api, config).default_backoff().into_stream().boxed();
    let mut list = Vec::new();
    loop {
        match stream.try_next().await {
            Ok(Some(Event::Init)) => list = Vec::new(),
            Ok(Some(Event::InitApply(object))) => list.extend(value(kind, object)),
            Ok(Some(Event::InitDone)) => cache.replace(kind, std::mem::take(&mut list)),
            Ok(Some(Event::Apply(object))) => {
                if let Some(object) = value(kind, object) {
                    cache.put(kind, object);
                }
            }
            Ok(Some(Event::Delete(object))) => {
                if let Some(object) = value(kind, object) {
                    cache.remove(kind, &object);
                }
            }
            Ok(None) => return,
            Err(error) => trouble(&error, kind, &cache),
        }
    }
}

fn trouble(error: &watcher::Error, kind: Kind, cache: &Cache) {
    let (group, _, _, plural) = kind.resource();
    let (watcher::Error::InitialListFailed(cause)
    | watcher::Error::WatchStartFailed(cause)
    | watcher::Error::WatchFailed(cause)) = error
    else {
        tracing::warn!(resource = plural, group, error = %error, "the watch was interrupted");
        return;
    };
    match cause {
        kube::Error::Api(status) if status.code == 404 => {
            tracing::debug!(resource = plural, group, "the cluster does not serve this kind");
            cache.absent(kind);
        }
        kube::Error::Api(status) if status.code == 403 => {
            tracing::error!(
                resource = plural,
                group,
                "rbac: `list` and `watch` on `{plural}` in group `{group}` are missing: grant them"
            );
        }
        cause => tracing::warn!(resource = plural, group, error = %cause, "the watch was interrupted"),
    }
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

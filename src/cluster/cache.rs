//! What the watches have brought: one store a kind, shared by all Rollouts of the process.
//!
//! Our own writes are put in as well, so that a decision never rests on a view older than its own last act. An
//! object never goes back to an older version, except when a relist says that it is gone.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use serde_json::Value;
use tokio::sync::watch;

use super::field_owners;

/// The kinds that Serin watches, each once a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum Kind {
    Rollout,
    RolloutAction,
    MetricProvider,
    Deployment,
    ReplicaSet,
    /// Only the candidates' pods: those with a `serin.dev/rollout-uid`.
    CandidatePod,
    Service,
    EndpointSlice,
    HttpRoute,
    PodDisruptionBudget,
    HorizontalPodAutoscaler,
    NetworkPolicy,
    BackendTlsPolicy,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Rollout,
        Self::RolloutAction,
        Self::MetricProvider,
        Self::Deployment,
        Self::ReplicaSet,
        Self::CandidatePod,
        Self::Service,
        Self::EndpointSlice,
        Self::HttpRoute,
        Self::PodDisruptionBudget,
        Self::HorizontalPodAutoscaler,
        Self::NetworkPolicy,
        Self::BackendTlsPolicy,
    ];

    /// Group, version, kind and plural.
    pub const fn resource(self) -> (&'static str, &'static str, &'static str, &'static str) {
        match self {
            Self::Rollout => ("serin.dev", "v1alpha1", "Rollout", "rollouts"),
            Self::RolloutAction => ("serin.dev", "v1alpha1", "RolloutAction", "rolloutactions"),
            Self::MetricProvider => ("serin.dev", "v1alpha1", "MetricProvider", "metricproviders"),
            Self::Deployment => ("apps", "v1", "Deployment", "deployments"),
            Self::ReplicaSet => ("apps", "v1", "ReplicaSet", "replicasets"),
            Self::CandidatePod => ("", "v1", "Pod", "pods"),
            Self::Service => ("", "v1", "Service", "services"),
            Self::EndpointSlice => ("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices"),
            Self::HttpRoute => ("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes"),
            Self::PodDisruptionBudget => ("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets"),
            Self::HorizontalPodAutoscaler => (
                "autoscaling",
                "v2",
                "HorizontalPodAutoscaler",
                "horizontalpodautoscalers",
            ),
            Self::NetworkPolicy => ("networking.k8s.io", "v1", "NetworkPolicy", "networkpolicies"),
            Self::BackendTlsPolicy => (
                "gateway.networking.k8s.io",
                "v1",
                "BackendTLSPolicy",
                "backendtlspolicies",
            ),
        }
    }

    /// Whether a cluster may well do without the kind.
    pub const fn optional(self) -> bool {
        matches!(self, Self::BackendTlsPolicy)
    }

    /// Whether objects of the kind have no namespace.
    pub const fn cluster_scoped(self) -> bool {
        matches!(self, Self::MetricProvider)
    }
}

/// Namespace (empty for cluster-scoped kinds) and name.
pub type Key = (String, String);
type Store = BTreeMap<Key, Arc<Value>>;

/// How many objects that are gone are remembered. An answer about one comes within seconds, or never.
const GONE: usize = 1024;

/// The versions at which objects were removed, by uid, for as long as an answer to a write may still come.
#[derive(Default)]
struct Gone {
    versions: BTreeMap<String, u64>,
    order: VecDeque<String>,
}

impl Gone {
    fn note(&mut self, object: &Value) {
        let uid = uid(object).to_owned();
        if self.versions.insert(uid.clone(), version(object)).is_none() {
            self.order.push_back(uid);
        }
        if self.order.len() > GONE
            && let Some(oldest) = self.order.pop_front()
        {
            self.versions.remove(&oldest);
        }
    }

    /// Whether it was removed at this version or a later one.
    fn holds(&self, object: &Value) -> bool {
        self.versions
            .get(uid(object))
            .is_some_and(|removed| version(object) <= *removed)
    }
}

/// All stores, and a signal a namespace that something in it has changed. The empty name stands for the objects
/// without a namespace and for the set of Rollouts as a whole.
#[derive(Clone, Default)]
pub struct Cache {
    stores: Arc<RwLock<BTreeMap<Kind, Store>>>,
    gone: Arc<RwLock<Gone>>,
    warm: Arc<RwLock<BTreeSet<(Kind, String)>>>,
    changed: Arc<RwLock<BTreeMap<String, watch::Sender<u64>>>>,
}

impl Cache {
    /// A receiver that wakes on every change in `namespace`; with the empty name, on every change of a Rollout or
    /// of an object without a namespace.
    pub fn changes(&self, namespace: &str) -> watch::Receiver<u64> {
        write(&self.changed)
            .entry(namespace.to_owned())
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Whether all of `watches` have listed once.
    pub fn is_warm(&self, watches: usize) -> bool {
        read(&self.warm).len() >= watches
    }

    /// One object.
    pub fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<Arc<Value>> {
        let stores = read(&self.stores);
        stores
            .get(&kind)?
            .get(&(namespace.to_owned(), name.to_owned()))
            .cloned()
    }

    /// The objects of `namespace` that `wanted` admits, by name.
    pub fn select(&self, kind: Kind, namespace: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
        let stores = read(&self.stores);
        let Some(store) = stores.get(&kind) else {
            return Vec::new();
        };
        let first = (namespace.to_owned(), String::new());
        store
            .range(first..)
            .take_while(|((in_namespace, _), _)| in_namespace == namespace)
            .filter(|(_, object)| wanted(object))
            .map(|(_, object)| Value::clone(object))
            .collect()
    }

    /// The keys of all objects of a kind.
    pub fn keys(&self, kind: Kind) -> Vec<Key> {
        read(&self.stores)
            .get(&kind)
            .map(|store| store.keys().cloned().collect())
            .unwrap_or_default()
    }

    /// Takes in an object from a watch or from the answer to a write, unless a newer version is there or was removed: the
    /// answer to the write that ends an object may come after the watch has told its end.
    pub fn put(&self, kind: Kind, object: Value) {
        let key = key(&object);
        let mut stores = write(&self.stores);
        let store = stores.entry(kind).or_default();
        let newer = store
            .get(&key)
            .is_none_or(|old| uid(old) != uid(&object) || version(&object) > version(old));
        if newer && !read(&self.gone).holds(&object) {
            let namespace = key.0.clone();
            store.insert(key, Arc::new(slim(kind, object)));
            drop(stores);
            self.signal(kind, &namespace);
        }
    }

    /// The object is gone.
    pub fn remove(&self, kind: Kind, object: &Value) {
        let key = key(object);
        let mut stores = write(&self.stores);
        write(&self.gone).note(object);
        let removed = stores.get_mut(&kind).and_then(|store| store.remove(&key));
        drop(stores);
        if removed.is_some() {
            self.signal(kind, &key.0);
        }
    }

    /// A full list of a namespace, or of all with the empty name: what is not in it is gone.
    pub fn replace(&self, kind: Kind, namespace: &str, objects: Vec<Value>) {
        let fresh = objects
            .into_iter()
            .map(|object| (key(&object), Arc::new(slim(kind, object))));
        let mut stores = write(&self.stores);
        let store = stores.entry(kind).or_default();
        store.retain(|key, _| !namespace.is_empty() && key.0 != namespace);
        store.extend(fresh);
        drop(stores);
        write(&self.warm).insert((kind, namespace.to_owned()));
        for sender in read(&self.changed).values() {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// The kind cannot be watched for lack of its definition: it counts as empty, not as unknown.
    pub fn absent(&self, kind: Kind, namespace: &str) {
        if !read(&self.warm).contains(&(kind, namespace.to_owned())) {
            self.replace(kind, namespace, Vec::new());
        }
    }

    fn signal(&self, kind: Kind, namespace: &str) {
        let changed = read(&self.changed);
        let everywhere = kind.cluster_scoped();
        for (name, sender) in changed.iter() {
            if everywhere || name == namespace || (name.is_empty() && kind == Kind::Rollout) {
                sender.send_modify(|count| *count = count.wrapping_add(1));
            }
        }
    }
}

/// Without what no decision needs, and what would double the memory.
fn slim(kind: Kind, mut object: Value) -> Value {
    if kind == Kind::HttpRoute {
        field_owners::keep(&mut object);
    } else if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    object
}

fn key(object: &Value) -> Key {
    let text = |field| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

fn uid(object: &Value) -> &str {
    object["metadata"]["uid"].as_str().unwrap_or_default()
}

fn version(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"]
        .as_str()
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

// A poisoned lock means that a reader or writer panicked between two map operations, each of which is atomic for us.
fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(name: &str, version: u64) -> Value {
        json!({"metadata": {"namespace": "shop", "name": name, "uid": name, "resourceVersion": version.to_string(), "managedFields": []}})
    }

    #[test]
    fn an_older_version_never_replaces_a_newer_one() {
        let cache = Cache::default();
        cache.put(Kind::Service, object("a", 7));
        cache.put(Kind::Service, object("a", 5));
        let kept = cache.get(Kind::Service, "shop", "a").unwrap();
        assert_eq!(kept["metadata"]["resourceVersion"], "7");
        assert!(kept["metadata"].get("managedFields").is_none());
    }

    #[test]
    fn an_object_made_anew_replaces_its_namesake_whatever_its_version() {
        let cache = Cache::default();
        cache.put(Kind::Service, object("a", 7));
        let mut fresh = object("a", 3);
        fresh["metadata"]["uid"] = json!("other");
        cache.put(Kind::Service, fresh);
        assert_eq!(
            cache.get(Kind::Service, "shop", "a").unwrap()["metadata"]["uid"],
            "other"
        );
    }

    #[test]
    fn a_list_ends_what_it_does_not_name_and_a_namespace_does_not_leak_into_the_next() {
        let cache = Cache::default();
        cache.replace(Kind::Service, "", vec![object("a", 1), object("b", 1)]);
        cache.replace(Kind::Service, "", vec![object("b", 2)]);
        assert!(cache.get(Kind::Service, "shop", "a").is_none());
        assert_eq!(cache.select(Kind::Service, "shop", |_| true).len(), 1);
        assert!(cache.select(Kind::Service, "sho", |_| true).is_empty());
        assert!(cache.is_warm(1) && !cache.is_warm(2));
    }

    /// The answer to the write that ends a Rollout comes after the watch has told its end, at the version before.
    #[test]
    fn an_object_that_is_gone_stays_gone_whoever_still_has_an_answer_about_it() {
        let cache = Cache::default();
        cache.put(Kind::Rollout, object("a", 7));
        cache.remove(Kind::Rollout, &object("a", 8));
        cache.put(Kind::Rollout, object("a", 7));
        assert!(cache.get(Kind::Rollout, "shop", "a").is_none());
        // What is only on its way out is still there: we deleted it, and somebody's finalizer keeps it.
        cache.put(Kind::Deployment, object("b", 7));
        cache.remove(Kind::Deployment, &object("b", 7));
        cache.put(Kind::Deployment, object("b", 9));
        assert!(cache.get(Kind::Deployment, "shop", "b").is_some());
        // Its namesake is another one.
        let mut fresh = object("a", 3);
        fresh["metadata"]["uid"] = json!("other");
        cache.put(Kind::Rollout, fresh);
        assert!(cache.get(Kind::Rollout, "shop", "a").is_some());
    }
}

//! The object store: every object, the counter of versions, and the log that watches read.
//!
//! It only keeps; what may be written is decided above it. Each change takes one resource version.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::Value;

use super::resources::Resource;
use crate::world::json::{self, put};

/// How many changes are kept for watches that start in the past.
const LOG: usize = 20_000;

/// Namespace (empty when cluster-scoped) and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::world) struct Name {
    pub(in crate::world) namespace: String,
    pub(in crate::world) name: String,
}

impl Name {
    pub(in crate::world) fn new(namespace: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(in crate::world) fn of(object: &Value) -> Self {
        Self::new(json::namespace(object), json::name(object))
    }
}

/// One change of one object.
#[derive(Clone, Debug)]
pub(in crate::world) struct Change {
    pub(in crate::world) version: u64,
    pub(in crate::world) resource: &'static Resource,
    /// The object before; none when it was created.
    pub(in crate::world) old: Option<Arc<Value>>,
    /// The object after; for a deletion its last state with the deletion's version.
    pub(in crate::world) object: Arc<Value>,
    pub(super) deleted: bool,
}

/// All objects.
#[derive(Debug, Default)]
pub(in crate::world) struct Store {
    version: u64,
    objects: BTreeMap<(&'static str, &'static str), BTreeMap<Name, Arc<Value>>>,
    log: VecDeque<Change>,
    /// The newest version that is no longer in the log.
    forgotten: u64,
}

impl Store {
    /// The version of the last change.
    pub(in crate::world) fn version(&self) -> u64 {
        self.version
    }

    pub(in crate::world) fn get(
        &self,
        resource: &Resource,
        namespace: &str,
        name: &str,
    ) -> Option<&Arc<Value>> {
        self.objects
            .get(&(resource.group, resource.plural))?
            .get(&Name::new(namespace, name))
    }

    /// The objects of a resource in name order, of one namespace or (empty) of all.
    pub(in crate::world) fn list<'a>(
        &'a self,
        resource: &Resource,
        namespace: &'a str,
    ) -> impl Iterator<Item = &'a Arc<Value>> + use<'a> {
        self.objects
            .get(&(resource.group, resource.plural))
            .into_iter()
            .flatten()
            .filter(move |(name, _)| namespace.is_empty() || name.namespace == namespace)
            .map(|(_, object)| object)
    }

    /// Every object of every resource.
    pub(in crate::world) fn all(&self) -> impl Iterator<Item = (&'static Resource, &Arc<Value>)> {
        super::resources::RESOURCES.iter().flat_map(|r| {
            self.objects
                .get(&(r.group, r.plural))
                .into_iter()
                .flatten()
                .map(move |(_, o)| (r, o))
        })
    }

    /// Writes an object under the next version.
    pub(in crate::world) fn put(&mut self, resource: &'static Resource, mut object: Value) -> Arc<Value> {
        self.version += 1;
        put(
            &mut object,
            &["metadata", "resourceVersion"],
            self.version.to_string().into(),
        );
        let object = Arc::new(object);
        let objects = self.objects.entry((resource.group, resource.plural)).or_default();
        let old = objects.insert(Name::of(&object), Arc::clone(&object));
        self.record(Change {
            version: self.version,
            resource,
            old,
            object: Arc::clone(&object),
            deleted: false,
        });
        object
    }

    /// Removes an object under the next version and returns its last state.
    pub(in crate::world) fn remove(
        &mut self,
        resource: &'static Resource,
        name: &Name,
    ) -> Option<Arc<Value>> {
        let old = self
            .objects
            .get_mut(&(resource.group, resource.plural))?
            .remove(name)?;
        self.version += 1;
        let mut last = Value::clone(&old);
        put(
            &mut last,
            &["metadata", "resourceVersion"],
            self.version.to_string().into(),
        );
        let object = Arc::new(last);
        self.record(Change {
            version: self.version,
            resource,
            old: Some(old),
            object: Arc::clone(&object),
            deleted: true,
        });
        Some(object)
    }

    /// The changes after a version, oldest first; `Err` with the oldest start still possible when some are forgotten.
    pub(in crate::world) fn since(&self, version: u64) -> Result<impl Iterator<Item = &Change>, u64> {
        if version < self.forgotten {
            return Err(self.forgotten);
        }
        let first = self.log.partition_point(|change| change.version <= version);
        Ok(self.log.range(first..))
    }

    /// Forgets the log, as a compaction does: watches that lag get 410.
    pub(in crate::world) fn compact(&mut self) {
        self.log.clear();
        self.forgotten = self.version;
    }

    fn record(&mut self, change: Change) {
        self.log.push_back(change);
        if self.log.len() > LOG
            && let Some(gone) = self.log.pop_front()
        {
            self.forgotten = gone.version;
        }
    }
}

//! The verdicts between two writes of the status: the status is written when something is decided, people look more
//! often.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::api::VerdictStatus;

/// The latest verdicts of every Rollout of this process. Clones show the same.
#[derive(Clone, Default)]
pub struct Live(Arc<RwLock<Verdicts>>);

/// By namespace and name of the Rollout.
type Verdicts = BTreeMap<(String, String), Vec<VerdictStatus>>;

impl Live {
    /// The verdicts on the present step of a Rollout, a metric each; empty outside a release.
    pub fn verdicts(&self, namespace: &str, name: &str) -> Vec<VerdictStatus> {
        let key = (namespace.to_owned(), name.to_owned());
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
            .cloned()
            .unwrap_or_default()
    }

    pub(super) fn set(&self, namespace: &str, name: &str, verdicts: Vec<VerdictStatus>) {
        let key = (namespace.to_owned(), name.to_owned());
        let mut live = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if verdicts.is_empty() {
            live.remove(&key);
        } else {
            live.insert(key, verdicts);
        }
    }
}

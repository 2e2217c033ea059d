//! Readiness as a set of gates, each held by the part of the operator that knows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// All gates. Ready when each is open; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Mutex<BTreeMap<&'static str, Arc<AtomicBool>>>>);

/// The handle on one gate; it stays as it is when the handle is dropped.
#[derive(Clone, Debug)]
pub struct Gate(Arc<AtomicBool>);

impl Readiness {
    /// The gate of `name`, closed when it is new.
    pub fn gate(&self, name: &'static str) -> Gate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Gate(gates.entry(name).or_default().clone())
    }

    /// The names of the gates that are closed.
    pub fn closed(&self) -> Vec<&'static str> {
        let gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let closed = gates.iter().filter(|(_, open)| !open.load(Ordering::Relaxed));
        closed.map(|(name, _)| *name).collect()
    }
}

impl Gate {
    /// This part is ready.
    pub fn open(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

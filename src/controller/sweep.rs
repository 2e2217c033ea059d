//! Removes what nobody waits for any more: `RolloutAction`s that were answered long ago.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::Shared;
use crate::cluster::action_expiry::expired;
use crate::cluster::cache::Kind;
use crate::cluster::error::Class;

/// From one look to the next. At rest a look sends nothing.
const EVERY: Duration = Duration::from_hours(1);

/// Looks now and then, for as long as this process leads.
pub(super) async fn run(shared: Arc<Shared>) {
    while shared.leadership.check().is_some() {
        sweep(&shared).await;
        tokio::time::sleep(EVERY).await;
    }
}

async fn sweep(shared: &Shared) {
    let object = |kind, (namespace, name): &(String, String)| shared.cache.get(kind, namespace, name);
    let actions = shared.cache.keys(Kind::RolloutAction);
    let actions: Vec<Value> = actions
        .iter()
        .filter_map(|key| object(Kind::RolloutAction, key))
        .map(|action| Value::clone(&action))
        .collect();
    let known = |namespace: &str, name: &str| shared.cache.get(Kind::Rollout, namespace, name).is_some();
    for action in expired(actions, known, shared.clock.now()) {
        match shared.writer.remove_action(&action).await {
            Ok(applied) => applied
                .deleted
                .iter()
                .for_each(|(kind, object)| shared.cache.remove(*kind, object)),
            // Somebody else was there first: the next look sees.
            Err(error) if error.class() == Class::Conflict => {}
            Err(error) => {
                // The rest would fail alike; nothing depends on it.
                tracing::warn!(
                    error = error.label(),
                    "could not remove an answered RolloutAction: {error}"
                );
                return;
            }
        }
    }
}

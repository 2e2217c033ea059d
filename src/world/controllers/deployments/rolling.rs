//! The rolling update: how many replicas the new ReplicaSet gets, and how many the old ones may lose.

use std::cmp::Ordering;

use serde_json::Value;

use super::Sync;
use crate::world::json::text;
use crate::world::object::{count, replicas};

/// One step of a roll.
pub(super) fn roll(sync: &mut Sync<'_>) {
    let Some(new) = sync.new_set() else { return };
    let old: Vec<usize> = (0..sync.sets.len()).filter(|i| *i != new).collect();
    if text(&sync.deployment, "/spec/strategy/type") == "Recreate" {
        recreate(sync, new, &old);
        return;
    }
    let size = match replicas(&sync.sets[new]).cmp(&sync.wanted()) {
        Ordering::Greater => sync.wanted(),
        Ordering::Less => new_size(sync, Some(new)),
        Ordering::Equal => replicas(&sync.sets[new]),
    };
    if size != replicas(&sync.sets[new]) {
        sync.resize(new, size);
        return;
    }
    shrink(sync, new, old);
}

/// The size to which the new ReplicaSet may grow now; of one yet to be made when `new` is none.
pub(super) fn new_size(sync: &Sync<'_>, new: Option<usize>) -> i64 {
    let wanted = sync.wanted();
    if text(&sync.deployment, "/spec/strategy/type") == "Recreate" {
        return if sync.sets.iter().any(|set| count(set, "replicas") > 0) {
            0
        } else {
            wanted
        };
    }
    let own = new.map_or(0, |i| replicas(&sync.sets[i]));
    let all: i64 = sync.sets.iter().map(replicas).sum();
    let most = wanted + sync.surge();
    if all >= most {
        own
    } else {
        own + (most - all).min(wanted - own)
    }
}

fn recreate(sync: &mut Sync<'_>, new: usize, old: &[usize]) {
    for i in old {
        if replicas(&sync.sets[*i]) > 0 {
            sync.resize(*i, 0);
        }
    }
    let stopped = old.iter().all(|i| count(&sync.sets[*i], "replicas") == 0);
    if stopped && replicas(&sync.sets[new]) != sync.wanted() {
        sync.resize(new, sync.wanted());
    }
}

/// Takes from the old ReplicaSets what can be spared: unhealthy replicas first.
fn shrink(sync: &mut Sync<'_>, new: usize, mut old: Vec<usize>) {
    let total = |sync: &Sync<'_>| sync.sets.iter().map(replicas).sum::<i64>();
    let least = sync.wanted() - sync.unavailable();
    let new_unavailable = replicas(&sync.sets[new]) - count(&sync.sets[new], "availableReplicas");
    let spare = total(sync) - least - new_unavailable;
    if spare <= 0 {
        return;
    }
    old.sort_by_key(|i| text(&sync.sets[*i], "/metadata/creationTimestamp").to_owned());
    let mut cleaned = 0;
    for i in &old {
        let size = replicas(&sync.sets[*i]);
        let unhealthy = size - count(&sync.sets[*i], "availableReplicas");
        let cut = unhealthy.min(spare - cleaned);
        if size > 0 && cut > 0 {
            sync.resize(*i, size - cut);
            cleaned += cut;
        }
    }
    let available: i64 = sync
        .sets
        .iter()
        .map(|set: &Value| count(set, "availableReplicas"))
        .sum();
    let mut spare = available - least;
    for i in old {
        let size = replicas(&sync.sets[i]);
        let cut = size.min(spare);
        if cut > 0 {
            sync.resize(i, size - cut);
            spare -= cut;
        }
    }
}

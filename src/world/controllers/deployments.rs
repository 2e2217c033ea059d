//! The Deployment controller: which ReplicaSet is new, what pausing means, and how replicas are spread when scaled.
//!
//! It follows the real controller rule by rule, since Serin's gate and its purge rest on these rules.

mod rolling;
mod status;

use std::cmp::Reverse;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::world::api_server::request::Part;
use crate::world::api_server::resources;
use crate::world::json::{self, cut, put, text};
use crate::world::object::{count, owner_reference, replicas};
use crate::world::state::State;

/// The label that tells a ReplicaSet's pods from those of other revisions.
const HASH: &str = "pod-template-hash";
const REVISION: &str = "deployment.kubernetes.io/revision";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";

/// One round for every Deployment.
pub(super) fn sync(state: &mut State, now: Timestamp) {
    for deployment in state.objects(resources::plural("apps", "deployments"), "") {
        let sets = state.controlled(resources::plural("apps", "replicasets"), &deployment);
        let sets = sets.iter().map(|set| Value::clone(set)).collect();
        let mut sync = Sync {
            state,
            now,
            deployment: Value::clone(&deployment),
            sets,
        };
        if json::deleting(&deployment) {
            sync.write_status(false);
        } else {
            sync.run();
        }
    }
}

/// One Deployment with its ReplicaSets.
struct Sync<'a> {
    state: &'a mut State,
    now: Timestamp,
    deployment: Value,
    sets: Vec<Value>,
}

impl Sync<'_> {
    fn run(&mut self) {
        let paused = json::flag(&self.deployment, "/spec/paused");
        let wanted = self.wanted().to_string();
        let scaling = self.sets.iter().any(|set| {
            replicas(set) > 0 && annotation(set, DESIRED).is_some_and(|desired| desired != wanted)
        });
        self.mark_paused(paused);
        if paused || scaling {
            self.renew_revision();
            self.scale();
            self.write_status(false);
            return;
        }
        if self.new_set().is_none() {
            self.create_new_set();
        }
        self.renew_revision();
        rolling::roll(self);
        self.clean_up();
        self.write_status(true);
    }

    /// `spec.replicas`.
    fn wanted(&self) -> i64 {
        replicas(&self.deployment)
    }

    /// The place of the ReplicaSet of the current template.
    fn new_set(&self) -> Option<usize> {
        let template = &self.deployment["spec"]["template"];
        self.sets.iter().position(|set| {
            let mut own = set["spec"]["template"].clone();
            cut(&mut own, &["metadata", "labels", HASH]);
            own == *template
        })
    }

    /// The surge allowed, in pods.
    fn surge(&self) -> i64 {
        self.fraction("maxSurge", f64::ceil)
    }

    /// How many pods may be unavailable.
    fn unavailable(&self) -> i64 {
        let unavailable = self.fraction("maxUnavailable", f64::floor).min(self.wanted());
        if unavailable == 0 && self.surge() == 0 {
            1.min(self.wanted())
        } else {
            unavailable
        }
    }

    fn fraction(&self, field: &str, round: fn(f64) -> f64) -> i64 {
        let limit = &self.deployment["spec"]["strategy"]["rollingUpdate"][field];
        limit.as_str().map_or_else(
            || limit.as_i64().unwrap_or(0),
            |percent| {
                let percent: f64 = percent.trim_end_matches('%').parse().unwrap_or(0.0);
                round(percent * self.wanted() as f64 / 100.0) as i64
            },
        )
    }

    /// Scales a ReplicaSet and notes on it what the Deployment wants in all.
    fn resize(&mut self, at: usize, size: i64) {
        let (wanted, max) = (self.wanted(), self.wanted() + self.surge());
        let mut set = self.sets[at].clone();
        put(&mut set, &["spec", "replicas"], size.max(0).into());
        put(
            &mut set,
            &["metadata", "annotations", DESIRED],
            wanted.to_string().into(),
        );
        put(
            &mut set,
            &["metadata", "annotations", MAX],
            max.to_string().into(),
        );
        if set != self.sets[at]
            && let Some(written) = self.state.control(
                self.now,
                resources::plural("apps", "replicasets"),
                Part::Main,
                &set,
            )
        {
            self.sets[at] = written;
        }
    }

    fn create_new_set(&mut self) {
        let hash = hash(&self.deployment["spec"]["template"]);
        let name = format!("{}-{hash}", json::name(&self.deployment));
        let mut template = self.deployment["spec"]["template"].clone();
        put(&mut template, &["metadata", "labels", HASH], hash.as_str().into());
        let mut selector = self.deployment["spec"]["selector"].clone();
        put(&mut selector, &["matchLabels", HASH], hash.as_str().into());
        let size = rolling::new_size(self, None);
        let max = self.wanted() + self.surge();
        let mut set = json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {
                "name": name, "namespace": json::namespace(&self.deployment),
                "labels": template["metadata"]["labels"], "annotations": self.own_annotations(),
                "ownerReferences": [owner_reference(&self.deployment)],
            },
            "spec": {"replicas": size, "selector": selector, "template": template},
        });
        put(
            &mut set,
            &["metadata", "annotations", DESIRED],
            self.wanted().to_string().into(),
        );
        put(
            &mut set,
            &["metadata", "annotations", MAX],
            max.to_string().into(),
        );
        if let Some(least) = self.deployment["spec"].get("minReadySeconds") {
            put(&mut set, &["spec", "minReadySeconds"], least.clone());
        }
        let made = self
            .state
            .launch(self.now, resources::plural("apps", "replicasets"), set);
        if let Some(made) = made {
            let message = format!("Created new replica set {:?}", json::name(&made));
            self.sets.push(made);
            self.set_condition("Progressing", "True", "NewReplicaSetCreated", &message);
        }
    }

    /// The Deployment's annotations that its ReplicaSets carry too.
    fn own_annotations(&self) -> Map<String, Value> {
        let mut annotations = json::map(&self.deployment, "/metadata/annotations")
            .cloned()
            .unwrap_or_default();
        for key in [
            "kubectl.kubernetes.io/last-applied-configuration",
            REVISION,
            DESIRED,
            MAX,
        ] {
            annotations.remove(key);
        }
        annotations
    }

    /// The new ReplicaSet has the highest revision, and the Deployment says which it is.
    fn renew_revision(&mut self) {
        let Some(new) = self.new_set() else { return };
        let revision = |set: &Value| {
            annotation(set, REVISION)
                .and_then(|r| r.parse().ok())
                .unwrap_or(0_i64)
        };
        let others = self
            .sets
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != new)
            .map(|(_, set)| revision(set));
        let next = others.max().unwrap_or(0) + 1;
        let mut set = self.sets[new].clone();
        for (key, value) in self.own_annotations() {
            put(&mut set, &["metadata", "annotations", &key], value);
        }
        if revision(&set) < next {
            put(
                &mut set,
                &["metadata", "annotations", REVISION],
                next.to_string().into(),
            );
        }
        if set != self.sets[new]
            && let Some(written) = self.state.control(
                self.now,
                resources::plural("apps", "replicasets"),
                Part::Main,
                &set,
            )
        {
            self.sets[new] = written;
        }
        let shown = annotation(&self.sets[new], REVISION)
            .unwrap_or_default()
            .to_owned();
        put(
            &mut self.deployment,
            &["metadata", "annotations", REVISION],
            shown.into(),
        );
    }

    /// Brings the ReplicaSets to the wanted sum without changing revisions.
    fn scale(&mut self) {
        let wanted = self.wanted();
        let active: Vec<usize> = (0..self.sets.len())
            .filter(|i| replicas(&self.sets[*i]) > 0)
            .collect();
        let only = match active.as_slice() {
            [] => self.new_set().or_else(|| self.newest()),
            [one] => Some(*one),
            _ => None,
        };
        if let Some(only) = only {
            if replicas(&self.sets[only]) != wanted {
                self.resize(only, wanted);
            }
        } else if self.new_set().is_some_and(|new| self.saturated(new)) {
            let new = self.new_set();
            for i in active.into_iter().filter(|i| Some(*i) != new) {
                self.resize(i, 0);
            }
        } else if text(&self.deployment, "/spec/strategy/type") == "RollingUpdate" {
            self.spread(active);
        }
    }

    fn newest(&self) -> Option<usize> {
        (0..self.sets.len()).max_by_key(|i| text(&self.sets[*i], "/metadata/creationTimestamp"))
    }

    fn saturated(&self, set: usize) -> bool {
        let (set, wanted) = (&self.sets[set], self.wanted());
        replicas(set) == wanted
            && annotation(set, DESIRED) == Some(wanted.to_string().as_str())
            && count(set, "availableReplicas") == wanted
    }

    /// Spreads a change over the active ReplicaSets in proportion to their sizes.
    fn spread(&mut self, mut active: Vec<usize>) {
        let wanted = self.wanted();
        let allowed = if wanted > 0 { wanted + self.surge() } else { 0 };
        let add = allowed - active.iter().map(|i| replicas(&self.sets[*i])).sum::<i64>();
        let born = |i: &usize| text(&self.sets[*i], "/metadata/creationTimestamp").to_owned();
        if add > 0 {
            active.sort_by_key(|i| (replicas(&self.sets[*i]), born(i)));
            active.reverse();
        } else if add < 0 {
            active.sort_by_key(|i| (Reverse(replicas(&self.sets[*i])), born(i)));
        }
        let mut added = 0;
        let mut sizes = Vec::new();
        for i in &active {
            let part = self.proportion(*i, add, added);
            sizes.push(replicas(&self.sets[*i]) + part);
            added += part;
        }
        if let Some(largest) = sizes.first_mut().filter(|_| add != 0) {
            *largest = (*largest + add - added).max(0);
        }
        for (i, size) in active.into_iter().zip(sizes) {
            self.resize(i, size);
        }
    }

    fn proportion(&self, at: usize, add: i64, added: i64) -> i64 {
        let (set, size) = (&self.sets[at], replicas(&self.sets[at]));
        if size == 0 || add == 0 || add == added {
            return 0;
        }
        let wanted = self.wanted();
        let before = annotation(set, MAX)
            .and_then(|max| max.parse().ok())
            .unwrap_or_else(|| count(&self.deployment, "replicas"));
        let fraction = if wanted == 0 {
            -size
        } else if before == 0 {
            0
        } else {
            let new = (size * (wanted + self.surge())) as f64 / before as f64;
            new.round() as i64 - size
        };
        if add > 0 {
            fraction.min(add - added)
        } else {
            fraction.max(add - added)
        }
    }

    /// Removes the oldest empty ReplicaSets beyond `revisionHistoryLimit`, once the roll is complete.
    fn clean_up(&mut self) {
        let limit = json::int(&self.deployment, "/spec/revisionHistoryLimit").unwrap_or(10);
        let new = self.new_set();
        if !self.complete() {
            return;
        }
        let mut empty: Vec<&Value> = self
            .sets
            .iter()
            .enumerate()
            .filter(|(i, set)| Some(*i) != new && replicas(set) == 0 && count(set, "replicas") == 0)
            .map(|(_, set)| set)
            .collect();
        empty.sort_by_key(|set| {
            annotation(set, REVISION)
                .and_then(|r| r.parse::<i64>().ok())
                .unwrap_or(0)
        });
        let surplus = empty.len().saturating_sub(limit.max(0) as usize);
        for set in empty.into_iter().take(surplus) {
            self.state.discard(
                self.now,
                resources::plural("apps", "replicasets"),
                set,
                &json!({}),
            );
        }
    }
}

/// The value of an annotation.
fn annotation<'a>(object: &'a Value, key: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(key)?.as_str()
}

/// A name for a template: equal for equal templates.
fn hash(template: &Value) -> String {
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut state: u32 = 0x811c_9dc5;
    for byte in template.to_string().bytes() {
        state = (state ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }
    state
        .to_string()
        .bytes()
        .map(|digit| ALPHABET[digit as usize % ALPHABET.len()] as char)
        .collect()
}

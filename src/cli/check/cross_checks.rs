//! What only shows when objects are seen side by side, and what is allowed but hardly meant. The API server accepts these:
//! so they are warnings, and the exit status stays.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::render::json::text;

/// The objects seen so far, by what others of them refer to.
#[derive(Debug, Default)]
pub(super) struct Together {
    /// Rollouts by namespace and workload.
    workloads: BTreeMap<(String, String), String>,
    /// Allowed namespaces by name of the MetricProvider.
    providers: BTreeMap<String, Vec<String>>,
    /// Rollouts that name a provider: place, namespace, provider.
    users: Vec<(String, String, String)>,
}

/// A bake without a baseline is allowed, and sees less than its user may think.
fn alone(object: &Value) -> Option<String> {
    let share = object.pointer("/spec/analysis/baseline/bakeShare")?.as_i64()?;
    (share == 0).then(|| {
        "spec.analysis.baseline.bakeShare: with 0 nothing runs beside the candidate in the bake, and only what is far worse \
         than the past takes it back there: 5 keeps the comparison"
            .to_owned()
    })
}

impl Together {
    /// Takes note of a valid object, and warns when an earlier one stands in its way, or it sees less than it could.
    pub(super) fn add(&mut self, place: &str, object: &Value) -> Option<String> {
        match text(object, "/kind") {
            "Rollout" => {
                let clash = self.rollout(place, object);
                let warnings: Vec<String> = clash.into_iter().chain(alone(object)).collect();
                (!warnings.is_empty()).then(|| warnings.join("; "))
            }
            "MetricProvider" => {
                let allowed = object
                    .pointer("/spec/allowedNamespaces")
                    .and_then(Value::as_array);
                let names = allowed
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned);
                self.providers
                    .insert(text(object, "/metadata/name").to_owned(), names.collect());
                None
            }
            _ => None,
        }
    }

    fn rollout(&mut self, place: &str, object: &Value) -> Option<String> {
        let namespace = text(object, "/metadata/namespace").to_owned();
        let provider = text(object, "/spec/analysis/provider").to_owned();
        self.users.push((place.to_owned(), namespace.clone(), provider));
        let name = text(object, "/metadata/name").to_owned();
        let workload = text(object, "/spec/workload/name").to_owned();
        let first = self
            .workloads
            .entry((namespace, workload))
            .or_insert_with(|| name.clone());
        (*first != name).then(|| {
            format!("spec.workload.name: Rollout {first} has the same workload: the later of the two is refused, remove one")
        })
    }

    /// Rollouts whose provider is among the objects and does not allow their namespace: place and warning. Where no
    /// namespace is written, nobody knows it yet.
    pub(super) fn finish(&self) -> Vec<(&str, String)> {
        let mut warnings = Vec::new();
        for (place, namespace, provider) in &self.users {
            let Some(allowed) = self.providers.get(provider) else {
                continue;
            };
            if !namespace.is_empty() && !allowed.iter().any(|name| name == "*" || name == namespace) {
                let remedy = format!("add {namespace} to its allowedNamespaces");
                let what = format!("MetricProvider {provider} does not allow this namespace: {remedy}");
                warnings.push((place.as_str(), format!("spec.analysis.provider: {what}")));
            }
        }
        warnings
    }
}

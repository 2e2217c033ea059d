//! The one label that tells the candidate's pods from the stable ones, wherever the template speaks of its own pods.

use serde_json::Value;

use crate::render::json::{entry, text};

/// A label whose value changes.
pub(super) struct Suffix<'a> {
    /// The key.
    pub key: &'a str,
    /// The value of the stable pods.
    pub own: &'a str,
    /// The value of the candidate's pods.
    pub suffixed: &'a str,
}

/// Where a pod's spec names terms with a label selector, and where the selector is in each.
const TERMS: [(&str, &str); 5] = [
    (
        "/spec/affinity/podAffinity/requiredDuringSchedulingIgnoredDuringExecution",
        "/labelSelector",
    ),
    (
        "/spec/affinity/podAffinity/preferredDuringSchedulingIgnoredDuringExecution",
        "/podAffinityTerm/labelSelector",
    ),
    (
        "/spec/affinity/podAntiAffinity/requiredDuringSchedulingIgnoredDuringExecution",
        "/labelSelector",
    ),
    (
        "/spec/affinity/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution",
        "/podAffinityTerm/labelSelector",
    ),
    ("/spec/topologySpreadConstraints", "/labelSelector"),
];

impl Suffix<'_> {
    /// Changes the pods' label and the selectors by which the pods name themselves. Selectors of other pods' values
    /// stay: an affinity to a cache is still one to the cache.
    pub(super) fn template(&self, template: &mut Value) {
        if let Some(fields) = template.as_object_mut()
            && let Some(labels) = entry(fields, "metadata").and_then(|metadata| entry(metadata, "labels"))
        {
            labels.insert(self.key.to_owned(), self.suffixed.into());
        }
        for (terms, selector) in TERMS {
            let terms = template.pointer_mut(terms).and_then(Value::as_array_mut);
            for term in terms.into_iter().flatten() {
                if let Some(selector) = term.pointer_mut(selector) {
                    self.selector(selector);
                }
            }
        }
    }

    /// Changes a LabelSelector where it names the stable value.
    pub(super) fn selector(&self, selector: &mut Value) {
        if let Some(labels) = selector.get_mut("matchLabels") {
            self.labels(labels);
        }
        let expressions = selector.get_mut("matchExpressions").and_then(Value::as_array_mut);
        for expression in expressions.into_iter().flatten() {
            if text(expression, "/key") != self.key || text(expression, "/operator") != "In" {
                continue;
            }
            let values = expression.get_mut("values").and_then(Value::as_array_mut);
            for value in values.into_iter().flatten() {
                self.value(value);
            }
        }
    }

    /// Changes a map of labels where it names the stable value.
    pub(super) fn labels(&self, labels: &mut Value) {
        if let Some(value) = labels.as_object_mut().and_then(|labels| labels.get_mut(self.key)) {
            self.value(value);
        }
    }

    fn value(&self, value: &mut Value) {
        if value.as_str() == Some(self.own) {
            *value = self.suffixed.into();
        }
    }
}

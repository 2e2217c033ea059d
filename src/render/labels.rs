//! Label selectors, as the API server matches them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::json::{list, map, text};

/// Labels of an object.
pub type Labels = BTreeMap<String, String>;

/// The labels at `pointer`.
pub fn at(object: &Value, pointer: &str) -> Labels {
    map(object, pointer)
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// Whether a map of labels (a Service's selector) matches. An empty one selects nothing: Kubernetes then leaves the
/// endpoints to others.
pub fn map_matches(selector: &Labels, labels: &Labels) -> bool {
    !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}

/// Whether a LabelSelector (`matchLabels`, `matchExpressions`) matches. An empty one selects everything, none at all
/// nothing, and one with an operator that is not known is taken to match, which is the safe side of an overlap.
pub fn selector_matches(selector: Option<&Value>, labels: &Labels) -> bool {
    let Some(selector) = selector.filter(|selector| selector.is_object()) else {
        return false;
    };
    let equal = at(selector, "/matchLabels")
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value));
    equal
        && list(selector, "/matchExpressions")
            .iter()
            .all(|expression| holds(expression, labels))
}

fn holds(expression: &Value, labels: &Labels) -> bool {
    let value = labels.get(text(expression, "/key"));
    let named = || {
        value.is_some_and(|value| {
            list(expression, "/values")
                .iter()
                .any(|one| one.as_str() == Some(value))
        })
    };
    match text(expression, "/operator") {
        "In" => named(),
        "NotIn" => !named(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn labels() -> Labels {
        at(&json!({"app": "web", "tier": "front"}), "")
    }

    #[test]
    fn a_services_selector() {
        for (selector, matches) in [
            (json!({"app": "web"}), true),
            (json!({"app": "web", "tier": "front"}), true),
            (json!({"app": "web", "tier": "back"}), false),
            (json!({"zone": "a"}), false),
            (json!({}), false),
        ] {
            assert_eq!(map_matches(&at(&selector, ""), &labels()), matches, "{selector}");
        }
    }

    #[test]
    fn a_label_selector() {
        let expression = |operator: &str, key: &str, values: &[&str]| json!({"matchExpressions": [{"key": key, "operator": operator, "values": values}]});
        for (selector, matches) in [
            (json!({}), true),
            (json!({"matchLabels": {"app": "web"}}), true),
            (json!({"matchLabels": {"app": "other"}}), false),
            (expression("In", "app", &["a", "web"]), true),
            (expression("In", "app", &["a"]), false),
            (expression("In", "zone", &["a"]), false),
            (expression("NotIn", "app", &["a"]), true),
            (expression("NotIn", "app", &["web"]), false),
            (expression("NotIn", "zone", &["a"]), true),
            (expression("Exists", "app", &[]), true),
            (expression("Exists", "zone", &[]), false),
            (expression("DoesNotExist", "zone", &[]), true),
            (expression("DoesNotExist", "app", &[]), false),
            (expression("Newer", "app", &[]), true),
        ] {
            assert_eq!(
                selector_matches(Some(&selector), &labels()),
                matches,
                "{selector}"
            );
        }
        assert!(!selector_matches(None, &labels()));
        assert!(!selector_matches(Some(&Value::Null), &labels()));
    }
}

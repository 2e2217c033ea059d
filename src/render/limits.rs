//! What the pods of a template may use at most.

use serde_json::Value;

use super::json::list;
use crate::api::Quantity;

/// The limit of a pod of `template` for a resource such as `cpu` or `memory`, in cores or bytes: that of the pod, or the
/// sum of its containers' (those that start before the others and stay are among them). `None` where one of them has
/// none: then the pod has no limit of its own.
pub fn of(template: &Value, resource: &str) -> Option<f64> {
    let limit = |holder: &Value| -> Option<f64> {
        let limit = holder.pointer("/resources/limits")?.get(resource)?;
        let text = limit.as_str().map_or_else(|| limit.to_string(), str::to_owned);
        let quantity: Quantity = text.parse().ok()?;
        Some(quantity.value()).filter(|value| *value > 0.0)
    };
    let spec = template.get("spec")?;
    if let Some(whole) = limit(spec) {
        return Some(whole);
    }
    let stays = |container: &&Value| container.get("restartPolicy").is_some_and(|it| it == "Always");
    let init = list(spec, "/initContainers").iter().filter(stays);
    let holders: Vec<&Value> = list(spec, "/containers").iter().chain(init).collect();
    if holders.is_empty() {
        return None;
    }
    holders.into_iter().map(limit).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn containers_add_up_and_one_without_a_limit_leaves_none() {
        let limits = |cpu: Value| json!({"resources": {"limits": {"cpu": cpu}}});
        let two = json!({"spec": {"containers": [limits(json!("500m")), limits(json!(1))]}});
        assert_eq!(of(&two, "cpu"), Some(1.5));
        assert_eq!(of(&two, "memory"), None);
        let sidecar = json!({"spec": {
            "containers": [limits(json!("500m"))],
            "initContainers": [limits(json!("9")), {"restartPolicy": "Always"}],
        }});
        assert_eq!(of(&sidecar, "cpu"), None);
        let whole = json!({"spec": {"resources": {"limits": {"cpu": "2"}}, "containers": [{}]}});
        assert_eq!(of(&whole, "cpu"), Some(2.0));
        assert_eq!(of(&json!({}), "cpu"), None);
    }
}

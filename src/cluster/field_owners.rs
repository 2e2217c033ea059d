//! Who else writes a route: the little of `metadata.managedFields` that tells.

use serde_json::{Value, json};

use crate::render::json::{list, text};
use crate::render::names::FIELD_MANAGER;

/// Keeps of `managedFields` only who owns the rules, and since when.
pub(super) fn keep(route: &mut Value) {
    let Some(all) = route.pointer_mut("/metadata/managedFields") else {
        return;
    };
    let owners = all.as_array().into_iter().flatten();
    let owners = owners.filter(|entry| entry.pointer("/fieldsV1/f:spec/f:rules").is_some());
    let owners: Vec<Value> = owners
        .map(|entry| json!({"manager": entry["manager"], "time": entry["time"]}))
        .collect();
    *all = owners.into();
}

/// Who has changed the rules of `route`, as the cache has it, since Serin wrote them; `None`: nobody has.
pub fn since_ours(route: &Value) -> Option<&str> {
    let owners = || list(route, "/metadata/managedFields").iter();
    let manager = |entry: &'_ Value| text(entry, "/manager") == FIELD_MANAGER;
    if owners().any(manager) {
        return None;
    }
    let newest = owners().max_by_key(|entry| text(entry, "/time"));
    Some(newest.map_or("", |entry| text(entry, "/manager")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(owners: &[(&str, &str, &str)]) -> Value {
        let entry = |(manager, field, time): &(&str, &str, &str)| json!({"manager": manager, "operation": "Update", "time": time, "fieldsV1": {"f:spec": {*field: {}}}});
        let mut route = json!({"metadata": {"managedFields": owners.iter().map(entry).collect::<Vec<_>>()}});
        keep(&mut route);
        route
    }

    #[test]
    fn the_newest_owner_of_the_rules_has_changed_them_unless_serin_is_one() {
        let contour = ("contour", "f:hostnames", "2026-01-01T00:00:09Z");
        let ours = ("serin", "f:rules", "2026-01-01T00:00:03Z");
        let argo = ("argocd-controller", "f:rules", "2026-01-01T00:00:05Z");
        let old = ("kubectl-edit", "f:rules", "2026-01-01T00:00:04Z");
        assert_eq!(
            since_ours(&route(&[contour, old, argo])),
            Some("argocd-controller")
        );
        assert_eq!(since_ours(&route(&[contour, argo, ours])), None);
        assert_eq!(since_ours(&route(&[contour])), Some(""));
        assert_eq!(since_ours(&json!({})), Some(""));
    }
}

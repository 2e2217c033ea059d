use serde_json::json;

use super::*;

fn route() -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": "checkout", "generation": 3},
        "spec": {"parentRefs": [{"name": "public"}]},
    })
}

fn entry(parent: &Value, generation: i64, accepted: &str, resolved: &str) -> Value {
    let condition = |kind: &str, status: &str| json!({"type": kind, "status": status, "observedGeneration": generation, "reason": "Because", "message": "so"});
    json!({"parentRef": parent, "controllerName": "example.com/gateway",
           "conditions": [condition("Accepted", accepted), condition("ResolvedRefs", resolved)]})
}

#[test]
fn acceptance_needs_every_parent_at_the_present_generation() {
    let full = json!({"group": "gateway.networking.k8s.io", "kind": "Gateway", "namespace": "shop", "name": "public"});
    let other = json!({"name": "other"});
    let pending = Acceptance::Pending("Gateway public has not answered yet".into());
    let refused = Acceptance::Refused("Gateway public: so (Because)".into());
    for (entries, expected) in [
        (vec![], pending.clone()),
        (vec![entry(&full, 3, "True", "True")], Acceptance::Accepted),
        (vec![entry(&full, 4, "True", "True")], Acceptance::Accepted),
        (vec![entry(&full, 2, "True", "True")], pending.clone()),
        (vec![entry(&full, 3, "False", "True")], refused.clone()),
        (
            vec![entry(&full, 3, "True", "False")],
            Acceptance::Unresolved("Gateway public: so (Because)".into()),
        ),
        (vec![entry(&full, 3, "Unknown", "False")], refused.clone()),
        (vec![entry(&full, 3, "True", "Unknown")], pending.clone()),
        (vec![entry(&other, 3, "True", "True")], pending.clone()),
        // Another controller's entry that stayed behind says nothing.
        (
            vec![entry(&full, 1, "False", "False"), entry(&full, 3, "True", "True")],
            Acceptance::Accepted,
        ),
        (
            vec![entry(&full, 3, "True", "True"), entry(&full, 3, "False", "True")],
            refused.clone(),
        ),
    ] {
        let mut route = route();
        route["status"] = json!({"parents": entries});
        assert_eq!(acceptance(&route), expected, "{entries:?}");
    }
}

#[test]
fn each_of_several_parents_must_accept() {
    let mut route = route();
    let (one, two) = (
        json!({"name": "public", "sectionName": "https"}),
        json!({"name": "public", "sectionName": "http"}),
    );
    route["spec"]["parentRefs"] = json!([one, two]);
    route["status"] = json!({"parents": [entry(&one, 3, "True", "True")]});
    assert_eq!(
        acceptance(&route),
        Acceptance::Pending("Gateway public (http) has not answered yet".into())
    );
    route["status"] = json!({"parents": [entry(&one, 3, "True", "True"), entry(&two, 3, "True", "True")]});
    assert_eq!(acceptance(&route), Acceptance::Accepted);
    route["spec"]["parentRefs"] = json!([]);
    assert!(matches!(acceptance(&route), Acceptance::Refused(_)));
}

use serde_json::json;

use super::*;

pub(super) const STAMP: &str = "lease/7";
pub(super) const ARMS: Arms<'static> = Arms {
    stable: "checkout",
    workload: "checkout",
};
pub(super) const CANDIDATE: &str = "checkout-canary-bcdfghjklm";
const OLDER: &str = "checkout-canary-zzzzzzzzzz";

fn backend(name: &str, weight: Option<u64>) -> Value {
    let mut backend = json!({"group": "", "kind": "Service", "name": name, "port": 80});
    if let Some(weight) = weight {
        backend["weight"] = weight.into();
    }
    backend
}

pub(super) fn route(rules: &[&[(&str, Option<u64>)]]) -> Value {
    let rules: Vec<Value> = rules
        .iter()
        .map(|backends| {
            let backends: Vec<Value> = backends
                .iter()
                .map(|(name, weight)| backend(name, *weight))
                .collect();
            json!({"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends})
        })
        .collect();
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"namespace": "shop", "name": "checkout", "uid": "r-1", "resourceVersion": "41", "generation": 3},
        "spec": {"parentRefs": [{"name": "public"}], "rules": rules},
    })
}

/// What a server does with a patch, without its guard.
pub(super) fn patched(route: &Value, ops: Option<Vec<Value>>) -> Value {
    let mut route = route.clone();
    if let Some(ops) = ops {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(ops)).unwrap();
        json_patch::patch(&mut route, &patch).unwrap();
    }
    route
}

fn weights(route: &Value, rule: usize) -> Vec<(String, Option<u64>)> {
    list(&route["spec"]["rules"][rule], "/backendRefs")
        .iter()
        .map(|backend| {
            let weight = backend.get("weight").and_then(Value::as_u64);
            (text(backend, "/name").to_owned(), weight)
        })
        .collect()
}

pub(super) fn share(weight: u8) -> Share<'static> {
    Share {
        arms: ARMS,
        candidate: (weight > 0).then_some(CANDIDATE),
        weight: Weight::clamped(weight),
    }
}

#[track_caller]
fn check_weights(route: &Value, rule: usize, expected: &[(&str, u64)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, weight)| ((*name).to_owned(), Some(*weight)))
        .collect();
    assert_eq!(weights(route, rule), expected);
}

/// Weighs over all percents and back: what is seen is what was written, the rest of the route is untouched.
#[track_caller]
pub(super) fn check_round(before: &Value) {
    let originals = originals(before, &ARMS, &[]).unwrap();
    let mut now = before.clone();
    for weight in [10, 25, 80, 95, 100, 75, 50, 0, 1, 99, 0] {
        now = patched(&now, weigh(&now, &share(weight), &originals, STAMP).unwrap());
        let seen = seen(&now, &ARMS, &originals).unwrap();
        let weight = Weight::clamped(weight);
        assert_eq!((seen.weight, seen.highest), (Some(weight), weight), "{now:#}");
        assert!(seen.touched);
        let again = weigh(&now, &share(weight.percent()), &originals, STAMP).unwrap();
        assert_eq!(again, None, "the second time there is nothing to do");
        assert_eq!(self::originals(&now, &ARMS, &originals).unwrap(), originals);
    }
    let mut restored = patched(&now, restore(&now, &ARMS, &originals));
    if let Some(annotations) = restored["metadata"].get("annotations") {
        assert_eq!(annotations, &json!({}));
        restored["metadata"]
            .as_object_mut()
            .unwrap()
            .remove("annotations");
    }
    assert_eq!(&restored, before);
    assert_eq!(restore(before, &ARMS, &originals), None);
}

#[test]
fn a_plain_route_goes_up_and_comes_back_to_the_digit() {
    check_round(&route(&[&[("checkout", None)]]));
    check_round(&route(&[&[("checkout", Some(1))]]));
    check_round(&route(&[&[("checkout", Some(700))]]));
}

#[test]
fn every_rule_with_the_stable_service_is_managed_and_no_other() {
    let before = route(&[
        &[("checkout", Some(1))],
        &[("images", Some(1))],
        &[("checkout", None), ("legacy", Some(3))],
    ]);
    check_round(&before);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let now = patched(&before, weigh(&before, &share(10), &originals, STAMP).unwrap());
    check_weights(&now, 0, &[("checkout", 90), (CANDIDATE, 10)]);
    check_weights(&now, 2, &[("checkout", 90), (CANDIDATE, 10), ("legacy", 300)]);
    assert_eq!(now["spec"]["rules"][1], before["spec"]["rules"][1]);
    assert_eq!(now["metadata"]["annotations"]["serin.dev/stamp"], STAMP);
}

#[test]
fn foreign_backends_keep_their_shares_exactly() {
    let before = route(&[&[("legacy", Some(30)), ("checkout", Some(60)), ("beta", Some(10))]]);
    check_round(&before);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let now = patched(&before, weigh(&before, &share(25), &originals, STAMP).unwrap());
    // 30 : 60 : 10 is 3 : 6 : 1; a quarter of the 6 goes to the candidate.
    check_weights(
        &now,
        0,
        &[
            ("legacy", 300),
            ("checkout", 450),
            (CANDIDATE, 150),
            ("beta", 100),
        ],
    );
}

#[test]
fn the_candidates_backend_is_a_copy_with_port_and_filters() {
    let mut before = route(&[&[("checkout", None)]]);
    before["spec"]["rules"][0]["backendRefs"][0]["port"] = json!(8443);
    before["spec"]["rules"][0]["backendRefs"][0]["filters"] = json!([{"type": "RequestHeaderModifier"}]);
    check_round(&before);
    let now = patched(&before, weigh(&before, &share(10), &[], STAMP).unwrap());
    assert_eq!(
        now["spec"]["rules"][0]["backendRefs"][1],
        json!({"group": "", "kind": "Service", "name": CANDIDATE, "port": 8443, "weight": 10,
               "filters": [{"type": "RequestHeaderModifier"}]})
    );
}

#[test]
fn a_patch_begins_with_the_version_and_tests_the_names() {
    let before = route(&[&[("checkout", None)]]);
    let ops = weigh(&before, &share(10), &[], STAMP).unwrap().unwrap();
    assert_eq!(
        ops[0],
        json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "41"})
    );
    assert_eq!(
        ops[1],
        json!({"op": "test", "path": "/metadata/uid", "value": "r-1"})
    );
    assert_eq!(
        ops[2],
        json!({"op": "test", "path": "/spec/rules/0/backendRefs/0/name", "value": "checkout"})
    );
}

#[test]
fn a_backend_of_another_kind_or_namespace_is_foreign() {
    let mut before = route(&[&[
        ("checkout", Some(1)),
        ("checkout", Some(1)),
        ("checkout", Some(1)),
    ]]);
    before["spec"]["rules"][0]["backendRefs"][1]["namespace"] = json!("other");
    before["spec"]["rules"][0]["backendRefs"][2]["kind"] = json!("Bucket");
    before["spec"]["rules"][0]["backendRefs"][0]["namespace"] = json!("shop");
    check_round(&before);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let now = patched(&before, weigh(&before, &share(10), &originals, STAMP).unwrap());
    check_weights(
        &now,
        0,
        &[
            ("checkout", 90),
            (CANDIDATE, 10),
            ("checkout", 100),
            ("checkout", 100),
        ],
    );
}

#[test]
fn a_reset_by_a_gitops_tool_is_put_right_and_its_new_weights_become_the_originals() {
    let before = route(&[&[("checkout", Some(1)), ("legacy", Some(1))]]);
    let first = originals(&before, &ARMS, &[]).unwrap();
    let reset = route(&[&[("checkout", Some(1)), ("legacy", Some(3))]]);
    let seen = seen(&reset, &ARMS, &first).unwrap();
    assert_eq!((seen.weight, seen.touched), (Some(Weight::NONE), false));
    let second = originals(&reset, &ARMS, &first).unwrap();
    assert_eq!(second[1].weight, Some(3));
    let now = patched(&reset, weigh(&reset, &share(10), &second, STAMP).unwrap());
    check_weights(&now, 0, &[("checkout", 90), (CANDIDATE, 10), ("legacy", 300)]);
}

#[test]
fn weights_that_a_person_has_set_are_seen_as_drift() {
    let drifted = route(&[&[("checkout", Some(50)), (CANDIDATE, Some(50)), ("legacy", Some(7))]]);
    let originals = originals(&route(&[&[("checkout", None), ("legacy", Some(3))]]), &ARMS, &[]).unwrap();
    let seen = seen(&drifted, &ARMS, &originals).unwrap();
    assert_eq!((seen.weight, seen.highest), (None, Weight::clamped(50)));
    let now = patched(&drifted, weigh(&drifted, &share(10), &originals, STAMP).unwrap());
    check_weights(&now, 0, &[("checkout", 90), (CANDIDATE, 10), ("legacy", 300)]);
}

#[test]
fn rules_that_disagree_have_no_weight_and_the_highest_counts() {
    let now = route(&[
        &[("checkout", Some(90)), (CANDIDATE, Some(10))],
        &[("checkout", Some(2)), (CANDIDATE, Some(1))],
    ]);
    let seen = seen(&now, &ARMS, &[]).unwrap();
    // 33.3 % is not more than 34 %.
    assert_eq!((seen.weight, seen.highest), (None, Weight::clamped(34)));
}

#[test]
fn a_rule_that_was_moved_keeps_its_originals() {
    let before = route(&[&[("checkout", Some(5)), ("legacy", Some(3))]]);
    let kept = originals(&before, &ARMS, &[]).unwrap();
    let mut moved = patched(&before, weigh(&before, &share(10), &kept, STAMP).unwrap());
    let rule = json!({"backendRefs": [backend("images", Some(1))]});
    moved["spec"]["rules"]
        .as_array_mut()
        .unwrap()
        .insert(0, rule.clone());
    let restored = patched(&moved, restore(&moved, &ARMS, &kept));
    assert_eq!(restored["spec"]["rules"][0], rule);
    check_weights(&restored, 1, &[("checkout", 5), ("legacy", 3)]);
    assert_eq!(originals(&moved, &ARMS, &kept).unwrap()[0].rule, 1);
}

#[test]
fn without_originals_the_shares_are_kept() {
    let now = route(&[&[
        ("checkout", Some(90)),
        (CANDIDATE, Some(10)),
        ("legacy", Some(300)),
    ]]);
    let restored = patched(&now, restore(&now, &ARMS, &[]));
    check_weights(&restored, 0, &[("checkout", 100), ("legacy", 300)]);
    let alone = route(&[&[("checkout", Some(0)), (CANDIDATE, Some(100))]]);
    let restored = patched(&alone, restore(&alone, &ARMS, &[]));
    assert_eq!(weights(&restored, 0), [("checkout".to_owned(), None)]);
}

#[test]
fn originals_of_another_object_of_the_name_do_not_count() {
    let before = route(&[&[("checkout", Some(5)), ("legacy", Some(3))]]);
    let mut kept = originals(&before, &ARMS, &[]).unwrap();
    for original in &mut kept {
        original.uid = "r-0".into();
    }
    let now = route(&[&[
        ("checkout", Some(90)),
        (CANDIDATE, Some(10)),
        ("legacy", Some(60)),
    ]]);
    let restored = patched(&now, restore(&now, &ARMS, &kept));
    check_weights(&restored, 0, &[("checkout", 100), ("legacy", 60)]);
}

#[test]
fn a_candidate_that_a_person_took_out_leaves_our_weights_to_be_put_right() {
    let before = route(&[&[("checkout", Some(1)), ("legacy", Some(1))]]);
    let kept = originals(&before, &ARMS, &[]).unwrap();
    let now = route(&[&[("checkout", Some(90)), ("legacy", Some(100))]]);
    assert!(seen(&now, &ARMS, &kept).unwrap().touched);
    let restored = patched(&now, restore(&now, &ARMS, &kept));
    assert_eq!(restored["spec"], before["spec"]);
}

#[test]
fn a_rule_that_lost_the_stable_service_never_ends_without_backends() {
    let now = route(&[&[(CANDIDATE, Some(10))]]);
    let seen = seen(&now, &ARMS, &[]).unwrap();
    assert_eq!((seen.weight, seen.highest), (None, Weight::FULL));
    let restored = patched(&now, restore(&now, &ARMS, &[]));
    assert_eq!(weights(&restored, 0), [("checkout".to_owned(), None)]);
    let drained = patched(&now, weigh(&now, &share(0), &[], STAMP).unwrap());
    assert_eq!(weights(&drained, 0), [("checkout".to_owned(), None)]);
}

#[test]
fn a_candidate_can_be_named_before_it_gets_a_share() {
    let before = route(&[&[("checkout", Some(3)), ("legacy", Some(1))]]);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let name = Share {
        candidate: Some(CANDIDATE),
        ..share(0)
    };
    let named = patched(&before, weigh(&before, &name, &originals, STAMP).unwrap());
    check_weights(&named, 0, &[("checkout", 300), (CANDIDATE, 0), ("legacy", 100)]);
    let seen = seen(&named, &ARMS, &originals).unwrap();
    assert_eq!((seen.weight, seen.touched), (Some(Weight::NONE), true));
    assert_eq!(weigh(&named, &name, &originals, STAMP), Ok(None));
    assert_eq!(
        patched(&named, restore(&named, &ARMS, &originals))["spec"],
        before["spec"]
    );
}

#[test]
fn a_candidate_of_an_older_revision_gives_way() {
    let now = route(&[&[("checkout", Some(90)), (OLDER, Some(10))]]);
    let next = patched(&now, weigh(&now, &share(25), &[], STAMP).unwrap());
    check_weights(&next, 0, &[("checkout", 75), (CANDIDATE, 25)]);
    let drained = patched(&now, weigh(&now, &share(0), &[], STAMP).unwrap());
    check_weights(&drained, 0, &[("checkout", 100), (OLDER, 0)]);
}

#[test]
fn routes_that_cannot_be_managed_are_refused_at_rest_and_drained_in_need() {
    let refused = |route: &Value| seen(route, &ARMS, &[]).unwrap_err();
    assert_eq!(
        refused(&route(&[&[("images", None)]])).reason,
        ROUTE_WITHOUT_SERVICE
    );
    assert_eq!(refused(&route(&[])).reason, ROUTE_WITHOUT_SERVICE);
    assert_eq!(
        refused(&route(&[&[("checkout", Some(0)), ("b", Some(1))]])).reason,
        ROUTE_WITHOUT_SERVICE
    );
    let large = route(&[&[("checkout", Some(1)), ("legacy", Some(10_001))]]);
    assert_eq!(refused(&large).reason, ROUTE_WEIGHTS);
    assert!(
        refused(&large)
            .message
            .contains("HTTPRoute shop/checkout spec.rules[0]")
    );
    assert!(weigh(&large, &share(10), &[], STAMP).is_err());
    assert_eq!(weigh(&large, &share(0), &[], STAMP), Ok(None));
    check_round(&route(&[&[("checkout", Some(1)), ("legacy", Some(10_000))]]));
    check_round(&route(&[&[
        ("checkout", Some(500_000)),
        ("legacy", Some(1_000_000)),
    ]]));
}

#[test]
fn a_rule_where_the_stable_service_has_no_share_is_left_alone() {
    let before = route(&[
        &[("checkout", Some(0)), ("legacy", Some(1))],
        &[("checkout", None)],
    ]);
    check_round(&before);
    let now = patched(&before, weigh(&before, &share(10), &[], STAMP).unwrap());
    assert_eq!(now["spec"]["rules"][0], before["spec"]["rules"][0]);
}

#[test]
fn a_stamp_alone_is_a_trace_to_be_removed() {
    let mut stamped = route(&[&[("checkout", None)]]);
    stamped["metadata"]["annotations"] = json!({"serin.dev/stamp": STAMP, "other": "x"});
    let only = seen(&stamped, &ARMS, &[]).unwrap();
    assert_eq!((only.touched, only.ruled, only.named), (true, false, false));
    let restored = patched(&stamped, restore(&stamped, &ARMS, &[]));
    assert_eq!(restored["metadata"]["annotations"], json!({"other": "x"}));
}

#[test]
fn two_routes_agree_or_not() {
    let one = Seen {
        weight: Some(Weight::clamped(10)),
        highest: Weight::clamped(10),
        touched: true,
        ruled: true,
        named: true,
    };
    let other = Seen {
        weight: Some(Weight::NONE),
        highest: Weight::NONE,
        touched: false,
        ruled: false,
        named: false,
    };
    assert_eq!(one.and(one), one);
    let both = one.and(other);
    assert_eq!((both.weight, both.named, both.ruled), (None, false, true));
}

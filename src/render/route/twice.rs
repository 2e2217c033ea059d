//! The stable Service several times in a rule: by two ports, or with filters that differ.

use super::tests::{ARMS, CANDIDATE, STAMP, check_round, patched, route, share};
use super::*;

fn doubled(weights: [u64; 2]) -> Value {
    let mut before = route(&[&[
        ("checkout", Some(weights[0])),
        ("legacy", Some(2)),
        ("checkout", Some(weights[1])),
    ]]);
    let backends = &mut before["spec"]["rules"][0]["backendRefs"];
    backends[2]["port"] = 9090.into();
    backends[2]["filters"] = serde_json::json!([{"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "variant", "value": "b"}]}}]);
    before
}

/// Name, port and weight of each backend.
fn backends(route: &Value) -> Vec<(String, u64, u64)> {
    let of = |backend: &Value, field: &str| backend[field].as_u64().unwrap_or(1);
    list(&route["spec"]["rules"][0], "/backendRefs")
        .iter()
        .map(|it| (text(it, "/name").to_owned(), of(it, "port"), of(it, "weight")))
        .collect()
}

#[test]
fn each_entry_gives_the_candidate_a_share_of_its_own() {
    let before = doubled([1, 3]);
    check_round(&before);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let now = patched(&before, weigh(&before, &share(10), &originals, STAMP).unwrap());
    let of = |name: &str, port, weight| (name.to_owned(), port, weight);
    let wanted = [
        of("checkout", 80, 90),
        of(CANDIDATE, 80, 10),
        of("legacy", 80, 200),
        of("checkout", 9090, 270),
        of(CANDIDATE, 9090, 30),
    ];
    assert_eq!(backends(&now), wanted);
    assert_eq!(
        now["spec"]["rules"][0]["backendRefs"][4]["filters"],
        before["spec"]["rules"][0]["backendRefs"][2]["filters"]
    );
}

/// A port that has no share is switched off: the candidate is not to be asked there.
#[test]
fn an_entry_without_a_share_gives_the_candidate_none() {
    let before = doubled([0, 1]);
    check_round(&before);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let now = patched(&before, weigh(&before, &share(25), &originals, STAMP).unwrap());
    let candidates: Vec<_> = backends(&now)
        .into_iter()
        .filter(|it| it.0 == CANDIDATE)
        .collect();
    assert_eq!(candidates, [(CANDIDATE.to_owned(), 9090, 25)]);
}

/// The sum may be right and the shares not: that is no weight of ours.
#[test]
fn shares_that_somebody_has_moved_between_the_entries_are_seen() {
    let before = doubled([1, 3]);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let mut now = patched(&before, weigh(&before, &share(10), &originals, STAMP).unwrap());
    now["spec"]["rules"][0]["backendRefs"][1]["weight"] = 30.into();
    now["spec"]["rules"][0]["backendRefs"][4]["weight"] = 10.into();
    let moved = seen(&now, &ARMS, &originals).unwrap();
    assert_eq!((moved.weight, moved.highest), (None, Weight::clamped(10)));
}

/// Whatever the status does not know any more, each candidate holds what was its neighbour's.
#[test]
fn without_its_originals_each_entry_gets_back_what_its_candidate_has() {
    let before = doubled([1, 3]);
    let originals = originals(&before, &ARMS, &[]).unwrap();
    let now = patched(&before, weigh(&before, &share(80), &originals, STAMP).unwrap());
    let back = patched(&now, restore(&now, &ARMS, &[]));
    let weights: Vec<u64> = backends(&back).iter().map(|it| it.2).collect();
    assert_eq!(weights, [100, 200, 300]);
}

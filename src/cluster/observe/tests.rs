use super::*;
use crate::engine::observation::Route;
use serde_json::json;

const NAME: &str = "checkout-canary-v2";

/// A candidate of revision `v2` with one pod whose container's status is `status`.
fn snapshot(status: &Value) -> Snapshot {
    let labels = json!({names::REVISION: "v2"});
    Snapshot {
        candidates: vec![json!({"metadata": {"name": NAME, "labels": labels}, "spec": {"replicas": 1}})],
        candidate_services: vec![json!({"metadata": {"name": NAME, "labels": labels}})],
        candidate_pods: vec![json!({
            "metadata": {"name": "checkout-0", "labels": labels},
            "status": {"containerStatuses": [status]},
        })],
        ..Snapshot::default()
    }
}

fn seen(snapshot: &Snapshot) -> Candidate {
    candidate(snapshot, Some(&Revision::named("v2")))
}

#[test]
fn a_container_that_is_down_is_told_with_how_it_ended() {
    let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
    let oom = json!({"terminated": {"reason": "OOMKilled", "exitCode": 137}});
    let of = "container `app` of pod `checkout-0`";
    for (state, last, told) in [
        (
            waiting("ImagePullBackOff"),
            json!({}),
            Some("is waiting: ImagePullBackOff"),
        ),
        (
            waiting("CrashLoopBackOff"),
            oom.clone(),
            Some("is waiting: CrashLoopBackOff, after it ended with OOMKilled, exit code 137"),
        ),
        (
            oom.clone(),
            json!({}),
            Some("ended with OOMKilled, exit code 137"),
        ),
        (json!({"running": {}}), oom, None),
    ] {
        let snapshot = snapshot(&json!({"name": "app", "state": state, "lastState": last}));
        assert_eq!(seen(&snapshot).trouble, told.map(|told| format!("{of} {told}")));
    }
}

#[test]
fn a_pod_that_is_not_scheduled_is_told_in_the_schedulers_words() {
    let mut snapshot = snapshot(&json!({}));
    snapshot.candidate_pods[0]["status"] = json!({"conditions": [
        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 Insufficient cpu."},
    ]});
    assert_eq!(
        seen(&snapshot).trouble.as_deref(),
        Some("pod `checkout-0` is not scheduled: 0/3 nodes are available: 3 Insufficient cpu.")
    );
}

#[test]
fn an_object_that_is_being_deleted_is_as_good_as_gone() {
    let all = snapshot(&json!({}));
    assert!(!seen(&all).going);
    let going = |mut snapshot: Snapshot, service: bool| {
        let object = if service {
            &mut snapshot.candidate_services[0]
        } else {
            &mut snapshot.candidates[0]
        };
        object["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
        seen(&snapshot).going
    };
    assert!(going(all.clone(), false) && going(all, true));
}

#[test]
fn pods_of_a_deployment_that_was_deleted_are_not_its_successors() {
    let mut all = snapshot(&json!({}));
    let at = |second: u32| json!(format!("2026-01-01T00:00:{second:02}Z"));
    all.candidates[0]["metadata"]["creationTimestamp"] = at(30);
    all.candidate_pods[0]["metadata"]["creationTimestamp"] = at(31);
    all.endpoint_slices = vec![json!({
        "metadata": {"labels": {"kubernetes.io/service-name": NAME}},
        "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": {"name": "checkout-0"}}],
    })];
    assert_eq!(seen(&all).ready, 1);
    all.candidate_pods[0]["metadata"]["creationTimestamp"] = at(29);
    assert_eq!(seen(&all).ready, 0);
    // It may have adopted them.
    all.candidates[0]["status"] = json!({"readyReplicas": 1});
    assert_eq!(seen(&all).ready, 1);
}

#[test]
fn a_route_that_names_neither_version_sends_nobody_once_the_gateway_has_taken_it() {
    let parent = json!({"name": "public"});
    let taken = |generation: i64| {
        let condition =
            |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": generation});
        json!({"parents": [{"parentRef": parent, "conditions": [condition("Accepted"), condition("ResolvedRefs")]}]})
    };
    let mut snapshot = snapshot(&json!({}));
    snapshot.rollout = json!({"spec": {"workload": {"name": "checkout"}}});
    for (generation, gone) in [(1, false), (2, true)] {
        let route = json!({
            "metadata": {"name": "checkout", "namespace": "shop", "uid": "r", "generation": 2},
            "spec": {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": "other", "port": 80}]}]},
            "status": taken(generation),
        });
        snapshot.routes = [("checkout".to_owned(), Some(route))].into();
        let accepted = routing_mark(&snapshot).map(|_| Moment::UNIX_EPOCH);
        let seen = super::route(&snapshot, accepted);
        assert_eq!(seen.gone(), gone, "{seen:?}");
    }
}

#[test]
fn a_gateway_that_says_nothing_of_a_route_is_named() {
    let gateway = |name: &str| json!({"name": name});
    let accepted = |name: &str| {
        let holds = |kind: &str| json!({"type": kind, "status": "True", "observedGeneration": 2});
        json!({"parentRef": gateway(name), "conditions": [holds("Accepted"), holds("ResolvedRefs")]})
    };
    let snapshot = Snapshot {
        rollout: json!({"spec": {"workload": {"name": "checkout"}}}),
        routes: vec![(
            "checkout".to_owned(),
            Some(json!({
                "metadata": {"generation": 2, "namespace": "shop", "name": "checkout"},
                "spec": {
                    "parentRefs": [gateway("public"), gateway("other")],
                    "rules": [{"backendRefs": [{"name": "checkout", "port": 80}]}],
                },
                "status": {"parents": [accepted("public")]},
            })),
        )],
        ..Snapshot::default()
    };
    let Route::Seen { refusal, .. } = route(&snapshot, None) else {
        panic!("it can be used");
    };
    let refusal = refusal.unwrap_or_default();
    assert!(
        refusal.starts_with("Gateway other has not answered yet: "),
        "{refusal}"
    );
}

/// The containers of a pod wait for those that begin it: these have the reason.
#[test]
fn an_init_container_that_fails_is_told_and_not_those_that_wait_for_it() {
    let waits = |reason: &str| json!({"waiting": {"reason": reason}});
    let failed = json!({"terminated": {"reason": "Error", "exitCode": 2}});
    let done = json!({"terminated": {"reason": "Completed", "exitCode": 0}});
    let mut all = snapshot(&json!({"name": "app", "state": waits("PodInitializing")}));
    for (state, last, told) in [
        (
            waits("CrashLoopBackOff"),
            failed.clone(),
            "container `migrate` of pod `checkout-0` is waiting: CrashLoopBackOff, after it ended with Error, exit code 2",
        ),
        (
            failed,
            json!({}),
            "container `migrate` of pod `checkout-0` ended with Error, exit code 2",
        ),
        (
            waits("PodInitializing"),
            json!({}),
            "container `app` of pod `checkout-0` is waiting: PodInitializing",
        ),
    ] {
        all.candidate_pods[0]["status"]["initContainerStatuses"] = json!([
            {"name": "fetch", "state": done, "restartCount": 1},
            {"name": "migrate", "state": state, "lastState": last, "restartCount": 3},
        ]);
        assert_eq!(seen(&all).trouble.as_deref(), Some(told));
        assert_eq!(seen(&all).crashes.restarts, 0, "no request has met it");
    }
}

/// A container that begins a pod and goes on beside it crashes like any other.
#[test]
fn a_sidecar_that_crashes_is_counted() {
    let mut all = snapshot(&json!({"name": "app", "restartCount": 1}));
    all.candidate_pods[0]["spec"] =
        json!({"initContainers": [{"name": "proxy", "restartPolicy": "Always"}, {"name": "fetch"}]});
    all.candidate_pods[0]["status"]["initContainerStatuses"] = json!([
        {"name": "proxy", "restartCount": 2, "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}},
        {"name": "fetch", "restartCount": 4},
    ]);
    let crashes = seen(&all).crashes;
    assert_eq!((crashes.pods, crashes.restarts), (1, 3));
    assert_eq!(
        crashes.how.as_deref(),
        Some("container `proxy` of pod `checkout-0` ended with OOMKilled, exit code 137")
    );
}

fn slice(ports: &Value) -> Value {
    json!({
        "metadata": {"labels": {"kubernetes.io/service-name": NAME}},
        "ports": ports,
        "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": {"name": "checkout-0"}}],
    })
}

/// Its `targetPort` is a name that the new template does not have any more: ready, and no request can reach it.
#[test]
fn pods_without_the_port_of_their_service_are_not_ready_for_requests() {
    let mut all = snapshot(&json!({}));
    all.namespace = "shop".into();
    all.candidate_services[0]["spec"] = json!({"ports": [
        {"name": "quic", "port": 80, "protocol": "UDP"}, {"name": "http", "port": 80, "targetPort": "http"}, {"name": "metrics", "port": 9090, "targetPort": "metrics"},
    ]});
    let port = |name: &str| json!({"name": name, "port": 8080});
    for (ports, ready) in [
        (json!([port("http"), port("metrics"), port("quic")]), 1),
        (json!([]), 0),
        (Value::Null, 0),
    ] {
        all.endpoint_slices = vec![slice(&ports)];
        assert_eq!(seen(&all).ready, ready, "{ports}");
    }
    // Of the ports that no route names, none is needed.
    all.rollout = json!({"spec": {"workload": {"name": "checkout"}}});
    let rules = json!([{"backendRefs": [{"name": "checkout", "port": 80}]}]);
    all.routes = vec![("checkout".into(), Some(json!({"spec": {"rules": rules}})))];
    for (name, ready) in [("http", 1), ("metrics", 0)] {
        all.endpoint_slices = vec![slice(&json!([port(name)]))];
        assert_eq!(seen(&all).ready, ready, "{name}");
    }
    // A route may name a port already that only the new version opens: the pods before serve as they always did.
    let rules =
        json!([{"backendRefs": [{"name": "checkout", "port": 80}, {"name": "checkout", "port": 9090}]}]);
    all.routes = vec![("checkout".into(), Some(json!({"spec": {"rules": rules}})))];
    all.service = Some(json!({
        "metadata": {"name": "checkout"},
        "spec": {"ports": all.candidate_services[0]["spec"]["ports"]},
    }));
    let mut stable = slice(&json!([port("http")]));
    stable["metadata"]["labels"]["kubernetes.io/service-name"] = json!("checkout");
    for (name, ready) in [("http", 1), ("metrics", 0)] {
        all.endpoint_slices = vec![stable.clone(), slice(&json!([port(name)]))];
        assert_eq!(seen(&all).ready, ready, "{name} beside pods with http");
    }
    let mut newer = stable.clone();
    newer["ports"] = json!([port("http"), port("metrics")]);
    newer["endpoints"][0]["targetRef"]["name"] = json!("checkout-1");
    all.endpoint_slices.extend([stable, newer]);
    assert_eq!(
        crate::cluster::observe::ready::endpoints(&all, "checkout").len(),
        2
    );
    let told = seen(&all).trouble.unwrap_or_default();
    assert!(
        told.starts_with("no pod behind Service shop/checkout-canary-v2 has a container port named `http`"),
        "{told}"
    );
}

/// A younger Rollout that has more routes has named its candidate in one of them when the older one is faster in the rule of
/// both.
#[test]
fn a_candidate_that_is_named_elsewhere_without_a_share_waits_for_the_shared_rule() {
    let candidate = |name: &str| names::candidate(name, &Revision::named("bcdfghjklm"));
    let route = |name: &str, backends: Value| {
        let object =
            json!({"metadata": {"name": name, "uid": name}, "spec": {"rules": [{"backendRefs": backends}]}});
        (name.to_owned(), Some(object))
    };
    let rollout = |name: &str, age: &str| {
        json!({
            "metadata": {"name": name, "creationTimestamp": age},
            "spec": {"workload": {"name": name}},
            "status": {"originals": [
                {"kind": "HTTPRoute", "name": "shared", "uid": "shared", "rule": 0, "backend": "a"},
                {"kind": "HTTPRoute", "name": "shared", "uid": "shared", "rule": 0, "backend": "b"},
            ]},
        })
    };
    // The share of a's candidate in the route of its own, and what the shared one names.
    for (share, named, waits) in [
        (0, vec!["b"], true),
        (10, vec!["b"], false),
        (0, vec!["b", "a"], false),
    ] {
        let mut shared = vec![json!({"name": "a"}), json!({"name": "b"})];
        shared.extend(
            named
                .iter()
                .map(|name| json!({"name": candidate(name), "weight": 0})),
        );
        let own = json!([{"name": "a", "weight": 90}, {"name": candidate("a"), "weight": share}]);
        let seen = engaged(&Snapshot {
            rollout: rollout("a", "2026-01-02T00:00:00Z"),
            routes: vec![route("own", own), route("shared", shared.into())],
            sharers: vec![rollout("b", "2026-01-01T00:00:00Z")],
            ..Snapshot::default()
        });
        assert_eq!(seen.is_some(), waits, "{share} {named:?}: {seen:?}");
    }
}

/// Two Rollouts of one rule, each seen from the other: at most one of them waits, whatever either has done so far.
#[test]
fn of_two_releases_in_one_rule_exactly_one_goes_first() {
    let rollout = |name: &str, age: &str, noted: bool| {
        let entry = |backend: &str| json!({"kind": "HTTPRoute", "name": "r", "uid": "u", "rule": 0, "backend": backend});
        let originals = noted.then(|| json!([entry("a"), entry("b")]));
        json!({
            "metadata": {"name": name, "creationTimestamp": age},
            "spec": {"workload": {"name": name}},
            "status": {"originals": originals.unwrap_or_else(|| json!([]))},
        })
    };
    let named = |name: &str| names::candidate(name, &Revision::named("bcdfghjklm"));
    // What a and b have done, a being the older; who waits.
    for (a, b, waits) in [
        ("", "", None),
        ("noted", "", Some("b")),
        ("", "noted", Some("a")),
        ("noted", "noted", Some("b")),
        ("named", "", Some("b")),
        ("", "named", Some("a")),
        ("noted", "named", Some("a")),
        ("named", "noted", Some("b")),
    ] {
        let mut backends = vec![json!({"name": "a"}), json!({"name": "b"})];
        for (name, has) in [("a", a), ("b", b)] {
            if has == "named" {
                backends.push(json!({"name": named(name), "weight": 0}));
            }
        }
        let route =
            json!({"metadata": {"name": "r", "uid": "u"}, "spec": {"rules": [{"backendRefs": backends}]}});
        let (a, b) = (
            rollout("a", "2026-01-01T00:00:00Z", !a.is_empty()),
            rollout("b", "2026-01-02T00:00:00Z", !b.is_empty()),
        );
        let waits_for = |own: &Value, other: &Value| {
            engaged(&Snapshot {
                rollout: own.clone(),
                routes: vec![("r".into(), Some(route.clone()))],
                sharers: vec![other.clone()],
                ..Snapshot::default()
            })
        };
        let (first, second) = (waits_for(&a, &b), waits_for(&b, &a));
        assert_eq!(first.is_some(), waits == Some("a"), "{route}: {first:?}");
        assert_eq!(second.is_some(), waits == Some("b"), "{route}: {second:?}");
    }
}

#[test]
fn an_original_that_cannot_be_read_takes_no_other_with_it() {
    let rollout = json!({"status": {"originals": [
        {"kind": "HTTPRoute", "name": "r", "uid": "u", "rule": "first", "backend": "checkout"},
        {"kind": "HTTPRoute", "name": "r", "uid": "u", "rule": 1, "backend": "checkout", "weight": 3},
    ]}});
    let read: Vec<_> = originals(&rollout)
        .iter()
        .map(|it| (it.rule, it.weight))
        .collect();
    assert_eq!(read, [(1, Some(3))]);
    for unreadable in [json!({}), json!({"status": {"originals": "none"}})] {
        assert_eq!(originals(&unreadable), []);
    }
}

//! Routes, Services, Leases, Events, Rollouts, autoscalers, budgets.

use serde_json::json;

use super::{APPLY, Ask, JSON, JSON_PATCH, MERGE, ask, at, bare};

const ROUTES: &str = at!("apis/gateway.networking.k8s.io/v1", "httproutes");
const ROUTE: &str = at!("apis/gateway.networking.k8s.io/v1", "httproutes/r");
const STAMP: &str = at!(
    "apis/gateway.networking.k8s.io/v1",
    "httproutes/r?fieldManager=stamp"
);

#[allow(clippy::too_many_lines)] // a table
pub(super) fn routes() -> Vec<Ask> {
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"},
        "spec": {"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "a", "port": 80}]}]},
    });
    let stamp = |version: &str, uid: &str| {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": {"annotations": {"serin.dev/stamp": "1"}, "resourceVersion": version, "uid": uid},
        })
    };
    let weights = json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "${stamp/metadata/resourceVersion}"},
        {"op": "test", "path": "/spec/rules/0/backendRefs/0/name", "value": "a"},
        {"op": "replace", "path": "/spec/rules/0/backendRefs", "value": [
            {"name": "a", "port": 80, "weight": 90}, {"name": "b", "port": 80, "weight": 10},
        ]},
    ]);
    vec![
        ask("route", "POST", ROUTES, JSON, route.clone()),
        ask(
            "stamp",
            "PATCH",
            STAMP,
            APPLY,
            stamp("${route/metadata/resourceVersion}", "${route/metadata/uid}"),
        ),
        ask(
            "stamp stale",
            "PATCH",
            STAMP,
            APPLY,
            stamp("${route/metadata/resourceVersion}", "${route/metadata/uid}"),
        ),
        ask(
            "stamp other uid",
            "PATCH",
            STAMP,
            APPLY,
            stamp(
                "${stamp/metadata/resourceVersion}",
                "00000000-0000-4000-8000-000000000000",
            ),
        ),
        ask("weights", "PATCH", ROUTE, JSON_PATCH, weights.clone()),
        ask("weights stale", "PATCH", ROUTE, JSON_PATCH, weights),
        ask(
            "strategic patch",
            "PATCH",
            ROUTE,
            "application/strategic-merge-patch+json",
            json!({}),
        ),
        ask("route without version", "PUT", ROUTE, JSON, route),
        ask(
            "unstamp without metadata",
            "PATCH",
            STAMP,
            APPLY,
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}),
        ),
        ask(
            "unstamp",
            "PATCH",
            STAMP,
            APPLY,
            json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "r"}}),
        ),
        ask(
            "route merge",
            "PATCH",
            ROUTE,
            MERGE,
            json!({"metadata": {"labels": {"x": "y"}}}),
        ),
    ]
}

#[allow(clippy::too_many_lines)] // a table
pub(super) fn services() -> Vec<Ask> {
    let all = at!("api/v1", "services");
    let one = at!("api/v1", "services/s");
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "s"},
        "spec": {"selector": {"app": "a"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
    });
    vec![
        ask("service", "POST", all, JSON, service),
        ask(
            "service moved",
            "PATCH",
            one,
            MERGE,
            json!({"spec": {"clusterIP": "10.96.9.9"}}),
        ),
        ask(
            "service selector",
            "PATCH",
            one,
            MERGE,
            json!({"spec": {"selector": {"app": "b"}}}),
        ),
        ask(
            "service without ports",
            "PATCH",
            one,
            MERGE,
            json!({"spec": {"ports": null}}),
        ),
        bare("service deleted", "DELETE", one),
    ]
}

#[allow(clippy::too_many_lines)] // a table
pub(super) fn leases_and_events() -> Vec<Ask> {
    let leases = at!("apis/coordination.k8s.io/v1", "leases");
    let lease = at!("apis/coordination.k8s.io/v1", "leases/l");
    let event = json!({
        "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "e.1"},
        "eventTime": "2026-01-01T00:00:00.000000Z", "reportingController": "serin.dev/serin",
        "reportingInstance": "serin-0", "action": "Advance", "reason": "Advanced", "type": "Normal", "note": "to 25 %",
        "regarding": {"apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "name": "r", "namespace": "parity"},
    });
    let held = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "l"},
        "spec": {
            "holderIdentity": "one", "leaseDurationSeconds": 15, "leaseTransitions": 1,
            "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z",
        },
    });
    let mut renewed = held.clone();
    renewed["metadata"]["resourceVersion"] = "${lease/metadata/resourceVersion}".into();
    renewed["spec"]["renewTime"] = "2026-01-01T00:00:05.000000Z".into();
    vec![
        ask("lease", "POST", leases, JSON, held.clone()),
        ask("lease unversioned", "PUT", lease, JSON, held),
        ask("lease renewed", "PUT", lease, JSON, renewed.clone()),
        ask("lease stale", "PUT", lease, JSON, renewed),
        ask(
            "event",
            "POST",
            at!("apis/events.k8s.io/v1", "events"),
            JSON,
            event.clone(),
        ),
        ask(
            "event again",
            "POST",
            at!("apis/events.k8s.io/v1", "events"),
            JSON,
            event,
        ),
    ]
}

const ROLLOUT: &str = at!("apis/serin.dev/v1alpha1", "rollouts/r");
const ROLLOUT_STATUS: &str = at!("apis/serin.dev/v1alpha1", "rollouts/r/status");

#[allow(clippy::too_many_lines)] // a table
pub(super) fn rollouts() -> Vec<Ask> {
    let rollout = json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "r"},
        "spec": {
            "workload": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"},
            "traffic": {"gatewayAPI": {"routes": [{"kind": "HTTPRoute", "name": "r"}]}},
        },
        "status": {"message": "dropped"},
    });
    let status = |version: &str| json!({"metadata": {"resourceVersion": version, "annotations": {"x": "y"}}, "status": {"message": "idle"}});
    let finalizer = json!([{"op": "add", "path": "/metadata/finalizers", "value": ["serin.dev/traffic"]}]);
    let more = json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "example.com/more"}]);
    let none = json!([{"op": "remove", "path": "/metadata/finalizers"}]);
    vec![
        ask(
            "rollout",
            "POST",
            at!("apis/serin.dev/v1alpha1", "rollouts"),
            JSON,
            rollout,
        ),
        ask(
            "rollout status",
            "PATCH",
            ROLLOUT_STATUS,
            MERGE,
            status("${rollout/metadata/resourceVersion}"),
        ),
        ask(
            "rollout status stale",
            "PATCH",
            ROLLOUT_STATUS,
            MERGE,
            status("${rollout/metadata/resourceVersion}"),
        ),
        ask(
            "rollout status no-op",
            "PATCH",
            ROLLOUT_STATUS,
            MERGE,
            json!({"status": {"message": "idle"}}),
        ),
        ask(
            "rollout annotation",
            "PATCH",
            ROLLOUT,
            MERGE,
            json!({"metadata": {"annotations": {"x": "y"}}}),
        ),
        ask("finalizer", "PATCH", ROLLOUT, JSON_PATCH, finalizer),
        ask(
            "rollout deleted",
            "DELETE",
            ROLLOUT,
            JSON,
            json!({"propagationPolicy": "Background"}),
        ),
        ask(
            "rollout deleted again",
            "DELETE",
            ROLLOUT,
            JSON,
            json!({"propagationPolicy": "Background"}),
        ),
        ask("finalizer too late", "PATCH", ROLLOUT, JSON_PATCH, more),
        ask(
            "status while deleting",
            "PATCH",
            ROLLOUT_STATUS,
            MERGE,
            json!({"status": {"message": "draining"}}),
        ),
        ask("finalizer removed", "PATCH", ROLLOUT, JSON_PATCH, none),
        bare("rollout gone", "GET", ROLLOUT),
    ]
}

#[allow(clippy::too_many_lines)] // a table
pub(super) fn others() -> Vec<Ask> {
    let hpas = at!("apis/autoscaling/v2", "horizontalpodautoscalers");
    let hpa = at!("apis/autoscaling/v2", "horizontalpodautoscalers/h");
    let freeze = json!([
        {"op": "test", "path": "/spec/behavior", "value": null},
        {"op": "add", "path": "/spec/behavior", "value": {"scaleDown": {"selectPolicy": "Disabled"}}},
    ]);
    vec![
        ask(
            "hpa",
            "POST",
            hpas,
            JSON,
            json!({
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "h"},
                "spec": {
                    "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "a"}, "maxReplicas": 9,
                    "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}],
                },
            }),
        ),
        ask("hpa frozen", "PATCH", hpa, JSON_PATCH, freeze),
        ask(
            "pdb",
            "POST",
            at!("apis/policy/v1", "poddisruptionbudgets"),
            JSON,
            json!({
                "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "p"},
                "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "a"}}},
            }),
        ),
    ]
}

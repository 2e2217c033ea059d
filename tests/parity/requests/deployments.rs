//! Deployments: patches, applies, subresources.

use serde_json::{Value, json};

use super::{APPLY, Ask, JSON, JSON_PATCH, MERGE, ask, at, bare};

pub(super) fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": {"app": "a"}},
        "spec": {
            "replicas": 3, "selector": {"matchLabels": {"app": "a"}},
            "template": {"metadata": {"labels": {"app": "a"}}, "spec": {"containers": [{
                "name": "app", "image": "app:v1", "ports": [{"containerPort": 8080, "name": "http"}],
                "resources": {"limits": {"cpu": "1000m"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
            }]}},
        },
    })
}

pub(super) const A: &str = at!("apis/apps/v1", "deployments/a");
pub(super) const ALL: &str = at!("apis/apps/v1", "deployments");

#[allow(clippy::too_many_lines)] // a table
pub(super) fn deployments() -> Vec<Ask> {
    let pause = json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": "${create/metadata/resourceVersion}"},
        {"op": "add", "path": "/spec/paused", "value": true},
    ]);
    let wrong = json!([
        {"op": "test", "path": "/spec/replicas", "value": 99},
        {"op": "replace", "path": "/spec/replicas", "value": 1},
    ]);
    let null = json!([{"op": "test", "path": "/spec/nothing", "value": null}]);
    let image = json!({"spec": {"template": {"metadata": {"annotations": {"probe": "1"}}}}});
    vec![
        ask("create", "POST", ALL, JSON, deployment("a")),
        ask("create again", "POST", ALL, JSON, deployment("a")),
        bare("get missing", "GET", at!("apis/apps/v1", "deployments/none")),
        ask("json patch", "PATCH", A, JSON_PATCH, pause.clone()),
        ask("json patch stale", "PATCH", A, JSON_PATCH, pause),
        ask("json patch test fails", "PATCH", A, JSON_PATCH, wrong),
        ask(
            "json patch missing path",
            "PATCH",
            A,
            JSON_PATCH,
            json!([{"op": "remove", "path": "/spec/nothing"}]),
        ),
        ask("json patch null test", "PATCH", A, JSON_PATCH, null),
        ask(
            "json patch to false",
            "PATCH",
            A,
            JSON_PATCH,
            json!([{"op": "replace", "path": "/spec/paused", "value": false}]),
        ),
        ask(
            "json patch missing object",
            "PATCH",
            at!("apis/apps/v1", "deployments/none"),
            JSON_PATCH,
            json!([]),
        ),
        ask(
            "json patch malformed",
            "PATCH",
            A,
            JSON_PATCH,
            json!({"op": "remove"}),
        ),
        ask("merge patch", "PATCH", A, MERGE, json!({"spec": {"replicas": 4}})),
        ask(
            "merge patch no-op",
            "PATCH",
            A,
            MERGE,
            json!({"spec": {"replicas": 4}}),
        ),
        ask(
            "merge patch equal quantity",
            "PATCH",
            A,
            MERGE,
            json!({"metadata": {"labels": {"app": "a"}}, "spec": {"paused": null}}),
        ),
        ask(
            "merge patch annotation",
            "PATCH",
            A,
            MERGE,
            json!({"metadata": {"annotations": {"x": "y"}}}),
        ),
        ask(
            "merge patch annotation away",
            "PATCH",
            A,
            MERGE,
            json!({"metadata": {"annotations": {"x": null}}}),
        ),
        ask(
            "dry run",
            "PATCH",
            at!("apis/apps/v1", "deployments/a?dryRun=All"),
            MERGE,
            image,
        ),
        bare("get after dry run", "GET", A),
        ask(
            "status patch",
            "PATCH",
            at!("apis/apps/v1", "deployments/a/status"),
            MERGE,
            json!({"spec": {"replicas": 9}, "status": {"observedGeneration": 7, "replicas": 4}}),
        ),
        ask(
            "spec patch keeps status",
            "PATCH",
            A,
            MERGE,
            json!({"spec": {"replicas": 5}, "status": {"observedGeneration": 8}}),
        ),
        bare("get scale", "GET", at!("apis/apps/v1", "deployments/a/scale")),
        ask(
            "patch scale",
            "PATCH",
            at!("apis/apps/v1", "deployments/a/scale"),
            MERGE,
            json!({"spec": {"replicas": 6}}),
        ),
        bare("get after scale", "GET", A),
    ]
}

#[allow(clippy::too_many_lines)] // a table
pub(super) fn deployment_applies() -> Vec<Ask> {
    let apply = |label, path, mut body: Value| {
        body["apiVersion"] = "apps/v1".into();
        body["kind"] = "Deployment".into();
        ask(label, "PATCH", path, APPLY, body)
    };
    let gate = at!("apis/apps/v1", "deployments/a?fieldManager=gate");
    let pause = json!({"metadata": {"labels": {"serin.dev/gate": "on"}}, "spec": {"paused": true}});
    let other = at!("apis/apps/v1", "deployments/a?fieldManager=other");
    let forced = at!("apis/apps/v1", "deployments/a?fieldManager=other&force=true");
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:v2"}]}}}});
    vec![
        apply("apply", gate, pause.clone()),
        apply("apply no-op", gate, pause),
        apply("apply conflict", other, json!({"spec": {"replicas": 9}})),
        apply(
            "apply two conflicts",
            other,
            json!({"spec": {"replicas": 9, "paused": false}}),
        ),
        apply("apply forced", forced, json!({"spec": {"replicas": 9}})),
        apply(
            "apply shared",
            other,
            json!({"spec": {"replicas": 9, "paused": true}}),
        ),
        apply(
            "apply given up by one",
            gate,
            json!({"metadata": {"labels": {"serin.dev/gate": "on"}}}),
        ),
        apply("apply given up by both", other, json!({"spec": {"replicas": 9}})),
        apply("apply given up in all", gate, json!({})),
        apply("apply container", forced, image),
        apply("apply without manager", A, json!({})),
        apply(
            "apply stale",
            other,
            json!({"metadata": {"resourceVersion": "${create/metadata/resourceVersion}"}}),
        ),
        apply(
            "apply other uid",
            gate,
            json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}),
        ),
        apply(
            "apply uid to nothing",
            at!("apis/apps/v1", "deployments/none?fieldManager=other"),
            json!({"metadata": {"uid": "00000000-0000-4000-8000-000000000000"}}),
        ),
        apply(
            "apply creates",
            at!("apis/apps/v1", "deployments/b?fieldManager=other"),
            {
                let mut b = deployment("b");
                b["spec"]["paused"] = true.into();
                b
            },
        ),
    ]
}

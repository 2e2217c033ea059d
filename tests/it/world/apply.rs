//! Server-side apply through the client.

use kube::ResourceExt;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use super::{api, deployment, deployments, refused, routes, world};

/// An apply of `body` to a Deployment or an HTTPRoute.
fn config(kind: &str, mut body: Value) -> Patch<Value> {
    let route = kind == "HTTPRoute";
    body["apiVersion"] = if route {
        "gateway.networking.k8s.io/v1"
    } else {
        "apps/v1"
    }
    .into();
    body["kind"] = kind.into();
    Patch::Apply(body)
}

#[tokio::test(start_paused = true)]
async fn pausing_owns_one_field_and_giving_it_up_resumes() {
    let client = world().client();
    let api = deployments(&client);
    api.create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let pause = config(
        "Deployment",
        json!({"metadata": {"labels": {"serin.dev/gate": "on"}}, "spec": {"paused": true}}),
    );
    let gate = PatchParams::apply("serin-gate");
    let paused = api.patch("a", &gate, &pause).await.unwrap();
    assert_eq!(
        (&paused.data["spec"]["paused"], paused.metadata.generation),
        (&json!(true), Some(2))
    );
    let again = api.patch("a", &gate, &pause).await.unwrap();
    assert_eq!(
        again.resource_version(),
        paused.resource_version(),
        "applying the same is a no-op"
    );
    let given_up = api
        .patch("a", &gate, &config("Deployment", json!({})))
        .await
        .unwrap();
    assert!(given_up.data["spec"].get("paused").is_none() && given_up.metadata.labels.is_none());
    assert_eq!(given_up.data["spec"]["replicas"], 3);
}

#[tokio::test(start_paused = true)]
async fn ordinary_writers_own_what_they_change() {
    let client = world().client();
    let api = deployments(&client);
    api.create(
        &PostParams {
            field_manager: Some("kubectl-create".into()),
            ..PostParams::default()
        },
        &deployment("a", "app:v1"),
    )
    .await
    .unwrap();
    let scale = config("Deployment", json!({"spec": {"replicas": 5}}));
    let error = api
        .patch("a", &PatchParams::apply("serin"), &scale)
        .await
        .unwrap_err();
    let kube::Error::Api(status) = error else {
        panic!("{error}")
    };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    let details = status.details.clone().unwrap();
    assert_eq!(details.causes[0].field, ".spec.replicas");
    assert_eq!(details.causes[0].reason, "FieldManagerConflict");
    let forced = api
        .patch("a", &PatchParams::apply("serin").force(), &scale)
        .await
        .unwrap();
    assert_eq!(forced.data["spec"]["replicas"], 5);
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "app:v2"}]}}}});
    let applied = api
        .patch(
            "a",
            &PatchParams::apply("gitops").force(),
            &config("Deployment", image),
        )
        .await
        .unwrap();
    let containers = applied.data["spec"]["template"]["spec"]["containers"]
        .as_array()
        .unwrap();
    assert_eq!((containers.len(), &containers[0]["image"]), (1, &json!("app:v2")));
    assert_eq!(
        containers[0]["imagePullPolicy"], "IfNotPresent",
        "containers are merged by name"
    );
}

#[tokio::test(start_paused = true)]
async fn apply_is_fenced_by_version_and_uid() {
    let client = world().client();
    let api = routes(&client);
    let apply = PatchParams::apply("serin");
    let route = |metadata: Value| {
        config(
            "HTTPRoute",
            json!({"metadata": metadata, "spec": {"hostnames": ["a.example"]}}),
        )
    };
    let made = api.patch("a", &apply, &route(json!({}))).await.unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    let stamp = |version: &str, uid: &str| {
        config(
            "HTTPRoute",
            json!({"metadata": {"annotations": {"serin.dev/stamp": version}, "uid": uid, "resourceVersion": version}}),
        )
    };
    let (version, uid) = (made.resource_version().unwrap(), made.uid().unwrap());
    let stamps = PatchParams::apply("serin-stamp");
    let stamped = api.patch("a", &stamps, &stamp(&version, &uid)).await.unwrap();
    assert_eq!(
        stamped.metadata.generation,
        Some(1),
        "annotations do not raise a route's generation"
    );
    assert_eq!(stamped.data["spec"]["hostnames"], json!(["a.example"]));
    assert_eq!(
        refused(api.patch("a", &stamps, &stamp(&version, &uid)).await),
        (409, "Conflict".into())
    );
    let now = stamped.resource_version().unwrap();
    assert_eq!(
        refused(api.patch("a", &stamps, &stamp(&now, "other")).await),
        (422, "Invalid".into())
    );
    assert_eq!(
        refused(api.patch("gone", &stamps, &stamp(&now, &uid)).await),
        (409, "Conflict".into())
    );
}

#[tokio::test(start_paused = true)]
async fn statuses_are_merged_by_condition_type() {
    let client = world().client();
    let rollouts = api(&client, "serin.dev", "v1alpha1", "Rollout");
    let rollout = super::object(
        json!({"apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "a"}, "spec": {}}),
    );
    rollouts.create(&PostParams::default(), &rollout).await.unwrap();
    let status = |kind: &str, status: &str| {
        let condition = json!({"type": kind, "status": status});
        Patch::Apply(
            json!({"apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "a"}, "status": {"conditions": [condition]}}),
        )
    };
    rollouts
        .patch_status("a", &PatchParams::apply("one"), &status("Ready", "True"))
        .await
        .unwrap();
    let both = rollouts
        .patch_status("a", &PatchParams::apply("two"), &status("Alarm", "True"))
        .await
        .unwrap();
    assert_eq!(both.data["status"]["conditions"].as_array().unwrap().len(), 2);
    let conflict = rollouts
        .patch_status("a", &PatchParams::apply("two"), &status("Ready", "False"))
        .await;
    assert_eq!(refused(conflict), (409, "Conflict".into()));
    assert_eq!(both.metadata.generation, Some(1));
}

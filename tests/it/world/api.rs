//! Verbs, preconditions, subresources, deletion, faults.

use kube::ResourceExt;
use kube::api::{
    Api, DeleteParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::core::PartialObjectMeta;
use kube::discovery::Discovery;
use serde_json::json;

use super::{api, deployment, deployments, json_patch, object, refused, world};

#[tokio::test(start_paused = true)]
async fn create_get_list_replace_delete() {
    let client = world().client();
    let api = deployments(&client);
    let made = api
        .create(&PostParams::default(), &deployment("checkout", "app:v1"))
        .await
        .unwrap();
    assert_eq!(made.metadata.generation, Some(1));
    assert!(made.uid().is_some() && made.creation_timestamp().is_some());
    assert_eq!(
        made.data["spec"]["progressDeadlineSeconds"], 600,
        "defaults are filled in"
    );
    assert_eq!(
        refused(
            api.create(&PostParams::default(), &deployment("checkout", "app:v1"))
                .await
        ),
        (409, "AlreadyExists".into())
    );
    assert_eq!(refused(api.get("other").await), (404, "NotFound".into()));

    let same = api
        .replace("checkout", &PostParams::default(), &made)
        .await
        .unwrap();
    assert_eq!(
        same.resource_version(),
        made.resource_version(),
        "no-op writes keep the version"
    );
    let mut changed = made.clone();
    changed.data["spec"]["replicas"] = 4.into();
    let changed = api
        .replace("checkout", &PostParams::default(), &changed)
        .await
        .unwrap();
    assert_eq!(changed.metadata.generation, Some(2));
    let mut stale = made.clone();
    stale.data["spec"]["replicas"] = 5.into();
    assert_eq!(
        refused(api.replace("checkout", &PostParams::default(), &stale).await),
        (409, "Conflict".into())
    );

    let gone = api.delete("checkout", &DeleteParams::background()).await.unwrap();
    assert!(gone.right().is_some_and(|status| status.is_success()));
    assert_eq!(
        refused(api.delete("checkout", &DeleteParams::default()).await),
        (404, "NotFound".into())
    );
}

#[tokio::test(start_paused = true)]
async fn refusals_read_like_the_servers() {
    let client = world().client();
    let api = deployments(&client);
    let message = |result: Result<_, kube::Error>| match result {
        Err(kube::Error::Api(status)) => status.message.clone(),
        _ => panic!("not refused"),
    };
    assert_eq!(message(api.get("a").await), "deployments.apps \"a\" not found");
    let nowhere: Api<kube::api::DynamicObject> = Api::namespaced_with(
        client.clone(),
        "nowhere",
        &kube::core::ApiResource::from_gvk(&kube::core::GroupVersionKind::gvk("apps", "v1", "Deployment")),
    );
    let mut astray = deployment("a", "x");
    astray.metadata.namespace = Some("nowhere".into());
    assert_eq!(
        message(nowhere.create(&PostParams::default(), &astray).await),
        "namespaces \"nowhere\" not found"
    );
    let mut bad = deployment("a", "x");
    bad.data["spec"]["selector"]["matchLabels"]["app"] = "b".into();
    assert_eq!(
        refused(api.create(&PostParams::default(), &bad).await),
        (422, "Invalid".into())
    );
    assert_eq!(
        refused(api.create(&PostParams::default(), &deployment("A_b", "x")).await).0,
        422
    );
    let unknown = super::api(&client, "example.com", "v1", "Widget");
    assert_eq!(
        message(unknown.get("a").await),
        "the server could not find the requested resource"
    );
}

#[tokio::test(start_paused = true)]
async fn generated_names_and_namespaced_lists() {
    let client = world().client();
    let secrets = api(&client, "", "v1", "Secret");
    for _ in 0..3 {
        let secret =
            object(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"generateName": "s-"}}));
        let made = secrets.create(&PostParams::default(), &secret).await.unwrap();
        assert!(made.name_any().starts_with("s-") && made.name_any().len() == 7);
    }
    assert_eq!(secrets.list(&ListParams::default()).await.unwrap().items.len(), 3);
    let page = secrets.list(&ListParams::default().limit(2)).await.unwrap();
    assert_eq!(page.items.len(), 2);
    let token = page.metadata.continue_.unwrap();
    let rest = secrets
        .list(&ListParams::default().limit(2).continue_token(&token))
        .await
        .unwrap();
    assert_eq!((rest.items.len(), rest.metadata.continue_), (1, None));
    let one = ListParams::default().fields(&format!("metadata.name={}", rest.items[0].name_any()));
    assert_eq!(secrets.list(&one).await.unwrap().items.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn json_patches_test_and_fence() {
    let client = world().client();
    let api = deployments(&client);
    let made = api
        .create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let patch = |operations| {
        let api = api.clone();
        async move {
            api.patch("a", &PatchParams::default(), &json_patch(operations))
                .await
        }
    };
    let version = made.resource_version().unwrap();
    let fenced = json!([
        {"op": "replace", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
    ]);
    assert_eq!(patch(fenced.clone()).await.unwrap().data["spec"]["replicas"], 2);
    assert_eq!(refused(patch(fenced).await), (409, "Conflict".into()));
    let test = json!([
        {"op": "test", "path": "/spec/replicas", "value": 9},
        {"op": "replace", "path": "/spec/replicas", "value": 1},
    ]);
    assert_eq!(refused(patch(test).await), (422, "Invalid".into()));
    assert_eq!(
        refused(patch(json!([{"op": "remove", "path": "/spec/nothing"}])).await).0,
        422
    );
    let nothing = json!([{"op": "test", "path": "/spec/paused", "value": null}]);
    assert!(
        patch(nothing).await.is_ok(),
        "a test for null passes where nothing is"
    );
    let paused = patch(json!([{"op": "add", "path": "/spec/paused", "value": true}]))
        .await
        .unwrap();
    assert_eq!(paused.data["spec"]["paused"], true);
    let resumed = patch(json!([{"op": "replace", "path": "/spec/paused", "value": false}]))
        .await
        .unwrap();
    assert!(
        resumed.data["spec"].get("paused").is_none(),
        "false is stored as absent"
    );
}

#[tokio::test(start_paused = true)]
async fn merge_patches_dry_runs_and_status() {
    let client = world().client();
    let api = deployments(&client);
    let made = api
        .create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let merge = |value| Patch::Merge(value);
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    let shown = api
        .patch("a", &dry, &merge(json!({"spec": {"replicas": 9}})))
        .await
        .unwrap();
    assert_eq!(
        (shown.data["spec"]["replicas"].as_i64(), shown.metadata.generation),
        (Some(9), Some(2))
    );
    assert_eq!(
        api.get("a").await.unwrap().resource_version(),
        made.resource_version()
    );

    let both = json!({"spec": {"replicas": 9}, "status": {"observedGeneration": 7}});
    let status = api
        .patch_status("a", &PatchParams::default(), &merge(both.clone()))
        .await
        .unwrap();
    assert_eq!(
        status.data["spec"]["replicas"], 3,
        "a status write leaves the spec alone"
    );
    assert_eq!(status.data["status"]["observedGeneration"], 7);
    assert_eq!(status.metadata.generation, Some(1));
    let spec = json!({"spec": {"replicas": 9}, "status": {"observedGeneration": 8}});
    let spec = api
        .patch("a", &PatchParams::default(), &merge(spec))
        .await
        .unwrap();
    assert_eq!(
        (
            &spec.data["status"]["observedGeneration"],
            &spec.data["spec"]["replicas"]
        ),
        (&json!(7), &json!(9))
    );
}

#[tokio::test(start_paused = true)]
async fn scales_and_generations() {
    let client = world().client();
    let api = deployments(&client);
    api.create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let merge = |value| Patch::Merge(value);
    let scale = api
        .patch_scale(
            "a",
            &PatchParams::default(),
            &merge(json!({"spec": {"replicas": 5}})),
        )
        .await;
    assert_eq!(scale.unwrap().spec.unwrap().replicas, Some(5));
    assert_eq!(
        api.get_scale("a")
            .await
            .unwrap()
            .status
            .unwrap()
            .selector
            .as_deref(),
        Some("app=a")
    );
    let annotated = merge(json!({"metadata": {"annotations": {"x": "y"}}}));
    let before = api.get("a").await.unwrap().metadata.generation;
    let after = api
        .patch("a", &PatchParams::default(), &annotated)
        .await
        .unwrap()
        .metadata
        .generation;
    assert_eq!(
        after,
        before.map(|g| g + 1),
        "a Deployment counts its annotations"
    );
}

#[tokio::test(start_paused = true)]
async fn custom_resources_keep_status_apart() {
    let client = world().client();
    let rollouts = api(&client, "serin.dev", "v1alpha1", "Rollout");
    let rollout = object(json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "a"},
        "spec": {"workload": {"name": "a"}}, "status": {"phase": "Nonsense"},
    }));
    let made = rollouts.create(&PostParams::default(), &rollout).await.unwrap();
    assert!(made.data.get("status").is_none());
    let status = json!({"status": {"phase": "Idle"}, "metadata": {"annotations": {"x": "y"}}});
    let written = rollouts
        .patch_status("a", &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
    assert_eq!(
        (&written.data["status"]["phase"], written.metadata.annotations),
        (&json!("Idle"), None)
    );
    let mut unversioned = made.clone();
    unversioned.metadata.resource_version = None;
    assert_eq!(
        refused(rollouts.replace("a", &PostParams::default(), &unversioned).await).0,
        422
    );
    let annotated = Patch::Merge(json!({"metadata": {"annotations": {"x": "y"}}}));
    let annotated = rollouts
        .patch("a", &PatchParams::default(), &annotated)
        .await
        .unwrap();
    assert_eq!(
        annotated.metadata.generation,
        Some(1),
        "annotations of other kinds do not count"
    );
}

#[tokio::test(start_paused = true)]
async fn finalizers_hold_a_deletion() {
    let client = world().client();
    let rollouts = api(&client, "serin.dev", "v1alpha1", "Rollout");
    let rollout = object(json!({
        "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout",
        "metadata": {"name": "a", "finalizers": ["serin.dev/traffic"]}, "spec": {},
    }));
    let made = rollouts.create(&PostParams::default(), &rollout).await.unwrap();
    let wrong = DeleteParams::default().preconditions(Preconditions {
        uid: Some("other".into()),
        resource_version: None,
    });
    assert_eq!(
        refused(rollouts.delete("a", &wrong).await),
        (409, "Conflict".into())
    );
    let held = rollouts
        .delete("a", &DeleteParams::background())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert!(held.metadata.deletion_timestamp.is_some());
    assert_eq!(held.metadata.generation, Some(2));
    let more = json_patch(json!([{"op": "add", "path": "/metadata/finalizers/-", "value": "x.dev/y"}]));
    assert_eq!(
        refused(rollouts.patch("a", &PatchParams::default(), &more).await).0,
        422
    );
    let again = rollouts
        .delete("a", &DeleteParams::background())
        .await
        .unwrap()
        .left()
        .unwrap();
    assert_eq!(again.resource_version(), held.resource_version());
    let free = json_patch(json!([{"op": "remove", "path": "/metadata/finalizers"}]));
    rollouts.patch("a", &PatchParams::default(), &free).await.unwrap();
    assert_eq!(refused(rollouts.get("a").await).0, 404);
    let anew = rollouts.create(&PostParams::default(), &rollout).await.unwrap();
    assert_ne!(anew.uid(), made.uid());
    let foreground = DeleteParams {
        propagation_policy: Some(PropagationPolicy::Foreground),
        ..Default::default()
    };
    let held = rollouts.delete("a", &foreground).await.unwrap().left().unwrap();
    assert_eq!(held.finalizers(), ["serin.dev/traffic", "foregroundDeletion"]);
}

#[tokio::test(start_paused = true)]
async fn metadata_only_and_discovery() {
    let client = world().client();
    deployments(&client)
        .create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let partial: Api<PartialObjectMeta<k8s_openapi::api::apps::v1::Deployment>> =
        Api::namespaced(client.clone(), "shop");
    let list = partial.list_metadata(&ListParams::default()).await.unwrap();
    assert_eq!(list.items[0].name_any(), "a");
    assert_eq!(client.apiserver_version().await.unwrap().minor, "36");
    for discovery in [
        Discovery::new(client.clone()).run().await.unwrap(),
        Discovery::new(client.clone()).run_aggregated().await.unwrap(),
    ] {
        let group = discovery.get("gateway.networking.k8s.io").unwrap();
        let (resource, capabilities) = group.recommended_kind("HTTPRoute").unwrap();
        assert_eq!(resource.plural, "httproutes");
        assert_eq!(capabilities.scope, kube::discovery::Scope::Namespaced);
    }
}

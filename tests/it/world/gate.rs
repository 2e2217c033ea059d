//! The admission gate, and faults of the API.

use std::time::Duration;

use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;
use serin::world::{Fault, FaultRule};

use super::{deployment, deployments, json_patch, refused, routes, world};

#[tokio::test(start_paused = true)]
async fn the_gate_pauses_what_others_change() {
    let world = world();
    let (client, serin) = (
        world.client(),
        world.client_as("system:serviceaccount:serin:serin"),
    );
    let api = deployments(&client);
    let mut gated = deployment("a", "app:v1");
    gated.labels_mut().insert("serin.dev/gate".into(), "on".into());
    api.create(&PostParams::default(), &gated).await.unwrap();
    let image = |image: &str| {
        json_patch(
            json!([{"op": "replace", "path": "/spec/template/spec/containers/0/image", "value": image}]),
        )
    };
    let open = api
        .patch("a", &PatchParams::default(), &image("app:v2"))
        .await
        .unwrap();
    assert!(open.data["spec"].get("paused").is_none(), "no policy, no gate");
    world.apply_yaml(super::GATE).unwrap();
    let dry = PatchParams {
        dry_run: true,
        ..PatchParams::default()
    };
    assert_eq!(
        api.patch("a", &dry, &image("app:v3")).await.unwrap().data["spec"]["paused"],
        true
    );
    let held = api
        .patch("a", &PatchParams::default(), &image("app:v3"))
        .await
        .unwrap();
    assert_eq!(held.data["spec"]["paused"], true);
    let resume = Patch::Merge(json!({"spec": {"paused": null}}));
    let resumed = api.patch("a", &PatchParams::default(), &resume).await.unwrap();
    assert_eq!(resumed.data["spec"]["paused"], true, "others do not un-pause");
    let own = deployments(&serin)
        .patch("a", &PatchParams::default(), &resume)
        .await
        .unwrap();
    assert!(own.data["spec"].get("paused").is_none());
    let scaled = api
        .patch(
            "a",
            &PatchParams::default(),
            &Patch::Merge(json!({"spec": {"replicas": 7}})),
        )
        .await;
    assert!(
        scaled.unwrap().data["spec"].get("paused").is_none(),
        "a scale passes"
    );
    let same = Patch::Merge(json!({"spec": {"template": {"metadata": {"labels": {"app": "a"}}}}}));
    assert!(
        api.patch("a", &PatchParams::default(), &same).await.unwrap().data["spec"]
            .get("paused")
            .is_none()
    );
    let mut stripped = deployment("a", "app:v4");
    stripped.metadata.labels = None;
    let replaced = api.replace("a", &PostParams::default(), &stripped).await.unwrap();
    assert_eq!(
        replaced.data["spec"]["paused"], true,
        "the old object's label counts"
    );
}

#[tokio::test(start_paused = true)]
async fn faults_hit_the_calls_they_name() {
    let world = world();
    let client = world.client_as("me");
    let api = deployments(&client);
    api.create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    world.inject(FaultRule::next("patch", "deployments", Fault::Status(409)).after(1));
    world.inject(FaultRule::next("get", "deployments", Fault::Status(403)));
    let scale = |n: i32| Patch::Merge(json!({"spec": {"replicas": n}}));
    assert!(api.patch("a", &PatchParams::default(), &scale(1)).await.is_ok());
    assert_eq!(
        refused(api.patch("a", &PatchParams::default(), &scale(2)).await),
        (409, "Conflict".into())
    );
    assert_eq!(refused(api.get("a").await), (403, "Forbidden".into()));
    world.inject(FaultRule::next("patch", "", Fault::LoseAnswer));
    let (params, patch) = (PatchParams::default(), scale(3));
    let lost = tokio::time::timeout(Duration::from_secs(5), api.patch("a", &params, &patch)).await;
    assert!(lost.is_err());
    assert_eq!(
        api.get("a").await.unwrap().data["spec"]["replicas"],
        3,
        "carried out all the same"
    );
    world.inject(FaultRule::next("", "routes", Fault::Break));
    world.inject(FaultRule::next("list", "httproutes", Fault::Break));
    assert!(matches!(
        routes(&client).list(&ListParams::default()).await,
        Err(kube::Error::Service(_))
    ));
    let trace = world.trace();
    let codes: Vec<u16> = trace
        .iter()
        .filter(|c| c.verb == "patch")
        .map(|c| c.status)
        .collect();
    assert_eq!(codes, [200, 409, 0]);
    assert!(trace.iter().all(|c| c.user == "me"));
}

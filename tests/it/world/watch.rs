//! Watches, raw and through the runtime's watcher.

use std::time::Duration;

use futures::{Stream, StreamExt, TryStreamExt};
use kube::ResourceExt;
use kube::api::{DynamicObject, Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::watcher::{self, watcher};
use serde_json::json;

use super::{api, deployment, deployments, world};

fn kinds(events: &[WatchEvent<DynamicObject>]) -> Vec<&'static str> {
    let kind = |event: &WatchEvent<DynamicObject>| match event {
        WatchEvent::Added(_) => "ADDED",
        WatchEvent::Modified(_) => "MODIFIED",
        WatchEvent::Deleted(_) => "DELETED",
        WatchEvent::Bookmark(_) => "BOOKMARK",
        WatchEvent::Error(_) => "ERROR",
    };
    events.iter().map(kind).collect()
}

async fn label(api: &kube::Api<DynamicObject>, name: &str, value: Option<&str>) {
    let patch = Patch::Merge(json!({"metadata": {"labels": {"tier": value}}}));
    api.patch(name, &PatchParams::default(), &patch).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn events_follow_the_selector_in_order_and_bookmarks_come() {
    let client = world().client();
    let api = deployments(&client);
    let made = api
        .create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let params = WatchParams::default().labels("tier=web").timeout(90);
    let stream = api
        .watch(&params, &made.resource_version().unwrap())
        .await
        .unwrap();
    label(&api, "a", Some("web")).await;
    label(&api, "a", None).await;
    label(&api, "a", Some("web")).await;
    api.delete("a", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    let events: Vec<_> = stream.try_collect().await.unwrap();
    assert_eq!(
        kinds(&events),
        ["ADDED", "DELETED", "ADDED", "DELETED", "BOOKMARK"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_start_too_old_is_expired() {
    let world = world();
    let api = deployments(&world.client());
    let made = api
        .create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    label(&api, "a", Some("web")).await;
    world.compact();
    let stream = api
        .watch(&WatchParams::default(), &made.resource_version().unwrap())
        .await
        .unwrap();
    let events: Vec<_> = stream.try_collect().await.unwrap();
    let [WatchEvent::Error(error)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!((error.code, error.reason.as_str()), (410, "Expired"));
}

async fn next<S: Stream<Item = watcher::Result<watcher::Event<DynamicObject>>> + Unpin>(
    stream: &mut S,
) -> String {
    let event = tokio::time::timeout(Duration::from_mins(10), stream.next())
        .await
        .unwrap()
        .unwrap();
    match event.unwrap() {
        watcher::Event::Apply(o) => format!("apply {}", o.name_any()),
        watcher::Event::InitApply(o) => format!("initial {}", o.name_any()),
        watcher::Event::Delete(o) => format!("delete {}", o.name_any()),
        watcher::Event::Init => "init".into(),
        watcher::Event::InitDone => "done".into(),
    }
}

#[tokio::test(start_paused = true)]
async fn the_runtime_watcher_lists_streams_and_recovers() {
    for config in [
        watcher::Config::default(),
        watcher::Config::default().streaming_lists(),
    ] {
        let world = world();
        let api = deployments(&world.client());
        api.create(&PostParams::default(), &deployment("a", "app:v1"))
            .await
            .unwrap();
        let mut stream = Box::pin(watcher(api.clone(), config));
        assert_eq!(
            [
                next(&mut stream).await,
                next(&mut stream).await,
                next(&mut stream).await
            ],
            ["init", "initial a", "done"]
        );
        api.create(&PostParams::default(), &deployment("b", "app:v1"))
            .await
            .unwrap();
        assert_eq!(next(&mut stream).await, "apply b");
        world.cut_watches();
        label(&api, "a", Some("web")).await;
        assert_eq!(next(&mut stream).await, "apply a");
        world.hold_watches(true);
        label(&api, "b", Some("web")).await;
        assert!(
            tokio::time::timeout(Duration::from_secs(9), stream.next())
                .await
                .is_err()
        );
        world.hold_watches(false);
        assert_eq!(next(&mut stream).await, "apply b");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_watches_carry_metadata_only() {
    let client = world().client();
    deployments(&client)
        .create(&PostParams::default(), &deployment("a", "app:v1"))
        .await
        .unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", "Deployment"));
    let all: kube::Api<DynamicObject> = kube::Api::all_with(client.clone(), &resource);
    let stream = all
        .watch_metadata(&WatchParams::default().timeout(1), "0")
        .await
        .unwrap();
    let events: Vec<_> = stream.try_collect().await.unwrap();
    let [WatchEvent::Added(partial)] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(partial.name_any(), "a");
    assert!(
        api(&client, "apps", "v1", "Deployment")
            .get_metadata("a")
            .await
            .is_ok()
    );
}

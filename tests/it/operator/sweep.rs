//! Answered `RolloutAction`s go in time, under the operator's own name.

use std::time::Duration;

use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin::api::RolloutAction;
use serin::world::World;

use super::{operate, phase_is, shop};

const ADMIN: &str = "admin";

/// An approval of long ago; the world begins later.
async fn answered(world: &World, name: &str, phase: &str) {
    world
        .apply(&json!({
            "apiVersion": "serin.dev/v1alpha1", "kind": "RolloutAction",
            "metadata": {"name": name, "namespace": "shop"},
            "spec": {"rollout": "checkout", "revision": "old", "action": "Approve"},
        }))
        .unwrap();
    let status = json!({"status": {"phase": phase, "at": format!("2020-01-01T00:00:{name}Z")}});
    let actions: Api<RolloutAction> = Api::namespaced(world.client_as(ADMIN), "shop");
    actions
        .patch_status(name, &PatchParams::default(), &Patch::Merge(status))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_last_ten_answered_actions_stay() {
    let world = shop();
    for number in 10..25 {
        answered(
            &world,
            &number.to_string(),
            if number % 2 == 0 { "Done" } else { "Rejected" },
        )
        .await;
    }
    let (_tasks, _) = operate(&world);
    phase_is(&world, "Idle").await;
    let left = || {
        let mut left: Vec<String> = world
            .objects("rolloutactions", "shop")
            .iter()
            .map(|it| it["metadata"]["name"].as_str().unwrap_or_default().to_owned())
            .collect();
        left.sort();
        left
    };
    let last: Vec<String> = (15..25).map(|number| number.to_string()).collect();
    assert_eq!(left(), last);
    // Nothing more follows, and one that is answered anew pushes the oldest out within the hour.
    answered(&world, "25", "Done").await;
    tokio::time::sleep(Duration::from_mins(61)).await;
    assert_eq!(left().first().map(String::as_str), Some("16"));
}

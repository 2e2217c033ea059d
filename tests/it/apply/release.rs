//! Each effect does what it says, once.

use serde_json::json;
use serin::cluster::error::Class;
use serin::engine::quantity::{Revision, Weight};
use serin::engine::state::{Phase, Removal};
use serin::engine::{Effect, reason};
use serin::render::{gate, names};

use super::{Stage0, down, up};

#[tokio::test(start_paused = true)]
async fn the_gate_is_set_opened_and_taken_away() {
    let stage = Stage0::new().await;
    let before = stage.object("deployments", "checkout");
    let stable = stage.template();
    assert_eq!(stage.apply(Effect::Guard).await.unwrap().writes(), 2);
    assert_eq!(stage.apply(Effect::Guard).await.unwrap().writes(), 0);
    assert!(gate::is_guarded(&stage.object("rollouts", "checkout")));
    assert_eq!(stage.apply(Effect::Pause).await.unwrap().writes(), 1);
    assert!(gate::is_paused(&stage.object("deployments", "checkout")));
    let open = Effect::Unpause { template: stable };
    assert_eq!(stage.apply(open.clone()).await.unwrap().writes(), 1);
    assert_eq!(stage.apply(open).await.unwrap().writes(), 0);
    stage.apply(Effect::Pause).await.unwrap();
    stage.apply(Effect::Release { resume: true }).await.unwrap();
    let after = stage.object("deployments", "checkout");
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(after["metadata"]["labels"], before["metadata"]["labels"]);
    stage.apply(Effect::RemoveFinalizer).await.unwrap();
    assert!(!gate::is_guarded(&stage.object("rollouts", "checkout")));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_comes_bears_traffic_and_leaves_no_trace() {
    let mut stage = Stage0::new().await;
    let before = stage.object("httproutes", "checkout")["spec"].clone();
    let revision = stage.begin().await;
    let name = names::candidate("checkout", &revision);
    let order = Effect::Candidate {
        revision: revision.clone(),
        replicas: 1,
    };
    assert_eq!(stage.apply(order.clone()).await.unwrap().writes(), 2);
    assert_eq!(stage.apply(order).await.unwrap().writes(), 0);
    stage.wait(10).await;
    let candidate = stage.object("deployments", &name);
    assert_eq!(candidate["status"]["readyReplicas"], 1);
    assert_eq!(
        candidate["spec"]["template"]["spec"]["containers"][0]["image"],
        "checkout:v2"
    );
    assert!(candidate["metadata"].get("ownerReferences").is_none());
    assert_eq!(
        stage.object("services", &name)["spec"]["selector"]["app"],
        name.as_str()
    );

    assert_eq!(stage.apply(up(10)).await.unwrap().writes(), 1);
    assert_eq!(stage.apply(up(10)).await.unwrap().writes(), 0);
    assert_eq!(stage.weights(), [("checkout".to_owned(), 90), (name.clone(), 10)]);
    let early = stage.apply(Effect::Retire).await.unwrap_err();
    assert_eq!((early.class(), early.label()), (Class::Invalid, "blocked"));

    assert_eq!(stage.apply(down(0)).await.unwrap().writes(), 1);
    assert_eq!(stage.weights(), [("checkout".to_owned(), 100), (name.clone(), 0)]);
    assert_eq!(stage.apply(Effect::RestoreRoute).await.unwrap().writes(), 1);
    assert_eq!(stage.apply(Effect::RestoreRoute).await.unwrap().writes(), 0);
    assert_eq!(stage.object("httproutes", "checkout")["spec"], before);
    assert_eq!(stage.apply(Effect::Retire).await.unwrap().deleted.len(), 2);
    stage.wait(60).await;
    assert!(stage.snapshot().candidates.is_empty());
    assert!(stage.snapshot().candidate_services.is_empty());
    assert_eq!(stage.apply(Effect::Retire).await.unwrap().writes(), 0);
}

/// A name without a share is nobody's traffic: no live read, but the version that was seen must still be there.
#[tokio::test(start_paused = true)]
async fn naming_the_candidate_costs_one_conditional_write() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    let (seen, before) = (stage.snapshot(), stage.world.trace().len());
    assert_eq!(stage.apply(up(0)).await.unwrap().writes(), 1);
    let calls = stage.world.trace().split_off(before);
    let words: Vec<String> = calls
        .iter()
        .map(|call| format!("{} {}", call.verb, call.resource))
        .collect();
    assert_eq!(words, ["patch httproutes"]);
    assert_eq!(stage.weights()[1].1, 0);
    stage.apply(Effect::RestoreRoute).await.unwrap();
    let late = stage.apply_over(&seen, up(0)).await.unwrap_err();
    assert_eq!(late.class(), Class::Conflict);
}

/// Another revision than the candidate's shall serve when the Rollout is gone.
#[tokio::test(start_paused = true)]
async fn while_a_rollout_goes_the_candidate_that_is_there_keeps_its_traffic() {
    let mut stage = Stage0::new().await;
    let stable = stage.template();
    let revision = stage.begin_with_candidate().await;
    stage.apply(up(10)).await.unwrap();
    stage.world.set_image("shop", "checkout", "checkout:v1").unwrap();
    stage.wait(1).await;
    assert_eq!(stage.template(), stable);
    stage.state.phase = Phase::Deleting(Removal {
        entered: stage.now(),
        approved: Some(stable.clone()),
        weight: Weight::clamped(25),
        ships: false,
        drain: true,
        served: None,
        watched: None,
    });
    assert_eq!(stage.apply(down(25)).await.unwrap().writes(), 1);
    let name = names::candidate("checkout", &revision);
    assert_eq!(stage.weights(), [("checkout".to_owned(), 75), (name, 25)]);
    let open = Effect::Unpause { template: stable };
    assert_eq!(stage.apply(open).await.unwrap().writes(), 1);
    assert!(!gate::is_paused(&stage.object("deployments", "checkout")));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_with_traffic_is_not_scaled_to_nothing() {
    let mut stage = Stage0::new().await;
    let revision = stage.begin_with_candidate().await;
    stage.apply(up(10)).await.unwrap();
    let nothing = Effect::Candidate {
        revision,
        replicas: 0,
    };
    assert_eq!(stage.apply(nothing.clone()).await.unwrap_err().label(), "blocked");
    stage.apply(down(0)).await.unwrap();
    assert_eq!(stage.apply(nothing).await.unwrap().writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_object_of_somebody_else_is_never_adopted() {
    let mut stage = Stage0::new().await;
    let revision = stage.begin().await;
    let name = names::candidate("checkout", &revision);
    stage
        .world
        .apply(&json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": "shop"},
            "spec": {"ports": [{"port": 80}]},
        }))
        .unwrap();
    let error = stage
        .apply(Effect::Candidate {
            revision,
            replicas: 1,
        })
        .await
        .unwrap_err();
    assert_eq!(error.label(), "foreign");
    assert!(
        error.to_string().contains(&format!("Service shop/{name}")),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_purge_leaves_only_the_pods_to_keep() {
    let stage = Stage0::new().await;
    let stable = stage.template();
    stage.world.set_image("shop", "checkout", "checkout:v2").unwrap();
    stage.wait(2).await;
    stage.apply(Effect::Purge { keep: stable.clone() }).await.unwrap();
    stage.wait(60).await;
    for set in stage.snapshot().replica_sets {
        let wanted = if gate::revision_of(&set) == stable { 4 } else { 0 };
        assert_eq!(set["spec"]["replicas"], wanted, "{}", set["metadata"]["name"]);
    }
    assert!(gate::is_paused(&stage.object("deployments", "checkout")));
    let gone = Effect::Purge {
        keep: Revision::named("bcdfghjklm"),
    };
    assert_eq!(
        stage.apply(gone).await.unwrap_err().problem().reason,
        reason::REVISION_GONE
    );
}

#[tokio::test(start_paused = true)]
async fn an_action_is_answered_once() {
    let stage = Stage0::new().await;
    stage
        .world
        .apply(&json!({
            "apiVersion": "serin.dev/v1alpha1", "kind": "RolloutAction",
            "metadata": {"name": "stop", "namespace": "shop"}, "spec": {"rollout": "checkout", "action": "Abort"},
        }))
        .unwrap();
    let id = stage.object("rolloutactions", "stop")["metadata"]["uid"]
        .as_str()
        .unwrap()
        .to_owned();
    let refusal = Some("no release is active".to_owned());
    stage
        .apply(Effect::Finish {
            id: id.clone(),
            refusal,
        })
        .await
        .unwrap();
    let status = stage.object("rolloutactions", "stop")["status"].clone();
    assert_eq!(status["phase"], "Rejected");
    assert_eq!(status["message"], "no release is active");
    assert!(status["at"].as_str().unwrap().ends_with('Z'));
    let other = Effect::Finish {
        id: "other".into(),
        refusal: None,
    };
    assert_eq!(stage.apply(other).await.unwrap().writes(), 0);
}

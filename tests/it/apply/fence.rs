//! What keeps a decision from being written over another one.

use serde_json::json;
use serin::cluster::error::Class;
use serin::engine::Effect;
use serin::world::{Fault, FaultRule};

use super::{Says, Stage0, down, stamp, up, writer};

#[tokio::test(start_paused = true)]
async fn a_status_is_committed_once_for_each_version() {
    let stage = Stage0::new().await;
    let seen = stage.object("rollouts", "checkout");
    let status = json!({"message": "one"});
    let now = stage.writer.commit_status(&seen, &status).await.unwrap();
    assert_eq!(now["status"], json!({"message": "one", "stamp": "lease/7"}));
    assert_ne!(
        now["metadata"]["resourceVersion"],
        seen["metadata"]["resourceVersion"]
    );
    let error = stage.writer.commit_status(&seen, &status).await.unwrap_err();
    assert_eq!((error.class(), error.label()), (Class::Conflict, "conflict"));
}

#[tokio::test(start_paused = true)]
async fn more_traffic_is_not_written_over_a_decision_that_has_moved() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    let seen = stage.snapshot();
    stage.commit(&[]).await.unwrap();
    let error = stage.apply_over(&seen, up(10)).await.unwrap_err();
    assert_eq!((error.class(), error.label()), (Class::Conflict, "stale"));
    assert!(error.to_string().contains("status has changed"), "{error}");
    assert_eq!(stage.weights().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_traffic_needs_the_pods_that_the_decision_saw() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    let mut seen = stage.snapshot();
    seen.candidates[0]["status"]["readyReplicas"] = json!(2);
    assert_eq!(
        stage.apply_over(&seen, up(10)).await.unwrap_err().label(),
        "stale"
    );
    seen.candidates.clear();
    assert_eq!(
        stage.apply_over(&seen, up(10)).await.unwrap_err().label(),
        "stale"
    );
    assert_eq!(stage.weights().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_traffic_needs_the_lease_and_less_does_not() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    stage.apply(up(10)).await.unwrap();
    for lease in [None, Some(stamp(8))] {
        stage.leader = Says(lease);
        assert_eq!(stage.apply(up(25)).await.unwrap_err().label(), "not_leader");
    }
    assert_eq!(stage.apply(down(0)).await.unwrap().writes(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_a_person_changed_is_decided_about_anew() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    let seen = stage.snapshot();
    let mut route = stage.object("httproutes", "checkout");
    route["spec"]["hostnames"] = json!(["other.example.com"]);
    route["metadata"].as_object_mut().unwrap().remove("managedFields");
    route["metadata"]
        .as_object_mut()
        .unwrap()
        .remove("resourceVersion");
    stage.world.apply(&route).unwrap();
    assert_eq!(
        stage.apply_over(&seen, up(10)).await.unwrap_err().label(),
        "stale"
    );
}

#[tokio::test(start_paused = true)]
async fn less_traffic_wins_over_whoever_was_faster() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    stage.apply(up(10)).await.unwrap();
    let seen = stage.snapshot();
    stage.apply(up(25)).await.unwrap();
    assert_eq!(stage.apply_over(&seen, down(0)).await.unwrap().writes(), 1);
    assert_eq!(stage.weights()[1].1, 0);
}

#[tokio::test(start_paused = true)]
async fn nobody_writes_over_a_later_leader() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    stage.apply(up(10)).await.unwrap();
    let later = writer(&stage.world, 8);
    let (applied, errors) = later.touch(&stage.snapshot()).await;
    assert_eq!((applied.writes(), errors.len()), (3, 0));
    let (applied, errors) = later.touch(&stage.snapshot()).await;
    assert_eq!((applied.writes(), errors.len()), (0, 0));
    for effect in [down(0), up(25), Effect::RestoreRoute, Effect::Retire] {
        let error = stage.apply(effect.clone()).await.unwrap_err();
        assert!(
            ["outranked", "blocked"].contains(&error.label()),
            "{effect:?}: {error}"
        );
    }
    let seen = stage.object("rollouts", "checkout");
    later
        .commit_status(&seen, &json!({"message": "later"}))
        .await
        .unwrap();
    assert_eq!(stage.commit(&[]).await.unwrap_err().label(), "outranked");
    assert_eq!(stage.weights()[1].1, 10);
}

#[tokio::test(start_paused = true)]
async fn an_opened_gate_needs_the_template_that_was_seen() {
    let mut stage = Stage0::new().await;
    let revision = stage.begin_with_candidate().await;
    let seen = stage.snapshot();
    stage.world.set_image("shop", "checkout", "checkout:v3").unwrap();
    let open = Effect::Unpause { template: revision };
    assert_eq!(
        stage.apply_over(&seen, open.clone()).await.unwrap_err().label(),
        "stale"
    );
    let error = stage.apply(open).await.unwrap_err();
    assert_eq!(error.problem().reason, "TemplateChanged");
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_an_unknown_outcome_and_a_right_that_is_missing_is_named() {
    let mut stage = Stage0::new().await;
    stage.begin_with_candidate().await;
    let patch = |fault| FaultRule::next("patch", "httproutes", fault);
    stage.world.inject(patch(Fault::LoseAnswer));
    assert_eq!(stage.apply(up(10)).await.unwrap_err().class(), Class::Unknown);
    assert_eq!(stage.weights()[1].1, 10, "it was carried out");
    assert_eq!(
        stage.apply(up(10)).await.unwrap().writes(),
        0,
        "so nothing is left to do"
    );
    stage.world.inject(patch(Fault::Hang));
    assert_eq!(stage.apply(up(25)).await.unwrap_err().class(), Class::Unknown);
    stage.world.heal();
    stage.world.inject(patch(Fault::Status(503)));
    assert_eq!(stage.apply(up(25)).await.unwrap_err().class(), Class::Unknown);
    stage.world.inject(patch(Fault::Status(429)));
    assert_eq!(stage.apply(up(25)).await.unwrap_err().class(), Class::Transient);
    stage.world.inject(patch(Fault::Status(403)));
    let error = stage.apply(up(25)).await.unwrap_err();
    assert_eq!(error.class(), Class::Denied, "{error}");
    assert!(
        error
            .to_string()
            .contains("`patch` on `httproutes.gateway.networking.k8s.io` in namespace shop"),
        "{error}"
    );
}

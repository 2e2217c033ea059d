use super::*;

const STAMP: &str = "lease/7";

fn workload(paused: bool, image: &str) -> Value {
    let mut workload = json!({
        "kind": "Deployment",
        "metadata": {"namespace": "shop", "name": "checkout", "uid": "d-1", "resourceVersion": "9"},
        "spec": {"replicas": 3, "template": template(image)},
    });
    if paused {
        workload["spec"]["paused"] = json!(true);
    }
    workload
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{"image": image}]}})
}

fn set(name: &str, image: &str, replicas: u32) -> Value {
    let mut template = template(image);
    template["metadata"]["labels"]["pod-template-hash"] = json!(name);
    json!({
        "kind": "ReplicaSet",
        "metadata": {"namespace": "shop", "name": name, "uid": name, "resourceVersion": "4"},
        "spec": {"replicas": replicas, "template": template},
    })
}

fn rollout() -> Value {
    json!({"kind": "Rollout", "metadata": {"namespace": "shop", "name": "checkout", "uid": "u-1", "resourceVersion": "5"}})
}

fn revision_of_image(image: &str) -> Revision {
    revision::of_template(&template(image))
}

fn patched(object: &Value, ops: Option<Vec<Value>>) -> Value {
    let mut object = object.clone();
    if let Some(ops) = ops {
        let patch: json_patch::Patch = serde_json::from_value(Value::Array(ops)).unwrap();
        json_patch::patch(&mut object, &patch).unwrap();
    }
    object
}

#[test]
fn guarding_twice_is_guarding_once() {
    let (rollout, workload) = (rollout(), workload(false, "web:1"));
    let guarded = patched(&rollout, add_finalizer(&rollout));
    assert!(is_guarded(&guarded));
    assert_eq!(add_finalizer(&guarded), None);
    let labelled = patched(&workload, label(&workload, &rollout));
    assert_eq!(labelled["metadata"]["labels"]["serin.dev/gate"], "u-1");
    assert_eq!(label(&labelled, &rollout), None);
    // A Rollout that is gone has left its label: it is not ours.
    let mut foreign = labelled.clone();
    foreign["metadata"]["labels"]["serin.dev/gate"] = json!("u-0");
    assert_eq!(patched(&foreign, label(&foreign, &rollout)), labelled);
}

#[test]
fn the_finalizers_of_others_stay() {
    let mut rollout = rollout();
    rollout["metadata"]["finalizers"] = json!(["a.example.com/x", "b.example.com/y"]);
    let guarded = patched(&rollout, add_finalizer(&rollout));
    assert_eq!(list(&guarded, "/metadata/finalizers").len(), 3);
    assert_eq!(patched(&guarded, remove_finalizer(&guarded)), rollout);
    assert_eq!(remove_finalizer(&rollout), None);
}

#[test]
fn a_rollout_that_goes_away_gets_no_finalizer() {
    let mut rollout = rollout();
    rollout["metadata"]["deletionTimestamp"] = json!("2026-11-21T10:00:00Z");
    assert_eq!(add_finalizer(&rollout), None);
}

#[test]
fn pausing_and_releasing_leave_the_deployment_as_it_was() {
    let mut before = workload(false, "web:1");
    before["metadata"]["labels"] = json!({"team": "a"});
    before["metadata"]["annotations"] = json!({"note": "b"});
    let gated = patched(&before, label(&before, &rollout()));
    let held = patched(&gated, pause(&gated, STAMP));
    assert!(is_paused(&held));
    assert_eq!(pause(&held, STAMP), None);
    assert_eq!(held["metadata"]["annotations"]["serin.dev/stamp"], STAMP);
    assert_eq!(patched(&held, release(&held, true)), before);
    let kept = patched(&held, release(&held, false));
    assert!(is_paused(&kept) && kept["metadata"]["labels"].get(names::GATE).is_none());
    assert_eq!(release(&before, true), None);
}

#[test]
fn only_the_approved_template_is_unpaused() {
    let held = workload(true, "web:2");
    let open = patched(&held, unpause(&held, &revision_of_image("web:2"), STAMP).unwrap());
    assert_eq!(open["spec"].get("paused"), None, "a default is stored as absent");
    assert_eq!(unpause(&open, &revision_of_image("web:2"), STAMP), Ok(None));
    let problem = unpause(&held, &revision_of_image("web:1"), STAMP).unwrap_err();
    assert_eq!(problem.reason, TEMPLATE_CHANGED);
}

/// Kind, name, replicas of each step.
fn outline(steps: &[Step]) -> Vec<String> {
    steps
        .iter()
        .map(|step| {
            let value = |path: &str| {
                step.ops
                    .iter()
                    .find(|op| op["path"] == path)
                    .map(|op| op["value"].clone())
            };
            let replicas = value("/spec/replicas").unwrap_or_default();
            assert_eq!(step.scale, step.kind == "ReplicaSet");
            format!("{} {} {replicas}", step.kind, step.name)
        })
        .collect()
}

#[test]
fn a_purge_pauses_then_empties_every_other_replica_set() {
    let sets = [
        set("one", "web:1", 2),
        set("two", "web:2", 1),
        set("three", "web:3", 0),
    ];
    let keep = revision_of_image("web:1");
    let steps = purge(&workload(false, "web:3"), &sets, &keep, STAMP).unwrap();
    assert_eq!(outline(&steps), ["Deployment checkout null", "ReplicaSet two 0"]);
    let steps = purge(&workload(true, "web:3"), &sets, &keep, STAMP).unwrap();
    assert_eq!(outline(&steps), ["ReplicaSet two 0"]);
}

#[test]
fn an_empty_replica_set_gets_a_pod_before_the_others_lose_theirs() {
    let sets = [set("two", "web:2", 3), set("one", "web:1", 0)];
    let keep = revision_of_image("web:1");
    let steps = purge(&workload(true, "web:2"), &sets, &keep, STAMP).unwrap();
    assert_eq!(outline(&steps), ["ReplicaSet one 1", "ReplicaSet two 0"]);
    let mut asleep = workload(true, "web:2");
    asleep["spec"]["replicas"] = json!(0);
    let steps = purge(&asleep, &sets, &keep, STAMP).unwrap();
    assert_eq!(
        outline(&steps),
        ["ReplicaSet two 0"],
        "a Deployment scaled to nothing stays so"
    );
}

#[test]
fn a_purge_without_the_replica_set_to_keep_touches_nothing() {
    let sets = [set("two", "web:2", 3)];
    let problem = purge(
        &workload(true, "web:2"),
        &sets,
        &revision_of_image("web:1"),
        STAMP,
    )
    .unwrap_err();
    assert_eq!(problem.reason, REVISION_GONE);
}

#[test]
fn a_deployment_that_holds_back_a_template_may_not_run() {
    let set = |image: &str, replicas: u32| set(image, image, replicas);
    let workload = workload(true, "v2");
    assert!(holds_nothing(&workload, &[set("v1", 0), set("v2", 3)]));
    for sets in [
        vec![],
        vec![set("v2", 0)],
        vec![set("v1", 3)],
        vec![set("v1", 1), set("v2", 3)],
    ] {
        assert!(!holds_nothing(&workload, &sets));
    }
}

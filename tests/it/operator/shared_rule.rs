//! Two Rollouts whose Services stand in one rule: one release at a time, for each would read the other's candidate as
//! somebody's backend and write the rule anew.

use serde_json::json;

use super::*;

const PARTNER: &str = "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {name: partner, namespace: shop}
spec:
  workload: {name: partner}
  traffic: {gatewayAPI: {routes: [{name: checkout}]}}
";

/// A shop whose only rule gives half to each of two workloads, both released by Serin and at rest.
async fn shared() -> (World, JoinSet<()>) {
    let world = shop();
    world.define_image("partner:v2", Image::failing(0.0));
    let partner = Shop {
        name: "partner".into(),
        image: "partner:v1".into(),
        ..Shop::default()
    };
    world.install(&partner).unwrap();
    let rules = json!([{"backendRefs": [
        {"name": "checkout", "port": 80, "weight": 50}, {"name": "partner", "port": 80, "weight": 50},
    ]}]);
    patch(&world, HTTP_ROUTE, json!({"spec": {"rules": rules}})).await;
    world.apply_yaml(PARTNER).unwrap();
    let (tasks, _) = operate(&world);
    for name in ["checkout", "partner"] {
        rollout_comes_to(&world, name, "Idle").await;
    }
    (world, tasks)
}

async fn rollout_comes_to(world: &World, name: &str, phase: &str) {
    for _ in 0..14_400 {
        if status_of(world, name)["phase"] == phase {
            return;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("{name} is never {phase}: {}", status_of(world, name));
}

/// Name and weight of each backend of the rule.
fn backends(world: &World) -> Vec<(String, u64)> {
    let route = world.object("httproutes", "shop", "checkout").unwrap();
    let backends = route["spec"]["rules"][0]["backendRefs"]
        .as_array()
        .cloned()
        .unwrap();
    let name = |it: &Value| it["name"].as_str().unwrap().to_owned();
    let weight = |it: &Value| it["weight"].as_u64().unwrap_or(1);
    backends.iter().map(|it| (name(it), weight(it))).collect()
}

fn halves() -> Vec<(String, u64)> {
    vec![("checkout".into(), 50), ("partner".into(), 50)]
}

fn generation(world: &World) -> i64 {
    let route = world.object("httproutes", "shop", "checkout").unwrap();
    route["metadata"]["generation"].as_i64().unwrap()
}

/// At every moment: no more than one of the two has a candidate in the rule.
fn one_at_a_time(world: &World) {
    let named = backends(world);
    let has = |stem: &str| named.iter().any(|(name, _)| name.starts_with(stem));
    assert!(!(has("checkout-canary-") && has("partner-canary-")), "{named:?}");
}

#[tokio::test(start_paused = true)]
async fn two_rollouts_of_one_rule_release_one_after_the_other() {
    let (world, _tasks) = shared().await;
    world.set_image("shop", "checkout", "checkout:v2").unwrap();
    rollout_comes_to(&world, "checkout", "Judging").await;
    world.set_image("shop", "partner", "partner:v2").unwrap();
    tokio::time::sleep(Duration::from_secs(15)).await;
    let told = status_of(&world, "partner");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .starts_with("HTTPRoute shop/checkout is in use by the release of Rollout `checkout`"),
        "{told}"
    );
    let before = generation(&world);
    while status(&world)["phase"] != "Promoted" {
        one_at_a_time(&world);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(world.elapsed() < Duration::from_hours(3), "{}", status(&world));
    }
    let changes = generation(&world) - before;
    assert!(changes <= 12, "{changes} changes of the route for one release");
    rollout_comes_to(&world, "partner", "Judging").await;
    one_at_a_time(&world);
    rollout_comes_to(&world, "partner", "Promoted").await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(backends(&world), halves());
}

/// What waits is told in its turn, what is rolled back is drained, and an end of either lets the other go on.
#[tokio::test(start_paused = true)]
async fn a_rollback_in_a_shared_rule_goes_through_and_lets_the_other_begin() {
    let (world, _tasks) = shared().await;
    for name in ["checkout", "partner"] {
        world.set_image("shop", name, &format!("{name}:v2")).unwrap();
    }
    let first = loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        one_at_a_time(&world);
        let named = backends(&world);
        if let Some((name, _)) = named
            .iter()
            .find(|(name, weight)| is_candidate(name) && *weight > 0)
        {
            break name.split('-').next().unwrap().to_owned();
        }
        assert!(world.elapsed() < Duration::from_mins(30));
    };
    let other = if first == "checkout" {
        "partner"
    } else {
        "checkout"
    };
    act_with(&world, &json!({"rollout": first, "action": "Abort"}));
    rollout_comes_to(&world, &first, "RolledBack").await;
    for _ in 0..600 {
        one_at_a_time(&world);
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    rollout_comes_to(&world, other, "Promoted").await;
    assert_eq!(status_of(&world, &first)["phase"], "RolledBack");
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(backends(&world), halves());
}

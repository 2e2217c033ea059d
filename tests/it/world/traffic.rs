//! Gateway, requests, and the metrics that come of them.

use std::time::Duration;

use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use serin::ports::{Clock, MetricSource, Sample, SourceError};
use serin::world::{Exposition, Image, Load, MetricFault, Options, Outage, Shop, World};

use super::routes;

async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// A running shop, and a second version of it behind a Service of its own.
async fn two_versions(seed: u64, bad: Image) -> World {
    let world = World::new(&Options {
        seed,
        ..Options::default()
    });
    world.install(&Shop::default()).unwrap();
    let canary = Shop {
        name: "canary".into(),
        image: "checkout:v2".into(),
        replicas: 2,
        ..Shop::default()
    };
    world.install(&canary).unwrap();
    world.define_image("checkout:v2", bad);
    tokio::spawn(world.clone().run());
    wait(5).await;
    world.add_load(Load::constant("shop", "checkout", 200.0));
    world
}

async fn weigh(world: &World, stable: i32, canary: i32) {
    let rule = json!({"backendRefs": [
        {"name": "checkout", "port": 80, "weight": stable}, {"name": "canary", "port": 80, "weight": canary},
    ]});
    let patch = Patch::Merge(json!({"spec": {"rules": [rule]}}));
    routes(&world.client())
        .patch("checkout", &PatchParams::default(), &patch)
        .await
        .unwrap();
}

async fn query(world: &World, query: &str) -> Vec<Sample> {
    let now = world.clock().now();
    world.metrics().instant(query, now).await.unwrap()
}

async fn value(world: &World, text: &str) -> f64 {
    let samples = query(world, text).await;
    assert_eq!(samples.len(), 1, "{text}: {samples:?}");
    samples[0].value
}

fn conditions(world: &World) -> Vec<(String, String, i64)> {
    let route = world.object("httproutes", "shop", "checkout").unwrap();
    let parents = route["status"]["parents"].as_array().cloned().unwrap_or_default();
    let of = |c: &serde_json::Value| {
        let text = |field: &str| c[field].as_str().unwrap().to_owned();
        (
            text("type"),
            text("status"),
            c["observedGeneration"].as_i64().unwrap(),
        )
    };
    parents
        .iter()
        .flat_map(|p| p["conditions"].as_array().unwrap().iter().map(of))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn routes_are_accepted_and_then_take_effect() {
    let world = two_versions(1, Image::default()).await;
    world.delay_gateway(Duration::from_secs(2), Duration::from_secs(4));
    weigh(&world, 90, 10).await;
    wait(1).await;
    assert_eq!(conditions(&world)[0], ("Accepted".into(), "True".into(), 1));
    wait(2).await;
    assert_eq!(conditions(&world)[0], ("Accepted".into(), "True".into(), 2));
    assert_eq!(
        world.weights_in_force("shop", "checkout").len(),
        1,
        "accepted, but not in force"
    );
    wait(2).await;
    let both = [("checkout".to_owned(), 90.0), ("canary".to_owned(), 10.0)];
    assert_eq!(world.weights_in_force("shop", "checkout"), both);
    world.reject_route("shop", "checkout", Some("UnsupportedValue"));
    weigh(&world, 50, 50).await;
    wait(6).await;
    assert_eq!(conditions(&world)[0], ("Accepted".into(), "False".into(), 3));
    assert_eq!(world.weights_in_force("shop", "checkout"), both);
}

#[tokio::test(start_paused = true)]
async fn requests_follow_the_weights_and_fail_as_the_version_does() {
    let world = two_versions(1, Image::failing(0.2)).await;
    weigh(&world, 90, 10).await;
    wait(100).await;
    let seen = world.seen("shop", "checkout");
    let (canary, failed) = seen.backends["canary"];
    let share = canary as f64 / seen.requests as f64;
    assert!((share - 0.1).abs() < 0.01, "{share}");
    assert!((failed as f64 / canary as f64 - 0.2).abs() < 0.03);
    assert_eq!((seen.failures, seen.backends["checkout"].1), (failed, 0));
    assert!(
        (seen.requests as f64 / 20_000.0 - 1.0).abs() < 0.03,
        "200 a second for 100 seconds"
    );
}

#[tokio::test(start_paused = true)]
async fn counters_have_the_gateways_names() {
    let world = two_versions(1, Image::failing(0.2)).await;
    weigh(&world, 90, 10).await;
    wait(60).await;
    let own = |rest: &str| format!("envoy_cluster_upstream_rq{rest}");
    let good = value(
        &world,
        &own(r#"{envoy_cluster_name="shop_canary_80",envoy_response_code="200"}"#),
    )
    .await;
    let bad = value(
        &world,
        &own(r#"_xx{envoy_cluster_name="shop_canary_80",envoy_response_code_class="5"}"#),
    )
    .await;
    let all = value(&world, &own(r#"_total{envoy_cluster_name="shop_canary_80"}"#)).await;
    assert!(good > 0.0 && bad > 0.0);
    assert_eq!(good + bad, all);
    let none = query(
        &world,
        &own(r#"{envoy_cluster_name="shop_checkout_80",envoy_response_code=~"5.."}"#),
    )
    .await;
    assert!(none.is_empty(), "a class that never occurred has no series");
    let pods = query(
        &world,
        r#"sum by (pod) (http_requests_total{namespace="shop",pod=~"canary-.*"})"#,
    )
    .await;
    assert_eq!(pods.len(), 2);
    assert_eq!(pods.iter().map(|s| s.value).sum::<f64>(), all);
    let slow = value(
        &world,
        r#"envoy_cluster_upstream_rq_time_bucket{envoy_cluster_name="shop_canary_80",le="+Inf"}"#,
    )
    .await;
    assert_eq!(slow, all);
    assert_eq!(value(&world, "count(up)").await, 7.0, "six pods and the gateway");
}

#[tokio::test(start_paused = true)]
async fn a_native_histogram_holds_every_request_of_its_pod() {
    let native = Image {
        exposition: Exposition::Native(3),
        ..Image::default()
    };
    let world = two_versions(1, native).await;
    weigh(&world, 50, 50).await;
    wait(60).await;
    let name = r#"http_request_duration_seconds{namespace="shop",pod=~"canary-.*"}"#;
    let now = world.clock().now();
    let pods = world.metrics().histograms(name, now).await.unwrap();
    assert_eq!(pods.len(), 2);
    let requests = query(&world, r#"http_requests_total{pod=~"canary-.*"}"#).await;
    for pod in &pods {
        let counter = requests.iter().find(|it| it.labels["pod"] == pod.labels["pod"]);
        assert_eq!(counter.unwrap().value, pod.count);
        let sum: f64 = pod.buckets.iter().map(|bucket| bucket.count).sum();
        assert_eq!(sum, pod.count);
        // The median is 20 ms, of which a bucket of an eighth of an octave may lie on either side.
        let within = |bound: f64| pod.buckets.iter().filter(move |it| it.upper <= bound);
        let [below, above] = [0.018, 0.022].map(|bound| within(bound).map(|it| it.count).sum::<f64>());
        assert!(below < sum / 2.0 && sum / 2.0 < above, "{below} {above} of {sum}");
    }
    // Neither kind is told as the other, and a fault spoils both.
    let refused = world.metrics().instant(name, now).await;
    assert!(matches!(refused, Err(SourceError::Unusable(_))), "{refused:?}");
    let refused = world.metrics().histograms("http_requests_total", now).await;
    assert!(matches!(refused, Err(SourceError::Unusable(_))), "{refused:?}");
    let classic = r#"http_request_duration_seconds_bucket{pod=~"canary-.*"}"#;
    assert_eq!(query(&world, classic).await, []);
    world.fault_metrics(MetricFault::Nan);
    let spoilt = world.metrics().histograms(name, now).await.unwrap();
    assert!(spoilt.iter().all(|it| it.count.is_nan()));
}

#[tokio::test(start_paused = true)]
async fn nobody_ready_is_503_and_a_missing_service_is_left_out() {
    let world = two_versions(1, Image::default()).await;
    weigh(&world, 50, 50).await;
    world.set_replicas("shop", "canary", 0).unwrap();
    wait(30).await;
    let seen = world.seen("shop", "checkout");
    assert_eq!(seen.backends["canary"].1, seen.failures);
    assert!(seen.failures > 1_000);
    let lost = r#"envoy_cluster_upstream_rq{envoy_cluster_name="shop_canary_80",envoy_response_code="503"}"#;
    assert!(value(&world, lost).await > 1_000.0);
    let services = super::api(&world.client(), "", "v1", "Service");
    services
        .delete("canary", &kube::api::DeleteParams::default())
        .await
        .unwrap();
    wait(2).await;
    let before = world.seen("shop", "checkout");
    wait(30).await;
    let after = world.seen("shop", "checkout");
    assert_eq!(
        after.failures, before.failures,
        "its share goes to the other backend"
    );
    assert!(conditions(&world).contains(&("ResolvedRefs".into(), "False".into(), 2)));
    assert!(
        query(&world, lost).await.is_empty(),
        "the series ends with its target"
    );
}

#[tokio::test(start_paused = true)]
async fn an_outage_hits_both_and_a_rate_may_depend_on_the_share() {
    let rate = |moment: &serin::world::Moment| if moment.share >= 0.5 { 0.3 } else { 0.0 };
    let tipping = Image {
        errors: std::sync::Arc::new(rate),
        ..Image::default()
    };
    let world = two_versions(1, tipping).await;
    weigh(&world, 90, 10).await;
    wait(20).await;
    assert_eq!(world.seen("shop", "checkout").failures, 0);
    let from = world.elapsed();
    world.add_outage(Outage {
        from,
        until: from + Duration::from_secs(20),
        rate: 0.5,
    });
    wait(30).await;
    let seen = world.seen("shop", "checkout");
    assert!(
        seen.backends["checkout"].1 > 1_500 && seen.backends["canary"].1 > 150,
        "{seen:?}"
    );
    weigh(&world, 50, 50).await;
    wait(20).await;
    assert!(world.seen("shop", "checkout").backends["canary"].1 > seen.backends["canary"].1 + 400);
}

#[tokio::test(start_paused = true)]
async fn samples_go_stale_and_providers_fail() {
    let world = two_versions(1, Image::default()).await;
    wait(20).await;
    let total = r#"envoy_cluster_upstream_rq_total{envoy_cluster_name="shop_checkout_80"}"#;
    let at = world.clock().now();
    let then = value(&world, total).await;
    wait(60).await;
    assert_eq!(
        world.metrics().instant(total, at).await.unwrap()[0].value,
        then,
        "the past can be read"
    );
    world.fault_metrics(MetricFault::Frozen);
    wait(240).await;
    assert_eq!(query(&world, total).await.len(), 1);
    wait(120).await;
    assert!(query(&world, total).await.is_empty(), "older than five minutes");
    let ask = |fault| {
        let world = world.clone();
        async move {
            world.fault_metrics(fault);
            world.metrics().instant("up", at).await
        }
    };
    assert_eq!(ask(MetricFault::Down).await, Err(SourceError::Unreachable));
    assert_eq!(ask(MetricFault::Status(403)).await, Err(SourceError::Denied(403)));
    assert_eq!(ask(MetricFault::Empty).await, Ok(vec![]));
    assert!(
        ask(MetricFault::Nan)
            .await
            .unwrap()
            .iter()
            .all(|s| s.value.is_nan())
    );
    let all = ask(MetricFault::None).await.unwrap().len();
    assert_eq!(ask(MetricFault::Partial).await.unwrap().len(), all.div_ceil(2));
    let refused = world
        .metrics()
        .instant("rate(up[5m])", Timestamp::UNIX_EPOCH)
        .await;
    assert!(matches!(refused, Err(SourceError::Refused(_))));
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_gives_the_same_trace() {
    let run = async |seed| {
        let world = two_versions(seed, Image::failing(0.05)).await;
        weigh(&world, 80, 20).await;
        wait(60).await;
        world.set_image("shop", "checkout", "checkout:v3").unwrap();
        wait(30).await;
        let trace: Vec<String> = world.trace().iter().map(ToString::to_string).collect();
        (
            trace,
            world.seen("shop", "checkout"),
            world.objects("pods", "shop"),
        )
    };
    // Times differ only in what tokio's paused clock shows; each world counts from its own beginning.
    let first = run(7).await;
    assert_eq!(first, run(7).await);
    assert_ne!(first.1, run(8).await.1);
}

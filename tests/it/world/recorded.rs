//! The world's answers against those that a real API server gave.

use serde_json::{Value, json};
use serin::world::{Options, World};

use super::parity;

/// Answers of kube-apiserver 1.36.3 with the Gateway API's and Serin's own CRDs.
const RECORDED: &str = include_str!("../../data/parity.json");

#[tokio::test(start_paused = true)]
async fn the_world_answers_as_the_real_server_did() {
    let world = World::new(&Options::default());
    for crd in serin::api::crd::all() {
        world.install_crd(&serde_json::to_value(crd).unwrap());
    }
    world
        .apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": parity::NAMESPACE}}))
        .unwrap();
    let recorded: Vec<(String, u16, Value)> = serde_json::from_str(RECORDED).unwrap();
    let played = parity::play(&world.client()).await;
    let differences = parity::differences(&played, &recorded);
    assert!(
        differences.is_empty(),
        "{} differences:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

//! The kubelet: gives pods an address, makes them ready as their image behaves, stops them.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::world::api_server::request::Part;
use crate::world::api_server::resources;
use crate::world::image::{Health, Image};
use crate::world::json::{self, put, text};
use crate::world::object::{condition, later};
use crate::world::state::State;

/// Time between two crashes of a crashing container, and the count at which it stays.
const CRASH_EVERY: Duration = Duration::from_secs(10);
const MOST_CRASHES: u64 = 6;

/// One round for every pod.
pub(super) fn sync(state: &mut State, now: Timestamp) {
    let pods = state.objects(resources::plural("", "pods"), "");
    state
        .cluster
        .born
        .retain(|uid, _| pods.iter().any(|pod| json::uid(pod) == uid));
    state
        .cluster
        .dying
        .retain(|uid, _| pods.iter().any(|pod| json::uid(pod) == uid));
    for pod in pods {
        let uid = json::uid(&pod).to_owned();
        let born = *state.cluster.born.entry(uid.clone()).or_insert(now);
        if json::deleting(&pod) {
            let since = *state.cluster.dying.entry(uid).or_insert(now);
            let end = later(since, state.cluster.stop_after);
            if end <= now {
                let at_once = json!({"gracePeriodSeconds": 0});
                state.discard(now, resources::plural("", "pods"), &pod, &at_once);
            } else {
                state.cluster.wake_at(end);
            }
            continue;
        }
        let image = image_of(state, &pod);
        let life = life(state, &pod, &image, now, born);
        write_status(state, now, &pod, life);
    }
}

/// The image of a pod's first container.
pub(in crate::world) fn image_name(pod: &Value) -> &str {
    text(pod, "/spec/containers/0/image")
}

fn image_of(state: &State, pod: &Value) -> Image {
    state
        .cluster
        .images
        .get(image_name(pod))
        .cloned()
        .unwrap_or_default()
}

/// What a container does just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Unready,
    Ready,
    Crashing(u64),
}

fn life(state: &mut State, pod: &Value, image: &Image, now: Timestamp, born: Timestamp) -> Life {
    let place = (json::namespace(pod).to_owned(), json::name(pod).to_owned());
    let ready_at = later(born, image.ready_after);
    if ready_at > now {
        state.cluster.wake_at(ready_at);
        return Life::Unready;
    }
    match (state.cluster.forced.get(&place), image.health) {
        (Some(true), _) | (None, Health::Ready) => Life::Ready,
        (Some(false), _) | (None, Health::NeverReady) => Life::Unready,
        (None, Health::CrashLoop) => {
            let age = now.duration_since(ready_at).as_secs().max(0) as u64;
            let crashes = (1 + age / CRASH_EVERY.as_secs()).min(MOST_CRASHES);
            if crashes < MOST_CRASHES {
                state
                    .cluster
                    .wake_at(later(ready_at, CRASH_EVERY * crashes as u32));
            }
            Life::Crashing(crashes)
        }
    }
}

fn write_status(state: &mut State, now: Timestamp, pod: &Value, life: Life) {
    let mut object = pod.clone();
    if text(pod, "/status/podIP").is_empty() {
        state.cluster.addresses += 1;
        let n = state.cluster.addresses;
        let ip = format!("10.244.{}.{}", (n >> 8) & 255, n & 255);
        put(&mut object, &["status", "podIPs"], json!([{"ip": ip}]));
        put(&mut object, &["status", "podIP"], ip.into());
        put(&mut object, &["status", "hostIP"], "10.0.0.1".into());
        put(&mut object, &["status", "startTime"], json::stamp(now));
    }
    put(&mut object, &["status", "phase"], "Running".into());
    put(
        &mut object,
        &["status", "observedGeneration"],
        json::generation(pod).into(),
    );
    put(
        &mut object,
        &["status", "conditions"],
        conditions(pod, now, life == Life::Ready).into(),
    );
    put(
        &mut object,
        &["status", "containerStatuses"],
        containers(pod, life).into(),
    );
    if object["status"] != pod["status"] {
        state.control(now, resources::plural("", "pods"), Part::Status, &object);
    }
}

fn conditions(pod: &Value, now: Timestamp, ready: bool) -> Vec<Value> {
    let all = [
        ("PodScheduled", true),
        ("Initialized", true),
        ("ContainersReady", ready),
        ("Ready", ready),
    ];
    all.into_iter()
        .map(|(kind, holds)| {
            let status = if holds { "True" } else { "False" };
            let since = condition(pod, kind)
                .filter(|c| text(c, "/status") == status)
                .map_or_else(|| json::stamp(now), |c| c["lastTransitionTime"].clone());
            let mut condition = json!({"type": kind, "status": status, "lastTransitionTime": since});
            if !holds {
                condition["reason"] = "ContainersNotReady".into();
            }
            condition
        })
        .collect()
}

fn containers(pod: &Value, life: Life) -> Vec<Value> {
    json::items(pod, "/spec/containers")
        .iter()
        .map(|container| {
            let mut status = json!({
                "name": container["name"], "image": container["image"], "imageID": "", "restartCount": 0,
                "ready": life == Life::Ready, "started": true, "state": {"running": {}}, "lastState": {},
            });
            if let Life::Crashing(crashes) = life {
                status["started"] = false.into();
                status["restartCount"] = crashes.into();
                status["state"] = json!({"waiting": {"reason": "CrashLoopBackOff"}});
                status["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
            }
            status
        })
        .collect()
}

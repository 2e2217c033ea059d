//! What the statuses of the candidate's pods say: why they are not ready, and how they have crashed.

use serde_json::Value;

use crate::engine::Revision;
use crate::engine::observation::Crashes;
use crate::render::json::{conditions, label, list, number, text};
use crate::render::names;

/// How the pods of `revision` have crashed. A container that ends with 0 and starts again has crashed as well: nobody asked
/// it to.
pub(super) fn crashes(pods: &[Value], revision: Option<&Revision>) -> Crashes {
    let mut crashes = Crashes::default();
    let of = |pod: &&Value| label(pod, names::REVISION) == revision.map(Revision::as_str);
    for pod in pods.iter().filter(of) {
        let mut restarts = 0;
        for status in lasting(pod) {
            restarts += number(status, "/restartCount").unwrap_or(0);
            if let Some(end) = last_end(status) {
                crashes.how = Some(format!("{} {end}", container(pod, status)));
            }
        }
        crashes.pods += u32::from(restarts > 0);
        crashes.restarts += restarts;
    }
    crashes
}

/// The statuses of the containers that are to run for as long as the pod does: sidecars among the init containers too.
pub(super) fn lasting(pod: &Value) -> impl Iterator<Item = &Value> {
    let sidecar = |status: &&Value| {
        let mut all = list(pod, "/spec/initContainers").iter();
        all.any(|it| text(it, "/name") == text(status, "/name") && text(it, "/restartPolicy") == "Always")
    };
    let init = list(pod, "/status/initContainerStatuses").iter();
    list(pod, "/status/containerStatuses")
        .iter()
        .chain(init.filter(sidecar))
}

/// Why a pod is not ready. The others wait for its init containers: what stops one of these is the reason.
pub(super) fn trouble(pod: &Value) -> Option<String> {
    let told = |status: &Value| Some(format!("{} {}", container(pod, status), down(status)?));
    let failing = |status: &&Value| {
        let code = status
            .pointer("/state/terminated/exitCode")
            .and_then(Value::as_i64);
        text(status, "/state/waiting/reason") != "PodInitializing" && code != Some(0)
    };
    let mut init = list(pod, "/status/initContainerStatuses").iter().filter(failing);
    let own = || list(pod, "/status/containerStatuses").iter().find_map(told);
    init.find_map(told).or_else(own).or_else(|| {
        let unscheduled = conditions(pod).find(|condition| {
            text(condition, "/type") == "PodScheduled" && text(condition, "/status") == "False"
        })?;
        Some(format!(
            "pod `{}` is not scheduled: {}",
            text(pod, "/metadata/name"),
            text(unscheduled, "/message")
        ))
    })
}

/// What keeps a container from running, if anything does.
fn down(status: &Value) -> Option<String> {
    let end = last_end(status);
    let waiting = status.pointer("/state/waiting/reason").and_then(Value::as_str);
    match (waiting, &end) {
        (Some(reason), Some(end)) => Some(format!("is waiting: {reason}, after it {end}")),
        (Some(reason), None) => Some(format!("is waiting: {reason}")),
        (None, Some(end)) if status.pointer("/state/terminated").is_some() => Some(end.clone()),
        (None, _) => None,
    }
}

/// How a container ended, now or before its last start.
fn last_end(status: &Value) -> Option<String> {
    let now = status.pointer("/state/terminated");
    let end = now.or_else(|| status.pointer("/lastState/terminated"))?;
    let code = end.pointer("/exitCode").and_then(Value::as_i64).unwrap_or(0);
    Some(format!("ended with {}, exit code {code}", text(end, "/reason")))
}

fn container(pod: &Value, status: &Value) -> String {
    format!(
        "container `{}` of pod `{}`",
        text(status, "/name"),
        text(pod, "/metadata/name")
    )
}

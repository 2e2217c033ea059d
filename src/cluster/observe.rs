//! From a snapshot to an observation: pure, and total on whatever JSON the API server admits.

mod pods;
mod policies;
pub mod ready;
mod routes;
mod shared_rule;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::snapshot::Snapshot;
use crate::engine::observation::{Action, Candidate, Pods, Problem, Verb, Workload};
use crate::engine::{Moment, Revision, reason};
use crate::render::json::{conditions, label, list, number, text};
use crate::render::{candidate, names, revision, selector};

pub use policies::lacking;
use routes::route_problem;
pub use routes::{arms, originals, route, routing_mark, stable_ports};
pub use shared_rule::engaged;

/// The user's Deployment as it is `now`, its pods by revision, and what the gate has put on it.
pub fn workload(snapshot: &Snapshot, now: Moment) -> Option<Workload> {
    let deployment = snapshot.workload.as_ref()?;
    let mut revisions: BTreeMap<Revision, Pods> = BTreeMap::new();
    for set in &snapshot.replica_sets {
        let pods = revisions
            .entry(revision::of_template(&set["spec"]["template"]))
            .or_default();
        pods.desired += number(set, "/spec/replicas").unwrap_or(0);
        pods.ready += number(set, "/status/readyReplicas").unwrap_or(0);
    }
    let generation = deployment
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let observed = deployment
        .pointer("/status/observedGeneration")
        .and_then(Value::as_i64)
        .unwrap_or(-1);
    let guarded = finalizers(&snapshot.rollout).any(|finalizer| finalizer == names::FINALIZER);
    Some(Workload {
        template: revision::of_template(&deployment["spec"]["template"]),
        paused: deployment
            .pointer("/spec/paused")
            .and_then(Value::as_bool)
            .unwrap_or(false),
        replicas: number(deployment, "/spec/replicas").unwrap_or(1),
        observed: observed >= generation,
        revisions,
        endpoints: snapshot.service.as_ref().map_or(0, |service| {
            count(&ready::endpoints(snapshot, text(service, "/metadata/name")))
        }),
        since: now,
        overdue: conditions(deployment)
            .find(|condition| text(condition, "/reason") == "ProgressDeadlineExceeded")
            .map(|condition| text(condition, "/lastUpdateTime").parse().unwrap_or(now)),
        gated: guarded && label(deployment, names::GATE) == Some(text(&snapshot.rollout, "/metadata/uid")),
    })
}

/// The candidate of `active`, or whichever is there when no release is active.
pub fn candidate(snapshot: &Snapshot, active: Option<&Revision>) -> Candidate {
    let of = |object: &Value| label(object, names::REVISION).map(Revision::named);
    let wanted = snapshot
        .candidates
        .iter()
        .find(|candidate| active.is_some() && of(candidate).as_ref() == active);
    let Some(deployment) = wanted.or_else(|| snapshot.candidates.first()) else {
        return Candidate {
            leftovers: !snapshot.candidate_services.is_empty(),
            ..Candidate::default()
        };
    };
    let revision = of(deployment);
    let service = snapshot
        .candidate_services
        .iter()
        .find(|service| of(service) == revision);
    let others = |object: &&Value| of(object) != revision;
    Candidate {
        service: service.is_some(),
        going: [Some(deployment), service].into_iter().flatten().any(is_going),
        desired: number(deployment, "/spec/replicas").unwrap_or(1),
        ready: service.map_or(0, |service| candidate_ready(snapshot, deployment, service)),
        trouble: trouble(snapshot, deployment, service),
        crashes: pods::crashes(&snapshot.candidate_pods, revision.as_ref()),
        leftovers: snapshot
            .candidates
            .iter()
            .chain(&snapshot.candidate_services)
            .any(|object| others(&object)),
        revision,
    }
}

/// Open requests by people: aborts first, then the oldest.
pub fn actions(snapshot: &Snapshot) -> Vec<Action> {
    let action = |object: &Value| {
        let verb = match text(object, "/spec/action") {
            "Approve" => Verb::Approve,
            "Pause" => Verb::Pause,
            "Resume" => Verb::Resume,
            "Abort" => Verb::Abort,
            _ => return None,
        };
        let revision = object.pointer("/spec/revision").and_then(Value::as_str);
        let created = text(object, "/metadata/creationTimestamp");
        Some(Action {
            id: text(object, "/metadata/uid").to_owned(),
            created: created.parse().unwrap_or(Moment::UNIX_EPOCH),
            verb,
            revision: revision.map(Revision::named),
        })
    };
    let mut actions: Vec<Action> = snapshot.actions.iter().filter_map(action).collect();
    actions.sort_by(|a, b| {
        let order = |it: &Action| (it.verb != Verb::Abort, it.created);
        order(a).cmp(&order(b)).then_with(|| a.id.cmp(&b.id))
    });
    actions
}

/// What is missing or contested among the objects that the Rollout names.
pub fn problems(snapshot: &Snapshot) -> Vec<Problem> {
    let mut problems = Vec::new();
    let namespace = &snapshot.namespace;
    let workload = text(&snapshot.rollout, "/spec/workload/name");
    if let Some(rival) = snapshot
        .rivals
        .iter()
        .find(|rival| seniority(rival) < seniority(&snapshot.rollout))
    {
        let name = text(rival, "/metadata/name");
        let message = format!(
            "Deployment {namespace}/{workload} is released by Rollout `{name}` already: delete one of the two"
        );
        problems.push(Problem {
            reason: reason::WORKLOAD_CONTESTED,
            message,
        });
    }
    if snapshot.workload.is_none() {
        let message = format!(
            "Deployment {namespace}/{workload} is not there: create it, or correct `spec.workload.name`"
        );
        problems.push(Problem {
            reason: reason::WORKLOAD_NOT_FOUND,
            message,
        });
    }
    if snapshot.service.is_none() {
        let service = arms(&snapshot.rollout).stable;
        let message =
            format!("Service {namespace}/{service} is not there: create it, or set `spec.traffic.service`");
        problems.push(Problem {
            reason: reason::SERVICE_NOT_FOUND,
            message,
        });
    }
    if snapshot.service.is_some() {
        problems.extend(route_problem(snapshot));
    }
    problems
}

/// What a decision rests on beside the metrics: while it stays the same, the metrics may take their time.
pub fn urgent(snapshot: &Snapshot) -> (Vec<Action>, Option<Workload>, Candidate, Vec<Option<i64>>) {
    let generation = |object: &Value| object.pointer("/metadata/generation").and_then(Value::as_i64);
    let routes = snapshot.routes.iter().map(|(_, route)| route.as_ref());
    // Deletion raises a Rollout's generation too.
    let generations = std::iter::once(Some(&snapshot.rollout))
        .chain(routes)
        .map(|object| object.and_then(generation));
    (
        actions(snapshot),
        workload(snapshot, Moment::UNIX_EPOCH), // its age is not looked at
        candidate(snapshot, None),
        generations.collect(),
    )
}

/// What stands in the way of a candidate of `revision`: somebody else would select its pods, or nobody would.
pub fn obstacle(snapshot: &Snapshot, revision: &Revision) -> Option<Problem> {
    let scene = selector::Scene {
        workload: snapshot.workload.as_ref()?,
        service: snapshot.service.as_ref()?,
        neighbours: &snapshot.neighbours,
        candidate: snapshot
            .candidates
            .iter()
            .find(|object| candidate::revision_of(object).as_ref() == Some(revision)),
        revision,
    };
    selector::suffix_key(&scene).err()
}

/// The older Rollout goes first; of two of one age, the first by name.
fn seniority(rollout: &Value) -> (&str, &str) {
    (
        text(rollout, "/metadata/creationTimestamp"),
        text(rollout, "/metadata/name"),
    )
}

fn count<T>(all: &BTreeSet<T>) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

/// Ready endpoints behind the candidate's Service. Pods of a Deployment that somebody has deleted serve on until they are
/// collected: where there are older ones than the Deployment, only as many count as it calls its own.
fn candidate_ready(snapshot: &Snapshot, deployment: &Value, service: &Value) -> u32 {
    let ready = count(&ready::endpoints(snapshot, text(service, "/metadata/name")));
    let created = |object| text(object, "/metadata/creationTimestamp");
    let older = |pod| created(pod) < created(deployment);
    if snapshot.candidate_pods.iter().any(older) {
        ready.min(number(deployment, "/status/readyReplicas").unwrap_or(0))
    } else {
        ready
    }
}

fn is_going(object: &Value) -> bool {
    object.pointer("/metadata/deletionTimestamp").is_some()
}

/// Why the candidate's pods are not there or not ready, in the cluster's own words.
fn trouble(snapshot: &Snapshot, deployment: &Value, service: Option<&Value>) -> Option<String> {
    let refused = conditions(deployment)
        .find(|condition| {
            text(condition, "/type") == "ReplicaFailure" && text(condition, "/status") == "True"
        })
        .map(|condition| text(condition, "/message").to_owned());
    let portless = || {
        let service = service?;
        ready::portless(snapshot, text(service, "/metadata/name"))
    };
    refused
        .or_else(|| snapshot.candidate_pods.iter().find_map(pods::trouble))
        .or_else(portless)
}

fn finalizers(object: &Value) -> impl Iterator<Item = &str> {
    list(object, "/metadata/finalizers")
        .iter()
        .filter_map(Value::as_str)
}

#[cfg(test)]
mod tests;

//! From the cache to the snapshot of one Rollout.

use std::collections::BTreeSet;

use serde_json::Value;

use super::cache::{Cache, Kind};
use super::observe;
use super::snapshot::Snapshot;
use crate::render::json::{label, list, text};
use crate::render::names;
use crate::render::route::Arms;

/// The label that ties what Serin made to its Rollout.
const ROLLOUT_UID: &str = "serin.dev/rollout-uid";
/// The label that ties an EndpointSlice to its Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// Everything that concerns the Rollout `name`; `None` when it is gone.
pub fn gather(cache: &Cache, namespace: &str, name: &str) -> Option<Snapshot> {
    let rollout = Value::clone(&*cache.get(Kind::Rollout, namespace, name)?);
    let uid = text(&rollout, "/metadata/uid").to_owned();
    let Arms { stable, workload } = observe::arms(&rollout);
    let (service_name, workload_name) = (stable.to_owned(), workload.to_owned());
    let get = |kind, name: &str| {
        cache
            .get(kind, namespace, name)
            .map(|object| Value::clone(&*object))
    };
    let ours = |kind| cache.select(kind, namespace, |object| label(object, ROLLOUT_UID) == Some(&uid));
    let workload = get(Kind::Deployment, &workload_name);
    let workload_uid = workload
        .as_ref()
        .map(|workload| text(workload, "/metadata/uid").to_owned())
        .unwrap_or_default();
    let candidate_services = ours(Kind::Service);
    let mut services = vec![service_name.clone()];
    services.extend(
        candidate_services
            .iter()
            .map(|service| text(service, "/metadata/name").to_owned()),
    );
    let mut neighbours = Vec::new();
    for kind in [
        Kind::Service,
        Kind::Deployment,
        Kind::PodDisruptionBudget,
        Kind::HorizontalPodAutoscaler,
        Kind::NetworkPolicy,
        Kind::BackendTlsPolicy,
    ] {
        neighbours.extend(cache.select(kind, namespace, |object| label(object, ROLLOUT_UID) != Some(&uid)));
    }
    let sharers = sharers(cache, namespace, &rollout);
    Some(Snapshot {
        shared: shared(&rollout, &sharers),
        namespace: namespace.to_owned(),
        replica_sets: cache.select(Kind::ReplicaSet, namespace, |set| owned_by(set, &workload_uid)),
        service: get(Kind::Service, &service_name),
        routes: route_names(&rollout)
            .into_iter()
            .map(|name| (name.clone(), get(Kind::HttpRoute, &name)))
            .collect(),
        candidates: ours(Kind::Deployment),
        candidate_pods: ours(Kind::CandidatePod),
        endpoint_slices: cache.select(Kind::EndpointSlice, namespace, |slice| {
            label(slice, SERVICE_NAME).is_some_and(|of| services.iter().any(|service| service == of))
        }),
        actions: cache.select(Kind::RolloutAction, namespace, |action| {
            text(action, "/spec/rollout") == name && matches!(text(action, "/status/phase"), "" | "Pending")
        }),
        rivals: cache.select(Kind::Rollout, namespace, |other| {
            text(other, "/metadata/name") != name && text(other, "/spec/workload/name") == workload_name
        }),
        left: left(cache, namespace, &uid, &workload_name),
        candidate_services,
        neighbours,
        sharers,
        workload,
        rollout,
    })
}

/// The other Rollouts that name a route of `rollout`.
fn sharers(cache: &Cache, namespace: &str, rollout: &Value) -> Vec<Value> {
    let name = text(rollout, "/metadata/name");
    let names = route_names(rollout);
    cache.select(Kind::Rollout, namespace, |other| {
        text(other, "/metadata/name") != name && route_names(other).iter().any(|route| names.contains(route))
    })
}

/// The routes of `rollout` that `others` name too.
fn shared(rollout: &Value, others: &[Value]) -> BTreeSet<String> {
    let taken: BTreeSet<String> = others.iter().flat_map(route_names).collect();
    let names = route_names(rollout).into_iter();
    names.filter(|route| taken.contains(route)).collect()
}

/// Deployments with the gate of the Rollout `uid` that neither it nor another one names.
fn left(cache: &Cache, namespace: &str, uid: &str, workload: &str) -> Vec<(Value, Vec<Value>)> {
    let mut left = cache.select(Kind::Deployment, namespace, |object| {
        label(object, names::GATE) == Some(uid)
            && label(object, ROLLOUT_UID).is_none()
            && text(object, "/metadata/name") != workload
    });
    left.retain(|object| {
        let cares = |rollout: &Value| text(rollout, "/spec/workload/name") == text(object, "/metadata/name");
        cache.select(Kind::Rollout, namespace, cares).is_empty()
    });
    let with_sets = |object: Value| {
        let owner = text(&object, "/metadata/uid").to_owned();
        let sets = cache.select(Kind::ReplicaSet, namespace, |set| owned_by(set, &owner));
        (object, sets)
    };
    left.into_iter().map(with_sets).collect()
}

fn route_names(rollout: &Value) -> Vec<String> {
    list(rollout, "/spec/traffic/gatewayAPI/routes")
        .iter()
        .map(|route| text(route, "/name").to_owned())
        .collect()
}

fn owned_by(object: &Value, uid: &str) -> bool {
    !uid.is_empty()
        && list(object, "/metadata/ownerReferences")
            .iter()
            .any(|owner| text(owner, "/uid") == uid)
}

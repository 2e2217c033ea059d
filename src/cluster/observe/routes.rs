//! The routes of a Rollout, observed: what they give to a candidate, and what is wrong with them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::snapshot::Snapshot;
use crate::api::Original;
use crate::engine::Moment;
use crate::engine::observation::{Problem, Route};
use crate::engine::reason;
use crate::render::json::{list, text};
use crate::render::route;

/// All managed routes as the gateways have taken them. One that names nobody any more may still be served in its older
/// form, until they have taken that, too.
pub fn route(snapshot: &Snapshot, accepted_since: Option<Moment>) -> Route {
    match written(snapshot, accepted_since) {
        Route::Unusable(problem)
            if problem.reason == reason::ROUTE_WITHOUT_SERVICE && accepted_since.is_none() =>
        {
            Route::Unusable(Problem {
                reason: reason::ROUTE_NOT_ACCEPTED,
                message: format!("{}; the gateway has not taken it as it is now", problem.message),
            })
        }
        route @ (Route::Unusable(_) | Route::Seen { .. }) => route,
    }
}

/// All managed routes as one, or why they cannot be used. One that is gone or cannot be managed does not hide the
/// others while these name a candidate: its share must be taken away whatever else is wrong.
fn written(snapshot: &Snapshot, accepted_since: Option<Moment>) -> Route {
    let (arms, originals) = (arms(&snapshot.rollout), originals(&snapshot.rollout));
    let (mut together, mut refusal, mut pending, mut problem) = (None::<route::Seen>, None, None, None);
    for (name, object) in &snapshot.routes {
        let Some(object) = object else {
            problem = problem.or_else(|| Some(missing(snapshot, name)));
            continue;
        };
        match route::seen(object, &arms, &originals) {
            // Of a shared route another Rollout's stamp says nothing about this one.
            Ok(mut seen) => {
                seen.touched = seen.ruled || seen.touched && !snapshot.shared.contains(name);
                together = Some(together.map_or(seen, |all: route::Seen| all.and(seen)));
            }
            Err(why) => {
                problem = problem.or(Some(why));
                continue;
            }
        }
        match route::acceptance(object) {
            route::Acceptance::Accepted => {}
            route::Acceptance::Pending(why) => {
                let cure = "look whether its controller is at work, or take it out of `spec.parentRefs`";
                pending = pending.or_else(|| Some(format!("{why}: {cure}")));
            }
            route::Acceptance::Unresolved(why) | route::Acceptance::Refused(why) => refusal = Some(why),
        }
    }
    let refusal = refusal.or(pending);
    let none = || Problem {
        reason: reason::ROUTE_NOT_FOUND,
        message: "the Rollout names no route: set `spec.traffic.gatewayAPI.routes`".to_owned(),
    };
    match (together, problem) {
        (Some(seen), None) => shown(seen, accepted_since, refusal),
        (Some(seen), Some(_)) if seen.touched => shown(seen, accepted_since, refusal),
        (_, Some(problem)) => Route::Unusable(problem),
        (None, None) => Route::Unusable(none()),
    }
}

fn shown(seen: route::Seen, accepted_since: Option<Moment>, refusal: Option<String>) -> Route {
    Route::Seen {
        weight: seen.weight,
        highest: seen.highest,
        touched: seen.touched,
        named: seen.named,
        accepted_since,
        refusal,
    }
}

fn missing(snapshot: &Snapshot, name: &str) -> Problem {
    let message = format!(
        "HTTPRoute {}/{name} is not there: create it, or correct `spec.traffic.gatewayAPI.routes`",
        snapshot.namespace
    );
    Problem {
        reason: reason::ROUTE_NOT_FOUND,
        message,
    }
}

/// What is wrong with the first route that is gone or cannot be managed.
pub(super) fn route_problem(snapshot: &Snapshot) -> Option<Problem> {
    let (arms, originals) = (arms(&snapshot.rollout), originals(&snapshot.rollout));
    if let Route::Unusable(problem) = written(snapshot, None) {
        return Some(problem);
    }
    snapshot.routes.iter().find_map(|(name, object)| match object {
        Some(object) => route::seen(object, &arms, &originals).err(),
        None => Some(missing(snapshot, name)),
    })
}

/// Who is who among the backends of a Rollout's routes.
pub fn arms(rollout: &Value) -> route::Arms<'_> {
    let workload = text(rollout, "/spec/workload/name");
    let service = rollout.pointer("/spec/traffic/service").and_then(Value::as_str);
    route::Arms {
        stable: service.unwrap_or(workload),
        workload,
    }
}

/// The ports of the stable Service that managed rules name.
pub fn stable_ports(snapshot: &Snapshot) -> Vec<u16> {
    let stable = arms(&snapshot.rollout).stable;
    let routes = snapshot.routes.iter().filter_map(|(_, route)| route.as_ref());
    let ports: BTreeSet<u16> = routes
        .flat_map(|route| list(route, "/spec/rules"))
        .flat_map(|rule| list(rule, "/backendRefs"))
        .filter(|backend| text(backend, "/name") == stable)
        .filter_map(|backend| backend["port"].as_u64().and_then(|port| u16::try_from(port).ok()))
        .collect();
    ports.into_iter().collect()
}

/// The routes of a Rollout as they were before the first change, from its status. An entry that cannot be read is as good
/// as none, and takes no other with it: the share of its backend is inferred.
pub fn originals(rollout: &Value) -> Vec<Original> {
    list(rollout, "/status/originals")
        .iter()
        .filter_map(|original| serde_json::from_value(original.clone()).ok())
        .collect()
}

/// The uid and generation of every route, which mark one routing state; `None` unless all are accepted as they stand. A
/// route that is gone sends nobody anywhere, so it is missed only where another gives a candidate a share. Where none does,
/// no backend that a gateway does not find can keep the candidate's traffic: it is enough that the route has been taken. Of
/// one that names no gateway any more nobody is left who could take it: a person has taken it from one that is gone, perhaps.
pub fn routing_mark(snapshot: &Snapshot) -> Option<Vec<(String, i64)>> {
    let there: Vec<&Value> = snapshot
        .routes
        .iter()
        .filter_map(|(_, object)| object.as_ref())
        .collect();
    if there.is_empty() || (route_problem(snapshot).is_some() && !written(snapshot, None).bare()) {
        return None;
    }
    let bare = written(snapshot, None).bare();
    there
        .into_iter()
        .map(|object| {
            let generation = object
                .pointer("/metadata/generation")
                .and_then(Value::as_i64)
                .unwrap_or(0);
            let taken = match route::acceptance(object) {
                route::Acceptance::Accepted => true,
                route::Acceptance::Unresolved(_) => bare,
                route::Acceptance::Pending(_) => false,
                route::Acceptance::Refused(_) => bare && list(object, "/spec/parentRefs").is_empty(),
            };
            taken.then(|| (text(object, "/metadata/uid").to_owned(), generation))
        })
        .collect()
}

//! Serialises releases of Rollouts that share a rule of a route. Each would otherwise take the other's candidate for a
//! foreign backend and rewrite all weights, for ever.
//!
//! Invariants: a Rollout with a candidate in the rule goes on; of two that are about to name theirs, the older one goes
//! first. So at most one of two waits for the other.

use serde_json::Value;

use super::routes::{arms, originals};
use super::seniority;
use crate::cluster::snapshot::Snapshot;
use crate::engine::observation::Problem;
use crate::engine::reason::ROUTE_BUSY;
use crate::render::json::text;
use crate::render::route::{Claim, claim, is_weighed};

/// The release of another Rollout for which the one of this Rollout waits; `None`: it may shift traffic. A release whose
/// candidate has a share in any route never waits: that share must be watched, and taken away when it should end.
pub fn engaged(snapshot: &Snapshot) -> Option<Problem> {
    let ours = |route: &Value, other: &Value| between(route, &snapshot.rollout, other);
    let routes = || {
        snapshot
            .routes
            .iter()
            .filter_map(|(name, route)| Some((name, route.as_ref()?)))
    };
    let workload = |rollout| text(rollout, "/spec/workload/name");
    let others = snapshot.sharers.iter();
    let others = || {
        others
            .clone()
            .filter(|other| workload(other) != workload(&snapshot.rollout))
    };
    let own = arms(&snapshot.rollout);
    if routes().any(|(_, route)| is_weighed(route, &own)) {
        return None;
    }
    routes().find_map(|(name, route)| {
        let first = others().find(|other| {
            let (Some(own), Some(theirs)) = (ours(route, other), between(route, other, &snapshot.rollout)) else {
                return false;
            };
            let older = seniority(other) < seniority(&snapshot.rollout);
            theirs > own || theirs == own && theirs == Claim::Noted && older
        })?;
        Some(Problem {
            reason: ROUTE_BUSY,
            message: format!(
                "HTTPRoute {}/{name} is in use by the release of Rollout `{}`, which weighs the same rule: this release \
                 begins when that one is over",
                snapshot.namespace,
                text(first, "/metadata/name")
            ),
        })
    })
}

fn between(route: &Value, own: &Value, other: &Value) -> Option<Claim> {
    claim(route, &arms(own), &arms(other), &originals(own))
}

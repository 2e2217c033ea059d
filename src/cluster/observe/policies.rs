//! Policies that hang on the stable Service by its name, and so do not reach the candidate's.

use serde_json::Value;

use super::routes::{arms, stable_ports};
use crate::cluster::cache::Kind;
use crate::cluster::snapshot::Snapshot;
use crate::engine::Revision;
use crate::engine::observation::Problem;
use crate::engine::reason;
use crate::render::json::{list, text};
use crate::render::names;

/// The first policy that the candidate of `revision` would lack. Which name the candidate's Service has is known once its
/// template is, so this is for a release only, and not told at rest.
pub fn lacking(snapshot: &Snapshot, revision: &Revision) -> Option<Problem> {
    let arms = arms(&snapshot.rollout);
    let candidate = names::candidate(arms.workload, revision);
    let (_, _, kind, _) = Kind::BackendTlsPolicy.resource();
    let policies = || {
        snapshot
            .neighbours
            .iter()
            .filter(|object| text(object, "/kind") == kind)
    };
    let ports = routed(snapshot);
    if policies().any(|policy| targets(policy, &candidate, &ports)) {
        return None;
    }
    let policy = policies().find(|policy| targets(policy, arms.stable, &ports))?;
    Some(Problem {
        reason: reason::POLICY_MISSES,
        message: format!(
            "{kind} {}/{} targets Service {} and none targets the candidate's, so the gateway would speak to its pods \
             without TLS: name Service {candidate} in its `spec.targetRefs` too, or apply a copy of it for that name",
            snapshot.namespace,
            text(policy, "/metadata/name"),
            arms.stable
        ),
    })
}

/// The names of the stable Service's ports that routes name; all of them where routes name none.
fn routed(snapshot: &Snapshot) -> Vec<&str> {
    let routed = stable_ports(snapshot);
    let service = snapshot.service.iter();
    let ports = service.flat_map(|service| list(service, "/spec/ports"));
    let asked = |port: &&Value| {
        let number = port["port"].as_u64().unwrap_or_default();
        routed.is_empty() || routed.iter().any(|routed| u64::from(*routed) == number)
    };
    ports.filter(asked).map(|port| text(port, "/name")).collect()
}

/// Whether a policy speaks of a Service, or of one of these ports of it.
fn targets(policy: &Value, service: &str, ports: &[&str]) -> bool {
    list(policy, "/spec/targetRefs").iter().any(|reference| {
        text(reference, "/group").is_empty()
            && text(reference, "/kind") == "Service"
            && text(reference, "/name") == service
            && reference["sectionName"]
                .as_str()
                .is_none_or(|section| ports.contains(&section))
    })
}

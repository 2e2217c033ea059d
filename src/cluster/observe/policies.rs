//! Policies that hang on the stable Service by its name, and so do not reach the candidate's.

use serde_json::Value;

use crate::cluster::cache::Kind;
use crate::cluster::gather::text;
use crate::cluster::snapshot::Snapshot;
use crate::engine::Revision;
use crate::engine::observation::Problem;
use crate::render::names;

/// Reason: a policy speaks of the stable Service, and none of the candidate's.
const POLICY_MISSES: &str = "PolicyMisses";

/// The first policy that the candidate of `revision` would lack. Which name the candidate's Service has is known once its
/// template is, so this is for a release only, and not told at rest.
pub fn lacking(snapshot: &Snapshot, revision: &Revision) -> Option<Problem> {
    let arms = super::arms(snapshot);
    let candidate = names::candidate(arms.workload, revision);
    let (_, _, kind, _) = Kind::BackendTlsPolicy.resource();
    let policies = || {
        snapshot
            .neighbours
            .iter()
            .filter(|object| text(object, "/kind") == kind)
    };
    if policies().any(|policy| targets(policy, &candidate)) {
        return None;
    }
    let policy = policies().find(|policy| targets(policy, arms.stable))?;
    Some(Problem {
        reason: POLICY_MISSES,
        message: format!(
            "{kind} {}/{} targets Service {} and none targets the candidate's, so the gateway would speak to its pods \
             without TLS: name Service {candidate} in its `spec.targetRefs` too, or apply a copy of it for that name",
            snapshot.namespace,
            text(policy, "/metadata/name"),
            arms.stable
        ),
    })
}

fn targets(policy: &Value, service: &str) -> bool {
    let references = policy.pointer("/spec/targetRefs").and_then(Value::as_array);
    references.into_iter().flatten().any(|reference| {
        text(reference, "/group").is_empty()
            && text(reference, "/kind") == "Service"
            && text(reference, "/name") == service
    })
}

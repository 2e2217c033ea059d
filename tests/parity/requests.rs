//! The requests: each kind of write that Serin makes, with its conflicts and refusals.

mod deployments;
mod others;
mod refusals;

use serde_json::Value;

/// The namespace of all requests; it must exist before.
pub(crate) const NAMESPACE: &str = "parity";

/// One request. Strings `${label/pointer}` in the body are filled in from earlier answers.
pub(crate) struct Ask {
    /// Name of the answer.
    pub(crate) label: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) content_type: &'static str,
    pub(crate) body: Option<Value>,
}

const JSON: &str = "application/json";
const JSON_PATCH: &str = "application/json-patch+json";
const MERGE: &str = "application/merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";

fn ask(
    label: &'static str,
    method: &'static str,
    path: &'static str,
    content_type: &'static str,
    body: Value,
) -> Ask {
    Ask {
        label,
        method,
        path,
        content_type,
        body: Some(body),
    }
}

fn bare(label: &'static str, method: &'static str, path: &'static str) -> Ask {
    Ask {
        label,
        method,
        path,
        content_type: JSON,
        body: None,
    }
}

macro_rules! at {
    ($group:literal, $plural:literal) => {
        concat!("/", $group, "/namespaces/parity/", $plural)
    };
}
use at;

/// All requests, in order.
pub(crate) fn requests() -> Vec<Ask> {
    let mut all = deployments::deployments();
    all.extend(deployments::deployment_applies());
    all.extend(refusals::deployment_refusals());
    all.extend(others::routes());
    all.extend(others::services());
    all.extend(others::leases_and_events());
    all.extend(others::rollouts());
    all.extend(others::others());
    all
}

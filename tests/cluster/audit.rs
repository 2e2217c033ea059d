//! Counts the operator's API calls in the server's audit log.

use crate::Outcome;
use crate::cluster::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;

/// Calls by verb and resource (`patch httproutes`, `update rollouts/status`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) by_kind: BTreeMap<String, usize>,
}

impl Calls {
    /// All finished calls of a user, chosen by the uid in the token file (an operator's is `serin-<number>`).
    /// A watch counts when it begins and again when it ends.
    pub(crate) fn of(cluster: &Cluster, uid: &str) -> Outcome<Self> {
        let text = std::fs::read_to_string(cluster.plane.audit_log())?;
        let mut calls = Self::default();
        for line in text.lines() {
            // The last line may be half written.
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            if event["user"]["uid"] != uid {
                continue;
            }
            let word = |name: &str| event["objectRef"][name].as_str();
            let resource = word("resource").unwrap_or("-");
            let resource =
                word("subresource").map_or_else(|| resource.to_owned(), |sub| format!("{resource}/{sub}"));
            let verb = event["verb"].as_str().unwrap_or("-");
            *calls.by_kind.entry(format!("{verb} {resource}")).or_default() += 1;
        }
        Ok(calls)
    }

    pub(crate) fn total(&self) -> usize {
        self.by_kind.values().sum()
    }

    /// Renewals of the Lease: a matter of time alone, whether anything happens or not.
    pub(crate) fn renewals(&self) -> usize {
        self.by_kind.get("patch leases").copied().unwrap_or(0)
    }

    /// Calls that change something, events and leases included.
    pub(crate) fn writes(&self) -> usize {
        let reads = ["get ", "list ", "watch "];
        let writes = self
            .by_kind
            .iter()
            .filter(|(kind, _)| !reads.iter().any(|read| kind.starts_with(read)));
        writes.map(|(_, count)| count).sum()
    }
}

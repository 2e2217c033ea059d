//! Counts the operator's API calls in the server's audit log.

use crate::Outcome;
use crate::cluster::Cluster;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// The writes of a user, each as `patch rollouts/status app`; Leases and events are left out. Names that the server
/// gives are not known.
pub(crate) fn writes(cluster: &Cluster, uid: &str) -> Outcome<Vec<String>> {
    let calls = read(cluster, uid)?;
    let writes = calls.into_iter().filter(|call| {
        !["get", "list", "watch"].contains(&call.verb.as_str())
            && !["leases", "events"].contains(&call.resource.as_str())
    });
    Ok(writes
        .map(|call| format!("{} {} {}", call.verb, call.resource, call.name))
        .collect())
}

/// From each commit of a decision until the route is as it says: the commit's arrival at the server to the answer to
/// the route's patch, where nothing else was committed in between.
pub(crate) fn commit_to_route(cluster: &Cluster, uid: &str) -> Outcome<Vec<Duration>> {
    let mut committed = None;
    let mut spans = Vec::new();
    for call in read(cluster, uid)? {
        match (call.verb.as_str(), call.resource.as_str()) {
            ("patch", "rollouts/status") => committed = Some(call.received),
            ("patch", "httproutes") => {
                let span = committed.take().map(|at| call.answered.duration_since(at));
                spans.extend(span.and_then(|span| Duration::try_from(span).ok()));
            }
            _ => {}
        }
    }
    Ok(spans)
}

struct Call {
    verb: String,
    /// With its subresource.
    resource: String,
    name: String,
    received: Timestamp,
    answered: Timestamp,
}

/// All finished calls of a user, chosen by the uid in the token file.
fn read(cluster: &Cluster, uid: &str) -> Outcome<Vec<Call>> {
    let text = std::fs::read_to_string(cluster.plane.audit_log())?;
    let mut calls = Vec::new();
    for line in text.lines() {
        // The last line may be half written.
        let Ok(event) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        if event["user"]["uid"] != uid {
            continue;
        }
        let word = |name: &str| event["objectRef"][name].as_str();
        let time = |name: &str| Outcome::Ok(event[name].as_str().unwrap_or("-").parse()?);
        let resource = word("resource").unwrap_or("-");
        calls.push(Call {
            verb: event["verb"].as_str().unwrap_or("-").to_owned(),
            resource: word("subresource")
                .map_or_else(|| resource.to_owned(), |sub| format!("{resource}/{sub}")),
            name: word("name").unwrap_or_default().to_owned(),
            received: time("requestReceivedTimestamp")?,
            answered: time("stageTimestamp")?,
        });
    }
    Ok(calls)
}

/// Calls by verb and resource (`patch httproutes`, `update rollouts/status`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) by_kind: BTreeMap<String, usize>,
}

impl Calls {
    /// All finished calls of a user, chosen by the uid in the token file (an operator's is `serin-<number>`).
    /// A watch counts when it begins and again when it ends.
    pub(crate) fn of(cluster: &Cluster, uid: &str) -> Outcome<Self> {
        let mut calls = Self::default();
        for call in read(cluster, uid)? {
            *calls
                .by_kind
                .entry(format!("{} {}", call.verb, call.resource))
                .or_default() += 1;
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

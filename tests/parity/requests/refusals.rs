//! What is refused of Deployments, and how they are deleted.

use serde_json::json;

use super::deployments::{A, ALL, deployment};
use super::{Ask, JSON, MERGE, ask, at, bare};

#[allow(clippy::too_many_lines)] // a table
pub(super) fn deployment_refusals() -> Vec<Ask> {
    let mut unmatched = deployment("c");
    unmatched["spec"]["template"]["metadata"]["labels"]["app"] = "other".into();
    let mut kind = deployment("c");
    kind["kind"] = "ReplicaSet".into();
    let mut elsewhere = deployment("c");
    elsewhere["metadata"]["namespace"] = "elsewhere".into();
    let mut unnamed = deployment("c");
    unnamed["metadata"] = json!({});
    let mut generated = deployment("c");
    generated["metadata"] = json!({"generateName": "gen-"});
    let mut versioned = deployment("c");
    versioned["metadata"]["resourceVersion"] = "1".into();
    let mut other_uid = deployment("a");
    other_uid["metadata"]["uid"] = "00000000-0000-4000-8000-000000000000".into();
    let mut unversioned = deployment("a");
    unversioned["spec"]["replicas"] = 2.into();
    vec![
        ask("selector unmatched", "POST", ALL, JSON, unmatched),
        ask(
            "selector changed",
            "PATCH",
            A,
            MERGE,
            json!({
                "spec": {"selector": {"matchLabels": {"app": "b"}}, "template": {"metadata": {"labels": {"app": "b"}}}},
            }),
        ),
        ask(
            "negative replicas",
            "PATCH",
            A,
            MERGE,
            json!({"spec": {"replicas": -1}}),
        ),
        ask("bad name", "POST", ALL, JSON, deployment("A_b")),
        ask("wrong kind", "POST", ALL, JSON, kind),
        ask("wrong namespace", "POST", ALL, JSON, elsewhere),
        ask(
            "no namespace",
            "POST",
            "/apis/apps/v1/namespaces/nowhere/deployments",
            JSON,
            deployment("c"),
        ),
        ask("no name", "POST", ALL, JSON, unnamed),
        ask("versioned create", "POST", ALL, JSON, versioned),
        ask("generated name", "POST", ALL, JSON, generated),
        ask("put stale", "PUT", A, JSON, json!("${create}")),
        ask("put other uid", "PUT", A, JSON, other_uid),
        ask("put without version", "PUT", A, JSON, unversioned),
        ask(
            "put missing",
            "PUT",
            at!("apis/apps/v1", "deployments/none"),
            JSON,
            deployment("none"),
        ),
        ask("rename", "PATCH", A, MERGE, json!({"metadata": {"name": "z"}})),
        bare(
            "list",
            "GET",
            at!(
                "apis/apps/v1",
                "deployments?labelSelector=app%3Da&fieldSelector=metadata.name%3Da"
            ),
        ),
        bare(
            "bad selector",
            "GET",
            at!("apis/apps/v1", "deployments?fieldSelector=nonsense"),
        ),
        bare("unknown resource", "GET", at!("apis/apps/v1", "widgets")),
        ask("post to object", "POST", A, JSON, json!({})),
        ask(
            "delete other uid",
            "DELETE",
            A,
            JSON,
            json!({"preconditions": {"uid": "00000000-0000-4000-8000-000000000000"}}),
        ),
        ask(
            "delete foreground",
            "DELETE",
            at!("apis/apps/v1", "deployments/b"),
            JSON,
            json!({"propagationPolicy": "Foreground"}),
        ),
        ask(
            "delete orphan again",
            "DELETE",
            at!("apis/apps/v1", "deployments/b"),
            JSON,
            json!({"propagationPolicy": "Background"}),
        ),
        ask(
            "delete",
            "DELETE",
            A,
            JSON,
            json!({"propagationPolicy": "Background"}),
        ),
        bare("delete missing", "DELETE", A),
    ]
}

//! Whether the gateways have taken the route as it is now.

use serde_json::Value;

use crate::render::json::{list, text};

/// What the gateways say of a route's present generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// Every parent accepts it and finds its backends.
    Accepted,
    /// A parent has not spoken of this generation yet: which one.
    Pending(String),
    /// Every parent has taken it, but one does not find a backend: which parent, and which backend.
    Unresolved(String),
    /// A parent refuses it: which one, and why.
    Refused(String),
}

/// What the gateways say of `route`, for every parent that it names.
pub fn acceptance(route: &Value) -> Acceptance {
    let parents = list(route, "/spec/parentRefs");
    if parents.is_empty() {
        return Acceptance::Refused("it names no parent: spec.parentRefs is empty".into());
    }
    let (mut pending, mut unresolved) = (None, None);
    for parent in parents {
        match of_parent(route, parent) {
            Acceptance::Accepted => {}
            Acceptance::Pending(why) => pending = pending.or(Some(why)),
            Acceptance::Unresolved(why) => unresolved = unresolved.or(Some(why)),
            refused @ Acceptance::Refused(_) => return refused,
        }
    }
    let pending = pending.map(Acceptance::Pending);
    pending
        .or_else(|| unresolved.map(Acceptance::Unresolved))
        .unwrap_or(Acceptance::Accepted)
}

/// A parent may have entries of several controllers. Those that stayed behind at an older generation do not count:
/// their controller no longer looks after the route.
fn of_parent(route: &Value, parent: &Value) -> Acceptance {
    let generation = route
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or(0);
    let entries = list(route, "/status/parents")
        .iter()
        .filter(|entry| same_parent(route, parent, &entry["parentRef"]));
    let (mut accepted, mut unresolved) = (false, None);
    for entry in entries {
        let (taken, resolved) = (
            condition(entry, "Accepted", generation),
            condition(entry, "ResolvedRefs", generation),
        );
        let told = |why| format!("{}: {why}", name(parent));
        match (taken, resolved) {
            (Condition::False(why), _) | (Condition::Unknown, Condition::False(why)) => {
                return Acceptance::Refused(told(why));
            }
            (Condition::True, Condition::False(why)) => unresolved = Some(told(why)),
            (Condition::True, Condition::True) => accepted = true,
            (_, Condition::Unknown) | (Condition::Unknown, Condition::True) => {}
        }
    }
    match unresolved {
        Some(why) => Acceptance::Unresolved(why),
        None if accepted => Acceptance::Accepted,
        None => Acceptance::Pending(format!("{} has not answered yet", name(parent))),
    }
}

#[derive(PartialEq)]
enum Condition {
    True,
    False(String),
    Unknown,
}

fn condition(entry: &Value, kind: &str, generation: i64) -> Condition {
    let current = |condition: &&Value| {
        text(condition, "/type") == kind
            && condition
                .get("observedGeneration")
                .and_then(Value::as_i64)
                .is_some_and(|observed| observed >= generation)
    };
    match list(entry, "/conditions").iter().find(current) {
        Some(condition) if text(condition, "/status") == "True" => Condition::True,
        Some(condition) if text(condition, "/status") == "False" => Condition::False(format!(
            "{} ({})",
            text(condition, "/message"),
            text(condition, "/reason")
        )),
        _ => Condition::Unknown,
    }
}

/// Whether two references name one parent, once their defaults are filled in.
fn same_parent(route: &Value, one: &Value, other: &Value) -> bool {
    let namespace = text(route, "/metadata/namespace");
    let full = |reference: &Value| {
        let or = |pointer: &str, default: &str| {
            reference
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or(default)
                .to_owned()
        };
        (
            or("/group", "gateway.networking.k8s.io"),
            or("/kind", "Gateway"),
            or("/namespace", namespace),
            or("/name", ""),
            or("/sectionName", ""),
            reference.get("port").and_then(Value::as_u64),
        )
    };
    full(one) == full(other)
}

fn name(parent: &Value) -> String {
    let kind = parent.get("kind").and_then(Value::as_str).unwrap_or("Gateway");
    let section = match text(parent, "/sectionName") {
        "" => String::new(),
        section => format!(" ({section})"),
    };
    format!("{kind} {}{section}", text(parent, "/name"))
}

#[cfg(test)]
mod tests;

//! Two Rollouts whose Services stand in one rule: who of them has a release in it.

use serde_json::Value;

use super::Arms;
use super::rule::{Rule, Who};
use crate::api::Original;
use crate::render::json::{list, text};

/// What a Rollout has in the rules that it shares with another one; more is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// Nothing.
    None,
    /// Its status says how they were: its candidate is about to be named.
    Noted,
    /// They name its candidate.
    Named,
}

/// Whether any rule of `route` gives a candidate of `own` a share.
pub fn is_weighed(route: &Value, own: &Arms<'_>) -> bool {
    let namespace = text(route, "/metadata/namespace");
    let rules = list(route, "/spec/rules").iter();
    rules
        .map(|rule| Rule::read(0, rule, namespace, own))
        .any(|rule| rule.of(Who::Candidate).any(|backend| backend.weight() > 0))
}

/// What the Rollout of `own` and `originals` has in the rules of `route` that name `other`'s Service or candidate too;
/// `None` where there are no such rules.
pub fn claim(route: &Value, own: &Arms<'_>, other: &Arms<'_>, originals: &[Original]) -> Option<Claim> {
    let namespace = text(route, "/metadata/namespace");
    let read = |rule, arms| Rule::read(0, rule, namespace, arms);
    let shared = list(route, "/spec/rules")
        .iter()
        .filter(|rule| read(*rule, other).is_managed());
    let shared: Vec<Rule<'_>> = shared
        .map(|rule| read(rule, own))
        .filter(Rule::is_managed)
        .collect();
    let here = |original: &Original| {
        original.uid == text(route, "/metadata/uid") && original.backend == other.stable
    };
    if shared.is_empty() {
        None
    } else if shared.iter().any(Rule::names_candidate) {
        Some(Claim::Named)
    } else if originals.iter().any(here) {
        Some(Claim::Noted)
    } else {
        Some(Claim::None)
    }
}

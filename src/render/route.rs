//! HTTPRoutes: what share a route gives to the candidate, and the patches that change it.
//!
//! Invariants: a rule is managed when it names the stable Service; its other backends keep their names, filters and
//! shares of the whole; what was there before the first change comes back to the digit; a rule that a person has
//! changed meanwhile is that person's, and only the candidate is taken out of it.

mod acceptance;
mod claim;
mod originals;
mod rule;
mod write;

use serde_json::Value;

pub use acceptance::{Acceptance, acceptance};
pub use claim::{Claim, claim, is_weighed};
pub use originals::originals;
pub use write::{Share, restore, weigh};

use self::rule::Rule;
use super::json::{list, map, text, title};
use super::names;
use crate::api::Original;
use crate::engine::observation::Problem;
use crate::engine::quantity::Weight;
use crate::engine::reason::{ROUTE_WEIGHTS, ROUTE_WITHOUT_SERVICE};

/// Who is who among the backends of a route.
#[derive(Clone, Copy, Debug)]
pub struct Arms<'a> {
    /// The Service of the stable pods.
    pub stable: &'a str,
    /// The workload, by whose name candidates are known.
    pub workload: &'a str,
}

/// What a route gives to the candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its share, where all managed rules agree on one that Serin would write.
    pub weight: Option<Weight>,
    /// The highest share in any rule.
    pub highest: Weight,
    /// Something of Serin is in it.
    pub touched: bool,
    /// Its rules say so, and not the stamp alone, which another Rollout may have put on it.
    pub ruled: bool,
    /// Every rule that gives traffic to the stable Service names a candidate too.
    pub named: bool,
}

impl Seen {
    /// Two routes taken together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            weight: if self.weight == other.weight {
                self.weight
            } else {
                None
            },
            highest: self.highest.max(other.highest),
            touched: self.touched || other.touched,
            ruled: self.ruled || other.ruled,
            named: self.named && other.named,
        }
    }
}

/// What `route` gives to the candidate.
///
/// # Errors
/// It cannot be managed: no rule names the stable Service, or its weights cannot be divided. A route that still names
/// a candidate is never an error.
pub fn seen(route: &Value, arms: &Arms<'_>, originals: &[Original]) -> Result<Seen, Problem> {
    let rules = originals::read(route, arms, originals);
    let stamped = map(route, "/metadata/annotations").is_some_and(|all| all.contains_key(names::STAMP));
    let ruled = rules.iter().any(Rule::is_touched);
    let touched = stamped || ruled;
    if !touched {
        check(route, arms, &rules)?;
    }
    let mut shares = rules
        .iter()
        .filter(|rule| rule.serves() || rule.names_candidate())
        .map(|rule| rule.weight().filter(|_| rule.serves()));
    let first = shares.next().flatten();
    Ok(Seen {
        weight: first.filter(|_| shares.all(|share| share == first)),
        highest: rules.iter().map(Rule::at_most).max().unwrap_or_default(),
        touched,
        ruled,
        named: rules
            .iter()
            .filter(|rule| rule.serves())
            .all(Rule::names_candidate),
    })
}

/// Whether any rule names `service`, with any weight and in any namespace.
pub fn names_service(route: &Value, service: &str) -> bool {
    any_backend(route, |backend| text(backend, "/name") == service)
}

/// Whether any rule gives `service`, in any namespace, a share of its traffic.
pub fn gives_traffic(route: &Value, service: &str) -> bool {
    any_backend(route, |backend| {
        text(backend, "/name") == service && backend.get("weight").and_then(Value::as_u64) != Some(0)
    })
}

fn any_backend(route: &Value, wanted: impl Fn(&Value) -> bool) -> bool {
    list(route, "/spec/rules")
        .iter()
        .any(|rule| list(rule, "/backendRefs").iter().any(&wanted))
}

/// The rules that name the stable Service or a candidate, as they stand.
fn rules<'a>(route: &'a Value, arms: &Arms<'_>) -> Vec<Rule<'a>> {
    let namespace = text(route, "/metadata/namespace");
    list(route, "/spec/rules")
        .iter()
        .enumerate()
        .map(|(index, rule)| Rule::read(index, rule, namespace, arms))
        .filter(Rule::is_managed)
        .collect()
}

/// The managed rules with their originals, if the route can be managed.
fn checked<'a>(route: &'a Value, arms: &Arms<'_>, originals: &[Original]) -> Result<Vec<Rule<'a>>, Problem> {
    let rules = originals::read(route, arms, originals);
    check(route, arms, &rules)?;
    Ok(rules)
}

fn check(route: &Value, arms: &Arms<'_>, rules: &[Rule<'_>]) -> Result<(), Problem> {
    let problem = |reason, message| Err(Problem { reason, message });
    if !rules.iter().any(Rule::serves) {
        return problem(
            ROUTE_WITHOUT_SERVICE,
            format!(
                "{} has no rule that gives traffic to Service {}: name it in spec.rules[].backendRefs, or name another \
                 one in spec.traffic.service",
                title(route),
                arms.stable
            ),
        );
    }
    match rules.iter().find(|rule| !rule.divides()) {
        Some(rule) => problem(
            ROUTE_WEIGHTS,
            format!(
                "{} spec.rules[{}]: its weights cannot be multiplied by 100 without passing 1,000,000: use smaller \
                 ones",
                title(route),
                rule.index
            ),
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod twice;

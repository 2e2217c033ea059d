//! What a route was before Serin's first change, and how to find it again when a person has moved the rules.

use serde_json::Value;

use super::rule::{Backend, Rule, Who};
use super::{Arms, checked, rules};
use crate::api::Original;
use crate::engine::observation::Problem;
use crate::engine::quantity::Weight;
use crate::render::json::text;

/// What must be in the status before the route is changed: one entry a backend of a managed rule, in the route's
/// order. Rules that Serin has changed keep their entries from `previous`; all others are taken as they are now, for
/// they are as a person wants them.
///
/// # Errors
/// The route cannot be managed.
pub fn originals(route: &Value, arms: &Arms<'_>, previous: &[Original]) -> Result<Vec<Original>, Problem> {
    let rules = checked(route, arms, previous)?;
    let entry = |rule: &Rule<'_>, backend: &Backend<'_>| Original {
        kind: text(route, "/kind").to_owned(),
        name: text(route, "/metadata/name").to_owned(),
        uid: text(route, "/metadata/uid").to_owned(),
        rule: i32::try_from(rule.index).unwrap_or(i32::MAX),
        backend: backend.name().to_owned(),
        weight: backend.original.and_then(|weight| i32::try_from(weight).ok()),
    };
    Ok(rules
        .iter()
        .flat_map(|rule| kept(rule).map(move |backend| entry(rule, backend)))
        .collect())
}

/// The entries of one rule as it was.
pub(super) type Group<'a> = Vec<&'a Original>;

/// The entries that speak of this very route, by rule.
pub(super) fn of_route<'a>(route: &Value, originals: &'a [Original]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    let here = originals.iter().filter(|original| {
        original.uid == text(route, "/metadata/uid") && original.name == text(route, "/metadata/name")
    });
    for original in here {
        match groups.last_mut() {
            Some(group) if group.iter().all(|other| other.rule == original.rule) => group.push(original),
            _ => groups.push(vec![original]),
        }
    }
    groups
}

/// Gives each rule that Serin has changed its weights from before. Where no entry has the rule's backends, what its
/// candidate holds is taken to have been the stable Service's.
pub(super) fn attach(rules: &mut [Rule<'_>], groups: &[Group<'_>]) {
    let mut free: Vec<&Group<'_>> = groups.iter().collect();
    for rule in rules {
        let fits = |group: &&Group<'_>| {
            group.len() == kept(rule).count()
                && kept(rule)
                    .zip(group.iter())
                    .all(|(backend, original)| backend.name() == original.backend)
        };
        let same_place = |group: &&Group<'_>| {
            group
                .first()
                .is_some_and(|original| usize::try_from(original.rule) == Ok(rule.index))
        };
        let found = free
            .iter()
            .position(|group| fits(group) && same_place(group))
            .or_else(|| free.iter().position(fits));
        let Some(position) = found else {
            infer(rule);
            continue;
        };
        if adopt(rule, free[position]) {
            free.remove(position);
        }
    }
}

/// Takes the entries for the rule, if its weights are Serin's. A rule without a candidate whose weights are not is
/// as a person wrote it.
fn adopt(rule: &mut Rule<'_>, group: &Group<'_>) -> bool {
    let mut before = rule.clone();
    let originals = group
        .iter()
        .map(|original| original.weight.and_then(|weight| u64::try_from(weight).ok()));
    let backends = before
        .backends
        .iter_mut()
        .filter(|backend| backend.who != Who::Candidate);
    for (backend, original) in backends.zip(originals) {
        backend.original = original;
    }
    if !before.names_candidate() {
        let now: Vec<u64> = kept(rule).map(Backend::weight).collect();
        let divided = (1..=100).any(|percent| before.divide(Weight::clamped(percent)).kept == now);
        let as_before = kept(&before)
            .map(|backend| backend.original.unwrap_or(1))
            .eq(now.iter().copied());
        if !divided || as_before {
            return false;
        }
    }
    *rule = before;
    rule.ours = true;
    true
}

/// A rule that names a candidate, with no entry: keeps the shares that it has now. What a candidate holds was that of the
/// stable entry before it.
fn infer(rule: &mut Rule<'_>) {
    if !rule.names_candidate() {
        return;
    }
    let alone = rule.of(Who::Foreign).next().is_none() && rule.of(Who::Stable).count() == 1;
    // What stands before every stable entry belongs to the first one.
    let (mut held, mut last) = (0, None::<usize>);
    for index in 0..rule.backends.len() {
        let backend = &rule.backends[index];
        match (backend.who, last) {
            (Who::Candidate, None) => held += backend.weight(),
            (Who::Candidate, Some(stable)) => {
                let weight = backend.weight();
                let before = &mut rule.backends[stable].original;
                *before = before.map(|before| before + weight);
            }
            (Who::Stable, _) => {
                let weight = backend.weight() + held;
                rule.backends[index].original = (!alone).then_some(weight);
                (held, last) = (0, Some(index));
            }
            (Who::Foreign, _) => {}
        }
    }
    rule.ours = true;
}

/// The backends that are no candidates.
pub(super) fn kept<'r, 'a>(rule: &'r Rule<'a>) -> impl Iterator<Item = &'r Backend<'a>> {
    rule.backends
        .iter()
        .filter(|backend| backend.who != Who::Candidate)
}

/// All rules, with their originals.
pub(super) fn read<'a>(route: &'a Value, arms: &Arms<'_>, originals: &[Original]) -> Vec<Rule<'a>> {
    let mut rules = rules(route, arms);
    attach(&mut rules, &of_route(route, originals));
    rules
}

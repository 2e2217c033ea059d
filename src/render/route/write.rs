//! The patches of a route.

use serde_json::Value;

use super::originals::read;
use super::rule::{Rule, Who};
use super::{Arms, checked};
use crate::api::Original;
use crate::engine::observation::Problem;
use crate::engine::quantity::Weight;
use crate::render::names;
use crate::render::patch::Patch;

/// The change of a route.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// Who is who.
    pub arms: Arms<'a>,
    /// Name of the candidate's Service. Only weight 0 can do without: then it is not named where it is not yet.
    pub candidate: Option<&'a str>,
    /// The candidate's share of what the stable Service had.
    pub weight: Weight,
}

/// The patch with which every managed rule gives the candidate its share; `None` where all do. `originals` must be
/// what the status says.
///
/// # Errors
/// For a weight above 0: the route cannot be managed. Weight 0 is always possible.
pub fn weigh(
    route: &Value,
    share: &Share<'_>,
    originals: &[Original],
    stamp: &str,
) -> Result<Option<Vec<Value>>, Problem> {
    let up = share.weight > Weight::NONE || share.candidate.is_some();
    let rules = if up {
        checked(route, &share.arms, originals)?
    } else {
        read(route, &share.arms, originals)
    };
    let wanted = rules.iter().filter_map(|rule| {
        let wanted = match rule.of(Who::Stable).next() {
            Some(_) if up || rule.divides() => divided(rule, share),
            _ => without_candidate(rule, &share.arms),
        };
        wanted.map(|wanted| (rule, wanted))
    });
    let mut patch = Patch::of(route);
    replace(&mut patch, wanted);
    if !patch.is_empty() {
        patch.stamp(route, stamp);
    }
    Ok(patch.ops())
}

/// The patch that makes the route the user's again; `None` where it is.
pub fn restore(route: &Value, arms: &Arms<'_>, originals: &[Original]) -> Option<Vec<Value>> {
    let rules = read(route, arms, originals);
    let wanted = rules
        .iter()
        .filter_map(|rule| without_candidate(rule, arms).map(|wanted| (rule, wanted)));
    let mut patch = Patch::of(route);
    replace(&mut patch, wanted);
    patch.unset_metadata(route, "annotations", names::STAMP);
    patch.ops()
}

fn replace<'r, 'a: 'r>(patch: &mut Patch, wanted: impl Iterator<Item = (&'r Rule<'a>, Vec<Value>)>) {
    for (rule, wanted) in wanted {
        if rule.backends.iter().map(|backend| backend.value).eq(&wanted) {
            continue;
        }
        let place = format!("/spec/rules/{}/backendRefs", rule.index);
        for (index, backend) in rule.backends.iter().enumerate() {
            patch.test(&format!("{place}/{index}/name"), &backend.name().into());
        }
        patch.replace(&place, wanted);
    }
}

/// The rule's backends with the candidate at its share. `None`: Serin has nothing to do in the rule.
fn divided(rule: &Rule<'_>, share: &Share<'_>) -> Option<Vec<Value>> {
    let none = share.weight == Weight::NONE;
    let up = share.candidate.is_some() && !rule.names_candidate();
    if (none && !up && !rule.is_touched()) || ((!none || up) && !rule.serves()) {
        return None;
    }
    let division = rule.divide(share.weight);
    let mut weights = division.kept.into_iter();
    let mut candidates = division.candidates.into_iter();
    let mut wanted = Vec::with_capacity(rule.backends.len() + 1);
    let placed = share.candidate.is_none() || (none && !up);
    for backend in &rule.backends {
        match backend.who {
            // At weight 0 a candidate stays named: its open connections may end in peace.
            Who::Candidate if none => wanted.push(with(backend.value, None, 0)),
            Who::Candidate => {}
            Who::Stable | Who::Foreign => {
                wanted.push(with(backend.value, None, weights.next().unwrap_or_default()));
            }
        }
        // The copy keeps the port and the filters: where the stable Service has several, each has a copy.
        if backend.who == Who::Stable
            && let Some(weight) = candidates.next().flatten().filter(|_| !placed)
        {
            wanted.push(with(backend.value, share.candidate, weight));
        }
    }
    Some(wanted)
}

/// The rule's backends as they were. `None`: Serin is not in the rule.
fn without_candidate(rule: &Rule<'_>, arms: &Arms<'_>) -> Option<Vec<Value>> {
    if !rule.is_touched() {
        return None;
    }
    let mut wanted: Vec<Value> = rule
        .backends
        .iter()
        .filter(|backend| backend.who != Who::Candidate)
        .map(|backend| match backend.original {
            Some(weight) => with(backend.value, None, weight),
            None => without_weight(backend.value),
        })
        .collect();
    // A person has taken the stable Service out and left the candidate alone: a rule without backends answers 500.
    if wanted.is_empty()
        && let Some(candidate) = rule.of(Who::Candidate).next()
    {
        wanted.push(without_weight(&with(candidate.value, Some(arms.stable), 1)));
    }
    Some(wanted)
}

fn with(backend: &Value, name: Option<&str>, weight: u64) -> Value {
    let mut backend = backend.clone();
    if let Some(fields) = backend.as_object_mut() {
        if let Some(name) = name {
            fields.insert("name".into(), name.into());
        }
        fields.insert("weight".into(), weight.into());
    }
    backend
}

fn without_weight(backend: &Value) -> Value {
    let mut backend = backend.clone();
    if let Some(fields) = backend.as_object_mut() {
        fields.remove("weight");
    }
    backend
}

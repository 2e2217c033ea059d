//! One rule of a route: its backends, who they are, and how their weights are divided.

use serde_json::Value;

use super::Arms;
use crate::engine::quantity::Weight;
use crate::render::json::{list, text};
use crate::render::names;

/// The highest weight of a backend in the Gateway API.
const WEIGHT_MAX: u64 = 1_000_000;

/// Who a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The Service of the stable pods.
    Stable,
    /// A candidate of ours, of any revision.
    Candidate,
    /// Somebody else.
    Foreign,
}

/// A backend as it is in the route.
#[derive(Clone, Debug)]
pub(super) struct Backend<'a> {
    pub who: Who,
    pub value: &'a Value,
    /// Its weight when Serin is not there; `None` where none is written, which means 1.
    pub original: Option<u64>,
}

impl Backend<'_> {
    pub(super) fn name(&self) -> &str {
        text(self.value, "/name")
    }

    /// The weight that is written; absent means 1.
    pub(super) fn weight(&self) -> u64 {
        self.value.get("weight").and_then(Value::as_u64).unwrap_or(1)
    }

    fn share(&self) -> u64 {
        match self.who {
            Who::Candidate => 0,
            Who::Stable | Who::Foreign => self.original.unwrap_or(1),
        }
    }
}

/// A rule with its backends.
#[derive(Clone, Debug)]
pub(super) struct Rule<'a> {
    /// Its place in `spec.rules`.
    pub index: usize,
    pub backends: Vec<Backend<'a>>,
    /// Its weights are still those that Serin wrote, so the originals in the status speak of it.
    pub ours: bool,
}

impl<'a> Rule<'a> {
    pub(super) fn read(index: usize, rule: &'a Value, namespace: &str, arms: &Arms<'_>) -> Self {
        let backends = list(rule, "/backendRefs")
            .iter()
            .map(|value| Backend {
                who: who(value, namespace, arms),
                value,
                original: value.get("weight").and_then(Value::as_u64),
            })
            .collect();
        Self {
            index,
            backends,
            ours: false,
        }
    }

    pub(super) fn of(&self, who: Who) -> impl Iterator<Item = &Backend<'a>> {
        self.backends.iter().filter(move |backend| backend.who == who)
    }

    /// Names the stable Service, or still a candidate.
    pub(super) fn is_managed(&self) -> bool {
        self.backends.iter().any(|backend| backend.who != Who::Foreign)
    }

    pub(super) fn names_candidate(&self) -> bool {
        self.of(Who::Candidate).next().is_some()
    }

    pub(super) fn is_touched(&self) -> bool {
        self.ours || self.names_candidate()
    }

    /// Whether the stable Service has a share here that can be divided.
    pub(super) fn serves(&self) -> bool {
        self.of(Who::Stable).any(|backend| backend.share() > 0)
    }

    /// The share of ours that the candidate surely does not exceed.
    pub(super) fn at_most(&self) -> Weight {
        let candidate: u64 = self.of(Who::Candidate).map(Backend::weight).sum();
        let stable: u64 = self.of(Who::Stable).map(Backend::weight).sum();
        match (candidate * 100).checked_div(candidate + stable) {
            Some(share) => {
                let rounded = if share * (candidate + stable) < candidate * 100 {
                    share + 1
                } else {
                    share
                };
                Weight::clamped(u8::try_from(rounded).unwrap_or(100))
            }
            None => Weight::NONE,
        }
    }

    /// The candidate's share, where every weight is what Serin would write for it.
    pub(super) fn weight(&self) -> Option<Weight> {
        if !self.is_touched() {
            return Some(Weight::NONE);
        }
        let at_most = self.at_most();
        let fits = |weight: &Weight| {
            let division = self.divide(*weight);
            let kept = self
                .backends
                .iter()
                .filter(|backend| backend.who != Who::Candidate)
                .map(Backend::weight);
            let held: Vec<u64> = self.of(Who::Candidate).map(Backend::weight).collect();
            let shares = division.shares();
            // An older candidate may be named beside the present one, without a share.
            kept.eq(division.kept.iter().copied())
                && (held == shares
                    || held.len() != shares.len() && held.iter().sum::<u64>() == shares.iter().sum::<u64>())
        };
        Some(at_most).filter(fits)
    }

    /// The weights in which the candidate has `weight` of what the stable Service had. Everything is multiplied by
    /// 100 over the greatest common divisor, so that all shares stay exact.
    pub(super) fn divide(&self, weight: Weight) -> Division {
        let common = self.common();
        let percent = u64::from(weight.percent());
        let kept = self
            .backends
            .iter()
            .filter(|backend| backend.who != Who::Candidate)
            .map(|backend| match backend.who {
                Who::Stable => backend.share() / common * (100 - percent),
                Who::Candidate | Who::Foreign => backend.share() / common * 100,
            })
            .collect();
        let candidates = self.of(Who::Stable);
        Division {
            kept,
            candidates: candidates
                .map(|backend| (backend.share() > 0).then(|| backend.share() / common * percent))
                .collect(),
        }
    }

    /// Whether every weight of every division is allowed.
    pub(super) fn divides(&self) -> bool {
        let common = self.common();
        let highest = self.backends.iter().map(Backend::share).max().unwrap_or(0);
        highest.max(self.stable_share()) / common <= WEIGHT_MAX / 100
    }

    fn stable_share(&self) -> u64 {
        self.of(Who::Stable).map(Backend::share).sum()
    }

    fn common(&self) -> u64 {
        self.backends
            .iter()
            .map(Backend::share)
            .fold(0, greatest_common_divisor)
            .max(1)
    }
}

/// The weights of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Division {
    /// Of the backends that are no candidates, in their order.
    pub kept: Vec<u64>,
    /// Of the candidate, beside each entry of the stable Service in their order; `None`: that one has no share to divide.
    pub candidates: Vec<Option<u64>>,
}

impl Division {
    fn shares(&self) -> Vec<u64> {
        self.candidates.iter().flatten().copied().collect()
    }
}

pub(super) fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

fn who(backend: &Value, namespace: &str, arms: &Arms<'_>) -> Who {
    let or = |pointer: &str, default: &'static str| -> String {
        backend
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or(default)
            .to_owned()
    };
    let elsewhere = backend
        .get("namespace")
        .and_then(Value::as_str)
        .is_some_and(|other| other != namespace);
    if elsewhere || !or("/group", "").is_empty() || or("/kind", "Service") != "Service" {
        return Who::Foreign;
    }
    let name = text(backend, "/name");
    if name == arms.stable {
        Who::Stable
    } else if names::revision_in(arms.workload, name).is_some() {
        Who::Candidate
    } else {
        Who::Foreign
    }
}

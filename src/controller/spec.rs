//! A spec as far as it can be read, and a plan in any case: an abort or a deletion must go through whatever is wrong.

use serde_json::Value;

use crate::api;
use crate::cluster::snapshot::Snapshot;
use crate::engine::observation::Problem;
use crate::engine::plan::GateMode;
use crate::engine::{Plan, reason};

/// What the user wishes.
pub(super) struct Spec {
    pub(super) plan: Plan,
    /// `None` where it cannot be read.
    pub(super) typed: Option<api::RolloutSpec>,
    pub(super) problems: Vec<Problem>,
}

impl Spec {
    pub(super) fn read(snapshot: &Snapshot, gate: GateMode) -> Self {
        let typed = serde_json::from_value::<api::RolloutSpec>(snapshot.rollout["spec"].clone());
        let typed = typed.map_err(|error| error.to_string());
        let admitted = typed
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|spec| Plan::admit(spec, gate).map_err(|violations| violations.join("; ")));
        match admitted {
            Ok(plan) => Self {
                plan,
                typed: typed.ok(),
                problems: Vec::new(),
            },
            Err(wrong) => {
                let message = format!("the spec is invalid: {wrong}; correct it (`serin check` says more)");
                Self {
                    plan: Plan::fallback(gate),
                    typed: None,
                    problems: vec![Problem {
                        reason: reason::INVALID_SPEC,
                        message,
                    }],
                }
            }
        }
    }
}

/// `metadata.generation`.
pub(super) fn generation(rollout: &Value) -> i64 {
    rollout
        .pointer("/metadata/generation")
        .and_then(Value::as_i64)
        .unwrap_or(0)
}

//! What one process has seen of one Rollout and need not write down: losing it makes Serin slower, never bolder.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::observation::{Gate, Pods, Problem, Workload};
use crate::engine::quantity::after;
use crate::engine::reason;
use crate::engine::{Moment, Revision};

/// How long a proof of the gate is believed.
const GATE_PROOF: Duration = Duration::from_secs(300);
/// How long a failed proof is let stand before another is tried.
const GATE_RETRY: Duration = Duration::from_secs(15);

/// Observed facts with a time of their own.
#[derive(Default)]
pub(super) struct Memory {
    routing: Option<(Vec<(String, i64)>, Moment)>,
    gate: Option<(Gate, Moment)>,
    pods: Option<(BTreeMap<Revision, Pods>, u32, Moment)>,
}

impl Memory {
    /// Since when the present routing state has been accepted as far as this process has seen.
    pub(super) fn accepted_since(&mut self, mark: Option<Vec<(String, i64)>>, now: Moment) -> Option<Moment> {
        let mark = mark?;
        match &self.routing {
            // A clock that was set back must not stall what is counted from here.
            Some((known, since)) if *known == mark && *since <= now => Some(*since),
            _ => {
                self.routing = Some((mark, now));
                Some(now)
            }
        }
    }

    /// The Deployment with the age of its pods and endpoints.
    pub(super) fn with_age(&mut self, seen: Workload) -> Workload {
        let since = match &self.pods {
            Some((pods, endpoints, since)) if *pods == seen.revisions && *endpoints == seen.endpoints => {
                (*since).min(seen.since)
            }
            _ => seen.since,
        };
        self.pods = Some((seen.revisions.clone(), seen.endpoints, since));
        Workload { since, ..seen }
    }

    /// The gate as last proved, and whether it must be proved again.
    pub(super) fn gate(&self, now: Moment) -> (Gate, bool) {
        let Some((gate, at)) = &self.gate else {
            return (Gate::Unknown, true);
        };
        let believed = if *gate == Gate::Closed {
            GATE_PROOF
        } else {
            GATE_RETRY
        };
        (gate.clone(), after(*at, believed) <= now || *at > now)
    }

    /// When the gate must be proved again.
    pub(super) fn gate_due(&self) -> Option<Moment> {
        let (gate, at) = self.gate.as_ref()?;
        Some(after(
            *at,
            if *gate == Gate::Closed {
                GATE_PROOF
            } else {
                GATE_RETRY
            },
        ))
    }

    /// Takes in a proof, or why there is none.
    pub(super) fn proved(&mut self, closed: Result<bool, String>, now: Moment) {
        let gate = match closed {
            Ok(true) => Gate::Closed,
            Ok(false) => open(
                "a change of the template would not be held back: install the chart's admission policy, or run with `--gate paused` (the chart: `gate.mode: Paused`)",
            ),
            Err(why) => open(&format!("the gate could not be proved: {why}")),
        };
        self.gate = Some((gate, now));
    }
}

fn open(message: &str) -> Gate {
    Gate::Open(Problem {
        reason: reason::GATE_OPEN,
        message: message.to_owned(),
    })
}

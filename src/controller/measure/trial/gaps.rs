//! Times in which somebody had removed the candidate, or nobody else served: what was counted then speaks neither for the
//! version nor against it.
//!
//! The release's state names the last one only. Readings come late, by minutes where the provider was away, so those before
//! are remembered until all that they touch has been judged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::engine::quantity::after;
use crate::engine::state::Gap;
use crate::engine::{Moment, Plan};

/// The gaps that readings may still touch, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::controller::measure) struct Gaps(Vec<Gap>);

/// What gaps make of the time between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::controller::measure) enum Within {
    /// It is no evidence.
    Gap,
    /// Stable pods have just come back, and only gross faults count: those at once, else a stable pod that keeps failing
    /// would shield a bad candidate for ever.
    WarmUp,
    /// It counts.
    None,
}

impl Gaps {
    /// Notes the release's last gap; what ended before `read` is not needed any more. An earlier one whose end was never
    /// noted ended when this one began.
    pub(super) fn note(&mut self, last: Option<Gap>, plan: &Plan, read: Moment) {
        match last {
            Some(last) => {
                self.0.retain(|gap| gap.from != last.from);
                for gap in &mut self.0 {
                    gap.until.get_or_insert(last.from);
                }
                self.0.push(last);
            }
            // It is over, and nobody knows since when.
            None => self.0.retain(|gap| gap.until.is_some()),
        }
        self.0.retain(|gap| warm(*gap, plan) > read);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they make of the time from one reading to the next.
    pub(in crate::controller::measure) fn between(&self, plan: &Plan, from: Moment, until: Moment) -> Within {
        let touches = |gap: &Gap, ends: Moment| from < ends && gap.from < until;
        if self.0.iter().any(|gap| touches(gap, served(*gap, plan))) {
            Within::Gap
        } else if self.0.iter().any(|gap| touches(gap, warm(*gap, plan))) {
            Within::WarmUp
        } else {
            Within::None
        }
    }
}

/// When requests count again after it: once the gateway knows the stable pods, or the new candidate is warm and scraped.
fn served(gap: Gap, plan: &Plan) -> Moment {
    if gap.alone {
        end(gap, plan.propagation)
    } else {
        warm(gap, plan)
    }
}

/// When the pods that came back are warm and scraped.
fn warm(gap: Gap, plan: &Plan) -> Moment {
    end(
        gap,
        plan.analysis.warm_up.max(plan.analysis.interval) + plan.propagation,
    )
}

fn end(gap: Gap, later: Duration) -> Moment {
    gap.until.map_or(Moment::MAX, |until| after(until, later))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at: i64) -> Moment {
        Moment::from_second(at).expect("in range")
    }

    fn gap(from: i64, until: Option<i64>) -> Gap {
        Gap {
            from: second(from),
            until: until.map(second),
            alone: true,
        }
    }

    #[test]
    fn a_gap_is_remembered_until_all_that_it_touches_has_been_read() {
        let plan = Plan::with_bake_share(5);
        let after = plan.propagation.as_secs().cast_signed();
        let warm = plan.analysis.warm_up.max(plan.analysis.interval);
        let warm = warm.as_secs().cast_signed() + after;
        let mut gaps = Gaps::default();
        gaps.note(Some(gap(100, None)), &plan, second(90));
        gaps.note(Some(gap(100, Some(140))), &plan, second(90));
        gaps.note(Some(gap(1_000, None)), &plan, second(90));
        let between = |gaps: &Gaps, from: i64| gaps.between(&plan, second(from), second(from + 5));
        assert_eq!(between(&gaps, 95), Within::None);
        assert_eq!(between(&gaps, 96), Within::Gap);
        assert_eq!(between(&gaps, 139 + after), Within::Gap);
        assert_eq!(between(&gaps, 140 + after), Within::WarmUp);
        assert_eq!(between(&gaps, 140 + warm), Within::None);
        assert_eq!(between(&gaps, 100_000), Within::Gap);
        // Its end was never noted, and the release knows of none any more.
        gaps.note(None, &plan, second(90));
        assert_eq!(between(&gaps, 100_000), Within::None);
        assert_eq!(between(&gaps, 120), Within::Gap);
        gaps.note(None, &plan, second(140 + warm));
        assert!(gaps.is_empty());
    }

    #[test]
    fn a_gap_whose_end_was_never_noted_ended_when_the_next_one_began() {
        let plan = Plan::with_bake_share(5);
        let mut gaps = Gaps::default();
        gaps.note(Some(gap(100, None)), &plan, second(90));
        gaps.note(Some(gap(1_000, None)), &plan, second(90));
        let between = |from: i64| gaps.between(&plan, second(from), second(from + 5));
        assert_eq!(between(900), Within::Gap);
        assert_eq!(between(95), Within::None);
    }

    #[test]
    fn a_candidate_that_came_back_is_no_evidence_before_it_is_warm() {
        let plan = Plan::with_bake_share(5);
        let removed = Gap {
            alone: false,
            ..gap(100, Some(140))
        };
        let mut gaps = Gaps::default();
        gaps.note(Some(removed), &plan, second(90));
        let last = warm(removed, &plan);
        let before = last.checked_sub(Duration::from_secs(1)).expect("in range");
        assert_eq!(gaps.between(&plan, before, last), Within::Gap);
        assert_eq!(gaps.between(&plan, last, second(100_000)), Within::None);
    }
}

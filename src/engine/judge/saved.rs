//! The judge's memory as it is kept in the status: what a new leader needs to go on as if nothing had happened.
//!
//! Invariants: a judge that is saved, resumed and fed the same increments ends in the same bits; what cannot be used is
//! refused as a whole, and the evidence restarts.

mod text;

use serde::{Deserialize, Serialize};

use super::{Brief, Judge, Tried, rule};
use crate::engine::plan::Plan;
use crate::engine::quantity::{Moment, Revision};
use crate::stats::{Background, Checkpoint};

/// A judge at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Saved {
    /// The revision on trial.
    pub revision: Revision,
    /// Each metric on trial.
    pub metrics: Vec<SavedMetric>,
}

/// One metric of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedMetric {
    /// Its name in the plan.
    pub metric: String,
    /// It counts only requests that came through the route.
    #[serde(default)]
    pub routed: bool,
    /// The rung that its evidence is about.
    pub rung: usize,
    /// The margins and chances that it was made under: evidence for one line is none for another.
    pub under: String,
    /// The latest evaluation that showed requests, on that rung.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Moment>,
    /// The state of each of its comparisons.
    pub parts: Vec<String>,
}

/// Why a saved judge cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// The Rollout asks for something else now.
    #[error("`spec.analysis` has changed")]
    Changed,
    /// It was written by another version, or damaged.
    #[error("what was saved of it cannot be read")]
    Damaged,
}

impl Judge {
    /// What to keep.
    pub fn save(&self, plan: &Plan) -> Saved {
        let saved = |(index, tried): (usize, &Tried)| {
            let checkpoints = self.panel.checkpoints(index);
            SavedMetric {
                metric: tried.metric.name.clone(),
                routed: tried.routed,
                rung: tried.rung,
                under: under(plan, tried, checkpoints.len()),
                at: tried.at,
                parts: checkpoints.iter().map(Checkpoint::to_string).collect(),
            }
        };
        Saved {
            revision: self.revision.clone(),
            metrics: self.metrics.iter().enumerate().map(saved).collect(),
        }
    }

    /// The judge that was saved, under the same plan.
    ///
    /// # Errors
    /// It cannot be used; the evidence must start anew.
    pub fn resume(plan: &Plan, saved: &Saved) -> Result<Self, Unusable> {
        let brief = |metric: &SavedMetric| Brief {
            metric: metric.metric.clone(),
            routed: metric.routed,
            past: vec![Background::default(); metric.parts.len()],
        };
        let briefs: Vec<Brief> = saved.metrics.iter().map(brief).collect();
        let mut judge = Self::of(plan, &saved.revision, &briefs, None);
        if judge.metrics.len() != saved.metrics.len() {
            return Err(Unusable::Changed);
        }
        for (index, metric) in saved.metrics.iter().enumerate() {
            if under(plan, &judge.metrics[index], metric.parts.len()) != metric.under {
                return Err(Unusable::Changed);
            }
            let parts: Result<Vec<Checkpoint>, _> = metric.parts.iter().map(|part| part.parse()).collect();
            let parts = parts.map_err(|_| Unusable::Damaged)?;
            let resumed = judge.panel.resume(index, &parts);
            resumed.map_err(|_| Unusable::Damaged)?;
            // What speaks against the past says nothing of a comparison, and the other way round.
            if judge.panel.is_alone(index) != plan.is_alone(metric.rung) {
                return Err(Unusable::Changed);
            }
            let tried = &mut judge.metrics[index];
            tried.rung = metric.rung;
            tried.at = metric.at;
            tried.weight = plan.rung(metric.rung).weight;
            // What was served before is not looked at again: the share is that of what follows.
            tried.before_share = judge.panel.in_step(index).unwrap_or_default();
        }
        Ok(judge)
    }
}

/// The rule of a metric in short: equal texts mean equal rules.
fn under(plan: &Plan, tried: &Tried, parts: usize) -> String {
    let rule = rule(plan, &tried.metric, parts);
    let settings = rule.settings;
    let numbers = [
        settings.tolerated().ratio,
        settings.tolerated().absolute,
        settings.unacceptable().ratio,
        settings.unacceptable().absolute,
        settings.alpha(),
        settings.beta(),
        settings.warmup_seconds(),
        rule.weight,
        plan.analysis.interval.as_secs_f64(),
        f64::from(u8::from(rule.gating)),
    ];
    let texts: Vec<String> = numbers.iter().map(f64::to_string).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{Counts, Tick};

    fn plan() -> Plan {
        Plan::with_bake_share(5)
    }

    fn judge(plan: &Plan) -> Judge {
        let revision = Revision::named("v2");
        let parts = |metric: &crate::engine::plan::Metric| Brief {
            metric: metric.name.clone(),
            routed: true,
            past: vec![
                Background::new(Some(0.001), 1.3, 2, 0.1);
                if metric.name == "latency" { 3 } else { 1 }
            ],
        };
        let briefs: Vec<Brief> = plan.analysis.metrics.iter().map(parts).collect();
        let mut judge = Judge::of(plan, &revision, &briefs, Some(50.0));
        judge.begin_rung(plan, 0, 2);
        judge
    }

    fn tick(seed: u32) -> Tick {
        let seed = u64::from(seed);
        Tick::new(
            Counts::new(150 + seed % 7, seed % 3),
            Counts::new(1_350 + seed % 11, seed % 5),
            15.0,
        )
    }

    #[test]
    fn a_judge_goes_on_from_what_was_saved_at_any_tick() {
        resumes(&plan());
        resumes(&Plan::with_bake_share(0));
    }

    fn resumes(plan: &Plan) {
        for cut in [0, 1, 5, 17, 23, 24, 31] {
            let mut whole = judge(plan);
            let mut resumed: Option<Judge> = None;
            for seed in 0..40_u32 {
                if seed == 22 {
                    for judge in [Some(&mut whole), resumed.as_mut()].into_iter().flatten() {
                        judge.begin_rung(plan, 3, 2);
                    }
                }
                if seed == cut {
                    let text = serde_json::to_string(&whole.save(plan)).unwrap();
                    resumed = Some(Judge::resume(plan, &serde_json::from_str(&text).unwrap()).unwrap());
                }
                let at = Moment::from_second(15 * i64::from(seed)).unwrap();
                for judge in [Some(&mut whole), resumed.as_mut()].into_iter().flatten() {
                    judge.observe(0, at, [tick(seed)]);
                    judge.observe(1, at, [tick(seed), tick(seed + 1), tick(seed * 3)]);
                }
            }
            let resumed = resumed.unwrap();
            assert_eq!(resumed.panel, whole.panel, "cut at {cut}");
            assert_eq!(resumed.evidence().verdict, whole.evidence().verdict);
        }
    }

    #[test]
    fn a_metric_takes_at_most_two_kibibytes() {
        takes_little(&plan());
        takes_little(&Plan::with_bake_share(0));
    }

    fn takes_little(plan: &Plan) {
        let mut judge = judge(plan);
        for seed in 0..500_u32 {
            if seed == 300 {
                judge.begin_rung(plan, 3, 2);
            }
            let at = Moment::from_second(15 * i64::from(seed)).unwrap();
            judge.observe(0, at, [tick(seed)]);
            judge.observe(1, at, [tick(seed), tick(seed + 1), tick(seed * 3)]);
        }
        for metric in judge.save(plan).metrics {
            let size = serde_json::to_string(&metric).unwrap().len();
            assert!(size <= 2_048, "{}: {size} bytes", metric.metric);
        }
    }

    #[test]
    fn evidence_against_the_past_is_none_beside_a_baseline() {
        let (alone, beside) = (Plan::with_bake_share(0), plan());
        for (from, to) in [(&alone, &beside), (&beside, &alone)] {
            let mut judge = judge(from);
            judge.begin_rung(from, 3, 2);
            let saved = judge.save(from);
            assert!(Judge::resume(from, &saved).is_ok());
            assert_eq!(Judge::resume(to, &saved), Err(Unusable::Changed));
        }
    }

    #[test]
    fn evidence_under_other_margins_is_not_believed() {
        let plan = plan();
        let saved = judge(&plan).save(&plan);
        let mut other = plan.clone();
        other.analysis.metrics[0].tolerated.ratio = 1.2;
        assert_eq!(Judge::resume(&other, &saved), Err(Unusable::Changed));
        let mut damaged = saved;
        damaged.metrics[0].parts[0].truncate(40);
        assert_eq!(Judge::resume(&plan, &damaged), Err(Unusable::Damaged));
    }
}

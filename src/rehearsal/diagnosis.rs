//! What is wrong with the releases of a Rollout, found from how simulated ones ended and from what its traffic can
//! prove.

use super::course::{Lack, Lacking, Short};
use super::summary::Summary;
use super::{Assumed, Setting};
use crate::api::RolloutSpec;
use crate::engine::plan::RungKind;
use crate::stats::forecast::provable_rate;

/// A share of releases without a verdict that is worth a word.
pub(super) const NOTABLE: f64 = 0.05;
/// A share of wrong promotions that is.
const WRONG: f64 = 0.02;
/// Evidence beyond the threshold that a proof takes on the way: bets that are lost, and bad luck.
const SLACK: f64 = 2.0;

/// What is wrong, in numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Trouble {
    /// Releases come to no verdict.
    Stuck(Stuck),
    /// A version beyond what is unacceptable is promoted: this share of the releases.
    Missed(f64),
}

/// Where releases come to no verdict, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Stuck {
    /// Of all releases.
    pub share: f64,
    /// The user's step where most of them stand, from 0.
    pub step: usize,
    /// Of all releases, those that stand there.
    pub here: f64,
    /// Most of those lack it in this metric, by its index in the plan.
    pub metric: usize,
    /// Why.
    pub because: Because,
    /// What half of those that stand there lack at least, where that can be told.
    pub missing: Option<(u64, f64)>,
}

/// Why there is no verdict. Rates are shares of bad requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Because {
    /// The traffic cannot prove it in time.
    Traffic {
        /// Candidate requests until the deadline.
        requests: f64,
        /// What these can rule out at best, and what must be ruled out, where that is less.
        short: Option<(f64, f64)>,
        /// By how much failures come in clumps, each of which counts as one.
        clumps: f64,
    },
    /// By chance something speaks against the candidate, and the traffic does not clear it in time.
    Chance,
    /// The candidate lies between what is tolerated and what is unacceptable.
    Between {
        /// Tolerated up to here.
        tolerated: f64,
        /// Unacceptable from here on.
        unacceptable: f64,
    },
    /// The candidate is unacceptable, and the traffic cannot prove that in time.
    Unproven {
        /// Unacceptable from here on.
        unacceptable: f64,
    },
    /// Both versions fail far more than usual.
    Environment,
    /// Holds or deadlines last longer than the horizon.
    Time,
    /// Traffic could not return to the promoted pods.
    Promotion,
}

/// What a step can prove.
pub(super) struct Proof {
    /// The lowest error rate that it can rule out.
    pub(super) provable: f64,
    /// What must be ruled out.
    asked: f64,
    /// The same as a multiple of the margin.
    pub(super) factor: f64,
}

/// The numbers of one rehearsal that advice rests on.
pub(super) struct Case<'a> {
    pub(super) spec: &'a RolloutSpec,
    pub(super) assumed: &'a Assumed,
    pub(super) setting: &'a Setting,
    pub(super) summary: &'a Summary,
    pub(super) runs: u64,
}

/// Held, or rolled back for want of a verdict.
pub(super) fn stuck(summary: &Summary) -> f64 {
    summary.steps.iter().map(|step| step.stuck).sum()
}

pub(super) fn promoted(summary: &Summary) -> f64 {
    summary.promoted.share + summary.held_then_promoted
}

impl Case<'_> {
    /// What is wrong, if anything.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        let missed = promoted(self.summary);
        let named_bad = !self.setting.traffic.name.is_empty() && !self.setting.traffic.good();
        if (named_bad || self.candidate() >= self.setting.lines().1) && missed >= WRONG {
            return Some(Trouble::Missed(missed));
        }
        let share = stuck(self.summary);
        let (step, most) = self
            .summary
            .steps
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.stuck.total_cmp(&b.1.stuck))?;
        if share < NOTABLE {
            return None;
        }
        let short = self.short(step);
        Some(Trouble::Stuck(Stuck {
            share,
            step,
            here: most.stuck,
            metric: self.metric(&most.lacks),
            because: self.because(step),
            missing: self.middle(step, &short),
        }))
    }

    /// Those that lacked proof at a step, and of what.
    fn short(&self, step: usize) -> Vec<Short> {
        let lacks = self.summary.steps[step].lacks.iter();
        lacks
            .filter_map(|lacking| match lacking.lack {
                Lack::Proof(short) => Some(short),
                Lack::Doubt | Lack::Environment | Lack::Time | Lack::Promotion => None,
            })
            .collect()
    }

    /// The metric that most of them lack something in; in doubt the one that the candidate's error rate is about.
    fn metric(&self, lacks: &[Lacking]) -> usize {
        let subject = self.setting.subject();
        let count = |metric: usize| lacks.iter().filter(|lacking| lacking.metric == metric).count();
        (0..self.setting.plan.analysis.metrics.len())
            .max_by_key(|metric| (count(*metric), *metric == subject))
            .unwrap_or(subject)
    }

    fn because(&self, step: usize) -> Because {
        let lacks = &self.summary.steps[step].lacks;
        let most = |test: fn(Lack) -> bool| {
            2 * lacks.iter().filter(|lacking| test(lacking.lack)).count() > lacks.len()
        };
        if most(|lack| matches!(lack, Lack::Time)) {
            return Because::Time;
        }
        if most(|lack| matches!(lack, Lack::Promotion)) {
            return Because::Promotion;
        }
        if most(|lack| matches!(lack, Lack::Environment)) {
            return Because::Environment;
        }
        let (tolerated, unacceptable) = self.setting.lines();
        if self.candidate() >= unacceptable {
            return Because::Unproven { unacceptable };
        }
        if self.candidate() > tolerated {
            return Because::Between {
                tolerated,
                unacceptable,
            };
        }
        if most(|lack| matches!(lack, Lack::Doubt)) {
            return Because::Chance;
        }
        let (weight, deadline) = self.stay(step);
        let proof = self.proof(step);
        Because::Traffic {
            requests: self.setting.traffic.pace * weight * deadline,
            short: Some((proof.provable, proof.asked)).filter(|(provable, asked)| provable > asked),
            clumps: self.summary.clumps,
        }
    }

    /// Of the rung that proves a step: the candidate's share (0 to 1) and the seconds until its deadline.
    pub(super) fn stay(&self, step: usize) -> (f64, f64) {
        let rungs = &self.setting.plan.rungs;
        let proof = rungs
            .iter()
            .find(|rung| rung.step == step && rung.kind == RungKind::Proof);
        proof.map_or((1.0, 0.0), |rung| {
            (
                f64::from(rung.weight.percent()) / 100.0,
                rung.deadline.as_secs_f64(),
            )
        })
    }

    /// What the traffic of a step can rule out until its deadline, for a candidate like this one, of the proof that
    /// most of those that stand there lack.
    pub(super) fn proof(&self, step: usize) -> Proof {
        let short = self.short(step);
        let of_step = short.iter().filter(|short| short.in_step).count();
        let typical = short
            .iter()
            .find(|one| one.in_step == (2 * of_step >= short.len()))
            .copied();
        let in_step = typical.is_some_and(|short| short.in_step);
        let widened = self.summary.provable.unwrap_or(0.0);
        let usual = -self.setting.plan.analysis.wrong_promotion.ln();
        let (needed, factor) = typical.map_or((usual, 1.0), |short| (short.needed, short.multiplier));
        let (weight, deadline) = self.stay(step);
        let requests = self.setting.traffic.pace * weight * (1.0 - weight) * deadline;
        let rate = self.candidate().max(1e-9);
        let unacceptable = self.setting.lines().1;
        let asked = match (in_step, widened > 0.0) {
            // Where the traffic is thin a step asks for no more than that can prove in time.
            (true, true) => 1.0,
            (true, false) => factor * unacceptable,
            (false, _) => unacceptable.max(widened),
        };
        Proof {
            asked,
            provable: provable_rate(requests / self.summary.clumps, rate, rate, needed + SLACK).min(1.0),
            factor,
        }
    }

    /// The middle of what is missing at a step, and the seconds that it takes: at the pace that is assumed, since that of
    /// a handful of requests says little.
    fn middle(&self, step: usize, lacks: &[Short]) -> Option<(u64, f64)> {
        let mut known: Vec<u64> = lacks.iter().filter_map(|short| short.missing.requests).collect();
        known.sort_unstable();
        let pace = self.setting.traffic.pace * self.stay(step).0;
        let requests = known.get(known.len() / 2).copied()?;
        Some((requests, requests as f64 / pace)).filter(|(_, seconds)| seconds.is_finite())
    }

    /// The candidate's error rate.
    pub(super) fn candidate(&self) -> f64 {
        self.setting.traffic.candidate
    }
}

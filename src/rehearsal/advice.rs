//! Changes of settings that help releases to their end: each one is tried in simulated releases before it is suggested.

use std::time::Duration;

use super::change::Change;
use super::course::Stop;
use super::diagnosis::{Because, Case, NOTABLE, Stuck, Trouble, promoted, stuck};
use super::search::two_digits;
use super::summary::{Share, Summary, summarize};
use super::{Assumed, Setting, courses};
use crate::api::{Preset, RolloutSpec};

/// A change that leaves more of the trouble is no help.
const HELPS: f64 = 0.7;
/// A margin that is widened to more than so many times what is unacceptable now, or what the candidate fails, would
/// be none.
const WIDEST: f64 = 6.0;
/// Values of one setting that are tried.
const TRIES: usize = 3;
/// Deadlines that people write, in hours.
const HOURS: [f64; 8] = [1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 24.0];
/// Seconds of simulated releases that one try may take: with long deadlines fewer releases are played.
const BUDGET: f64 = 200.0 * 4.0 * 3600.0;
/// But never fewer.
const FEWEST: u64 = 60;

/// A change that helps, and what it would bring.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// The change.
    pub change: Change,
    /// The changed spec.
    pub spec: RolloutSpec,
    /// What releases came to with it.
    pub then: Summary,
}

impl Advice {
    /// From this error rate on a promotion is ruled out.
    pub fn excludes(&self, assumed: &Assumed) -> f64 {
        Setting::of(&self.spec, assumed).map_or(1.0, |setting| excluded(&setting, &self.then))
    }
}

/// From this error rate on a promotion is ruled out: that of the margin, or what the traffic can prove; at 1 no rate is.
pub fn excluded(setting: &Setting, summary: &Summary) -> f64 {
    setting.lines().1.max(summary.provable.unwrap_or(0.0)).min(1.0)
}

/// What is wrong with the releases of a Rollout, if anything, and which changes help in up to `runs` simulated releases
/// each.
pub fn advise(
    spec: &RolloutSpec,
    assumed: &Assumed,
    setting: &Setting,
    summary: &Summary,
    runs: u64,
) -> Option<(Trouble, Vec<Advice>)> {
    let case = Case {
        spec,
        assumed,
        setting,
        summary,
        runs,
    };
    let trouble = case.trouble()?;
    let advice = match &trouble {
        Trouble::Stuck(stuck) => case.unstick(stuck),
        Trouble::Missed(share) => case.sharpen(*share),
    };
    Some((trouble, advice))
}

impl Case<'_> {
    /// Changes that bring releases to an end.
    fn unstick(&self, stuck: &Stuck) -> Vec<Advice> {
        let rows = match stuck.because {
            Because::Traffic { .. } | Because::Chance | Because::Environment => vec![
                self.deadlines(stuck),
                self.margins(stuck),
                self.ungate(stuck),
                self.weights(stuck),
                self.preset(),
            ],
            Because::Between { .. } => vec![self.margins(stuck), vec![Change::RollBack]],
            Because::Unproven { .. } => vec![vec![Change::RollBack]],
            Because::Time | Because::Promotion => Vec::new(),
        };
        let mut helpful = Vec::new();
        for row in rows {
            let ends = |then: &Summary, change: &Change| {
                if *change == Change::RollBack {
                    then.held.share
                } else {
                    self::stuck(then)
                }
            };
            helpful.extend(self.best(&row, stuck.share, ends));
        }
        helpful
    }

    /// Changes that find a late or small regression.
    fn sharpen(&self, share: f64) -> Vec<Advice> {
        let top = self.setting.plan.rungs.last();
        let hold = top.map_or(Duration::ZERO, |rung| rung.hold);
        let longer = [2, 4, 8].map(|times| Change::LastHold(hold.max(Duration::from_mins(5)) * times));
        let rows = [longer.to_vec(), vec![Change::Start(25), Change::Start(50)]];
        let left = |then: &Summary, _: &Change| promoted(then);
        rows.iter()
            .filter_map(|row| self.best(row, share, left))
            .collect()
    }

    /// Of several values of one setting the first that leaves little of `share`, or else the best that leaves clearly
    /// less.
    fn best(&self, row: &[Change], share: f64, left: impl Fn(&Summary, &Change) -> f64) -> Option<Advice> {
        let mut best: Option<(f64, Advice)> = None;
        for change in row.iter().take(TRIES) {
            let Some(advice) = self.attempt(change) else {
                continue;
            };
            let rest = left(&advice.then, change);
            let all = advice.then.runs;
            let surely = Share::of((rest * all as f64).round() as u64, all).high < share;
            let helps = surely && rest <= HELPS * share;
            if helps && best.as_ref().is_none_or(|(least, _)| rest < *least) {
                best = Some((rest, advice));
            }
            if rest < NOTABLE.min(share / 2.0) {
                break;
            }
        }
        best.map(|(_, advice)| advice)
    }

    /// Plays releases under the change; `None` if the spec would not be admitted, or stays the same.
    fn attempt(&self, change: &Change) -> Option<Advice> {
        let spec = change.apply(self.spec);
        if spec == *self.spec {
            return None;
        }
        let setting = Setting::of(&spec, self.assumed).ok()?;
        let affordable = (BUDGET / setting.horizon.as_secs_f64()) as u64;
        let runs = affordable.max(FEWEST).min(self.runs);
        let then = summarize(&setting, &courses(&setting, 0..runs, Stop::AtHold));
        Some(Advice {
            change: change.clone(),
            spec,
            then,
        })
    }

    /// As long as most of those that stand there would have needed, and longer.
    fn deadlines(&self, stuck: &Stuck) -> Vec<Change> {
        let deadline = self.stay(stuck.step).1;
        let more = stuck.missing.map_or(deadline, |(_, seconds)| seconds);
        let least = (deadline + 1.5 * more).max(1.4 * deadline);
        let spans = HOURS.iter().map(|hours| hours * 3600.0);
        spans
            .filter(|span| *span >= least)
            .map(|span| Change::Deadline(Duration::from_secs_f64(span)))
            .collect()
    }

    /// As wide as the traffic can prove, and wider.
    fn margins(&self, stuck: &Stuck) -> Vec<Change> {
        let Some(metric) = self.setting.plan.analysis.metrics.get(self.setting.subject()) else {
            return Vec::new();
        };
        let margin = metric.unacceptable;
        let proof = self.proof(stuck.step);
        let provable = proof.provable / proof.factor.max(1.0);
        let needed = (provable - margin.ratio * self.setting.traffic.baseline).max(1.3 * margin.absolute);
        let widest = WIDEST * self.setting.lines().1.max(self.candidate());
        [1.0, 1.6, 2.6]
            .map(|times| two_digits(needed * times))
            .into_iter()
            .filter(|absolute| *absolute <= 0.5 && *absolute <= widest)
            .map(Change::Unacceptable)
            .collect()
    }

    /// A weight at which the same traffic tells more; half and half tells most.
    fn weights(&self, stuck: &Stuck) -> Vec<Change> {
        let here = (100.0 * self.stay(stuck.step).0).round() as i32;
        if stuck.step + 1 < self.setting.plan.steps {
            let next = (100.0 * self.stay(stuck.step + 1).0).round() as i32;
            let mut higher: Vec<i32> = [next, 25, 50]
                .into_iter()
                .filter(|weight| *weight > here && *weight <= 50)
                .collect();
            higher.sort_unstable();
            higher.dedup();
            higher.into_iter().map(Change::Start).collect()
        } else {
            let fairer = [35, 50].into_iter().filter(|share| 100 - *share < here);
            fairer.map(Change::Share).collect()
        }
    }

    /// A metric that holds good versions though it is not the one that was asked about.
    fn ungate(&self, stuck: &Stuck) -> Vec<Change> {
        let metrics = &self.setting.plan.analysis.metrics;
        let others = metrics
            .iter()
            .enumerate()
            .any(|(index, metric)| index != stuck.metric && metric.gating && !metric.optional);
        let metric = metrics
            .get(stuck.metric)
            .filter(|_| others && stuck.metric != self.setting.subject());
        metric
            .map(|metric| Change::Ungate(metric.name.clone()))
            .into_iter()
            .collect()
    }

    fn preset(&self) -> Vec<Change> {
        let fast = self.spec.analysis.preset != Preset::Fast;
        fast.then_some(Change::Preset(Preset::Fast)).into_iter().collect()
    }
}

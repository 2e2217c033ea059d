//! All metrics of one release, judged together: what the operator, `serin judge`, rehearsals and backtests share.
//!
//! A metric is one comparison (a share of bad requests) or several (a latency histogram at some edges). Each
//! comparison has evidence of its own; a rollback rests on their weighted average, a promotion on every gating one.
//! A fail is final: what comes after it changes nothing.

use super::assessment::{Against, Arms, Assessment, Evidenced, Verdict};
use super::background::Background;
use super::checkpoint::{Checkpoint, CheckpointError};
use super::counts::Tick;
use super::evidence::Evidence;
use super::joint::{Joint, Part, against, joint, verdict};
use super::settings::Settings;
use super::traffic_share::not_honoured;

/// How one metric is judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rule {
    /// Its settings; the panel gives each comparison its share of the chance of a false rollback.
    pub settings: Settings,
    /// How much of that chance it gets, relative to the other metrics; above 0.
    pub weight: f64,
    /// A promotion needs its pass; otherwise it can only roll back.
    pub gating: bool,
    /// How many comparisons it has: 1, or one for each edge of a histogram.
    pub parts: usize,
}

/// One metric on trial.
#[derive(Clone, Debug, PartialEq)]
struct Judged {
    gating: bool,
    /// The share of each of its comparisons; all shares of a panel sum to 1.
    share: f64,
    parts: Vec<Evidence>,
}

impl Judged {
    /// Whether one of its comparisons has something to be compared with: a baseline, or the past where that is gone.
    fn covered(&self) -> bool {
        !self.parts.iter().all(Evidence::is_blind)
    }
}

/// The evidence about all metrics of one release.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    metrics: Vec<Judged>,
    alpha: f64,
    failed: bool,
}

impl Panel {
    /// A panel without evidence. `alpha` bounds the chance of a false rollback by all metrics together.
    pub fn new(alpha: f64, rules: &[Rule]) -> Self {
        let all: f64 = rules.iter().map(|rule| rule.weight).sum();
        let judged = |rule: &Rule| {
            let parts = rule.parts.max(1);
            let share = rule.weight / all / parts as f64;
            Judged {
                gating: rule.gating,
                share,
                parts: vec![Evidence::new(rule.settings.sharing(share)); parts],
            }
        };
        Self {
            metrics: rules.iter().map(judged).collect(),
            alpha,
            failed: false,
        }
    }

    /// Tells how the baseline behaved before the release, for one comparison of a metric. Call it before the first
    /// observation.
    pub fn learn(&mut self, metric: usize, part: usize, past: Background) {
        if let Some(evidence) = self.part_mut(metric, part) {
            *evidence = evidence.clone().with_background(past);
        }
    }

    /// Tells what traffic to expect: `pace` requests a second in both arms, over steps of these weights (per cent).
    /// Call it after [`Self::learn`].
    pub fn expect(&mut self, pace: f64, weights: &[f64]) {
        for evidence in self.evidence_mut() {
            *evidence = evidence.clone().with_traffic(pace, weights);
        }
    }

    /// Leaves out the intervals of the ratios; see [`Evidence::without_ratio`].
    pub fn spare_ratios(&mut self) {
        for evidence in self.evidence_mut() {
            *evidence = evidence.clone().without_ratio();
        }
    }

    /// A step begins; see [`Evidence::begin_step`].
    pub fn begin_step(&mut self, weight: f64, next_weight: f64, last: bool) {
        for evidence in self.evidence_mut() {
            evidence.begin_step(weight, next_weight, last);
        }
    }

    /// The same for one metric, where metrics are not read in step with each other.
    pub fn begin_step_of(&mut self, metric: usize, (weight, next_weight, last): (f64, f64, bool)) {
        self.parts_of(metric)
            .for_each(|part| part.begin_step(weight, next_weight, last));
    }

    /// A step of one metric begins in which nothing runs beside the candidate; see [`Evidence::begin_alone`].
    pub fn begin_alone_of(&mut self, metric: usize) {
        let judged = self.metrics.get_mut(metric);
        let parts = judged.into_iter().flat_map(|it| &mut it.parts);
        parts.for_each(Evidence::begin_alone);
    }

    /// Whether nothing runs beside the candidate in a metric's present step.
    pub fn is_alone(&self, metric: usize) -> bool {
        let first = self.metrics.get(metric).and_then(|it| it.parts.first());
        first.is_some_and(Evidence::is_alone)
    }

    /// Whether only the past speaks of a metric: nothing runs beside the candidate, or nothing comes to it any more.
    pub fn is_by_past(&self, metric: usize) -> bool {
        let mut parts = self.metrics.get(metric).into_iter().flat_map(|it| &it.parts);
        parts.any(|part| part.is_alone() || part.is_forsaken())
    }

    /// Whether the baseline of a metric is gone; see [`Evidence::is_forsaken`].
    pub fn is_forsaken(&self, metric: usize) -> bool {
        let first = self.metrics.get(metric).and_then(|it| it.parts.first());
        first.is_some_and(Evidence::is_forsaken)
    }

    /// Whether a metric is judged: there is something to compare it with, at one edge of a histogram at least.
    pub fn is_judged(&self, metric: usize) -> bool {
        let mut parts = self.metrics.get(metric).into_iter().flat_map(|it| &it.parts);
        parts.any(|part| part.compared() != Against::Nothing)
    }

    /// The comparisons of a metric, if there is one.
    fn parts_of(&mut self, metric: usize) -> impl Iterator<Item = &mut Evidence> {
        self.metrics
            .get_mut(metric)
            .into_iter()
            .flat_map(|it| &mut it.parts)
    }

    /// How many candidate pods take part in a metric from now on.
    pub fn set_candidate_pods(&mut self, metric: usize, pods: u32) {
        self.parts_of(metric)
            .for_each(|part| part.set_candidate_pods(pods));
    }

    /// Whether a metric's requests are shared out by the step's weight.
    pub fn set_routed(&mut self, metric: usize, routed: bool) {
        self.parts_of(metric).for_each(|part| part.set_routed(routed));
    }

    /// What each comparison of a metric was told of the baseline's past.
    pub fn pasts(&self, metric: usize) -> Vec<Background> {
        let parts = self.metrics.get(metric).into_iter().flat_map(|it| &it.parts);
        parts.map(|evidence| *evidence.background()).collect()
    }

    /// The state of a metric's comparisons, to be kept across restarts; the settings are not in it.
    pub fn checkpoints(&self, metric: usize) -> Vec<Checkpoint> {
        let parts = self.metrics.get(metric).into_iter().flat_map(|it| &it.parts);
        parts.map(Evidence::checkpoint).collect()
    }

    /// Goes on from what [`Self::checkpoints`] gave under the same rule.
    ///
    /// # Errors
    /// There are more or fewer of them than comparisons, or one cannot be used; nothing has changed then.
    pub fn resume(&mut self, metric: usize, from: &[Checkpoint]) -> Result<(), CheckpointError> {
        let judged = self.metrics.get_mut(metric).ok_or(CheckpointError::Shape)?;
        if judged.parts.len() != from.len() {
            return Err(CheckpointError::Shape);
        }
        let resumed = judged
            .parts
            .iter()
            .zip(from)
            .map(|(part, checkpoint)| Evidence::resume(*part.settings(), checkpoint));
        judged.parts = resumed.collect::<Result<_, _>>()?;
        self.failed = self.convicts();
        Ok(())
    }

    /// Takes one evaluation of a metric: a tick for each of its comparisons.
    pub fn observe(&mut self, metric: usize, ticks: impl IntoIterator<Item = Tick>) {
        if self.failed {
            return;
        }
        let Some(judged) = self.metrics.get_mut(metric) else {
            return;
        };
        for (evidence, tick) in judged.parts.iter_mut().zip(ticks) {
            evidence.observe(tick);
        }
        // Within an evaluation too: each comparison is a wager of its own, and their average is one at any moment.
        self.failed = self.convicts();
    }

    /// Whether the evidence suffices for a rollback: as [`Self::joint`] says it, without its details.
    fn convicts(&self) -> bool {
        verdict(self.parts(), against(self.parts(), self.alpha)) == Verdict::Fail
    }

    /// All comparisons with their parts in the joint verdict.
    fn parts(&self) -> impl Iterator<Item = Part<'_>> + Clone {
        self.metrics.iter().flat_map(|judged| {
            let covered = judged.covered();
            judged.parts.iter().map(move |evidence| Part {
                evidence,
                weight: judged.share,
                gating: judged.gating,
                covered,
            })
        })
    }

    /// What all metrics say together.
    pub fn joint(&self) -> Joint {
        joint(&self.parts().collect::<Vec<_>>(), self.alpha)
    }

    /// The verdict on the release, as [`Self::joint`] gives it but for the forecasts, which take longer than all else.
    /// A fail is final.
    pub fn verdict(&self) -> Verdict {
        if self.failed {
            return Verdict::Fail;
        }
        verdict(self.parts(), self.against())
    }

    /// Whether the candidate has had no request for so long that nothing is known of it any more, by whatever metric: then
    /// no verdict of before lets it advance.
    pub fn is_idle(&self) -> bool {
        !self.is_empty() && self.evidence().all(Evidence::is_idle)
    }

    /// The evidence against the candidate, over all metrics, beside what a rollback needs.
    pub fn against(&self) -> Evidenced {
        against(self.parts(), self.alpha)
    }

    /// How many metrics there are.
    pub fn len(&self) -> usize {
        self.metrics.len()
    }

    /// Whether there is nothing to judge.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }

    /// The view of one metric: of the comparison that speaks most against the candidate, or that lacks most.
    pub fn assessment(&self, metric: usize) -> Option<Assessment> {
        let own = self.own(metric)?;
        if self.failed_together() && self.telling() == Some(metric) {
            return Some(Assessment {
                verdict: Verdict::Fail,
                fail: self.against(),
                together: true,
                ..own
            });
        }
        Some(own)
    }

    /// Whether the evidence of all suffices for a rollback, and of no single comparison.
    fn failed_together(&self) -> bool {
        self.failed && self.evidence().all(|it| it.verdict() != Verdict::Fail)
    }

    /// What a metric says by itself.
    fn own(&self, metric: usize) -> Option<Assessment> {
        let metric = self.metrics.get(metric)?;
        let covered = metric.covered();
        let seen = metric.parts.iter().map(|part| part.assessment_among(covered));
        let judged = seen.clone().filter(|seen| seen.against != Against::Nothing);
        judged.reduce(telling).or_else(|| seen.reduce(telling))
    }

    /// The metric that decides, or that all wait for. After a fail the one with the most evidence against the
    /// candidate; before it the gating one whose pass is furthest away.
    pub fn telling(&self) -> Option<usize> {
        let seen = (0..self.len()).filter_map(|metric| self.own(metric));
        self.telling_of(&seen.collect::<Vec<_>>())
    }

    /// The same, for who has the assessments of all metrics at hand.
    pub fn telling_of(&self, seen: &[Assessment]) -> Option<usize> {
        let rank = |metric: usize, assessment: &Assessment| -> (u8, f64) {
            if self.failed {
                return (0, assessment.fail.evidence - assessment.fail.needed);
            }
            let waits = self.metrics[metric].gating && assessment.verdict != Verdict::Pass;
            let away = assessment.missing.seconds.unwrap_or(f64::INFINITY);
            if waits {
                (1, away)
            } else {
                (0, assessment.fail.evidence)
            }
        };
        let known = seen.iter().take(self.len()).enumerate();
        let ranked = known.map(|(metric, assessment)| (metric, rank(metric, assessment)));
        ranked
            .reduce(|best, next| {
                let higher = next.1.0.cmp(&best.1.0).then(next.1.1.total_cmp(&best.1.1));
                if higher.is_gt() { next } else { best }
            })
            .map(|(metric, _)| metric)
    }

    /// The counts of a metric since the step began.
    pub fn in_step(&self, metric: usize) -> Option<Arms> {
        let first = self.metrics.get(metric)?.parts.first()?;
        Some(first.counts_in_step())
    }

    /// Seconds of this step in which `metric` was read.
    pub fn seconds_in_step(&self, metric: usize) -> Option<f64> {
        let parts = self.metrics.get(metric)?.parts.iter();
        parts.map(Evidence::seconds_in_step).reduce(f64::min)
    }

    /// Whether `metric` speaks against the candidate.
    pub fn is_suspect(&self, metric: usize) -> bool {
        let mut parts = self
            .metrics
            .get(metric)
            .into_iter()
            .flat_map(|metric| &metric.parts);
        parts.any(Evidence::is_suspect)
    }

    /// Whether the candidate shares an outage by what `metric` says.
    pub fn is_in_shared_fault(&self, metric: usize) -> bool {
        let metric = self.metrics.get(metric);
        metric.is_some_and(|metric| metric.parts.iter().any(Evidence::is_in_shared_fault))
    }

    /// The candidate's share (per cent) that `metric`'s requests really have in this step, if it is surely and
    /// noticeably not `weight`.
    pub fn not_honoured(&self, metric: usize, weight: f64) -> Option<f64> {
        not_honoured(weight, self.in_step(metric)?)
    }

    /// The rate below which a promotion proves the candidate to be, for the usual baseline rate of `metric`, if the
    /// traffic is too thin for that of its margin.
    pub fn widened(&self, metric: usize) -> Option<f64> {
        let evidence = self.metrics.get(metric)?.parts.first()?;
        let usual = evidence.background().rate().unwrap_or(0.0);
        let asked = evidence.settings().unacceptable().rate(usual);
        let provable = evidence.provable();
        (provable > asked * (1.0 + 1e-9)).then_some(provable)
    }

    /// All comparisons, metric by metric.
    pub fn evidence(&self) -> impl Iterator<Item = &Evidence> {
        self.metrics.iter().flat_map(|judged| &judged.parts)
    }

    fn evidence_mut(&mut self) -> impl Iterator<Item = &mut Evidence> {
        self.metrics.iter_mut().flat_map(|judged| &mut judged.parts)
    }

    fn part_mut(&mut self, metric: usize, part: usize) -> Option<&mut Evidence> {
        self.metrics.get_mut(metric)?.parts.get_mut(part)
    }
}

/// Of two comparisons of one metric the one that people should hear of.
fn telling(worst: Assessment, next: Assessment) -> Assessment {
    let later =
        next.verdict == Verdict::Fail || (worst.verdict == Verdict::Pass && next.verdict != Verdict::Pass);
    let same = next.verdict == worst.verdict && next.fail.evidence > worst.fail.evidence;
    if worst.verdict != Verdict::Fail && (later || same) {
        next
    } else {
        worst
    }
}

#[cfg(test)]
mod tests;

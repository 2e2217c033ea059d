//! What the evidence allows and what it still lacks.

use super::guard::{BASELINE, CANDIDATE};
use super::without_baseline::{at_most, surely};
use super::{Evidence, PASS_BETS};
use crate::stats::assessment::{Against, Amiss, Arms, Assessment, Evidenced, Missing, Verdict, Warming};
use crate::stats::counts::Counts;
use crate::stats::forecast::{pass_growth, requests_to_grow};
use crate::stats::process::Process;
use crate::stats::settings::Margin;
use crate::stats::without_baseline::{Alone, SET_ASIDE};

/// Less than this is no suspicion: one early failure of a thin service must not hold it for hours.
pub(super) const SUSPICION: f64 = 0.4;
/// What is set aside where the past is calm, by what the second opinion says: all of it up to so many nats beyond the past,
/// and with each one more that much less.
const SET_ASIDE_CALM: (f64, f64) = (0.5, 5.0);
const SECOND_OPINION: f64 = 9.0;
/// So many nats beyond the past keep a bake.
const UNUSUAL: f64 = 7.0;
/// Unless it was a burst, which is over once so many ticks are as usual.
const RECENT: usize = 4;
/// What a burst may add in a service whose past shows none, in nats.
const ALLOWANCE: f64 = 2.0;

impl Evidence {
    /// The evidence for a regression without what is set aside, which is never less than nothing: so it keeps the
    /// bound of the process itself.
    pub(in crate::stats) fn fail_evidence(&self) -> f64 {
        if let Some(alone) = self.past_on_trial() {
            return alone.evidence().evidence;
        }
        let largest = f64::from(self.guard.largest);
        let aside = if self.background().calm() {
            let (least, most) = SET_ASIDE_CALM;
            let by_past = (most + SECOND_OPINION - self.beyond_the_past()).clamp(least, most);
            by_past.max(largest - ALLOWANCE)
        } else {
            largest.max(SET_ASIDE)
        };
        self.fail.evidence() - aside
    }

    /// A second opinion: how far the candidate's failures lie beyond what the service's past explains, in nats
    /// (likelihood ratio of Poisson counts, at its maximum). The baseline beside it counts where it is worse than the
    /// past. It convicts nobody; it tells a regression from a coincidence, in which the baseline is also lucky.
    fn beyond_the_past(&self) -> f64 {
        // Worse by more than a standard deviation: else its noise would count against the opinion.
        let beside = surely(self.in_release.baseline).max(surely(self.in_step.baseline));
        self.beyond(self.in_step.candidate, beside)
            .max(self.beyond(self.in_release.candidate, beside))
    }

    /// How far these counts lie beyond what the past explains, or this rate beside it, in nats.
    fn beyond(&self, c: Counts, beside: f64) -> f64 {
        let normal = self.usual_rate().max(beside);
        let (seen, expected) = (c.bad as f64, c.requests as f64 * self.tolerated().rate(normal));
        if seen > expected && expected > 0.0 {
            (seen * (seen / expected).ln() - (seen - expected)) / self.background().dispersion()
        } else {
            0.0
        }
    }

    fn needed_of_release(&self) -> f64 {
        if self.flags.last {
            self.settings().needed_to_pass()
        } else {
            std::f64::consts::LN_2
        }
    }

    /// What keeps the weight. It is the evidence as it stands, for what is set aside of it may be a regression.
    ///
    /// Wealth that one stretch has won wears down over hours only. So that stretch is forgiven where the release and the
    /// step have their full proofs with it, and most of what it won is lost again; a pass needs proofs all the same.
    fn suspicion(&self) -> Evidenced {
        Evidenced {
            evidence: self.at_worst(),
            needed: self.unsuspected(self.release.evidence().min(self.step.evidence())),
        }
    }

    /// How much evidence against the candidate is no suspicion, where so much is `proven` with it.
    fn unsuspected(&self, proven: f64) -> f64 {
        let forgiven = if proven >= self.settings().needed_to_pass() {
            f64::from(self.guard.largest) - SET_ASIDE
        } else {
            0.0
        };
        SUSPICION.max(forgiven)
    }

    /// What the evidence allows now; cheaper than the whole [`Self::assessment`].
    pub fn verdict(&self) -> Verdict {
        self.verdict_among(false)
    }

    /// The same; `covered`: another comparison of its metric has something to be compared with, and watches over the proof
    /// of one that has not.
    pub(in crate::stats) fn verdict_among(&self, covered: bool) -> Verdict {
        if self.flags.failed {
            return Verdict::Fail;
        }
        let proven = self.step_best >= self.settings().needed_to_pass()
            && self.release.evidence() >= self.needed_of_release();
        let sound = match self.flags.amiss {
            None => true,
            Some(Amiss::SharedFault) => false,
            Some(Amiss::BaselineGone) => covered || self.can_be_forsaken(),
        };
        if proven && sound && !self.suspicion().reached() {
            Verdict::Pass
        } else {
            Verdict::Continue
        }
    }

    /// Whether the evidence speaks against the candidate in a bake, though it has not convicted it. The step's proof came
    /// before, so what it has forgiven stays forgiven while the release's proof stands. With nothing beside the candidate
    /// only what would convict it counts.
    pub fn is_suspect(&self) -> bool {
        if self.is_alone() {
            self.past_on_trial().is_some_and(Alone::is_suspect)
        } else {
            // Beside a high weight the baseline's few requests say little of a fault that is new.
            let alike = [self.in_step.baseline, self.in_release.baseline]
                .map(|beside| if beside.bad > 2 { at_most(beside) } else { 0.0 });
            let beside = alike[0].max(alike[1]);
            let goes_on = || {
                let limit = self.tolerated().rate(self.usual_rate().max(beside));
                let recent = self.guard.last.iter().take(RECENT);
                recent
                    .map(|tick| f64::from(tick.rates[CANDIDATE]))
                    .any(|rate| rate > limit)
            };
            let unusual = self.background().calm()
                && self.beyond(self.in_step.candidate, beside) >= UNUSUAL
                && goes_on();
            unusual || self.at_worst() >= self.unsuspected(self.release.evidence())
        }
    }

    /// Whether the candidate shares an outage of the whole service: that promotes nobody.
    pub fn is_in_shared_fault(&self) -> bool {
        self.flags.amiss == Some(Amiss::SharedFault)
    }

    /// Seconds of this step that were weighed, up to the candidate's last request: while nothing is counted, nothing was
    /// seen of it. Counters are cumulative, so what they show next is about the time before too.
    pub fn seconds_in_step(&self) -> f64 {
        f64::from((self.step_seconds - self.idle.max(self.guard.waiting.seconds)).max(0.0))
    }

    /// Whether pods are still warming up, though the step's own warm-up is over.
    pub const fn is_young(&self) -> bool {
        matches!(self.flags.warming, Some(Warming::Pods))
    }

    /// Counts of both arms since the step began.
    pub const fn counts_in_step(&self) -> Arms {
        self.in_step
    }

    /// The judge's view at this moment.
    pub fn assessment(&self) -> Assessment {
        self.assessment_among(false)
    }

    /// The same beside other comparisons; see [`Self::verdict_among`].
    pub(in crate::stats) fn assessment_among(&self, covered: bool) -> Assessment {
        let verdict = self.verdict_among(covered);
        Assessment {
            verdict,
            against: if self.is_blind() && !covered {
                Against::Nothing
            } else {
                self.compared()
            },
            fail: Evidenced {
                evidence: self.fail_evidence(),
                needed: self.settings().needed_to_fail(),
            },
            step: Evidenced {
                evidence: self.step_best,
                needed: self.settings().needed_to_pass(),
            },
            release: Evidenced {
                evidence: self.release.evidence(),
                needed: self.needed_of_release(),
            },
            suspicion: self.suspicion(),
            amiss: self.flags.amiss,
            idle: self.is_idle(),
            together: false,
            warming: self.flags.warming,
            in_step: self.in_step,
            in_release: self.in_release,
            step_seconds: f64::from(self.step_seconds),
            release_seconds: f64::from(self.release_seconds),
            ratio: self.ratio.interval(),
            missing: self.foreseen(verdict),
            multiplier: f64::from(self.multiplier),
        }
    }

    /// What a pass lacks. What keeps the weight otherwise ends with time, not with a number of requests; and without a
    /// baseline requests prove nothing.
    fn foreseen(&self, verdict: Verdict) -> Missing {
        let kept = self.suspicion().reached() || self.flags.amiss.is_some() && verdict == Verdict::Continue;
        if kept && !self.is_alone() {
            Missing::UNKNOWN
        } else {
            self.missing()
        }
    }

    /// Rates `(candidate, baseline)` to reckon with from here on: the candidate's is drawn towards the common one
    /// as long as few bad requests were seen.
    fn expected_rates(&self) -> (f64, f64) {
        const FIRMNESS: f64 = 4.0;
        const OVER: f64 = 3.0;
        let (c, b) = (self.in_release.candidate, self.in_release.baseline);
        let common = c.plus(b).rate().unwrap_or(0.0);
        if common <= 0.0 {
            return (0.0, 0.0);
        }
        let candidate = (c.bad as f64 + FIRMNESS) / (c.requests as f64 + FIRMNESS / common);
        let baseline = b.rate().unwrap_or(common);
        // What both have failed in an outage that is over is not to be expected again.
        let present = self.guard.recent_rate(BASELINE).max(self.usual_rate());
        let over = if baseline > OVER * present {
            present / baseline
        } else {
            1.0
        };
        // A candidate that has not recovered is to be reckoned with as it is.
        let candidate = (candidate * over).max(candidate.min(self.guard.lasting_rate(CANDIDATE)));
        (candidate, baseline * over)
    }

    /// Seconds of the step's own warm-up that are still to come.
    fn warm_up_left(&self) -> f64 {
        (self.settings().warmup_seconds() - f64::from(self.step_seconds)).max(0.0)
    }

    pub(in crate::stats) fn missing(&self) -> Missing {
        if self.is_alone() {
            // No proof is waited for.
            return Missing {
                requests: Some(0),
                seconds: Some(0.0),
            };
        }
        let arms = if self.in_step.candidate.requests > 0 {
            self.in_step
        } else {
            self.in_release
        };
        if arms.candidate.requests > 0 && arms.baseline.requests == 0 {
            // However many come, nothing is beside them.
            return Missing::UNKNOWN;
        }
        let others = if arms.candidate.requests > 0 {
            arms.baseline.requests as f64 / arms.candidate.requests as f64
        } else {
            f64::from((100.0 - self.weight).max(1.0) / self.weight.max(0.01))
        };
        let rates = self.expected_rates();
        let dispersion = self.past().dispersion();
        let requests = |process: &Process<6>, margin: Margin, short: f64| {
            let growth = PASS_BETS.map(|bet| pass_growth(margin, bet, rates, others) / dispersion);
            requests_to_grow(&process.weights, &growth, short)
        };
        let strict = self.unacceptable();
        let needed = self.settings().needed_to_pass();
        let for_step = if self.step_best >= needed {
            Some(0.0)
        } else {
            requests(
                &self.step,
                self.unacceptable_in_step(),
                needed - self.step.evidence(),
            )
        };
        let for_release = requests(
            &self.release,
            strict,
            self.needed_of_release() - self.release.evidence(),
        );
        let requests = for_step.zip(for_release).map(|(a, b)| a.max(b).ceil());
        let pace = self.in_step.candidate.requests as f64 / f64::from(self.step_seconds);
        let seconds = requests.and_then(|n| {
            if n == 0.0 {
                Some(0.0)
            } else {
                // Nothing counts for the candidate until the step is warm.
                Some(self.warm_up_left() + n / pace).filter(|s| pace.is_finite() && s.is_finite())
            }
        });
        Missing {
            requests: requests.map(|n| n as u64),
            seconds,
        }
    }
}

//! What the evidence allows and what it still lacks.

use super::{Evidence, PASS_BETS};
use crate::stats::assessment::{Arms, Assessment, Evidenced, Missing, Verdict};
use crate::stats::forecast::{pass_growth, requests_to_grow};
use crate::stats::process::Process;
use crate::stats::settings::Margin;

/// Evidence below this is rounding.
const NOTHING: f64 = 1e-9;
/// At least this much of the evidence is set aside with the largest increments. A regression has it to spare within
/// a few scrapes; a coincidence of a few failures, one in some thousand good releases, has not.
const SET_ASIDE: f64 = 3.5;

impl Evidence {
    pub(in crate::stats) fn fail_evidence(&self) -> f64 {
        let dropped = self.largest.sum(self.background().burst_ticks());
        self.fail.evidence() - dropped.max(SET_ASIDE)
    }

    fn needed_of_release(&self) -> f64 {
        if self.flags.last {
            self.settings().needed_to_pass()
        } else {
            std::f64::consts::LN_2
        }
    }

    fn suspicion(&self) -> bool {
        self.fail.evidence() > NOTHING
    }

    /// What the evidence allows now; cheaper than the whole [`Self::assessment`].
    pub fn verdict(&self) -> Verdict {
        if self.flags.failed {
            return Verdict::Fail;
        }
        let proven = self.step_best >= self.settings().needed_to_pass()
            && self.release.evidence() >= self.needed_of_release();
        if proven && !self.suspicion() && !self.flags.environment {
            Verdict::Pass
        } else {
            Verdict::Continue
        }
    }

    /// Counts of both arms since the step began.
    pub const fn counts_in_step(&self) -> Arms {
        self.in_step
    }

    /// The judge's view at this moment.
    pub fn assessment(&self) -> Assessment {
        Assessment {
            verdict: self.verdict(),
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
            environment: self.flags.environment,
            warming: self.flags.warming,
            in_step: self.in_step,
            in_release: self.in_release,
            step_seconds: self.step_seconds,
            release_seconds: self.release_seconds,
            ratio: self.ratio.interval(),
            missing: self.missing(),
            multiplier: f64::from(self.multiplier),
        }
    }

    /// Rates `(candidate, baseline)` to reckon with from here on: the candidate's is drawn towards the common one
    /// as long as few bad requests were seen.
    fn expected_rates(&self) -> (f64, f64) {
        const FIRMNESS: f64 = 4.0;
        let (c, b) = (self.in_release.candidate, self.in_release.baseline);
        let common = c.plus(b).rate().unwrap_or(0.0);
        if common <= 0.0 {
            return (0.0, 0.0);
        }
        let candidate = (c.bad as f64 + FIRMNESS) / (c.requests as f64 + FIRMNESS / common);
        (candidate, b.rate().unwrap_or(common))
    }

    pub(in crate::stats) fn missing(&self) -> Missing {
        let arms = if self.in_step.candidate.requests > 0 {
            self.in_step
        } else {
            self.in_release
        };
        let others = if arms.candidate.requests > 0 && arms.baseline.requests > 0 {
            arms.baseline.requests as f64 / arms.candidate.requests as f64
        } else {
            f64::from((100.0 - self.weight).max(1.0) / self.weight.max(0.01))
        };
        let rates = self.expected_rates();
        let dispersion = self.background().dispersion();
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
        let pace = self.in_step.candidate.requests as f64 / self.step_seconds;
        let seconds = requests.and_then(|n| {
            if n == 0.0 {
                Some(0.0)
            } else {
                Some(n / pace).filter(|s| s.is_finite())
            }
        });
        Missing {
            requests: requests.map(|n| n as u64),
            seconds,
        }
    }
}

//! Evidence that the candidate is better than unacceptable: over the release, and anew in each step.

use super::guard::{BASELINE, CANDIDATE};
use super::{Evidence, PASS_BETS, PASS_PRIOR};
use crate::stats::assessment::Amiss;
use crate::stats::counts::{Counts, Tick};
use crate::stats::evalue::pass_log_e;
use crate::stats::settings::Margin;

impl Evidence {
    /// Takes a tick. One in a shared fault that was `expected` says nothing at all: what is decided before the candidate's
    /// failures are seen, and keeps only ticks in which the baseline is well, can make nothing look better than it is.
    pub(super) fn observe_pass(&mut self, tick: &Tick, expected: bool) {
        let dispersion = self.past().dispersion();
        // A burst in the baseline must not speak for the candidate. Known clumps are no burst: cutting them would make
        // the baseline look better than it is and hold good candidates.
        let normal = self.usual_rate().max(self.guard.rate(CANDIDATE));
        let rate = normal.max(self.guard.lasting_rate(BASELINE));
        let Counts { requests, bad } = tick.baseline;
        let tick = Tick {
            baseline: Counts::new(requests, bad.min(self.burst_limit(requests, rate, dispersion))),
            ..*tick
        };
        let environment = self.flags.amiss == Some(Amiss::SharedFault);
        let tempered = |margin: Margin, bet: f64| {
            let e = pass_log_e(&tick, margin, bet) / dispersion;
            // A shared fault proves nothing in the candidate's favour. Its first tick still counts against it.
            match (environment, expected) {
                (_, true) => 0.0,
                (true, false) => e.min(0.0),
                (false, false) => e,
            }
        };
        let (strict, wide) = (self.unacceptable(), self.unacceptable_in_step());
        for (process, margin) in [(&mut self.release, strict), (&mut self.step, wide)] {
            let log_e = PASS_BETS.map(|bet| tempered(margin, bet));
            process.observe(&PASS_PRIOR, &log_e, tick.seconds);
        }
        self.step_best = self.step_best.max(self.step.evidence());
    }
}

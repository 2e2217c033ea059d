//! Evidence for a regression: the bets of one scrape, and what is kept back of them.

use super::guard::{BASELINE, CANDIDATE};
use super::{Evidence, FAIL_BETS, FAIL_PRIOR};
use crate::stats::counts::{Counts, Tick};
use crate::stats::evalue::fail_log_e;
use crate::stats::history::burst_limit;
use crate::stats::process::Process;
use crate::stats::settings::Margin;

/// While a step or its pods warm up only this much counts as a fault: cold caches are not a regression.
const WARMUP: Margin = Margin::new(2.0, 0.02);
/// The bet on a gross fault during warm-up, as a multiple of the ratio above.
const GROSS_BET: f64 = 20.0;
/// Share of the wealth that bets on it, once a warm-up. A young step nearly always shows no gross fault, and losing all
/// on that would blind the judge for minutes; so only this much is at stake.
const WARMUP_STAKE: f64 = 0.1;

/// The log e-value of staking only a share of the wealth on a bet.
pub(super) fn at_stake(share: f64, log_e: f64) -> f64 {
    if log_e > 30.0 {
        log_e + share.ln()
    } else {
        (share * log_e.exp_m1()).ln_1p()
    }
}

/// Evidence withheld because failures exceeded the limit of a tick; it is released once the trouble has outlasted any
/// plausible burst.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::stats) struct WithheldEvidence {
    /// For how long every tick has been beyond the limit, in seconds.
    pub(in crate::stats) seconds: f32,
    /// Log e-values that each bet but cash was not given.
    pub(in crate::stats) plain: [f32; FAIL_BETS.len() - 1],
    /// The same for the bet on a gross fault.
    pub(in crate::stats) gross: f32,
}

impl Evidence {
    /// Failures among `requests` that chance explains: beyond them failures do not count, for one burst must not
    /// decide. `spread` is the variance of one arm's failures over that of independent ones.
    pub(super) fn burst_limit(&self, requests: u64, rate: f64, spread: f64) -> u64 {
        burst_limit(requests as f64 * self.tolerated().rate(rate), spread)
    }

    pub(super) fn observe_fail(&mut self, tick: &Tick) {
        let Counts { requests, bad } = tick.candidate;
        let normal = self.usual_rate().max(self.guard.rate(BASELINE));
        let lasting = normal.max(self.guard.lasting_rate(CANDIDATE));
        let cut = Tick {
            candidate: Counts::new(requests, bad.min(self.burst_limit(requests, lasting, 1.0))),
            ..*tick
        };
        let before = self.fail.evidence();
        let seconds = self.dealt(tick.seconds);
        let dispersion = self.past().dispersion();
        let missed = if tick.warming {
            self.bet_on_gross_fault(&cut, tick, dispersion)
        } else {
            self.bet(&cut, tick, seconds, dispersion)
        };
        let gained = self.fail.evidence() - before;
        let beyond = bad > self.burst_limit(requests, normal, 1.0);
        self.withhold(beyond, tick.seconds, missed);
        let late = self.collect();
        self.guard.gain(gained, late);
        self.flags.failed = self.fail_evidence() >= self.settings().needed_to_fail();
    }

    /// The bets against the tolerated margin; returns what they would gain from the failures that were cut.
    fn bet(&mut self, cut: &Tick, full: &Tick, seconds: f64, dispersion: f64) -> WithheldEvidence {
        let margin = self.tolerated();
        let tempered = |tick: &Tick, bet: f64| fail_log_e(tick, margin, bet * margin.ratio) / dispersion;
        let log_e = FAIL_BETS.map(|bet| tempered(cut, bet));
        let mut missed = WithheldEvidence::default();
        if cut != full {
            for (at, missed) in missed.plain.iter_mut().enumerate() {
                *missed = (tempered(full, FAIL_BETS[at + 1]) - log_e[at + 1]) as f32;
            }
        }
        self.fail.observe(&FAIL_PRIOR, &log_e, seconds);
        missed
    }

    /// The one bet of a warm-up. Its wealth multiplies with that of the other bets.
    fn bet_on_gross_fault(&mut self, cut: &Tick, full: &Tick, dispersion: f64) -> WithheldEvidence {
        let tolerated = self.tolerated();
        let margin = Margin::new(
            tolerated.ratio.max(WARMUP.ratio),
            tolerated.absolute.max(WARMUP.absolute),
        );
        let tempered = |tick: &Tick| fail_log_e(tick, margin, GROSS_BET * margin.ratio) / dispersion;
        let log_e = tempered(cut);
        self.raise_gross(log_e);
        WithheldEvidence {
            gross: (tempered(full) - log_e) as f32,
            ..WithheldEvidence::default()
        }
    }

    fn raise_gross(&mut self, log_e: f64) {
        let before = at_stake(WARMUP_STAKE, f64::from(self.gross));
        self.gross = (f64::from(self.gross) + log_e) as f32;
        self.fail
            .multiply(at_stake(WARMUP_STAKE, f64::from(self.gross)) - before);
    }

    /// Of so many seconds, those over which wealth is dealt anew: none while evidence is withheld, which must be added to the
    /// very bets that missed it.
    pub(super) fn dealt(&self, seconds: f64) -> f64 {
        if self.withheld == WithheldEvidence::default() {
            seconds
        } else {
            0.0
        }
    }

    /// Keeps the account of what was cut while every tick is `beyond` the limit.
    pub(super) fn withhold(&mut self, beyond: bool, seconds: f64, missed: WithheldEvidence) {
        if !beyond {
            self.withheld = WithheldEvidence::default();
            return;
        }
        let withheld = &mut self.withheld;
        withheld.seconds += seconds as f32;
        for (sum, part) in withheld.plain.iter_mut().zip(missed.plain) {
            *sum += part;
        }
        withheld.gross += missed.gross;
    }

    /// Once every tick has been beyond the limit for longer than any burst, all that was cut counts after all; returns what
    /// that gained. Not where bursts are known: there they may follow each other.
    fn collect(&mut self) -> f64 {
        if self.withheld.seconds <= self.guard.outlasted() || self.past().lasting_bursts() {
            return 0.0;
        }
        let before = self.fail.evidence();
        self.fail = self.with_withheld();
        self.gross += std::mem::take(&mut self.withheld).gross;
        self.fail.evidence() - before
    }

    /// The evidence against the candidate with what is withheld.
    fn with_withheld(&self) -> Process<5> {
        let mut plain = [0.0; FAIL_BETS.len()];
        for (to, from) in plain[1..].iter_mut().zip(self.withheld.plain) {
            *to = f64::from(from);
        }
        let mut all = self.fail;
        all.observe(&FAIL_PRIOR, &plain, 0.0);
        let gross = |nats: f32| at_stake(WARMUP_STAKE, f64::from(nats));
        all.multiply(gross(self.gross + self.withheld.gross) - gross(self.gross));
        all
    }

    /// How much speaks against the candidate if the trouble that is going on is no burst: while that is open, nothing passes.
    pub(super) fn at_worst(&self) -> f64 {
        let now = self.fail.evidence();
        if self.withheld == WithheldEvidence::default() {
            now
        } else {
            now.max(self.with_withheld().evidence())
        }
    }
}

//! A candidate without a baseline beside it: at full traffic, or where the old version gets no requests.
//!
//! Nothing tells a shared fault from its own there, so it is compared with what the service has been, and only
//! something far worse counts: the null is a rate of at most three times the past's and half a point. The evidence is a
//! mixture of Poisson likelihood ratios against the edge of that null. For independent requests of any rates within it
//! each has expectation at most 1, for `E[a^x] <= exp(n p (a - 1))`, so it may be looked at after every scrape. What a
//! burst may do is bounded as for a comparison.
//!
//! Where it follows a comparison it bets what that has left of its wealth: both together are one wager on other
//! requests, so the bound on false rollbacks is that of the whole release.
//!
//! It can only fail: nothing here ever proves a candidate good.

use super::assessment::{Evidenced, Verdict};
use super::background::Background;
use super::counts::{Counts, Tick};
use super::evidence::guard::{CANDIDATE, Guard};
use super::evidence::waiting::Patience;
use super::history::burst_limit;
use super::process::Process;
use super::settings::{Margin, Settings};

/// Up to here a candidate alone is not rolled back: three times the past's rate and half a point.
pub const ALONE: Margin = Margin::new(3.0, 0.005);
/// The same while a step warms up: cold caches are not a regression.
pub(super) const WARMUP: Margin = Margin::new(3.0, 0.02);
/// Bets: multiples of the rate on that line. The first entry stands for cash.
const BETS: [f64; 4] = [1.0, 1.7, 4.0, 20.0];
const PRIOR: [f64; 4] = [0.25, 0.35, 0.25, 0.15];
/// At least this much of the evidence is set aside where nothing reliable is known of the past, in nats. A regression has it
/// to spare within a few scrapes; a coincidence of a few failures, one in some thousand good releases, has not.
pub(super) const SET_ASIDE: f64 = 3.5;

/// The evidence against a candidate that is compared with its service's past.
#[derive(Clone, Debug, PartialEq)]
pub struct Alone {
    pub(super) past: Background,
    limit: f64,
    needed: f64,
    pub(super) process: Process<4>,
    pub(super) guard: Guard,
    /// Log e-values that each bet but cash was not given because the failures may be a burst, while every tick has too many.
    pub(super) withheld: [f32; BETS.len() - 1],
    pub(super) failed: bool,
}

impl Alone {
    /// No evidence yet. `None` if nothing is known of the past's rate: then nobody can say what is much. Of the settings
    /// only the probability of a false rollback counts.
    pub fn new(settings: &Settings, past: Background) -> Option<Self> {
        let limit = ALONE.rate(past.rate()?);
        (limit < 1.0).then(|| Self {
            past,
            limit,
            needed: settings.needed_to_fail(),
            process: Process::new(PRIOR),
            guard: Guard::default(),
            withheld: [0.0; BETS.len() - 1],
            failed: false,
        })
    }

    /// The same, betting what a comparison before it has left: the log of its wealth.
    #[must_use]
    pub const fn with_stake(mut self, log_wealth: f64) -> Self {
        self.process.log_wealth = log_wealth;
        self
    }

    /// The rate up to which the candidate is not rolled back, 0..1.
    pub const fn limit(&self) -> f64 {
        self.limit
    }

    /// The past's rate that this limit was made from, 0..1.
    pub fn usual(&self) -> f64 {
        self.past.rate().unwrap_or_default()
    }

    /// Takes the candidate's increments over so many seconds; `warming`: while it warms up, when a little more is let
    /// through. Ignored after a fail.
    pub fn observe(&mut self, candidate: Counts, seconds: f64, warming: bool) {
        if self.failed {
            return;
        }
        let seconds = if seconds.is_finite() {
            seconds.max(0.0)
        } else {
            0.0
        };
        let tick = Tick {
            warming,
            ..Tick::new(candidate.clipped(), Counts::default(), seconds)
        };
        if let Some(tick) = self.guard.gather(&tick, &self.past, Patience::default()) {
            self.weigh(&tick);
        }
    }

    fn weigh(&mut self, tick: &Tick) {
        if tick.candidate.requests == 0 {
            self.process.observe(&PRIOR, &[0.0; 4], tick.seconds);
            return;
        }
        let n = tick.candidate.requests as f64;
        self.guard.remember(tick, &self.past);
        let limit = if tick.warming {
            WARMUP.rate(self.usual())
        } else {
            self.limit
        };
        let rate = limit.max(self.guard.lasting_rate(CANDIDATE));
        let bad = tick.candidate.bad;
        let counted = bad.min(burst_limit(n * rate, 1.0));
        let log_e =
            BETS.map(|bet| (counted as f64 * bet.ln() - n * limit * (bet - 1.0)) / self.past.dispersion());
        let gained = self.process.observe(&PRIOR, &log_e, tick.seconds);
        self.guard.gain(gained, 0.0);
        self.failed = self.evidence().reached();
        if bad > burst_limit(n * limit, 1.0) {
            let missed = (bad - counted) as f64 / self.past.dispersion();
            for (sum, bet) in self.withheld.iter_mut().zip(&BETS[1..]) {
                *sum += (missed * bet.ln()) as f32;
            }
        } else {
            self.withheld = Default::default();
        }
    }

    /// The evidence that the candidate is beyond the limit, without what is set aside.
    pub fn evidence(&self) -> Evidenced {
        self.without_the_largest(self.process.evidence())
    }

    fn without_the_largest(&self, evidence: f64) -> Evidenced {
        Evidenced {
            evidence: evidence - f64::from(self.guard.largest).max(SET_ASIDE),
            needed: self.needed,
        }
    }

    /// Whether the candidate would be convicted by what is withheld as a possible burst.
    pub fn is_suspect(&self) -> bool {
        let mut missed = [0.0; BETS.len()];
        for (to, from) in missed[1..].iter_mut().zip(self.withheld) {
            *to = f64::from(from);
        }
        let mut all = self.process;
        all.observe(&PRIOR, &missed, 0.0);
        let withheld = self.withheld.iter().any(|nats| *nats > 0.0);
        withheld && self.without_the_largest(all.evidence()).reached()
    }

    /// Fail, final for the release, or Continue.
    pub const fn verdict(&self) -> Verdict {
        if self.failed {
            Verdict::Fail
        } else {
            Verdict::Continue
        }
    }
}

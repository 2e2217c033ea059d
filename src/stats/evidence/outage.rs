//! Whether the service as a whole is in an outage, and whether the candidate shares it.
//!
//! A single tick of thin traffic tells neither: of three requests none fails by luck while a third of all do. So each arm
//! has an account of the evidence that it is far worse than usual rather than well (Page's cumulative sum). It falls to
//! nothing where that arm is well. What a tick is used for is decided before the candidate's failures in it are seen.

use crate::stats::counts::{Counts, Tick};

/// Units of an account in a nat.
const UNITS: f64 = 32.0;
/// The baseline's account from which on it is in an outage: more than two failures of a few requests.
const BEGUN: u8 = 90;
/// The most that an account holds: seven nats. That of an arm in an outage comes to nothing once in about a thousand ticks.
const MOST: u8 = 224;
/// Whoever is well has this share of the rate of an outage at most. An account stands still at about twice that share, so the
/// candidate shares what hits it more than half as hard.
pub(super) const WELL: f64 = 0.25;

/// What outlasts any burst with more than this share of the rate of an outage is one.
const BURST: f64 = 0.5;

/// By so much the baseline's account must exceed an outage's rate where its usual one is known: it then stands still at about
/// four fifths of that rate, and less is no outage. Where it is not known the thin evidence of few requests must do.
const SURE: f64 = 1.5;

/// What an outage is told by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates {
    /// A rate that is far above normal.
    pub(super) limit: f64,
    /// What is normal is known from the past.
    pub(super) known: bool,
    /// The baseline's in the last ticks.
    pub(super) recent: f64,
    /// The baseline's that has outlasted any burst.
    pub(super) lasting: f64,
}

/// The accounts of a comparison.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::stats) struct Outage {
    pub(in crate::stats) baseline: u8,
    /// One more than its account while an outage lasts, else 0.
    pub(in crate::stats) candidate: u8,
}

impl Outage {
    /// Takes a tick with requests in both arms. Gives whether the candidate was taken to share an outage before this tick.
    pub(super) fn observe(&mut self, tick: &Tick, rates: Rates, dispersion: f64) -> bool {
        let Rates {
            limit,
            known,
            recent,
            lasting,
        } = rates;
        let sick = if known { limit * SURE } else { limit };
        self.baseline = added(self.baseline, tick.baseline, sick, dispersion);
        let begins = self.baseline >= BEGUN && lasting > limit * BURST;
        if self.baseline == 0 || !self.lasts() && !begins {
            self.candidate = 0;
            return false;
        }
        // Until its requests tell, who stands beside a sick baseline is sick of the same.
        let account = self.candidate.checked_sub(1).unwrap_or(MOST);
        self.candidate = 1 + added(account, tick.candidate, limit.max(recent), dispersion);
        account > 0
    }

    /// Whether the baseline is in it.
    const fn lasts(self) -> bool {
        self.candidate > 0
    }

    /// Whether the baseline is in it, or in a burst: it shows nothing of what is usual.
    pub(super) const fn is_unusual(self) -> bool {
        self.lasts() || self.baseline >= BEGUN
    }

    /// Whether both arms are, as far as is known.
    pub(super) const fn is_shared(self) -> bool {
        self.candidate > 1
    }
}

/// An account with what a tick says for the rate of an outage against that of an arm that is well (log likelihood ratio of
/// Poisson counts).
fn added(account: u8, Counts { requests, bad }: Counts, sick: f64, dispersion: f64) -> u8 {
    let nats = bad as f64 * -WELL.ln() - requests as f64 * sick * (1.0 - WELL);
    let units = (nats / dispersion * UNITS).round();
    // However little a tick says, an account must not stand still for ever.
    let units = if nats < 0.0 { units.min(-1.0) } else { units };
    (f64::from(account) + units).clamp(0.0, f64::from(MOST)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests and bad ones.
    type Arm = (u64, u64);

    fn tick(candidate: Arm, baseline: Arm) -> Tick {
        let arm = |(requests, bad)| Counts::new(requests, bad);
        Tick::new(arm(candidate), arm(baseline), 15.0)
    }

    fn rates(recent: f64) -> Rates {
        Rates {
            limit: 0.05,
            known: false,
            recent,
            lasting: recent,
        }
    }

    /// What is said before and after each tick: the candidate shares an outage.
    fn course(ticks: &[(Arm, Arm)]) -> Vec<(bool, bool)> {
        let mut outage = Outage::default();
        let mut see = |(candidate, baseline): &(Arm, Arm)| {
            let before = outage.observe(&tick(*candidate, *baseline), rates(0.3), 1.0);
            (before, outage.is_shared())
        };
        ticks.iter().map(&mut see).collect()
    }

    #[test]
    fn a_few_requests_that_look_well_do_not_end_it() {
        let sick = ((3, 1), (27, 9));
        let lucky = ((3, 0), (27, 8));
        let seen = course(&[((3, 0), (27, 0)), lucky, lucky, sick, lucky, lucky, lucky]);
        assert_eq!(seen[0], (false, false));
        assert!(seen[1..].iter().all(|it| *it == (true, true)), "{seen:?}");
        // Nor does one look at the baseline.
        let seen = course(&[sick, ((3, 1), (27, 0)), lucky]);
        assert_eq!(seen, [(true, true); 3]);
    }

    #[test]
    fn it_is_over_when_the_baseline_is_well_and_not_shared_when_the_candidate_is() {
        let over = ((75, 0), (675, 1));
        let alone = ((75, 0), (675, 200));
        assert_eq!(
            course(&[((75, 20), (675, 200)), over]),
            [(true, true), (false, false)]
        );
        assert_eq!(
            course(&[alone, alone, ((75, 25), (675, 200)), alone]),
            [(true, false), (false, false), (false, true), (true, false)]
        );
    }

    #[test]
    fn half_as_hard_a_blow_is_a_blow_and_a_quarter_is_none() {
        let beside = |bad: u64| {
            *course(&vec![((100, bad), (1_000, 300)); 40])
                .last()
                .expect("ticks")
        };
        assert_eq!([beside(20), beside(8)], [(true, true), (false, false)]);
    }

    #[test]
    fn however_thin_the_traffic_it_comes_to_an_end() {
        let mut outage = Outage::default();
        (0..9).for_each(|_| _ = outage.observe(&tick((1, 1), (9, 9)), rates(0.05), 5.0));
        (0..MOST).for_each(|_| _ = outage.observe(&tick((1, 0), (1, 0)), rates(0.05), 500.0));
        assert_eq!(outage, Outage::default());
    }
}

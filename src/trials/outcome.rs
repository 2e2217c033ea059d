//! Runs releases and sums up how they end.

use super::methods::{Method, Move};
use super::scenario::{Conditions, Scenario};
use super::traffic::Traffic;
use crate::stats::counts::Counts;
use crate::stats::random::Random;

/// How one simulated release ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The last move; `At` if the horizon came first.
    pub end: Move,
    /// Minutes until then.
    pub minutes: f64,
    /// Failed requests that the candidate caused beyond the baseline's, to the horizon.
    pub harm: f64,
}

/// One release of `scenario` under `method`; the seed fixes everything.
pub fn run(scenario: Scenario, conditions: Conditions, method: &mut dyn Method, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let mut own = Random::new(seed ^ 0xA5A5_5A5A_0F0F_F0F0);
    let mut traffic = Traffic::new(scenario, conditions, &mut random);
    let off = conditions.weight_error * (2.0 * random.unit() - 1.0);
    let past = traffic.history(&mut random);
    method.learn(if conditions.past > 0.0 { &past } else { &[] });
    let mut weight = method.start();
    let mut end = Move::At(weight);
    let (mut at, mut staged, mut harm, mut ended) = (0.0, 0.0, 0.0, None);
    let mut late: Vec<(Counts, Counts)> = Vec::new();
    let mut unseen = (Counts::default(), Counts::default(), 0.0);
    while at < scenario.horizon_seconds() - 1e-9 {
        let share = match end {
            Move::Promote => 1.0,
            Move::RollBack => break,
            Move::At(_) => ((weight + off) / 100.0).clamp(0.005, 0.995),
        };
        let (mut candidate, baseline, harmed) = traffic.tick(at, staged, share, &mut random);
        harm += harmed;
        at += conditions.scrape;
        staged += conditions.scrape;
        if end == Move::Promote {
            if scenario.good() {
                break;
            }
            continue;
        }
        if conditions.resets > 0.0 && random.chance(conditions.resets) {
            candidate = Counts::default();
        }
        late.push((candidate, baseline));
        if late.len() <= conditions.late {
            continue;
        }
        let (candidate, baseline) = late.remove(0);
        unseen = (
            unseen.0.plus(candidate),
            unseen.1.plus(baseline),
            unseen.2 + conditions.scrape,
        );
        if conditions.missing > 0.0 && random.chance(conditions.missing) {
            continue;
        }
        end = method.scrape(unseen.0, unseen.1, unseen.2, &mut own);
        unseen = (Counts::default(), Counts::default(), 0.0);
        match end {
            Move::At(new) if (new - weight).abs() > 1e-9 => {
                weight = new;
                staged = 0.0;
            }
            Move::At(_) => {}
            Move::Promote | Move::RollBack => ended = Some(at / 60.0),
        }
    }
    Outcome {
        end,
        minutes: ended.unwrap_or(at / 60.0),
        harm,
    }
}

/// How many releases of one scenario ended.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    /// Releases in all.
    pub runs: u64,
    /// Promoted, per cent.
    pub promoted: f64,
    /// Rolled back, per cent.
    pub rolled_back: f64,
    /// Undecided at the horizon, per cent.
    pub held: f64,
    /// Median minutes to promotion; not a number without any.
    pub minutes_to_promotion: f64,
    /// Median minutes to rollback; not a number without any.
    pub minutes_to_rollback: f64,
    /// Mean harm in failed requests.
    pub harm: f64,
}

/// Sums up outcomes.
pub fn summarize(outcomes: &[Outcome]) -> Summary {
    let n = outcomes.len().max(1) as f64;
    let share = |test: fn(&Move) -> bool| 100.0 * outcomes.iter().filter(|o| test(&o.end)).count() as f64 / n;
    let median = |test: fn(&Move) -> bool| {
        let mut minutes: Vec<f64> = outcomes
            .iter()
            .filter(|o| test(&o.end))
            .map(|o| o.minutes)
            .collect();
        minutes.sort_by(f64::total_cmp);
        minutes.get(minutes.len() / 2).copied().unwrap_or(f64::NAN)
    };
    Summary {
        runs: outcomes.len() as u64,
        promoted: share(|m| *m == Move::Promote),
        rolled_back: share(|m| *m == Move::RollBack),
        held: share(|m| matches!(m, Move::At(_))),
        minutes_to_promotion: median(|m| *m == Move::Promote),
        minutes_to_rollback: median(|m| *m == Move::RollBack),
        harm: outcomes.iter().map(|o| o.harm).sum::<f64>() / n,
    }
}

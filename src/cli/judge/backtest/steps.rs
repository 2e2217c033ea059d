//! When a past release's weight grew, read off its own counts.
//!
//! The share of the requests is compared with the weights of the Rollout's ladder. Evidence for a higher weight is added
//! up evaluation by evaluation (a cumulative sum that never falls below 0, as Page has it), so that neither one odd
//! scrape nor thin traffic takes a step for another.

use crate::engine::Moment;

/// Evidence in nats that the weight has changed.
const SURE: f64 = 6.0;
/// Weights are never taken to be nearer than this to nothing or everything.
const EDGE: f64 = 0.002;

/// The requests of both sides at an evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shares {
    pub(super) at: Moment,
    pub(super) candidate: u64,
    pub(super) baseline: u64,
}

/// A step of the ladder, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) from: Moment,
    /// Its place in the ladder.
    pub(super) rung: usize,
}

/// The course of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Course {
    /// In order; empty if the candidate never had a request.
    pub(super) steps: Vec<Step>,
    /// When the candidate's share fell again for good; `None` if it did not.
    pub(super) until: Option<Moment>,
}

/// Reads the course off the shares. `weights` (per cent) are the ladder's, rising. `told`: when the second step began,
/// and so on, where somebody knows.
pub(super) fn course(shares: &[Shares], weights: &[f64], told: &[Moment]) -> Course {
    let Some(begun) = shares.iter().position(|it| it.candidate > 0) else {
        return Course::default();
    };
    // What an evaluation counts has happened since the one before it.
    let start = shares[begun.saturating_sub(1)].at;
    let mut steps = vec![Step { from: start, rung: 0 }];
    let higher = told.iter().enumerate();
    steps.extend(higher.map(|(index, from)| Step {
        from: *from,
        rung: index + 1,
    }));
    let mut sums = vec![(0.0, start); weights.len()];
    let mut fallen = (0.0, start);
    let mut before = start;
    for it in &shares[begun..] {
        let rung = match told {
            [] => steps.last().map_or(0, |step| step.rung),
            told => told.iter().filter(|from| **from < it.at).count(),
        };
        let log_e = |weight: f64| gain(it, weight, weights[rung]);
        add(&mut fallen, log_e(weights[rung] / 3.0), before);
        if fallen.0 >= SURE {
            return Course {
                steps,
                until: Some(fallen.1),
            };
        }
        for (sum, weight) in sums.iter_mut().zip(weights).skip(rung + 1) {
            add(sum, log_e(*weight), before);
        }
        before = it.at;
        let best = (rung + 1..weights.len()).max_by(|a, b| sums[*a].0.total_cmp(&sums[*b].0));
        if let Some(best) = best.filter(|best| told.is_empty() && sums[*best].0 >= SURE) {
            steps.push(Step {
                from: sums[best].1,
                rung: best,
            });
            sums.fill((0.0, it.at));
            fallen = (0.0, it.at);
        }
    }
    Course { steps, until: None }
}

/// Adds evidence to a sum that never falls below 0, and remembers when it last left 0.
fn add(sum: &mut (f64, Moment), log_e: f64, before: Moment) {
    if sum.0 <= 0.0 {
        *sum = (0.0, before);
    }
    sum.0 += log_e;
}

/// How much more likely the shares are at one weight than at another, in nats.
fn gain(it: &Shares, weight: f64, than: f64) -> f64 {
    let share = |weight: f64| (weight / 100.0).clamp(EDGE, 1.0 - EDGE);
    let (new, old) = (share(weight), share(than));
    let (candidate, baseline) = (it.candidate as f64, it.baseline as f64);
    candidate * (new / old).ln() + baseline * ((1.0 - new) / (1.0 - old)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::Random;

    const LADDER: [f64; 4] = [10.0, 25.0, 80.0, 95.0];

    fn at(seconds: i64) -> Moment {
        Moment::from_second(1_790_942_400 + seconds).unwrap()
    }

    /// `pace` requests a second at these weights, each for so many evaluations of 15 s.
    fn played(pace: f64, weights: &[(f64, u32)], seed: u64) -> Vec<Shares> {
        let mut random = Random::new(seed);
        let mut all = Vec::new();
        for (weight, times) in weights {
            for _ in 0..*times {
                let n = random.poisson(pace * 15.0);
                let candidate = random.binomial(n, weight / 100.0);
                all.push(Shares {
                    at: at(15 * (all.len() as i64 + 1)),
                    candidate,
                    baseline: n - candidate,
                });
            }
        }
        all
    }

    #[test]
    fn steps_are_read_off_the_shares() {
        let weights = [
            (0.0, 8),
            (10.0, 10),
            (25.0, 10),
            (80.0, 10),
            (95.0, 10),
            (0.0, 10),
        ];
        for seed in 0..50 {
            let course = course(&played(50.0, &weights, seed), &LADDER, &[]);
            let rungs: Vec<usize> = course.steps.iter().map(|step| step.rung).collect();
            assert_eq!(rungs, [0, 1, 2, 3], "{seed}");
            let from: Vec<i64> = course
                .steps
                .iter()
                .map(|step| step.from.duration_since(at(0)).as_secs())
                .collect();
            assert_eq!(from, [120, 270, 420, 570], "{seed}");
            assert_eq!(course.until, Some(at(720)), "{seed}");
        }
    }

    #[test]
    fn thin_traffic_takes_no_step_for_another() {
        let mut wrong = 0;
        for seed in 0..200 {
            let course = course(&played(1.0, &[(10.0, 240)], seed), &LADDER, &[]);
            wrong += u32::from(course.steps.len() != 1 || course.until.is_some());
        }
        assert!(wrong <= 8, "{wrong}");
    }

    #[test]
    fn another_ladder_is_matched_to_the_nearest_weights() {
        let weights = [
            (5.0, 10),
            (10.0, 10),
            (20.0, 10),
            (30.0, 10),
            (50.0, 10),
            (100.0, 10),
        ];
        let course = course(&played(50.0, &weights, 1), &LADDER, &[]);
        let rungs: Vec<usize> = course.steps.iter().map(|step| step.rung).collect();
        assert_eq!(rungs, [0, 1, 2, 3]);
        assert_eq!(course.until, None);
    }

    #[test]
    fn what_is_told_goes_before_what_is_seen() {
        let told = [at(300), at(450)];
        let course = course(&played(50.0, &[(10.0, 60)], 1), &LADDER, &told);
        let rungs: Vec<(usize, Moment)> = course.steps.iter().map(|step| (step.rung, step.from)).collect();
        assert_eq!(rungs, [(0, at(15)), (1, at(300)), (2, at(450))]);
        assert_eq!(super::course(&[], &LADDER, &[]), Course::default());
    }
}

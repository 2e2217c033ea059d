//! When a past release's weight grew, read off its own counts.
//!
//! The share of the requests is compared with the weights of the Rollout's ladder. Evidence for a higher weight is added
//! up evaluation by evaluation (a cumulative sum that never falls below 0, as Page has it), so that neither one odd
//! scrape nor thin traffic takes a step for another.

use crate::engine::Moment;

/// Evidence in nats that the weight has changed.
const SURE: f64 = 12.0;
/// The weight, in per cent, of a candidate whose release is over. Far below the first step of any controller.
const OVER: f64 = 0.3;
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
    let mut sums = vec![Sum::at(start); weights.len()];
    let mut fallen = Sum::at(start);
    let mut before = start;
    for it in &shares[begun..] {
        let rung = match told {
            [] => steps.last().map_or(0, |step| step.rung),
            told => told.iter().filter(|from| **from < it.at).count(),
        };
        let log_e = |weight: f64| gain(it, weight, weights[rung]);
        fallen.add(log_e(OVER), before);
        for (sum, weight) in sums.iter_mut().zip(weights).skip(rung + 1) {
            sum.add(log_e(*weight), before);
        }
        before = it.at;
        if !told.is_empty() {
            continue;
        }
        if fallen.is_sure() {
            return Course {
                steps,
                until: Some(fallen.from),
            };
        }
        let best = (rung + 1..weights.len()).max_by(|a, b| sums[*a].height.total_cmp(&sums[*b].height));
        if let Some(best) = best.filter(|best| sums[*best].is_sure()) {
            steps.push(Step {
                from: sums[best].from,
                rung: best,
            });
            sums.fill(Sum::at(it.at));
            fallen = Sum::at(it.at);
        }
    }
    Course { steps, until: None }
}

/// Evidence for another weight that never falls below 0.
#[derive(Clone, Copy, Debug)]
struct Sum {
    height: f64,
    /// Since when it is above 0, and for how many evaluations.
    from: Moment,
    evaluations: u32,
    /// What the last evaluation added.
    last: f64,
}

impl Sum {
    const fn at(from: Moment) -> Self {
        Self {
            height: 0.0,
            from,
            evaluations: 0,
            last: 0.0,
        }
    }

    fn add(&mut self, log_e: f64, before: Moment) {
        if self.height <= 0.0 {
            *self = Self::at(before);
        }
        self.height += log_e;
        self.evaluations += 1;
        self.last = log_e;
    }

    /// An evaluation that straddles a change has a share that is neither the old nor the new one; a second one knows.
    fn is_sure(&self) -> bool {
        self.height >= SURE && self.evaluations >= 2 && self.last > 0.0
    }
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
                let seconds = 15 * (i64::try_from(all.len()).unwrap() + 1);
                let n = random.poisson(pace * 15.0);
                let candidate = random.binomial(n, weight / 100.0);
                all.push(Shares {
                    at: at(seconds),
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
    fn an_evaluation_that_straddles_a_change_is_no_step() {
        for part in 1..15 {
            let mut shares = played(50.0, &[(0.0, 4), (10.0, 10), (80.0, 10), (0.0, 4)], part);
            for (index, weight) in [(4, 10.0), (14, 80.0)] {
                let it = &mut shares[index];
                let n = it.candidate + it.baseline;
                let old = if index == 4 { 0.0 } else { 10.0 };
                let share = (weight * part as f64 + old * (15 - part) as f64) / 1500.0;
                it.candidate = (n as f64 * share).ceil() as u64;
                it.baseline = n - it.candidate;
            }
            let course = course(&shares, &LADDER, &[]);
            let rungs: Vec<usize> = course.steps.iter().map(|step| step.rung).collect();
            assert_eq!((rungs, course.until), (vec![0, 2], Some(at(360))), "{part}");
        }
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
        assert_eq!(rungs, [0, 1, 3]);
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

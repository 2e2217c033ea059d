//! The requests of one simulated release, drawn no finer than the weights change and the metrics are read.

use super::course::At;
use crate::engine::Weight;
use crate::stats::Counts;
use crate::stats::history::PodCounts;
use crate::stats::random::Random;
use crate::trials::Scenario;
use crate::trials::scenario::Conditions;
use crate::trials::traffic::Traffic;

/// Requests on their way to both versions.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    source: Traffic,
    random: Random,
    /// When the candidate got its first request: the scenario's own time begins here.
    begun: Option<At>,
    /// Everything up to here is counted.
    done: At,
    /// The candidate's share since `turned`.
    weight: Weight,
    turned: At,
    /// The Deployment runs the new version as well: all requests are its own, on either side.
    rolled: bool,
    counts: (Counts, Counts),
    /// Failed requests beyond those that the old version would have had.
    pub(super) harm: f64,
}

impl Flow {
    /// No request to the candidate yet; the past is looked at every `interval` seconds.
    pub(super) fn new(scenario: Scenario, interval: f64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let conditions = Conditions {
            scrape: interval,
            ..Conditions::default()
        };
        Self {
            source: Traffic::new(scenario, conditions, &mut random),
            random,
            begun: None,
            done: 0,
            weight: Weight::NONE,
            turned: 0,
            rolled: false,
            counts: (Counts::default(), Counts::default()),
            harm: 0.0,
        }
    }

    /// From `now` on the candidate has this share; `rolled`: the old version is gone.
    pub(super) fn turn(&mut self, now: At, weight: Weight, rolled: bool) {
        self.run(now);
        if self.begun.is_none() && weight > Weight::NONE {
            self.begun = Some(now);
        }
        if weight != self.weight {
            self.turned = now;
        }
        (self.weight, self.rolled) = (weight, rolled);
    }

    /// Lets the requests up to `until` come.
    pub(super) fn run(&mut self, until: At) {
        let from = self.done;
        self.done = until.max(from);
        let Some(begun) = self.begun else { return };
        if until <= from {
            return;
        }
        let seconds = |from: At, to: At| (to.saturating_sub(from)) as f64 / 1000.0;
        let (at, staged) = (seconds(begun, from), seconds(self.turned, from));
        let weight = if self.rolled {
            1.0
        } else {
            f64::from(self.weight.percent()) / 100.0
        };
        self.source.set_tick(seconds(from, until));
        let (mut candidate, mut baseline, harm) = self.source.tick(at, staged, weight, &mut self.random);
        if self.rolled {
            (candidate, baseline) = self.divided(candidate);
        }
        self.harm += harm;
        self.counts = (self.counts.0.plus(candidate), self.counts.1.plus(baseline));
    }

    /// Requests of one version, divided by the weight whatever becomes of them.
    fn divided(&mut self, all: Counts) -> (Counts, Counts) {
        let share = f64::from(self.weight.percent()) / 100.0;
        let bad = self.random.binomial(all.bad, share);
        let good = self.random.binomial(all.requests - all.bad, share);
        let candidate = Counts::new(good + bad, bad);
        let rest = Counts::new(all.requests - candidate.requests, all.bad - bad);
        (candidate, rest)
    }

    /// The counts of (candidate, baseline) since the last cut.
    pub(super) fn cut(&mut self) -> (Counts, Counts) {
        std::mem::take(&mut self.counts)
    }

    /// An hour of the baseline before the release, look by look, pod by pod.
    pub(super) fn past(&mut self) -> Vec<PodCounts> {
        self.source.history(&mut self.random)
    }

    /// How many of both arms' requests are bad by another metric, in which the versions are alike: each of `shares`
    /// is a part of the requests that were bad by the one before it.
    pub(super) fn alike(
        &mut self,
        (candidate, baseline): (Counts, Counts),
        shares: &[f64],
    ) -> impl Iterator<Item = (Counts, Counts)> {
        let mut bad = (candidate.requests, baseline.requests);
        shares.iter().map(move |share| {
            bad = (
                self.random.binomial(bad.0, *share),
                self.random.binomial(bad.1, *share),
            );
            (
                Counts::new(candidate.requests, bad.0),
                Counts::new(baseline.requests, bad.1),
            )
        })
    }
}

//! The traffic of a scenario, scrape by scrape: arrivals, errors, bursts, outages; and the hour before it.

use crate::stats::counts::Counts;
use crate::stats::history::PodCounts;
use crate::stats::random::Random;
use crate::trials::scenario::{Burst, Conditions, Extra, Scenario, TICK_SECONDS};

/// Pods of the baseline in the history.
const HISTORY_PODS: usize = 8;

/// The traffic of one simulated release.
#[derive(Clone, Debug)]
pub struct Traffic {
    scenario: Scenario,
    conditions: Conditions,
    outage_from: f64,
    burst: Option<(bool, u32)>,
    /// Bursts in continuous time, first the present one: when it began, and whether the candidate has it.
    bursts: Vec<(f64, bool)>,
    /// Factors on the error rates of candidate and baseline that come from their pods.
    pod_factors: (f64, f64),
}

impl Traffic {
    /// Draws what is fixed for one release.
    pub fn new(scenario: Scenario, conditions: Conditions, random: &mut Random) -> Self {
        let outage_from = (2.0 + 58.0 * random.unit()).floor() * TICK_SECONDS;
        let candidate = pod_factor(conditions.pods, conditions.pod_spread, random);
        let baseline = pod_factor(
            if conditions.pods == 0 { 0 } else { 10 },
            conditions.pod_spread,
            random,
        );
        let single = matches!(scenario.extra, Extra::Burst(b) if b.every <= 0.0);
        Self {
            scenario,
            conditions,
            outage_from,
            burst: None,
            bursts: if single {
                vec![(60.0 + 840.0 * random.unit(), true)]
            } else {
                Vec::new()
            },
            pod_factors: (candidate, baseline),
        }
    }

    /// From here on a tick lasts so many `seconds`, above 0: for whoever changes the weight between two scrapes.
    pub const fn set_tick(&mut self, seconds: f64) {
        self.conditions.scrape = seconds;
    }

    /// Error rates of (candidate, baseline) at a time, without what both share; `staged` seconds after the last
    /// change of weight.
    fn rates(&self, at: f64, staged: f64, weight: f64) -> (f64, f64) {
        let (s, tick) = (&self.scenario, at / TICK_SECONDS);
        let both = |factor: f64| (s.candidate * factor, s.baseline * factor);
        match s.extra {
            Extra::ColdStart if staged < 4.0 * TICK_SECONDS => (
                s.candidate + 0.01 * (-staged / TICK_SECONDS / 1.5).exp(),
                s.baseline,
            ),
            Extra::Drift => {
                let p = s.baseline * 10_f64.powf((tick / 120.0).min(1.0));
                (p, p)
            }
            Extra::Tipping if weight >= 0.5 => (0.10, s.baseline),
            Extra::Leak if tick >= 40.0 => ((s.candidate + 0.005 / 4.0 * (tick - 39.0)).min(1.0), s.baseline),
            Extra::Late(from, rate) if tick >= f64::from(from) => (rate, s.baseline),
            Extra::From(least, rate) if weight >= least => (rate, s.baseline),
            Extra::OnAndOff(rate) if ((at / 60.0) as u64).is_multiple_of(2) => (rate, s.baseline),
            Extra::Spikes if spike(at) => both(2.0),
            Extra::Falling => both(0.1_f64.powf((at / 1800.0).min(1.0))),
            Extra::Waves => both(3_f64.powf((at / 300.0 * std::f64::consts::TAU).sin())),
            Extra::SlowStart(peak, seconds) => (s.candidate + peak * (-staged / seconds).exp(), s.baseline),
            Extra::None
            | Extra::Bursts(_)
            | Extra::Outage
            | Extra::ColdStart
            | Extra::Clumps
            | Extra::Tipping
            | Extra::Leak
            | Extra::Late(..)
            | Extra::From(..)
            | Extra::OnAndOff(_)
            | Extra::Spikes
            | Extra::Burst(_)
            | Extra::ClumpsOf(..) => both(1.0),
        }
    }

    /// Requests a second at a time.
    fn pace(&self, at: f64) -> f64 {
        let factor = if self.scenario.extra == Extra::Drift {
            0.5 + 1.5 * at / self.scenario.horizon_seconds()
        } else if self.scenario.extra == Extra::Spikes && spike(at) {
            3.0
        } else {
            1.0
        };
        self.scenario.pace * factor
    }

    /// One scrape from `at` on at a true `weight` (0..=1): counts of both arms and the expected excess of failed
    /// requests that the candidate caused.
    pub fn tick(&mut self, at: f64, staged: f64, weight: f64, random: &mut Random) -> (Counts, Counts, f64) {
        let seconds = self.conditions.scrape;
        let (mut pc, mut pb) = self.rates(at, staged, weight);
        if self.scenario.extra == Extra::Outage && (0.0..300.0).contains(&(at - self.outage_from)) {
            (pc, pb) = (1.0 - (1.0 - pc) * 0.8, 1.0 - (1.0 - pb) * 0.8);
        }
        let all = random.poisson(self.pace(at) * seconds);
        let candidate = random.binomial(all, weight);
        let harm = candidate as f64 * (pc - pb).max(0.0);
        let (fc, fb) = self.pod_factors;
        let mut bad = (
            random.binomial(candidate, (pc * fc).min(1.0)),
            random.binomial(all - candidate, (pb * fb).min(1.0)),
        );
        let mut requests = (candidate, all - candidate);
        let (drags_b, drags_c) = self.drags();
        if drags_b + drags_c > 0.0 {
            bad = (
                bad.0 + clumps(bad.0, drags_c, random),
                bad.1 + clumps(bad.1, drags_b, random),
            );
        }
        if let Extra::Bursts(ticks) = self.scenario.extra {
            self.burst(ticks, weight, &mut bad, random);
        }
        if let Extra::Burst(burst) = self.scenario.extra {
            self.continuous(burst, at, weight, &mut bad, random);
        }
        if self.conditions.retries {
            let again = (
                random.binomial(bad.0.min(requests.0), pc),
                random.binomial(bad.1.min(requests.1), pb),
            );
            requests = (requests.0 + bad.0, requests.1 + bad.1);
            bad = (bad.0 + again.0, bad.1 + again.1);
        }
        (
            Counts::new(requests.0, bad.0),
            Counts::new(requests.1, bad.1),
            harm,
        )
    }

    /// Failed requests that one drags along on average: in the baseline and in the candidate.
    fn drags(&self) -> (f64, f64) {
        if let Extra::ClumpsOf(baseline, candidate) = self.scenario.extra {
            (baseline, candidate)
        } else if self.scenario.extra == Extra::Clumps {
            (2.0, 2.0)
        } else {
            (0.0, 0.0)
        }
    }

    fn burst(&mut self, ticks: u32, weight: f64, bad: &mut (u64, u64), random: &mut Random) {
        let scrape_in_ticks = self.conditions.scrape / TICK_SECONDS;
        if self.burst.is_none() && random.chance(scrape_in_ticks / 40.0) {
            let scrapes = (f64::from(ticks) / scrape_in_ticks).round().max(1.0) as u32;
            self.burst = Some((random.chance(weight), scrapes));
        }
        if let Some((on_candidate, left)) = self.burst {
            let size = 1 + random.geometric(30.0 * if ticks > 1 { scrape_in_ticks } else { 1.0 });
            if on_candidate {
                bad.0 += size;
            } else {
                bad.1 += size;
            }
            let lasts = if ticks > 1 { left } else { 1 };
            self.burst = (lasts > 1).then_some((on_candidate, lasts - 1));
        }
    }

    /// What bursts in continuous time add to the scrape that begins at `at`.
    fn continuous(&mut self, burst: Burst, at: f64, weight: f64, bad: &mut (u64, u64), random: &mut Random) {
        let end = at + self.conditions.scrape;
        if burst.every > 0.0 && random.chance(self.conditions.scrape / burst.every) {
            let begins = at + self.conditions.scrape * random.unit();
            self.bursts.push((begins, random.chance(weight)));
        }
        for (begins, on_candidate) in &self.bursts {
            let size = random.poisson(burst.size * overlap(burst, *begins, at, end));
            if *on_candidate {
                bad.0 += size;
            } else {
                bad.1 += size;
            }
        }
        self.bursts.retain(|(begins, _)| begins + burst.seconds > end);
    }

    /// One hour of the baseline before the release, pod by pod, in scrapes.
    pub fn history(&self, random: &mut Random) -> Vec<PodCounts> {
        let ticks = (3600.0 / self.conditions.scrape) as usize;
        let spread = self.conditions.pod_spread;
        let factors: Vec<f64> = (0..HISTORY_PODS)
            .map(|_| self.conditions.past * pod_factor(usize::from(spread > 0.0), spread, random))
            .collect();
        let per_pod = self.scenario.pace * self.conditions.scrape / HISTORY_PODS as f64;
        let drags = self.drags().0;
        let mut burst: Option<(usize, u32)> = None;
        let mut bursts: Vec<(f64, usize)> = Vec::new();
        let mut past = Vec::with_capacity(ticks);
        for tick in 0..ticks {
            let mut pods: PodCounts = factors
                .iter()
                .map(|f| {
                    let n = random.poisson(per_pod);
                    let mut bad = random.binomial(n, (self.scenario.baseline * f).min(1.0));
                    if drags > 0.0 {
                        bad += clumps(bad, drags, random);
                    }
                    Counts::new(n, bad)
                })
                .collect();
            if let Extra::Bursts(length) = self.scenario.extra {
                self.past_burst(length, &mut burst, &mut pods, random);
            }
            if let Extra::Burst(kind) = self.scenario.extra
                && kind.every > 0.0
            {
                self.past_continuous(kind, tick, &mut bursts, &mut pods, random);
            }
            past.push(pods);
        }
        past
    }

    fn past_burst(
        &self,
        length: u32,
        burst: &mut Option<(usize, u32)>,
        pods: &mut PodCounts,
        random: &mut Random,
    ) {
        let scrapes = self.conditions.scrape / TICK_SECONDS;
        if burst.is_none() && random.chance(scrapes / 40.0) {
            *burst = Some((
                random.below(HISTORY_PODS),
                (f64::from(length) / scrapes).round().max(1.0) as u32,
            ));
        }
        if let Some((pod, left)) = *burst {
            let size = 1 + random.geometric(30.0 * if length > 1 { scrapes } else { 1.0 });
            pods[pod] = Counts::new(pods[pod].requests, pods[pod].bad + size);
            let lasts = if length > 1 { left } else { 1 };
            *burst = (lasts > 1).then_some((pod, lasts - 1));
        }
    }

    fn past_continuous(
        &self,
        kind: Burst,
        tick: usize,
        bursts: &mut Vec<(f64, usize)>,
        pods: &mut PodCounts,
        random: &mut Random,
    ) {
        let scrape = self.conditions.scrape;
        let (at, end) = (tick as f64 * scrape, (tick + 1) as f64 * scrape);
        if random.chance(scrape / kind.every) {
            bursts.push((at + scrape * random.unit(), random.below(HISTORY_PODS)));
        }
        for (begins, pod) in bursts.iter() {
            let size = random.poisson(kind.size * overlap(kind, *begins, at, end));
            pods[*pod] = Counts::new(pods[*pod].requests, pods[*pod].bad + size);
        }
        bursts.retain(|(begins, _)| begins + kind.seconds > end);
    }
}

/// Whether a spike of traffic is on.
fn spike(at: f64) -> bool {
    at % 900.0 >= 600.0
}

/// The share of a burst that lies between two times.
fn overlap(burst: Burst, begins: f64, from: f64, to: f64) -> f64 {
    ((begins + burst.seconds).min(to) - begins.max(from)).max(0.0) / burst.seconds
}

/// What failed requests drag along, `mean` each.
fn clumps(bad: u64, mean: f64, random: &mut Random) -> u64 {
    (0..bad).map(|_| random.geometric(mean)).sum()
}

/// The mean factor of `pods` pods whose log rates spread around the version's own.
fn pod_factor(pods: usize, spread: f64, random: &mut Random) -> f64 {
    if pods == 0 || spread <= 0.0 {
        return 1.0;
    }
    let one = |r: &mut Random| (spread * r.normal() - spread * spread / 2.0).exp();
    (0..pods).map(|_| one(random)).sum::<f64>() / pods as f64
}

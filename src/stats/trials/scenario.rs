//! The traffic of the scenarios: arrivals, errors, bursts, outages.

use crate::stats::counts::Counts;
use crate::stats::history::PodCounts;
use crate::stats::random::Random;

/// Length of a scenario's own tick in seconds; scrapes may be shorter or longer.
pub const TICK_SECONDS: f64 = 15.0;
/// Pods of the baseline in the history.
const HISTORY_PODS: usize = 8;

/// Something that befalls the traffic beyond plain errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    None,
    /// Bursts of about 31 failed requests that hit one arm, for this many ticks.
    Bursts(u32),
    /// An outage that both arms share: a fifth of all requests for 20 ticks.
    Outage,
    /// Cold caches after each change of weight.
    ColdStart,
    /// Traffic and the error rate of both arms rise during the release.
    Drift,
    /// Each failed request drags two more on average.
    Clumps,
    /// The candidate fails from half of the traffic on.
    Tipping,
    /// The candidate's error rate rises from tick 40 on.
    Leak,
}

/// One line of the matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Short name; `G` must be promoted, `B` must not.
    pub name: &'static str,
    /// Requests a second in all.
    pub pace: f64,
    /// Error rate of the baseline.
    pub baseline: f64,
    /// Error rate of the candidate.
    pub candidate: f64,
    /// What else happens.
    pub extra: Extra,
}

const fn row(name: &'static str, pace: f64, baseline: f64, candidate: f64, extra: Extra) -> Scenario {
    Scenario {
        name,
        pace,
        baseline,
        candidate,
        extra,
    }
}

/// The matrix, good candidates first.
pub const MATRIX: [Scenario; 28] = [
    row("G1", 50.0, 0.001, 0.001, Extra::None),
    row("G2", 500.0, 0.001, 0.001, Extra::None),
    row("G3", 50.0, 0.01, 0.01, Extra::None),
    row("G4", 50.0, 0.02, 0.02, Extra::None),
    row("G5", 50.0, 1e-5, 1e-5, Extra::None),
    row("G6", 2.0, 0.002, 0.002, Extra::None),
    row("G7", 50.0, 0.001, 0.001, Extra::Bursts(1)),
    row("G8", 50.0, 0.001, 0.001, Extra::Outage),
    row("G9", 50.0, 0.001, 0.001, Extra::ColdStart),
    row("G10", 50.0, 0.002, 0.002, Extra::Drift),
    row("G11", 20.0, 0.008, 0.008, Extra::None),
    row("G12", 50.0, 0.001, 0.001, Extra::Bursts(4)),
    row("G13", 50.0, 0.001, 0.001, Extra::Clumps),
    row("G14", 500.0, 0.001, 0.001, Extra::Clumps),
    row("B1", 50.0, 0.001, 0.005, Extra::None),
    row("B2", 50.0, 0.001, 0.02, Extra::None),
    row("B3", 50.0, 0.001, 0.30, Extra::None),
    row("B4", 50.0, 0.01, 0.02, Extra::None),
    row("B5", 50.0, 0.02, 0.04, Extra::None),
    row("B6", 2.0, 0.002, 0.05, Extra::None),
    row("B7", 2.0, 0.002, 0.50, Extra::None),
    row("B8", 50.0, 0.001, 0.001, Extra::Tipping),
    row("B9", 50.0, 0.001, 0.001, Extra::Leak),
    row("B10", 50.0, 0.001, 0.01, Extra::Bursts(1)),
    row("B11", 50.0, 0.001, 0.01, Extra::Outage),
    row("B12", 500.0, 0.001, 0.003, Extra::None),
    row("B13", 50.0, 0.001, 0.01, Extra::Clumps),
    row("B14", 2.0, 0.002, 0.01, Extra::None),
];

impl Scenario {
    /// Whether promotion is the right end.
    pub fn good(&self) -> bool {
        self.name.starts_with('G')
    }

    /// Length of the simulation in seconds: two hours, four where the traffic is thin.
    pub fn horizon_seconds(&self) -> f64 {
        TICK_SECONDS * if self.pace <= 2.0 { 960.0 } else { 480.0 }
    }
}

/// How the release is observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Seconds between scrapes.
    pub scrape: f64,
    /// Share of scrapes that are missing; what they would have shown comes with the next.
    pub missing: f64,
    /// Scrapes by which data are late.
    pub late: usize,
    /// Percentage points by which the weight may be off, drawn once a release.
    pub weight_error: f64,
    /// Candidate pods; 0 means so many that they do not matter.
    pub pods: usize,
    /// Standard deviation of the log error rate between pods.
    pub pod_spread: f64,
    /// Share of scrapes after which one candidate pod restarts and its counts since the last scrape are lost.
    pub resets: f64,
    /// Whether each failed request is tried once more.
    pub retries: bool,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            scrape: TICK_SECONDS,
            missing: 0.0,
            late: 0,
            weight_error: 0.0,
            pods: 0,
            pod_spread: 0.0,
            resets: 0.0,
            retries: false,
        }
    }
}

/// The traffic of one simulated release.
#[derive(Clone, Debug)]
pub struct Traffic {
    scenario: Scenario,
    conditions: Conditions,
    outage_from: f64,
    burst: Option<(bool, u32)>,
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
        Self {
            scenario,
            conditions,
            outage_from,
            burst: None,
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
            Extra::None
            | Extra::Bursts(_)
            | Extra::Outage
            | Extra::ColdStart
            | Extra::Clumps
            | Extra::Tipping
            | Extra::Leak => (s.candidate, s.baseline),
        }
    }

    /// One scrape from `at` on at a true `weight` (0..=1): counts of both arms and the expected excess of failed
    /// requests that the candidate caused.
    pub fn tick(&mut self, at: f64, staged: f64, weight: f64, random: &mut Random) -> (Counts, Counts, f64) {
        let seconds = self.conditions.scrape;
        let (mut pc, mut pb) = self.rates(at, staged, weight);
        let mut pace = self.scenario.pace;
        if self.scenario.extra == Extra::Drift {
            pace *= 0.5 + 1.5 * at / self.scenario.horizon_seconds();
        }
        if self.scenario.extra == Extra::Outage && (0.0..300.0).contains(&(at - self.outage_from)) {
            (pc, pb) = (1.0 - (1.0 - pc) * 0.8, 1.0 - (1.0 - pb) * 0.8);
        }
        let all = random.poisson(pace * seconds);
        let candidate = random.binomial(all, weight);
        let harm = candidate as f64 * (pc - pb).max(0.0);
        let (fc, fb) = self.pod_factors;
        let mut bad = (
            random.binomial(candidate, (pc * fc).min(1.0)),
            random.binomial(all - candidate, (pb * fb).min(1.0)),
        );
        let mut requests = (candidate, all - candidate);
        if self.scenario.extra == Extra::Clumps {
            bad = (bad.0 + clumps(bad.0, random), bad.1 + clumps(bad.1, random));
        }
        if let Extra::Bursts(ticks) = self.scenario.extra {
            self.burst(ticks, weight, &mut bad, random);
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

    /// One hour of the baseline before the release, pod by pod, in scrapes.
    pub fn history(&self, random: &mut Random) -> Vec<PodCounts> {
        let ticks = (3600.0 / self.conditions.scrape) as usize;
        let spread = self.conditions.pod_spread;
        let factors: Vec<f64> = (0..HISTORY_PODS)
            .map(|_| pod_factor(usize::from(spread > 0.0), spread, random))
            .collect();
        let per_pod = self.scenario.pace * self.conditions.scrape / HISTORY_PODS as f64;
        let mut burst: Option<(usize, u32)> = None;
        let mut past = Vec::with_capacity(ticks);
        for _ in 0..ticks {
            let mut pods: PodCounts = factors
                .iter()
                .map(|f| {
                    let n = random.poisson(per_pod);
                    let mut bad = random.binomial(n, (self.scenario.baseline * f).min(1.0));
                    if self.scenario.extra == Extra::Clumps {
                        bad += clumps(bad, random);
                    }
                    Counts::new(n, bad)
                })
                .collect();
            if let Extra::Bursts(length) = self.scenario.extra {
                let scrapes = self.conditions.scrape / TICK_SECONDS;
                if burst.is_none() && random.chance(scrapes / 40.0) {
                    burst = Some((
                        random.below(HISTORY_PODS),
                        (f64::from(length) / scrapes).round().max(1.0) as u32,
                    ));
                }
                if let Some((pod, left)) = burst {
                    let size = 1 + random.geometric(30.0 * if length > 1 { scrapes } else { 1.0 });
                    pods[pod] = Counts::new(pods[pod].requests, pods[pod].bad + size);
                    let lasts = if length > 1 { left } else { 1 };
                    burst = (lasts > 1).then_some((pod, lasts - 1));
                }
            }
            past.push(pods);
        }
        past
    }
}

/// What failed requests drag along.
fn clumps(bad: u64, random: &mut Random) -> u64 {
    (0..bad).map(|_| random.geometric(2.0)).sum()
}

/// The mean factor of `pods` pods whose log rates spread around the version's own.
fn pod_factor(pods: usize, spread: f64, random: &mut Random) -> f64 {
    if pods == 0 || spread <= 0.0 {
        return 1.0;
    }
    let one = |r: &mut Random| (spread * r.normal() - spread * spread / 2.0).exp();
    (0..pods).map(|_| one(random)).sum::<f64>() / pods as f64
}

//! Slower candidates, seen through histogram buckets.

use crate::stats::assessment::Verdict;
use crate::stats::background::Background;
use crate::stats::counts::Tick;
use crate::stats::evidence::Evidence;
use crate::stats::history::{PodCounts, background_of};
use crate::stats::joint::{Part, joint};
use crate::stats::latency::{Bucket, Edge, TOLERATED, UNACCEPTABLE, edges, slower_than};
use crate::stats::random::Random;
use crate::stats::settings::Settings;
use crate::trials::methods::RUNGS;

/// Upper edges in seconds, those of most client libraries.
const EDGES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const SCRAPE: f64 = 15.0;
const HOLD: f64 = 60.0;
/// Pods of both versions together; each pauses about once in two minutes for a second, if pods pause at all.
const PODS: usize = 10;
const PAUSE: (f64, f64) = (1.0, 120.0);
/// ln of the ratio of the 99th percentile (320 ms) to the median (50 ms), over its normal quantile.
const SPREAD: f64 = 0.797_9;

/// How the candidate differs.
#[derive(Clone, Copy, Debug)]
struct Slow {
    label: &'static str,
    pace: f64,
    factor: f64,
    /// Share of requests that take half a second longer.
    stuck: f64,
    /// Whether single pods pause; and whether the judge knows an hour of that.
    pauses: bool,
    known: bool,
}

/// Requests of the baseline at 50 a second.
const SAME: Slow = Slow {
    label: "same",
    pace: 50.0,
    factor: 1.0,
    stuck: 0.0,
    pauses: false,
    known: false,
};

const CASES: [Slow; 8] = [
    SAME,
    Slow {
        label: "same, 1-s pauses of single pods",
        pauses: true,
        ..SAME
    },
    Slow {
        label: "the same, their past known",
        pauses: true,
        known: true,
        ..SAME
    },
    Slow {
        label: "all ×1.25",
        factor: 1.25,
        ..SAME
    },
    Slow {
        label: "all ×2",
        factor: 2.0,
        ..SAME
    },
    Slow {
        label: "+500 ms on 3 %",
        stuck: 0.03,
        ..SAME
    },
    Slow {
        label: "+500 ms on 0.9 %",
        stuck: 0.009,
        ..SAME
    },
    Slow {
        label: "+500 ms on 3 %, 5 requests/s",
        pace: 5.0,
        stuck: 0.03,
        ..SAME
    },
];

/// The histogram of requests whose plain times are multiplied by `factor`, where a share is stuck for half a second and
/// `paused` of them wait for the rest of a pause of their pod.
fn histogram(n: u64, (factor, stuck): (f64, f64), paused: u64, random: &mut Random) -> Vec<Bucket> {
    let mut counts = [0_u64; EDGES.len() + 1];
    for at in 0..n {
        let plain = 0.05 * factor * (SPREAD * random.normal()).exp();
        let stuck = if random.chance(stuck) { 0.5 } else { 0.0 };
        let wait = if at < paused { PAUSE.0 * random.unit() } else { 0.0 };
        let seconds = plain + stuck + wait;
        counts[EDGES.iter().position(|e| seconds <= *e).unwrap_or(EDGES.len())] += 1;
    }
    let mut sum = 0;
    let edges = EDGES.iter().copied().chain([f64::INFINITY]);
    edges
        .zip(counts)
        .map(|(edge, count)| {
            sum += count;
            Bucket { edge, count: sum }
        })
        .collect()
}

/// How many of `n` requests, spread over `pods` pods, come while their pod pauses within one scrape.
fn paused(pods: usize, n: u64, random: &mut Random) -> u64 {
    let pauses = (0..pods).filter(|_| random.chance(SCRAPE / PAUSE.1)).count();
    random.binomial(n, PAUSE.0 / SCRAPE * pauses as f64 / pods.max(1) as f64)
}

/// What an hour of the baseline, pod by pod, tells about requests slower than each edge.
fn pasts(case: Slow, edges: &[Edge], random: &mut Random) -> Vec<Background> {
    let ticks = (3600.0 / SCRAPE) as usize;
    let mut pods: Vec<Vec<PodCounts>> = vec![Vec::with_capacity(ticks); edges.len()];
    for _ in 0..ticks {
        let each: Vec<Vec<Bucket>> = (1..PODS)
            .map(|_| {
                let n = random.poisson(case.pace * SCRAPE / PODS as f64);
                histogram(n, (1.0, 0.0), paused(1, n, random), random)
            })
            .collect();
        for (edge, seen) in edges.iter().zip(&mut pods) {
            seen.push(each.iter().map(|pod| slower_than(pod, edge.baseline)).collect());
        }
    }
    pods.iter()
        .map(|seen| background_of(seen, SCRAPE, TOLERATED))
        .collect()
}

/// The evidence of each edge before the first scrape.
fn begin(case: Slow, edges: &[Edge], random: &mut Random) -> Vec<Evidence> {
    let weight = 1.0 / edges.len().max(1) as f64;
    let settings = Settings::new(TOLERATED, UNACCEPTABLE, 0.01, 0.05).unwrap_or_default();
    let fresh = || Evidence::new(settings.sharing(weight));
    if case.known {
        let pasts = pasts(case, edges, random);
        pasts
            .into_iter()
            .map(|past| fresh().with_background(past))
            .collect()
    } else {
        edges.iter().map(|_| fresh()).collect()
    }
}

/// One scrape of both arms.
fn arms(case: Slow, share: f64, n: (u64, u64), random: &mut Random) -> (Vec<Bucket>, Vec<Bucket>) {
    let pods = ((share / 100.0 * PODS as f64).round() as usize).clamp(1, PODS - 1);
    let waits = if case.pauses {
        (paused(pods, n.0, random), paused(PODS - pods, n.1, random))
    } else {
        (0, 0)
    };
    (
        histogram(n.0, (case.factor, case.stuck), waits.0, random),
        histogram(n.1, (1.0, 0.0), waits.1, random),
    )
}

/// One release: the verdict at its end and the minutes until then.
fn release(case: Slow, seed: u64) -> (Verdict, f64) {
    let mut random = Random::new(seed);
    let edges = edges(&histogram(20_000, (1.0, 0.0), 0, &mut random), 0.0, None);
    let weight = 1.0 / edges.len() as f64;
    let mut all = begin(case, &edges, &mut random);
    let mut at = 0.0;
    for (step, share) in RUNGS.iter().enumerate() {
        let next = RUNGS.get(step + 1).copied();
        for evidence in &mut all {
            evidence.begin_step(*share, next.unwrap_or(100.0), next.is_none());
        }
        let mut held = 0.0;
        loop {
            let n = random.poisson(case.pace * SCRAPE);
            let canary = random.binomial(n, share / 100.0);
            let (candidate, baseline) = arms(case, *share, (canary, n - canary), &mut random);
            for (evidence, edge) in all.iter_mut().zip(&edges) {
                let slow = (
                    slower_than(&candidate, edge.candidate),
                    slower_than(&baseline, edge.baseline),
                );
                evidence.observe(Tick::new(slow.0, slow.1, SCRAPE));
            }
            (at, held) = (at + SCRAPE, held + SCRAPE);
            let parts: Vec<Part<'_>> = all
                .iter()
                .map(|e| Part {
                    evidence: e,
                    weight,
                    gating: true,
                    covered: true,
                })
                .collect();
            match joint(&parts, 0.01).verdict {
                Verdict::Fail => return (Verdict::Fail, at / 60.0),
                Verdict::Pass if held >= HOLD => break,
                Verdict::Pass | Verdict::Continue if at >= 7200.0 => return (Verdict::Continue, at / 60.0),
                Verdict::Pass | Verdict::Continue => {}
            }
        }
    }
    (Verdict::Pass, at / 60.0)
}

/// The table of slower candidates.
pub(super) fn latency_table(runs: u64, print: &mut dyn FnMut(&str)) {
    print("| latency | rolled back % | promoted % | median minutes |");
    print("| --- | --- | --- | --- |");
    for case in CASES {
        let ends: Vec<(Verdict, f64)> = (0..runs.max(1)).map(|i| release(case, 77 + i)).collect();
        let share = |v| 100.0 * ends.iter().filter(|(end, _)| *end == v).count() as f64 / ends.len() as f64;
        let mut minutes: Vec<f64> = ends.iter().map(|(_, m)| *m).collect();
        minutes.sort_by(f64::total_cmp);
        print(&format!(
            "| {} | {:.1} | {:.1} | {:.1} |",
            case.label,
            share(Verdict::Fail),
            share(Verdict::Pass),
            minutes[minutes.len() / 2]
        ));
    }
    print("");
}

//! Slower candidates, seen through histogram buckets.

use crate::stats::assessment::Verdict;
use crate::stats::counts::Tick;
use crate::stats::evidence::Evidence;
use crate::stats::latency::{Bucket, TOLERATED, UNACCEPTABLE, edges, slower_than};
use crate::stats::random::Random;
use crate::stats::settings::Settings;
use crate::stats::several::{Part, joint};
use crate::stats::trials::methods::RUNGS;

/// Upper edges in seconds, those of most client libraries.
const EDGES: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const SCRAPE: f64 = 15.0;
const HOLD: f64 = 60.0;
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
}

const CASES: [Slow; 6] = [
    Slow {
        label: "same",
        pace: 50.0,
        factor: 1.0,
        stuck: 0.0,
    },
    Slow {
        label: "all ×1.25",
        pace: 50.0,
        factor: 1.25,
        stuck: 0.0,
    },
    Slow {
        label: "all ×2",
        pace: 50.0,
        factor: 2.0,
        stuck: 0.0,
    },
    Slow {
        label: "+500 ms on 3 %",
        pace: 50.0,
        factor: 1.0,
        stuck: 0.03,
    },
    Slow {
        label: "+500 ms on 0.9 %",
        pace: 50.0,
        factor: 1.0,
        stuck: 0.009,
    },
    Slow {
        label: "+500 ms on 3 %, 5 requests/s",
        pace: 5.0,
        factor: 1.0,
        stuck: 0.03,
    },
];

fn histogram(n: u64, factor: f64, stuck: f64, random: &mut Random) -> Vec<Bucket> {
    let mut counts = [0_u64; EDGES.len() + 1];
    for _ in 0..n {
        let plain = 0.05 * factor * (SPREAD * random.normal()).exp();
        let seconds = plain + if random.chance(stuck) { 0.5 } else { 0.0 };
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

/// One release: the verdict at its end and the minutes until then.
fn release(case: Slow, seed: u64) -> (Verdict, f64) {
    let mut random = Random::new(seed);
    let edges = edges(&histogram(20_000, 1.0, 0.0, &mut random), 0.0, None);
    let weight = 1.0 / edges.len() as f64;
    let Ok(settings) = Settings::new(TOLERATED, UNACCEPTABLE, 0.01, 0.05) else {
        return (Verdict::Continue, 0.0);
    };
    let mut all: Vec<Evidence> = edges
        .iter()
        .map(|_| Evidence::new(settings.sharing(weight)))
        .collect();
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
            let candidate = histogram(canary, case.factor, case.stuck, &mut random);
            let baseline = histogram(n - canary, 1.0, 0.0, &mut random);
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

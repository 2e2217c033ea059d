//! One metric of a stream: its comparisons, and what an arm of a line must be like.

use super::line::{Arm, Arms, Increments};
use super::series::Counters;
use crate::stats::latency::{self, Bucket, Edge};
use crate::stats::{Assessment, Counts, Evidence, Settings, Tick, Verdict};

/// One metric of a stream: one comparison, or one for each latency edge.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) gating: bool,
    pub(super) parts: Vec<Compared>,
    pub(super) counters: [Counters; 2],
    pub(super) latency: bool,
}

/// One comparison; the edge is there for latency.
#[derive(Debug)]
pub(super) struct Compared {
    pub(super) edge: Option<Edge>,
    pub(super) evidence: Evidence,
}

impl Metric {
    pub(super) fn observe(&mut self, arms: &Arms<'_>, seconds: f64, since: Option<f64>) {
        let [mine, theirs] = &mut self.counters;
        let plain = |arm: &Arm<'_>, counters: &mut Counters| match arm {
            Arm::Increments(i) => Counts::new(i.n.0, i.x.0),
            Arm::Series(list) => counters.take(list, since),
        };
        let (candidate, baseline) = (plain(&arms.candidate, mine), plain(&arms.baseline, theirs));
        // Each raw series is a pod.
        let pods = match &arms.candidate {
            Arm::Series(list) => list.len().max(1) as u32,
            Arm::Increments(_) => 1,
        };
        for part in &mut self.parts {
            part.evidence.set_candidate_pods(pods);
            let tick = match (part.edge, &arms.candidate, &arms.baseline) {
                (Some(edge), Arm::Increments(c), Arm::Increments(b)) => Tick::new(
                    latency::slower_than(&buckets(c), edge.candidate),
                    latency::slower_than(&buckets(b), edge.baseline),
                    seconds,
                ),
                (_, _, _) => Tick::new(candidate, baseline, seconds),
            };
            part.evidence.observe(tick);
        }
    }

    /// The assessment of the comparison that speaks most against the candidate, or that lacks most.
    pub(super) fn assessment(&self) -> Assessment {
        let mut all = self.parts.iter().map(|p| p.evidence.assessment());
        let Some(mut worst) = all.next() else {
            return Evidence::new(Settings::default()).assessment();
        };
        for next in all {
            let later = next.verdict == Verdict::Fail
                || (worst.verdict == Verdict::Pass && next.verdict != Verdict::Pass);
            let same = next.verdict == worst.verdict && next.fail.evidence > worst.fail.evidence;
            if worst.verdict != Verdict::Fail && (later || same) {
                worst = next;
            }
        }
        worst
    }
}

pub(super) fn is_latency(arms: &Arms<'_>) -> bool {
    matches!(&arms.baseline, Arm::Increments(i) if i.buckets.is_some())
}

pub(super) fn buckets(increments: &Increments) -> Vec<Bucket> {
    let mut all: Vec<Bucket> = increments
        .buckets
        .iter()
        .flatten()
        .map(|(edge, count)| Bucket {
            edge: *edge,
            count: count.0,
        })
        .collect();
    all.push(Bucket {
        edge: f64::INFINITY,
        count: increments.n.0,
    });
    all
}

/// What is wrong with an arm.
pub(super) fn sound(arm: &Arm<'_>) -> Result<(), String> {
    let pair = |n: u64, x: u64| {
        if x > n {
            Err(format!("x is {x} but n only {n}"))
        } else {
            Ok(())
        }
    };
    match arm {
        Arm::Series(list) => list.iter().try_for_each(|s| pair(s.n.0, s.x.0)),
        Arm::Increments(i) => {
            pair(i.n.0, i.x.0)?;
            let Some(list) = &i.buckets else { return Ok(()) };
            let rising = list.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1.0 <= w[1].1.0);
            if !rising {
                return Err("buckets must rise in edge and be cumulative".into());
            }
            list.last().map_or(Ok(()), |(_, most)| pair(i.n.0, most.0))
        }
    }
}

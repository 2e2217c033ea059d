//! One metric of a stream: its counts, and what an arm of a line must be like.

mod pending;

use self::pending::Waited;
use super::line::{Arm, Arms, Increments, Series, Whole};
use super::series::Counters;
use crate::stats::latency::{self, Bucket, Edge};
use crate::stats::{Counts, Tick};

/// One metric of a stream: how its lines become the ticks of its comparisons.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) name: String,
    /// The edges that are compared where it is a histogram; none of them as long as they are not chosen.
    pub(super) edges: Option<Vec<Edge>>,
    /// What has come of a histogram before that.
    waited: Option<Box<Waited>>,
    /// Whether the arms are raw series.
    raw: [bool; 2],
    counters: [Counters; 2],
}

/// What one line says of a metric.
pub(super) struct Seen {
    /// A tick for each comparison; none as long as edges are not chosen.
    pub(super) ticks: Vec<Tick>,
    /// Requests of candidate and baseline.
    pub(super) requests: [u64; 2],
    /// Candidate pods that are told apart: each raw series is one.
    pub(super) pods: u32,
}

impl Metric {
    /// A metric as its first line has it.
    pub(super) fn new(name: &str, arms: &Arms<'_>, edges: Option<Vec<Edge>>) -> Self {
        Self {
            name: name.to_owned(),
            waited: edges
                .as_ref()
                .filter(|edges| edges.is_empty())
                .map(|_| Box::default()),
            edges,
            raw: raw(arms),
            counters: Default::default(),
        }
    }

    /// Between which forms it has changed, which would count requests twice or not at all.
    pub(super) fn changed(&self, arms: &Arms<'_>) -> Option<&'static str> {
        if is_latency(arms) != self.edges.is_some() {
            Some("counts and buckets")
        } else if raw(arms) != self.raw {
            Some("increments and series")
        } else {
            None
        }
    }

    /// A judged edge that a line's histograms lack. Read at a lower one, requests would count as slow that are not: on
    /// both sides alike, so that the candidate would seem proven.
    pub(super) fn lacks(&self, arms: &Arms<'_>) -> Option<f64> {
        let lacks = |arm: &Arm<'_>, edge: f64| match arm {
            Arm::Increments(it) => {
                let mut edges = it.buckets.iter().flatten().map(|(its, _)| *its);
                !edges.any(|its| latency::same_edge(its, edge))
            }
            Arm::Series(_) => true,
        };
        let mut judged = self.edges.iter().flatten();
        judged.find_map(|edge| {
            let mine = Some(edge.candidate).filter(|edge| lacks(&arms.candidate, *edge));
            mine.or_else(|| Some(edge.baseline).filter(|edge| lacks(&arms.baseline, *edge)))
        })
    }

    /// What is wrong with a line whose histogram is to wait.
    pub(super) fn unfit(&self, arms: &Arms<'_>) -> Option<&'static str> {
        match (&self.waited, &arms.candidate) {
            (Some(waited), Arm::Increments(candidate)) => waited.unfit(candidate),
            (Some(_), Arm::Series(_)) | (None, _) => None,
        }
    }

    /// What its edges wait for, where they do.
    pub(super) fn waits(&self) -> Option<String> {
        self.waited.as_ref().map(|waited| waited.reason(&self.name))
    }

    /// The edges to compare it at, if they are due.
    pub(super) fn chosen(&self, (slowdown, objective): (f64, Option<f64>)) -> Option<Vec<Edge>> {
        self.waited.as_ref()?.chosen(slowdown, objective)
    }

    /// It is compared at these edges from now on; what has waited, line by line.
    pub(super) fn settle(&mut self, edges: Vec<Edge>) -> Vec<Vec<Tick>> {
        let waited = self.waited.take();
        let lines = waited.map_or_else(Vec::new, |waited| waited.ticks(&edges).collect());
        self.edges = Some(edges);
        lines
    }

    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        if let Some(waited) = &mut self.waited {
            waited.begin_step();
        }
    }

    /// How many comparisons it has.
    pub(super) fn parts(&self) -> usize {
        self.edges.as_ref().map_or(1, Vec::len)
    }

    /// Reads the arms of a line at `t` that spans `seconds`, after one at `since`.
    pub(super) fn read(&mut self, arms: &Arms<'_>, seconds: f64, (since, t): (Option<f64>, f64)) -> Seen {
        let pods = match &arms.candidate {
            Arm::Series(list) => list.len().max(1) as u32,
            Arm::Increments(_) => 1,
        };
        let (ticks, requests) = match (&self.edges, &arms.candidate, &arms.baseline) {
            (Some(edges), Arm::Increments(c), Arm::Increments(b)) => {
                if let Some(waited) = &mut self.waited {
                    waited.take([c, b], seconds);
                }
                (slower(edges, [c, b], seconds), [c.n.0, b.n.0])
            }
            (_, candidate, baseline) => {
                let [mine, theirs] = &mut self.counters;
                let arms = [
                    counts(candidate, mine, (since, t)),
                    counts(baseline, theirs, (since, t)),
                ];
                let [candidate, baseline] = arms;
                let ticks = vec![Tick::new(candidate, baseline, seconds)];
                (ticks, arms.map(|arm| arm.requests))
            }
        };
        Seen {
            ticks,
            requests,
            pods,
        }
    }
}

/// A tick for each edge.
fn slower(edges: &[Edge], [candidate, baseline]: [&Increments; 2], seconds: f64) -> Vec<Tick> {
    if edges.is_empty() {
        return Vec::new();
    }
    let (candidate, baseline) = (buckets(candidate), buckets(baseline));
    let tick = |edge: &Edge| {
        Tick::new(
            latency::slower_than(&candidate, edge.candidate),
            latency::slower_than(&baseline, edge.baseline),
            seconds,
        )
    };
    edges.iter().map(tick).collect()
}

fn counts(arm: &Arm<'_>, counters: &mut Counters, (since, t): (Option<f64>, f64)) -> Counts {
    match arm {
        Arm::Increments(i) => Counts::new(i.n.0, i.x.unwrap_or_default().0),
        Arm::Series(list) => counters.take(list, since, t),
    }
}

fn raw(arms: &Arms<'_>) -> [bool; 2] {
    [&arms.candidate, &arms.baseline].map(|arm| matches!(arm, Arm::Series(_)))
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

/// What is wrong with the arms of a metric.
pub(super) fn sound(arms: &Arms<'_>) -> Result<(), String> {
    for (which, arm) in [("candidate", &arms.candidate), ("baseline", &arms.baseline)] {
        arm_sound(arm).map_err(|wrong| format!("{which}: {wrong}"))?;
    }
    let edges = |arm: &Arm<'_>| -> Option<Vec<f64>> {
        match arm {
            Arm::Increments(increments) => {
                let list = increments.buckets.as_ref()?;
                Some(list.iter().map(|(edge, _)| *edge).collect())
            }
            Arm::Series(_) => None,
        }
    };
    if edges(&arms.candidate) == edges(&arms.baseline) {
        Ok(())
    } else {
        Err("candidate and baseline must have buckets with the same edges, or neither any".into())
    }
}

fn arm_sound(arm: &Arm<'_>) -> Result<(), String> {
    match arm {
        Arm::Series(list) => {
            let names = list.iter().map(|series| series.name.as_ref());
            if let Some(name) = twice(names) {
                return Err(format!(
                    "the series {name} is there twice: give each a name of its own"
                ));
            }
            // Errors may have a series of their own.
            let sum = |of: fn(&Series<'_>) -> u64| list.iter().map(of).fold(0, u64::saturating_add);
            pair(sum(|s| s.n.0), sum(|s| s.x.0))
        }
        Arm::Increments(increments) => increments_sound(increments),
    }
}

/// What is wrong with increments.
pub(super) fn increments_sound(i: &Increments) -> Result<(), String> {
    match (&i.buckets, i.x) {
        (Some(_), Some(_)) => Err("x and buckets exclude each other: leave one out".into()),
        (None, None) => Err("x is missing, the bad ones among n; or buckets".into()),
        (None, Some(x)) => pair(i.n.0, x.0),
        (Some(list), None) => buckets_sound(i.n.0, list),
    }
}

fn pair(n: u64, x: u64) -> Result<(), String> {
    if x > n {
        Err(format!(
            "x is {x} but n only {n}: n counts all requests, the bad ones of x among them"
        ))
    } else {
        Ok(())
    }
}

fn buckets_sound(n: u64, list: &[(f64, Whole)]) -> Result<(), String> {
    let rising = list.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1.0 <= w[1].1.0);
    match list.last() {
        _ if !rising => Err(
            "buckets must rise in edge and be cumulative: each counts all requests that took at most so long"
                .into(),
        ),
        None => Err("buckets is empty: give at least one [edge, count]".into()),
        Some((edge, Whole(most))) if *most > n => Err(format!(
            "{most} took at most {edge} s, but n is only {n}: n counts all requests"
        )),
        Some(_) => Ok(()),
    }
}

/// A name that is there twice.
pub(super) fn twice<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    let pair = names.windows(2).find(|pair| pair[0] == pair[1]);
    pair.map(|pair| pair[0])
}

//! Reads the baseline's normal behaviour off its past, pod by pod.
//!
//! Pods of one version under one load should differ by chance only. What they differ by beyond that is measured
//! here: clumps of failures (dispersion), bursts that last (ticks), and pods that are persistently better or worse
//! (spread). Each tick is compared with its own total, so a fault that all pods shared raises none of them.

use super::background::{Background, Bursts};
use super::counts::Counts;
use super::settings::Margin;

/// Block lengths, in ticks, over which clumping is looked for.
const BLOCKS: [usize; 4] = [1, 2, 4, 8];
/// Bursts of one pod that are no further apart than this are one, in seconds: bursts flicker.
const FLICKER: f64 = 15.0;
/// A past of less than this shows too little to be called calm, in seconds.
const ENOUGH: f64 = 2700.0;
/// An estimate counts if it is this many standard deviations above what chance gives.
const DEVIATIONS: f64 = 2.5;

/// One past tick: the counts of each pod, in the same order in every tick; a pod that was not there has zeros.
pub type PodCounts = Vec<Counts>;

fn pod(tick: &PodCounts, at: usize) -> Counts {
    tick.get(at).copied().unwrap_or_default().clipped()
}

fn total(ticks: &[PodCounts], at: usize) -> Counts {
    ticks
        .iter()
        .map(|t| pod(t, at))
        .fold(Counts::default(), Counts::plus)
}

/// More than this in one tick of one pod is a burst, for a variance that is `spread` times that of independent
/// failures.
pub(super) fn burst_limit(expected: f64, spread: f64) -> u64 {
    let limit = (expected + 3.1 * (expected * spread).sqrt() + spread).ceil();
    limit.max(3.0) as u64
}

/// What is normal, from at least an hour of ticks as long as those of the release. `tolerated` is the margin that
/// the release will use. Without requests: [`Background::default`]. Where the length of a tick is known,
/// [`background_of`] learns more.
pub fn background(ticks: &[PodCounts], tolerated: Margin) -> Background {
    background_of(ticks, 0.0, tolerated)
}

/// The same from ticks of `seconds` each; 0 if that is not known. Shorter ticks than 15 s are read together.
pub fn background_of(ticks: &[PodCounts], seconds: f64, tolerated: Margin) -> Background {
    let (ticks, seconds) = merged(ticks, seconds);
    let ticks = ticks.as_slice();
    let pods = ticks.iter().map(Vec::len).max().unwrap_or(0);
    let totals: Vec<Counts> = (0..pods).map(|p| total(ticks, p)).collect();
    let Some(rate) = totals
        .iter()
        .copied()
        .fold(Counts::default(), Counts::plus)
        .rate()
    else {
        return Background::default();
    };
    // A burst is not typical: the rate that normal ticks have, with bursts cut.
    let limit = |n: u64| burst_limit(n as f64 * tolerated.rate(rate), 1.0);
    let cut: Vec<PodCounts> = ticks
        .iter()
        .map(|t| {
            (0..pods)
                .map(|p| pod(t, p))
                .map(|c| Counts {
                    bad: c.bad.min(limit(c.requests)),
                    ..c
                })
                .collect()
        })
        .collect();
    let totals: Vec<Counts> = (0..pods).map(|p| total(&cut, p)).collect();
    let dispersion = dispersion(&cut, pods);
    let flicker = if seconds > 0.0 {
        (FLICKER / seconds) as usize
    } else {
        1
    };
    let bursts = bursts(ticks, pods, flicker, &limit);
    let usual = if seconds > 0.0 {
        seconds
    } else {
        Background::LEAST_TICK
    };
    let span = ticks.len() as f64 * usual;
    Background::new(
        totals
            .iter()
            .copied()
            .fold(Counts::default(), Counts::plus)
            .rate(),
        dispersion,
        usual_length(&bursts),
        spread(&totals, dispersion),
    )
    .with_tick_seconds(seconds)
    .with_bursts(match bursts.is_empty() {
        false => Bursts::Seen,
        true if span >= ENOUGH => Bursts::None,
        true => Bursts::Unknown,
    })
}

/// The largest significant ratio of observed to chance variance between pods over the block lengths.
fn dispersion(ticks: &[PodCounts], pods: usize) -> f64 {
    BLOCKS
        .iter()
        .filter_map(|length| blocks_dispersion(ticks, pods, *length))
        .fold(1.0, f64::max)
}

fn blocks_dispersion(ticks: &[PodCounts], pods: usize, length: usize) -> Option<f64> {
    let (mut seen, mut expected, mut freedom) = (0.0, 0.0, 0.0_f64);
    for block in ticks.chunks_exact(length) {
        let counts: Vec<Counts> = (0..pods).map(|p| total(block, p)).collect();
        let sum = counts.iter().copied().fold(Counts::default(), Counts::plus);
        if sum.bad == 0 {
            continue;
        }
        let mut squares = 0.0;
        let mut present = 0.0;
        for c in counts.iter().filter(|c| c.requests > 0) {
            let share = c.requests as f64 / sum.requests as f64;
            seen += (c.bad as f64 - sum.bad as f64 * share).powi(2);
            squares += share * share;
            present += 1.0;
        }
        expected += sum.bad as f64 * (1.0 - squares);
        freedom += present - 1.0;
    }
    // Nothing failed, or there was never a second pod beside.
    if expected <= 0.0 {
        return None;
    }
    let ratio = seen / expected;
    (ratio > 1.0 + DEVIATIONS * (2.0 / freedom).sqrt()).then_some(ratio)
}

/// Fewer bursts than this may be chance, if none of them is sure.
const REPEATED: usize = 2;

/// A burst on one pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Burst {
    from: usize,
    to: usize,
    /// Far beyond the limit, or longer than a tick: surely no chance.
    sure: bool,
}

/// The bursts of single pods. Ticks within the limit that are not more than `flicker` in a row do not end one.
fn bursts(ticks: &[PodCounts], pods: usize, flicker: usize, limit: &dyn Fn(u64) -> u64) -> Vec<Burst> {
    let mut all = Vec::new();
    for p in 0..pods {
        let mut present: Option<Burst> = None;
        for (at, tick) in ticks.iter().enumerate() {
            let (c, limit) = (pod(tick, p), limit(pod(tick, p).requests));
            if c.bad > limit {
                let known = present.unwrap_or(Burst {
                    from: at,
                    to: at,
                    sure: false,
                });
                let sure = at > known.from || c.bad >= 2 * limit;
                present = Some(Burst {
                    to: at,
                    sure,
                    ..known
                });
            } else if present.is_some_and(|burst| at - burst.to > flicker) {
                all.extend(present.take());
            }
        }
        all.extend(present);
    }
    if all.len() < REPEATED && !all.iter().any(|burst| burst.sure) {
        all.clear();
    }
    all
}

/// The length that nine of ten bursts do not exceed; 1 without any.
fn usual_length(bursts: &[Burst]) -> usize {
    let mut lengths: Vec<usize> = bursts.iter().map(|b| b.to - b.from + 1).collect();
    lengths.sort_unstable();
    let at = (lengths.len() * 9).div_ceil(10);
    at.checked_sub(1).map_or(1, |at| lengths[at])
}

/// Ticks of at least [`Background::LEAST_TICK`] seconds, so that what is measured does not depend on how often it is
/// looked at.
fn merged(ticks: &[PodCounts], seconds: f64) -> (Vec<PodCounts>, f64) {
    let each = if seconds > 0.0 {
        (Background::LEAST_TICK / seconds).round().max(1.0) as usize
    } else {
        1
    };
    let pods = ticks.iter().map(Vec::len).max().unwrap_or(0);
    let sum = |part: &[PodCounts]| (0..pods).map(|p| total(part, p)).collect();
    let merged = ticks.chunks(each).map(sum).collect();
    (merged, seconds * each as f64)
}

/// The standard deviation of the pods' log rates beyond chance, if it is significant.
fn spread(totals: &[Counts], dispersion: f64) -> f64 {
    let sum = totals.iter().copied().fold(Counts::default(), Counts::plus);
    if sum.bad == 0 {
        return 0.0;
    }
    let rate = sum.bad as f64 / sum.requests as f64;
    let (mut chi, mut excess, mut scale, mut present) = (0.0, 0.0, 0.0, 0.0);
    for c in totals.iter().filter(|c| c.requests > 0) {
        let expected = c.requests as f64 * rate;
        let gap = (c.bad as f64 - expected).powi(2);
        chi += gap / expected;
        excess += gap - dispersion * expected;
        scale += expected * expected;
        present += 1.0;
    }
    let freedom: f64 = present - 1.0;
    if freedom < 1.0 || chi / (dispersion * freedom) <= 1.0 + DEVIATIONS * (2.0 / freedom).sqrt() {
        return 0.0;
    }
    // The variance of a log-normal factor with mean 1 is exp(spread²) - 1.
    (excess / scale).max(0.0).ln_1p().sqrt()
}

#[cfg(test)]
mod tests;

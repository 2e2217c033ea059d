//! Reads the baseline's normal behaviour off its past, pod by pod.
//!
//! Pods of one version under one load should differ by chance only. What they differ by beyond that is measured
//! here: clumps of failures (dispersion), bursts that last (ticks), and pods that are persistently better or worse
//! (spread). Each tick is compared with its own total, so a fault that all pods shared raises none of them.

use super::background::Background;
use super::counts::Counts;
use super::settings::Margin;

/// Block lengths, in ticks, over which clumping is looked for.
const BLOCKS: [usize; 4] = [1, 2, 4, 8];
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

/// More than this in one tick of one pod is a burst.
pub(super) fn burst_limit(expected: f64) -> u64 {
    let limit = (expected + 3.1 * expected.sqrt() + 1.0).ceil();
    limit.max(3.0) as u64
}

/// What is normal, from at least an hour of ticks as long as those of the release. `tolerated` is the margin that
/// the release will use. Without requests: [`Background::default`].
pub fn background(ticks: &[PodCounts], tolerated: Margin) -> Background {
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
    let limit = |n: u64| burst_limit(n as f64 * tolerated.rate(rate));
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
    Background::new(
        totals
            .iter()
            .copied()
            .fold(Counts::default(), Counts::plus)
            .rate(),
        dispersion,
        burst_ticks(ticks, pods, &limit),
        spread(&totals, dispersion),
    )
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
    if freedom < 1.0 || expected <= 0.0 {
        return None;
    }
    let ratio = seen / expected;
    (ratio > 1.0 + DEVIATIONS * (2.0 / freedom).sqrt()).then_some(ratio)
}

/// The 95th percentile of the lengths of single pods' bursts; 1 unless at least two were seen.
fn burst_ticks(ticks: &[PodCounts], pods: usize, limit: &dyn Fn(u64) -> u64) -> usize {
    let mut runs = Vec::new();
    for p in 0..pods {
        let mut run = 0;
        for tick in ticks {
            let c = pod(tick, p);
            if c.bad > limit(c.requests) {
                run += 1;
            } else if run > 0 {
                runs.push(run);
                run = 0;
            }
        }
        if run > 0 {
            runs.push(run);
        }
    }
    if runs.len() < 2 {
        return 1;
    }
    runs.sort_unstable();
    runs[(runs.len() * 95).div_ceil(100) - 1]
}

/// The standard deviation of the pods' log rates beyond chance, if it is significant.
fn spread(totals: &[Counts], dispersion: f64) -> f64 {
    let sum = totals.iter().copied().fold(Counts::default(), Counts::plus);
    let Some(rate) = sum.rate().filter(|r| *r > 0.0) else {
        return 0.0;
    };
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
mod tests {
    use super::*;

    const MARGIN: Margin = Margin::new(1.05, 5e-5);

    fn ticks(bad: impl Fn(usize, usize) -> u64) -> Vec<PodCounts> {
        (0..240)
            .map(|t| (0..8).map(|p| Counts::new(100, bad(t, p))).collect())
            .collect()
    }

    #[test]
    fn an_even_past_is_plain() {
        let b = background(&ticks(|t, p| u64::from((t * 7 + p * 3) % 10 == 0)), MARGIN);
        assert_eq!((b.dispersion(), b.burst_ticks(), b.pod_spread()), (1.0, 1, 0.0));
        assert!((b.rate().unwrap() - 0.001).abs() < 2e-5);
        assert_eq!(background(&[], MARGIN), Background::default());
        assert_eq!(background(&ticks(|_, _| 0), MARGIN).rate(), Some(0.0));
    }

    #[test]
    fn a_fault_that_all_pods_share_is_not_their_difference() {
        let b = background(&ticks(|t, _| if (50..60).contains(&t) { 30 } else { 1 }), MARGIN);
        assert_eq!((b.dispersion(), b.pod_spread()), (1.0, 0.0));
    }

    #[test]
    fn clumps_bursts_and_unlike_pods_are_told_apart() {
        let clumps = background(
            &ticks(|t, p| if (t * 7 + p * 11) % 40 == 0 { 3 } else { 0 }),
            MARGIN,
        );
        assert!((2.0..4.0).contains(&clumps.dispersion()), "{clumps:?}");
        assert!(clumps.pod_spread() < 1e-9, "{clumps:?}");
        let bursts = background(
            &ticks(|t, p| if t % 40 < 4 && t / 40 % 8 == p { 50 } else { 0 }),
            MARGIN,
        );
        assert_eq!(bursts.burst_ticks(), 4);
        assert!(bursts.rate().unwrap() < 0.001, "{bursts:?}");
        let unlike = background(&ticks(|_, p| 1 + p as u64 / 2), MARGIN);
        assert!((0.3..0.6).contains(&unlike.pod_spread()), "{unlike:?}");
    }
}

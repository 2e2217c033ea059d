//! Latency from cumulative histogram buckets, without interpolating quantiles.
//!
//! A request is bad if it took longer than an edge. Three edges are judged together, near the baseline's median,
//! 90th and 99th percentile, so a general slow-down and a slow tail are both seen. A tolerated slow-down compares
//! the candidate at one edge with the baseline at a lower one.

use super::counts::Counts;
use super::settings::Margin;

/// The tolerated margin of each edge.
pub const TOLERATED: Margin = Margin::new(1.05, 0.002);
/// The unacceptable margin of each edge.
pub const UNACCEPTABLE: Margin = Margin::new(1.5, 0.005);
/// Shares of slower requests that the edges are chosen for.
const SHARES: [f64; 3] = [0.5, 0.1, 0.01];

/// A cumulative bucket: how many requests took at most `edge` seconds. The last may be infinite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Upper edge in seconds.
    pub edge: f64,
    /// Requests that took at most that long.
    pub count: u64,
}

/// One comparison: requests slower than `candidate` seconds against requests slower than `baseline` seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edge {
    /// Edge for the candidate, in seconds.
    pub candidate: f64,
    /// Edge for the baseline, in seconds; lower where a slow-down is tolerated.
    pub baseline: f64,
}

/// By how much two spellings of one edge may differ, as a share of it.
const SPELLING: f64 = 1e-9;

/// Whether two edges are one.
pub fn same_edge(one: f64, other: f64) -> bool {
    (one - other).abs() <= SPELLING * other.abs()
}

/// Requests slower than `edge` among all of a histogram, reading the largest bucket edge that does not exceed it.
pub fn slower_than(buckets: &[Bucket], edge: f64) -> Counts {
    let all = buckets.iter().map(|b| b.count).max().unwrap_or(0);
    let within = buckets
        .iter()
        .filter(|b| b.edge <= edge * (1.0 + SPELLING))
        .map(|b| b.count)
        .max()
        .unwrap_or(0);
    Counts::new(all, all - within)
}

/// The edges to judge, from the baseline's past histogram: nearest to the three shares, and the objective's edge if
/// there is one. `slowdown` is tolerated: 0.1 allows a tenth more time. Empty without requests.
pub fn edges(past: &[Bucket], slowdown: f64, objective: Option<f64>) -> Vec<Edge> {
    let finite: Vec<f64> = finite(past).collect();
    edges_among(past, &finite, slowdown, objective)
}

/// The finite edges of a histogram.
fn finite(past: &[Bucket]) -> impl Iterator<Item = f64> {
    let edges = past.iter().map(|b| b.edge);
    edges.filter(|e| e.is_finite() && *e > 0.0)
}

/// As [`edges`], for a histogram that can be read at more edges than those of `past`: the objective's edge and those of
/// the baseline are the nearest of `readable` that do not exceed what is asked for.
pub fn edges_among(past: &[Bucket], readable: &[f64], slowdown: f64, objective: Option<f64>) -> Vec<Edge> {
    if past.iter().all(|b| b.count == 0) {
        return Vec::new();
    }
    let shares: Vec<(f64, f64)> = finite(past)
        .filter_map(|e| Some((e, slower_than(past, e).rate()?)))
        .collect();
    let off = |share: f64, goal: f64| (share - goal).abs();
    let nearest = |goal: f64| {
        shares
            .iter()
            .min_by(|a, b| off(a.1, goal).total_cmp(&off(b.1, goal)))
            .map(|(edge, _)| *edge)
    };
    let mut chosen: Vec<f64> = SHARES.iter().filter_map(|goal| nearest(*goal)).collect();
    chosen.extend(objective.into_iter().filter_map(|o| floor(readable, o)));
    chosen.sort_by(f64::total_cmp);
    chosen.dedup();
    let factor = 1.0 + slowdown.max(0.0);
    chosen
        .into_iter()
        .map(|edge| Edge {
            candidate: edge,
            baseline: floor(readable, edge / factor).unwrap_or(edge),
        })
        .collect()
}

/// The largest of `edges` that does not exceed `limit`.
pub fn floor(edges: &[f64], limit: f64) -> Option<f64> {
    edges
        .iter()
        .copied()
        .filter(|e| *e <= limit * (1.0 + SPELLING))
        .max_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past() -> Vec<Bucket> {
        [
            (0.025, 100),
            (0.05, 480),
            (0.1, 820),
            (0.25, 960),
            (0.5, 991),
            (1.0, 999),
            (f64::INFINITY, 1000),
        ]
        .map(|(edge, count)| Bucket { edge, count })
        .to_vec()
    }

    #[test]
    fn edges_lie_near_median_and_tail() {
        let plain: Vec<f64> = edges(&past(), 0.0, None).iter().map(|e| e.candidate).collect();
        assert_eq!(plain, [0.05, 0.25, 0.5]);
        let with_objective: Vec<f64> = edges(&past(), 0.0, Some(1.2))
            .iter()
            .map(|e| e.candidate)
            .collect();
        assert_eq!(with_objective, [0.05, 0.25, 0.5, 1.0]);
        assert!(edges(&[], 0.0, None).is_empty());
    }

    #[test]
    fn a_tolerated_slow_down_shifts_the_baseline_edge() {
        let shifted = edges(&past(), 0.25, None);
        assert_eq!(
            shifted[1],
            Edge {
                candidate: 0.25,
                baseline: 0.1
            }
        );
        assert!(shifted.iter().all(|e| e.baseline <= e.candidate));
    }

    #[test]
    fn what_can_be_read_more_finely_is_compared_more_exactly() {
        let readable = [0.05, 0.1, 0.21, 0.25, 0.3, 0.5];
        let chosen = edges_among(&past(), &readable, 0.1, Some(0.4));
        let pairs: Vec<(f64, f64)> = chosen.iter().map(|e| (e.candidate, e.baseline)).collect();
        assert_eq!(pairs, [(0.05, 0.05), (0.25, 0.21), (0.3, 0.25), (0.5, 0.3)]);
    }

    #[test]
    fn counts_above_an_edge() {
        assert_eq!(slower_than(&past(), 0.1), Counts::new(1000, 180));
        assert_eq!(slower_than(&past(), 0.2), Counts::new(1000, 180));
        assert_eq!(slower_than(&past(), 0.001), Counts::new(1000, 1000));
        assert_eq!(slower_than(&[], 0.1), Counts::default());
        assert!(same_edge(0.1, 0.1 + 1e-12) && !same_edge(0.1, 0.2) && !same_edge(0.1, 0.1001));
    }

    #[test]
    fn an_edge_may_be_spelled_a_little_differently_whatever_its_size() {
        for edge in [0.001, 0.1, 1.0, 100.0, 30_000.0] {
            let near = edge * (1.0 + 5e-10);
            assert!(same_edge(near, edge) && same_edge(edge, near), "{edge}");
            assert!(!same_edge(edge * (1.0 + 5e-9), edge), "{edge}");
            assert_eq!(floor(&[edge / 2.0, near], edge), Some(near));
            assert_eq!(floor(&[edge / 2.0, edge], edge), Some(edge));
            assert_eq!(floor(&[edge / 2.0, edge * (1.0 + 5e-9)], edge), Some(edge / 2.0));
        }
        assert_eq!(floor(&[0.2], 0.1), None);
    }

    #[test]
    fn only_edges_that_are_a_time_are_judged() {
        // The median lies at 0, and the slowest hundredth nearest to infinity: neither is an edge to judge.
        let odd =
            [(0.0, 500), (0.1, 900), (f64::INFINITY, 1_000)].map(|(edge, count)| Bucket { edge, count });
        let chosen: Vec<f64> = edges(&odd, 0.0, None).iter().map(|e| e.candidate).collect();
        assert_eq!(chosen, [0.1]);
        let beyond = [(0.1, 500), (f64::INFINITY, 1_000)].map(|(edge, count)| Bucket { edge, count });
        let chosen: Vec<f64> = edges(&beyond, 0.0, None).iter().map(|e| e.candidate).collect();
        assert_eq!(chosen, [0.1]);
    }
}

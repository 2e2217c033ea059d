//! Histograms that wait until the baseline has shown at which edges they are to be compared.
//!
//! Edges are chosen once for the whole release, by the baseline alone, and what has waited is judged at them as if they had
//! been known: line by line, as far as there is room.

use crate::cli::judge::line::Increments;
use crate::stats::Tick;
use crate::stats::latency::{self, Bucket, Edge};

/// So many requests of the baseline are enough to choose by. In 15 log-normal baselines on the usual buckets the edge nearest
/// to the slowest hundredth then has 0.2–6 % of slower requests in 98 of 100 cases; of 100 requests in 87, of 10 in 73, of
/// one in 31, and a tail that is watched at the wrong edge is not watched.
const ENOUGH: u64 = 500;
/// Traffic that does not bring so many in this time, in seconds, is judged by fewer: what it has shown then is half of what a
/// step of ten minutes will ever show.
const PATIENCE: f64 = 300.0;
/// But not by less than this. Nothing is promoted on fewer than 60 requests of the candidate, so it costs a thin service no
/// time that it would not need anyway.
const LEAST: u64 = 100;
/// Lines that are kept apart; beyond that neighbours are added up, the shortest first. In bytes it is twice this times 8 a
/// bucket.
const KEPT: usize = 8;

/// A line that waits.
#[derive(Clone, Debug)]
struct Kept {
    seconds: f64,
    /// How many took at most as long as each edge, and last of all how many there were, of candidate and baseline.
    counts: [Vec<u64>; 2],
}

/// What has waited so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Waited {
    /// The edges that all lines have.
    edges: Vec<f64>,
    /// The baseline's sum, over all lines.
    sum: Vec<u64>,
    /// Since the first line, in seconds.
    seconds: f64,
    /// The lines of this step.
    kept: Vec<Kept>,
}

/// The edges of a histogram, and those of them that `known` has, where it has any.
fn common(known: &[f64], line: &Increments) -> Vec<f64> {
    let all = line.buckets.iter().flatten().map(|(edge, _)| *edge);
    let is_known = |edge: &f64| known.is_empty() || known.iter().any(|its| latency::same_edge(*its, *edge));
    all.filter(is_known).collect()
}

impl Waited {
    /// What is wrong with a line's histogram beside those before it.
    pub(super) fn unfit(&self, line: &Increments) -> Option<&'static str> {
        let edges = common(&self.edges, line);
        if edges.is_empty() {
            Some("no bucket edge is in all lines so far")
        } else if edges.iter().all(|edge| *edge <= 0.0) {
            Some("no bucket edge that all lines have is above 0 s")
        } else {
            None
        }
    }

    /// Takes a line that spans so many seconds.
    pub(super) fn take(&mut self, [candidate, baseline]: [&Increments; 2], seconds: f64) {
        self.keep_edges(common(&self.edges, candidate));
        let read = |arm: &Increments| -> Vec<u64> {
            let within = |edge: &f64| {
                let mut buckets = arm.buckets.iter().flatten();
                let found = buckets.find(|(its, _)| latency::same_edge(*its, *edge));
                found.map_or(0, |(_, count)| count.0)
            };
            let within = self.edges.iter().map(within);
            within.chain([arm.n.0]).collect()
        };
        let counts = [candidate, baseline].map(read);
        add(&mut self.sum, &counts[1]);
        self.seconds += seconds;
        self.kept.push(Kept { seconds, counts });
        if self.kept.len() > KEPT {
            self.merge();
        }
    }

    /// Only these edges are in all lines.
    fn keep_edges(&mut self, edges: Vec<f64>) {
        if self.sum.is_empty() {
            self.sum = vec![0; edges.len() + 1];
        } else if edges.len() < self.edges.len() {
            let stays = |its: &f64| edges.iter().any(|edge| latency::same_edge(*edge, *its));
            let stay: Vec<bool> = self.edges.iter().map(stays).chain([true]).collect();
            let thin = |counts: &mut Vec<u64>| {
                let mut stay = stay.iter();
                counts.retain(|_| stay.next().is_some_and(|stays| *stays));
            };
            thin(&mut self.sum);
            self.kept
                .iter_mut()
                .flat_map(|line| &mut line.counts)
                .for_each(thin);
        }
        self.edges = edges;
    }

    /// Adds up the two neighbours that are shortest together.
    fn merge(&mut self) {
        let pairs = self.kept.windows(2).map(|pair| pair[0].seconds + pair[1].seconds);
        let shortest = pairs.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        let Some((at, _)) = shortest else {
            return;
        };
        let later = self.kept.remove(at + 1);
        if let Some(line) = self.kept.get_mut(at) {
            line.seconds += later.seconds;
            for (sum, counts) in line.counts.iter_mut().zip(&later.counts) {
                add(sum, counts);
            }
        }
    }

    /// A step begins: of the one before it only the baseline's sum stays, to choose by.
    pub(super) fn begin_step(&mut self) {
        self.kept.clear();
    }

    /// The edges to judge by, once there are requests enough.
    pub(super) fn chosen(&self, slowdown: f64, objective: Option<f64>) -> Option<Vec<Edge>> {
        let requests = self.requests();
        let enough = requests >= ENOUGH || (requests >= LEAST && self.seconds >= PATIENCE);
        enough.then(|| latency::edges(&buckets(&self.edges, &self.sum), slowdown, objective))
    }

    /// What has waited, at these edges: for each line its ticks.
    pub(super) fn ticks<'a>(&'a self, edges: &'a [Edge]) -> impl Iterator<Item = Vec<Tick>> + 'a {
        self.kept.iter().map(|line| {
            let [candidate, baseline] = line.counts.each_ref().map(|counts| buckets(&self.edges, counts));
            let tick = |edge: &Edge| {
                Tick::new(
                    latency::slower_than(&candidate, edge.candidate),
                    latency::slower_than(&baseline, edge.baseline),
                    line.seconds,
                )
            };
            edges.iter().map(tick).collect()
        })
    }

    /// Requests of the baseline so far.
    fn requests(&self) -> u64 {
        self.sum.last().copied().unwrap_or_default()
    }

    /// What is waited for.
    pub(super) fn reason(&self, name: &str) -> String {
        match self.requests() {
            0 => format!("{name}: no request of the baseline yet"),
            so_far => format!(
                "{name}: its edges are chosen from {ENOUGH} requests of the baseline, or from {LEAST} after {:.0} min: {so_far} so far",
                PATIENCE / 60.0
            ),
        }
    }
}

fn add(sum: &mut [u64], counts: &[u64]) {
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum = sum.saturating_add(*count);
    }
}

fn buckets(edges: &[f64], counts: &[u64]) -> Vec<Bucket> {
    let edges = edges.iter().copied().chain([f64::INFINITY]);
    let bucket = |(edge, count): (f64, &u64)| Bucket { edge, count: *count };
    edges.zip(counts).map(bucket).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::judge::line::Whole;
    use crate::stats::Counts;

    /// A histogram of so many requests; a half took at most 50 ms, nine tenths at most 100 ms.
    fn arm(n: u64) -> Increments {
        Increments {
            n: Whole(n),
            x: None,
            buckets: Some(vec![(0.05, Whole(n / 2)), (0.1, Whole(n * 9 / 10))]),
        }
    }

    #[test]
    fn nothing_is_lost_where_lines_are_added_up() {
        let mut waited = Waited::default();
        for _ in 0..300 {
            waited.take([&arm(10), &arm(0)], 1.0);
        }
        assert!(waited.kept.len() <= KEPT);
        let longest = waited.kept.iter().map(|line| line.seconds).fold(0.0, f64::max);
        assert!(longest <= 64.0, "{longest}");
        assert_eq!(waited.chosen(0.0, None), None);
        waited.take([&arm(0), &arm(100)], 0.5);
        let edges = waited.chosen(0.0, None).unwrap();
        assert_eq!(edges.len(), 2);
        let (mut seconds, mut slow) = (0.0, Counts::default());
        for ticks in waited.ticks(&edges) {
            seconds += ticks[1].seconds;
            slow = slow.plus(ticks[1].candidate);
        }
        assert_eq!((seconds, slow), (300.5, Counts::new(3_000, 300)));
    }

    #[test]
    fn more_requests_need_less_time() {
        let chosen = |n: u64, seconds: f64| {
            let mut waited = Waited::default();
            waited.take([&arm(1), &arm(n)], seconds);
            waited.chosen(0.0, None).is_some()
        };
        assert!(chosen(ENOUGH, 1.0) && !chosen(ENOUGH - 1, 299.0));
        assert!(chosen(LEAST, 300.0) && !chosen(LEAST - 1, 1e6));
    }
}

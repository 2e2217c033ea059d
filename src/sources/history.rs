//! The baseline's past: what each of its targets has served, evaluation by evaluation, before a release begins.
//!
//! It only teaches the judge what is normal. Whatever of it cannot be had is left out, never guessed.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::counters::{EDGE_LABEL, Labels, Target, wrong};
use super::native;
use super::promql::{Arm, TemplateError};
use super::queries::{ArmQueries, Queries};
use crate::ports::{Increment, MetricSource, Sample, Samples, SourceError, Span};

/// How many evaluations of native histograms are asked for at once, while the answers are small enough.
const PIECE: usize = 60;
/// The most questions for the past of native histograms.
const MAX_PIECES: usize = 24;

/// What the targets of an arm (pods, or gateways) have served.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Past {
    /// Evaluation by evaluation, from the first on that knew the arm; in each the targets in the same order.
    pub ticks: Vec<Vec<Increment>>,
    /// Requests a second over these evaluations.
    pub pace: f64,
}

/// Why there is no past.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoPast {
    /// The query cannot be filled in.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The server gave nothing.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl NoPast {
    /// Whether asking again can help.
    pub const fn transient(&self) -> bool {
        match self {
            Self::Template(_) => false,
            Self::Source(error) => error.transient(),
        }
    }
}

/// Reads what `arm` has served at each evaluation of `span`; a histogram at the arm's edges. What is too much of native
/// histograms is left out, the oldest first.
///
/// # Errors
/// The server does not say.
pub async fn past(
    source: &dyn MetricSource,
    queries: &Queries,
    arm: &Arm,
    span: Span,
) -> Result<Past, NoPast> {
    let rendered = queries.render(arm)?;
    let total = if queries.is_native() {
        piecewise(source, &rendered, span).await?
    } else {
        rendered.totals_of(source, span).await?
    };
    let bad = match &rendered.bad {
        Some(bad) => source.range(bad, span).await?,
        None => Samples::new(),
    };
    let edges = queries.unit().map(|_| arm.edges.as_slice());
    Ok(fold(&total, &bad, edges, span))
}

/// The latest of `span`, in as few questions as the size of the answers allows, and no more than [`MAX_PIECES`]: a native
/// histogram is told with all its buckets.
async fn piecewise(
    source: &dyn MetricSource,
    queries: &ArmQueries,
    span: Span,
) -> Result<Samples, SourceError> {
    let times: Vec<Timestamp> = span.times().collect();
    let (mut all, mut left, mut size) = (Samples::new(), times.as_slice(), PIECE);
    for _ in 0..MAX_PIECES {
        let (earlier, piece) = left.split_at(left.len().saturating_sub(size));
        let (Some(start), Some(end)) = (piece.first(), piece.last()) else {
            break;
        };
        let piece = Span {
            start: *start,
            end: *end,
            step: span.step,
        };
        match queries.totals_of(source, piece).await {
            Ok(samples) => {
                all.extend(samples);
                left = earlier;
            }
            Err(SourceError::Unusable(_)) if size > 1 => size = size.div_ceil(4),
            Err(_) if !all.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    Ok(all)
}

/// A histogram's past, for the choice of edges.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shape {
    /// Edges in rising order, in the histogram's own unit, and how many requests took at most so long.
    pub counts: Vec<(f64, u64)>,
    /// All finite edges that can be read: those of `counts`, and others.
    pub readable: Vec<f64>,
}

/// How many requests took at most so long from the first evaluation of `span` to its last, edge by edge.
///
/// # Errors
/// The server does not say.
pub async fn histogram(
    source: &dyn MetricSource,
    queries: &Queries,
    arm: &Arm,
    span: Span,
) -> Result<Shape, NoPast> {
    let rendered = queries.render(&arm.at(Vec::new()))?;
    if !queries.is_native() {
        let now = source.instant(&rendered.total, span.end).await?;
        let before = source.instant(&rendered.total, span.start).await?;
        let counts = grown(&now, &before);
        let edges = counts.iter().map(|it| it.0);
        let readable = edges.filter(|edge| edge.is_finite() && *edge > 0.0).collect();
        return Ok(Shape { counts, readable });
    }
    let now = source.histograms(&rendered.total, span.end).await?;
    let before = source.histograms(&rendered.total, span.start).await?;
    let bounds = native::bounds(&now);
    let at = |histograms| native::cumulative(histograms, &bounds.lasting);
    Ok(Shape {
        counts: grown(&at(&now)?, &at(&before)?),
        readable: bounds.finer,
    })
}

/// By how much the cumulative buckets of all series have grown, edge by edge in rising order.
fn grown(now: &[Sample], before: &[Sample]) -> Vec<(f64, u64)> {
    let before = before.iter().filter(|it| can_count(it));
    let before: BTreeMap<&Labels, f64> = before.map(|it| (&it.labels, it.value)).collect();
    let mut edges: Vec<(f64, f64)> = Vec::new();
    for sample in now.iter().filter(|it| can_count(it)) {
        let Some(edge) = edge(&sample.labels) else {
            continue;
        };
        let grown = sample.value - before.get(&sample.labels).copied().unwrap_or(0.0);
        let grown = if grown < 0.0 { sample.value } else { grown };
        match edges.iter_mut().find(|(known, _)| known.total_cmp(&edge).is_eq()) {
            Some((_, count)) => *count += grown,
            None => edges.push((edge, grown)),
        }
    }
    edges.sort_by(|a, b| a.0.total_cmp(&b.0));
    let whole = |(edge, count): (f64, f64)| (edge, count.max(0.0).round() as u64);
    edges.into_iter().map(whole).collect()
}

/// Whether a counter can have this value. One that cannot is left out: it does not end what the others teach.
fn can_count(sample: &Sample) -> bool {
    wrong(sample.value).is_none()
}

fn edge(labels: &Labels) -> Option<f64> {
    let edge: f64 = labels.get(EDGE_LABEL)?.parse().ok()?;
    (!edge.is_nan()).then_some(edge)
}

/// Which part of its target's count a sample is: 0 for all requests, then the bad ones or those within each edge.
fn part(sample: &Sample, edges: Option<&[f64]>) -> Option<usize> {
    let Some(edges) = edges else { return Some(0) };
    let edge = edge(&sample.labels)?;
    if edge.is_infinite() {
        return Some(0);
    }
    let same = |wanted: &f64| (edge - wanted).abs() <= 1e-9 * wanted.abs();
    edges.iter().position(same).map(|index| index + 1)
}

/// What every series has grown by, summed by target.
fn fold(total: &Samples, bad: &Samples, edges: Option<&[f64]>, span: Span) -> Past {
    let parts = edges.map_or(1, <[f64]>::len);
    let mut targets: Vec<Target> = Vec::new();
    let mut last: BTreeMap<(usize, Labels), f64> = BTreeMap::new();
    let (mut ticks, mut known): (Vec<Vec<Vec<u64>>>, bool) = (Vec::new(), false);
    for at in span.times() {
        let mut grown = vec![vec![0_u64; 1 + parts]; targets.len()];
        let now = |all: &Samples| all.get(&at).cloned().unwrap_or_default();
        let all = now(total)
            .into_iter()
            .filter_map(|sample| Some((part(&sample, edges)?, sample)))
            .chain(now(bad).into_iter().map(|sample| (1, sample)));
        let mut seen = false;
        for (part, sample) in all.filter(|(_, sample)| can_count(sample)) {
            seen = true;
            let target = Target::of(&sample.labels);
            let index = targets.iter().position(|it| *it == target);
            let new = index.is_none();
            let index = index.unwrap_or_else(|| {
                targets.push(target);
                grown.push(vec![0; 1 + parts]);
                targets.len() - 1
            });
            let before = last.insert((part, sample.labels), sample.value);
            let step = match before {
                Some(before) if sample.value >= before => sample.value - before,
                Some(_) => sample.value,
                // A target's first error opens a series; a target's own first samples are only its base.
                None if known && !new => sample.value,
                None => 0.0,
            };
            let count = &mut grown[index][part];
            *count = count.saturating_add(step.round() as u64);
        }
        if known {
            ticks.push(grown);
        }
        known |= seen;
    }
    finish(ticks, targets.len(), edges.is_some(), span)
}

fn finish(ticks: Vec<Vec<Vec<u64>>>, targets: usize, histogram: bool, span: Span) -> Past {
    let increment = |grown: &Vec<u64>| {
        let requests = grown[0];
        let bad = |part: &u64| {
            if histogram {
                requests.saturating_sub(*part)
            } else {
                (*part).min(requests)
            }
        };
        Increment {
            requests,
            bad: grown[1..].iter().map(bad).collect(),
        }
    };
    let seconds = ticks.len() as f64 * span.step.as_secs_f64();
    let each = ticks.iter().flatten().map(|grown| grown[0]);
    let requests = each.fold(0, u64::saturating_add);
    let pace = if seconds > 0.0 {
        requests as f64 / seconds
    } else {
        0.0
    };
    let absent = || Increment {
        requests: 0,
        bad: Vec::new(),
    };
    let complete = |tick: Vec<Vec<u64>>| {
        let mut all: Vec<Increment> = tick.iter().map(increment).collect();
        all.resize_with(targets, absent);
        all
    };
    Past {
        ticks: ticks.into_iter().map(complete).collect(),
        pace,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn second(at: i64) -> Timestamp {
        Timestamp::from_second(at).expect("in range")
    }

    fn span(points: i64) -> Span {
        Span {
            start: second(0),
            end: second(10 * (points - 1)),
            step: Duration::from_secs(10),
        }
    }

    fn sample(pod: &str, more: (&str, &str), value: f64, at: i64) -> Sample {
        let labels = [("pod", pod), more].map(|(name, value)| (name.to_owned(), value.to_owned()));
        Sample {
            labels: labels.into(),
            value,
            at: second(at),
        }
    }

    fn samples(rows: &[(i64, &str, (&str, &str), f64)]) -> Samples {
        let mut all = Samples::new();
        for (at, pod, more, value) in rows {
            all.entry(second(*at))
                .or_default()
                .push(sample(pod, *more, *value, *at));
        }
        all
    }

    #[test]
    fn each_pod_is_counted_by_itself_from_the_first_evaluation_that_knew_one() {
        let (good, bad) = (("code", "200"), ("code", "500"));
        let total = samples(&[
            (10, "a", good, 1_000.0),
            (20, "a", good, 1_100.0),
            (20, "b", good, 70.0),
            (30, "a", good, 1_190.0),
            (30, "a", bad, 3.0),
            (30, "b", good, 30.0),
        ]);
        let errors = samples(&[(30, "a", bad, 3.0)]);
        let past = fold(&total, &errors, None, span(4));
        let pairs: Vec<Vec<(u64, u64)>> = past
            .ticks
            .iter()
            .map(|tick| tick.iter().map(|it| (it.requests, it.bad.iter().sum())).collect())
            .collect();
        // The first only sets the base, so does a pod's own first sample; `b` was restarted.
        assert_eq!(pairs, [[(100, 0), (0, 0)], [(93, 3), (30, 0)]]);
        assert!((past.pace - 223.0 / 20.0).abs() < 1e-9);
    }

    #[test]
    fn a_histogram_is_counted_at_its_edges() {
        let rows: Vec<(i64, &str, (&str, &str), f64)> = [(0, [5.0, 8.0, 10.0]), (10, [9.0, 16.0, 20.0])]
            .into_iter()
            .flat_map(|(at, values)| {
                let edges = ["0.1", "1", "+Inf"];
                let row = |(edge, value)| (at, "a", ("le", edge), value);
                edges.into_iter().zip(values).map(row).collect::<Vec<_>>()
            })
            .collect();
        let past = fold(&samples(&rows), &Samples::new(), Some(&[0.1, 1.0]), span(2));
        assert_eq!(
            past.ticks,
            [[Increment {
                requests: 10,
                bad: vec![6, 2]
            }]]
        );
    }

    #[test]
    fn what_no_counter_can_be_is_left_out() {
        let mut rows: Vec<(i64, &str, (&str, &str), f64)> = Vec::new();
        for (at, a) in [
            (0, 5.0),
            (10, 1.8e19),
            (20, 105.0),
            (30, -7.0),
            (40, f64::NAN),
            (50, 110.0),
        ] {
            rows.push((at, "a", ("code", "200"), a));
            rows.push((at, "a", ("code", "204"), a));
        }
        let past = fold(&samples(&rows), &samples(&rows), None, span(6));
        let counted: Vec<(u64, u64)> = past
            .ticks
            .iter()
            .map(|tick| (tick[0].requests, tick[0].bad[0]))
            .collect();
        assert_eq!(counted, [(0, 0), (200, 200), (0, 0), (0, 0), (10, 10)]);
        let labels: Labels = [("le".to_owned(), "1".to_owned())].into();
        let bucket = |value| Sample {
            labels: labels.clone(),
            value,
            at: second(0),
        };
        assert_eq!(grown(&[bucket(1.8e19)], &[]), []);
        assert_eq!(grown(&[bucket(9.0)], &[bucket(-2.0)]), [(1.0, 9)]);
    }

    #[test]
    fn the_greatest_counters_are_summed_without_overflow() {
        let most = 9_007_199_254_740_992.0;
        let pods: Vec<String> = (0..1_500).map(|pod| pod.to_string()).collect();
        let mut rows: Vec<(i64, &str, (&str, &str), f64)> = Vec::new();
        for at in [0, 10, 20] {
            let value = if at == 10 { most } else { 0.0 };
            rows.extend(pods.iter().map(|pod| (at, "a", ("series", pod.as_str()), value)));
            rows.extend(pods.iter().map(|pod| (at, "b", ("series", pod.as_str()), value)));
        }
        let past = fold(&samples(&rows), &Samples::new(), None, span(3));
        assert!(past.pace > 1e17, "{}", past.pace);
    }

    #[test]
    fn without_samples_there_is_no_past() {
        assert_eq!(
            fold(&Samples::new(), &Samples::new(), None, span(5)),
            Past::default()
        );
    }
}

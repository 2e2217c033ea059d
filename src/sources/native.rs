//! Native histograms, counted at edges as classic buckets are.
//!
//! Invariants:
//! - nothing is interpolated: an edge that lies within a bucket that has counted something has no count. The server's
//!   own `histogram_fraction` interpolates there without a word, and often to a whole number; so the buckets are read;
//! - what contradicts itself is an error, never a count.
//!
//! A native histogram's schema is not in the answer and not needed: only whether a bucket spans an edge matters. So
//! standard and custom buckets, several schemas at a time and a schema that changes are one case.

use std::cmp::Ordering;

use super::counters::EDGE_LABEL;
use crate::ports::{Histogram, NativeBucket, Sample, SourceError};

/// Relative tolerance for matching a bucket's bound with an edge: bounds such as √2 are rounded when printed.
const TOLERANCE: f64 = 1e-9;
/// Relative slack by which the buckets' sum may exceed the count: sums of floats are rounded.
const ROUNDING: f64 = 1e-6;
/// The finest bounds that are used: four to an octave. A client that limits its buckets to 100 or 160 makes them coarser
/// as it sees more extreme times, but has to span 25 octaves before it gives these up.
const FINEST: i32 = 2;
/// Where edges are looked for at all.
const WIDEST: (f64, f64) = (1e-12, 1e12);
/// Where a user's own time may lie: a microsecond to an hour, in seconds or in milliseconds.
const TIMES: (f64, f64) = (1e-6, 3.6e6);

/// The cumulative count of each histogram at each of `edges`, with a label `le`, and that of all. An edge at which
/// nobody can tell is left out.
///
/// # Errors
/// A histogram that contradicts itself.
pub(super) fn cumulative(histograms: &[Histogram], edges: &[f64]) -> Result<Vec<Sample>, SourceError> {
    let mut samples = Vec::with_capacity(histograms.len() * (1 + edges.len()));
    for histogram in histograms {
        check(histogram)?;
        let sample = |edge: String, value: f64| {
            let mut labels = histogram.labels.clone();
            labels.insert(EDGE_LABEL.to_owned(), edge);
            let at = histogram.at;
            Sample { labels, value, at }
        };
        samples.push(sample("+Inf".to_owned(), histogram.count));
        let within = |edge: &f64| Some(sample(edge.to_string(), within(histogram, *edge)?));
        samples.extend(edges.iter().filter_map(within));
    }
    Ok(samples)
}

/// Bounds at which every one of some histograms can be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    /// Where to compare: powers of two, which every schema of 0 and above has, so that they last when a client makes
    /// its buckets coarser and when two versions differ in it. Of custom buckets all that were seen.
    pub(super) lasting: Vec<f64>,
    /// Those, up to three between two of them, and faster and slower ones than were seen: where a time of the user's own
    /// is looked up.
    pub(super) finer: Vec<f64>,
}

/// The bounds of `histograms`, in rising order.
pub(super) fn bounds(histograms: &[Histogram]) -> Bounds {
    let buckets = || {
        let all = histograms.iter().flat_map(|histogram| &histogram.buckets);
        all.filter(|bucket| bucket.count > 0.0)
    };
    let exact = |edges: Vec<f64>| -> Vec<f64> {
        let known = |edge: &f64| histograms.iter().all(|it| within(it, *edge).is_some());
        edges.into_iter().filter(known).collect()
    };
    let (mut schema, mut ends) = (None, Vec::new());
    let mut custom = false;
    for bucket in buckets() {
        match layout(bucket) {
            Layout::Custom => custom = true,
            Layout::Standard(own) => schema = Some(schema.map_or(own, |known: i32| known.min(own))),
            Layout::Other => continue,
        }
        ends.extend([bucket.lower, bucket.upper]);
    }
    ends.retain(|end| end.is_finite() && *end > 0.0);
    ends.sort_by(f64::total_cmp);
    ends.dedup();
    if custom {
        let seen = exact(ends);
        return Bounds {
            lasting: seen.clone(),
            finer: seen,
        };
    }
    let (Some(schema), Some(low), Some(high)) = (schema, ends.first(), ends.last()) else {
        return Bounds::default();
    };
    Bounds {
        lasting: exact(powers(schema.min(0), (*low, *high))),
        finer: exact(powers(schema.min(FINEST), (low.min(TIMES.0), high.max(TIMES.1)))),
    }
}

/// How the bounds of a bucket came to be.
enum Layout {
    /// By schema: so many halvings of an octave lie between them, or doublings where it is below 0.
    Standard(i32),
    /// By the user, or a classic histogram's.
    Custom,
    /// It does not show, and holds no bound of use: around zero, below it, or beyond all numbers.
    Other,
}

fn layout(bucket: &NativeBucket) -> Layout {
    let NativeBucket { lower, upper, .. } = *bucket;
    if lower.is_infinite() && upper > 0.0 {
        return Layout::Custom;
    }
    if upper <= 0.0 || lower.total_cmp(&-upper).is_eq() || lower >= f64::MAX {
        return Layout::Other;
    }
    if lower <= 0.0 || upper.is_infinite() {
        return Layout::Custom;
    }
    let octaves = (upper / lower).log2();
    let schema = -octaves.log2().round();
    let steps = upper.log2() * schema.exp2();
    let regular = (octaves * schema.exp2() - 1.0).abs() < 1e-6 && (steps - steps.round()).abs() < 1e-6;
    if regular && (-4.0..=8.0).contains(&schema) {
        Layout::Standard(schema as i32)
    } else {
        Layout::Custom
    }
}

/// The bounds of a schema from `low` to `high`.
fn powers(schema: i32, (low, high): (f64, f64)) -> Vec<f64> {
    let to_octave = f64::from(schema).exp2();
    let place = |end: f64| end.clamp(WIDEST.0, WIDEST.1).log2() * to_octave;
    let (first, last) = (
        (place(low) - TOLERANCE).ceil() as i32,
        (place(high) + TOLERANCE).floor() as i32,
    );
    // Whole octaves by themselves: a power of two is exact.
    let bound = |step: i32| {
        let octaves = f64::from(step) / to_octave;
        2.0_f64.powi(octaves.floor() as i32) * octaves.fract().rem_euclid(1.0).exp2()
    };
    (first..=last).map(bound).collect()
}

/// How many of a histogram's observations were at most `edge`, which is above zero; `None` where that lies within a
/// bucket that has counted something.
fn within(histogram: &Histogram, edge: f64) -> Option<f64> {
    let mut sum = 0.0;
    for bucket in histogram.buckets.iter().filter(|bucket| bucket.count > 0.0) {
        if bucket.upper <= edge * (1.0 + TOLERANCE) {
            sum += bucket.count;
        } else if bucket.lower < edge * (1.0 - TOLERANCE) {
            return None;
        }
    }
    Some(sum)
}

/// What a histogram must be for its counts to mean anything. That of all is checked where it is used.
fn check(histogram: &Histogram) -> Result<(), SourceError> {
    let wrong = |why: &str| Err(SourceError::Unusable(format!("a native histogram {why}")));
    let mut sum = 0.0;
    for bucket in &histogram.buckets {
        if !bucket.count.is_finite() || bucket.count < 0.0 {
            return wrong("has a bucket whose count is none");
        }
        if bucket.lower.partial_cmp(&bucket.upper) != Some(Ordering::Less) {
            return wrong("has a bucket without width");
        }
        sum += bucket.count;
    }
    if sum > histogram.count * (1.0 + ROUNDING) {
        return wrong("holds more in its buckets than it has counted");
    }
    Ok(())
}

#[cfg(test)]
mod tests;

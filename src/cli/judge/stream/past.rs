//! The baseline's past, as a line of its own tells it.

use std::collections::BTreeMap;

use super::Stream;
use super::check::LATEST;
use crate::cli::judge::line::{Increments, Past};
use crate::cli::judge::metric::{buckets, increments_sound};
use crate::cli::judge::rules::Rules;
use crate::stats::history::background_of;
use crate::stats::latency::{self, Bucket, Edge};
use crate::stats::{Background, Counts};

/// What the baseline's past tells.
#[derive(Clone, Debug)]
pub(super) struct Known {
    /// Of every metric of counts that has no past of its own.
    general: Option<Background>,
    /// Of those that have.
    metrics: BTreeMap<String, Of>,
    /// Requests a second.
    pub(super) pace: f64,
    /// Its last moment.
    pub(super) until: f64,
}

/// What the past tells of one metric.
#[derive(Clone, Debug)]
enum Of {
    Counts(Background),
    /// The edges that are compared, and what is normal at each.
    Histogram(Vec<(Edge, Background)>),
}

impl Known {
    /// The edges to compare a histogram at; `None` where the past does not tell.
    pub(super) fn edges(&self, metric: &str) -> Option<Vec<Edge>> {
        match self.metrics.get(metric)? {
            Of::Counts(_) => None,
            Of::Histogram(edges) => {
                let edges: Vec<Edge> = edges.iter().map(|(edge, _)| *edge).collect();
                (!edges.is_empty()).then_some(edges)
            }
        }
    }

    /// What is normal for each comparison of a metric; nothing where the past does not tell.
    pub(super) fn backgrounds(&self, metric: &str, latency: bool) -> Vec<Background> {
        match (self.metrics.get(metric), latency) {
            (Some(Of::Histogram(edges)), true) => edges.iter().map(|(_, past)| *past).collect(),
            (Some(Of::Counts(past)), false) => vec![*past],
            (_, true) => Vec::new(),
            (_, false) => self.general.into_iter().collect(),
        }
    }
}

impl Stream {
    /// Learns the baseline's past.
    pub(in crate::cli::judge) fn learn(&mut self, past: &[Past<'_>], rules: &Rules) -> Result<(), String> {
        if self.has_begun() {
            return Err("history must come before the stream's first scrape: put its line first".into());
        }
        let (false, Some(latest)) = (self.past.is_some(), past.last()) else {
            let wrong = if past.is_empty() {
                "history is empty"
            } else {
                "the stream has a history already: it is one line"
            };
            return Err(wrong.into());
        };
        sound(past)?;
        let span = match past {
            [first, .., last] => (last.t - first.t) * past.len() as f64 / (past.len() - 1) as f64,
            _ => 0.0,
        };
        let seconds = span / past.len().max(1) as f64;
        let pods: Vec<Vec<Counts>> = past
            .iter()
            .map(|moment| moment.pods.iter().map(|(n, x)| Counts::new(n.0, x.0)).collect())
            .collect();
        let general = pods.iter().any(|tick| !tick.is_empty()).then(|| {
            let tolerated = rules.settings("", false).map(|settings| settings.tolerated());
            tolerated.map(|tolerated| background_of(&pods, seconds, tolerated))
        });
        let mut metrics = BTreeMap::new();
        for name in past
            .iter()
            .flat_map(|moment| moment.metrics.iter().map(|(name, _)| name))
        {
            if !metrics.contains_key(name) {
                metrics.insert(name.to_owned(), of(name, past, seconds, rules)?);
            }
        }
        self.past = Some(Known {
            general: general.transpose()?,
            metrics,
            pace: if span > 0.0 { requests(past) / span } else { 0.0 },
            until: latest.t,
        });
        Ok(())
    }
}

/// All requests of the past: those of its pods, or else of the first metric that has a past of its own.
fn requests(past: &[Past<'_>]) -> f64 {
    let pods = || past.iter().flat_map(|moment| &moment.pods);
    if pods().next().is_some() {
        return pods().map(|(n, _)| n.0 as f64).sum();
    }
    let first = past.iter().find_map(|moment| moment.metrics.iter().next());
    let name = first.map_or("", |(name, _)| name);
    let all = past.iter().filter_map(|moment| moment.metrics.get(name));
    all.flatten().map(|pod| pod.n.0 as f64).sum()
}

/// What is wrong with a past.
fn sound(past: &[Past<'_>]) -> Result<(), String> {
    let mut before = None;
    for moment in past {
        if moment.t.abs() > LATEST {
            return Err(format!(
                "history: t is out of range: {:e}: it is in seconds, not milliseconds",
                moment.t
            ));
        }
        if before.is_some_and(|before| moment.t <= before) {
            return Err(format!(
                "history goes back in time at {}: order its moments by t",
                moment.t
            ));
        }
        before = Some(moment.t);
        if let Some((n, x)) = moment.pods.iter().find(|(n, x)| x > n) {
            return Err(format!(
                "history at {}: x is {} but n only {}: write [n, x], all requests before the bad ones",
                moment.t, x.0, n.0
            ));
        }
        for (name, pods) in moment.metrics.iter() {
            let wrong = pods.iter().find_map(|pod| increments_sound(pod).err());
            if let Some(wrong) = wrong {
                return Err(format!("history at {}: metric {name}: {wrong}", moment.t));
            }
        }
    }
    Ok(())
}

/// What the past tells of a metric that has one of its own.
fn of(name: &str, past: &[Past<'_>], seconds: f64, rules: &Rules) -> Result<Of, String> {
    let pods: Vec<&[Increments]> = past
        .iter()
        .map(|moment| moment.metrics.get(name).map_or(&[][..], Vec::as_slice))
        .collect();
    let histograms = pods
        .iter()
        .flat_map(|tick| tick.iter())
        .filter(|pod| pod.buckets.is_some());
    let all = pods.iter().map(|tick| tick.len()).sum::<usize>();
    let latency = match histograms.count() {
        0 => false,
        some if some == all => true,
        _ => {
            return Err(format!(
                "history: metric {name} has both x and buckets: one of them must go"
            ));
        }
    };
    let tolerated = rules.settings(name, latency)?.tolerated();
    let ticks = |count: &dyn Fn(&Increments) -> Counts| -> Vec<Vec<Counts>> {
        pods.iter().map(|tick| tick.iter().map(count).collect()).collect()
    };
    if !latency {
        let count = |pod: &Increments| Counts::new(pod.n.0, pod.x.unwrap_or_default().0);
        return Ok(Of::Counts(background_of(&ticks(&count), seconds, tolerated)));
    }
    let (slowdown, objective) = rules.slowdown(name);
    let edges = latency::edges(&summed(&pods), slowdown, objective);
    let normal = |edge: Edge| {
        let count = |pod: &Increments| latency::slower_than(&buckets(pod), edge.baseline);
        (edge, background_of(&ticks(&count), seconds, tolerated))
    };
    Ok(Of::Histogram(edges.into_iter().map(normal).collect()))
}

/// All histograms of a past as one.
fn summed(pods: &[&[Increments]]) -> Vec<Bucket> {
    let mut sum: Vec<Bucket> = Vec::new();
    for bucket in pods.iter().flat_map(|tick| tick.iter()).flat_map(buckets) {
        match sum
            .iter_mut()
            .find(|known| known.edge.total_cmp(&bucket.edge).is_eq())
        {
            Some(known) => known.count = known.count.saturating_add(bucket.count),
            None => sum.push(bucket),
        }
    }
    sum.sort_by(|a, b| a.edge.total_cmp(&b.edge));
    sum
}

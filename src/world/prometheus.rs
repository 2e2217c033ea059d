//! A Prometheus that scrapes the gateway and the pods, and answers instant queries.

mod providers;
mod query;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::api_server::resources;
use super::controllers::pods::image_name;
use super::image::Image;
use super::json::{self, text};
use super::object::later;
use super::state::{Shared, State};
use super::traffic::counters::{self, Native, Series};
use crate::ports::{BoxFuture, Histogram, MetricSource, Sample, SourceError};
pub use providers::Simulated;
use query::{Query, Vector};

/// How far back a sample may lie.
const LOOKBACK: SignedDuration = SignedDuration::from_mins(5);
/// How long samples are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(2);

/// What is wrong with the metric provider.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetricFault {
    /// Nothing.
    #[default]
    None,
    /// Queries fail and nothing is scraped.
    Down,
    /// Queries are answered by this HTTP status.
    Status(u16),
    /// Every value is NaN.
    Nan,
    /// Every answer is empty.
    Empty,
    /// Every second series of an answer is missing.
    Partial,
    /// Nothing is scraped any more, and old samples go stale.
    Frozen,
}

/// The samples of one series, oldest first; none marks the end of the series.
type Points<T> = VecDeque<(Timestamp, Option<T>)>;

/// Series by name and labels.
type Families<T> = BTreeMap<String, BTreeMap<BTreeMap<String, String>, Points<T>>>;

/// The time series database.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) interval: Duration,
    pub(super) fault: MetricFault,
    next: Option<Timestamp>,
    series: Families<f64>,
    histograms: Families<Arc<Native>>,
}

impl Database {
    pub(super) fn new(interval: Duration) -> Self {
        Self {
            interval,
            fault: MetricFault::None,
            next: None,
            series: BTreeMap::new(),
            histograms: BTreeMap::new(),
        }
    }

    /// What a query gives at a time.
    fn at(&self, query: &Query, at: Timestamp) -> Vec<Sample> {
        query.answer(|vector| self.select(vector, at), at)
    }

    /// The value of each selected series.
    fn select(&self, vector: &Vector, at: Timestamp) -> Vec<Sample> {
        if let Some(within) = vector.resets() {
            return self.resets(vector, within, at);
        }
        let sample = |(labels, value): (&BTreeMap<String, String>, &f64)| Sample {
            labels: labels.clone(),
            value: *value,
            at,
        };
        select(&self.series, vector, at).map(sample).collect()
    }

    /// How often each selected series has fallen within the time before `at`.
    fn resets(&self, vector: &Vector, within: SignedDuration, at: Timestamp) -> Vec<Sample> {
        let named = |name: &String| vector.name().is_none_or(|wanted| wanted == name);
        let families = self.series.iter().filter(|(name, _)| named(name));
        let all = families.flat_map(|(name, family)| family.iter().map(move |it| (name, it.0, it.1)));
        let selected = all.filter(|(name, labels, _)| vector.matches(name, labels));
        let counted = selected.filter_map(|(_, labels, points)| {
            let inside = |time: &Timestamp| *time <= at && at.duration_since(*time) < within;
            let points = points.iter().filter(|(time, _)| inside(time));
            let values: Vec<f64> = points.filter_map(|(_, value)| *value).collect();
            let falls = values.windows(2).filter(|pair| pair[1] < pair[0]).count();
            (!values.is_empty()).then(|| Sample {
                labels: labels.clone(),
                value: falls as f64,
                at,
            })
        });
        counted.collect()
    }

    /// Each selected native histogram at a time.
    fn histograms_at(&self, vector: &Vector, at: Timestamp) -> Vec<Histogram> {
        let histogram = |(labels, native): (&BTreeMap<String, String>, &Arc<Native>)| Histogram {
            labels: labels.clone(),
            count: native.count,
            buckets: native.buckets.clone(),
            at,
        };
        select(&self.histograms, vector, at).map(histogram).collect()
    }
}

fn record<T>(families: &mut Families<T>, now: Timestamp, samples: Vec<(Series, T)>) {
    for (series, value) in samples {
        let family = families.entry(series.name).or_default();
        let points = family.entry(series.labels).or_default();
        points.push_back((now, Some(value)));
    }
    for family in families.values_mut() {
        family.retain(|_, points| {
            // A series without a sample in this scrape has ended.
            if points
                .back()
                .is_some_and(|(at, value)| *at != now && value.is_some())
            {
                points.push_back((now, None));
            }
            while points
                .front()
                .is_some_and(|(at, _)| now.duration_since(*at) > KEPT)
            {
                points.pop_front();
            }
            !points.is_empty()
        });
    }
}

/// The labels and the value of each selected series at a time.
fn select<'a, T>(
    families: &'a Families<T>,
    vector: &'a Vector,
    at: Timestamp,
) -> impl Iterator<Item = (&'a BTreeMap<String, String>, &'a T)> {
    let selected = move |(name, family): (&'a String, &'a BTreeMap<BTreeMap<String, String>, Points<T>>)| {
        family
            .iter()
            .filter(move |(labels, _)| vector.matches(name, labels))
    };
    let families: Vec<_> = match vector.name() {
        Some(name) => families.get_key_value(name).into_iter().collect(),
        None => families.iter().collect(),
    };
    let value = move |(labels, points): (&'a BTreeMap<String, String>, &'a Points<T>)| {
        let last = points.partition_point(|(time, _)| *time <= at).checked_sub(1)?;
        let (time, value) = points.get(last)?;
        let fresh = at.duration_since(*time) < LOOKBACK;
        Some((labels, value.as_ref().filter(|_| fresh)?))
    };
    families.into_iter().flat_map(selected).filter_map(value)
}

/// Scrapes all targets when it is time.
pub(super) fn scrape(state: &mut State, now: Timestamp) {
    if state.metrics.next.is_some_and(|next| next > now) {
        return;
    }
    state.metrics.next = Some(later(now, state.metrics.interval));
    forget_removed(state);
    if matches!(state.metrics.fault, MetricFault::Down | MetricFault::Frozen) {
        return;
    }
    let (mut samples, mut contained, mut natives) = (Vec::new(), Vec::new(), Vec::new());
    let mut target = |own: Vec<(Series, f64)>, labels: &[(&str, &str)], born: Timestamp| {
        let seconds = born.as_millisecond() as f64 / 1_000.0;
        let always = [
            (Series::new("up", &[]), 1.0),
            (Series::new("process_start_time_seconds", &[]), seconds),
        ];
        for (mut series, value) in own.into_iter().chain(always) {
            for (key, value) in labels {
                series.labels.insert((*key).to_owned(), (*value).to_owned());
            }
            samples.push((series, value));
        }
    };
    let labels = [
        ("job", "envoy"),
        ("instance", "10.244.255.1:8002"),
        ("namespace", "projectcontour"),
        ("pod", "envoy-1"),
    ];
    target(state.traffic.counters.gateway_samples(), &labels, state.epoch);
    for pod in state.store.list(resources::plural("", "pods"), "") {
        let (namespace, name, ip) = (json::namespace(pod), json::name(pod), text(pod, "/status/podIP"));
        if let Some(born) = state.cluster.born.get(json::uid(pod)).filter(|_| !ip.is_empty()) {
            let instance = format!("{ip}:8080");
            let labels = [
                ("job", "pods"),
                ("instance", &instance),
                ("namespace", namespace),
                ("pod", name),
            ];
            let image = image(state, pod);
            target(
                state.traffic.counters.pod_samples((namespace, name), &image),
                &labels,
                *born,
            );
            contained.extend(container(state, pod, now.duration_since(*born)));
            if let Some((mut series, native)) = state.traffic.counters.pod_native(namespace, name) {
                let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
                series.labels.extend(labels);
                natives.push((series, Arc::new(native)));
            }
        }
    }
    samples.extend(contained);
    record(&mut state.metrics.series, now, samples);
    record(&mut state.metrics.histograms, now, natives);
}

fn image(state: &State, pod: &Value) -> Image {
    let images = &state.cluster.images;
    images.get(image_name(pod)).cloned().unwrap_or_default()
}

/// What cAdvisor says of a pod so old.
fn container(state: &State, pod: &Value, age: SignedDuration) -> Vec<(Series, f64)> {
    let (namespace, name) = (json::namespace(pod), json::name(pod));
    let image = image(state, pod);
    let labels = [
        ("job", "cadvisor"),
        ("instance", "node-1:10250"),
        ("namespace", namespace),
        ("pod", name),
        ("container", text(pod, "/spec/containers/0/name")),
    ];
    let counters = &state.traffic.counters;
    let mut samples = counters.container_samples((namespace, name), &image, age.as_secs_f64());
    for (series, _) in &mut samples {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        series.labels.extend(labels);
    }
    samples
}

/// Counters go with what they count: a cluster that no route names, a pod that is gone. New ones begin at zero.
fn forget_removed(state: &mut State) {
    let backends = state
        .gateway
        .planes
        .values()
        .flatten()
        .flat_map(|rule| &rule.backends);
    let services = resources::plural("", "services");
    let named: BTreeSet<String> = backends
        .filter(|b| state.store.get(services, &b.namespace, &b.service).is_some())
        .map(counters::cluster_name)
        .collect();
    let pods = resources::plural("", "pods");
    let counters = &mut state.traffic.counters;
    counters.clusters.retain(|name, _| named.contains(name));
    for name in named {
        counters.clusters.entry(name).or_default();
    }
    counters
        .pods
        .retain(|(namespace, name), _| state.store.get(pods, namespace, name).is_some());
}

/// The world's metric provider.
#[derive(Clone)]
pub struct Metrics {
    pub(super) shared: Arc<Shared>,
}

impl Metrics {
    /// What `read` finds, as the fault of the day lets it through: a query is plain numbers or native histograms.
    async fn ask<T>(
        &self,
        query: &str,
        read: impl Fn(&Database, &Query) -> Result<Vec<T>, SourceError> + Send,
        spoil: fn(&mut T),
    ) -> Result<Vec<T>, SourceError> {
        tokio::time::sleep(self.shared.latency).await;
        let query = Query::parse(query).map_err(SourceError::Refused)?;
        let state = self.shared.lock();
        let mut samples = match state.metrics.fault {
            MetricFault::Down => return Err(SourceError::Unreachable),
            MetricFault::Status(code @ (401 | 403)) => return Err(SourceError::Denied(code)),
            MetricFault::Status(code) => return Err(SourceError::Status(code)),
            MetricFault::Empty => Vec::new(),
            MetricFault::None | MetricFault::Nan | MetricFault::Partial | MetricFault::Frozen => {
                read(&state.metrics, &query)?
            }
        };
        if state.metrics.fault == MetricFault::Nan {
            samples.iter_mut().for_each(spoil);
        }
        if state.metrics.fault == MetricFault::Partial {
            let mut keep = false;
            samples.retain(|_| {
                keep = !keep;
                keep
            });
        }
        Ok(samples)
    }
}

/// The world adds no native histograms up, and tells none as a number.
fn only(wanted: bool, why: &str) -> Result<(), SourceError> {
    let wrong = || Err(SourceError::Unusable(why.into()));
    if wanted { Ok(()) } else { wrong() }
}

impl MetricSource for Metrics {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        let read = move |database: &Database, query: &Query| {
            let native = |vector: &Vector| select(&database.histograms, vector, at).next().is_some();
            only(!query.vectors().any(native), "a sample is a native histogram")?;
            Ok(database.at(query, at))
        };
        Box::pin(self.ask(query, read, |sample| sample.value = f64::NAN))
    }

    fn histograms<'a>(
        &'a self,
        query: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Histogram>, SourceError>> {
        let read = move |database: &Database, query: &Query| {
            let plain = |vector: &Vector| select(&database.series, vector, at).next().is_some();
            let native = query.selector().filter(|vector| !plain(vector));
            only(native.is_some(), "a sample is a plain number")?;
            Ok(native.map_or_else(Vec::new, |vector| database.histograms_at(vector, at)))
        };
        Box::pin(self.ask(query, read, |histogram| histogram.count = f64::NAN))
    }
}

//! The cumulative counters that the gateway and the pods keep, in the names that they expose.

use std::collections::BTreeMap;

use super::gateway::Backend;
use crate::ports::NativeBucket;
use crate::world::image::{Exposition, Image};
use crate::world::rng::Rng;

/// Envoy's default histogram bounds, in milliseconds.
const BOUNDS: [f64; 19] = [
    0.5,
    1.0,
    5.0,
    10.0,
    25.0,
    50.0,
    100.0,
    250.0,
    500.0,
    1_000.0,
    2_500.0,
    5_000.0,
    10_000.0,
    30_000.0,
    60_000.0,
    300_000.0,
    600_000.0,
    1_800_000.0,
    3_600_000.0,
];

/// How long an application's requests took.
const DURATION: &str = "http_request_duration_seconds";
/// Files that a process may have open.
const MAX_FILES: f64 = 1_024.0;

/// One series: its name and labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::world) struct Series {
    pub(in crate::world) name: String,
    pub(in crate::world) labels: BTreeMap<String, String>,
}

impl Series {
    pub(in crate::world) fn new(name: &str, labels: &[(&str, &str)]) -> Self {
        let labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Self {
            name: name.to_owned(),
            labels,
        }
    }
}

/// Answers by status code, and how long they took.
#[derive(Clone, Debug, Default)]
pub(in crate::world) struct Tally {
    codes: BTreeMap<u16, u64>,
    /// One more than the bounds: the last is infinity.
    buckets: [u64; BOUNDS.len() + 1],
    /// Of a native histogram: bucket `n` ends at `2^(n / 2^schema)` seconds.
    native: BTreeMap<i32, u64>,
    exposition: Exposition,
    sum_ms: f64,
}

/// What a native histogram has counted: all, and by bucket.
#[derive(Clone, Debug)]
pub(in crate::world) struct Native {
    pub(in crate::world) count: f64,
    pub(in crate::world) buckets: Vec<NativeBucket>,
}

impl Tally {
    /// Counts answers; a code that never came has no series.
    pub(super) fn answered(&mut self, code: u16, count: u64) {
        if count > 0 {
            *self.codes.entry(code).or_default() += count;
        }
    }

    /// Draws the response times of `count` requests, for a pod of this image.
    pub(super) fn took_in_pod(&mut self, rng: &mut Rng, count: u64, image: &Image) {
        self.exposition = image.exposition;
        let Exposition::Native(schema) = image.exposition else {
            return self.took(rng, count, image);
        };
        let (median, spread) = (image.latency_ms / 1_000.0, image.latency_spread.max(1e-6));
        let below = |bucket: i32| normal_cdf((bound(schema, bucket) / median).ln() / spread);
        let place = |deviations: f64| (median.log2() + deviations * spread) * f64::from(schema).exp2();
        let (first, last) = (place(-6.0).floor() as i32, place(6.0).ceil() as i32);
        // The ends take what lies beyond them.
        let share = |bucket: i32| {
            let low = if bucket == first { 0.0 } else { below(bucket - 1) };
            let high = if bucket == last { 1.0 } else { below(bucket) };
            (high - low).max(0.0)
        };
        let shares: Vec<f64> = (first..=last).map(share).collect();
        for (bucket, part) in (first..=last).zip(rng.split(count, &shares)) {
            *self.native.entry(bucket).or_default() += part;
        }
    }

    /// Its native histogram, if it has one that has counted anything.
    fn native(&self) -> Option<Native> {
        let buckets: Vec<NativeBucket> = match self.exposition {
            Exposition::Classic => return None,
            Exposition::Native(schema) => {
                let all = self.native.iter().filter(|(_, count)| **count > 0);
                all.map(|(bucket, count)| NativeBucket {
                    lower: bound(schema, bucket - 1),
                    upper: bound(schema, *bucket),
                    count: *count as f64,
                })
                .collect()
            }
            Exposition::Custom => {
                let uppers = BOUNDS.iter().map(|b| b / 1_000.0).chain([f64::INFINITY]);
                let lowers = [f64::NEG_INFINITY].into_iter().chain(uppers.clone());
                let all = lowers
                    .zip(uppers)
                    .zip(self.buckets)
                    .filter(|(_, count)| *count > 0);
                all.map(|((lower, upper), count)| NativeBucket {
                    lower,
                    upper,
                    count: count as f64,
                })
                .collect()
            }
        };
        let count = buckets.iter().map(|bucket| bucket.count).sum();
        (count > 0.0).then_some(Native { count, buckets })
    }

    /// Draws the response times of `count` requests.
    pub(super) fn took(&mut self, rng: &mut Rng, count: u64, image: &Image) {
        let spread = image.latency_spread.max(1e-6);
        let below = |bound: f64| normal_cdf((bound / image.latency_ms).ln() / spread);
        let mut shares = Vec::with_capacity(BOUNDS.len() + 1);
        let mut before = 0.0;
        for bound in BOUNDS {
            shares.push((below(bound) - before).max(0.0));
            before = below(bound);
        }
        shares.push((1.0 - before).max(0.0));
        for (bucket, part) in self.buckets.iter_mut().zip(rng.split(count, &shares)) {
            *bucket += part;
        }
        self.sum_ms += count as f64 * image.latency_ms * (spread * spread / 2.0).exp();
    }

    fn total(&self) -> u64 {
        self.codes.values().sum()
    }
}

/// Where bucket `n` of a native histogram ends.
fn bound(schema: i32, n: i32) -> f64 {
    (f64::from(n) / f64::from(schema).exp2()).exp2()
}

/// The normal distribution function, by the error function of Abramowitz and Stegun 7.1.26 (error under 2e-7).
fn normal_cdf(x: f64) -> f64 {
    let z = x.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * z);
    let poly = ((((1.061_405_429 * t - 1.453_152_027) * t + 1.421_413_741) * t - 0.284_496_736) * t
        + 0.254_829_592)
        * t;
    let erf = 1.0 - poly * (-z * z).exp();
    if x < 0.0 {
        0.5 * (1.0 - erf)
    } else {
        0.5 * (1.0 + erf)
    }
}

/// All counters: by Envoy cluster, and by pod (namespace and name).
#[derive(Clone, Debug, Default)]
pub(in crate::world) struct Counters {
    pub(in crate::world) clusters: BTreeMap<String, Tally>,
    pub(in crate::world) pods: BTreeMap<(String, String), Tally>,
}

/// Envoy's name of a backend, as Contour gives it.
pub(in crate::world) fn cluster_name(backend: &Backend) -> String {
    format!("{}_{}_{}", backend.namespace, backend.service, backend.port)
}

impl Counters {
    pub(in crate::world) fn cluster(&mut self, backend: &Backend) -> &mut Tally {
        self.clusters.entry(cluster_name(backend)).or_default()
    }

    pub(in crate::world) fn pod(&mut self, namespace: &str, name: &str) -> &mut Tally {
        self.pods
            .entry((namespace.to_owned(), name.to_owned()))
            .or_default()
    }

    /// The gateway's samples now.
    pub(in crate::world) fn gateway_samples(&self) -> Vec<(Series, f64)> {
        let mut out = Vec::new();
        for (cluster, tally) in &self.clusters {
            // Requests of users are also counted as external; the world mirrors nothing.
            for kind in ["", "external_"] {
                let name = |rest: &str| format!("envoy_cluster_{kind}upstream_rq{rest}");
                let own = |rest: &str, label: &[(&str, &str)]| {
                    let mut series = Series::new(&name(rest), label);
                    series.labels.insert("envoy_cluster_name".into(), cluster.clone());
                    series
                };
                let mut classes: BTreeMap<u16, u64> = BTreeMap::new();
                for (code, count) in &tally.codes {
                    out.push((
                        own("", &[("envoy_response_code", &code.to_string())]),
                        *count as f64,
                    ));
                    *classes.entry(code / 100).or_default() += count;
                }
                for (class, count) in classes {
                    let label = [("envoy_response_code_class", class.to_string())];
                    out.push((own("_xx", &[(label[0].0, &label[0].1)]), count as f64));
                }
                if kind.is_empty() {
                    out.push((own("_total", &[]), tally.total() as f64));
                }
                histogram(&mut out, tally, &own("_time", &[]), 1.0);
            }
        }
        out
    }

    /// What cAdvisor says of a pod's only container, so long after its birth.
    pub(in crate::world) fn container_samples(
        &self,
        (namespace, name): (&str, &str),
        image: &Image,
        age: f64,
    ) -> Vec<(Series, f64)> {
        let served = self.pods.get(&(namespace.to_owned(), name.to_owned()));
        let requests = served.map_or(0, Tally::total) as f64;
        let (idle, each) = image.cpu;
        let (bytes, growth) = image.memory;
        vec![
            (
                Series::new("container_cpu_usage_seconds_total", &[]),
                idle * age + each * requests,
            ),
            (
                Series::new("container_memory_working_set_bytes", &[]),
                bytes + growth * age,
            ),
        ]
    }

    /// One pod's samples now; durations in seconds, as applications have them.
    pub(in crate::world) fn pod_samples(
        &self,
        (namespace, name): (&str, &str),
        image: &Image,
    ) -> Vec<(Series, f64)> {
        let tally = self.pods.get(&(namespace.to_owned(), name.to_owned()));
        let (idle, left) = image.files;
        let open = idle + (left * tally.map_or(0, Tally::total) as f64).floor();
        let mut out = vec![
            (Series::new("process_open_fds", &[]), open),
            (Series::new("process_max_fds", &[]), MAX_FILES),
        ];
        let Some(tally) = tally else {
            return out;
        };
        for (code, count) in &tally.codes {
            out.push((
                Series::new("http_requests_total", &[("code", &code.to_string())]),
                *count as f64,
            ));
        }
        if tally.exposition == Exposition::Classic {
            histogram(&mut out, tally, &Series::new(DURATION, &[]), 1_000.0);
        }
        out
    }

    /// One pod's native histogram now.
    pub(in crate::world) fn pod_native(&self, namespace: &str, name: &str) -> Option<(Series, Native)> {
        let tally = self.pods.get(&(namespace.to_owned(), name.to_owned()))?;
        Some((Series::new(DURATION, &[]), tally.native()?))
    }
}

/// A histogram's series, its bounds divided by `unit`.
fn histogram(out: &mut Vec<(Series, f64)>, tally: &Tally, base: &Series, unit: f64) {
    if tally.buckets.iter().all(|n| *n == 0) {
        return;
    }
    let named = |suffix: &str| Series {
        name: format!("{}{suffix}", base.name),
        labels: base.labels.clone(),
    };
    let mut below = 0;
    let bounds = BOUNDS
        .iter()
        .map(|b| (b / unit).to_string())
        .chain(["+Inf".to_owned()]);
    for (bound, count) in bounds.zip(tally.buckets) {
        below += count;
        let mut series = named("_bucket");
        series.labels.insert("le".into(), bound);
        out.push((series, below as f64));
    }
    out.push((named("_count"), below as f64));
    out.push((named("_sum"), tally.sum_ms / unit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_requests_are_faster_than_the_median() {
        let mut tally = Tally::default();
        let image = Image {
            latency_ms: 25.0,
            ..Image::default()
        };
        tally.took(&mut Rng::new(1, 1), 10_000, &image);
        let faster: u64 = tally.buckets[..5].iter().sum();
        assert!((faster as f64 / 10_000.0 - 0.5).abs() < 0.03, "{faster}");
        assert_eq!(tally.buckets.iter().sum::<u64>(), 10_000);
        assert!((normal_cdf(1.96) - 0.975).abs() < 1e-4);
    }

    #[test]
    fn a_code_that_never_came_has_no_series() {
        let mut counters = Counters::default();
        let backend = Backend {
            namespace: "shop".into(),
            service: "a".into(),
            port: 80,
            weight: 1.0,
        };
        counters.cluster(&backend).answered(200, 3);
        counters.cluster(&backend).answered(500, 0);
        let samples = counters.gateway_samples();
        let total = Series::new(
            "envoy_cluster_upstream_rq_total",
            &[("envoy_cluster_name", "shop_a_80")],
        );
        assert!(samples.contains(&(total, 3.0)));
        assert!(
            samples
                .iter()
                .all(|(series, _)| !series.labels.values().any(|v| v == "500" || v == "5"))
        );
    }
}

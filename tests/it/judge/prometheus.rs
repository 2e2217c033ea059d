//! A Prometheus over real sockets that remembers what a test has made up.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, Uri};
use regex::Regex;
use serin::stats::random::Random;

/// The moment at which every test's window begins: 2026-10-02 13:00:00 UTC.
pub(super) const BEGIN: i64 = 1_790_946_000;
/// Seconds between two scrapes.
const SCRAPE: i64 = 15;

type Labels = BTreeMap<String, String>;

/// Everything that was ever scraped.
#[derive(Default)]
pub(super) struct Memory {
    series: BTreeMap<(String, Labels), BTreeMap<i64, u64>>,
}

/// What one version serves from one scrape to the next.
#[derive(Clone, Copy, Default)]
pub(super) struct Served {
    pub(super) requests: f64,
    pub(super) bad: f64,
    /// Share of requests that take longer than a quarter of a second.
    pub(super) slow: f64,
}

/// What a Service serves at a second after [`BEGIN`]; `None` where it is not there.
type Rates<'a> = &'a dyn Fn(i64) -> Option<Served>;

impl Memory {
    fn add(&mut self, name: &str, labels: &[(&str, &str)], at: i64, grown: u64) {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let points = self
            .series
            .entry((name.to_owned(), labels.collect()))
            .or_default();
        let before = points.last_key_value().map_or(0, |(_, value)| *value);
        points.insert(at, before + grown);
    }

    /// Scrapes of a gateway that serves these Services: for each the rates (requests a second, shares of bad and slow
    /// ones) at a second after [`BEGIN`]; `None` where it is not there. An hour before the beginning is known as well.
    pub(super) fn gateway(seconds: i64, services: &[(&str, Rates<'_>)], seed: u64) -> Self {
        let mut memory = Self::default();
        let mut random = Random::new(seed);
        for second in (-3600..=seconds).step_by(SCRAPE as usize) {
            for (service, rates) in services {
                let Some(rates) = rates(second) else { continue };
                let requests = random.poisson(rates.requests * SCRAPE as f64);
                let bad = random.binomial(requests, rates.bad);
                let slow = random.binomial(requests, rates.slow);
                let cluster = format!("shop_{service}_80");
                let at = BEGIN + second;
                for (code, count) in [("200", requests - bad), ("503", bad)] {
                    if count > 0 || code == "200" {
                        let labels = [
                            ("envoy_cluster_name", cluster.as_str()),
                            ("envoy_response_code", code),
                            ("instance", "10.0.0.1:8002"),
                        ];
                        memory.add("envoy_cluster_external_upstream_rq", &labels, at, count);
                    }
                }
                let quick = requests - slow;
                let edges = [
                    ("25", quick / 2),
                    ("100", quick * 9 / 10),
                    ("250", quick),
                    ("1000", requests),
                    ("+Inf", requests),
                ];
                for (edge, count) in edges {
                    let labels = [
                        ("envoy_cluster_name", cluster.as_str()),
                        ("instance", "10.0.0.1:8002"),
                        ("le", edge),
                    ];
                    memory.add(
                        "envoy_cluster_external_upstream_rq_time_bucket",
                        &labels,
                        at,
                        count,
                    );
                }
            }
        }
        memory
    }

    /// The series that a plain selector names.
    fn select(&self, query: &str) -> Vec<(&Labels, &BTreeMap<i64, u64>)> {
        let (name, rest) = query.split_once('{').unwrap_or((query, "}"));
        let matcher = Regex::new(r#"(\w+)(=~|!=|=)"((?:[^"\\]|\\.)*)""#).unwrap();
        let matchers: Vec<(String, String, Regex)> = matcher
            .captures_iter(rest)
            .map(|it| {
                let value = it[3].replace(r"\\", r"\");
                let pattern = if &it[2] == "=~" {
                    value
                } else {
                    regex::escape(&value)
                };
                (
                    it[1].to_owned(),
                    it[2].to_owned(),
                    Regex::new(&format!("^(?:{pattern})$")).unwrap(),
                )
            })
            .collect();
        let fits = |labels: &Labels| {
            matchers.iter().all(|(label, how, pattern)| {
                let value = labels.get(label).map_or("", String::as_str);
                pattern.is_match(value) != (how == "!=")
            })
        };
        let named = self
            .series
            .iter()
            .filter(|((its, labels), _)| its == name && fits(labels));
        named.map(|((_, labels), points)| (labels, points)).collect()
    }

    /// What a series shows at a time: its last sample of the five minutes before.
    fn at(points: &BTreeMap<i64, u64>, at: i64) -> Option<u64> {
        points.range(at - 299..=at).next_back().map(|(_, value)| *value)
    }

    fn answer(&self, path: &str, form: &BTreeMap<String, String>) -> String {
        let number = |name: &str| form[name].parse::<f64>().unwrap() as i64;
        let (instant, times) = if path.ends_with("/query_range") {
            let step = number("step").max(1);
            (
                false,
                (number("start")..=number("end")).step_by(step as usize).collect(),
            )
        } else {
            (true, vec![number("time")])
        };
        let mut result = Vec::new();
        for (labels, points) in self.select(&form["query"]) {
            let values: Vec<String> = times
                .iter()
                .filter_map(|at: &i64| Some(format!("[{at},\"{}\"]", Self::at(points, *at)?)))
                .collect();
            let Some(first) = values.first() else { continue };
            let metric = serde_json::to_string(labels).unwrap();
            let shown = if instant {
                format!("\"value\":{first}")
            } else {
                format!("\"values\":[{}]", values.join(","))
            };
            result.push(format!("{{\"metric\":{metric},{shown}}}"));
        }
        let kind = if instant { "vector" } else { "matrix" };
        format!(
            r#"{{"status":"success","data":{{"resultType":"{kind}","result":[{}]}}}}"#,
            result.join(",")
        )
    }
}

/// `a=b&c=d`, decoded.
fn form(text: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap()
    };
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (decoded(key), decoded(value))).collect()
}

/// How the server answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Manner {
    /// As it should.
    #[default]
    Well,
    /// With this status, whatever is asked.
    Status(u16),
    /// Only to whoever has this token.
    Guarded,
}

struct Shared {
    memory: Memory,
    manner: Manner,
    asked: Mutex<usize>,
}

/// The server; it ends with the test.
pub(super) struct Server {
    pub(super) address: String,
    shared: Arc<Shared>,
    _runtime: tokio::runtime::Runtime,
}

pub(super) const TOKEN: &str = "hunter2";

async fn handle(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    *shared.asked.lock().unwrap() += 1;
    let allowed = headers
        .get("authorization")
        .is_some_and(|it| it == &format!("Bearer {TOKEN}"))
        && headers.get("x-scope-orgid").is_some_and(|it| it == "shop");
    let status = match shared.manner {
        Manner::Status(status) => status,
        Manner::Guarded if !allowed => 401,
        Manner::Well | Manner::Guarded => 200,
    };
    let mut text = String::new();
    if status == 200 {
        let form = form(std::str::from_utf8(&body).unwrap());
        write!(text, "{}", shared.memory.answer(uri.path(), &form)).unwrap();
    }
    Response::builder().status(status).body(Body::from(text)).unwrap()
}

impl Server {
    pub(super) fn start(memory: Memory, manner: Manner) -> Self {
        let shared = Arc::new(Shared {
            memory,
            manner,
            asked: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(handle).with_state(shared.clone());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            shared,
            _runtime: runtime,
        }
    }

    pub(super) fn asked(&self) -> usize {
        *self.shared.asked.lock().unwrap()
    }
}

//! A client that sends a constant number of requests a second through the gateway and remembers every answer.
//!
//! The rate does not bend when answers are late (a slow gateway must not thin out the load that shows it), until all
//! connections wait for one.

use crate::Outcome;
use crate::gateway::GATEWAY;
use crate::pod::VERSION_HEADER;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A load that nobody stops ends by itself.
const LONGEST: Duration = Duration::from_mins(10);
/// Connections, each with a request under way at most. Without this bound a busy machine gets busier: every late answer
/// opens a connection, which makes the next answer later.
const CONNECTIONS: u32 = 64;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What could not be sent for this long, because every connection waits for an answer, is left out: caught up with
/// later it would keep a busy machine busy.
const LATE: Duration = Duration::from_secs(1);

/// One request: when it was sent (since the load's start), and what came back.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) sent: Duration,
    /// The version that answered, or `None` (an answer of the gateway's own, or none at all).
    pub(crate) version: Option<String>,
    /// Why it counts as a failure: a status of 400 or more, or no answer.
    pub(crate) failure: Option<String>,
}

/// A running load. Dropping it stops it.
#[derive(Debug)]
pub(crate) struct Load {
    start: Instant,
    shared: Arc<Shared>,
    connections: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    client: reqwest::Client,
    request: reqwest::Request,
    /// The number of the next request, which says when it is due.
    next: AtomicU32,
    left_out: AtomicU32,
    stopped: AtomicBool,
    samples: Mutex<Vec<Sample>>,
}

impl Load {
    /// Sends `per_second` GET requests a second with this Host header.
    pub(crate) fn start(host: &str, per_second: u32) -> Outcome<Self> {
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
        let request = client
            .get(format!("http://{GATEWAY}/"))
            .header("host", host)
            .build()?;
        let start = Instant::now();
        let shared = Arc::new(Shared {
            client,
            request,
            next: AtomicU32::new(0),
            left_out: AtomicU32::new(0),
            stopped: AtomicBool::new(false),
            samples: Mutex::default(),
        });
        let connection = |_| {
            shared
                .clone()
                .connection(start, Duration::from_secs(1) / per_second)
        };
        let connections = (0..CONNECTIONS).map(connection).collect();
        Ok(Self {
            start,
            shared,
            connections,
        })
    }

    /// The time since the start, to ask for a window later.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What has been answered until now.
    pub(crate) fn report(&self) -> Report {
        Report {
            samples: self.shared.samples.lock().unwrap().clone(),
            left_out: self.shared.left_out.load(Ordering::Relaxed) as usize,
        }
    }

    /// Stops sending, waits for the answers under way, and reports all.
    pub(crate) async fn stop(mut self) -> Report {
        self.shared.stopped.store(true, Ordering::Relaxed);
        while self.connections.join_next().await.is_some() {}
        self.report()
    }
}

impl Shared {
    /// Sends the next request that is due, one after the other.
    async fn connection(self: Arc<Self>, start: Instant, every: Duration) {
        loop {
            let due = start + every * self.next.fetch_add(1, Ordering::Relaxed);
            sleep_until(due).await;
            if self.stopped.load(Ordering::Relaxed) || start.elapsed() > LONGEST {
                return;
            }
            if due.elapsed() > LATE {
                self.left_out.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            let sent = start.elapsed();
            let request = self
                .request
                .try_clone()
                .expect("a request without a body can be cloned");
            let sample = sample(sent, self.client.execute(request).await);
            self.samples.lock().unwrap().push(sample);
        }
    }
}

fn sample(sent: Duration, answer: reqwest::Result<reqwest::Response>) -> Sample {
    match answer {
        Ok(answer) => {
            let version = answer.headers().get(VERSION_HEADER);
            let version = version.and_then(|it| it.to_str().ok()).map(str::to_owned);
            let status = answer.status();
            let failure = (status.as_u16() >= 400).then(|| format!("status {}", status.as_u16()));
            Sample {
                sent,
                version,
                failure,
            }
        }
        Err(error) => Sample {
            sent,
            version: None,
            failure: Some(format!("{error:?}")),
        },
    }
}

/// Answers of a load or of a window of it.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) samples: Vec<Sample>,
    /// Requests that were due and never sent.
    pub(crate) left_out: usize,
}

impl Report {
    /// The requests sent from `from` until `to`.
    pub(crate) fn between(&self, from: Duration, to: Duration) -> Self {
        let samples = self
            .samples
            .iter()
            .filter(|it| (from..to).contains(&it.sent))
            .cloned()
            .collect();
        Self { samples, left_out: 0 }
    }

    pub(crate) fn total(&self) -> usize {
        self.samples.len()
    }

    /// Answers by version; the gateway's own and missing ones under `-`.
    pub(crate) fn versions(&self) -> BTreeMap<&str, usize> {
        let mut versions = BTreeMap::new();
        for sample in &self.samples {
            *versions
                .entry(sample.version.as_deref().unwrap_or("-"))
                .or_default() += 1;
        }
        versions
    }

    /// Answers of one version.
    pub(crate) fn of(&self, version: &str) -> usize {
        self.versions().get(version).copied().unwrap_or(0)
    }

    pub(crate) fn failures(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|it| it.failure.is_some())
    }

    /// When a version was last sent a request.
    pub(crate) fn last_of(&self, version: &str) -> Option<Duration> {
        self.samples
            .iter()
            .filter(|it| it.version.as_deref() == Some(version))
            .map(|it| it.sent)
            .max()
    }

    /// An error that lists the first failures, if there is any; or if so few requests were sent that none says little.
    pub(crate) fn no_failures(&self) -> Outcome {
        if self.left_out > self.total() {
            let (sent, left_out) = (self.total(), self.left_out);
            return Err(format!(
                "only {sent} requests were sent, and {left_out} left out: the machine is too busy"
            )
            .into());
        }
        let failed = self.failures().count();
        if failed == 0 {
            return Ok(());
        }
        let first: Vec<_> = self.failures().take(5).map(|it| format!("{it:?}")).collect();
        Err(format!(
            "{failed} of {} requests failed; the first: {}",
            self.total(),
            first.join("; ")
        )
        .into())
    }

    /// Whether a version's share agrees with its weight (0 to 1) within the binomial error.
    pub(crate) fn share(&self, version: &str, weight: f64) -> Outcome {
        let (count, total) = (self.of(version) as f64, self.total() as f64);
        // Four standard deviations and a half: one false alarm in 100,000.
        let error = 4.5 * (total * weight * (1.0 - weight)).sqrt() + 1.0;
        if self.total() >= 100 && (count - total * weight).abs() <= error {
            return Ok(());
        }
        let all = self.versions();
        Err(format!(
            "{version} should have {weight} of {total} answers, within {error:.1}, but has {count}: {all:?}"
        )
        .into())
    }
}

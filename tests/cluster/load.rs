//! A client that sends a constant number of requests a second through the gateway and remembers every answer.
//!
//! The rate does not bend when answers are late (a slow gateway must not thin out the load that shows it).

use crate::Outcome;
use crate::gateway::GATEWAY;
use crate::pod::VERSION_HEADER;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// A load that nobody stops ends by itself.
const LONGEST: Duration = Duration::from_mins(10);
/// Requests under way at one time; one more is a failure of its own.
const IN_FLIGHT: usize = 500;
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

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
    samples: Arc<Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Load {
    /// Sends `per_second` GET requests a second with this Host header.
    pub(crate) fn start(host: &str, per_second: u32) -> Outcome<Self> {
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build()?;
        let request = client
            .get(format!("http://{GATEWAY}/"))
            .header("host", host)
            .build()?;
        let samples = Arc::new(Mutex::new(Vec::new()));
        let (start, sink) = (Instant::now(), samples.clone());
        let task = tokio::spawn(async move {
            let places = Arc::new(Semaphore::new(IN_FLIGHT));
            let mut ticks = interval(Duration::from_secs(1) / per_second);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            while start.elapsed() < LONGEST {
                ticks.tick().await;
                let sent = start.elapsed();
                let Ok(place) = places.clone().try_acquire_owned() else {
                    let failure = Some(format!("{IN_FLIGHT} requests are under way"));
                    sink.lock().unwrap().push(Sample {
                        sent,
                        version: None,
                        failure,
                    });
                    continue;
                };
                let (client, sink) = (client.clone(), sink.clone());
                let request = request
                    .try_clone()
                    .expect("a request without a body can be cloned");
                tokio::spawn(async move {
                    let sample = sample(sent, client.execute(request).await);
                    sink.lock().unwrap().push(sample);
                    drop(place);
                });
            }
        });
        Ok(Self { start, samples, task })
    }

    /// The time since the start, to ask for a window later.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// What has been answered until now.
    pub(crate) fn report(&self) -> Report {
        Report {
            samples: self.samples.lock().unwrap().clone(),
        }
    }

    /// Stops sending, waits for the answers under way, and reports all.
    pub(crate) async fn stop(self) -> Report {
        self.task.abort();
        let deadline = Instant::now() + ANSWER_WITHIN;
        // Each request under way holds a clone of the list.
        while Arc::strong_count(&self.samples) > 1 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.report()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
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
        Self { samples }
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

    /// An error that lists the first failures, if there is any.
    pub(crate) fn no_failures(&self) -> Outcome {
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

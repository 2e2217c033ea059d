//! The program inside the tests' pods: a small HTTP server that says which version it is, fails as its image
//! name asks, and counts its answers as ordinary programs do.
//!
//! The image `app:v2-errors20-latency5` is version `v2` with two faults. Faults: `errorsN` (N of 100 answers are
//! 500), `latencyN` (each answer takes N ms), `unready` (never ready), `slowN` (ready after N s), `crash` (ends at
//! once), `crashN` (ends after N s). `timed` is no fault: the pod also measures how long its answers take.
//! `GET /fault/errors/N` on a pod's own address changes `errorsN` while it runs.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, sleep};

/// The first argument of this binary when it is a pod.
pub(crate) const ARGUMENT: &str = "serve-as-pod";
/// The port that every pod serves.
pub(crate) const PORT: u16 = 8080;
/// The header that names the version that answered.
pub(crate) const VERSION_HEADER: &str = "x-version";
/// How long a pod goes on serving after SIGTERM, until gateways have forgotten it.
const LAME_DUCK: Duration = Duration::from_secs(2);

/// What an image's tag asks for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Behaviour {
    version: String,
    error_percent: u64,
    latency: Duration,
    unready: bool,
    ready_after: Duration,
    crash_after: Option<Duration>,
    timed: bool,
}

impl Behaviour {
    fn of(image: &str) -> Self {
        let tag = image.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let mut words = tag.split('-');
        let version = words.next().unwrap_or_default().to_owned();
        let mut behaviour = Self {
            version,
            ..Self::default()
        };
        for word in words {
            let digits = word.find(|c: char| c.is_ascii_digit()).unwrap_or(word.len());
            let (fault, number) = word.split_at(digits);
            let number: u64 = number.parse().unwrap_or(0);
            match fault {
                "errors" => behaviour.error_percent = number,
                "latency" => behaviour.latency = Duration::from_millis(number),
                "unready" => behaviour.unready = true,
                "timed" => behaviour.timed = true,
                "slow" => behaviour.ready_after = Duration::from_secs(number),
                "crash" => behaviour.crash_after = Some(Duration::from_secs(number)),
                _ => tag.clone_into(&mut behaviour.version),
            }
        }
        behaviour
    }
}

/// Edges of the buckets, in seconds.
const EDGES: [f64; 6] = [0.005, 0.01, 0.05, 0.1, 0.5, 1.0];

/// How many answers took at most as long as each edge, and longer than the one before; the last are longer than all.
#[derive(Default)]
struct Times {
    counts: [AtomicU64; EDGES.len() + 1],
    microseconds: AtomicU64,
}

impl Times {
    fn add(&self, time: Duration) {
        let bucket = EDGES.partition_point(|edge| *edge < time.as_secs_f64());
        self.counts[bucket].fetch_add(1, Ordering::Relaxed);
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.microseconds.fetch_add(microseconds, Ordering::Relaxed);
    }

    /// As a classic histogram.
    fn text(&self) -> String {
        let mut text = "# TYPE http_request_duration_seconds histogram\n".to_owned();
        let mut count = 0;
        let edges = EDGES.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
        for (edge, own) in edges.zip(&self.counts) {
            count += own.load(Ordering::Relaxed);
            let _ = writeln!(
                text,
                "http_request_duration_seconds_bucket{{le=\"{edge}\"}} {count}"
            );
        }
        let sum = Duration::from_micros(self.microseconds.load(Ordering::Relaxed)).as_secs_f64();
        let _ = writeln!(text, "http_request_duration_seconds_sum {sum}");
        let _ = writeln!(text, "http_request_duration_seconds_count {count}");
        text
    }
}

struct Pod {
    behaviour: Behaviour,
    started: Instant,
    error_percent: AtomicU64,
    asked: AtomicU64,
    good: AtomicU64,
    bad: AtomicU64,
    times: Times,
    ending: AtomicBool,
}

/// Serves until SIGTERM; the arguments are the address and the image.
pub(crate) fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(2);
    let (Some(address), Some(image)) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: pod ADDRESS IMAGE");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(serve(&address, Behaviour::of(&image)))) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) | Err(error) => {
            eprintln!("{image} on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: &str, behaviour: Behaviour) -> std::io::Result<ExitCode> {
    let crash_after = behaviour.crash_after;
    let pod = Arc::new(Pod {
        error_percent: behaviour.error_percent.into(),
        behaviour,
        started: Instant::now(),
        asked: AtomicU64::new(0),
        good: AtomicU64::new(0),
        bad: AtomicU64::new(0),
        times: Times::default(),
        ending: AtomicBool::new(false),
    });
    let router = Router::new()
        .route("/ready", get(ready))
        .route("/metrics", get(metrics))
        .route("/fault/errors/{percent}", get(fault))
        .fallback(answer)
        .with_state(pod.clone());
    let listener = tokio::net::TcpListener::bind((address, PORT)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stop = async move {
        terminate.recv().await;
        pod.ending.store(true, Ordering::Relaxed);
        sleep(LAME_DUCK).await;
    };
    let crash = async {
        match crash_after {
            Some(delay) => sleep(delay).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        served = async { axum::serve(listener, router).with_graceful_shutdown(stop).await } => served.map(|()| ExitCode::SUCCESS),
        () = crash => Ok(ExitCode::FAILURE),
    }
}

async fn answer(State(pod): State<Arc<Pod>>) -> impl IntoResponse {
    let asked_at = Instant::now();
    if !pod.behaviour.latency.is_zero() {
        sleep(pod.behaviour.latency).await;
    }
    let asked = pod.asked.fetch_add(1, Ordering::Relaxed);
    let percent = pod.error_percent.load(Ordering::Relaxed);
    // Evenly spread rather than drawn: a run of luck must not decide a test.
    let fails = (asked + 1) * percent / 100 > asked * percent / 100;
    let (counter, code) = if fails {
        (&pod.bad, StatusCode::INTERNAL_SERVER_ERROR)
    } else {
        (&pod.good, StatusCode::OK)
    };
    counter.fetch_add(1, Ordering::Relaxed);
    pod.times.add(asked_at.elapsed());
    (
        code,
        [(VERSION_HEADER, pod.behaviour.version.clone())],
        pod.behaviour.version.clone(),
    )
}

async fn ready(State(pod): State<Arc<Pod>>) -> StatusCode {
    let early = pod.started.elapsed() < pod.behaviour.ready_after;
    let unready = early || pod.behaviour.unready || pod.ending.load(Ordering::Relaxed);
    if unready {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::OK
    }
}

async fn fault(State(pod): State<Arc<Pod>>, Path(percent): Path<u64>) -> StatusCode {
    pod.error_percent.store(percent, Ordering::Relaxed);
    StatusCode::OK
}

/// A class of answers that has not occurred has no series, as in most client libraries.
async fn metrics(State(pod): State<Arc<Pod>>) -> String {
    let mut text = "# TYPE http_requests_total counter\n".to_owned();
    for (code, counter) in [("200", &pod.good), ("500", &pod.bad)] {
        let count = counter.load(Ordering::Relaxed);
        if count > 0 {
            let _ = writeln!(text, "http_requests_total{{code=\"{code}\"}} {count}");
        }
    }
    if pod.behaviour.timed {
        text.push_str(&pod.times.text());
    }
    text
}

//! How the containers of an image behave: when they are ready, how often they fail, how long they take.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The condition of an image's containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// Ready after [`Image::ready_after`].
    Ready,
    /// Runs, but is never ready.
    NeverReady,
    /// Exits again and again.
    CrashLoop,
}

/// How the pods of an image tell how long their requests took. (The gateway has classic buckets.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Exposition {
    /// In classic buckets.
    #[default]
    Classic,
    /// In a native histogram of this schema, from 0 to 8.
    Native(i32),
    /// In classic buckets that the server makes a native histogram of, with their bounds.
    Custom,
}

/// Circumstances of a request, on which an error rate may depend.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// Virtual time since the world began.
    pub elapsed: Duration,
    /// Since the pod was created.
    pub pod_age: Duration,
    /// The share of the route's requests that this backend has, 0 to 1.
    pub share: f64,
}

/// The chance that a request fails, 0 to 1.
pub type ErrorRate = Arc<dyn Fn(&Moment) -> f64 + Send + Sync>;

/// The behaviour of an image.
#[derive(Clone)]
pub struct Image {
    /// From creation to readiness of a pod.
    pub ready_after: Duration,
    /// Whether it gets there.
    pub health: Health,
    /// The chance that a request is answered by 500.
    pub errors: ErrorRate,
    /// Median of the response time in milliseconds.
    pub latency_ms: f64,
    /// Spread of the response time: the standard deviation of its logarithm.
    pub latency_spread: f64,
    /// How its pods tell that.
    pub exposition: Exposition,
    /// Cores that a pod uses without requests, and seconds of a core that each request costs.
    pub cpu: (f64, f64),
    /// Bytes that a pod uses, and by how many they grow each second.
    pub memory: (f64, f64),
    /// Files that a pod has open without requests, and how many each request leaves open.
    pub files: (f64, f64),
}

impl Default for Image {
    fn default() -> Self {
        Self {
            ready_after: Duration::from_secs(2),
            health: Health::Ready,
            errors: Arc::new(|_| 0.0),
            latency_ms: 20.0,
            latency_spread: 0.5,
            exposition: Exposition::Classic,
            cpu: (0.01, 0.001),
            memory: (64.0 * 1024.0 * 1024.0, 0.0),
            files: (12.0, 0.0),
        }
    }
}

impl Image {
    /// A healthy image that fails a constant share of requests.
    pub fn failing(rate: f64) -> Self {
        Self {
            errors: Arc::new(move |_| rate),
            ..Self::default()
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Image")
            .field("ready_after", &self.ready_after)
            .field("health", &self.health)
            .field("latency_ms", &self.latency_ms)
            .field("latency_spread", &self.latency_spread)
            .field("exposition", &self.exposition)
            .field("cpu", &self.cpu)
            .field("memory", &self.memory)
            .field("files", &self.files)
            .finish_non_exhaustive()
    }
}

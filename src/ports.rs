//! The seams to the outside world that are not the Kubernetes API: metrics and time.
//!
//! The API server needs no trait of ours: a `kube::Client` takes any tower service, and `world` is one.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

/// A boxed future, so that the traits here can be used as trait objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One sample of one series, as an instant query returns it.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Label names and values, without `__name__`.
    pub labels: BTreeMap<String, String>,
    /// The value; NaN and infinities come through as they are, and are judged by the caller.
    pub value: f64,
    /// The evaluation time that the server reports for the sample.
    pub at: Timestamp,
}

/// One sample of one native histogram: what each bucket has counted by itself, as the API tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Label names and values, without `__name__`.
    pub labels: BTreeMap<String, String>,
    /// All observations, those among them that no bucket can hold (NaN).
    pub count: f64,
    /// The buckets that have counted anything; they do not overlap.
    pub buckets: Vec<NativeBucket>,
    /// The evaluation time that the server reports for the sample.
    pub at: Timestamp,
}

/// A bucket of a native histogram: observations above `lower`, up to `upper`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NativeBucket {
    /// Below the observations; may be infinite.
    pub lower: f64,
    /// The largest that still counts; may be infinite.
    pub upper: f64,
    /// How many.
    pub count: f64,
}

/// Why a metric source gave no samples. Never carries a response body (it may hold secrets of others).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// No connection, or one that broke.
    #[error("the metric provider cannot be reached")]
    Unreachable,
    /// Its host has no address.
    #[error("the metric provider cannot be reached: its host name is unknown to DNS")]
    UnknownHost,
    /// Nothing listens there.
    #[error("the metric provider cannot be reached: nothing listens at its address and port")]
    NotListening,
    /// Its certificate is not accepted.
    #[error(
        "the metric provider cannot be reached: its certificate is not trusted (wrong name, expired, or another authority than \
         those of `tls.caFile`)"
    )]
    Untrusted,
    /// No answer in time.
    #[error("the metric provider does not answer in time (its `timeout`)")]
    Late,
    /// Our own credentials cannot be read. Says which file, never what is in it.
    #[error("the credentials for the metric provider cannot be read: {0}")]
    Credentials(String),
    /// The server refused our credentials (401, 403).
    #[error("the metric provider refuses the credentials (HTTP {0})")]
    Denied(u16),
    /// The server refused the query itself (400, 422, or an error inside a 200).
    #[error("the metric provider refuses the query ({0})")]
    Refused(String),
    /// Any other status.
    #[error("the metric provider answers HTTP {0}")]
    Status(u16),
    /// The answer is not what the query asks for: wrong result type, unreadable, too large.
    #[error("the metric provider's answer is unusable: {0}")]
    Unusable(String),
}

impl SourceError {
    /// Whether asking again can help.
    pub const fn transient(&self) -> bool {
        match self {
            Self::Unreachable
            | Self::UnknownHost
            | Self::NotListening
            | Self::Untrusted
            | Self::Late
            | Self::Credentials(_)
            | Self::Denied(_)
            | Self::Status(_) => true,
            Self::Refused(_) | Self::Unusable(_) => false,
        }
    }

    /// Every [`SourceError::label`].
    pub const LABELS: [&str; 7] = [
        "unreachable",
        "late",
        "credentials",
        "denied",
        "refused",
        "status",
        "unusable",
    ];

    /// One word, for metrics; one of [`SourceError::LABELS`].
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unreachable | Self::UnknownHost | Self::NotListening | Self::Untrusted => "unreachable",
            Self::Late => "late",
            Self::Credentials(_) => "credentials",
            Self::Denied(_) => "denied",
            Self::Refused(_) => "refused",
            Self::Status(_) => "status",
            Self::Unusable(_) => "unusable",
        }
    }
}

/// Evaluation times: `start`, `start + step`, and so on until `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: Timestamp,
    /// None is later; not before `start`.
    pub end: Timestamp,
    /// Between two of them; above zero, in whole milliseconds.
    pub step: Duration,
}

impl Span {
    /// The times, in order.
    pub fn times(self) -> impl Iterator<Item = Timestamp> {
        let next = move |at: &Timestamp| at.checked_add(self.step).ok().filter(|at| *at <= self.end);
        std::iter::successors(Some(self.start), next)
    }

    /// The same times in spans of `size` of them at most.
    pub fn pieces(self, size: usize) -> impl Iterator<Item = Self> {
        let times: Vec<Timestamp> = self.times().collect();
        let pieces: Vec<Self> = times
            .chunks(size.max(1))
            .filter_map(|piece| {
                Some(Self {
                    start: *piece.first()?,
                    end: *piece.last()?,
                    step: self.step,
                })
            })
            .collect();
        pieces.into_iter()
    }

    /// Whether all of these are among its times.
    pub fn holds<'a>(self, mut times: impl Iterator<Item = &'a Timestamp>) -> bool {
        let step = i128::try_from(self.step.as_nanos()).unwrap_or(i128::MAX).max(1);
        times.all(|at| {
            (self.start..=self.end).contains(at) && at.duration_since(self.start).as_nanos() % step == 0
        })
    }
}

/// What a query gives at each of several times; a time without samples is absent.
pub type Samples = BTreeMap<Timestamp, Vec<Sample>>;

/// What a query for native histograms gives at each of several times; a time without any is absent.
pub type Histograms = BTreeMap<Timestamp, Vec<Histogram>>;

/// A server of time series that answers PromQL queries.
pub trait MetricSource: Send + Sync {
    /// Evaluates `query`, which must give an instant vector, at time `at`.
    ///
    /// # Errors
    /// Every failure to give a vector is a [`SourceError`]; an empty vector is `Ok`.
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>>;

    /// Evaluates `query` at every time of `span`: the same as as many instant queries, but for the number of calls.
    ///
    /// # Errors
    /// As for [`Self::instant`]; one failure fails all.
    fn range<'a>(&'a self, query: &'a str, span: Span) -> BoxFuture<'a, Result<Samples, SourceError>> {
        Box::pin(async move {
            let mut all = Samples::new();
            for at in span.times() {
                let samples = self.instant(query, at).await?;
                if !samples.is_empty() {
                    all.insert(at, samples);
                }
            }
            Ok(all)
        })
    }

    /// Evaluates `query`, which must give native histograms, at time `at`. A source that knows none gives none.
    ///
    /// # Errors
    /// As for [`Self::instant`]; a plain number among them is one too.
    fn histograms<'a>(
        &'a self,
        _query: &'a str,
        _at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Histogram>, SourceError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// [`Self::histograms`] at every time of `span`.
    ///
    /// # Errors
    /// As for [`Self::histograms`]; one failure fails all.
    fn histogram_range<'a>(
        &'a self,
        query: &'a str,
        span: Span,
    ) -> BoxFuture<'a, Result<Histograms, SourceError>> {
        Box::pin(async move {
            let mut all = Histograms::new();
            for at in span.times() {
                let histograms = self.histograms(query, at).await?;
                if !histograms.is_empty() {
                    all.insert(at, histograms);
                }
            }
            Ok(all)
        })
    }
}

/// What one arm has served between two evaluations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Increment {
    /// Requests.
    pub requests: u64,
    /// Bad ones among them, for each comparison of the metric: failed ones, or for each edge of a histogram those
    /// that took longer. Never more than `requests`.
    pub bad: Vec<u64>,
}

/// The metric servers that an administrator has named.
pub trait Providers: Send + Sync {
    /// The server called `name` for a Rollout of `namespace`; `object` is the `MetricProvider` of that name, if there
    /// is one.
    ///
    /// # Errors
    /// One sentence: what is missing or forbidden, and what to do.
    fn source(
        &self,
        name: &str,
        namespace: &str,
        object: Option<&serde_json::Value>,
    ) -> Result<Arc<dyn MetricSource>, String>;

    /// How late this provider's samples come.
    fn lag(&self, object: Option<&serde_json::Value>) -> Duration;
}

/// The only reader of the wall clock.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

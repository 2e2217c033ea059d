//! A provider whose answers are counted and timed, for the operator's own metrics.

use std::future::Future;
use std::sync::Arc;

use tokio::time::Instant;

use crate::engine::Moment;
use crate::ports::{BoxFuture, Histogram, Histograms, MetricSource, Sample, Samples, SourceError, Span};
use crate::telemetry::Metrics;

/// The provider called `name`.
pub(super) struct Timed {
    pub(super) inner: Arc<dyn MetricSource>,
    pub(super) name: String,
    pub(super) metrics: Arc<Metrics>,
}

impl Timed {
    /// An answer that nobody waits for any more is none.
    fn told<'a, T: Send + 'a>(
        &'a self,
        query: impl Future<Output = Result<T, SourceError>> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, SourceError>> {
        Box::pin(async move {
            let begun = Instant::now();
            let answer = query.await;
            let took = Instant::now().duration_since(begun);
            let error = answer.as_ref().err().map(SourceError::label);
            self.metrics.queried(&self.name, took, error);
            answer
        })
    }
}

impl MetricSource for Timed {
    fn instant<'a>(&'a self, query: &'a str, at: Moment) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        self.told(self.inner.instant(query, at))
    }

    fn range<'a>(&'a self, query: &'a str, span: Span) -> BoxFuture<'a, Result<Samples, SourceError>> {
        self.told(self.inner.range(query, span))
    }

    fn histograms<'a>(
        &'a self,
        query: &'a str,
        at: Moment,
    ) -> BoxFuture<'a, Result<Vec<Histogram>, SourceError>> {
        self.told(self.inner.histograms(query, at))
    }

    fn histogram_range<'a>(
        &'a self,
        query: &'a str,
        span: Span,
    ) -> BoxFuture<'a, Result<Histograms, SourceError>> {
        self.told(self.inner.histogram_range(query, span))
    }
}

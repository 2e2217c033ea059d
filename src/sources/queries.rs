//! What is asked of one metric: templates of PromQL, and what they give for an arm.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::counters::RESETS_WITHIN;
use super::native;
use super::promql::{Arm, TemplateError, render};
use crate::ports::{MetricSource, Sample, Samples, SourceError, Span};

/// What is counted of an arm's requests: templates of PromQL for raw cumulative counters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tally {
    /// All requests, and the bad ones among them.
    Share {
        /// Counters of all requests of an arm.
        total: String,
        /// Counters of its bad requests.
        bad: String,
    },
    /// How long requests took.
    Histogram {
        /// Cumulative buckets of an arm, with a label `le`.
        buckets: String,
        /// How many seconds one unit of `le` is.
        unit: f64,
    },
    /// How long requests took, in native histograms.
    Native {
        /// The histograms of an arm.
        histogram: String,
        /// How many seconds one unit of them is.
        unit: f64,
    },
}

/// Query templates of one metric: from a preset, or the user's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Queries {
    /// What is counted.
    pub tally: Tally,
    /// Start times of the processes that are counted, in Unix seconds; asked only when a new target appears.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub starts: Option<String>,
    /// Only requests that went through the route are counted: their shares must be the weights.
    #[serde(default)]
    pub routed: bool,
}

/// Queries of one metric, filled in for one arm.
#[derive(Clone, Debug, PartialEq)]
pub struct ArmQueries {
    /// Counters of all its requests, or its histograms.
    pub total: String,
    /// Counters of its bad requests; a histogram needs none.
    pub bad: Option<String>,
    /// Start times of its processes.
    pub starts: Option<String>,
    /// How often the counters of `total` have fallen within [`RESETS_WITHIN`].
    pub resets: Option<String>,
    /// `total` gives native histograms, which are read at these edges.
    pub native: Option<Vec<f64>>,
}

impl ArmQueries {
    /// What `total` gives at `at`: counters; of a histogram, whatever its kind, its cumulative buckets.
    ///
    /// # Errors
    /// The source gives none, or a native histogram contradicts itself.
    pub async fn totals(&self, source: &dyn MetricSource, at: Timestamp) -> Result<Vec<Sample>, SourceError> {
        match &self.native {
            None => source.instant(&self.total, at).await,
            Some(edges) => native::cumulative(&source.histograms(&self.total, at).await?, edges),
        }
    }

    /// What `total` gives at every time of `span`, as in [`Self::totals`].
    ///
    /// # Errors
    /// As [`Self::totals`]; one failure fails all.
    pub async fn totals_of(&self, source: &dyn MetricSource, span: Span) -> Result<Samples, SourceError> {
        let Some(edges) = &self.native else {
            return source.range(&self.total, span).await;
        };
        let all = source.histogram_range(&self.total, span).await?;
        all.into_iter()
            .map(|(at, histograms)| Ok((at, native::cumulative(&histograms, edges)?)))
            .collect()
    }
}

impl Queries {
    /// The user's own queries for a share of bad requests.
    pub fn custom(total: impl Into<String>, bad: impl Into<String>) -> Self {
        Self::of(Tally::Share {
            total: total.into(),
            bad: bad.into(),
        })
    }

    /// The user's own query for a histogram whose edges are in units of so many seconds.
    pub fn histogram(buckets: impl Into<String>, unit: f64) -> Self {
        Self::of(Tally::Histogram {
            buckets: buckets.into(),
            unit,
        })
    }

    /// The user's own query for native histograms in units of so many seconds.
    pub fn native(histogram: impl Into<String>, unit: f64) -> Self {
        Self::of(Tally::Native {
            histogram: histogram.into(),
            unit,
        })
    }

    fn of(tally: Tally) -> Self {
        Self {
            tally,
            starts: None,
            routed: false,
        }
    }

    /// How many seconds one unit of its edges is, where it is a histogram.
    pub fn unit(&self) -> Option<f64> {
        match self.tally {
            Tally::Share { .. } => None,
            Tally::Histogram { unit, .. } | Tally::Native { unit, .. } => Some(unit),
        }
    }

    /// Whether they ask for native histograms.
    pub const fn is_native(&self) -> bool {
        match self.tally {
            Tally::Share { .. } | Tally::Histogram { .. } => false,
            Tally::Native { .. } => true,
        }
    }

    /// The queries of `arm`.
    ///
    /// # Errors
    /// A placeholder that is unknown or has no usable value.
    pub fn render(&self, arm: &Arm) -> Result<ArmQueries, TemplateError> {
        let (total, bad) = match &self.tally {
            Tally::Share { total, bad } => (render(total, arm)?, Some(render(bad, arm)?)),
            Tally::Histogram { buckets, .. } => (render(buckets, arm)?, None),
            Tally::Native { histogram, .. } => (render(histogram, arm)?, None),
        };
        let starts = self.starts.as_deref();
        // Only a preset's are surely selectors, which alone can be asked so.
        let resets = self
            .routed
            .then(|| format!("resets({total}[{}s])", RESETS_WITHIN.as_secs()));
        Ok(ArmQueries {
            total,
            bad,
            resets,
            starts: starts.map(|starts| render(starts, arm)).transpose()?,
            native: self.is_native().then(|| arm.edges.clone()),
        })
    }
}

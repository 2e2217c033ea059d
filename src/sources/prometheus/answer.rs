//! The JSON answer to a query, to samples.
//!
//! Everything that a server may send is possible here: an error inside a 200, another result type, a page of HTML.
//! Errors say what was expected, never what was sent.

mod native;

use jiff::Timestamp;
use prometheus_http_query::response::{self, Data, PromqlResult};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::ports::{Sample, Samples, SourceError};
pub(super) use native::{histogram_ranges, histograms};

/// What surrounds every answer of the API.
#[derive(Deserialize)]
struct Envelope {
    status: String,
    #[serde(default)]
    data: Value,
    #[serde(default, rename = "errorType")]
    error_type: String,
    #[serde(default)]
    warnings: Vec<String>,
    /// How a cluster of VictoriaMetrics says that some of its storage nodes have not answered.
    #[serde(default, rename = "isPartial")]
    partial: bool,
}

/// The classes of errors that the API documents. Anything else is not repeated.
const CLASSES: [&str; 8] = [
    "timeout",
    "canceled",
    "execution",
    "bad_data",
    "internal",
    "unavailable",
    "not_found",
    "not_acceptable",
];

/// The documented class of the error in `body`.
pub(super) fn class(body: &[u8]) -> &'static str {
    let envelope = serde_json::from_slice::<Envelope>(body).ok();
    envelope.map_or("no reason", |envelope| known(&envelope.error_type))
}

fn known(error_type: &str) -> &'static str {
    let class = CLASSES.iter().find(|class| **class == error_type);
    class.copied().unwrap_or("no documented reason")
}

/// The samples in `body`, the answer to an instant query.
pub(super) fn samples(body: &[u8]) -> Result<Vec<Sample>, SourceError> {
    let Data::Vector(vector) = numbers(body, "vector")? else {
        return Err(unusable("it must give a vector"));
    };
    let mut seen = BTreeSet::new();
    let mut samples = Vec::with_capacity(vector.len());
    for entry in vector {
        let (metric, point) = entry.into_inner();
        let labels = labels(metric);
        if !seen.insert(labels.clone()) {
            return Err(twice());
        }
        samples.push(sample(labels, &point)?);
    }
    Ok(samples)
}

/// The samples in `body`, the answer to a range query, by evaluation time.
pub(super) fn ranges(body: &[u8]) -> Result<Samples, SourceError> {
    let Data::Matrix(matrix) = numbers(body, "matrix")? else {
        return Err(unusable("it must give a range"));
    };
    let mut seen = BTreeSet::new();
    let mut all = Samples::new();
    for entry in matrix {
        let (metric, points) = entry.into_inner();
        let labels = labels(metric);
        if !seen.insert(labels.clone()) {
            return Err(twice());
        }
        for point in &points {
            let sample = sample(labels.clone(), point)?;
            all.entry(sample.at).or_default().push(sample);
        }
    }
    Ok(all)
}

/// The plain numbers of a good answer, which must be of the type `wanted`.
fn numbers(body: &[u8], wanted: &str) -> Result<Data, SourceError> {
    let data = data(body, wanted)?;
    let native = native::any(&data);
    let result = serde_json::from_value::<PromqlResult>(data);
    let result = result.map_err(|_| {
        unusable(if native {
            "a sample is a native histogram, not a plain number: a query of latency.histogram can give it"
        } else {
            "a sample is not a plain number"
        })
    })?;
    Ok(result.into_inner().0)
}

/// What a good answer holds, which must be of the type `wanted`.
fn data(body: &[u8], wanted: &str) -> Result<Value, SourceError> {
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|_| unusable("it is not an answer of the Prometheus API"))?;
    match envelope.status.as_str() {
        "success" => {}
        "error" => {
            let class = known(&envelope.error_type);
            return Err(SourceError::Refused(format!(
                "an error in a good answer: {class}"
            )));
        }
        _ => return Err(unusable("its status is neither success nor error")),
    }
    // Older servers send remarks on the query as warnings too; the others mean that part of the data is missing.
    let lacking = |text: &String| !text.starts_with("PromQL ");
    if envelope.partial || envelope.warnings.iter().any(lacking) {
        return Err(unusable("the server warns that it may be incomplete"));
    }
    match envelope.data.get("resultType").and_then(Value::as_str) {
        Some(given) if given == wanted => {}
        Some("vector") => return Err(unusable("the query gives a vector; it must give a range")),
        Some("scalar") => return Err(unusable("the query gives a scalar; it must give a vector")),
        Some("matrix") => return Err(unusable("the query gives a range; it must give a vector")),
        Some("string") => return Err(unusable("the query gives a string; it must give a vector")),
        _ => return Err(unusable("it has no known result type")),
    }
    Ok(envelope.data)
}

fn labels(metric: HashMap<String, String>) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = metric.into_iter().collect();
    labels.remove("__name__");
    labels
}

fn twice() -> SourceError {
    unusable("two series carry the same labels; let the query match one metric only")
}

fn sample(labels: BTreeMap<String, String>, point: &response::Sample) -> Result<Sample, SourceError> {
    Ok(Sample {
        labels,
        value: point.value(),
        at: time(point.timestamp())?,
    })
}

/// A time of the API: seconds.
fn time(seconds: f64) -> Result<Timestamp, SourceError> {
    let milliseconds = (seconds * 1000.0).round();
    milliseconds
        .is_finite()
        .then(|| Timestamp::from_millisecond(milliseconds as i64).ok())
        .flatten()
        .ok_or_else(|| unusable("a sample's time is not a time"))
}

fn unusable(why: &str) -> SourceError {
    SourceError::Unusable(why.into())
}

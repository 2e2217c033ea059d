//! Native histograms in an answer. The client library knows only plain numbers.
//!
//! The API lists the buckets that have counted anything: `[rule, lower, upper, count]`. On which side a bucket's bounds
//! belong to it (the rule) is the same for all above zero, whatever the histogram's schema: the upper one does.

use std::collections::{BTreeSet, HashMap};

use serde::Deserialize;
use serde_json::Value;

use super::{data, labels, time, twice, unusable};
use crate::ports::{Histogram, Histograms, NativeBucket, SourceError};

/// One series, at one time or at several.
#[derive(Deserialize)]
struct Series {
    metric: HashMap<String, String>,
    #[serde(default)]
    histogram: Option<Point>,
    #[serde(default)]
    histograms: Vec<Point>,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    values: Value,
}

/// A time in seconds and what was counted until then.
type Point = (f64, Counted);

#[derive(Deserialize)]
struct Counted {
    count: String,
    #[serde(default)]
    buckets: Vec<(u8, String, String, String)>,
}

/// Whether any series of this data holds native histograms.
pub(super) fn any(data: &Value) -> bool {
    let native = |series: &Value| {
        series
            .get("histogram")
            .or_else(|| series.get("histograms"))
            .is_some()
    };
    let series = data.get("result").and_then(Value::as_array);
    series.is_some_and(|series| series.iter().any(native))
}

/// The native histograms in `body`, the answer to an instant query.
pub(in crate::sources::prometheus) fn histograms(body: &[u8]) -> Result<Vec<Histogram>, SourceError> {
    let all = read(data(body, "vector")?)?;
    Ok(all.into_values().flatten().collect())
}

/// The native histograms in `body`, the answer to a range query, by evaluation time.
pub(in crate::sources::prometheus) fn histogram_ranges(body: &[u8]) -> Result<Histograms, SourceError> {
    read(data(body, "matrix")?)
}

fn read(mut data: Value) -> Result<Histograms, SourceError> {
    let unreadable = |_| unusable("a sample is not a native histogram");
    let result = data.get_mut("result").map(Value::take).unwrap_or_default();
    let series: Vec<Series> = serde_json::from_value(result).map_err(unreadable)?;
    let mut seen = BTreeSet::new();
    let mut all = Histograms::new();
    for one in series {
        if !(one.value.is_null() && one.values.is_null()) {
            return Err(unusable("a sample is a plain number, not a native histogram"));
        }
        let labels = labels(one.metric);
        if !seen.insert(labels.clone()) {
            return Err(twice());
        }
        for (seconds, counted) in one.histogram.into_iter().chain(one.histograms) {
            let at = time(seconds)?;
            all.entry(at).or_default().push(Histogram {
                labels: labels.clone(),
                count: number(&counted.count)?,
                buckets: counted.buckets.iter().map(bucket).collect::<Result<_, _>>()?,
                at,
            });
        }
    }
    Ok(all)
}

fn bucket((_, lower, upper, count): &(u8, String, String, String)) -> Result<NativeBucket, SourceError> {
    Ok(NativeBucket {
        lower: number(lower)?,
        upper: number(upper)?,
        count: number(count)?,
    })
}

fn number(text: &str) -> Result<f64, SourceError> {
    text.parse()
        .map_err(|_| unusable("a native histogram holds what is no number"))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn answer(kind: &str, result: &str) -> String {
        format!(r#"{{"status":"success","data":{{"resultType":"{kind}","result":[{result}]}}}}"#)
    }

    /// As Prometheus 3.15 writes it.
    const ONE: &str = r#"{"metric":{"__name__":"x","pod":"a"},"histogram":[1795751091.012,{"count":"76","sum":"NaN","buckets":[[1,"-2","-1.8340080864093422","3"],[3,"-2.938735877055719e-39","2.938735877055719e-39","2"],[0,"0.22925101080116778","0.25","5"],[0,"1.7976931348623157e+308","+Inf","2"]]}]}"#;
    const EMPTY: &str = r#"{"metric":{"pod":"b"},"histogram":[1795751091.012,{"count":"0","sum":"0"}]}"#;
    const NUMBER: &str = r#"{"metric":{"pod":"c"},"value":[1795751091.012,"4"]}"#;

    #[test]
    fn a_native_histogram_is_read_with_its_buckets() {
        let body = answer("vector", &format!("{ONE},{EMPTY}"));
        let read = histograms(body.as_bytes()).expect("histograms");
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].labels, [("pod".to_owned(), "a".to_owned())].into());
        assert_eq!(
            read[0].at,
            Timestamp::from_millisecond(1_795_751_091_012).expect("a time")
        );
        assert_eq!((read[0].count, read[1].count), (76.0, 0.0));
        let bucket = |lower, upper, count| NativeBucket { lower, upper, count };
        assert_eq!(
            read[0].buckets,
            [
                bucket(-2.0, -1.834_008_086_409_342_2, 3.0),
                bucket(-2.938_735_877_055_719e-39, 2.938_735_877_055_719e-39, 2.0),
                bucket(0.229_251_010_801_167_78, 0.25, 5.0),
                bucket(f64::MAX, f64::INFINITY, 2.0),
            ]
        );
        assert_eq!(read[1].buckets, []);
        assert_eq!(histograms(answer("vector", "").as_bytes()), Ok(Vec::new()));
    }

    #[test]
    fn a_range_is_read_by_time() {
        let point = |at: u32, count: u32| {
            format!(r#"[{at},{{"count":"{count}","sum":"1","buckets":[[0,"0.25","0.5","{count}"]]}}]"#)
        };
        let series = |pod: &str, points: &[String]| {
            format!(
                r#"{{"metric":{{"pod":"{pod}"}},"histograms":[{}]}}"#,
                points.join(",")
            )
        };
        let both = [
            series("a", &[point(10, 3), point(20, 5)]),
            series("b", &[point(20, 7)]),
        ];
        let body = answer("matrix", &both.join(","));
        let read = histogram_ranges(body.as_bytes()).expect("histograms");
        let counts: Vec<(i64, Vec<f64>)> = read
            .iter()
            .map(|(at, all)| (at.as_second(), all.iter().map(|it| it.count).collect()))
            .collect();
        assert_eq!(counts, [(10, vec![3.0]), (20, vec![5.0, 7.0])]);
    }

    #[test]
    fn anything_else_is_refused() {
        let mixed = r#"{"metric":{},"values":[[1,"2"]],"histograms":[[2,{"count":"1"}]]}"#;
        for (kind, result, why) in [
            (
                "vector",
                format!("{ONE},{NUMBER}"),
                "a plain number, not a native histogram",
            ),
            (
                "vector",
                format!("{ONE},{ONE}"),
                "two series carry the same labels",
            ),
            (
                "matrix",
                mixed.to_owned(),
                "a plain number, not a native histogram",
            ),
            ("vector", ONE.replace("\"76\"", "\"many\""), "what is no number"),
            ("vector", ONE.replace("\"76\"", "76"), "not a native histogram"),
            (
                "vector",
                ONE.replace("[0,\"0.2", "[0,\"1\",\"0.2"),
                "not a native histogram",
            ),
            ("vector", ONE.replace("1795751091.012", "1e300"), "not a time"),
            (
                "vector",
                r#"{"metric":{},"histogram":"1"}"#.to_owned(),
                "not a native histogram",
            ),
            ("vector", "7".to_owned(), "not a native histogram"),
        ] {
            let body = answer(kind, &result);
            let read = match kind {
                "vector" => histograms(body.as_bytes()).map(|_| ()),
                _ => histogram_ranges(body.as_bytes()).map(|_| ()),
            };
            let error = read.expect_err(&result).to_string();
            assert!(error.contains(why), "{error}: {result}");
        }
        let asked = histograms(answer("matrix", "").as_bytes()).expect_err("a range");
        assert!(asked.to_string().contains("it must give a vector"), "{asked}");
    }
}

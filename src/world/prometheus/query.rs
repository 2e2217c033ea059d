//! The part of PromQL that the world answers: a vector selector, alone or in one `sum`, `count`, `min` or `max`, one of
//! these divided by another, label by label, and `resets` of a range in seconds.
//!
//! Everything else is refused: a query that the world misread would be worse than one that it does not know.

mod read;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use regex::Regex;

use crate::ports::Sample;
use read::Reader;

/// A parsed query.
#[derive(Debug)]
pub(super) struct Query {
    vector: Vector,
    divisor: Option<Vector>,
}

/// What selects series, and folds them.
#[derive(Debug)]
pub(super) struct Vector {
    matchers: Vec<Matcher>,
    aggregation: Option<Aggregation>,
    /// Not the values are asked for, but how often they have fallen within this time.
    resets: Option<SignedDuration>,
}

#[derive(Debug)]
struct Matcher {
    label: String,
    pattern: Pattern,
    negated: bool,
}

#[derive(Debug)]
enum Pattern {
    Equal(String),
    Like(Regex),
}

#[derive(Debug)]
struct Aggregation {
    fold: Fold,
    by: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Fold {
    Sum,
    Count,
    Min,
    Max,
}

impl Query {
    /// Parses a query.
    ///
    /// # Errors
    /// What the parser does not know, with the place.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader::new(text);
        let vector = Vector::read(&mut reader)?;
        let divisor = if reader.take('/') {
            Some(Vector::read(&mut reader)?)
        } else {
            None
        };
        reader.end()?;
        Ok(Self { vector, divisor })
    }

    /// What it reads.
    pub(super) fn vectors(&self) -> impl Iterator<Item = &Vector> {
        [Some(&self.vector), self.divisor.as_ref()].into_iter().flatten()
    }

    /// The vector, where that is a selector and no more.
    pub(super) fn selector(&self) -> Option<&Vector> {
        let Vector {
            aggregation, resets, ..
        } = &self.vector;
        (self.divisor.is_none() && aggregation.is_none() && resets.is_none()).then_some(&self.vector)
    }

    /// What the query gives; `select` gives the samples of a vector's series.
    pub(super) fn answer(&self, select: impl Fn(&Vector) -> Vec<Sample>, at: Timestamp) -> Vec<Sample> {
        let of = |vector: &Vector| vector.aggregate(select(vector), at);
        let samples = of(&self.vector);
        let Some(divisor) = &self.divisor else {
            return samples;
        };
        let by: BTreeMap<_, f64> = of(divisor)
            .into_iter()
            .map(|sample| (sample.labels, sample.value))
            .collect();
        let divided = |sample: Sample| {
            let value = sample.value / by.get(&sample.labels)?;
            Some(Sample { value, ..sample })
        };
        samples.into_iter().filter_map(divided).collect()
    }
}

impl Vector {
    /// The metric's name, where the query fixes it.
    pub(super) fn name(&self) -> Option<&str> {
        self.matchers.iter().find_map(|m| match &m.pattern {
            Pattern::Equal(name) if m.label == "__name__" && !m.negated => Some(name.as_str()),
            Pattern::Equal(_) | Pattern::Like(_) => None,
        })
    }

    /// Within which time its resets are asked for.
    pub(super) const fn resets(&self) -> Option<SignedDuration> {
        self.resets
    }

    /// Whether a series is selected.
    pub(super) fn matches(&self, name: &str, labels: &BTreeMap<String, String>) -> bool {
        self.matchers.iter().all(|matcher| {
            let value = match matcher.label.as_str() {
                "__name__" => name,
                label => labels.get(label).map_or("", String::as_str),
            };
            let holds = match &matcher.pattern {
                Pattern::Equal(wanted) => wanted == value,
                Pattern::Like(regex) => regex.is_match(value),
            };
            holds != matcher.negated
        })
    }

    /// Applies the aggregation, if there is one.
    fn aggregate(&self, samples: Vec<Sample>, at: Timestamp) -> Vec<Sample> {
        let Some(Aggregation { fold, by }) = &self.aggregation else {
            return samples;
        };
        let mut groups: BTreeMap<BTreeMap<String, String>, Vec<f64>> = BTreeMap::new();
        for sample in samples {
            let labels = sample
                .labels
                .into_iter()
                .filter(|(label, _)| by.contains(label))
                .collect();
            groups.entry(labels).or_default().push(sample.value);
        }
        let value = |values: &[f64]| match fold {
            Fold::Sum => values.iter().sum(),
            Fold::Count => values.len() as f64,
            Fold::Min => values.iter().copied().fold(f64::NAN, f64::min),
            Fold::Max => values.iter().copied().fold(f64::NAN, f64::max),
        };
        groups
            .into_iter()
            .map(|(labels, values)| Sample {
                labels,
                value: value(&values),
                at,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect()
    }

    #[test]
    fn selectors_match_as_prometheus_does() {
        let series = labels(&[("pod", "shop-1"), ("code", "503")]);
        for (query, selected) in [
            ("up", true),
            ("down", false),
            (r#"up{pod="shop-1", code=~"5..",}"#, true),
            (r#"up{code=~"5"}"#, false),
            (r#"{__name__="up",zone=""}"#, true),
            (r#"up{code!~"4..|3..",pod!="other"}"#, true),
            (r#"up{pod=~"shop\\-1|x"}"#, true),
            (r#"up{zone!=""}"#, false),
        ] {
            assert_eq!(
                Query::parse(query).unwrap().vector.matches("up", &series),
                selected,
                "{query}"
            );
        }
    }

    #[test]
    fn aggregations_group() {
        let at = Timestamp::UNIX_EPOCH;
        let sample = |pod: &str, code: &str, value| Sample {
            labels: labels(&[("pod", pod), ("code", code)]),
            value,
            at,
        };
        let samples = vec![
            sample("a", "200", 1.0),
            sample("a", "500", 2.0),
            sample("b", "200", 4.0),
        ];
        for query in ["sum by (pod) (x)", "sum(x) by (pod)"] {
            let sums = Query::parse(query).unwrap().answer(|_| samples.clone(), at);
            assert_eq!(sums.iter().map(|s| s.value).collect::<Vec<_>>(), [3.0, 4.0]);
        }
        let count = Query::parse("count(x)").unwrap().answer(|_| samples.clone(), at);
        assert_eq!((count[0].value, count[0].labels.len()), (3.0, 0));
    }

    #[test]
    fn a_quotient_has_the_labels_that_both_sides_have() {
        let at = Timestamp::UNIX_EPOCH;
        let sample = |pod: &str, value| Sample {
            labels: labels(&[("pod", pod)]),
            value,
            at,
        };
        let select = |vector: &Vector| {
            if vector.name() == Some("x") {
                vec![sample("a", 3.0), sample("b", 1.0)]
            } else {
                vec![sample("a", 4.0), sample("c", 2.0)]
            }
        };
        let quotients = Query::parse("x{pod=\"a\"} / y").unwrap().answer(select, at);
        assert_eq!(quotients, [sample("a", 0.75)]);
    }

    #[test]
    fn resets_are_of_a_range_in_seconds() {
        let query = Query::parse(r#"resets(x{pod="a"}[90s])"#).unwrap();
        assert_eq!(query.vector.resets(), Some(SignedDuration::from_secs(90)));
        assert!(query.selector().is_none());
    }

    #[test]
    fn the_rest_is_refused() {
        for query in [
            "",
            "rate(x[1m])",
            "x[5m]",
            "resets(x)",
            "resets(x[5m])",
            "x + y",
            "x / y / z",
            "x / 2",
            "x /",
            "x offset 1m",
            "x{a=}",
            "x{a=\"b}",
            "x{a=~\"(\"}",
            "sum(x",
            "1",
            "{}",
        ] {
            let refused = Query::parse(query);
            assert!(refused.is_err(), "{query}");
        }
    }
}

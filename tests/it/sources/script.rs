//! A metric source that plays back what a test has written.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::Timestamp;
use serin::ports::{BoxFuture, Histogram, MetricSource, NativeBucket, Sample, SourceError};

pub(super) type Answer = Result<Vec<Sample>, SourceError>;

pub(super) fn second(at: i64) -> Timestamp {
    Timestamp::from_second(at).expect("in range")
}

/// Samples of one counter on one gateway, by response code.
pub(super) fn codes(at: i64, codes: &[(u32, u32)]) -> Vec<Sample> {
    codes
        .iter()
        .map(|(code, count)| Sample {
            labels: [("instance", "g1".to_owned()), ("code", code.to_string())]
                .map(|(name, value)| (name.to_owned(), value))
                .into(),
            value: f64::from(*count),
            at: second(at),
        })
        .collect()
}

/// A pod's native histogram with buckets of whole octaves: how many took up to so long.
pub(super) fn octaves(pod: &str, at: i64, counts: &[(f64, u32)]) -> Histogram {
    let bucket = |(upper, count): &(f64, u32)| NativeBucket {
        lower: upper / 2.0,
        upper: *upper,
        count: f64::from(*count),
    };
    Histogram {
        labels: [("pod".to_owned(), pod.to_owned())].into(),
        count: counts.iter().map(|(_, count)| f64::from(*count)).sum(),
        buckets: counts.iter().map(bucket).collect(),
        at: second(at),
    }
}

type Histograms = Result<Vec<Histogram>, SourceError>;

/// Answers by query and time; what is not written is empty.
#[derive(Default)]
pub(super) struct Script {
    answers: BTreeMap<(String, Timestamp), Answer>,
    native: BTreeMap<(String, Timestamp), Histograms>,
    pub(super) asked: Mutex<Vec<(String, Timestamp)>>,
}

impl Script {
    pub(super) fn put(&mut self, query: &str, at: i64, answer: Answer) {
        self.answers.insert((query.into(), second(at)), answer);
    }

    pub(super) fn put_native(&mut self, query: &str, at: i64, answer: Histograms) {
        self.native.insert((query.into(), second(at)), answer);
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.lock().expect("unpoisoned").len()
    }
}

impl MetricSource for Script {
    fn instant<'a>(&'a self, query: &'a str, at: Timestamp) -> BoxFuture<'a, Answer> {
        self.asked.lock().expect("unpoisoned").push((query.into(), at));
        let answer = self.answers.get(&(query.to_owned(), at)).cloned();
        Box::pin(async move { answer.unwrap_or_else(|| Ok(Vec::new())) })
    }

    fn histograms<'a>(&'a self, query: &'a str, at: Timestamp) -> BoxFuture<'a, Histograms> {
        self.asked.lock().expect("unpoisoned").push((query.into(), at));
        let answer = self.native.get(&(query.to_owned(), at)).cloned();
        Box::pin(async move { answer.unwrap_or_else(|| Ok(Vec::new())) })
    }
}

//! What a release compares, and what the past says about it: fixed before the candidate's first request.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::api;
use crate::engine::judge::Brief;
use crate::engine::plan::{Metric, MetricKind, Plan};
use crate::engine::{Moment, words};
use crate::ports::{Increment, MetricSource, Span};
use crate::sources::history::{self, NoPast, Past, Shape};
use crate::sources::preflight::Choice;
use crate::sources::promql::Arm;
use crate::sources::queries::Queries;
use crate::stats::history::background_of;
use crate::stats::latency::{self, Bucket};
use crate::stats::without_baseline::ALONE;
use crate::stats::{Background, Counts, Margin};

/// How far the past is looked into.
const PAST: Duration = Duration::from_secs(3600);
/// The most evaluations that are asked for at once: with short intervals the past is shorter.
const PAST_POINTS: u32 = 720;

/// One metric as a release reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Subject {
    /// Its name in the plan.
    pub(crate) metric: String,
    /// What its queries are called.
    pub(crate) found: String,
    pub(crate) queries: Queries,
    /// The edges of a histogram, in its own unit: the candidate's, and the baseline's beside it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) edges: Vec<(f64, f64)>,
}

/// Everything that is known before the comparison begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Learned {
    pub(crate) subjects: Vec<Subject>,
    pub(crate) briefs: Vec<Brief>,
    /// Requests a second, as far as the past knows them.
    pub(crate) pace: Option<f64>,
    /// Optional metrics that are not judged, and why.
    pub(crate) left_out: Vec<(String, String)>,
    /// What a user should know of a metric that is judged: its name, and a sentence.
    pub(crate) notes: Vec<(String, String)>,
    /// It comes from the status, which says so already.
    pub(crate) told: bool,
}

impl Subject {
    /// The arm of the candidate and that of the baseline, as this metric reads them.
    pub(crate) fn arms(&self, (candidate, baseline): (&Arm, &Arm)) -> (Arm, Arm) {
        let edges = |side: fn(&(f64, f64)) -> f64| self.edges.iter().map(side).collect();
        (candidate.at(edges(|it| it.0)), baseline.at(edges(|it| it.1)))
    }
}

impl Learned {
    /// Learns about a metric whose queries were found. `until`: the latest moment whose samples are visible. `patient`:
    /// what the provider does not answer may be asked again; otherwise the release goes without it.
    ///
    /// # Errors
    /// What is to be asked again. Nothing is learned then.
    pub(crate) async fn add(
        &mut self,
        source: &dyn MetricSource,
        (plan, metric): (&Plan, &Metric),
        choice: &Choice,
        baseline: &Arm,
        (until, patient): (Moment, bool),
    ) -> Result<(), NoPast> {
        let span = span(until, plan.analysis.interval);
        let mut note = None;
        let edges = match metric.kind {
            MetricKind::ErrorRate => Vec::new(),
            MetricKind::Latency { slowdown, objective } => {
                let shape = match history::histogram(source, &choice.queries, baseline, span).await {
                    Ok(shape) => shape,
                    Err(error) if patient && error.transient() => return Err(error),
                    Err(error) => {
                        let why = format!("the histogram of {} cannot be read: {error}", choice.title());
                        self.left_out.push((metric.name.clone(), why));
                        return Ok(());
                    }
                };
                let edges = edges(&choice.queries, &shape, (slowdown, objective));
                if edges.is_empty() {
                    let why = format!("the histogram of {} has counted no request yet", choice.title());
                    self.left_out.push((metric.name.clone(), why));
                    return Ok(());
                }
                note = objective.and_then(|seconds| inexact(&choice.queries, &shape, seconds));
                edges
            }
        };
        let subject = Subject {
            metric: metric.name.clone(),
            found: choice.title(),
            queries: choice.queries.clone(),
            edges,
        };
        let (_, beside) = subject.arms((baseline, baseline));
        let past = match history::past(source, &choice.queries, &beside, span).await {
            Ok(past) => past,
            Err(error) if patient && error.transient() => return Err(error),
            Err(error) => {
                tracing::info!(metric = %metric.name, "the past is not known: {error}");
                Past::default()
            }
        };
        self.notes.extend(note.map(|note| (metric.name.clone(), note)));
        if past.pace > 0.0 && self.pace.is_none() {
            self.pace = Some(past.pace);
        }
        let parts = subject.edges.len().max(1);
        self.briefs.push(Brief {
            metric: metric.name.clone(),
            routed: choice.queries.routed,
            past: (0..parts)
                .map(|part| normal(&past, part, metric, plan.analysis.interval))
                .collect(),
        });
        self.subjects.push(subject);
        Ok(())
    }

    /// Why a candidate with all traffic could not be judged, where the plan wants that and the past tells it already: a
    /// gating metric that is so bad in ordinary times that nothing is far worse.
    pub(crate) fn unfit_alone(&self, plan: &Plan) -> Option<String> {
        if !(0..plan.rungs.len()).any(|rung| plan.is_alone(rung)) {
            return None;
        }
        let metric = |brief: &Brief| plan.analysis.metrics.iter().find(|it| it.name == brief.metric);
        let gating = |brief: &&Brief| metric(brief).is_some_and(|metric| metric.gating);
        let tells = |past: &Background| past.rate().is_none_or(|rate| ALONE.rate(rate) < 1.0);
        let mut unfit = self.briefs.iter().filter(gating);
        let unfit = unfit.find(|brief| !brief.past.iter().any(tells))?;
        let least = unfit.past.iter().filter_map(Background::rate).reduce(f64::min)?;
        Some(words::unfit_alone(&unfit.metric, least))
    }

    /// What the status says of the metrics, beside what thin traffic can prove.
    pub(crate) fn report<'a>(
        &self,
        widened: impl Iterator<Item = (&'a Metric, f64)>,
    ) -> Vec<api::MetricStatus> {
        let widened: Vec<(&str, f64)> = widened
            .map(|(metric, rate)| (metric.name.as_str(), rate))
            .collect();
        let judged = self.subjects.iter().map(|subject| {
            let rate = widened.iter().find(|(name, _)| *name == subject.metric);
            let thin = rate
                .zip(self.pace)
                .map(|((_, rate), pace)| words::thin(pace, *rate));
            let own = self.notes.iter().filter(|(name, _)| *name == subject.metric);
            let notes: Vec<String> = thin.into_iter().chain(own.map(|it| it.1.clone())).collect();
            let note = (!notes.is_empty()).then(|| notes.join("; "));
            api::MetricStatus {
                name: subject.metric.clone(),
                source: Some(subject.found.clone()),
                note,
            }
        });
        let left_out = self.left_out.iter().map(|(name, why)| api::MetricStatus {
            name: name.clone(),
            source: None,
            note: Some(format!("not judged: {why}")),
        });
        judged.chain(left_out).collect()
    }
}

/// The past, on whole seconds.
fn span(until: Moment, interval: Duration) -> Span {
    let end = Moment::from_second(until.as_second()).unwrap_or(until);
    let length = PAST.min(interval.saturating_mul(PAST_POINTS));
    let points = length.as_millis() / interval.as_millis().max(1);
    let back = interval.saturating_mul(u32::try_from(points).unwrap_or(PAST_POINTS));
    Span {
        start: end.checked_sub(back).unwrap_or(end),
        end,
        step: interval.max(Duration::from_millis(1)),
    }
}

/// The edges to compare at; empty where the baseline has served no request.
fn edges(queries: &Queries, shape: &Shape, (slowdown, objective): (f64, Option<f64>)) -> Vec<(f64, f64)> {
    let unit = queries.unit().unwrap_or(1.0);
    let bucket = |(edge, count): &(f64, u64)| Bucket {
        edge: *edge,
        count: *count,
    };
    let buckets: Vec<Bucket> = shape.counts.iter().map(bucket).collect();
    let objective = objective.map(|seconds| seconds / unit);
    let chosen = latency::edges_among(&buckets, &shape.readable, slowdown, objective);
    chosen
        .iter()
        .map(|edge| (edge.candidate, edge.baseline))
        .collect()
}

/// What to say where the histogram has no edge at the user's own one: that it is read below, so that more requests
/// count as slow, never fewer.
fn inexact(queries: &Queries, shape: &Shape, seconds: f64) -> Option<String> {
    let unit = queries.unit().unwrap_or(1.0);
    let wanted = words::time(seconds);
    let Some(edge) = latency::floor(&shape.readable, seconds / unit) else {
        return Some(format!(
            "the histogram has no edge at or below the objective {wanted}: it is not compared"
        ));
    };
    let read = edge * unit;
    (read < seconds * (1.0 - 1e-6)).then(|| {
        let read = words::time(read);
        format!("the objective {wanted} is read at {read}, the histogram's nearest edge below it")
    })
}

/// What is normal for one comparison of a metric.
fn normal(past: &Past, part: usize, metric: &Metric, interval: Duration) -> Background {
    let count = |it: &Increment| Counts::new(it.requests, it.bad.get(part).copied().unwrap_or(0));
    let ticks: Vec<Vec<Counts>> = past
        .ticks
        .iter()
        .map(|tick| tick.iter().map(count).collect())
        .collect();
    let tolerated = Margin::new(metric.tolerated.ratio, metric.tolerated.absolute);
    background_of(&ticks, interval.as_secs_f64(), tolerated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::plan::GateMode;

    #[test]
    fn a_past_that_leaves_nothing_far_worse_is_told_before_the_release() {
        let plan = |bake_share: i32, gating: bool| {
            let spec = serde_json::json!({
                "workload": {"name": "app"},
                "traffic": {"gatewayAPI": {"routes": [{"name": "app"}]}},
                "analysis": {
                    "baseline": {"bakeShare": bake_share},
                    "metrics": [{"name": "errors"}, {"name": "misses", "gating": gating}],
                },
            });
            let spec = serde_json::from_value(spec).expect("a spec");
            Plan::admit(&spec, GateMode::Admission).expect("a plan")
        };
        let brief = |(metric, rates): (&str, Vec<Option<f64>>)| Brief {
            metric: metric.to_owned(),
            routed: false,
            past: rates
                .into_iter()
                .map(|rate| Background::new(rate, 1.0, 1, 0.0))
                .collect(),
        };
        let learned = |misses: Vec<Option<f64>>| Learned {
            briefs: [("errors", vec![Some(0.001)]), ("misses", misses)]
                .map(brief)
                .into(),
            ..Learned::default()
        };
        let unfit = learned(vec![Some(0.5), Some(0.4)]);
        let told = unfit.unfit_alone(&plan(0, true)).expect("it is told");
        assert!(
            told.starts_with("metric `misses`: 40 % of its requests are bad as a rule"),
            "{told}"
        );
        assert_eq!(unfit.unfit_alone(&plan(5, true)), None);
        assert_eq!(unfit.unfit_alone(&plan(0, false)), None);
        // One edge that can tell suffices, and what is not known may still come.
        for fit in [vec![Some(0.5), Some(0.1)], vec![Some(0.5), None], vec![None]] {
            assert_eq!(learned(fit).unfit_alone(&plan(0, true)), None);
        }
    }
}

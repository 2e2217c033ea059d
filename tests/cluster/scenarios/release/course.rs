//! What a bystander sees of a release: the weights in the route and the Rollout's phases, with their times.

use super::care::ROLLOUT;
use crate::Outcome;
use crate::load::Report;
use crate::scenario::{HTTP_ROUTE, Kind, Scenario};
use futures::{Stream, StreamExt, stream};
use kube::api::DynamicObject;
use kube::runtime::{WatchStreamExt, watcher};
use serde_json::Value;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// A change may stand in the route a little before this bystander hears of it.
const HEARD_LATE: Duration = Duration::from_millis(200);
/// The gateway takes a weight over a little later than it stands in the route.
const TAKEN_OVER: Duration = Duration::from_secs(1);
/// Fewer requests than these say nothing about a share.
const ENOUGH: usize = 200;

/// One look: since when, the weight of the candidate in the route, and the Rollout's phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) since: Duration,
    pub(super) weight: u64,
    pub(super) phase: String,
}

/// The marks of a release, each different from the one before.
#[derive(Debug, Clone, Default)]
pub(super) struct Course {
    pub(super) marks: Vec<Mark>,
    end: Duration,
}

/// Watches until it is dropped or asked for the course.
#[derive(Debug)]
pub(super) struct Watcher {
    start: Instant,
    course: Arc<Mutex<Course>>,
    task: JoinHandle<()>,
}

impl Watcher {
    /// Times are since `start`.
    pub(super) async fn start(scenario: &Scenario, start: Instant) -> Outcome<Self> {
        let course = Arc::<Mutex<Course>>::default();
        let sink = course.clone();
        let routes = changes(scenario, HTTP_ROUTE).await?;
        let rollouts = changes(scenario, ROLLOUT).await?;
        let task = tokio::spawn(async move {
            let mut news = pin!(stream::select(routes, rollouts));
            let (mut weight, mut phase) = (None, None);
            while let Some(object) = news.next().await {
                if object["kind"] == HTTP_ROUTE.1 {
                    weight = Some(candidate_weight(&object));
                } else {
                    phase = Some(object["status"]["phase"].as_str().unwrap_or("-").to_owned());
                }
                let (Some(weight), Some(phase)) = (weight, phase.clone()) else {
                    continue;
                };
                let mut course = sink.lock().unwrap();
                let last = course.marks.last();
                if last.is_none_or(|last| (last.weight, &last.phase) != (weight, &phase)) {
                    let since = start.elapsed();
                    course.marks.push(Mark { since, weight, phase });
                }
            }
        });
        Ok(Self { start, course, task })
    }

    pub(super) fn course(&self) -> Course {
        let mut course = self.course.lock().unwrap().clone();
        course.end = self.start.elapsed();
        course
    }
}

/// Each state of the object `app`, as soon as the server tells of it.
async fn changes(scenario: &Scenario, kind: Kind) -> Outcome<impl Stream<Item = Value> + Send + use<>> {
    let only = watcher::Config::default().fields("metadata.name=app");
    let events = watcher(scenario.api(kind).await?, only).default_backoff();
    let states = events.applied_objects();
    Ok(states
        .filter_map(async |state: watcher::Result<DynamicObject>| serde_json::to_value(state.ok()?).ok()))
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The per cent of the candidate in a route's only rule.
pub(super) fn candidate_weight(route: &Value) -> u64 {
    let backends = route["spec"]["rules"][0]["backendRefs"].as_array();
    let (mut candidate, mut total) = (0, 0);
    for backend in backends.into_iter().flatten() {
        let weight = backend["weight"].as_u64().unwrap_or(1);
        total += weight;
        if backend["name"]
            .as_str()
            .is_some_and(|name| name.contains("-canary-"))
        {
            candidate += weight;
        }
    }
    (100 * candidate).checked_div(total).unwrap_or(0)
}

impl Course {
    /// The weights in their order, without repetitions.
    pub(super) fn weights(&self) -> Vec<u64> {
        let mut weights: Vec<u64> = self.marks.iter().map(|mark| mark.weight).collect();
        weights.dedup();
        weights
    }

    /// An error unless these weights stood in the route in this order; others may stand between them.
    pub(super) fn rises_through(&self, expected: &[u64]) -> Outcome {
        let weights = self.weights();
        let mut left = weights.iter();
        if expected.iter().all(|wanted| left.any(|weight| weight == wanted)) {
            return Ok(());
        }
        Err(format!("weights {weights:?} instead of {expected:?}: {:?}", self.marks).into())
    }

    /// The highest weight that stood in the route.
    pub(super) fn highest(&self) -> u64 {
        self.weights().into_iter().max().unwrap_or(0)
    }

    /// When a phase was first seen.
    pub(super) fn first(&self, phase: &str) -> Outcome<Duration> {
        let mark = self.marks.iter().find(|mark| mark.phase == phase);
        Ok(mark
            .ok_or_else(|| format!("{phase} was never seen: {:?}", self.marks))?
            .since)
    }

    /// Compares the answers of `version` with the weights, for as long as only the candidate ran it: until the
    /// promotion. At least two weights must have stood long enough to be judged.
    pub(super) fn shares(&self, report: &Report, version: &str) -> Outcome {
        self.shares_since(Duration::ZERO, report, version)
    }

    /// The same from a moment on, where another version was the candidate before.
    pub(super) fn shares_since(&self, begin: Duration, report: &Report, version: &str) -> Outcome {
        let promoting = |mark: &&Mark| ["Promoting", "Returning", "Promoted"].contains(&mark.phase.as_str());
        let end = self
            .marks
            .iter()
            .filter(|mark| mark.since >= begin)
            .find(promoting)
            .map_or(self.end, |mark| mark.since);
        let mut changes: Vec<(Duration, u64)> = Vec::new();
        for mark in self
            .marks
            .iter()
            .filter(|mark| (begin..end).contains(&mark.since))
        {
            if changes.last().is_none_or(|(_, weight)| *weight != mark.weight) {
                changes.push((mark.since, mark.weight));
            }
        }
        let ends = changes.iter().skip(1).map(|(since, _)| *since).chain([end]);
        let mut judged = 0;
        for ((since, weight), until) in changes.iter().zip(ends) {
            let window = report.between(*since + TAKEN_OVER, until.saturating_sub(HEARD_LATE));
            if *weight == 0 || window.total() < ENOUGH {
                continue;
            }
            window.share(version, *weight as f64 / 100.0)?;
            judged += 1;
        }
        if judged < 2 {
            return Err(format!("only {judged} weights stood long enough to be judged: {changes:?}").into());
        }
        Ok(())
    }
}

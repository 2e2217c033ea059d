//! What the server remembers: which queries count the service's requests, what was normal before, and the readings of
//! the window.

use std::time::Duration;

use super::unanswered;
use crate::api::RolloutSpec;
use crate::cli::Failure;
use crate::controller::measure::search::choices;
use crate::controller::measure::subject::Learned;
use crate::engine::{Moment, Plan, Revision};
use crate::ports::{Increment, MetricSource};
use crate::render::names;
use crate::sources::counters::NoData;
use crate::sources::preflight::{Outlook, Preflight};
use crate::sources::promql::{Arm, pods_of_deployment};
use crate::sources::queries::{Queries, Tally};
use crate::sources::reader::{Grid, Point, Reader};
use crate::stats::{Counts, Tick};

/// At so many moments of the window it is looked which queries count.
const LOOKS: i64 = 6;
/// Any port at all, as a regular expression.
const ANY_PORT: &str = "[0-9]+";

/// The window.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) from: Moment,
    pub(super) to: Moment,
    /// The moment of a change without a canary.
    pub(super) at: Option<Moment>,
    /// When the second step began, and so on, where that is told.
    pub(super) steps: Vec<Moment>,
    /// Between two evaluations.
    pub(super) interval: Duration,
}

/// The two sides; without a canary the second is the whole service.
#[derive(Clone, Debug)]
pub(super) struct Arms {
    pub(super) candidate: Option<Arm>,
    pub(super) stable: Arm,
}

fn arm(service: &str, pods: String) -> Arm {
    Arm {
        namespace: String::new(),
        service: service.to_owned(),
        ports: Vec::new(),
        pods,
        edges: Vec::new(),
    }
}

impl Arms {
    /// A service without a canary.
    pub(super) fn alone(spec: &RolloutSpec) -> Self {
        Self {
            candidate: None,
            stable: arm(spec.service(), pods_of_deployment(&spec.workload.name)),
        }
    }

    /// A release by Serin: its candidate is named after the revision.
    pub(super) fn of_revision(spec: &RolloutSpec, revision: &str) -> Self {
        let name = names::candidate(&spec.workload.name, &Revision::named(revision));
        Self {
            candidate: Some(arm(&name, pods_of_deployment(&name))),
            ..Self::alone(spec)
        }
    }

    /// Another's release: `SERVICE`, or `SERVICE/PODS`.
    pub(super) fn of_service(spec: &RolloutSpec, candidate: &str) -> Self {
        let (service, pods) = match candidate.split_once('/') {
            Some((service, pods)) => (service, pods.to_owned()),
            None => (candidate, pods_of_deployment(candidate)),
        };
        Self {
            candidate: Some(arm(service, pods)),
            ..Self::alone(spec)
        }
    }

    /// These arms in a namespace, at these ports.
    pub(super) fn within(self, namespace: &str, ports: &[u16]) -> Self {
        let place = |arm: Arm| Arm {
            namespace: namespace.to_owned(),
            ports: ports.to_vec(),
            ..arm
        };
        Self {
            candidate: self.candidate.map(place),
            stable: place(self.stable),
        }
    }
}

/// All that was read.
pub(super) struct Read {
    pub(super) learned: Learned,
    /// For each metric its evaluations, in order.
    pub(super) points: Vec<Vec<Point>>,
}

/// Reads the window.
pub(super) async fn read(
    source: &dyn MetricSource,
    (spec, plan): (&RolloutSpec, &Plan),
    arms: &Arms,
    window: &Window,
) -> Result<Read, Failure> {
    let learned = learn(source, (spec, plan), &arms.stable, window).await?;
    let candidate = arms.candidate.as_ref().unwrap_or(&arms.stable);
    let grid = Grid::new(window.from, window.interval, Duration::ZERO);
    let mut points = Vec::with_capacity(learned.subjects.len());
    for subject in &learned.subjects {
        let (tested, beside) = subject.arms((candidate, &arms.stable));
        let wrong = |error: &dyn std::fmt::Display| {
            let message = format!("metric `{}`: {error}", subject.metric);
            Failure::usage(message, "correct the Rollout's query, or name --port")
        };
        // A candidate that was not there when the window begins has counted nothing before.
        let fresh = match arms.candidate {
            Some(_) => {
                let queries = subject.queries.render(&tested).map_err(|error| wrong(&error))?;
                let then = queries.totals(source, grid.start()).await;
                then.map_err(|error| unanswered(&error))?.is_empty()
            }
            None => false,
        };
        let mut reader =
            Reader::new(&subject.queries, &tested, &beside, grid, fresh).map_err(|e| wrong(&e))?;
        let mut read = Vec::new();
        while reader.catch_up(source, window.to, &mut read).await {}
        if let Some(Err(NoData::Source { error, .. })) = read.last().map(|point| &point.outcome)
            && error.transient()
        {
            return Err(unanswered(error));
        }
        points.push(read);
    }
    Ok(Read { learned, points })
}

/// Which queries count the stable service's requests, and what was normal before the window (in an incident: before
/// the change).
async fn learn(
    source: &dyn MetricSource,
    (spec, plan): (&RolloutSpec, &Plan),
    stable: &Arm,
    window: &Window,
) -> Result<Learned, Failure> {
    let until = window.at.unwrap_or(window.to);
    let step = until.duration_since(window.from).as_secs() / (LOOKS - 1);
    let mut learned = Learned::default();
    for (wire, metric) in spec.analysis.metrics.iter().zip(&plan.analysis.metrics) {
        let mut all = choices(wire);
        if stable.ports.is_empty() {
            for choice in &mut all {
                any_port(&mut choice.queries);
            }
        }
        let named = |why: &str| format!("metric `{}`: {why}", wire.name);
        let hint = "is the window right (--from, --to), and the namespace (--namespace)?";
        let mut preflight = Preflight::new(all, stable)
            .map_err(|error| Failure::usage(named(&error.to_string()), "correct the Rollout's query"))?;
        let mut outlook = Outlook::Looking(String::new());
        for look in 0..LOOKS {
            let seconds = window.from.as_second() + step * look;
            let at = Moment::from_second(seconds).unwrap_or(window.from);
            outlook = preflight.look(source, at).await;
            if matches!(outlook, Outlook::Found(_)) {
                break;
            }
        }
        match outlook {
            Outlook::Found(choice) => {
                // In an incident the service's own past is that before the change.
                let known = window.at.unwrap_or(window.from);
                let added = learned.add(source, (plan, metric), &choice, stable, (known, false));
                added
                    .await
                    .map_err(|error| Failure::usage(named(&error.to_string()), hint))?;
                let left_out = learned.left_out.iter().find(|(name, _)| *name == metric.name);
                if let Some((_, why)) = left_out.filter(|_| !metric.optional) {
                    return Err(Failure::usage(named(why), hint));
                }
            }
            Outlook::Looking(why) | Outlook::Late(why) if metric.optional => {
                learned.left_out.push((metric.name.clone(), why));
            }
            Outlook::Looking(why) => return Err(Failure::usage(named(&why), hint)),
            Outlook::Late(why) => return Err(Failure::usage(named(&why), "end the window earlier (--to)")),
        }
    }
    Ok(learned)
}

/// Lets a preset's query match whatever port the Service has.
fn any_port(queries: &mut Queries) {
    let open = |template: &mut String| {
        for placeholder in ["{{ports}}", "{{ ports }}"] {
            *template = template.replace(placeholder, ANY_PORT);
        }
    };
    match &mut queries.tally {
        Tally::Share { total, bad } => [total, bad].into_iter().for_each(open),
        Tally::Histogram { buckets, .. } => open(buckets),
        Tally::Native { histogram, .. } => open(histogram),
    }
}

/// The counts of one comparison on one side.
pub(super) fn counts(side: &Increment, part: usize) -> Counts {
    Counts::new(side.requests, side.bad.get(part).copied().unwrap_or(0))
}

/// A tick for each comparison, from counts of the candidate's and the baseline's side.
pub(super) fn ticks(candidate: &Increment, baseline: &Increment, seconds: f64) -> Vec<Tick> {
    let parts = candidate.bad.len().min(baseline.bad.len());
    let tick = |part| Tick::new(counts(candidate, part), counts(baseline, part), seconds);
    (0..parts).map(tick).collect()
}

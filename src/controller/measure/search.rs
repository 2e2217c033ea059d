//! Preflight: the search for a baseline's metrics, and for what their past says, before any traffic shifts.

use super::subject::Learned;
use crate::api;
use crate::engine::observation::Problem;
use crate::engine::plan::Plan;
use crate::engine::quantity::after;
use crate::engine::{Moment, Revision, reason};
use crate::ports::MetricSource;
use crate::sources::preflight::{Choice, Outlook, Preflight};
use crate::sources::promql::Arm;
use crate::sources::queries::Queries;

/// After so many intervals a search without result is news.
const PATIENCE: u32 = 3;

/// Preflight of one release: a search a metric, looked at once an interval.
pub(super) struct Search {
    pub(super) revision: Revision,
    searches: Vec<Preflight>,
    outlook: Vec<Outlook>,
    began: Moment,
    /// When the provider first said anything: until some time after that nothing is left out for want of an answer.
    heard: Option<Moment>,
    next: Moment,
}

/// What a search has come to.
pub(super) enum Findings {
    /// It goes on.
    Looking,
    /// It goes on, and somebody should know what is in its way.
    Lacking(Problem),
    /// All that a release needs is known.
    Found(Learned),
}

/// When to look, and how far the samples reach.
#[derive(Clone, Copy)]
pub(super) struct When {
    pub(super) now: Moment,
    /// The latest moment whose samples are visible.
    pub(super) sampled: Moment,
}

impl Findings {
    fn lacking(reason: &'static str, why: &str) -> Self {
        Self::Lacking(Problem {
            reason,
            message: why.to_owned(),
        })
    }
}

impl Search {
    pub(super) fn new(
        spec: &api::RolloutSpec,
        baseline: &Arm,
        revision: &Revision,
        now: Moment,
    ) -> Result<Self, Problem> {
        let search = |metric: &api::Metric| {
            Preflight::new(choices(metric), baseline).map_err(|error| Problem {
                reason: reason::INVALID_QUERY,
                message: format!("metric `{}`: {error}", metric.name),
            })
        };
        Ok(Self {
            revision: revision.clone(),
            searches: spec
                .analysis
                .metrics
                .iter()
                .map(search)
                .collect::<Result<_, _>>()?,
            outlook: Vec::new(),
            began: now,
            heard: None,
            next: now,
        })
    }

    /// When to look again.
    pub(super) const fn next(&self) -> Moment {
        self.next
    }

    /// Asks for each metric, and notes when the provider has answered first.
    async fn ask(&mut self, source: &dyn MetricSource, when: When) {
        let mut outlook = Vec::with_capacity(self.searches.len());
        for preflight in &mut self.searches {
            outlook.push(preflight.look(source, when.sampled).await);
        }
        self.outlook = outlook;
        if !self.searches.iter().all(Preflight::unanswered) {
            self.heard.get_or_insert(when.now);
        }
    }

    /// Looks if it is due, and says what is known.
    pub(super) async fn look(
        &mut self,
        source: &dyn MetricSource,
        plan: &Plan,
        baseline: &Arm,
        when: When,
    ) -> Findings {
        let interval = plan.analysis.interval;
        if when.now >= self.next {
            self.ask(source, when).await;
            self.next = after(when.now, interval);
        }
        let patience = interval.saturating_mul(PATIENCE);
        let patient = when.now < after(self.began, patience);
        let waits = self.heard.is_none_or(|heard| when.now < after(heard, patience));
        let (mut found, mut left_out, mut awaited) = (Vec::new(), Vec::new(), false);
        for ((metric, preflight), outlook) in plan
            .analysis
            .metrics
            .iter()
            .zip(&self.searches)
            .zip(&self.outlook)
        {
            let (reason, why) = match outlook {
                Outlook::Found(choice) => {
                    found.push((metric, choice));
                    continue;
                }
                Outlook::Looking(why) => (reason::METRICS_NOT_FOUND, why),
                Outlook::Late(why) => (reason::METRICS_LATE, why),
            };
            if metric.optional && (preflight.hopeless() || !(patient || waits)) {
                left_out.push((metric.name.clone(), why.clone()));
            } else if metric.optional && !patient {
                awaited = true;
            } else if patient {
                // The first looks only set the base that a counter must move from.
                return Findings::Looking;
            } else {
                return Findings::lacking(reason, why);
            }
        }
        if found.is_empty() || awaited {
            return Findings::Looking;
        }
        let mut learned = Learned {
            left_out,
            ..Learned::default()
        };
        for (metric, choice) in found {
            let added = learned.add(source, (plan, metric), choice, baseline, (when.sampled, waits));
            if let Err(error) = added.await {
                tracing::info!(metric = %metric.name, "its past is asked for again: {error}");
                return Findings::Looking;
            }
            if let Some((_, why)) = learned
                .left_out
                .iter()
                .find(|(name, _)| *name == metric.name && !metric.optional)
            {
                return if patient {
                    Findings::Looking
                } else {
                    Findings::lacking(reason::METRICS_NOT_FOUND, why)
                };
            }
        }
        Findings::Found(learned)
    }
}

/// The queries that may serve a metric.
pub(crate) fn choices(metric: &api::Metric) -> Vec<Choice> {
    let own = |latency: &api::Latency| {
        let unit = latency.unit.seconds();
        let classic = latency.buckets.as_ref();
        let classic = classic.map(|buckets| Queries::histogram(buckets, unit));
        let native = latency.histogram.as_ref();
        classic.or_else(|| native.map(|histogram| Queries::native(histogram, unit)))
    };
    let share = metric.query.as_ref();
    let share = share.map(|query| Queries::custom(&query.total, &query.bad));
    if let Some(queries) = share.or_else(|| metric.latency.as_ref().and_then(own)) {
        return vec![Choice::custom(queries)];
    }
    let latency = metric.kind == api::MetricKind::Latency;
    Choice::preset(metric.preset.map(api::MetricPreset::as_str), latency)
}

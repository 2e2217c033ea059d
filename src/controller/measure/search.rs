//! Preflight: the search for a baseline's metrics, before any traffic shifts.

use super::Look;
use crate::engine::observation::Problem;
use crate::engine::{Moment, Revision};
use crate::sources::preflight::{Choice, Outlook, Preflight};
use crate::sources::presets::Queries;

/// Preflight of one release: a search a metric, looked at once an interval.
pub(super) struct Search {
    pub(super) revision: Revision,
    pub(super) searches: Vec<Preflight>,
    pub(super) outlook: Vec<Outlook>,
    pub(super) next: Moment,
}

impl Search {
    pub(super) fn new(look: &Look<'_>, revision: &Revision) -> Result<Self, Problem> {
        let (_, baseline) = look.arms(revision);
        let mut searches = Vec::new();
        for metric in &look.spec.analysis.metrics {
            let choices = match (&metric.query, metric.preset) {
                (Some(query), _) => vec![Choice::custom(Queries::custom(&query.total, &query.bad))],
                (None, Some(preset)) => Choice::named(preset.as_str()),
                (None, None) => Choice::searched(),
            };
            let search = Preflight::new(choices, &baseline).map_err(|error| Problem {
                reason: "InvalidQuery",
                message: format!("metric `{}`: {error}", metric.name),
            })?;
            searches.push(search);
        }
        Ok(Self {
            revision: revision.clone(),
            searches,
            outlook: Vec::new(),
            next: look.now,
        })
    }
}

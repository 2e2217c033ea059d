//! The gauges are read beside the metrics: a provider that is slow with them, or has none, delays no verdict.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use super::gauges::Gauges;
use super::look::Look;
use super::trial::{Served, Trial};
use crate::engine::Revision;
use crate::engine::observation::Problem;
use crate::ports::MetricSource;

/// How much longer than the metrics the gauges may take.
const GRACE: Duration = Duration::from_millis(500);
/// How long the search for the gauges may take before a release.
const SEARCH: Duration = Duration::from_secs(5);

/// Looks which gauges can be read, before the candidate's first request.
pub(super) async fn find(look: &Look<'_>, source: &dyn MetricSource, revision: &Revision) -> Gauges {
    let mut gauges = Gauges::new(look, revision);
    let search = tokio::time::timeout(SEARCH, gauges.find(look, source)).await;
    if search.is_err() {
        gauges.give_up();
    }
    gauges
}

/// Reads the metrics, and the gauges beside them: these have as long as the metrics take, and a little longer.
pub(super) async fn read(
    look: &Look<'_>,
    trial: &mut Trial,
    (gauges, served): (&mut Gauges, &mut Vec<Served>),
    source: Result<&dyn MetricSource, &Problem>,
) {
    let grid = trial.grid(look.pace());
    let late = {
        let judged = pin!(trial.read(look.plan, source, look.now));
        let fetched = pin!(async {
            if let Ok(source) = source {
                gauges.fetch(look, source, grid).await;
            }
        });
        match select(judged, fetched).await {
            Either::Left((counted, fetched)) => {
                // Before anything else is waited for: what was counted is not counted again.
                served.extend(counted);
                tokio::time::timeout(GRACE, fetched).await.is_err()
            }
            Either::Right(((), judged)) => {
                served.extend(judged.await);
                false
            }
        }
    };
    if late {
        gauges.cut_off(&grid, look.now);
    }
    let ordinary = |from, until| trial.is_ordinary(look.plan, from, until);
    gauges.take(served.drain(..), ordinary);
}

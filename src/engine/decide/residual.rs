//! Requests that still come to pods whose weight is zero: a gateway may accept a route, and its proxies not follow it.
//! Whoever removed the pods would leave those requests to nobody.

use std::time::Duration;

use super::super::observation::Residual;
use super::super::quantity::{Moment, Revision};
use super::super::reason::{self, Note, Waiting};
use super::super::state::{Phase, Removal, Served};
use super::super::words;
use super::{Turn, after};

/// How long pods are kept for requests that may not come by the route, or that stand in the way of a newer template.
const KEPT_MAX: Duration = Duration::from_mins(10);

impl Turn<'_> {
    /// What is to be remembered of such requests now, where that was known `before`. A new process has not read anything yet, and
    /// may find nothing to read.
    pub(super) fn last_told(&self, before: Option<Served>) -> Option<Served> {
        match self.seen.residual {
            Residual::Gone => None,
            Residual::Comes { per_second, routed } => Some(Served::new(per_second, routed, None)),
            Residual::Came {
                per_second,
                routed,
                told,
            } => Some(Served::new(per_second, routed, Some(told))),
            Residual::Awaited | Residual::Unknown => before.map(|known| Served {
                told: known.told.or(Some(self.now)),
                ..known
            }),
        }
    }

    /// What the end of `revision`'s candidate waits for, which would come at `end` if it got no request any more.
    pub(super) fn still_served(
        &mut self,
        revision: &Revision,
        end: Moment,
        served: Option<Served>,
    ) -> Option<Waiting> {
        let promotes = matches!(self.next.phase, Phase::Promoting(_));
        // Without pods there is nothing to keep (those that are not ready now may be in a moment), and a candidate that is in no
        // route has had no request by one.
        if self.lost() || !self.seen.route.touched() {
            return None;
        }
        let template = self.seen.workload.as_ref().map(|workload| &workload.template);
        let rests = !promotes && template == self.next.stable.as_ref();
        let newer = !rests && template.is_some_and(|template| template != revision);
        let Some(served) = served else {
            // A bake has its own word until its time is over, which is later as a rule.
            let awaited = self.seen.residual == Residual::Awaited;
            if !awaited || end > self.now || self.over(end, KEPT_MAX) {
                return None;
            }
            let message =
                format!("the metrics are to show that no request comes to revision {revision} any more");
            let ordinary = if promotes {
                reason::BAKING
            } else {
                reason::ROLLING_BACK
            };
            return Some(Waiting::on(ordinary, message).until(Some(after(end, KEPT_MAX))));
        };
        let (per_second, routed) = (served.per_second(), served.routed);
        if let Some(told) = served.told {
            let since = if routed && !newer { end.max(told) } else { end };
            return self.last_served(revision, per_second, since);
        }
        let what = still_come(revision, per_second);
        let ends = !routed || newer;
        if ends && self.over(end, KEPT_MAX) {
            let kept = words::span(KEPT_MAX.as_secs_f64());
            let message = format!("{what}: its pods were kept {kept} longer, and go now");
            self.note(Note::warning(reason::SHARE_NOT_HONOURED, message));
            return None;
        }
        let message = if routed {
            format!(
                "{what}: the gateway has accepted the route and does not follow it; the pods stay while requests come. Look at \
                 the gateway's proxies; scale the candidate's Deployment to 0 to go on without them"
            )
        } else {
            format!(
                "{what}: by a gateway that has accepted the route and does not follow it, or past it; the pods stay for now"
            )
        };
        let until = ends.then(|| after(end, KEPT_MAX));
        Some(Waiting::on(reason::SHARE_NOT_HONOURED, message).until(until))
    }

    /// The same where requests came when the metrics were last read: that these have gone away says nothing of the requests.
    fn last_served(&mut self, revision: &Revision, per_second: f64, since: Moment) -> Option<Waiting> {
        let what = still_come(revision, per_second);
        if self.over(since, KEPT_MAX) {
            let kept = words::span(KEPT_MAX.as_secs_f64());
            let message = format!(
                "{what}, as far as the metrics told, which tell nothing any more: its pods were kept {kept} longer, and go now"
            );
            self.note(Note::warning(reason::SHARE_NOT_HONOURED, message));
            return None;
        }
        let message = if self.seen.residual == Residual::Awaited {
            format!("{what}, as far as the metrics told, which are read anew: the pods stay for now")
        } else {
            format!(
                "{what}, as far as the metrics told, which tell nothing any more: the pods stay for now. Look at the metrics and \
                 at the gateway's proxies; scale the candidate's Deployment to 0 to go on without them"
            )
        };
        let until = after(since, KEPT_MAX);
        Some(Waiting::on(reason::SHARE_NOT_HONOURED, message).until(Some(until)))
    }

    /// What a deletion waits for, which would go on at `end`: requests that were known of when it began, for a while.
    pub(super) fn served_while_deleting(&mut self, removal: &Removal, end: Moment) -> Option<Waiting> {
        let served = removal.served?;
        let revision = self.seen.candidate.revision.clone()?;
        if self.lost() || !self.seen.route.touched() || self.seen.residual == Residual::Gone {
            return None;
        }
        let what = still_come(&revision, served.per_second());
        if self.over(end, KEPT_MAX) {
            let kept = words::span(KEPT_MAX.as_secs_f64());
            let message = format!(
                "{what}, or did when that was last told: its pods were kept {kept} longer, and go now"
            );
            self.note(Note::warning(reason::SHARE_NOT_HONOURED, message));
            return None;
        }
        let message = format!(
            "{what}, or did when that was last told: the pods stay for now. Look at the gateway's proxies; scale the \
             candidate's Deployment to 0 to let the Rollout go without them"
        );
        let until = after(end, KEPT_MAX);
        Some(Waiting::on(reason::SHARE_NOT_HONOURED, message).until(Some(until)))
    }
}

fn still_come(revision: &Revision, per_second: f64) -> String {
    format!(
        "{} still come to the candidate of {revision}, though its weight is 0",
        words::requests(per_second)
    )
}

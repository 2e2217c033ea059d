//! Requests that still come to pods whose weight is zero: a gateway may accept a route, and its proxies not follow it.
//! Whoever removed the pods would leave those requests to nobody.

use std::time::Duration;

use super::super::observation::Residual;
use super::super::quantity::{Moment, Revision};
use super::super::reason::{self, Note, Waiting};
use super::super::state::Phase;
use super::super::words;
use super::{Turn, after};

/// How long pods are kept for requests that may not come by the route, or that stand in the way of a newer template.
const KEPT_MAX: Duration = Duration::from_mins(10);

impl Turn<'_> {
    /// What the end of `revision`'s candidate waits for, which would come at `end` if it got no request any more.
    pub(super) fn still_served(&mut self, revision: &Revision, end: Moment) -> Option<Waiting> {
        let promotes = matches!(self.next.phase, Phase::Promoting(_));
        // Without pods there is nothing to keep (those that are not ready now may be in a moment), and a candidate that is in no
        // route has had no request by one.
        if self.lost() || !self.seen.route.touched() {
            return None;
        }
        let template = self.seen.workload.as_ref().map(|workload| &workload.template);
        let rests = !promotes && template == self.next.stable.as_ref();
        let newer = !rests && template.is_some_and(|template| template != revision);
        let residual = self.seen.residual;
        let (per_second, routed) = match residual {
            Residual::Unknown | Residual::Gone => return None,
            // A bake has its own word until its time is over, which is later as a rule.
            Residual::Awaited if end > self.now || self.over(end, KEPT_MAX) => return None,
            Residual::Awaited => {
                let message =
                    format!("the metrics are to show that no request comes to revision {revision} any more");
                let ordinary = if promotes {
                    reason::BAKING
                } else {
                    reason::ROLLING_BACK
                };
                return Some(Waiting::on(ordinary, message).until(Some(after(end, KEPT_MAX))));
            }
            Residual::Comes { per_second, routed } => (per_second, routed),
            Residual::Came {
                per_second,
                routed,
                told,
            } => {
                let since = if routed && !newer { end.max(told) } else { end };
                return self.last_served(revision, per_second, since);
            }
        };
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
        let message = format!(
            "{what}, as far as the metrics told, which tell nothing any more: the pods stay for now. Look at the metrics and at \
             the gateway's proxies; scale the candidate's Deployment to 0 to go on without them"
        );
        let until = after(since, KEPT_MAX);
        Some(Waiting::on(reason::SHARE_NOT_HONOURED, message).until(Some(until)))
    }
}

fn still_come(revision: &Revision, per_second: f64) -> String {
    format!(
        "{} still come to the candidate of {revision}, though its weight is 0",
        words::requests(per_second)
    )
}

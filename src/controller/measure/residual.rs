//! What still comes to a version whose weight in force is zero: a gateway may accept a route, and its proxies not follow it.
//!
//! The counters are read from some time before the weight was taken away, so that a new process finds what an earlier one
//! did, and nothing has to be kept.

use std::collections::VecDeque;
use std::time::Duration;

use super::Measure;
use super::look::Look;
use super::subject::Subject;
use super::trial::Pace;
use crate::engine::observation::Residual;
use crate::engine::state::Phase;
use crate::engine::{Moment, Revision, State};
use crate::ports::MetricSource;
use crate::sources::promql::Arm;
use crate::sources::reader::{Grid, Point, Reader};

/// How many readings before the weight was taken away say how many requests came then, and how they come.
const BEFORE: u32 = 8;
/// The most readings between that and the moment when nothing should come any more.
const BETWEEN: u32 = 200;
/// Consecutive readings without a request that count as the end: two, and up to eight where so few requests came before, or
/// scrapes are so rare, that two readings could miss them.
const FEWEST: usize = 2;
const MOST: usize = 8;
/// So many requests would have come in these readings, had they gone on as before.
const EXPECTED: f64 = 3.0;
/// Less than this share of the previous rate counts as no request. It is small because one stuck proxy of many sends little.
const NONE_BY_ROUTE: f64 = 0.01;
/// The same where requests count that do not come by the route, such as health checks: of a thin share they are much.
const NONE_IN_PODS: f64 = 0.5;
/// How long readings may fail to come until nothing can be told.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a new process may look for what counts requests until nothing can be told.
const SEARCH: Duration = Duration::from_mins(2);
/// The looks that it has for that, at least.
const SEARCHES: u32 = 3;
/// How long a reading says what comes, and after how many intervals at the earliest it does not any more.
const STALE: Duration = Duration::from_mins(2);
const STALE_READINGS: usize = 3;

/// The requests of one version since its weight is zero.
#[derive(Debug)]
pub(super) struct Watch {
    key: Key,
    reader: Reader,
    pace: Pace,
    routed: bool,
    read: Vec<Point>,
    /// Requests of the readings before the weight was taken away, from the first one on that has any.
    before: Vec<u64>,
    /// The last readings since the weight is zero: what came since the one before, unless nothing counts it.
    after: VecDeque<(Moment, Option<u64>)>,
    found: Residual,
}

/// Whose requests, since when it is to get none, and since when the gateway should follow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    revision: Revision,
    entered: Moment,
    since: Moment,
}

impl Watch {
    /// Nothing is read yet. `None`: the queries cannot be asked.
    fn new(subject: &Subject, arms: (&Arm, &Arm), key: Key, pace: Pace) -> Option<Self> {
        let interval = pace.interval.max(Duration::from_secs(1));
        let since = Moment::from_second(key.since.as_second() + 1).ok()?;
        let passed = Duration::try_from(since.duration_since(key.entered)).unwrap_or_default();
        let between = u32::try_from(passed.as_nanos().div_ceil(interval.as_nanos())).unwrap_or(BETWEEN);
        let back = interval.checked_mul(between.min(BETWEEN) + BEFORE)?;
        let start = since.checked_sub(back).ok()?;
        let (candidate, baseline) = subject.arms(arms);
        let grid = Grid::new(start, interval, pace.lag);
        let mut reader = Reader::new(&subject.queries, &candidate, &baseline, grid, false).ok()?;
        reader.set_alone(start.checked_sub(interval).ok());
        Some(Self {
            key,
            reader,
            pace: Pace { interval, ..pace },
            routed: subject.queries.routed,
            read: Vec::new(),
            before: Vec::new(),
            after: VecDeque::new(),
            found: Residual::Awaited,
        })
    }

    /// When there is something to read again. What has stopped does not begin again.
    pub(super) fn wake(&self) -> Option<Moment> {
        (self.found != Residual::Gone).then(|| self.reader.wake())
    }

    /// Until when requests have been read.
    fn read_until(&self) -> Option<Moment> {
        let mut read = self.after.iter().rev();
        read.find_map(|(at, requests)| requests.map(|_| *at))
    }

    async fn look(&mut self, source: &dyn MetricSource, now: Moment) -> Residual {
        if self.found == Residual::Gone {
            return self.found;
        }
        while self.reader.catch_up(source, now, &mut self.read).await {}
        for point in std::mem::take(&mut self.read) {
            match point.outcome {
                Ok(reading) => self.take(point.at, Some(reading.candidate.requests)),
                Err(why) if why.transient() => {}
                Err(_) => self.take(point.at, None),
            }
        }
        self.found = self.find(now);
        self.found
    }

    fn take(&mut self, at: Moment, requests: Option<u64>) {
        let begun = at.checked_sub(self.pace.interval).unwrap_or(at);
        if at <= self.key.entered {
            let requests = requests.unwrap_or(0);
            if requests > 0 || !self.before.is_empty() {
                self.before.push(requests);
            }
        } else if begun >= self.key.since {
            self.after.push_back((at, requests));
            while self.after.len() > MOST {
                self.after.pop_front();
            }
        }
    }

    /// What a reading counted before the weight was taken away, and how many in a row counted nothing.
    fn before(&self) -> (f64, usize) {
        let counts = &self.before;
        let each = counts.iter().sum::<u64>() as f64 / counts.len().max(1) as f64;
        let gaps = counts.split(|count| *count > 0).map(<[u64]>::len);
        (each, gaps.max().unwrap_or(0))
    }

    fn find(&self, now: Moment) -> Residual {
        let (each, gap) = self.before();
        let expected = (EXPECTED / each.max(EXPECTED / MOST as f64)).ceil() as usize;
        let telling = if each > 0.0 { expected.max(gap + 1) } else { 0 };
        let enough = telling.clamp(FEWEST, MOST);
        let interval = self.pace.interval;
        let spent = |since: Moment, readings: usize, more: Duration| {
            let readings = interval.saturating_mul(u32::try_from(readings).unwrap_or(u32::MAX));
            let end = since.checked_add(readings.saturating_add(more));
            end.unwrap_or(Moment::MAX)
        };
        let Some(from) = self.after.len().checked_sub(enough) else {
            let late = spent(self.key.since, enough + 1, self.pace.lag + PATIENCE) <= now;
            return if late {
                Residual::Unknown
            } else {
                Residual::Awaited
            };
        };
        let last = self.after.range(from..);
        let counted: Vec<u64> = last.clone().filter_map(|(_, requests)| *requests).collect();
        let old = |at: Moment| spent(at, 0, STALE).max(spent(at, STALE_READINGS, self.pace.lag));
        let stale = self.after.back().is_some_and(|(at, _)| old(*at) <= now);
        if counted.is_empty() || stale {
            return Residual::Unknown;
        }
        let came = counted.iter().sum::<u64>() as f64 / enough as f64;
        let few = if self.routed { NONE_BY_ROUTE } else { NONE_IN_PODS };
        if came <= few * each || each <= 0.0 && !self.routed {
            return Residual::Gone;
        }
        // What a scrape shows has come before it.
        let grace = spent(self.key.since, gap + 2, Duration::ZERO);
        if last.clone().any(|(at, _)| *at < grace) {
            return Residual::Awaited;
        }
        let present = came / interval.as_secs_f64();
        let told = match self.found {
            Residual::Comes { per_second, .. } => Some(per_second),
            Residual::Unknown | Residual::Awaited | Residual::Gone | Residual::Came { .. } => None,
        };
        let same = told.filter(|told| (told / 2.0..=told * 2.0).contains(&present));
        Residual::Comes {
            per_second: same.unwrap_or(present),
            routed: self.routed,
        }
    }
}

impl Measure {
    /// What still comes to a candidate whose weight is zero, as far as metrics can tell.
    pub(super) async fn residual(&mut self, look: &Look<'_>, state: &State) -> Residual {
        let Some((of, since)) = self.watched(&state.phase).zip(look.settled) else {
            return Residual::Unknown;
        };
        let found = self.find_residual(look, &state.phase, (&of, since)).await;
        let read = self.watch.as_ref().and_then(Watch::read_until);
        self.told.note(&of, found, read.unwrap_or(look.now))
    }

    async fn find_residual(
        &mut self,
        look: &Look<'_>,
        phase: &Phase,
        ((revision, entered), since): (&(Revision, Moment), Moment),
    ) -> Residual {
        let Ok(source) = look.source() else {
            return Residual::Unknown;
        };
        let key = Key {
            revision: revision.clone(),
            entered: *entered,
            since: since.max(*entered),
        };
        if self.watch.as_ref().is_none_or(|watch| watch.key != key) {
            self.watch = None;
            // In a bake the comparison searches for the metrics itself.
            let found = if matches!(phase, Phase::RollingBack(_) | Phase::Deleting(_)) {
                self.preflight(look, revision).await
            } else {
                Some(Vec::new())
            };
            if found.is_none() {
                // A counter is found when it has moved since an earlier look.
                let span = SEARCH.max(look.plan.analysis.interval.saturating_mul(SEARCHES));
                let late = since.checked_add(span).is_ok_and(|end| end <= look.now);
                return if late {
                    Residual::Unknown
                } else {
                    Residual::Awaited
                };
            }
            let learned = self.learned.as_ref().filter(|(of, _)| of == revision);
            let subjects = learned.map_or(&[][..], |(_, learned)| learned.subjects.as_slice());
            let routed = subjects.iter().find(|subject| subject.queries.routed);
            let (candidate, baseline) = look.arms(revision);
            let arms = (&candidate, &baseline);
            let subject = routed.or_else(|| subjects.first());
            self.watch = subject.and_then(|subject| Watch::new(subject, arms, key, look.pace()));
        }
        match &mut self.watch {
            Some(watch) => watch.look(&*source, look.now).await,
            None => Residual::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::presets::Preset;
    use crate::sources::promql::pods_of_deployment;

    const INTERVAL: i64 = 15;

    fn second(second: i64) -> Moment {
        Moment::from_second(1_700_000_000 + second).expect("in range")
    }

    /// A watch since second 0 of a version that got so many requests in each reading before.
    fn watch(preset: &str, before: &[u64]) -> Watch {
        let subject = Subject {
            metric: "errors".to_owned(),
            found: preset.to_owned(),
            queries: Preset::named(preset)[0].queries(),
            edges: Vec::new(),
        };
        let arm = Arm {
            namespace: "shop".to_owned(),
            service: "checkout".to_owned(),
            ports: vec![80],
            pods: pods_of_deployment("checkout"),
            edges: Vec::new(),
        };
        let key = Key {
            revision: Revision::named("v2"),
            entered: second(0),
            since: second(0),
        };
        let pace = Pace {
            interval: Duration::from_secs(INTERVAL as u64),
            lag: Duration::from_secs(5),
        };
        let mut watch = Watch::new(&subject, (&arm, &arm), key, pace).expect("renders");
        for (at, count) in (-7..).zip(before) {
            watch.take(second(at * INTERVAL), Some(*count));
        }
        watch
    }

    /// What is found after each of these readings.
    fn found(watch: &mut Watch, after: &[Option<u64>]) -> Vec<Residual> {
        let mut all = Vec::new();
        for (at, count) in (1..).zip(after) {
            let at = second(at * INTERVAL);
            watch.take(at, *count);
            watch.found = watch.find(at);
            all.push(watch.found);
        }
        all
    }

    const fn comes(per_second: f64, routed: bool) -> Residual {
        Residual::Comes { per_second, routed }
    }

    /// Otherwise a turn that does not wait for a slow provider would conclude that nothing can be known.
    #[test]
    fn before_the_first_look_at_a_phase_the_readings_are_awaited() {
        let phase = Phase::RollingBack(crate::engine::state::Retreat {
            revision: Revision::named("v2"),
            started: second(0),
            entered: second(0),
            cause: crate::engine::state::Cause::Aborted,
            detail: "a person asked for it".to_owned(),
            served: None,
        });
        let measure = Measure::default();
        assert_eq!(measure.residual_known(&phase), Residual::Awaited);
        assert_eq!(measure.residual_known(&Phase::Idle), Residual::Unknown);
    }

    #[test]
    fn two_readings_without_a_request_are_the_end() {
        use Residual::{Awaited, Gone};
        let mut busy = watch("contour", &[150; 8]);
        assert_eq!(found(&mut busy, &[Some(0), Some(0)]), [Awaited, Gone]);
        // What the first scrape shows came before.
        let mut late = watch("contour", &[150; 8]);
        assert_eq!(
            found(&mut late, &[Some(40), Some(0), Some(0)]),
            [Awaited, Awaited, Gone]
        );
    }

    #[test]
    fn requests_that_go_on_are_told_with_one_number() {
        use Residual::{Awaited, Gone};
        let mut stuck = watch("contour", &[150; 8]);
        let told = found(
            &mut stuck,
            &[Some(150), Some(150), Some(150), Some(120), Some(0), Some(0)],
        );
        let comes = comes(10.0, true);
        assert_eq!(told[..4], [Awaited, Awaited, comes, comes]);
        assert_eq!(told[5], Gone);
    }

    /// The counters move with every fourth reading only.
    #[test]
    fn counters_that_are_seldom_scraped_are_waited_for() {
        let mut seldom = watch("contour", &[600, 0, 0, 0, 600, 0, 0, 0]);
        let still = [0, 0, 0, 600, 0, 0, 0, 600].map(Some);
        let told = found(&mut seldom, &still);
        assert!(!told.contains(&Residual::Gone), "{told:?}");
        assert_eq!(told[7], comes(10.0, true));
    }

    #[test]
    fn pods_count_what_does_not_come_by_the_route() {
        let after = [Some(60), Some(60), Some(60)];
        let told = found(&mut watch("http-requests", &[150; 8]), &after);
        assert_eq!(told[1], Residual::Gone);
        let told = found(&mut watch("http-requests", &[75; 8]), &after);
        assert_eq!(told[2], comes(4.0, false));
        let told = found(&mut watch("http-requests", &[]), &after);
        assert_eq!(told[1], Residual::Gone);
    }

    #[test]
    fn where_nothing_counts_any_more_nothing_can_be_told() {
        let mut gone = watch("contour", &[150; 8]);
        assert_eq!(found(&mut gone, &[None, None])[1], Residual::Unknown);
        let unread = watch("contour", &[150; 8]);
        assert_eq!(unread.find(second(60)), Residual::Awaited);
        assert_eq!(unread.find(second(90)), Residual::Unknown);
    }
}

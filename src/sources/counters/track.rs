//! One arm's series: what they have grown by, and where a new one begins.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::samples::{EDGE_LABEL, Labels, Target, Values};
use super::series::{ResetCheck, Series};
use super::{Carry, Kind};
use crate::ports::{Increment, Sample};

/// One arm.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Track {
    pub(super) kind: Kind,
    /// It had no weight until then.
    fresh: Option<Timestamp>,
    /// A series has counted its requests at some evaluation after the first.
    pub(super) seen: bool,
    /// Each series: of all requests, then of each part that is counted by itself.
    last: Vec<BTreeMap<Labels, Series>>,
    /// What each of these has grown by, and is not emitted yet.
    pending: Vec<u64>,
    /// Bad ones that no reading had room for; a histogram has none.
    carry: Carry,
}

/// What decides where the count of an unknown series begins.
pub(super) struct Birth<'a> {
    pub(super) at: Timestamp,
    pub(super) before: Option<Timestamp>,
    /// What was up at some evaluation before.
    pub(super) targets: &'a BTreeSet<Target>,
    pub(super) starts: &'a BTreeMap<Target, Timestamp>,
    /// Of these targets it is not known what they have counted before, for neither arm.
    pub(super) based: BTreeSet<Target>,
}

impl Birth<'_> {
    /// Whether what `target` counts in a series that was never seen is of the time since the evaluation before.
    fn is_new_in(&self, target: &Target) -> bool {
        let started = || {
            let start = self.starts.get(target).copied();
            start
                .zip(self.before)
                .is_some_and(|(start, before)| start > before)
        };
        self.targets.contains(target) || started()
    }

    /// The targets of which these values only set the base.
    pub(super) fn based(&self, values: &Values) -> BTreeSet<Target> {
        values
            .targets()
            .filter(|target| !self.is_new_in(target))
            .collect()
    }
}

impl Track {
    pub(super) fn new(kind: Kind, fresh: Option<Timestamp>) -> Self {
        let parts = match &kind {
            Kind::Share => 2,
            Kind::Histogram(edges) => 1 + edges.len(),
        };
        Self {
            kind,
            fresh,
            seen: false,
            last: vec![BTreeMap::new(); parts],
            pending: vec![0; parts],
            carry: Carry::default(),
        }
    }

    /// Its first values are those of requests that were counted before.
    pub(super) const fn begin_in_the_middle(&mut self) {
        if self.fresh.is_some() {
            self.fresh = Some(Timestamp::MAX);
        }
    }

    /// Nobody knows what this arm has counted before. Unless one of its series is known already, a series that appears is
    /// treated as old, as one of the other arm is.
    pub(super) fn lose_history(&mut self) {
        if self.last.iter().all(BTreeMap::is_empty) {
            self.fresh = None;
        }
    }

    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh.is_some()
    }

    pub(super) fn knows(&self, sample: &Sample) -> bool {
        let mut labels = sample.labels.clone();
        if matches!(self.kind, Kind::Histogram(_)) {
            labels.remove(EDGE_LABEL);
        }
        self.last.iter().any(|series| series.contains_key(&labels))
    }

    /// What each value says of the process that counts it.
    pub(super) fn signs<'a>(
        &'a self,
        values: &'a Values,
        at: Timestamp,
    ) -> impl Iterator<Item = (&'a Labels, ResetCheck)> {
        self.known(values)
            .map(move |(series, labels, value)| (labels, series.reset(value, at)))
    }

    /// Whether a counter is lower than it was.
    pub(super) fn has_fallen(&self, values: &Values) -> bool {
        self.known(values)
            .any(|(series, _, value)| value < series.value())
    }

    /// Each value of a series that was seen before, with its labels.
    fn known<'a, 'v>(&'a self, values: &'v Values) -> impl Iterator<Item = (&'a Series, &'v Labels, f64)> {
        let parts = self.last.iter().zip(&values.parts);
        let series = parts.flat_map(|(last, now)| now.iter().map(move |it| (last.get(it.0), it)));
        series.filter_map(|(known, (labels, value))| Some((known?, labels, *value)))
    }

    /// The series that the server has seen fall, at the targets where one of this arm is lower now: a gateway that
    /// resets a backend resets all its series, and a rare one may have passed its old value by now. A fall that was acted on
    /// before does not count.
    fn reset<'a>(&self, values: &'a Values, at: Timestamp) -> BTreeSet<&'a Labels> {
        let anew = |series: &Series, labels: &Labels| {
            let falls = values.fallen.get(labels);
            falls.is_some_and(|falls| series.has_fallen_anew(*falls, at))
        };
        let known = self.known(values);
        let fallen: Vec<_> = known.filter(|(series, labels, _)| anew(series, labels)).collect();
        let lower = fallen.iter().filter(|(series, _, value)| *value < series.value());
        let targets: BTreeSet<Target> = lower.map(|(_, labels, _)| Target::of(labels)).collect();
        let labels = fallen.iter().map(|(_, labels, _)| *labels);
        labels
            .filter(|labels| targets.contains(&Target::of(labels)))
            .collect()
    }

    pub(super) fn advance(&mut self, values: &Values, begun: &BTreeSet<Target>, birth: &Birth<'_>) {
        if let (Some(weightless), None) = (self.fresh, birth.before) {
            // What it shows by then is of its pods' tests, or of an earlier try. Later, all that it shows counts at the
            // next evaluation, which the baseline can match.
            if birth.at <= weightless {
                for (last, now) in self.last.iter_mut().zip(&values.parts) {
                    let base = |(labels, value): (&Labels, &f64)| {
                        let falls = values.fallen.get(labels).copied().unwrap_or_default();
                        (labels.clone(), Series::base(*value, birth.at, falls))
                    };
                    last.extend(now.iter().map(base));
                }
            }
            return;
        }
        self.seen |= !values.is_empty();
        let mut restarted = match self.kind {
            Kind::Share => BTreeSet::new(),
            Kind::Histogram(_) => restarted(&self.last, &values.parts, begun),
        };
        restarted.extend(self.reset(values, birth.at));
        let fresh = self.is_fresh();
        for ((last, now), pending) in self.last.iter_mut().zip(&values.parts).zip(&mut self.pending) {
            let grown = difference(last, now, (begun, &restarted, &values.fallen), (fresh, birth));
            *pending = pending.saturating_add(grown);
        }
    }

    /// What is not emitted yet.
    pub(super) fn take(&mut self) -> Increment {
        let requests = self.pending[0];
        let parts = self.pending[1..].iter();
        let bad = match self.kind {
            Kind::Share => parts.map(|bad| self.carry.take(requests, *bad)).collect(),
            Kind::Histogram(_) => parts.map(|within| requests.saturating_sub(*within)).collect(),
        };
        self.pending.fill(0);
        Increment { requests, bad }
    }

    /// Discards growth that was not handed on.
    pub(super) fn forget(&mut self) {
        self.pending.fill(0);
        self.carry = Carry::default();
    }
}

/// The histograms that have begun again: what one bucket has lost shows that all have, though others may have regained
/// more than that by now.
fn restarted<'a>(
    last: &[BTreeMap<Labels, Series>],
    now: &'a [BTreeMap<Labels, f64>],
    begun: &BTreeSet<Target>,
) -> BTreeSet<&'a Labels> {
    let parts = last.iter().zip(now);
    let lost = parts.flat_map(|(last, now)| {
        now.iter()
            .filter(|(labels, value)| last.get(*labels).is_some_and(|before| **value < before.value()))
    });
    lost.map(|(labels, _)| labels)
        .filter(|labels| begun.contains(&Target::of(labels)))
        .collect()
}

/// What the series have counted since their last values, which become those of `now`. A series that is gone keeps its
/// last value until it returns, and one whose sample is older keeps it too. `begun`: targets that have begun again;
/// `restarted`: series that have, though they may show more than before; `fallen`: how often the server has seen them do so.
fn difference(
    last: &mut BTreeMap<Labels, Series>,
    now: &BTreeMap<Labels, f64>,
    (begun, restarted, fallen): (&BTreeSet<Target>, &BTreeSet<&Labels>, &BTreeMap<Labels, u64>),
    (fresh, birth): (bool, &Birth<'_>),
) -> u64 {
    let (at, mut sum) = (birth.at, 0.0);
    for (labels, &value) in now {
        let Some(series) = last.get_mut(labels) else {
            let target = Target::of(labels);
            let from_zero = (fresh && !birth.based.contains(&target)) || birth.is_new_in(&target);
            let series = if from_zero {
                sum += value;
                Series::new(value, at)
            } else {
                Series::base(value, at, fallen.get(labels).copied().unwrap_or_default())
            };
            last.insert(labels.clone(), series);
            continue;
        };
        if restarted.contains(labels) || (value < series.value() && begun.contains(&Target::of(labels))) {
            sum += value;
            series.restart(value, at, fallen.get(labels).copied().unwrap_or_default());
        } else if value >= series.value() {
            sum += value - series.value();
            series.grow(value, at);
        }
    }
    sum.round() as u64
}

//! The series of each Rollout, kept together so that they go together.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;

use super::about::{self, About};

/// Which Rollout a series is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RolloutKey {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Whose weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WeightArm {
    /// The new revision.
    Candidate,
    /// Everyone else.
    Stable,
}

/// Which weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WeightKind {
    /// The committed one.
    Desired,
    /// What the route gives.
    Observed,
}

/// Whose rate of bad requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RateArm {
    /// The new revision.
    Candidate,
    /// What it is compared with, at the same time.
    Baseline,
    /// What it is compared with while nothing serves beside it.
    Past,
}

/// What the judge has counted for a metric at the present step.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// The metric's name.
    pub check: String,
    /// Whose.
    pub arm: RateArm,
    /// The share of bad requests, 0 to 1.
    pub value: f64,
}

impl RateArm {
    const fn label(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Baseline => "baseline",
            Self::Past => "past",
        }
    }
}

impl WeightArm {
    const fn label(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Stable => "stable",
        }
    }
}

impl WeightKind {
    const fn label(self) -> &'static str {
        match self {
            Self::Desired => "desired",
            Self::Observed => "observed",
        }
    }
}

/// What is known of one Rollout.
#[derive(Debug, Default)]
pub(super) struct Series {
    pub(super) phase: Option<(&'static str, &'static [&'static str])>,
    pub(super) verdicts: BTreeMap<&'static str, u64>,
    pub(super) rollbacks: BTreeMap<&'static str, u64>,
    pub(super) drift: BTreeMap<&'static str, u64>,
    pub(super) breaches: u64,
    weights: BTreeMap<(WeightArm, WeightKind), f64>,
    rates: BTreeMap<(String, RateArm), f64>,
}

impl Series {
    pub(super) fn weigh(&mut self, arm: WeightArm, kind: WeightKind, percent: Option<f64>) {
        match percent {
            Some(percent) => self.weights.insert((arm, kind), percent),
            None => self.weights.remove(&(arm, kind)),
        };
    }

    pub(super) fn judge(&mut self, rates: impl IntoIterator<Item = Rate>) {
        let rates = rates.into_iter();
        self.rates = rates.map(|rate| ((rate.check, rate.arm), rate.value)).collect();
    }
}

/// All Rollouts.
#[derive(Debug, Default)]
pub(super) struct Rollouts(Mutex<BTreeMap<RolloutKey, Series>>);

impl Rollouts {
    pub(super) fn change(&self, rollout: &RolloutKey, change: impl FnOnce(&mut Series)) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        change(all.entry(rollout.clone()).or_default());
    }

    pub(super) fn forget(&self, rollout: &RolloutKey) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(rollout);
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

fn labels<'a>(rollout: &'a RolloutKey, more: &[(&'static str, &'a str)]) -> Labels<'a> {
    let mut labels = vec![
        ("namespace", rollout.namespace.as_str()),
        ("name", rollout.name.as_str()),
    ];
    labels.extend_from_slice(more);
    labels
}

impl Collector for Rollouts {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let phases = all.iter().flat_map(|(rollout, series)| {
            let (now, phases) = series.phase.unwrap_or(("", &[]));
            phases.iter().map(move |phase| {
                let value = if *phase == now { 1.0 } else { 0.0 };
                (labels(rollout, &[("phase", phase)]), value)
            })
        });
        gauges(&mut encoder, about::PHASE, phases)?;
        let weights = all.iter().flat_map(|(rollout, series)| {
            series.weights.iter().map(|((arm, kind), percent)| {
                let more = [("arm", arm.label()), ("kind", kind.label())];
                (labels(rollout, &more), *percent)
            })
        });
        gauges(&mut encoder, about::WEIGHT, weights)?;
        let rates = all.iter().flat_map(|(rollout, series)| {
            series.rates.iter().map(|((check, arm), rate)| {
                let more = [("check", check.as_str()), ("arm", arm.label())];
                (labels(rollout, &more), *rate)
            })
        });
        gauges(&mut encoder, about::VALUE, rates)?;
        let by = |label: &'static str, counts: for<'a> fn(&'a Series) -> &'a BTreeMap<&'static str, u64>| {
            let rows = all.iter().flat_map(move |(rollout, series)| {
                let row = move |(value, count): (&&'static str, &u64)| {
                    (labels(rollout, &[(label, *value)]), *count)
                };
                counts(series).iter().map(row)
            });
            rows.collect::<Vec<_>>()
        };
        let verdicts = by("verdict", |series| &series.verdicts);
        counters(&mut encoder, about::VERDICTS, verdicts)?;
        let rollbacks = by("reason", |series| &series.rollbacks);
        counters(&mut encoder, about::ROLLBACKS, rollbacks)?;
        let drift = by("object", |series| &series.drift);
        counters(&mut encoder, about::DRIFT, drift)?;
        let breaches = all
            .iter()
            .map(|(rollout, series)| (labels(rollout, &[]), series.breaches));
        counters(&mut encoder, about::BREACHES, breaches)
    }
}

fn gauges<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    about: About,
    rows: impl IntoIterator<Item = (L, f64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(about.name, about.help, None, MetricType::Gauge)?;
    for (labels, value) in rows {
        family.encode_family(&labels)?.encode_gauge(&value)?;
    }
    Ok(())
}

fn counters<L: EncodeLabelSet>(
    encoder: &mut DescriptorEncoder,
    about: About,
    rows: impl IntoIterator<Item = (L, u64)>,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(about.name, about.help, None, MetricType::Counter)?;
    for (labels, value) in rows {
        let mut row = family.encode_family(&labels)?;
        row.encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
    }
    Ok(())
}

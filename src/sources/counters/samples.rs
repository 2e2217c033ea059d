//! Samples, checked: what passes here can be counted.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{ArmName, ArmSamples, Kind, NoData, Role};
use crate::ports::Sample;

/// How far a sample's own time may lie from the evaluation time. Servers that report the evaluation time itself are
/// never stale by this measure: their counters then simply do not move, which is no evidence either.
pub const MAX_AGE: Duration = Duration::from_mins(2);

/// How far back a fall is looked for that the samples themselves leave undecided: what a counter was two stretches of
/// [`MAX_AGE`] ago decides by itself, and its sample may have been as old again.
pub const RESETS_WITHIN: Duration = Duration::from_mins(6);

/// How many series one query may give.
pub const MAX_SERIES: usize = 5_000;

/// The largest counter in which every single request still shows.
const MAX_VALUE: f64 = 9_007_199_254_740_992.0;

/// Labels that say where a series was scraped.
const TARGET_LABELS: [&str; 3] = ["instance", "job", "pod"];

/// The labels of a series, without its name.
pub type Labels = BTreeMap<String, String>;

/// Where a series was scraped: its labels `instance`, `job` and `pod`, as far as it has them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target([Option<String>; 3]);

impl Target {
    /// The target of a series with these labels.
    pub fn of(labels: &Labels) -> Self {
        Self(TARGET_LABELS.map(|name| labels.get(name).cloned()))
    }

    /// Whether the series names no process: it is a sum over them (a job has many), which falls when one of them goes or
    /// begins again. All that the others have counted would then seem to be new.
    pub fn is_nowhere(&self) -> bool {
        let [instance, _, pod] = &self.0;
        instance.is_none() && pod.is_none()
    }
}

/// The label that says which bucket of a histogram a series is.
pub(in crate::sources) const EDGE_LABEL: &str = "le";
/// By how much two spellings of one edge may differ.
const EDGE_TOLERANCE: f64 = 1e-9;

/// The checked samples of one arm.
pub(super) struct Values {
    /// All requests, then each part that is counted by itself: bad ones, or those within an edge.
    pub(super) parts: Vec<BTreeMap<Labels, f64>>,
    pub(super) starts: BTreeMap<Target, Timestamp>,
    /// How often the series that have fallen lately did so; a histogram's without their label `le`.
    pub(super) fallen: BTreeMap<Labels, u64>,
}

impl Values {
    pub(super) fn read(
        arm: ArmName,
        kind: &Kind,
        at: Timestamp,
        samples: &ArmSamples,
    ) -> Result<Self, NoData> {
        let total = values(arm, Role::Total, at, &samples.total)?;
        let parts = match kind {
            Kind::Share => vec![total, values(arm, Role::Bad, at, &samples.bad)?],
            Kind::Histogram(edges) => buckets(arm, edges, total)?,
        };
        let mut starts = BTreeMap::new();
        for (labels, seconds) in values(arm, Role::Start, at, &samples.starts)? {
            let start = Timestamp::from_millisecond((seconds * 1000.0) as i64);
            if let Ok(start) = start {
                // Several processes of one target: the oldest, so that nothing old is taken for new.
                let known = starts.entry(Target::of(&labels)).or_insert(start);
                *known = start.min(*known);
            }
        }
        let resets = values(arm, Role::Resets, at, &samples.resets)?;
        let mut fallen: BTreeMap<Labels, u64> = BTreeMap::new();
        for (mut labels, falls) in resets.into_iter().filter(|(_, falls)| *falls > 0.0) {
            if matches!(kind, Kind::Histogram(_)) {
                labels.remove(EDGE_LABEL);
            }
            // Its buckets fall together, but one that has passed its old value may not show it.
            let most = fallen.entry(labels).or_default();
            *most = (falls as u64).max(*most);
        }
        Ok(Self {
            parts,
            starts,
            fallen,
        })
    }

    /// Whether no series counts the arm's requests.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.first().is_none_or(BTreeMap::is_empty)
    }

    pub(super) fn targets(&self) -> impl Iterator<Item = Target> {
        self.parts.iter().flat_map(BTreeMap::keys).map(Target::of)
    }
}

/// Buckets by edge: the infinite one first, then those of `edges`, each series without its label `le`.
fn buckets(
    arm: ArmName,
    edges: &[f64],
    samples: BTreeMap<Labels, f64>,
) -> Result<Vec<BTreeMap<Labels, f64>>, NoData> {
    let mut parts = vec![BTreeMap::new(); 1 + edges.len()];
    for (mut labels, value) in samples {
        let edge = labels
            .remove(EDGE_LABEL)
            .and_then(|edge| edge.parse::<f64>().ok());
        let Some(edge) = edge else { continue };
        let part = if edge == f64::INFINITY {
            Some(0)
        } else {
            let same = |wanted: &f64| (edge - wanted).abs() <= EDGE_TOLERANCE * wanted.abs();
            edges.iter().position(same).map(|index| index + 1)
        };
        if let Some(part) = part {
            parts[part].insert(labels, value);
        }
    }
    let missing = |index: &usize| {
        parts[0]
            .keys()
            .any(|series| !parts[index + 1].contains_key(series))
    };
    match (0..edges.len()).find(missing) {
        Some(index) => Err(NoData::Edge {
            arm,
            edge: edges[index].to_string(),
        }),
        None => Ok(parts),
    }
}

fn values(
    arm: ArmName,
    role: Role,
    at: Timestamp,
    samples: &[Sample],
) -> Result<BTreeMap<Labels, f64>, NoData> {
    if samples.len() > MAX_SERIES {
        return Err(NoData::TooMany { arm, role });
    }
    let mut values = BTreeMap::new();
    for sample in samples {
        if let Some(value) = wrong(sample.value) {
            return Err(NoData::Value { arm, role, value });
        }
        let away = at.duration_since(sample.at).abs();
        if away > SignedDuration::try_from(MAX_AGE).unwrap_or(SignedDuration::MAX) {
            let seconds = away.as_secs();
            return Err(NoData::Stale { arm, role, seconds });
        }
        // As long as it is 0 it may be a constant beside the others: `or vector(0)`.
        let counts = matches!(role, Role::Total | Role::Bad);
        if counts && sample.value > 0.0 && Target::of(&sample.labels).is_nowhere() {
            return Err(NoData::Summed { arm, role });
        }
        if values.insert(sample.labels.clone(), sample.value).is_some() {
            return Err(NoData::Duplicate { arm, role });
        }
    }
    Ok(values)
}

/// What is wrong with a counter's value, in words.
pub(in crate::sources) fn wrong(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value.is_infinite() {
        Some("infinity")
    } else if value < 0.0 {
        Some("below zero")
    } else if value > MAX_VALUE {
        Some("above 2^53")
    } else {
        None
    }
}

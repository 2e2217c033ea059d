//! One gauge of a release: where its values come from, and how they become readings.

use std::collections::BTreeMap;

use super::super::look::Look;
use crate::api;
use crate::engine::Moment;
use crate::engine::gauge::{Gauge, Kind, Reading, set_of};
use crate::ports::{MetricSource, Sample, Span};
use crate::render::limits;
use crate::sources::gauges::{Levels, Meter, Preset, Way};
use crate::sources::promql::{Arm, render};
use crate::stats::leak::Level;

/// From so many points on they are asked for together.
const TOGETHER: usize = 3;

/// One gauge that can be read.
pub(super) struct Line {
    pub(super) gauge: Gauge,
    pub(super) way: Way,
    /// The query for the candidate, and that for the baseline.
    pub(super) queries: [String; 2],
    meter: Meter,
    /// What one pod may use.
    limit: f64,
}

impl Line {
    /// A step begins.
    pub(super) fn begin_step(&mut self) {
        self.gauge.begin_step();
        self.meter = Meter::new(self.way.form);
    }

    /// Takes what both arms gave at one time; `served`: requests of both up to each reading of the metrics. What pods use
    /// in times that are not `ordinary` is left out.
    pub(super) fn take(
        &mut self,
        at: Moment,
        answer: Option<&[Vec<Sample>; 2]>,
        (served, ordinary): (&BTreeMap<Moment, [u64; 2]>, &impl Fn(Moment, Moment) -> bool),
    ) {
        let Some([candidate, baseline]) = answer else {
            self.gauge.miss();
            return;
        };
        match self.meter.advance(at, [candidate, baseline]) {
            Ok(Some(levels)) if !ordinary(levels.from, levels.at) => {}
            Ok(Some(levels)) => match self.reading(&levels, served) {
                Some(reading) => self.gauge.read(&reading),
                None => self.gauge.miss(),
            },
            Ok(None) => {}
            Err(why) => {
                tracing::debug!(gauge = self.gauge.name(), "not read: {why}");
                self.gauge.miss();
            }
        }
    }

    fn reading(&self, levels: &Levels, served: &BTreeMap<Moment, [u64; 2]>) -> Option<Reading> {
        let level = |used: &BTreeMap<String, f64>| Level::of(used.values().map(|used| used / self.limit));
        let requests = served.get(&levels.at).zip(served.get(&levels.from));
        Some(Reading {
            candidate: level(&levels.candidate)?,
            baseline: level(&levels.baseline),
            set: set_of(levels.candidate.keys().map(|name| Some(name.as_str()))),
            requests: requests.map(|(now, before)| [0, 1].map(|arm| now[arm].saturating_sub(before[arm]))),
            seconds: levels.at.duration_since(levels.from).as_secs_f64(),
        })
    }
}

/// The gauge as it can be read, or why it cannot.
pub(super) async fn find(
    look: &Look<'_>,
    source: &dyn MetricSource,
    wanted: &api::Gauge,
    (candidate, baseline): (&Arm, &Arm),
) -> Result<Line, String> {
    let limit = wanted.limit.as_ref().map(api::Quantity::value).or_else(|| {
        let resource = match wanted.preset? {
            api::GaugePreset::Cpu => "cpu",
            api::GaugePreset::Memory => "memory",
            api::GaugePreset::Connections => return None,
        };
        limits::of(
            look.snapshot.workload.as_ref()?.pointer("/spec/template")?,
            resource,
        )
    });
    let (kind, ways) = match (wanted.preset, &wanted.query) {
        (Some(api::GaugePreset::Cpu), _) => (Kind::Cpu, Way::of(Preset::Cpu, true)),
        (Some(api::GaugePreset::Memory), _) => (Kind::Memory, Way::of(Preset::Memory, true)),
        (Some(api::GaugePreset::Connections), _) => {
            (Kind::Other, Way::of(Preset::Connections, limit.is_some()))
        }
        (None, Some(query)) => (Kind::named(&wanted.name), vec![Way::custom(query)]),
        (None, None) => return Err("it has neither `preset` nor `query`".to_owned()),
    };
    if limit.is_none() && !ways.iter().all(|way| way.shares) {
        return Err("a container of the template has no limit for it, and the gauge sets none".to_owned());
    }
    if let Some((idle, limit)) = wanted.idle.as_ref().zip(limit)
        && idle.value() > limit
    {
        return Err(format!("its `idle` of {idle} is above what a pod may use"));
    }
    let mut why = "the provider has no values of the stable pods".to_owned();
    for way in ways {
        let rendered = [candidate, baseline].map(|arm| render(&way.query, arm));
        let queries = match rendered {
            [Ok(mine), Ok(theirs)] => [mine, theirs],
            [Err(error), _] | [_, Err(error)] => return Err(error.to_string()),
        };
        match source.instant(&queries[1], look.sampled()).await {
            Ok(samples) if samples.is_empty() => {}
            Ok(_) => {
                let limit = limit.filter(|_| !way.shares).unwrap_or(1.0);
                let idle = wanted.idle.as_ref().map(|idle| idle.value() / limit);
                return Ok(Line {
                    gauge: Gauge::new(&wanted.name, kind, wanted.optional, idle),
                    meter: Meter::new(way.form),
                    queries,
                    limit,
                    way,
                });
            }
            Err(error) => why = error.to_string(),
        }
    }
    Err(why)
}

/// What both arms give at each of these times; what the provider does not answer is left out.
pub(super) async fn ask(
    source: &dyn MetricSource,
    [mine, theirs]: &[String; 2],
    due: &[Moment],
    span: Span,
) -> BTreeMap<Moment, [Vec<Sample>; 2]> {
    let mut answers = BTreeMap::new();
    if due.len() >= TOGETHER {
        let asked = futures::try_join!(source.range(mine, span), source.range(theirs, span));
        if let Ok((mut mine, mut theirs)) = asked {
            for at in due {
                let pair = [&mut mine, &mut theirs].map(|all| all.remove(at).unwrap_or_default());
                answers.insert(*at, pair);
            }
        }
        return answers;
    }
    for at in due {
        let asked = futures::try_join!(source.instant(mine, *at), source.instant(theirs, *at));
        if let Ok((mine, theirs)) = asked {
            answers.insert(*at, [mine, theirs]);
        }
    }
    answers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::gauge::Place;
    use crate::sources::gauges::Form;
    use std::time::Duration;

    fn second(at: i64) -> Moment {
        Moment::from_second(at).expect("in range")
    }

    /// What a start costs is not what a request costs.
    #[test]
    fn what_pods_use_while_they_are_young_is_left_out() {
        let mut line = Line {
            gauge: Gauge::new("pool", Kind::Other, true, None),
            way: Way::custom("pool"),
            queries: [String::new(), String::new()],
            meter: Meter::new(Form::Single),
            limit: 20.0,
        };
        let ordinary = |from: Moment, _| from >= second(45);
        let sample = |pod: &str| Sample {
            labels: [("pod".to_owned(), pod.to_owned())].into(),
            value: 3.0,
            at: second(0),
        };
        let answer = [vec![sample("new")], vec![sample("old")]];
        let served = (0..7).map(|turn| (second(15 * turn), [turn.unsigned_abs(), 3 * turn.unsigned_abs()]));
        let served: BTreeMap<Moment, [u64; 2]> = served.collect();
        for at in served.keys() {
            line.take(*at, Some(&answer), (&served, &ordinary));
        }
        let view = line.gauge.view(&Place {
            weights: [10.0, 25.0],
            pods: [1, 4],
            waited: Duration::ZERO,
            patience: Duration::MAX,
        });
        assert!(
            view.sentence.starts_with("pool: 3 of the 4 readings"),
            "{}",
            view.sentence
        );
    }
}

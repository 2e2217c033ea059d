//! What the judge knows of the baseline before a release, learned as the controller learns it: from an hour of counts.

use super::Setting;
use super::traffic::Flow;
use crate::engine::Revision;
use crate::engine::judge::{Brief, Judge};
use crate::engine::plan::{Metric, MetricKind};
use crate::stats::history::background;
use crate::stats::{Background, Margin};

/// Of a histogram three edges are compared. So many requests are slower than the first, and of these than the next.
const SLOWER: [f64; 3] = [0.5, 0.2, 0.1];

/// What is known beforehand.
#[derive(Clone, Debug)]
pub(super) struct Past {
    pub(super) briefs: Vec<Brief>,
    /// Requests a second.
    pub(super) pace: Option<f64>,
}

impl Past {
    /// The past of one course.
    pub(super) fn learn(setting: &Setting, flow: &mut Flow) -> Self {
        let interval = setting.plan.analysis.interval.as_secs_f64();
        let ticks = flow.past();
        let requests: u64 = ticks.iter().flatten().map(|counts| counts.requests).sum();
        let pace = requests as f64 / (ticks.len() as f64 * interval);
        let brief = |(index, metric): (usize, &Metric)| Brief {
            past: if index == setting.subject() {
                let tolerated = Margin::new(metric.tolerated.ratio, metric.tolerated.absolute);
                vec![background(&ticks, tolerated)]
            } else {
                usual(setting, metric)
            },
            ..Brief::plain(metric)
        };
        Self {
            briefs: setting
                .plan
                .analysis
                .metrics
                .iter()
                .enumerate()
                .map(brief)
                .collect(),
            pace: Some(pace).filter(|pace| *pace > 0.0),
        }
    }

    /// By how much the failures of a metric came in clumps.
    pub(super) fn clumps(&self, metric: usize) -> f64 {
        let past = self.briefs.get(metric).and_then(|brief| brief.past.first());
        past.map_or(1.0, Background::dispersion)
    }
}

/// The traffic, in requests a second, that suffices to rule out all that the margin asks for: the least of 1, 2, 5, 10
/// and so on.
pub fn sufficient_pace(setting: &Setting) -> Option<f64> {
    let metrics = &setting.plan.analysis.metrics;
    let subject = metrics.get(setting.subject())?;
    let briefs: Vec<Brief> = metrics
        .iter()
        .map(|metric| Brief {
            past: usual(setting, metric),
            ..Brief::plain(metric)
        })
        .collect();
    let paces = (0..7).flat_map(|power| [1.0, 2.0, 5.0].map(|digit| digit * 10_f64.powi(power)));
    let revision = Revision::named("any");
    paces.into_iter().find(|pace| {
        let judge = Judge::of(&setting.plan, &revision, &briefs, Some(*pace));
        judge.provable().all(|(metric, _)| metric.name != subject.name)
    })
}

/// How many of the requests are bad by a metric in which the versions are alike: of all, then of those before.
pub(super) fn shares<'a>(setting: &'a Setting, metric: &Metric) -> &'a [f64] {
    match metric.kind {
        MetricKind::ErrorRate => std::slice::from_ref(&setting.traffic.baseline),
        MetricKind::Latency { .. } => &SLOWER,
    }
}

fn usual(setting: &Setting, metric: &Metric) -> Vec<Background> {
    let mut rate = 1.0;
    let part = |share: &f64| {
        rate *= share;
        Background::new(Some(rate), 1.0, 1, 0.0)
    };
    shares(setting, metric).iter().map(part).collect()
}

//! What all metrics together say at a moment: the evidence on which the engine decides, and its sentence.

use std::time::Duration;

use super::{Evidence, Judge, Standing, Verdict};
use crate::engine::gauge::Gauges;
use crate::engine::quantity::Weight;
use crate::engine::words;
use crate::stats;

impl Judge {
    /// What the engine decides on.
    pub fn evidence(&self) -> Evidence {
        let standing = self.standing();
        Evidence {
            summary: self.summary(standing.verdict),
            ..standing
        }
    }

    /// The same without a sentence, which takes longer than the rest: for whoever asks often and does not read.
    pub fn standing(&self) -> Evidence {
        let verdict = match self.panel.verdict() {
            stats::Verdict::Fail => Verdict::Fail,
            stats::Verdict::Pass => Verdict::Pass,
            stats::Verdict::Continue => Verdict::Continue,
        };
        // While one metric still speaks of the rung before, so does the whole; but a fail is that of the metric that decided.
        let failed = Some(verdict).filter(|verdict| *verdict == Verdict::Fail);
        let telling = failed.and_then(|_| self.panel.telling());
        let decided = telling.and_then(|index| self.metrics.get(index));
        Evidence {
            revision: Some(self.revision.clone()),
            rung: decided.map_or_else(|| self.rung(), |tried| tried.rung),
            at: decided.map_or_else(
                || self.needed().map(|tried| tried.at).min().flatten(),
                |tried| tried.at,
            ),
            silent: self
                .needed()
                .filter_map(|tried| tried.silent.clone())
                .min_by_key(|(since, _)| *since),
            verdict,
            summary: String::new(),
            share: self.share(),
            standing: Standing {
                measured: self.measured(),
                suspect: self.gating().any(|index| self.panel.is_suspect(index)),
                outage: self.gating().any(|index| self.panel.is_in_shared_fault(index)),
            },
            idle: self.panel.is_idle(),
            by_past: telling.is_some_and(|index| self.panel.is_by_past(index)),
            young: self.panel.evidence().any(stats::Evidence::is_young),
            gauges: Gauges::default(),
        }
    }

    /// How much of this rung's time every metric that is needed has been read.
    fn measured(&self) -> Duration {
        let seconds = self
            .gating()
            .filter_map(|index| self.panel.seconds_in_step(index));
        let least = seconds.reduce(f64::min).unwrap_or_default();
        // Sums of short times are not exact.
        Duration::try_from_secs_f64((least * 1e3).round() / 1e3).unwrap_or_default()
    }

    /// The sentences of the metrics that matter: after a fail the one that decided.
    fn summary(&self, verdict: Verdict) -> String {
        let telling = self.panel.telling();
        let sentences: Vec<String> = self
            .assessments()
            .enumerate()
            .filter(|(index, _)| verdict != Verdict::Fail || Some(*index) == telling)
            .map(|(_, (metric, assessment))| words::sentence(&metric.name, &assessment))
            .collect();
        let mut summary = sentences.join("; ");
        if let Some(share) = self.share() {
            summary = format!(
                "{summary}; it gets {share} of the requests instead of {}",
                self.weight()
            );
        }
        if let Some(why) = &self.anew {
            summary = format!("{summary} (the step's evidence was restarted: {why})");
        }
        summary
    }

    /// What share of the requests the candidate really gets, where that is surely not the weight.
    fn share(&self) -> Option<Weight> {
        let mut routed = self.metrics.iter().enumerate().filter(|(_, tried)| tried.routed);
        let (index, tried) = routed.next()?;
        let now = self.panel.in_step(index)?;
        let since = |now: stats::Counts, before: stats::Counts| {
            stats::Counts::new(now.requests.saturating_sub(before.requests), 0)
        };
        let counts = stats::Arms {
            candidate: since(now.candidate, tried.before_share.candidate),
            baseline: since(now.baseline, tried.before_share.baseline),
        };
        let seen = stats::traffic_share::not_honoured(f64::from(tried.weight.percent()), counts)?;
        Some(Weight::clamped(seen.round().clamp(0.0, 100.0) as u8))
    }

    /// The weight that the metrics were read at.
    fn weight(&self) -> Weight {
        self.metrics
            .iter()
            .map(|tried| tried.weight)
            .min()
            .unwrap_or_default()
    }
}

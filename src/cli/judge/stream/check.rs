//! What is wrong with a line, against what its stream has said before. Nothing is taken from a line that fails here.

use super::Stream;
use crate::cli::judge::gauge;
use crate::cli::judge::line::Line;
use crate::cli::judge::metric::sound;

/// Times beyond this many seconds, three thousand years, are slips: milliseconds, nanoseconds.
pub(super) const LATEST: f64 = 1e11;

impl Stream {
    /// Checks that a scrape can be taken; the error says what is wrong with it.
    pub(super) fn check(&self, line: &Line<'_>, t: f64, weight: f64) -> Result<(), String> {
        if t.abs() > LATEST {
            return Err(format!(
                "t is out of range: {t:e}: it is in seconds, not milliseconds"
            ));
        }
        if let Some(before) = self.t.filter(|before| t <= *before) {
            return Err(format!(
                "t must grow: {t} after {before}: order the lines by time, or give another release a stream of its own"
            ));
        }
        if let Some(past) = self.past.as_ref().filter(|past| t <= past.until) {
            return Err(format!(
                "t must be later than the history's {}: {t}: use one clock for both",
                past.until
            ));
        }
        for (name, weight) in [("weight", Some(weight)), ("next", line.next)] {
            if weight.is_some_and(|weight| !(weight > 0.0 && weight <= 100.0)) {
                let weight = weight.unwrap_or_default();
                return Err(format!(
                    "{name} must be above 0 and at most 100: {weight}: it is the candidate's share in per cent; leave out scrapes without a candidate"
                ));
            }
        }
        if self.panel.is_some() && line.step < self.step {
            return Err(format!(
                "step must not go back: {} after {}: give another release a stream of its own",
                line.step, self.step
            ));
        }
        if line.metrics.is_empty() {
            return Err("metrics is missing or empty: give at least one, with candidate and baseline".into());
        }
        let known = || self.metrics.iter().map(|metric| metric.name.as_str());
        if !self.metrics.is_empty() && !line.metrics.iter().map(|(name, _)| name).eq(known()) {
            let known: Vec<&str> = known().collect();
            return Err(format!(
                "the stream's metrics changed: they were {}: give each line all of them, with 0 where nothing was counted, and no others",
                known.join(", ")
            ));
        }
        for (name, arms) in line.metrics.iter() {
            sound(arms).map_err(|wrong| format!("metric {name}: {wrong}"))?;
        }
        for (metric, (_, arms)) in self.metrics.iter().zip(line.metrics.iter()) {
            if let Some(changed) = metric.changed(arms) {
                return Err(format!(
                    "metric {} changed between {changed}: keep to the form of the stream's first line",
                    metric.name
                ));
            }
            if let Some(edge) = metric.lacks(arms) {
                return Err(format!(
                    "metric {}: there is no bucket up to {edge} s, at which the stream is judged: keep that bucket on every line",
                    metric.name
                ));
            }
        }
        for (metric, (_, arms)) in self.metrics.iter().zip(line.metrics.iter()) {
            if let Some(wrong) = metric.unfit(arms) {
                return Err(format!("metric {}: {wrong}", metric.name));
            }
        }
        for (name, gauge) in line.gauges.iter() {
            gauge::sound(gauge).map_err(|wrong| format!("gauge {name}: {wrong}"))?;
        }
        Ok(())
    }
}

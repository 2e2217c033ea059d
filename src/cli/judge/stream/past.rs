//! The baseline's past, as a line of its own tells it.

use super::Stream;
use super::check::LATEST;
use crate::cli::judge::line::Past;
use crate::cli::judge::rules::Rules;
use crate::stats::history::background_of;
use crate::stats::{Background, Counts};

/// What the baseline's past tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) background: Background,
    /// Requests a second.
    pub(super) pace: f64,
    /// Its last moment.
    pub(super) until: f64,
}

impl Stream {
    /// Learns the baseline's past.
    pub(in crate::cli::judge) fn learn(&mut self, past: &[Past], rules: &Rules) -> Result<(), String> {
        if self.has_begun() {
            return Err("history must come before the stream's first scrape".into());
        }
        let (false, Some(latest)) = (self.past.is_some(), past.last()) else {
            let wrong = if past.is_empty() {
                "history is empty"
            } else {
                "the stream has a history already: it is one line"
            };
            return Err(wrong.into());
        };
        if let Some(slip) = past.iter().find(|moment| moment.t.abs() > LATEST) {
            return Err(format!(
                "history: t is out of range: it is in seconds: {:e}",
                slip.t
            ));
        }
        let mut pods = Vec::with_capacity(past.len());
        for (at, moment) in past.iter().enumerate() {
            if at > 0 && moment.t <= past[at - 1].t {
                return Err(format!("history goes back in time at {}", moment.t));
            }
            if let Some((n, x)) = moment.pods.iter().find(|(n, x)| x > n) {
                return Err(format!(
                    "history at {}: x is {} but n only {}",
                    moment.t, x.0, n.0
                ));
            }
            let counts = moment.pods.iter().map(|(n, x)| Counts::new(n.0, x.0));
            pods.push(counts.collect::<Vec<_>>());
        }
        let tolerated = rules.settings("", false)?.tolerated();
        let requests: f64 = pods.iter().flatten().map(|c| c.requests as f64).sum();
        let span = match past {
            [first, .., last] => (last.t - first.t) * past.len() as f64 / (past.len() - 1) as f64,
            _ => 0.0,
        };
        let known = background_of(&pods, span / pods.len().max(1) as f64, tolerated);
        self.past = Some(Known {
            background: known,
            pace: if span > 0.0 { requests / span } else { 0.0 },
            until: latest.t,
        });
        Ok(())
    }
}

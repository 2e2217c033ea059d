//! What is told of one release: read off the Rollout's status, laid out as text. Pure.

use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::chart::Chart;
use crate::api::{HistoryEntry, Mark, Phase, ReleaseStatus, Rollout, RolloutStatus, Verdict, VerdictStatus};
use crate::cli::text::wrapped;
use crate::engine::words;

/// How the name of a metric ends that is judged while traffic returns to the promoted pods.
const RETURN: &str = " of the return";

/// How it is to look.
pub(super) struct Look {
    /// Characters of a line.
    pub(super) width: usize,
    pub(super) colour: bool,
}

impl Look {
    /// An indented paragraph.
    fn paragraph(&self, text: &str) -> String {
        format!("  {}\n", wrapped(text, "    ", self.width - 2))
    }

    fn painted(&self, text: &str, code: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// One release of a Rollout.
pub(super) struct Course<'a> {
    rollout: &'a Rollout,
    status: &'a RolloutStatus,
    release: &'a ReleaseStatus,
    /// How it ended.
    end: Option<&'a HistoryEntry>,
    events: Vec<(i64, &'a Event)>,
}

impl<'a> Course<'a> {
    /// `None`: there was no release yet.
    pub(super) fn of(rollout: &'a Rollout, events: &'a [Event]) -> Option<Self> {
        let status = rollout.status.as_ref()?;
        let release = status.release.as_ref()?;
        let since = seconds(release.started_at.as_ref())?;
        let end = status
            .history
            .iter()
            .find(|entry| entry.revision == release.revision && entry.started_at.0.as_second() == since);
        let mut events: Vec<(i64, &Event)> = events
            .iter()
            .filter_map(|event| Some((event.event_time.as_ref()?.0.as_second() - since, event)))
            .filter(|(at, _)| *at >= 0)
            .collect();
        events.sort_by_key(|(at, _)| *at);
        Some(Self {
            rollout,
            status,
            release,
            end,
            events,
        })
    }

    /// The whole text.
    pub(super) fn text(&self, look: &Look) -> String {
        let mut text = self.head(look);
        for step in 1..=self.release.step {
            text.push_str(&self.step(step, look));
        }
        text.push_str(&self.charts(look));
        text.push_str(&self.told(look));
        text
    }

    fn head(&self, look: &Look) -> String {
        let meta = &self.rollout.metadata;
        let name = meta.name.as_deref().unwrap_or_default();
        let namespace = meta.namespace.as_deref().unwrap_or("default");
        let phase = self.status.phase.map_or("Pending", Phase::as_str);
        let shown = look.painted(phase, shade(self.release.verdict));
        let mut text = format!(
            "{namespace}/{name}  revision {}  {shown}\n",
            self.release.revision
        );
        let line = match (self.end, &self.release.started_at) {
            (Some(end), _) => format!(
                "{} – {}, {}: {}",
                end.started_at.0,
                end.ended_at.0,
                words::span(end.seconds as f64),
                end.evidence.as_deref().unwrap_or(&end.reason)
            ),
            (None, Some(start)) => format!(
                "since {}: {}",
                start.0,
                self.status.message.as_deref().unwrap_or_default()
            ),
            (None, None) => String::new(),
        };
        text.push_str(&format!("{}\n", wrapped(&line, "", look.width)));
        for metric in &self.release.metrics {
            if let Some(note) = &metric.note {
                text.push_str(&wrapped(&format!("{}: {note}", metric.name), "", look.width));
                text.push('\n');
            }
        }
        text
    }

    fn step(&self, step: i32, look: &Look) -> String {
        let marks: Vec<&Mark> = self
            .release
            .trail
            .iter()
            .filter(|mark| mark.step == step)
            .collect();
        let verdicts: Vec<&VerdictStatus> = self
            .release
            .verdicts
            .iter()
            .filter(|verdict| verdict.step == step)
            .collect();
        let mut text = format!("\nstep {step} of {}", self.release.steps);
        if let Some(weights) = weights(&marks) {
            text.push_str(&format!("  {weights}"));
        }
        if let (Some(first), Some(last)) = (marks.first(), marks.last()) {
            text.push_str(&format!(
                "  looked at from {} to {}",
                self.offset(first),
                self.offset(last)
            ));
        }
        let (word, verdict) = self.outcome(step, &verdicts);
        text.push_str(&format!("  {}\n", look.painted(word, shade(verdict))));
        let (beside, returned): (Vec<&VerdictStatus>, Vec<&VerdictStatus>) = verdicts
            .iter()
            .partition(|verdict: &&&VerdictStatus| !verdict.metric.ends_with(RETURN));
        for verdict in beside {
            text.push_str(&look.paragraph(&verdict.reason));
        }
        let failed = verdict == Some(Verdict::Fail);
        if let Some(missing) = self.missing(&marks).filter(|_| !failed) {
            text.push_str(&look.paragraph(&missing));
        }
        for verdict in returned {
            text.push_str(&look.paragraph(&format!("as traffic returned: {}", verdict.reason)));
        }
        text
    }

    /// What came of a step, in a word.
    fn outcome(&self, step: i32, verdicts: &[&VerdictStatus]) -> (&'static str, Option<Verdict>) {
        let failed = verdicts.iter().any(|verdict| verdict.verdict == Verdict::Fail);
        match (failed, step < self.release.step) {
            (true, _) => ("failed", Some(Verdict::Fail)),
            (false, true) => ("passed", Some(Verdict::Pass)),
            (false, false) => match self.release.verdict {
                Some(Verdict::Pass) if self.end.is_some() => ("passed", Some(Verdict::Pass)),
                _ if self.end.is_some() => ("ended here", None),
                Some(Verdict::Inconclusive) => ("inconclusive", Some(Verdict::Inconclusive)),
                Some(Verdict::Pass) => ("proved", Some(Verdict::Pass)),
                _ => ("looking", None),
            },
        }
    }

    /// When how much was missing, at a handful of moments.
    fn missing(&self, marks: &[&Mark]) -> Option<String> {
        const TOLD: usize = 4;
        let open: Vec<&&Mark> = marks.iter().filter(|mark| mark.in_favour < 1.0).collect();
        let every = open.len().div_ceil(TOLD).max(1);
        let told: Vec<String> = open
            .iter()
            .step_by(every)
            .map(|mark| {
                let missing = mark.missing_seconds.filter(|seconds| *seconds > 0.0);
                let time = missing.map_or_else(
                    || "no forecast".to_owned(),
                    |seconds| format!("about {} missing", words::span(seconds)),
                );
                let share = words::percent(mark.in_favour);
                format!("at {} {share} of the proof, {time}", self.offset(mark))
            })
            .collect();
        (!told.is_empty()).then(|| format!("in between: {}", told.join("; ")))
    }

    fn charts(&self, look: &Look) -> String {
        let chart = |value: fn(&Mark) -> f64, height| Chart {
            marks: &self.release.trail,
            value,
            height,
            width: look.width,
        };
        let mut text = String::new();
        let pictures = [
            (
                "evidence for it, of what leaving the step needs",
                chart(|mark| mark.in_favour, 4),
                "32",
            ),
            (
                "evidence against it, of what a rollback needs",
                chart(|mark| mark.against, 3),
                "31",
            ),
        ];
        for (title, chart, colour) in pictures {
            if !chart.shows() {
                continue;
            }
            text.push_str(&format!("\n{title}\n"));
            for line in chart.lines() {
                let (scale, bars) = line.split_at(line.find('│').unwrap_or_default());
                text.push_str(&format!("{scale}{}\n", look.painted(bars, colour)));
            }
            for line in chart.axis() {
                text.push_str(&format!("{line}\n"));
            }
        }
        text
    }

    /// The events of the release, if the cluster still has them.
    fn told(&self, look: &Look) -> String {
        if self.events.is_empty() {
            return String::new();
        }
        let mut text = "\nwhat was told\n".to_owned();
        for (at, event) in &self.events {
            let reason = event.reason.as_deref().unwrap_or_default();
            let note = event.note.as_deref().unwrap_or_default();
            text.push_str(&look.paragraph(&format!("{}  {reason}: {note}", clock(*at))));
        }
        text
    }

    /// When a mark was made, counted from the release's start.
    fn offset(&self, mark: &Mark) -> String {
        clock(mark.at.0.as_second() - seconds(self.release.started_at.as_ref()).unwrap_or_default())
    }
}

fn seconds(time: Option<&Time>) -> Option<i64> {
    time.map(|time| time.0.as_second())
}

/// Hours, minutes and seconds, hours only where there are some.
fn clock(seconds: i64) -> String {
    let (minutes, rest) = (seconds / 60, seconds % 60);
    if minutes < 60 {
        return format!("{minutes}:{rest:02}");
    }
    format!("{}:{:02}:{rest:02}", minutes / 60, minutes % 60)
}

/// The weights of a step, in their order.
fn weights(marks: &[&Mark]) -> Option<String> {
    let mut weights: Vec<i32> = marks.iter().map(|mark| mark.weight).collect();
    weights.dedup();
    let told: Vec<String> = weights.iter().map(ToString::to_string).collect();
    (!told.is_empty()).then(|| format!("{} %", told.join(", ")))
}

const fn shade(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Pass) => "32",
        Some(Verdict::Fail) => "31",
        Some(Verdict::Inconclusive) => "33",
        Some(Verdict::Continue) | None => "1",
    }
}

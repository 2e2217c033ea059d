//! A backtest in words, and as JSON.

use std::io::Write;

use serde::Serialize;

use super::course::{Course, Entry, Outcome, Rollback, What};
use super::past::{Arms, Read, Window};
use crate::cli::Failure;
use crate::engine::{Moment, Plan, words};

/// Everything that was asked and read.
pub(super) struct Telling<'a> {
    pub(super) title: &'a str,
    pub(super) arms: &'a Arms,
    pub(super) window: &'a Window,
    pub(super) plan: &'a Plan,
    pub(super) read: &'a Read,
}

/// An entry as JSON.
#[derive(Serialize)]
struct Line<'a> {
    at: String,
    event: &'static str,
    step: usize,
    weight: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'a str,
}

/// The last line.
#[derive(Serialize)]
struct Last<'a> {
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    /// Seconds from the first bad request, or from the change, to the rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<f64>,
    /// Bad requests that would not have happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    spared: Option<u64>,
    evaluations: usize,
    silent: usize,
    assumption: Option<String>,
    summary: &'a str,
}

impl Telling<'_> {
    /// The course, for people.
    pub(super) fn text(&self, course: &Course, out: &mut dyn Write) -> Result<(), Failure> {
        writeln!(out, "{}", self.headline())?;
        writeln!(out, "{}", self.sources())?;
        if let Some(assumption) = self.assumption() {
            writeln!(out, "{assumption}")?;
        }
        writeln!(out)?;
        for entry in &course.entries {
            writeln!(out, "{}", self.row(entry))?;
        }
        if let Some(why) = &course.why_silent {
            let (silent, all) = (course.silent, course.evaluations);
            writeln!(out, "{silent} readings of {all} evaluations had no data: {why}")?;
        }
        Ok(writeln!(out, "\n{}", self.outcome(course))?)
    }

    /// The course, for programs: a line an entry, and one for the outcome.
    pub(super) fn json(&self, course: &Course, out: &mut dyn Write) -> Result<(), Failure> {
        for entry in &course.entries {
            let line = Line {
                at: entry.at.to_string(),
                event: entry.what.name(),
                step: entry.step,
                weight: entry.weight,
                reason: &entry.sentence,
            };
            put(&line, out)?;
        }
        let (outcome, at) = match course.outcome {
            Outcome::RolledBack(rollback) => ("RolledBack", Some(rollback.at)),
            Outcome::Promoted(at) => ("Promoted", Some(at)),
            Outcome::Undecided => ("Undecided", None),
        };
        let rollback = match course.outcome {
            Outcome::RolledBack(rollback) => Some(rollback),
            Outcome::Promoted(_) | Outcome::Undecided => None,
        };
        let last = Last {
            outcome,
            at: at.map(|at| at.to_string()),
            after: rollback.and_then(|it| Some(it.at.duration_since(it.since?).as_secs_f64())),
            spared: rollback.map(|it| it.spared.round() as u64),
            evaluations: course.evaluations,
            silent: course.silent,
            assumption: self.assumption(),
            summary: &self.outcome(course),
        };
        put(&last, out)
    }

    /// What is judged, and when.
    fn headline(&self) -> String {
        let (from, to) = (self.time(self.window.from), self.time(self.window.to));
        if self.is_one_day() {
            format!("{} {from} to {to} UTC", self.subject())
        } else {
            format!("{}: {}, {from} to {to} UTC", self.title, self.who())
        }
    }

    /// What is judged, and on which day.
    pub(super) fn subject(&self) -> String {
        format!(
            "{}: {}, {}",
            self.title,
            self.who(),
            self.window.from.strftime("%Y-%m-%d")
        )
    }

    fn who(&self) -> String {
        let stable = &self.arms.stable.service;
        match (&self.arms.candidate, self.window.at) {
            (Some(candidate), _) => format!("{} beside {stable}", candidate.service),
            (None, Some(at)) => format!("{stable} after {} beside itself before", self.time(at)),
            (None, None) => stable.clone(),
        }
    }

    /// What it rests on.
    fn sources(&self) -> String {
        let learned = &self.read.learned;
        let judged = learned.subjects.iter().map(|subject| {
            let unit = subject.queries.unit().unwrap_or(1.0);
            let edges: Vec<String> = subject
                .edges
                .iter()
                .map(|(edge, _)| words::time(edge * unit))
                .collect();
            let at = if edges.is_empty() {
                String::new()
            } else {
                format!(" (slower than {})", edges.join(", "))
            };
            format!("{} by {}{at}", subject.metric, subject.found)
        });
        let left_out = learned
            .left_out
            .iter()
            .map(|(name, why)| format!("not {name}: {why}"));
        judged.chain(left_out).collect::<Vec<_>>().join("; ")
    }

    /// What must be true for the answer to mean anything, where that is not plain.
    fn assumption(&self) -> Option<String> {
        let at = self.time(self.window.at?);
        Some(format!(
            "This assumes that without the change at {at} traffic and errors would have gone on as they were before it."
        ))
    }

    fn row(&self, entry: &Entry) -> String {
        let steps = self.plan.steps;
        let what = match entry.what {
            What::Step => format!("step {}/{steps} begins", entry.step),
            What::Bake => format!("the bake of step {}/{steps} begins", entry.step),
            What::Hasty => format!(
                "step {}/{steps} began; this Rollout would still have waited: {}",
                entry.step, entry.sentence
            ),
            What::Pass => format!("passes: {}", entry.sentence),
            What::Fail => format!("fails: {}", entry.sentence),
            What::Inconclusive => format!("the deadline passes without a verdict: {}", entry.sentence),
            What::End => format!("ends: {}", entry.sentence),
        };
        format!("{}  {:>3} %  {what}", self.time(entry.at), entry.weight)
    }

    /// The outcome as a sentence.
    pub(super) fn outcome(&self, course: &Course) -> String {
        match course.outcome {
            Outcome::RolledBack(rollback) => self.rolled_back(&rollback),
            // What it would have seen had it waited nobody knows.
            Outcome::Promoted(at) if course.entries.iter().any(|entry| entry.what == What::Hasty) => format!(
                "nothing spoke against it until {}, when its proof was whole; this Rollout would have been slower",
                self.time(at)
            ),
            Outcome::Promoted(at) => format!("it would have been promoted at {}", self.time(at)),
            Outcome::Undecided => {
                let weight = course.entries.last().map_or(0.0, |entry| entry.weight);
                format!("undecided: neither a rollback nor a promotion, {weight} % when the window ends")
            }
        }
    }

    fn rolled_back(&self, it: &Rollback) -> String {
        let bad = if it.slow { "slow" } else { "failed" };
        let since = it.since.map_or_else(String::new, |since| {
            let after = lasted(it.at.duration_since(since).as_secs());
            let what = match (self.window.at, it.slow) {
                (Some(_), _) => "the change",
                (None, false) => "the first failed request that told against it",
                (None, true) => "the first slow request that told against it",
            };
            format!(", {after} after {what}")
        });
        let spared = rounded(it.spared);
        let spared = match spared {
            0 => format!("no {bad} request would have been spared in this window"),
            1 => format!("about 1 {bad} request would have been spared"),
            many => format!(
                "about {} {bad} requests would have been spared",
                words::grouped(many)
            ),
        };
        format!(
            "it would have been rolled back at {} with {} % of the requests{since}; {spared}",
            self.time(it.at),
            it.weight
        )
    }

    fn is_one_day(&self) -> bool {
        let day = |at: Moment| at.strftime("%Y-%m-%d").to_string();
        day(self.window.from) == day(self.window.to)
    }

    /// A time of day, with its date where the window has several.
    fn time(&self, at: Moment) -> String {
        let format = if self.is_one_day() {
            "%H:%M:%S"
        } else {
            "%Y-%m-%d %H:%M:%S"
        };
        at.strftime(format).to_string()
    }
}

fn put(value: &impl Serialize, out: &mut dyn Write) -> Result<(), Failure> {
    serde_json::to_writer(&mut *out, value).map_err(|error| Failure::Output(error.into()))?;
    Ok(out.write_all(b"\n")?)
}

/// `4 min 15 s`.
fn lasted(seconds: i64) -> String {
    let (hours, minutes, rest) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) if rest == 0 => format!("{minutes} min"),
        (0, _) => format!("{minutes} min {rest} s"),
        (_, 0) => format!("{hours} h"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// Two significant digits: more is not known.
fn rounded(count: f64) -> u64 {
    let unit = 10_f64.powf((count.max(1.0).log10().floor() - 1.0).max(0.0));
    ((count / unit).round() * unit) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_are_as_exact_as_they_are_known() {
        let all = [
            (15, "15 s"),
            (60, "1 min"),
            (255, "4 min 15 s"),
            (3600, "1 h"),
            (4380, "1 h 13 min"),
        ];
        for (seconds, text) in all {
            assert_eq!(lasted(seconds), text);
        }
        assert_eq!(
            [0.25, 0.0005, 2.5].map(words::time),
            ["250 ms", "0.5 ms", "2.5 s"]
        );
        for (count, shown) in [
            (0.3, 0),
            (0.6, 1),
            (7.4, 7),
            (123.0, 120),
            (9_876.0, 9_900),
            (0.0, 0),
        ] {
            assert_eq!(rounded(count), shown, "{count}");
        }
    }
}

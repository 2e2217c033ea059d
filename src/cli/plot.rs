//! The course of a release as a picture: evidence over time with its thresholds, and the weight below it.
//!
//! The SVG stands by itself: no script, no font, no file beside it. It follows the reader's preference for light or
//! dark, and stays below 60 KiB however long the course is.

mod axis;
mod pen;
mod svg;

use std::fs;

use crate::cli::Failure;
use crate::engine::words;
use crate::stats::Evidenced;

/// As many moments as the picture can show.
const MOST_POINTS: usize = 400;

/// Where a release stands at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Standing {
    /// Its time in seconds.
    pub(super) t: f64,
    /// The candidate's weight in per cent.
    pub(super) weight: f64,
    /// The evidence against the candidate.
    pub(super) against: Evidenced,
    /// The evidence for it, of the metric that lacks most.
    pub(super) in_favour: Evidenced,
    /// The verdict: it has failed, or it passes.
    pub(super) failed: bool,
    pub(super) passes: bool,
}

impl Standing {
    /// Whether something changed against the moment before that a picture must show: a step, a fail.
    fn is_news(&self, before: Option<&Self>) -> bool {
        let verdict = |it: &Self| (it.failed, it.passes);
        before.is_none_or(|before| self.is_step(before) || verdict(self) != verdict(before))
    }

    /// Whether the weight has changed.
    fn is_step(&self, before: &Self) -> bool {
        self.weight.total_cmp(&before.weight).is_ne()
    }
}

/// What is recorded of a course.
#[derive(Debug, Default)]
pub(super) struct Tape {
    /// The stream to record, where it is told; otherwise the only one.
    wanted: Option<String>,
    stream: Option<String>,
    others: bool,
    points: Vec<Standing>,
    /// Of so many moments one is kept, and how many were passed over since.
    every: usize,
    skipped: usize,
}

/// What the picture says beside the curves.
#[derive(Debug, Default)]
pub(super) struct Caption {
    pub(super) title: String,
    pub(super) outcome: String,
    /// Seconds of the Unix epoch at which `t` is 0, where `t` is a time of day.
    pub(super) epoch: Option<f64>,
}

/// The evidence that is furthest from what is needed of it.
pub(super) fn least(all: impl Iterator<Item = Evidenced>) -> Option<Evidenced> {
    let lacks = |it: &Evidenced| it.needed - it.evidence;
    all.reduce(|least, next| if lacks(&next) > lacks(&least) { next } else { least })
}

impl Tape {
    /// An empty tape; `stream`: whose course, where there are several.
    pub(super) fn of(stream: Option<String>) -> Self {
        Self {
            wanted: stream,
            every: 1,
            ..Self::default()
        }
    }

    /// Records a moment of a stream.
    pub(super) fn record(&mut self, stream: &str, standing: Standing) {
        match (&self.wanted, &self.stream) {
            (Some(wanted), _) if wanted != stream => return,
            (None, Some(known)) if known != stream => {
                self.others = true;
                return;
            }
            (_, None) => self.stream = Some(stream.to_owned()),
            _ => {}
        }
        self.push(standing);
    }

    /// Keeps a moment. What changes the picture is kept whatever the pace: a step, a fail.
    pub(super) fn push(&mut self, standing: Standing) {
        self.skipped += 1;
        if !standing.is_news(self.points.last()) && self.skipped < self.every {
            return;
        }
        self.skipped = 0;
        if self.points.len() >= 4 * MOST_POINTS {
            self.thin();
        }
        self.points.push(standing);
    }

    /// Keeps every second moment, and those at which something changed as long as these are few.
    fn thin(&mut self) {
        let mut thinned: Vec<Standing> = Vec::with_capacity(self.points.len());
        for (index, point) in self.points.iter().enumerate() {
            let few = thinned.len() < 2 * MOST_POINTS;
            if index % 2 == 0 || (few && point.is_news(thinned.last())) {
                thinned.push(*point);
            }
        }
        self.points = thinned;
        self.every = self.every.saturating_mul(2);
    }

    /// Draws what was recorded.
    ///
    /// # Errors
    /// There is nothing to draw, or too much; or the file cannot be written.
    pub(super) fn draw(&self, file: &str, caption: &Caption) -> Result<(), Failure> {
        if self.others {
            return Err(Failure::usage(
                "--plot draws one stream, and there are several",
                "choose one with --stream",
            ));
        }
        if self.points.is_empty() {
            let message = match &self.wanted {
                Some(wanted) => format!("--plot: there is no line of stream {wanted} to draw"),
                None => "--plot: there is no line to draw".to_owned(),
            };
            return Err(Failure::usage(message, "the picture needs one answer at least"));
        }
        let picture = svg::picture(&self.points, caption);
        fs::write(file, picture).map_err(|error| {
            Failure::usage(
                format!("cannot write the plot to {file}: {error}"),
                "name a file in a folder that exists and can be written to",
            )
        })
    }

    /// What has come of it, in a few words.
    pub(super) fn outcome(&self) -> String {
        let Some(last) = self.points.last() else {
            return String::new();
        };
        let first = self.points.first().map_or(0.0, |first| first.t);
        if let Some(failed) = self.points.iter().find(|point| point.failed) {
            let after = words::span(failed.t - first);
            return format!("failed at {} %, {after} after the first line", failed.weight);
        }
        let (how, weight) = (if last.passes { "passes" } else { "undecided" }, last.weight);
        format!("{how} at {weight} % with the last line")
    }

    /// The stream that was recorded.
    pub(super) fn stream(&self) -> &str {
        self.stream.as_deref().unwrap_or_default()
    }
}

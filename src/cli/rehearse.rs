//! `serin rehearse`: what to expect of a Rollout's releases, simulated through the real engine and judge.

mod arguments;
mod findings;
pub(super) mod input;
mod json;
mod scene;
mod text;
mod words;

use std::io::{Read, Write};

use clap::{Args, ValueEnum};

use super::{Exit, Failure};
use crate::api::Duration;
use crate::rehearsal::{Setting, Stop, advise, courses, extremes, summarize};
use crate::trials::Scenario;
use scene::{Found, Scene};

/// Simulated releases for each value that a search tries.
const TRIED: u64 = 150;
/// Simulated releases for each change that is tried.
const ADVISED: u64 = 200;

/// Simulate releases of a Rollout at given traffic: how they end, how long they take, what to change.
///
/// Engine and judge are those of the operator; cluster and traffic are simulated. The same seed gives the same answer.
/// RATE is a share of requests that fail: 0.1% or 0.001. Exit status: 0 rehearsed, 2 the input cannot be used.
#[derive(Args, Debug)]
#[command(after_long_help = json::HELP)]
pub struct Rehearse {
    /// A file of YAML or JSON with a Rollout; - reads standard input.
    pub file: String,
    /// Which Rollout, where the file has several.
    #[arg(long)]
    pub name: Option<String>,
    /// Requests a second, both versions together [default: 50].
    #[arg(long, allow_negative_numbers = true, value_parser = arguments::pace)]
    pub rps: Option<f64>,
    /// Share of requests that fail in the version that serves [default: 0.1%].
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = arguments::rate)]
    pub baseline_error_rate: Option<f64>,
    /// Share of requests that fail in the new version [default: the same].
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, value_parser = arguments::rate)]
    pub candidate_error_rate: Option<f64>,
    /// Replicas of the Deployment.
    #[arg(long, default_value = "4", allow_negative_numbers = true, value_parser = arguments::pods)]
    pub pods: u32,
    /// Time between two looks at fresh metrics [default: the Rollout's analysis.interval].
    #[arg(long, value_name = "DURATION", allow_negative_numbers = true, value_parser = arguments::scrape)]
    pub scrape: Option<Duration>,
    /// A line of the benchmark, G1 to G14 or B1 to B14 (see docs/judge-figures.md): its traffic, errors and troubles.
    #[arg(long, value_parser = arguments::scenario)]
    pub scenario: Option<Scenario>,
    /// How many releases.
    #[arg(long, default_value = "1000", allow_negative_numbers = true, value_parser = arguments::runs)]
    pub runs: u64,
    /// Seed of everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How long a release is looked at [default: until its last deadline, 4 to 72].
    #[arg(long, allow_negative_numbers = true, value_parser = arguments::hours)]
    pub hours: Option<f64>,
    /// How to answer.
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How the answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

impl Rehearse {
    /// Rehearses the Rollout of the file, or of `stdin` where it is `-`.
    ///
    /// # Errors
    /// When the input cannot be used or the answer cannot be written.
    pub fn run(&self, stdin: &mut dyn Read, out: &mut dyn Write) -> Result<Exit, Failure> {
        let rollout = input::find(&self.file, self.name.as_deref(), stdin)?;
        let assumed = self.assumed();
        let setting = Setting::of(&rollout.spec, &assumed)
            .map_err(|wrong| input::refused(&self.file, &rollout.title, &wrong.join("; ")))?;
        self.bearable(&setting)?;
        let summary = summarize(&setting, &courses(&setting, 0..self.runs, Stop::AtEnd));
        if summary.breaches > 0 {
            return Err(Failure::failed(
                format!("{} decisions broke an invariant of the engine", summary.breaches),
                "this is a bug: please report it with the Rollout and this command line",
            ));
        }
        let scene = Scene {
            rollout: &rollout,
            assumed: &assumed,
            setting: &setting,
            runs: self.runs,
        };
        let found = Found {
            advice: advise(
                &rollout.spec,
                &assumed,
                &setting,
                &summary,
                self.runs.min(ADVISED),
            ),
            extremes: extremes(&setting, self.runs.min(TRIED)),
            summary,
        };
        match self.output {
            Output::Text => text::write(&scene, &found, out)?,
            Output::Json => json::write(&scene, &found, out)?,
        }
        Ok(Exit::Healthy)
    }
}

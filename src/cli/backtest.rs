//! Backtests: what a Rollout's own analysis would have said of a past window.
//!
//! Two forms. A past *release* had two versions side by side: its own counts are judged, step by step as its weights
//! show. An *incident* without a canary had one version after the other: the service as it was before stands for the
//! old one, as it was after for the new one, and the Rollout's ladder is played on them.
//!
//! Readings, edges, history, plan and judge are those of the operator; nothing here judges by itself.

mod course;
mod incident;
mod moment;
mod past;
mod release;
mod report;
mod steps;

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use self::past::{Arms, Window};
use self::report::Telling;
use super::connect::block_on;
use super::judge::Output;
use super::plot::Caption;
use super::rehearse::input::{self, Found};
use super::{Exit, Failure};
use crate::engine::plan::GateMode;
use crate::engine::{Moment, Plan};
use crate::ports::{MetricSource, SourceError};
use crate::sources::{Prometheus, Settings};

/// More evaluations than a week of them, each quarter of a minute, are a slip.
const MOST_EVALUATIONS: u128 = 50_000;
/// A question about hours takes longer than one about a moment.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A past window, and what to look for in it.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "A past window")]
pub struct Past {
    /// Judge what this Prometheus-compatible server remembers, instead of a file.
    #[arg(long, value_name = "URL", requires_all = ["rollout", "from"])]
    pub prometheus: Option<String>,
    /// A file with the Rollout whose analysis is tried.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub rollout: Option<String>,
    /// Which Rollout, where the file (that of --config, too) has several.
    #[arg(long)]
    pub name: Option<String>,
    /// Where the window begins: 2026-10-02T13:00:00Z, or '3h ago'.
    #[arg(long, value_name = "T", requires = "prometheus")]
    pub from: Option<String>,
    /// Where it ends [default: now].
    #[arg(long, value_name = "T", requires = "prometheus")]
    pub to: Option<String>,
    /// A release by Serin: the revision in its candidate's name.
    #[arg(long, requires = "prometheus", conflicts_with_all = ["candidate", "at"])]
    pub revision: Option<String>,
    /// A release by another tool: the Service of its new version, and a pattern of its pods' names if it is not a
    /// Deployment of that name.
    #[arg(
        long,
        value_name = "SERVICE[/PODS]",
        requires = "prometheus",
        conflicts_with = "at"
    )]
    pub candidate: Option<String>,
    /// A change without a canary: the service before this moment stands for the old version, after it for the new one.
    #[arg(long, value_name = "T", requires = "prometheus")]
    pub at: Option<String>,
    /// When the second step of the release began, then the third [default: as its shares of the requests show].
    #[arg(long, value_name = "T", requires = "prometheus", conflicts_with = "at")]
    pub step_at: Vec<String>,
    /// The namespace [default: the Rollout's own, else default].
    #[arg(long, requires = "prometheus")]
    pub namespace: Option<String>,
    /// Ports of the Service that count, where it has others [default: all].
    #[arg(long, value_name = "PORT", requires = "prometheus")]
    pub port: Vec<u16>,
    /// A header of every request, such as 'X-Scope-OrgID: shop'.
    #[arg(long, value_name = "NAME: VALUE", requires = "prometheus")]
    pub header: Vec<String>,
    /// A file with a bearer token.
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub bearer_token_file: Option<PathBuf>,
    /// Certificates (PEM) of the authorities to trust [default: the system's].
    #[arg(long, value_name = "FILE", requires = "prometheus")]
    pub ca_file: Option<PathBuf>,
}

impl Past {
    /// Connects and judges.
    pub(super) fn run(
        &self,
        (now, output, plot): (Moment, Output, Option<&str>),
        out: &mut dyn Write,
    ) -> Result<Exit, Failure> {
        let source = Prometheus::connect(&self.settings()?)
            .map_err(|error| Failure::usage(error.to_string(), "see --help"))?;
        block_on(self.judge(&source, (now, output, plot), out))
    }

    /// Judges what `source` remembers. `plot`: where to draw it.
    ///
    /// # Errors
    /// The input cannot be used, the server does not answer, or the answer cannot be written.
    pub async fn judge(
        &self,
        source: &dyn MetricSource,
        (now, output, plot): (Moment, Output, Option<&str>),
        out: &mut dyn Write,
    ) -> Result<Exit, Failure> {
        let file = self.rollout.as_deref().unwrap_or_default();
        let found = input::find(file, self.name.as_deref(), &mut std::io::empty())?;
        let plan = Plan::admit(&found.spec, GateMode::Admission)
            .map_err(|wrong| input::refused(file, &found.title, &wrong.join("; ")))?;
        let window = self.window(now, &plan)?;
        let arms = self.arms(&found)?;
        answers(source, &window).await?;
        let read = past::read(source, (&found.spec, &plan), &arms, &window).await?;
        let course = match window.at {
            Some(at) => incident::play(&plan, &read, at),
            None => release::judge(&plan, &read, &window),
        }?;
        let telling = Telling {
            title: &found.title,
            arms: &arms,
            window: &window,
            plan: &plan,
            read: &read,
        };
        match output {
            Output::Text => telling.text(&course, out)?,
            Output::Json => telling.json(&course, out)?,
        }
        if let Some(plot) = plot {
            let caption = Caption {
                title: telling.subject(),
                outcome: telling.outcome(&course),
                epoch: Some(0.0),
            };
            course.tape.draw(plot, &caption)?;
        }
        Ok(course.exit())
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let address = self.prometheus.as_deref().unwrap_or_default();
        let address = address.parse().map_err(|error| {
            Failure::usage(
                // Not the address itself: it may hold a password.
                format!("--prometheus: {error}"),
                "for example http://localhost:9090",
            )
        })?;
        let mut settings = Settings::of(address);
        settings.timeout = TIMEOUT;
        settings.bearer_token_file.clone_from(&self.bearer_token_file);
        settings.ca_file.clone_from(&self.ca_file);
        for header in &self.header {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                // Not the header itself: it may be a secret.
                Failure::usage("--header without a colon", "write --header 'Name: value'")
            })?;
            let pair = (name.trim().to_owned(), value.trim().to_owned());
            settings.headers.push(pair);
        }
        Ok(settings)
    }

    /// The window, with everything in its order.
    fn window(&self, now: Moment, plan: &Plan) -> Result<Window, Failure> {
        let moment = |flag: &str, text: &str| {
            moment::moment(text, now).map_err(|why| {
                Failure::usage(
                    format!("{flag}: {why}"),
                    "write 2026-10-02T14:00:00Z, or '2h ago'",
                )
            })
        };
        let from = moment("--from", self.from.as_deref().unwrap_or_default())?;
        let to = self.to.as_deref().map_or(Ok(now), |to| moment("--to", to))?;
        let at = self.at.as_deref().map(|at| moment("--at", at)).transpose()?;
        let steps = self.step_at.iter().map(|step| moment("--step-at", step));
        let steps = steps.collect::<Result<Vec<Moment>, Failure>>()?;
        let mut inside = vec![from];
        inside.extend(at);
        inside.extend(&steps);
        inside.push(to);
        if !inside.is_sorted_by(|a, b| a < b) {
            let order = if at.is_some() {
                "--from, --at, --to"
            } else {
                "--from, each --step-at, --to"
            };
            return Err(Failure::usage(
                format!("the moments are not in order: {order}"),
                "each must be later than the one before it",
            ));
        }
        if to > now {
            return Err(Failure::usage("--to is in the future", "a backtest looks back"));
        }
        if steps.len() >= plan.rungs.len() {
            let most = plan.rungs.len() - 1;
            return Err(Failure::usage(
                format!(
                    "{} times --step-at, but this Rollout's weight grows {most} times",
                    steps.len()
                ),
                "give one moment for each growth of the weight",
            ));
        }
        let interval = plan.analysis.interval;
        let evaluations = to.duration_since(from).as_millis().unsigned_abs() / interval.as_millis().max(1);
        if evaluations > MOST_EVALUATIONS {
            return Err(Failure::usage(
                format!("the window has {evaluations} evaluations of this Rollout's interval"),
                format!("choose a window of at most {MOST_EVALUATIONS}, around the release"),
            ));
        }
        Ok(Window {
            from,
            to,
            at,
            steps,
            interval,
        })
    }

    fn arms(&self, found: &Found) -> Result<Arms, Failure> {
        let namespace = self.namespace.as_ref().or(found.namespace.as_ref());
        let namespace = namespace.map_or("default", String::as_str);
        let arms = match (&self.revision, &self.candidate, &self.at) {
            (Some(revision), ..) => Arms::of_revision(&found.spec, revision),
            (None, Some(candidate), _) => Arms::of_service(&found.spec, candidate),
            (None, None, Some(_)) => Arms::alone(&found.spec),
            (None, None, None) => {
                return Err(Failure::usage(
                    "what is to be judged? a release has a candidate, an incident has a moment",
                    "give --revision or --candidate for a release, --at for a change without a canary",
                ));
            }
        };
        Ok(arms.within(namespace, &self.port))
    }
}

/// Whether the server can be asked at all: what it says to a plain question tells more than a missing series.
async fn answers(source: &dyn MetricSource, window: &Window) -> Result<(), Failure> {
    match source.instant("vector(1)", window.to).await {
        // One that does not understand this question may still know the answers to ours.
        Ok(_) | Err(SourceError::Refused(_) | SourceError::Unusable(_)) => Ok(()),
        Err(error) => Err(unanswered(&error)),
    }
}

/// A server that does not answer, and what to do about it.
fn unanswered(error: &SourceError) -> Failure {
    let hint = match error {
        SourceError::Unreachable
        | SourceError::UnknownHost
        | SourceError::NotListening
        | SourceError::Untrusted => {
            "is --prometheus right, and can it be reached from here (kubectl port-forward)?"
        }
        SourceError::Late => "ask for a shorter window (--from, --to), or a server with less to do",
        SourceError::Credentials(_) => "see --bearer-token-file",
        SourceError::Denied(_) => "give --bearer-token-file or --header",
        SourceError::Status(_) => "is --prometheus the base address, before /api/v1/query?",
        SourceError::Refused(_) | SourceError::Unusable(_) => "correct the Rollout's query",
    };
    Failure::usage(error.to_string(), hint)
}

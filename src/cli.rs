//! The commands. Each has a file of its own; to add one, name its module, its variant and its arm below.
//!
//! Invariants: answers go to standard output, errors to standard error as one line with what to do next; the exit
//! status is one of [`Exit`]. Nothing imports this room.

mod act;
mod backtest;
pub mod bench;
pub mod check;
mod connect;
mod crds;
mod demo;
mod explain;
pub mod judge;
mod plot;
pub mod rehearse;
mod run;
mod status;
mod text;
mod version;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::api::Action;
use crate::ports::Clock;

/// Progressive delivery for Kubernetes: shifts traffic step by step, promotes on evidence, rolls back on regression.
#[derive(Parser, Debug)]
#[command(name = "serin", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Let the release leave a step that waits for approval.
    Approve(act::Act),
    /// Keep the release where it is.
    Pause(act::Act),
    /// End a pause.
    Resume(act::Act),
    /// Take the candidate back.
    Abort(act::Act),
    #[command(hide = true)]
    Bench(bench::Bench),
    Check(check::Check),
    Crds(crds::Crds),
    Demo(demo::Demo),
    Explain(explain::Explain),
    Judge(Box<judge::Judge>),
    Rehearse(rehearse::Rehearse),
    Run(Box<run::Run>),
    Status(status::Status),
    Version(version::Version),
}

impl Command {
    fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        match self {
            Self::Approve(command) => command.run(Action::Approve, out),
            Self::Pause(command) => command.run(Action::Pause, out),
            Self::Resume(command) => command.run(Action::Resume, out),
            Self::Abort(command) => command.run(Action::Abort, out),
            Self::Status(command) => command.run(out),
            Self::Check(command) => command.run(&mut io::stdin().lock(), out),
            Self::Demo(command) => command.run(out),
            Self::Explain(command) => command.run(&mut io::stdin().lock(), out),
            Self::Run(command) => command.run(out),
            Self::Crds(command) => command.run(out),
            Self::Bench(command) => command.run(out),
            Self::Judge(command) => command
                .run(run::Wall.now(), &mut io::stdin().lock(), out)
                .and_then(|exit| Ok(out.flush().map(|()| exit)?))
                .map_err(Failure::of_answers),
            Self::Rehearse(command) => command.run(&mut io::stdin().lock(), out),
            Self::Version(command) => command.run(out),
        }
    }
}

/// What a command's exit status says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, and all is well (0).
    Healthy,
    /// Done, and something is wrong: a refused object, a failed release (1).
    Failed,
    /// The command line is wrong (2).
    Usage,
    /// What was awaited did not come in time (3).
    TimedOut,
    /// Not enough evidence either way (4).
    Undecided,
}

impl Exit {
    /// The process's exit status.
    pub const fn code(self) -> u8 {
        match self {
            Self::Healthy => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::TimedOut => 3,
            Self::Undecided => 4,
        }
    }
}

/// Why a command could not do its work: one line, what to do next, and the exit status.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something went wrong that the user can do something about.
    #[error("{message}")]
    Told {
        /// What failed on which object, lower case and without a full stop.
        message: String,
        /// What to do next.
        hint: String,
        /// The exit status.
        exit: Exit,
    },
    /// The reader went away before the last answer, where the exit status would have been the answer to all.
    #[error("not all answers were read")]
    Unread,
    /// Standard output cannot be written.
    #[error("cannot write the answer: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// A failure of the work itself.
    pub fn failed(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Told {
            message: message.into(),
            hint: hint.into(),
            exit: Exit::Failed,
        }
    }

    /// A wrong command line.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Told {
            message: message.into(),
            hint: hint.into(),
            exit: Exit::Usage,
        }
    }

    /// What was awaited did not come in time.
    pub fn timed_out(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Told {
            message: message.into(),
            hint: hint.into(),
            exit: Exit::TimedOut,
        }
    }

    /// For a command whose exit status is its answer: what could not be written is neither "passed" nor "failed".
    fn of_answers(self) -> Self {
        match &self {
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Self::Unread,
            Self::Output(_) => Self::usage(self.to_string(), "is the disk full?"),
            Self::Unread | Self::Told { .. } => self,
        }
    }

    /// Writes the failure to standard error and gives its exit status.
    fn report(&self) -> Exit {
        match self {
            // The reader went away (`serin crds | head`): nobody is left to be told.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Healthy,
            Self::Unread => Exit::Usage,
            Self::Output(_) => complain(&self.to_string(), "is the disk full?", Exit::Failed),
            Self::Told { message, hint, exit } => complain(message, hint, *exit),
        }
    }
}

/// Runs the command line `args`, the program's name first, and gives the exit status.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let exit = match parse(&args) {
        Ok(cli) => {
            let mut out = io::stdout().lock();
            let result = cli
                .command
                .run(&mut out)
                .and_then(|exit| Ok(out.flush().map(|()| exit)?));
            result.unwrap_or_else(|failure| failure.report())
        }
        Err(error) => explain(&error),
    };
    ExitCode::from(exit.code())
}

fn parse(args: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if called(args.first()) != NAME {
        command = command.bin_name(called(args.first()));
    }
    Cli::from_arg_matches(&command.try_get_matches_from(args)?)
}

const NAME: &str = "serin";

/// What a user types, by the program's name: as a plugin it is a command of kubectl's.
fn called(name: Option<&OsString>) -> &'static str {
    let stem = name.and_then(|name| Path::new(name).file_stem());
    if stem.is_some_and(|stem| stem == "kubectl-serin") {
        "kubectl serin"
    } else {
        NAME
    }
}

/// What the user of this process types.
fn program() -> &'static str {
    called(std::env::args_os().next().as_ref())
}

/// Shows help and version as they are, and everything else in one line.
fn explain(error: &clap::Error) -> Exit {
    let bare = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    if error.use_stderr() && !bare {
        let (message, hint) = one_line(&error.render().to_string());
        return complain(&message, &hint, Exit::Usage);
    }
    match error.print() {
        Err(_) => Exit::Failed,
        Ok(()) if bare => Exit::Usage,
        Ok(()) => Exit::Healthy,
    }
}

/// clap's text of several lines as a message and a hint.
fn one_line(rendered: &str) -> (String, String) {
    let lines = rendered.lines().map(str::trim).filter(|line| !line.is_empty());
    let (mut message, mut hint) = (Vec::new(), None);
    for line in lines {
        if line.starts_with("Usage:") || line.starts_with("For more information") {
            break;
        }
        match line.strip_prefix("tip: ") {
            Some(tip) => hint = hint.or_else(|| Some(tip.to_owned())),
            None => message.push(line.trim_start_matches("error: ")),
        }
    }
    (message.join(" "), hint.unwrap_or_else(|| "see --help".into()))
}

fn complain(message: &str, hint: &str, exit: Exit) -> Exit {
    // With standard error gone as well, the exit status alone has to tell.
    let told = writeln!(
        io::stderr(),
        "error: {}; hint: {}",
        text::harmless(message),
        text::harmless(&hint.replace("`serin ", &format!("`{} ", program())))
    );
    if told.is_ok() { exit } else { Exit::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_commands_are_told_in_the_imperative() {
        let shown = Cli::command();
        for command in shown.get_subcommands().filter(|command| !command.is_hide_set()) {
            let about = command.get_about().unwrap().to_string();
            let verb = about.split(' ').next().unwrap();
            assert!(!verb.ends_with('s'), "{}: {about}", command.get_name());
        }
    }

    #[test]
    fn errors_of_the_command_line_take_one_line() {
        let error = parse(&["serin".into(), "chek".into()]).unwrap_err();
        let (message, hint) = one_line(&error.render().to_string());
        assert_eq!(message, "unrecognized subcommand 'chek'");
        assert!(hint.contains("check"), "{hint}");
        let error = parse(&["serin".into(), "check".into()]).unwrap_err();
        let (message, hint) = one_line(&error.render().to_string());
        assert!(message.contains("not provided: <FILE|DIR|->"), "{message}");
        assert_eq!(hint, "see --help");
    }
}

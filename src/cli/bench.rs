//! `serin bench`: measurements of Serin itself. Hidden: it is for the documentation.

mod beyond;
mod contender;
mod guarantees;
mod latency;
mod table;

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Exit, Failure};

/// Measures parts of Serin.
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The judge and its peers on simulated releases: the tables of docs/judge-figures.md.
    Judge {
        /// Releases a scenario and method.
        #[arg(long, default_value_t = 1000)]
        runs: u64,
    },
}

impl Bench {
    /// Prints the figures.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let What::Judge { runs } = self.what;
        let mut written = Ok(());
        report(runs, &mut |line| {
            if written.is_ok() {
                written = writeln!(out, "{line}").and_then(|()| out.flush());
            }
        });
        written?;
        Ok(Exit::Healthy)
    }
}

/// Everything that docs/judge-figures.md shows, line by line: `runs` releases a scenario and method.
pub fn report(runs: u64, print: &mut dyn FnMut(&str)) {
    table::matrix(runs, print);
    guarantees::equal_arms(10 * runs, print);
    guarantees::margins(runs, print);
    beyond::ladders(runs, print);
    latency::latency_table(runs / 8, print);
    beyond::gauges(runs, print);
    beyond::off_matrix(runs / 10, print);
    beyond::hold_out(runs / 10, print);
}

//! `serin version`.

use std::io::Write;

use super::{Exit, Failure};

/// Show the version.
#[derive(clap::Args, Debug)]
pub(super) struct Version {}

impl Version {
    #[allow(clippy::unused_self)] // every command is called alike
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        writeln!(out, "serin {}", env!("CARGO_PKG_VERSION"))?;
        Ok(Exit::Healthy)
    }
}

//! The `serin` binary, which as `kubectl-serin` is a plugin of kubectl as well.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: with a second TLS provider in the tree, or none chosen, the HTTP clients would panic.
    if rustls::crypto::ring::default_provider()
        .install_default()
        .is_err()
    {
        tracing::debug!("a TLS provider was installed before");
    }
    serin::cli::main(std::env::args_os())
}

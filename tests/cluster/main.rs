//! Tests against a real control plane, a real gateway and a real Prometheus, started by this binary itself.
//!
//! `cargo test --test cluster` builds what is missing (once), enters namespaces of its own, starts the cluster,
//! and runs the scenarios side by side, each in a Kubernetes namespace of its own. `cargo test --test cluster NAME`
//! runs those whose names contain NAME. The same binary is the program inside the pods.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::exit,
    clippy::disallowed_methods,
    reason = "a test binary without the standard harness: Clippy does not see that all of it is tests; and the harness offers a little more than its scenarios use now"
)]

mod agent;
mod apply;
mod audit;
mod cluster;
mod control_plane;
mod gateway;
mod load;
mod operator;
mod person;
mod pod;
mod process;
mod prometheus;
mod sandbox;
mod scenario;
mod scenarios;
mod tools;
mod wait;

use libtest_mimic::{Arguments, Failed};
use std::process::ExitCode;

/// What every fallible step of a test returns; `Failed` takes any message.
pub(crate) type Outcome<T = ()> = Result<T, Failed>;

/// Scenarios mostly wait, so more of them run at a time than there are cores.
const SIDE_BY_SIDE: usize = 8;

fn main() -> ExitCode {
    let parent = std::os::unix::process::parent_id();
    if std::env::args().nth(1).as_deref() == Some(pod::ARGUMENT) {
        return pod::main();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let trials = scenarios::all();
    // A filter meant for other test binaries costs nothing here.
    if arguments.list || trials.iter().all(|trial| arguments.is_filtered_out(trial)) {
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    let Some(folder) = sandbox::run_folder() else {
        let entered = tools::Tools::ensure().and_then(|_| sandbox::enter(parent));
        return fail(entered);
    };
    if let Err(error) = cluster::start(&folder) {
        return fail(Err(error));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    cluster::stop();
    if conclusion.has_failed() {
        eprintln!("cluster tests: logs are kept in {}", folder.display());
    } else {
        let _ = std::fs::remove_dir_all(&folder);
    }
    // Ends process 1 of the namespace, and the kernel everything else in it.
    conclusion.exit()
}

fn fail(outcome: Outcome) -> ExitCode {
    if let Err(error) = outcome {
        eprintln!("{}", error.message().unwrap_or("cluster tests: failed"));
    }
    ExitCode::FAILURE
}

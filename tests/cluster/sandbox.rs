//! The place where everything runs: network and process namespaces of our own.
//!
//! The network has only `lo`, with all of the pod range local ("AnyIP"), so any process binds any 10.244.x.y,
//! nothing leaves, and two runs do not disturb each other. In the process namespace this binary is process 1:
//! when it ends, however it ends, the kernel ends every process it started. The process outside dies with
//! `cargo test` (parent-death signal) and takes process 1 along.

use crate::{Outcome, tools};
use std::ffi::OsString;
use std::os::unix::process::{CommandExt, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Set inside; its value is the folder of this run.
const INSIDE: &str = "SERIN_CLUSTER_TEST_RUN";
/// The range of the pods, of the gateway and of the API server's advertised address.
const POD_RANGE: &str = "10.244.0.0/16";

/// The folder of this run (logs, data, configuration), or `None` outside the namespaces.
pub(crate) fn run_folder() -> Option<PathBuf> {
    std::env::var_os(INSIDE).map(PathBuf::from)
}

/// Replaces this process by itself inside new namespaces. Returns only when that fails.
///
/// `parent` is the process that started this one, read before anything slow: if it has died meanwhile, its
/// death signal will never come, so there is nobody to run for.
pub(crate) fn enter(parent: u32) -> Outcome {
    let namespaces = namespaces()?;
    sweep();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    if parent_id() != parent {
        return Err("cluster tests: the process that started them has ended".into());
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "unshare"])
        .args(namespaces)
        .arg("--");
    command
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(INSIDE, folder);
    // No proxy can be reached from inside, and every client here would ask it.
    for name in ["http_proxy", "https_proxy", "all_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    Err(format!(
        "cluster tests: setpriv could not be started ({}); install util-linux",
        command.exec()
    )
    .into())
}

/// The first set of `unshare` options that works here.
fn namespaces() -> Outcome<Vec<OsString>> {
    for (tool, from) in [
        ("unshare", "util-linux"),
        ("setpriv", "util-linux"),
        ("ip", "iproute2"),
    ] {
        if Command::new(tool)
            .arg("-V")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_err()
        {
            return Err(format!("cluster tests: the program {tool} is missing; install {from}").into());
        }
    }
    let common = ["--net", "--pid", "--fork", "--kill-child"];
    // As root nothing more is needed. Without root a user namespace is; and a container may refuse a new /proc,
    // which only costs process numbers that agree with it.
    let choices: [&[&str]; 3] = [
        &["--mount-proc"],
        &["--user", "--map-root-user", "--mount-proc"],
        &["--user", "--map-root-user"],
    ];
    let mut refusal = String::new();
    for extra in choices {
        let options: Vec<_> = extra.iter().chain(&common).map(OsString::from).collect();
        let probe = Command::new("unshare")
            .args(&options)
            .args(["ip", "link", "set", "lo", "up"])
            .output()?;
        if probe.status.success() {
            return Ok(options);
        }
        String::from_utf8_lossy(&probe.stderr)
            .trim()
            .clone_into(&mut refusal);
    }
    Err(format!(
        "cluster tests: network namespaces are forbidden here ({refusal}); run as root, or allow unprivileged \
         user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
    )
    .into())
}

/// Brings the network up; called inside.
pub(crate) fn network() -> Outcome {
    for arguments in ["link set lo up", &format!("route add local {POD_RANGE} dev lo")] {
        let output = Command::new("ip").args(arguments.split(' ')).output()?;
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            return Err(format!("cluster tests: ip {arguments}: {}", error.trim()).into());
        }
    }
    Ok(())
}

/// Removes the folders of runs that have ended. Failed runs keep theirs until the next run begins.
fn sweep() {
    let Ok(entries) = std::fs::read_dir(tools::target().join("tmp")) else {
        return;
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(process) = name.to_str().and_then(|name| name.strip_prefix("cluster-")) else {
            continue;
        };
        if !Path::new("/proc").join(process).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

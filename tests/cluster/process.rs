//! A child process with its output in a file, ended when its value is dropped.

use crate::Outcome;
use libtest_mimic::Failed;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;
use tokio::time::sleep;

/// A running program. Dropping it kills it at once.
#[derive(Debug)]
pub(crate) struct Daemon {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `command` with standard output and error appended to `log`.
    pub(crate) fn start(name: &str, command: &mut Command, log: &Path) -> Outcome<Self> {
        let file = File::options().create(true).append(true).open(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| format!("{name} could not start: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
        })
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        // The standard library only knows SIGKILL, and this crate forbids unsafe code.
        let _ = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .stderr(Stdio::null())
            .status();
    }

    /// Sends SIGKILL and collects the process.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How the process ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// The process's number, for `/proc`.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// An error if the process has ended, with the last of what it said.
    pub(crate) fn alive(&mut self) -> Outcome {
        match self.exited() {
            None => Ok(()),
            Some(status) => Err(format!("{} ended ({status}):\n{}", self.name, tail(&self.log, 15)).into()),
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The programs that must run as long as the tests do.
#[derive(Debug, Default)]
pub(crate) struct Daemons {
    running: Mutex<Vec<Daemon>>,
}

impl Daemons {
    pub(crate) fn push(&self, daemon: Daemon) {
        self.running.lock().unwrap().push(daemon);
    }

    /// Never returns while all of them run; then the last words of the one that has ended.
    pub(crate) async fn first_death(&self) -> Failed {
        loop {
            if let Err(death) = self
                .running
                .lock()
                .unwrap()
                .iter_mut()
                .try_for_each(Daemon::alive)
            {
                return death;
            }
            sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends all, the last started first: the API server hangs without etcd.
    pub(crate) fn end(&self) {
        let mut running = self.running.lock().unwrap();
        while let Some(daemon) = running.pop() {
            drop(daemon);
        }
    }
}

/// The last lines of a file, or a remark that there is none.
pub(crate) fn tail(path: &Path, lines: usize) -> String {
    let Ok(bytes) = std::fs::read(path) else {
        return format!("(no {})", path.display());
    };
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<_> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

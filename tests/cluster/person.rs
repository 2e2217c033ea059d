//! A person at a terminal: the real `serin` command under the rights of one of the chart's roles for people.

use crate::cluster::Cluster;
use crate::control_plane::User;
use crate::process::Daemon;
use crate::scenario::Scenario;
use crate::{Outcome, wait};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// Who it is, and where.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    kubeconfig: PathBuf,
    namespace: String,
    program: PathBuf,
}

/// What a command came to.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Person {
    /// A person with the chart's role `serin-<role>` in the scenario's namespace, and no other right.
    pub(crate) async fn with_role(scenario: &Scenario, user: User, role: &str) -> Outcome<Self> {
        let name = user.token();
        let binding = format!(
            "apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata: {{name: {name}}}\nroleRef: \
             {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: serin-{role}}}\nsubjects: [{{apiGroup: \
             rbac.authorization.k8s.io, kind: User, name: {name}}}]\n"
        );
        scenario.apply(&binding).await?;
        Ok(Self {
            kubeconfig: scenario.cluster.plane.kubeconfig(user)?,
            namespace: scenario.namespace.clone(),
            program: PathBuf::from(env!("CARGO_BIN_EXE_serin")),
        })
    }

    /// The same through the plugin: a link of the name under which kubectl looks for it.
    pub(crate) fn with_plugin(&self, cluster: &Cluster) -> Outcome<Self> {
        let program = cluster.folder.join("kubectl-serin");
        if !program.exists() {
            std::os::unix::fs::symlink(&self.program, &program)?;
        }
        Ok(Self {
            program,
            ..self.clone()
        })
    }

    /// The same with a kubeconfig that leads to where nobody listens.
    pub(crate) fn lost(&self) -> Outcome<Self> {
        let text = std::fs::read_to_string(&self.kubeconfig)?;
        let server = text
            .split_once("server: \"")
            .and_then(|(_, rest)| Some(rest.split_once('"')?.0))
            .ok_or("no server in the kubeconfig")?;
        let kubeconfig = self.kubeconfig.with_extension("lost");
        std::fs::write(&kubeconfig, text.replace(server, "https://10.244.0.1:9"))?;
        Ok(Self {
            kubeconfig,
            ..self.clone()
        })
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--namespace", &self.namespace]);
        command.env("KUBECONFIG", &self.kubeconfig);
        command
    }

    /// Runs `serin` with these arguments to its end.
    pub(crate) async fn runs(&self, arguments: &[&str]) -> Outcome<Said> {
        let mut command = self.command(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok(Said {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        })
    }

    /// Runs `serin`, which must end well, and gives what it wrote.
    pub(crate) async fn does(&self, arguments: &[&str]) -> Outcome<String> {
        let said = self.runs(arguments).await?;
        if said.code == Some(0) && said.err.is_empty() {
            return Ok(said.out);
        }
        Err(format!("serin {arguments:?}: {said:?}").into())
    }

    /// Runs `serin`, which must end with `code` and one line of standard error that has all of `words`.
    pub(crate) async fn is_told(&self, arguments: &[&str], code: i32, words: &[&str]) -> Outcome {
        let said = self.runs(arguments).await?;
        let one_line =
            said.err.lines().count() == 1 && said.err.starts_with("error: ") && said.err.contains("; hint: ");
        if said.code == Some(code)
            && said.out.is_empty()
            && one_line
            && words.iter().all(|word| said.err.contains(word))
        {
            return Ok(());
        }
        Err(format!("serin {arguments:?} should end with {code} and say {words:?}: {said:?}").into())
    }

    /// Starts `serin status NAME -w`.
    pub(crate) fn follows(&self, cluster: &Cluster, name: &str) -> Outcome<Following> {
        let log = cluster.folder.join(format!("status-{}.log", self.namespace));
        let daemon = Daemon::start("serin status", &mut self.command(&["status", name, "-w"]), &log)?;
        Ok(Following { daemon, log })
    }
}

/// A `serin status -w` that runs.
#[derive(Debug)]
pub(crate) struct Following {
    daemon: Daemon,
    log: PathBuf,
}

impl Following {
    /// Its exit status, which must come within `limit`, and what it wrote.
    pub(crate) async fn ended(&mut self, limit: Duration) -> Outcome<(Option<i32>, String)> {
        let mut status = None;
        let begun = tokio::time::Instant::now();
        while status.is_none() && begun.elapsed() < limit {
            status = self.daemon.exited();
            tokio::time::sleep(wait::EVERY).await;
        }
        let text = std::fs::read_to_string(&self.log)?;
        match status {
            Some(status) => Ok((status.code(), text)),
            None => Err(format!("serin status -w still follows after {limit:?}: {text}").into()),
        }
    }

    /// An error if it has ended.
    pub(crate) fn alive(&mut self) -> Outcome {
        self.daemon.alive()
    }
}

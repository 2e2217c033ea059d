//! `serin run` as the chart would run it: under the rights of the chart's service account and no others.

use crate::cluster::{self, Cluster};
use crate::control_plane::{OPERATOR_TOKENS, User};
use crate::process::{Daemon, tail};
use crate::{Outcome, apply};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::OnceCell;
use tokio::time::{Instant, sleep};

/// The namespace of the chart's own objects.
pub(crate) const NAMESPACE: &str = "serin";
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// A process of the operator. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Operator {
    /// Its user's uid in the audit log.
    pub(crate) uid: String,
    /// An address of its own, so that two may serve the same ports.
    pub(crate) address: Ipv4Addr,
    /// Its output: one JSON object a line.
    pub(crate) log: PathBuf,
    daemon: Daemon,
}

impl Operator {
    /// Starts `serin run` with these arguments after `run`; in them `{address}` stands for the process's own
    /// address. The kubeconfig comes by `KUBECONFIG`.
    pub(crate) fn start(cluster: &Cluster, arguments: &[&str]) -> Outcome<Self> {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        if number >= OPERATOR_TOKENS {
            return Err("more operators than tokens: raise OPERATOR_TOKENS".into());
        }
        Self::start_as(
            cluster,
            User::Operator(number),
            &format!("serin-{number}"),
            arguments,
        )
    }

    /// The same as another user, whose uid is given.
    pub(crate) fn start_as(cluster: &Cluster, user: User, uid: &str, arguments: &[&str]) -> Outcome<Self> {
        let address = cluster::address();
        let log = cluster.folder.join(format!("{uid}.log"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
        command.arg("run");
        command.args(
            arguments
                .iter()
                .map(|it| it.replace("{address}", &address.to_string())),
        );
        command.env("KUBECONFIG", cluster.plane.kubeconfig(user)?);
        let daemon = Daemon::start("serin run", &mut command, &log)?;
        Ok(Self {
            uid: uid.to_owned(),
            address,
            log,
            daemon,
        })
    }

    /// SIGKILL: the process has no time to give anything back.
    pub(crate) fn kill(&mut self) {
        self.daemon.kill();
    }

    /// SIGTERM, and how it ended within `limit`.
    pub(crate) async fn terminate(&mut self, limit: Duration) -> Outcome<ExitStatus> {
        self.daemon.terminate();
        let start = Instant::now();
        loop {
            if let Some(status) = self.daemon.exited() {
                return Ok(status);
            }
            if start.elapsed() > limit {
                return Err(format!("serin run did not end within {limit:?} of SIGTERM").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// An error with its last lines if it has ended by itself.
    pub(crate) fn alive(&mut self) -> Outcome {
        self.daemon.alive()
    }

    /// The memory it holds now, in bytes.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.daemon.id()))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .ok_or("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// The end of its log.
    pub(crate) fn tail(&self) -> String {
        tail(&self.log, 40)
    }
}

/// Installs the chart with its defaults, once for all scenarios; later callers find it installed.
pub(crate) async fn chart(cluster: &Cluster) -> Outcome {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED.get_or_try_init(|| install_chart(cluster, &[])).await?;
    Ok(())
}

/// Renders the chart with Helm and applies it, but for its Deployments: the tests run the binary themselves.
async fn install_chart(cluster: &Cluster, settings: &[&str]) -> Outcome {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/serin");
    let mut command = Command::new(cluster.tools.path("helm"));
    command
        .args(["template", "serin"])
        .arg(&chart)
        .args(["--namespace", NAMESPACE, "--include-crds"]);
    // Without these Helm assumes a version of its own and no kinds beyond the built-in ones.
    command.args(["--kube-version", "1.36.3"]);
    command.args(settings.iter().flat_map(|setting| ["--set", setting]));
    // Helm wants a home; it must not read the user's.
    command
        .env("HELM_CONFIG_HOME", &cluster.folder)
        .env("HELM_DATA_HOME", &cluster.folder);
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("helm template: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mut objects = apply::parse(&String::from_utf8_lossy(&output.stdout))?;
    objects.retain(|object| {
        let kind = object.types.as_ref().map(|types| types.kind.as_str());
        let hook = object
            .metadata
            .annotations
            .as_ref()
            .is_some_and(|all| all.contains_key("helm.sh/hook"));
        kind != Some("Deployment") && !hook
    });
    let namespace = format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: {NAMESPACE}}}\n");
    apply::text(&cluster.admin, "", &namespace).await?;
    apply::objects(&cluster.admin, NAMESPACE, objects).await?;
    Ok(())
}

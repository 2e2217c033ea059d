//! etcd, kube-apiserver and kube-controller-manager, with tokens, audit log and RBAC.

use crate::process::{Daemon, Daemons};
use crate::tools::Tools;
use crate::{Outcome, apply, wait};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

const API: &str = "127.0.0.1:6443";
const ETCD: &str = "127.0.0.1:2379";
/// All pods' node.
pub(crate) const NODE: &str = "local";
/// Tokens of the operator's service account. Same user and rights, each with a uid of its own, so that the audit
/// log tells the calls of one operator from another's. One more is for whoever plays the operator.
pub(crate) const OPERATOR_TOKENS: usize = 64;

/// Who may be asked for a kubeconfig.
#[derive(Debug, Clone, Copy)]
pub(crate) enum User {
    Admin,
    NodeAgent,
    ControllerManager,
    Contour,
    /// An operator that has no rights but those that its scenario gives it.
    Limited,
    /// A person who may decide about releases where a scenario says so.
    Approver,
    /// A person who may look on where a scenario says so.
    Viewer,
    /// The chart's service account; the number chooses one of [`OPERATOR_TOKENS`].
    Operator(usize),
}

impl User {
    /// Token, and in most cases name and uid too.
    pub(crate) fn token(self) -> String {
        match self {
            Self::Admin => "admin".to_owned(),
            Self::NodeAgent => "node-agent".to_owned(),
            Self::ControllerManager => "controller-manager".to_owned(),
            Self::Contour => "contour".to_owned(),
            Self::Limited => "limited".to_owned(),
            Self::Approver => "approver".to_owned(),
            Self::Viewer => "viewer".to_owned(),
            Self::Operator(number) => format!("serin-{number}"),
        }
    }

    /// The line of `--token-auth-file`: token, user, uid, groups. A service account's groups are not implied.
    fn line(self) -> String {
        let token = self.token();
        match self {
            Self::Admin | Self::NodeAgent => format!("{token},{token},{token},system:masters"),
            Self::ControllerManager => format!("{token},system:kube-controller-manager,{token}"),
            Self::Limited | Self::Approver | Self::Viewer => format!("{token},{token},{token}"),
            Self::Contour => format!("{token},system:serviceaccount:projectcontour:contour,{token}"),
            Self::Operator(_) => format!(
                "{token},system:serviceaccount:serin:serin,{token},\"system:serviceaccounts,system:serviceaccounts:serin\""
            ),
        }
    }
}

/// Where the control plane keeps its files, and how clients reach it.
#[derive(Debug, Clone)]
pub(crate) struct ControlPlane {
    folder: PathBuf,
}

impl ControlPlane {
    /// Starts all three; returns when the API server is ready. `keep` takes the processes.
    pub(crate) async fn start(tools: &Tools, folder: &Path, keep: &Daemons) -> Outcome<Self> {
        let plane = Self {
            folder: folder.to_owned(),
        };
        let pki = folder.join("pki");
        fs::create_dir_all(&pki)?;
        let limit = Duration::from_secs(30);
        keep.push(plane.etcd(tools)?);
        let key = pki.join("service-accounts.key");
        fs::write(&key, private_key(tools, folder)?)?;
        let operators = (0..=OPERATOR_TOKENS).map(User::Operator);
        let users = [
            User::Admin,
            User::NodeAgent,
            User::ControllerManager,
            User::Contour,
            User::Limited,
            User::Approver,
            User::Viewer,
        ];
        let lines: Vec<_> = users.into_iter().chain(operators).map(User::line).collect();
        fs::write(pki.join("tokens.csv"), lines.join("\n") + "\n")?;
        fs::write(folder.join("audit-policy.yaml"), AUDIT_POLICY)?;
        wait::connectable("etcd", ETCD, limit).await?;
        keep.push(plane.api_server(tools, &key)?);
        let client = wait::until("kube-apiserver", limit, || async {
            // The certificate appears only once the server has made it.
            let client = plane.client(User::Admin).await?;
            client
                .request_text(http::Request::get("/readyz").body(Vec::new())?)
                .await?;
            Ok(Some(client))
        })
        .await?;
        keep.push(plane.controller_manager(tools, &key)?);
        let node = format!("apiVersion: v1\nkind: Node\nmetadata: {{name: {NODE}}}\n");
        apply::text(&client, "", &node).await?;
        Ok(plane)
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }

    fn etcd(&self, tools: &Tools) -> Outcome<Daemon> {
        let url = format!("http://{ETCD}");
        let mut command = Command::new(tools.path("etcd"));
        command.arg("--data-dir").arg(self.folder.join("etcd"));
        command.args(["--listen-client-urls", &url, "--advertise-client-urls", &url]);
        command.args([
            "--listen-peer-urls",
            "http://127.0.0.1:2380",
            "--unsafe-no-fsync",
            "--log-level",
            "error",
        ]);
        Daemon::start("etcd", &mut command, &self.log("etcd"))
    }

    fn api_server(&self, tools: &Tools, key: &Path) -> Outcome<Daemon> {
        let pki = self.folder.join("pki");
        let mut command = Command::new(tools.path("kube-apiserver"));
        command.args([
            &format!("--etcd-servers=http://{ETCD}"),
            "--bind-address=127.0.0.1",
            "--secure-port=6443",
            "--advertise-address=10.244.0.1",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--audit-log-format=json",
            // Parallel scenarios must not meet each other's fair share.
            "--enable-priority-and-fairness=false",
        ]);
        for (flag, path) in [
            ("service-account-key-file", key.to_owned()),
            ("service-account-signing-key-file", key.to_owned()),
            ("cert-dir", pki.clone()),
            ("token-auth-file", pki.join("tokens.csv")),
            ("audit-policy-file", self.folder.join("audit-policy.yaml")),
            ("audit-log-path", self.audit_log()),
        ] {
            command.arg(format!("--{flag}={}", path.display()));
        }
        Daemon::start("kube-apiserver", &mut command, &self.log("kube-apiserver"))
    }

    fn controller_manager(&self, tools: &Tools, key: &Path) -> Outcome<Daemon> {
        let mut command = Command::new(tools.path("kube-controller-manager"));
        command.args([
            "--bind-address=127.0.0.1",
            "--secure-port=10257",
            "--use-service-account-credentials=true",
            "--leader-elect=false",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
            // Our node has no heartbeat: these would call its pods unready after a minute.
            "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
        ]);
        command.arg(format!(
            "--kubeconfig={}",
            self.kubeconfig(User::ControllerManager)?.display()
        ));
        command.arg(format!("--service-account-private-key-file={}", key.display()));
        command.arg(format!("--root-ca-file={}", self.authority().display()));
        Daemon::start(
            "kube-controller-manager",
            &mut command,
            &self.log("kube-controller-manager"),
        )
    }

    fn authority(&self) -> PathBuf {
        self.folder.join("pki/apiserver.crt")
    }

    /// One JSON object a line for each request, as [`AUDIT_POLICY`] says.
    pub(crate) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// Writes a kubeconfig for a user and returns its path.
    pub(crate) fn kubeconfig(&self, user: User) -> Outcome<PathBuf> {
        let token = user.token();
        let path = self.folder.join(format!("kubeconfig-{token}"));
        let authority = self.authority();
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: tests\n\
             clusters: [{{name: tests, cluster: {{server: \"https://{API}\", certificate-authority: \"{}\"}}}}]\n\
             users: [{{name: tests, user: {{token: {token}}}}}]\n\
             contexts: [{{name: tests, context: {{cluster: tests, user: tests}}}}]\n",
            authority.display()
        );
        fs::write(&path, text)?;
        Ok(path)
    }

    /// A client for a user.
    pub(crate) async fn client(&self, user: User) -> Outcome<Client> {
        let kubeconfig = Kubeconfig::read_from(self.kubeconfig(user)?)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }
}

/// A key for service account tokens. Helm's own function makes it, so that no further program is needed.
fn private_key(tools: &Tools, folder: &Path) -> Outcome<String> {
    let chart = folder.join("key-chart");
    fs::create_dir_all(chart.join("templates"))?;
    fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: key\nversion: 0.0.1\n",
    )?;
    let template = "apiVersion: v1\nkind: Secret\nmetadata: {name: key}\n\
                    stringData: {key: {{ genPrivateKey \"ecdsa\" | quote }}}\n";
    fs::write(chart.join("templates/key.yaml"), template)?;
    let output = Command::new(tools.path("helm"))
        .arg("template")
        .arg("key")
        .arg(&chart)
        .output()?;
    let objects = apply::parse(&String::from_utf8_lossy(&output.stdout))?;
    let key = objects
        .first()
        .and_then(|secret| secret.data["stringData"]["key"].as_str());
    let error = || {
        format!(
            "helm template made no key: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    };
    Ok(key.ok_or_else(error)?.to_owned())
}

/// Metadata of every request that the operator or a test makes; the control plane's own are left out.
const AUDIT_POLICY: &str = r#"
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  users: [system:kube-controller-manager, system:apiserver, node-agent, "system:serviceaccount:projectcontour:contour"]
- level: None
  userGroups: ["system:serviceaccounts:kube-system"]
- level: Metadata
"#;

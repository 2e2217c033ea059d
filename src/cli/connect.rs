//! Where the cluster is: the flags that kubectl's users know, and a runtime to talk to it.

use std::future::Future;
use std::path::PathBuf;

use clap::Args;
use kube::Client;

use super::Failure;
use crate::cluster::client::{Clients, Target};
use crate::cluster::error::{Unreached, chain};

/// What to check where the API server gives no answer.
pub(super) const UNREACHED: &str = "does the cluster run, and is its server address in the kubeconfig right? `kubectl config \
                                    view --minify` shows it";
/// What to check where its certificate is not accepted.
const UNTRUSTED: &str = "check the server address and the certificate authority in the kubeconfig: `kubectl config view \
                         --minify` shows them";

/// Which cluster, and which namespace.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Connection {
    /// The kubeconfig file; by default as kubectl finds it, by KUBECONFIG or in the home.
    #[arg(long, global = true)]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; by default its current one.
    #[arg(long)]
    context: Option<String>,
    /// The namespace; by default the context's.
    #[arg(short, long)]
    namespace: Option<String>,
}

/// A client and the namespace that is meant.
pub(super) struct Connected {
    pub(super) clients: Clients,
    pub(super) namespace: String,
}

impl Connection {
    pub(super) fn target(&self) -> Target {
        Target {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
        }
    }

    pub(super) async fn connect(&self) -> Result<Connected, Failure> {
        let clients = clients(&self.target()).await?;
        let namespace = self
            .namespace
            .clone()
            .unwrap_or_else(|| clients.read.default_namespace().to_owned());
        Ok(Connected { clients, namespace })
    }
}

/// The clients for a cluster.
pub(super) async fn clients(target: &Target) -> Result<Clients, Failure> {
    Clients::connect(target)
        .await
        .map_err(|error| match absent(target) {
            Some(files) => Failure::failed(
                format!("there is no cluster to talk to: {files} is not there"),
                "name a kubeconfig with --kubeconfig or in KUBECONFIG",
            ),
            None => Failure::failed(
                error.to_string(),
                "correct the kubeconfig, or name another with --kubeconfig, or another --context",
            ),
        })
}

/// The kubeconfig that is looked for, where none of its files is there.
fn absent(target: &Target) -> Option<String> {
    if std::env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return None; // in a pod none is needed
    }
    let variable = std::env::var_os("KUBECONFIG").filter(|files| !files.is_empty());
    let files: Vec<PathBuf> = match (&target.kubeconfig, variable) {
        (Some(file), _) => vec![file.clone()],
        (None, Some(files)) => std::env::split_paths(&files).collect(),
        (None, None) => vec![std::env::home_dir()?.join(".kube/config")],
    };
    let shown = files.iter().map(|file| file.display().to_string());
    (!files.iter().any(|file| file.exists())).then(|| shown.collect::<Vec<_>>().join(", "))
}

impl Connected {
    pub(super) fn client(&self) -> Client {
        self.clients.read.clone()
    }
}

/// Runs a command that talks to a cluster.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}"), "are there too many open files?"))?;
    runtime.block_on(work)
}

/// Runs a command that talks to a cluster and does not end by itself, on as many threads as there are cores.
pub(super) fn block_on_all<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed(format!("no runtime: {error}"), "are there too many open files?"))?;
    runtime.block_on(work)
}

/// An API server's refusal as a failure of the command.
pub(super) fn refused(what: &str, error: &kube::Error) -> Failure {
    let (message, hint) = if let kube::Error::Api(status) = error {
        let hint = if status.code == 404 {
            "is the name right, and the namespace (`-n`)? `serin status -A` lists all; without Serin's CRDs (`serin crds`) \
             there is none"
        } else {
            "ask whoever administers the cluster for this right"
        };
        (status.message.clone(), hint)
    } else {
        let hint = if Unreached::of(error) == Some(Unreached::Untrusted) {
            UNTRUSTED
        } else {
            UNREACHED
        };
        (chain(error), hint)
    };
    Failure::failed(format!("cannot {what}: {message}"), hint)
}

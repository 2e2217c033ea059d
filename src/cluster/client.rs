//! Clients of the API server, and the one way to call it: with a deadline and a typed error.
//!
//! Invariants: no request is ever repeated below the reconcile loop (kube's default of 15 retries may send a write
//! minutes after it was decided); every call has a deadline, by [`call`]. The clients have no read timeout: it would
//! also count on an idle connection, and break the next request. A connection that has died is noticed by the kernel
//! (`connection`).

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderValue, header};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::connection;
use super::error::{Call, Error};

/// The longest that one call may take: well under the time between a renewal of the lease and its end.
pub const DEADLINE: Duration = Duration::from_secs(5);

/// Where the API server is and who asks.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// A kubeconfig file; `None`: the usual places (the files of `KUBECONFIG`, merged, or that of the home), then the
    /// pod's service account.
    pub kubeconfig: Option<PathBuf>,
    /// A context of the kubeconfig; `None`: its current one.
    pub context: Option<String>,
}

/// The clients of one process.
#[derive(Clone)]
pub struct Clients {
    /// For reads and watches.
    pub read: Client,
    /// For writes: a connection of its own, so that a long list cannot delay a rollback, and never a repetition.
    pub write: Client,
}

impl Clients {
    /// Builds both clients. Nothing is sent yet.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, names no such context, or its credentials cannot be used.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let config = load(target).await.map_err(setup)?;
        let read = connection::client(config.clone()).map_err(setup)?;
        let write = connection::client(config).map_err(setup)?;
        Ok(Self { read, write })
    }

    /// The same client for both, for a simulated API server.
    pub fn both(client: Client) -> Self {
        Self {
            read: client.clone(),
            write: client,
        }
    }
}

async fn load(target: &Target) -> Result<Config, kube::Error> {
    let options = KubeConfigOptions {
        context: target.context.clone(),
        ..KubeConfigOptions::default()
    };
    let mut config = match &target.kubeconfig {
        Some(path) => Config::from_custom_kubeconfig(Kubeconfig::read_from(path)?, &options).await?,
        None if target.context.is_some() => Config::from_kubeconfig(&options).await?,
        None => Config::infer().await.map_err(kube::Error::InferConfig)?,
    };
    config.default_retry = false;
    config.connect_timeout = Some(DEADLINE);
    config.read_timeout = None;
    let agent = HeaderValue::from_static(concat!("serin/", env!("CARGO_PKG_VERSION")));
    config.headers.push((header::USER_AGENT, agent));
    Ok(config)
}

fn setup(error: kube::Error) -> Error {
    Error::new(Call::new("connect to", "the API server"), error)
}

/// Waits for `future`, but no longer than `deadline`, and says which call it was when it fails.
///
/// # Errors
/// [`Error`]; of class `Unknown` when the deadline passes over a write.
pub async fn call<T>(
    what: Call,
    deadline: Duration,
    future: impl Future<Output = kube::Result<T>>,
) -> Result<T, Error> {
    match tokio::time::timeout(deadline, future).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Error::new(what, error)),
        Err(_) => Err(Error::deadline(what, deadline)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Class;
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_deadline() {
        let before = tokio::time::Instant::now();
        let never = std::future::pending::<kube::Result<()>>();
        let error = call(Call::new("patch", "leases.coordination.k8s.io"), DEADLINE, never)
            .await
            .unwrap_err();
        assert_eq!(error.class(), Class::Unknown);
        assert_eq!(before.elapsed(), DEADLINE);
    }

    #[tokio::test]
    async fn a_missing_kubeconfig_is_named() {
        let target = Target {
            kubeconfig: Some("/nonexistent/config".into()),
            context: None,
        };
        let error = load(&target).await.map_err(setup).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/config"), "{error}");
        assert_eq!(error.class(), Class::Denied);
    }

    #[tokio::test]
    async fn no_client_repeats_a_request() {
        let directory = std::env::temp_dir().join(format!("serin-client-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("config");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: c, cluster: {server: \
                    'http://10.0.0.1:1'}}]\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: a, context: \
                    {cluster: c, user: u}}]\n";
        std::fs::write(&path, text).unwrap();
        let target = Target {
            kubeconfig: Some(path),
            context: None,
        };
        let config = load(&target).await.unwrap();
        assert!(!config.default_retry);
        assert_eq!(config.read_timeout, None);
        assert!(config.headers.iter().any(|(name, _)| name == header::USER_AGENT));
        std::fs::remove_dir_all(directory).unwrap();
    }
}

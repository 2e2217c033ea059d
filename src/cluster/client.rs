//! Clients of the API server, and the one way to call it: with a deadline and a typed error.
//!
//! Invariants: no request is ever repeated below the reconcile loop (kube's default of 15 retries may send a write
//! minutes after it was decided); every call has a deadline, by [`call`]. The clients have no read timeout: it would
//! also count on an idle connection, and break the next request. A connection that has died is noticed by the kernel
//! (`connection`).

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, Request, Uri, header};
use kube::client::Body;
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
    /// The API server's host, with its port where that is not the usual one; empty for a simulated one.
    pub host: String,
}

/// Hears of each request: its method, and the code of the answer, if one came.
pub type Listener = Arc<dyn Fn(&str, Option<u16>) + Send + Sync>;

impl Clients {
    /// Builds both clients. Nothing is sent yet.
    ///
    /// # Errors
    /// The kubeconfig cannot be read, names no such context, or its credentials cannot be used.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let config = load(target).await.map_err(setup)?;
        let host = host(&config.cluster_url);
        let read = connection::client(config.clone()).map_err(setup)?;
        let write = connection::client(config).map_err(setup)?;
        Ok(Self { read, write, host })
    }

    /// One client for reads and writes, for a simulated API server.
    pub fn both(client: Client) -> Self {
        Self {
            read: client.clone(),
            write: client,
            host: String::new(),
        }
    }

    /// These clients, with a `listener` that hears of every request.
    #[must_use]
    pub fn heard(self, listener: &Listener) -> Self {
        Self {
            read: heard(self.read, listener),
            write: heard(self.write, listener),
            host: self.host,
        }
    }
}

/// Host and port, without the credentials that a URL may carry.
fn host(url: &Uri) -> String {
    match (url.host(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    }
}

fn heard(client: Client, listener: &Listener) -> Client {
    let (namespace, listener) = (client.default_namespace().to_owned(), Arc::clone(listener));
    let service = tower::service_fn(move |request: Request<Body>| {
        let client = client.clone();
        let sent = Sent {
            method: request.method().clone(),
            code: None,
            listener: Arc::clone(&listener),
        };
        async move {
            // All of it: its code alone would be copied in, and the rest dropped before the request is sent.
            let mut sent = sent;
            let answer = client.send(request).await;
            sent.code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            answer
        }
    });
    Client::new(service, namespace)
}

/// A request in flight. The listener hears its end, even if the caller stopped waiting for the answer.
struct Sent {
    method: Method,
    code: Option<u16>,
    listener: Listener,
}

impl Drop for Sent {
    fn drop(&mut self) {
        (self.listener)(self.method.as_str(), self.code);
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

    #[test]
    fn a_host_is_told_without_credentials() {
        for (url, expected) in [
            ("https://10.96.0.1:6443/", "10.96.0.1:6443"),
            ("https://who:secret@kube.example/prefix", "kube.example"),
        ] {
            assert_eq!(host(&url.parse().unwrap()), expected, "{url}");
        }
    }

    /// Whether it is answered, refused, broken off or given up.
    #[tokio::test(start_paused = true)]
    async fn every_request_is_heard_once_with_its_end() {
        let service = tower::service_fn(|request: Request<Body>| async move {
            match request.uri().path() {
                "/never" => std::future::pending().await,
                "/broken" => Err(std::io::Error::other("broken")),
                _ => {
                    let answer = http::Response::builder().status(404);
                    Ok(answer.body(Body::from(Vec::new())).unwrap())
                }
            }
        });
        let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let listener: Listener =
            Arc::new(move |method, code| log.lock().unwrap().push((method.to_owned(), code)));
        let clients = Clients::both(Client::new(service, "shop")).heard(&listener);
        assert_eq!(clients.write.default_namespace(), "shop");
        let ask = |client: &Client, method: &str, path: &str| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(Body::from(Vec::new()));
            let (client, request) = (client.clone(), request.unwrap());
            async move { client.send(request).await }
        };
        let answer = ask(&clients.read, "GET", "/missing").await.unwrap();
        assert_eq!(answer.status(), 404);
        ask(&clients.write, "PATCH", "/broken").await.unwrap_err();
        let what = Call::new("delete", "services");
        call(what, DEADLINE, ask(&clients.write, "DELETE", "/never"))
            .await
            .unwrap_err();
        let heard = heard.lock().unwrap();
        let heard: Vec<_> = heard
            .iter()
            .map(|(method, code)| (method.as_str(), *code))
            .collect();
        assert_eq!(heard, [("GET", Some(404)), ("PATCH", None), ("DELETE", None)]);
    }
}

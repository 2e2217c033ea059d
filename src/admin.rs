//! The HTTP side of the operator: `/healthz`, `/readyz`, `/metrics`. Read only, and tells nothing about workloads
//! but their names and phases.
//!
//! Invariants: an answer never waits for the API server; not ready until every gate is open; ends within
//! [`GRACE`] after it is asked to, whatever the clients do.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::telemetry::Readiness;
use crate::telemetry::metrics::{CONTENT_TYPE, Metrics};

/// How long open requests may take after the end was asked for.
pub const GRACE: Duration = Duration::from_secs(2);

/// What the server answers from.
#[derive(Clone)]
pub struct Admin {
    /// The metrics of this process.
    pub metrics: Arc<Metrics>,
    /// The gates of `/readyz`.
    pub readiness: Readiness,
}

/// The server could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address cannot be used.
    #[error("cannot listen on {address} for health and metrics: {source}; choose another address")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The listener broke.
    #[error("the server for health and metrics ended: {0}")]
    Serve(std::io::Error),
}

impl Admin {
    /// Listens on `address`; port 0 takes a free one.
    ///
    /// # Errors
    /// [`AdminError::Bind`].
    pub async fn bind(address: SocketAddr) -> Result<TcpListener, AdminError> {
        TcpListener::bind(address)
            .await
            .map_err(|source| AdminError::Bind { address, source })
    }

    /// Serves until `shutdown` ends.
    ///
    /// # Errors
    /// [`AdminError::Serve`].
    pub async fn serve(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), AdminError> {
        let (end, mut ended) = tokio::sync::watch::channel(());
        let stop = async move {
            shutdown.await;
            drop(end);
        };
        let server = axum::serve(listener, self.router()).with_graceful_shutdown(stop);
        tokio::select! {
            outcome = async { server.await } => outcome.map_err(AdminError::Serve),
            () = async {
                // Ends when the sender is dropped: only a change or the end wakes it.
                while ended.changed().await.is_ok() {}
                tokio::time::sleep(GRACE).await;
            } => Ok(()),
        }
    }

    fn router(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { "ok\n" }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .with_state(self)
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    let closed = admin.readiness.closed();
    if closed.is_empty() {
        (StatusCode::OK, "ok\n".into())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("not ready: {}\n", closed.join(", ")),
        )
    }
}

async fn metrics(State(admin): State<Admin>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], admin.metrics.render())
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tower::ServiceExt;

    use super::*;

    fn admin() -> Admin {
        Admin {
            metrics: Arc::new(Metrics::new()),
            readiness: Readiness::default(),
        }
    }

    async fn fetch(admin: &Admin, method: &str, path: &str) -> (u16, String) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(axum::body::Body::empty())
            .unwrap();
        let response = admin.clone().router().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(bytes.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn ready_only_when_every_gate_is_open() {
        let admin = admin();
        assert_eq!(fetch(&admin, "GET", "/readyz").await.0, 200);
        let caches = admin.readiness.gate("caches");
        let leadership = admin.readiness.gate("leadership");
        caches.open();
        let (status, text) = fetch(&admin, "GET", "/readyz").await;
        assert_eq!((status, text.as_str()), (503, "not ready: leadership\n"));
        assert_eq!(
            fetch(&admin, "GET", "/healthz").await.0,
            200,
            "alive all the while"
        );
        leadership.open();
        assert_eq!(fetch(&admin, "GET", "/readyz").await.0, 200);
    }

    #[tokio::test]
    async fn metrics_are_served_and_nothing_can_be_written() {
        let admin = admin();
        admin.metrics.leads("serin", true);
        let (status, text) = fetch(&admin, "GET", "/metrics").await;
        assert!(status == 200 && text.contains("serin_leader 1"), "{text}");
        assert_eq!(fetch(&admin, "POST", "/metrics").await.0, 405);
        assert_eq!(fetch(&admin, "GET", "/debug").await.0, 404);
    }

    #[tokio::test]
    async fn it_ends_when_asked_even_with_an_idle_connection() {
        let listener = Admin::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let server = tokio::spawn(admin().serve(listener, async {
            let _ = stopped.await;
        }));
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .unwrap();
        let mut answer = [0; 15];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200 OK");
        stop.send(()).unwrap();
        assert!(server.await.unwrap().is_ok());
    }

    #[tokio::test]
    async fn an_address_in_use_is_named() {
        let listener = Admin::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let error = Admin::bind(address).await.unwrap_err();
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
}

//! TCP keepalive for connections to the API server: it detects a peer that vanished silently (a node that lost power, a load
//! balancer that dropped an idle connection). A watch sends nothing by itself and would otherwise hang for five minutes;
//! pings of HTTP/2 for each watch would cost calls, while the kernel's probes cost none.

use std::time::Duration;

use hyper_timeout::TimeoutConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::ConfigExt;
use kube::{Client, Config};
use tower::{BoxError, ServiceBuilder};

/// Idle time before the first probe.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Time between unanswered probes.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// Unanswered probes that end the connection, about a minute after the last packet.
const KEEPALIVE_PROBES: u32 = 3;

/// A client of `config` whose connections are kept alive.
///
/// # Errors
/// The credentials or certificates of `config` cannot be used.
pub(super) fn client(config: Config) -> Result<Client, kube::Error> {
    // Those through a proxy, and credentials that a program renews, are kube's own matter.
    if config.proxy_url.is_some() || config.auth_info.exec.is_some() {
        return Client::try_from(config);
    }
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_keepalive(Some(KEEPALIVE_IDLE));
    http.set_keepalive_interval(Some(KEEPALIVE_INTERVAL));
    http.set_keepalive_retries(Some(KEEPALIVE_PROBES));
    let mut connector = TimeoutConnector::new(config.rustls_https_connector_with_connector(http)?);
    connector.set_connect_timeout(config.connect_timeout);
    let service = ServiceBuilder::new()
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector));
    Ok(Client::new(service, config.default_namespace))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    /// `/proc/net/tcp` has the timer of each connection: 02 is the one that asks whether the other end is there, with the
    /// hundredths of a second until it does.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn an_idle_connection_is_asked_after() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let config = Config::new(format!("http://127.0.0.1:{port}").parse().unwrap());
        let client = client(config).unwrap();
        let asked = tokio::spawn(async move { client.apiserver_version().await });
        let timer = tokio::task::spawn_blocking(move || {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            let to = format!(":{port:04X}");
            let timer = || {
                let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
                let mut rows = table
                    .lines()
                    .map(|row| row.split_whitespace().collect::<Vec<_>>());
                let row = rows.find(|row| row[2].ends_with(&to)).unwrap();
                let (kind, left) = row[5].split_once(':').unwrap();
                (kind.to_owned(), u64::from_str_radix(left, 16).unwrap())
            };
            // Until its own words are acknowledged, the kernel has another timer.
            let mut timers = (0..10_000).map(|_| timer());
            timers.find(|(kind, _)| kind == "02").unwrap_or_else(timer)
        });
        let (kind, left) = timer.await.unwrap();
        assert!(
            kind == "02" && left <= 100 * KEEPALIVE_IDLE.as_secs(),
            "timer {kind}, due in {left}/100 s"
        );
        asked.abort();
    }
}

//! A Prometheus-compatible server over HTTP, as a [`MetricSource`].
//!
//! The administrator decides where it connects; a tenant only names a provider. So: no redirects, no proxy from the
//! environment, no retries, deadlines on connecting and on the whole, a limit on the answer's size. Nothing of an
//! answer's text leaves this module: an error names its class and the HTTP status, no more.

mod address;
mod answer;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use prometheus_http_query::Client;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Response, StatusCode, redirect, retry};

use crate::ports::{BoxFuture, Histogram, Histograms, MetricSource, Sample, Samples, SourceError, Span};
pub use address::{Address, AddressError};

/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// The largest answer that is read, in bytes.
pub const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// So many points every server answers at the times that were asked for.
const PIECE: usize = 48;
/// The largest bearer token, in bytes.
const MAX_TOKEN: u64 = 64 * 1024;

/// What a range has given, by time.
type Answers<T> = Result<BTreeMap<Timestamp, T>, SourceError>;

/// What a `MetricProvider` says of its server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Base address.
    pub address: Address,
    /// Headers of every request.
    pub headers: Vec<(String, String)>,
    /// A file with a bearer token, read for every query, so that a rotated one is followed.
    pub bearer_token_file: Option<PathBuf>,
    /// Certificates (PEM) of the only authorities that are trusted; by default the system's.
    pub ca_file: Option<PathBuf>,
    /// Bound on a whole query.
    pub timeout: Duration,
}

impl Settings {
    /// Settings for `address` with every default.
    pub fn of(address: Address) -> Self {
        Self {
            address,
            headers: Vec::new(),
            bearer_token_file: None,
            ca_file: None,
            timeout: Duration::from_secs(5),
        }
    }
}

/// Why the settings of a provider cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// A header cannot be sent.
    #[error("header `{0}` of the metric provider cannot be sent: use a plain name and a printable value")]
    Header(String),
    /// The authorities cannot be read.
    #[error("the certificates in {path} cannot be used ({why}): name a readable PEM file")]
    Authorities {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// No client can be made of them, for want of the system's certificates as a rule.
    #[error("no HTTPS client can be made for the metric provider: install CA certificates or name a CA file")]
    Client,
}

/// A Prometheus-compatible server.
#[derive(Clone)]
pub struct Prometheus {
    client: Client,
    timeout: Duration,
    bearer_token_file: Option<PathBuf>,
}

impl Prometheus {
    /// A client for `settings`. Connects only when asked something.
    ///
    /// # Errors
    /// A header, certificate file or trust store that cannot be used.
    pub fn connect(settings: &Settings) -> Result<Self, SettingsError> {
        // The process's provider of cryptography; a second call changes nothing and fails harmlessly.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(settings.timeout))
            .timeout(settings.timeout)
            .default_headers(headers(&settings.headers)?)
            .user_agent(concat!("serin/", env!("CARGO_PKG_VERSION")));
        let builder = match &settings.ca_file {
            Some(path) => builder.tls_certs_only(authorities(path)?),
            // Plain HTTP trusts nobody: a machine without certificates can use it all the same.
            None if !settings.address.is_https() => builder.tls_certs_only([]),
            None => builder,
        };
        let inner = builder.build().map_err(|_| SettingsError::Client)?;
        let client = Client::from(inner, settings.address.as_str()).map_err(|_| SettingsError::Client)?;
        Ok(Self {
            client,
            timeout: settings.timeout,
            bearer_token_file: settings.bearer_token_file.clone(),
        })
    }

    async fn ask(&self, query: &str, at: Timestamp) -> Result<Vec<u8>, SourceError> {
        let mut request = self
            .client
            .query(query)
            .query("time", seconds(at))
            .timeout(self.limit());
        if let Some(path) = &self.bearer_token_file {
            request = request.header(AUTHORIZATION, bearer(path).await?);
        }
        good(request.post_raw().await).await
    }

    async fn ask_range(&self, query: &str, span: Span) -> Result<Vec<u8>, SourceError> {
        // The library knows whole seconds only, as our grid mostly has them.
        let whole = |at: Timestamp| (at.subsec_nanosecond() == 0).then(|| at.as_second());
        let (Some(start), Some(end)) = (whole(span.start), whole(span.end)) else {
            return Err(SourceError::Unusable("it begins within a second".into()));
        };
        let step = span.step.as_secs_f64();
        let mut request = self
            .client
            .query_range(query, start, end, step)
            .timeout(self.limit());
        if let Some(path) = &self.bearer_token_file {
            request = request.header(AUTHORIZATION, bearer(path).await?);
        }
        good(request.post_raw().await).await
    }

    /// What `query` gives at the times of `span`, and at no others. VictoriaMetrics moves the times of ranges of fifty points or
    /// more to multiples of the step: such a server is asked again, for less at a time.
    async fn whole<T>(&self, query: &str, span: Span, read: fn(&[u8]) -> Answers<T>) -> Answers<T> {
        let all = read(&self.ask_range(query, span).await?)?;
        if span.holds(all.keys()) {
            return Ok(all);
        }
        let mut all = BTreeMap::new();
        for piece in span.pieces(PIECE) {
            let some = read(&self.ask_range(query, piece).await?)?;
            if !piece.holds(some.keys()) {
                return Err(SourceError::Unusable("its times are not those asked for".into()));
            }
            all.extend(some);
        }
        Ok(all)
    }

    fn limit(&self) -> i64 {
        i64::try_from(self.timeout.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A moment as the API writes it: seconds with three decimals.
fn seconds(at: Timestamp) -> String {
    let milliseconds = at.as_millisecond();
    format!(
        "{}.{:03}",
        milliseconds.div_euclid(1000),
        milliseconds.rem_euclid(1000)
    )
}

/// Why there is no answer, or only a part of it.
fn missing(error: &(dyn std::error::Error + 'static)) -> SourceError {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.find_map(cause).unwrap_or(SourceError::Unreachable)
}

/// What one error of a chain tells.
fn cause(error: &(dyn std::error::Error + 'static)) -> Option<SourceError> {
    if let Some(error) = error.downcast_ref::<reqwest::Error>() {
        return error.is_timeout().then_some(SourceError::Late);
    }
    if let Some(error) = error.downcast_ref::<std::io::Error>() {
        // An error of its own within an `io::Error` is none of the chain.
        let tls = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let refused = error.kind() == std::io::ErrorKind::ConnectionRefused;
        return match tls {
            Some(rustls::Error::InvalidCertificate(_)) => Some(SourceError::Untrusted),
            None if refused => Some(SourceError::NotListening),
            Some(_) | None => None,
        };
    }
    // The connector's own error has no public type.
    error
        .to_string()
        .starts_with("dns error")
        .then_some(SourceError::UnknownHost)
}

/// The body of a good answer.
async fn good(response: Result<Response, prometheus_http_query::Error>) -> Result<Vec<u8>, SourceError> {
    let response = response.map_err(|error| missing(&error))?;
    let status = response.status();
    match status {
        StatusCode::OK => body(response).await,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(SourceError::Denied(status.as_u16())),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => {
            let class = body(response)
                .await
                .map_or("no reason", |body| answer::class(&body));
            Err(SourceError::Refused(format!("HTTP {}: {class}", status.as_u16())))
        }
        other => Err(SourceError::Status(other.as_u16())),
    }
}

impl MetricSource for Prometheus {
    fn instant<'a>(
        &'a self,
        query: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Sample>, SourceError>> {
        Box::pin(async move { answer::samples(&self.ask(query, at).await?) })
    }

    fn range<'a>(&'a self, query: &'a str, span: Span) -> BoxFuture<'a, Result<Samples, SourceError>> {
        Box::pin(self.whole(query, span, answer::ranges))
    }

    fn histograms<'a>(
        &'a self,
        query: &'a str,
        at: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Histogram>, SourceError>> {
        Box::pin(async move { answer::histograms(&self.ask(query, at).await?) })
    }

    fn histogram_range<'a>(
        &'a self,
        query: &'a str,
        span: Span,
    ) -> BoxFuture<'a, Result<Histograms, SourceError>> {
        Box::pin(self.whole(query, span, answer::histogram_ranges))
    }
}

/// The body, as long as it keeps within [`MAX_ANSWER`].
async fn body(mut response: Response) -> Result<Vec<u8>, SourceError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| missing(&error))? {
        if body.len() + chunk.len() > MAX_ANSWER {
            let limit = format!("it is larger than {} MiB; narrow the query", MAX_ANSWER >> 20);
            return Err(SourceError::Unusable(limit));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn headers(pairs: &[(String, String)]) -> Result<HeaderMap, SettingsError> {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let wrong = || SettingsError::Header(name.clone());
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
        let mut value = HeaderValue::from_str(value).map_err(|_| wrong())?;
        value.set_sensitive(true);
        headers.append(key, value);
    }
    Ok(headers)
}

fn authorities(path: &Path) -> Result<Vec<Certificate>, SettingsError> {
    let wrong = |why: String| SettingsError::Authorities {
        path: path.display().to_string(),
        why,
    };
    let pem = std::fs::read(path).map_err(|error| wrong(error.kind().to_string()))?;
    let certificates = Certificate::from_pem_bundle(&pem).map_err(|_| wrong("not PEM".into()))?;
    if certificates.is_empty() {
        return Err(wrong("no certificate in it".into()));
    }
    Ok(certificates)
}

/// The `Authorization` header of the token in `path`.
async fn bearer(path: &Path) -> Result<HeaderValue, SourceError> {
    use tokio::io::AsyncReadExt;
    let wrong = |why: &str| SourceError::Credentials(format!("{} {why}", path.display()));
    let file = tokio::fs::File::open(path).await;
    let file = file.map_err(|error| wrong(&format!("cannot be opened ({})", error.kind())))?;
    let mut token = String::new();
    let read = file.take(MAX_TOKEN).read_to_string(&mut token).await;
    read.map_err(|_| wrong("is not readable text"))?;
    let token = token.trim();
    if token.is_empty() {
        return Err(wrong("is empty"));
    }
    let mut value =
        HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| wrong("holds more than one line"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Chained {
        text: &'static str,
        source: Option<io::Error>,
    }

    fn of(text: &'static str, source: Option<io::Error>) -> SourceError {
        missing(&Chained { text, source })
    }

    #[test]
    fn what_keeps_from_a_provider_is_told_apart() {
        let tls = |error| Some(io::Error::other(error));
        let unknown = rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer);
        assert_eq!(of("connect", tls(unknown)), SourceError::Untrusted);
        assert_eq!(
            of("connect", tls(rustls::Error::DecryptError)),
            SourceError::Unreachable
        );
        let refused = io::ErrorKind::ConnectionRefused.into();
        assert_eq!(of("tcp connect error", Some(refused)), SourceError::NotListening);
        let reset = io::ErrorKind::ConnectionReset.into();
        assert_eq!(of("connection error", Some(reset)), SourceError::Unreachable);
        assert_eq!(of("dns error", None), SourceError::UnknownHost);
    }
}

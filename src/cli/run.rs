//! `serin run`: the operator.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::connect::{UNREACHED, block_on_all, clients};
use super::{Exit, Failure};
use crate::admin::Admin;
use crate::cluster::client::{Clients, Target};
use crate::cluster::{gate, lease};
use crate::controller::Operator;
use crate::engine::plan::GateMode;
use crate::ports::Clock;
use crate::sources::registry::Registry;
use crate::telemetry;

/// Run the operator.
#[derive(Args, Debug)]
pub(super) struct Run {
    /// Watch this namespace; may be given several times. By default all are watched.
    #[arg(short, long, env = "SERIN_NAMESPACE", value_delimiter = ',')]
    namespace: Vec<String>,
    /// Address of the Prometheus that the provider `default` stands for, unless a MetricProvider has that name.
    #[arg(long, env = "SERIN_PROMETHEUS")]
    prometheus: Option<String>,
    /// How late the samples of that Prometheus come: a duration such as 35s, or seconds.
    #[arg(long, env = "SERIN_PROMETHEUS_LAG", default_value = "5s", value_parser = span)]
    prometheus_lag: Duration,
    /// How unproven templates are held back.
    #[arg(long, env = "SERIN_GATE", value_enum, default_value_t = Gate::Auto)]
    gate: Gate,
    /// Namespace of the Lease: the operator's own.
    #[arg(long, env = "SERIN_LEASE_NAMESPACE", default_value = "serin")]
    lease_namespace: String,
    /// Name of the Lease.
    #[arg(long, env = "SERIN_LEASE_NAME", default_value = "serin")]
    lease_name: String,
    /// The pod's name, for the Lease.
    #[arg(long, env = "POD_NAME", default_value = "serin")]
    identity: String,
    /// Where health, readiness and metrics are served.
    #[arg(long, env = "SERIN_LISTEN", default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// Log level or filter, as `info` or `serin=debug,warn`.
    #[arg(long, env = "SERIN_LOG_LEVEL", default_value = "info")]
    log_level: String,
    /// The form of a log line.
    #[arg(long, env = "SERIN_LOG_FORMAT", value_enum, default_value_t = LogFormat::Json)]
    log_format: LogFormat,
    /// The kubeconfig file; by default as kubectl finds it, by KUBECONFIG or in the home, or the pod's service account.
    #[arg(long)]
    kubeconfig: Option<PathBuf>,
    /// The kubeconfig's context; by default its current one.
    #[arg(long)]
    context: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Plain lines.
    Text,
}

impl From<LogFormat> for telemetry::Format {
    fn from(format: LogFormat) -> Self {
        match format {
            LogFormat::Json => Self::Json,
            LogFormat::Text => Self::Text,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Gate {
    /// By what the server can do.
    Auto,
    /// An admission policy pauses a Deployment whose template changes.
    Admission,
    /// Deployments are paused at rest.
    Paused,
}

/// The wall clock; everything else gets the time from it.
pub(super) struct Wall;

impl Clock for Wall {
    #[allow(clippy::disallowed_methods)] // the only place
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }
}

impl Run {
    pub(super) fn run(self, _: &mut dyn Write) -> Result<Exit, Failure> {
        telemetry::logs::install(&self.log_level, self.log_format.into())
            .map_err(|error| Failure::usage(format!("--log-level: {error}"), "for example `info`"))?;
        block_on_all(self.operate())
    }

    async fn operate(self) -> Result<Exit, Failure> {
        let target = Target {
            kubeconfig: self.kubeconfig,
            context: self.context,
        };
        let clients = clients(&target).await?;
        let gate = match self.gate {
            Gate::Admission => GateMode::Admission,
            Gate::Paused => GateMode::Paused,
            Gate::Auto => detect(&clients).await?,
        };
        let registry = Registry::new(self.prometheus.as_deref(), self.prometheus_lag).map_err(|error| {
            Failure::usage(
                format!("--prometheus: {error}"),
                "for example http://prometheus.monitoring:9090",
            )
        })?;
        let operator = Operator::new(
            clients,
            Arc::new(Wall),
            Arc::new(registry),
            gate,
            lease::Settings {
                namespace: self.lease_namespace,
                name: self.lease_name,
                identity: lease::identity(&self.identity),
                timing: lease::Timing::default(),
            },
        )
        .within(self.namespace);
        let listener = Admin::bind(self.listen)
            .await
            .map_err(|error| Failure::failed(error.to_string(), "choose another address with --listen"))?;
        let (metrics, readiness) = operator.telemetry();
        let served = Admin { metrics, readiness }.serve(listener, std::future::pending());
        tokio::select! {
            lost = operator.run(terminated()) => match lost {
                Ok(()) => Ok(Exit::Healthy),
                Err(lost) => Err(Failure::failed(lost.to_string(), "the process must be started again")),
            },
            Err(failed) = served => Err(Failure::failed(failed.to_string(), "choose another address with --listen")),
        }
    }
}

/// The server may still be coming up, so a few tries are worth it; then the process ends and is started again.
async fn detect(clients: &Clients) -> Result<GateMode, Failure> {
    gate::detect(&clients.read).await.map_err(|error| {
        let hint = if error.is_unanswered() {
            UNREACHED // naming the gate would not help: everything else needs the server too
        } else {
            "name the gate with --gate, and it is not looked for"
        };
        Failure::failed(error.to_string(), hint)
    })
}

/// SIGTERM or an interrupt.
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => std::future::pending().await,
    }
}

/// A duration as a MetricProvider has it, or a bare number of seconds.
fn span(text: &str) -> Result<Duration, String> {
    if let Ok(seconds) = text.parse() {
        return Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string());
    }
    let span = text.parse::<crate::api::Duration>();
    span.map(Duration::from).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lag_is_a_duration_or_seconds() {
        for (text, milliseconds) in [
            ("35s", 35_000),
            ("1500ms", 1_500),
            ("5", 5_000),
            ("0.5", 500),
            ("1m", 60_000),
        ] {
            assert_eq!(span(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for wrong in ["", "-1", "soon", "NaN", "1e300"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}

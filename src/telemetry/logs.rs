//! Logs: one JSON object a line on standard error, or plain lines for a person at a terminal.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One object a line, for machines.
    #[default]
    Json,
    /// Plain lines, without colours.
    Text,
}

/// Why the logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error(
        "log filter `{0}` is not understood: use `error`, `warn`, `info`, `debug`, `trace`, or `info,kube=debug`"
    )]
    Filter(String),
    /// Another subscriber is there.
    #[error("the logs are set up already")]
    Twice,
}

/// Sends the logs of this process to standard error.
///
/// # Errors
/// [`LogError`]: an unreadable filter, or a second call.
pub fn install(filter: &str, format: Format) -> Result<(), LogError> {
    subscriber(filter, format, std::io::stderr)?
        .try_init()
        .map_err(|_| LogError::Twice)
}

/// A bare level is meant for Serin; its libraries then tell only what is wrong.
fn directives(filter: &str) -> String {
    if filter.contains(['=', ',']) {
        filter.to_owned()
    } else {
        format!("warn,serin={filter}")
    }
}

fn subscriber<W>(
    filter: &str,
    format: Format,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, LogError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let refuse = |_| LogError::Filter(filter.to_owned());
    let parsed = EnvFilter::builder().parse(directives(filter)).map_err(refuse)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(parsed)
        .with_writer(writer)
        .with_ansi(false);
    Ok(match format {
        Format::Json => Box::new(lines.json().flatten_event(true).with_span_list(false).finish()),
        Format::Text => Box::new(lines.finish()),
    })
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(filter: &str, format: Format) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(filter, format, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!(target: "serin", "reconcile", rollout = "shop/checkout");
            span.in_scope(|| tracing::info!(target: "serin::controller", weight = 10, "weight changed"));
            tracing::info!(target: "kube", "noise");
        });
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_line_is_one_object_with_its_fields_and_its_rollout() {
        let lines = logged("info", Format::Json);
        let value: serde_json::Value = serde_json::from_str(lines.trim()).unwrap();
        assert_eq!(value["message"], "weight changed");
        assert_eq!(value["weight"], 10);
        assert_eq!(value["level"], "INFO");
        assert_eq!(value["span"]["rollout"], "shop/checkout");
    }

    #[test]
    fn a_filter_chooses() {
        assert_eq!(logged("warn", Format::Text), "");
        assert!(logged("info,kube=info", Format::Text).contains("noise"));
        let refused = subscriber("loud!", Format::Text, io::sink);
        assert!(matches!(refused, Err(LogError::Filter(_))));
    }
}

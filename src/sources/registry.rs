//! The metric servers that an administrator has named, each connected once.
//!
//! A tenant chooses by name only; where that leads is the administrator's: a `MetricProvider`, or for the name
//! `default` the controller's own settings.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::prometheus::{Address, AddressError, Prometheus, Settings};
use crate::api;
use crate::ports::{MetricSource, Providers};

/// The provider that needs no object.
const DEFAULT: &str = "default";

/// All connections of one process.
pub struct Registry {
    address: Option<Address>,
    lag: Duration,
    connected: Mutex<BTreeMap<String, Connected>>,
}

/// A connection, and what it was made from: a spec, and the certificates that it trusts.
type Connected = (Value, Option<Vec<u8>>, Arc<dyn MetricSource>);

/// What this room reads of a `MetricProvider`'s spec; the API server has checked the rest.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    address: String,
    #[serde(default)]
    headers: Vec<Header>,
    #[serde(default)]
    bearer_token_file: Option<PathBuf>,
    #[serde(default)]
    tls: Tls,
    #[serde(default)]
    allowed_namespaces: Vec<String>,
}

#[derive(Deserialize)]
struct Header {
    name: String,
    value: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Tls {
    #[serde(default)]
    ca_file: Option<PathBuf>,
}

impl Registry {
    /// A registry whose `default` is at `address`, with samples `lag` late.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(address: Option<&str>, lag: Duration) -> Result<Self, AddressError> {
        let address = address.map(str::parse).transpose()?;
        Ok(Self {
            address,
            lag,
            connected: Mutex::default(),
        })
    }

    fn settings(&self, name: &str, namespace: &str, object: Option<&Value>) -> Result<Settings, String> {
        let Some(object) = object else {
            return match (&self.address, name) {
                (Some(address), DEFAULT) => Ok(Settings::of(address.clone())),
                (None, DEFAULT) => Err("no metric provider is set: run the controller with --prometheus, or create a MetricProvider `default`".into()),
                _ => Err(format!("MetricProvider `{name}` is not there: create it, or correct `spec.analysis.provider`")),
            };
        };
        let spec = Spec::deserialize(&object["spec"])
            .map_err(|error| format!("MetricProvider `{name}` cannot be read: {error}"))?;
        if !spec
            .allowed_namespaces
            .iter()
            .any(|allowed| allowed == "*" || allowed == namespace)
        {
            return Err(format!(
                "MetricProvider `{name}` does not allow namespace `{namespace}`: ask its administrator"
            ));
        }
        let address = spec
            .address
            .parse()
            .map_err(|error| format!("MetricProvider `{name}`: {error}"))?;
        let timeout = duration(object, "/spec/timeout");
        let mut settings = Settings::of(address);
        settings.headers = spec
            .headers
            .into_iter()
            .map(|header| (header.name, header.value))
            .collect();
        settings.bearer_token_file = spec.bearer_token_file;
        settings.ca_file = spec.tls.ca_file;
        settings.timeout = timeout.unwrap_or(settings.timeout);
        Ok(settings)
    }
}

impl Providers for Registry {
    fn source(
        &self,
        name: &str,
        namespace: &str,
        object: Option<&Value>,
    ) -> Result<Arc<dyn MetricSource>, String> {
        let settings = self.settings(name, namespace, object)?;
        let spec = object.map_or(Value::Null, |object| object["spec"].clone());
        // A client reads its certificates once, but they are replaced now and then under the same name.
        let trusted = settings
            .ca_file
            .as_ref()
            .and_then(|path| std::fs::read(path).ok());
        let mut connected = self.connected.lock().unwrap_or_else(PoisonError::into_inner);
        let known = connected.get(name).filter(|(known, ..)| *known == spec);
        if let Some((_, trust, source)) = known
            && (trusted.is_none() || *trust == trusted)
        {
            return Ok(Arc::clone(source));
        }
        let source: Arc<dyn MetricSource> = match (Prometheus::connect(&settings), known) {
            (Ok(source), _) => Arc::new(source),
            // It is being written, perhaps: those that were trusted may do.
            (Err(_), Some((.., source))) => return Ok(Arc::clone(source)),
            (Err(error), None) => return Err(error.to_string()),
        };
        connected.insert(name.to_owned(), (spec, trusted, Arc::clone(&source)));
        Ok(source)
    }

    fn lag(&self, object: Option<&Value>) -> Duration {
        object
            .and_then(|object| duration(object, "/spec/lag"))
            .unwrap_or(self.lag)
    }
}

/// A duration in the notation that the API server admits.
fn duration(object: &Value, pointer: &str) -> Option<Duration> {
    let text = object.pointer(pointer)?.as_str()?;
    api::duration::parse(text).ok().map(Duration::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn provider() -> Value {
        json!({"spec": {"address": "http://prometheus.monitoring:9090", "allowedNamespaces": ["shop"], "lag": "1500ms"}})
    }

    fn refusal(registry: &Registry, name: &str, namespace: &str, object: Option<&Value>) -> String {
        registry.source(name, namespace, object).err().unwrap_or_default()
    }

    #[test]
    fn a_provider_serves_only_the_namespaces_that_it_allows() {
        let registry = Registry::new(None, Duration::from_secs(5)).unwrap();
        assert!(registry.settings("team", "shop", Some(&provider())).is_ok());
        let refused = refusal(&registry, "team", "bank", Some(&provider()));
        assert!(
            refused.contains("`team` does not allow namespace `bank`"),
            "{refused}"
        );
    }

    #[test]
    fn what_is_missing_is_named_with_its_remedy() {
        let registry = Registry::new(None, Duration::from_secs(5)).unwrap();
        assert!(refusal(&registry, "default", "shop", None).contains("--prometheus"));
        assert!(refusal(&registry, "team", "shop", None).contains("create it"));
    }

    #[test]
    fn a_provider_says_how_late_its_samples_come() {
        let registry = Registry::new(None, Duration::from_secs(5)).unwrap();
        assert_eq!(registry.lag(Some(&provider())), Duration::from_millis(1500));
        assert_eq!(registry.lag(None), Duration::from_secs(5));
    }

    /// The API server admits all of these.
    #[test]
    fn durations_may_be_written_in_any_order_of_their_units() {
        let registry = Registry::new(None, Duration::from_secs(5)).unwrap();
        for (text, seconds) in [("1s1m", 61), ("20s", 20), ("5s5s", 10), ("1h30m", 5_400)] {
            let mut provider = provider();
            provider["spec"]["lag"] = text.into();
            provider["spec"]["timeout"] = text.into();
            let settings = registry.settings("team", "shop", Some(&provider)).unwrap();
            let read = [registry.lag(Some(&provider)), settings.timeout];
            assert_eq!(read, [Duration::from_secs(seconds); 2], "{text}");
        }
    }

    const AUTHORITY: &str = "-----BEGIN CERTIFICATE-----
MIIBbjCCARWgAwIBAgIUG4/6e3FYOGVh/7rXowqgSq1kmOUwCgYIKoZIzj0EAwIw
DDEKMAgGA1UEAwwBYTAgFw0yNjExMjcxNzAyMjdaGA8yMTI2MTEwMzE3MDIyN1ow
DDEKMAgGA1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABJ7STfRjlOmJ
Kw7BM2bLnj5cMZApmDFhsEebmYvgn5iYsii3M6yGY4plUiSrXsA3H/N4tv2tYQrn
lkypdxIEDXSjUzBRMB0GA1UdDgQWBBT3pJVIPIXj2yLGrbKbWEflMMr+8jAfBgNV
HSMEGDAWgBT3pJVIPIXj2yLGrbKbWEflMMr+8jAPBgNVHRMBAf8EBTADAQH/MAoG
CCqGSM49BAMCA0cAMEQCICn8oTmyq/Ta3nnFeZa2FgEbqTxfi15xKD4WaSC9fkd7
AiBXJe01ifHjEBspvqbf/AUS2NGQR3x1mA8MxIg0vvts7A==
-----END CERTIFICATE-----
";

    #[test]
    fn replaced_authorities_are_followed_and_broken_ones_are_not() {
        let path = std::env::temp_dir().join(format!("serin-authorities-{}.pem", std::process::id()));
        let mut provider = provider();
        provider["spec"]["tls"] = json!({"caFile": path});
        let registry = Registry::new(None, Duration::from_secs(5)).unwrap();
        let connected = |text: &str| {
            std::fs::write(&path, text).unwrap();
            registry.source("team", "shop", Some(&provider)).unwrap()
        };
        let first = connected(AUTHORITY);
        assert!(Arc::ptr_eq(&first, &connected(AUTHORITY)));
        assert!(Arc::ptr_eq(&first, &connected("half a fi")));
        let second = connected(&AUTHORITY.repeat(2));
        assert!(!Arc::ptr_eq(&first, &second));
        std::fs::remove_file(&path).unwrap();
        let kept = registry.source("team", "shop", Some(&provider)).unwrap();
        assert!(Arc::ptr_eq(&second, &kept));
    }
}

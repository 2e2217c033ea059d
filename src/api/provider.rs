//! `MetricProvider`: where metrics come from. The administrator's: what a tenant writes never decides where the
//! controller connects, nor with which credentials.
#![allow(clippy::duplicated_attributes)] // every `printcolumn` has a type and a path

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// A server that speaks the Prometheus HTTP API.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "serin.dev",
    version = "v1alpha1",
    kind = "MetricProvider",
    category = "delivery",
    doc = "A MetricProvider is a server of metrics that Rollouts of the named namespaces may ask.",
    printcolumn(name = "Address", type_ = "string", json_path = ".spec.address"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct MetricProviderSpec {
    /// Base URL, without user, query or fragment: `http://prometheus.monitoring:9090`.
    #[schemars(length(min = 1, max = 2048), pattern(r"^https?://[^\s/@?#]+(/[^\s@?#]*)?$"))]
    pub address: String,
    /// Headers of every request, such as a tenant's name. Not for credentials: they are readable here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = super::MAX_ITEMS))]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub headers: Vec<Header>,
    /// Absolute path, in the controller's own file system, of a file with a bearer token; read anew when it changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1024), pattern("^/.+$"))]
    pub bearer_token_file: Option<String>,
    /// Namespaces whose Rollouts may name this provider; `*` means every one.
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 63), pattern(r"^(\*|[a-z0-9]([-a-z0-9]*[a-z0-9])?)$"))
    )]
    pub allowed_namespaces: Vec<String>,
    /// How late samples become visible, 0s to 10m; more for stores that are written remotely.
    #[serde(default = "five_seconds")]
    pub lag: Duration,
    /// How long one query may take, 100ms to 1m.
    #[serde(default = "five_seconds")]
    pub timeout: Duration,
    /// How the server's certificate is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

impl MetricProviderSpec {
    /// Whether Rollouts of `namespace` may name this provider.
    pub fn allows(&self, namespace: &str) -> bool {
        self.allowed_namespaces
            .iter()
            .any(|allowed| allowed == "*" || allowed == namespace)
    }
}

const fn five_seconds() -> Duration {
    Duration::from_secs(5)
}

/// One HTTP header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// Its name.
    #[schemars(length(min = 1, max = 128), pattern(r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,
    /// Its value.
    #[schemars(length(min = 1, max = 1024), pattern("^[\\x20-\\x7e]+$"))]
    pub value: String,
}

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Tls {
    /// Absolute path, in the controller's own file system, of the authorities' certificates (PEM), followed when they
    /// are replaced. By default the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1024), pattern("^/.+$"))]
    pub ca_file: Option<String>,
}

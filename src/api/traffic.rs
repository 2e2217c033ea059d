//! How requests are divided: the router, its routes, and the Service of the stable pods.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Duration;

/// Which router divides the traffic. Exactly one router is set; every reference is to the Rollout's own namespace.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Gateway API: the weights of the backends of HTTPRoutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(rename = "gatewayAPI")]
    #[serde(rename = "gatewayAPI")]
    pub gateway_api: Option<GatewayApi>,
    /// The Service of the stable pods, which the routes name; by default it is called like the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), pattern(super::LABEL))]
    pub service: Option<String>,
    /// How long the gateway may take to honour a weight that it has accepted, 0s to 5m.
    #[serde(default = "propagation")]
    pub propagation: Duration,
}

/// The HTTPRoutes whose weights are managed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GatewayApi {
    /// The routes; in each, every rule that names the stable Service is managed.
    #[schemars(length(min = 1, max = super::MAX_ITEMS))]
    pub routes: Vec<RouteReference>,
}

/// A route of the Rollout's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouteReference {
    /// The kind of route.
    #[serde(default)]
    pub kind: RouteKind,
    /// Its name.
    #[schemars(length(min = 1, max = 253), pattern(super::SUBDOMAIN))]
    pub name: String,
}

/// Kinds of Gateway API routes that can divide traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum RouteKind {
    /// gateway.networking.k8s.io/v1 HTTPRoute.
    #[default]
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
}

impl RouteKind {
    /// The Kubernetes kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HttpRoute => "HTTPRoute",
        }
    }
}

const fn propagation() -> Duration {
    Duration::from_secs(1)
}

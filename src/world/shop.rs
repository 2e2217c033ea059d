//! A small shop: what a team has in its namespace before it meets Serin.

use super::World;
use super::setup::WorldError;

/// One workload behind a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shop {
    /// Namespace of everything but the gateway's class; it is made too.
    pub namespace: String,
    /// Name of Deployment, Service and HTTPRoute, and value of the label `app`.
    pub name: String,
    /// Image of the only container.
    pub image: String,
    /// Replicas of the Deployment.
    pub replicas: u32,
    /// Limits of its container as YAML, such as `{cpu: 500m}`.
    pub limits: Option<String>,
}

impl Default for Shop {
    fn default() -> Self {
        Self {
            namespace: "shop".into(),
            name: "checkout".into(),
            image: "checkout:v1".into(),
            replicas: 4,
            limits: None,
        }
    }
}

impl Shop {
    /// The objects as YAML.
    pub fn yaml(&self) -> String {
        let limits = self.limits.as_ref();
        let limits = limits.map_or_else(String::new, |it| format!("\n        resources: {{limits: {it}}}"));
        TEMPLATE
            .replace("{limits}", &limits)
            .replace("{namespace}", &self.namespace)
            .replace("{name}", &self.name)
            .replace("{image}", &self.image)
            .replace("{replicas}", &self.replicas.to_string())
    }
}

impl World {
    /// Installs a shop. Its pods run once the world does.
    ///
    /// # Errors
    /// What the API refuses, such as a bad name.
    pub fn install(&self, shop: &Shop) -> Result<(), WorldError> {
        self.apply_yaml(&shop.yaml())
    }
}

/// A Rollout of the default shop that leaves everything to the defaults; more fields of the spec may be appended.
pub const ROLLOUT: &str = "
apiVersion: serin.dev/v1alpha1
kind: Rollout
metadata: {name: checkout, namespace: shop}
spec:
  workload: {name: checkout}
  traffic:
    gatewayAPI: {routes: [{name: checkout}]}
";

const TEMPLATE: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: {namespace}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: contour}
spec: {controllerName: projectcontour.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: public, namespace: {namespace}}
spec:
  gatewayClassName: contour
  listeners: [{name: http, protocol: HTTP, port: 80}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: {name}, namespace: {namespace}, labels: {app: {name}}}
spec:
  replicas: {replicas}
  selector: {matchLabels: {app: {name}}}
  template:
    metadata: {labels: {app: {name}}}
    spec:
      containers:
      - name: app
        image: {image}
        ports: [{name: http, containerPort: 8080}]{limits}
---
apiVersion: v1
kind: Service
metadata: {name: {name}, namespace: {namespace}, labels: {app: {name}}}
spec:
  selector: {app: {name}}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: {name}, namespace: {namespace}}
spec:
  parentRefs: [{name: public}]
  hostnames: [{name}.example.com]
  rules:
  - backendRefs: [{name: {name}, port: 80}]
";

//! The objects that most scenarios begin with, as a user would write them.

use crate::gateway::PARENT;
use std::fmt::Write as _;

/// A Deployment of pods labelled `app: <name>`.
pub(crate) fn deployment(name: &str, image: &str, replicas: u32) -> String {
    format!(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      containers:
      - name: app
        image: {image}
        ports: [{{name: http, containerPort: 8080}}]
---
"
    )
}

/// A Service on port 80 for pods labelled `app: <name>`.
pub(crate) fn service(name: &str) -> String {
    format!(
        "
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
---
"
    )
}

/// An HTTPRoute for a hostname with these Services and weights.
pub(crate) fn route(name: &str, host: &str, backends: &[(&str, u32)]) -> String {
    let (namespace, gateway) = PARENT;
    let mut text = format!(
        "
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {{name: {name}}}
spec:
  parentRefs: [{{namespace: {namespace}, name: {gateway}}}]
  hostnames: [{host}]
  rules:
  - backendRefs:
"
    );
    for (service, weight) in backends {
        let _ = writeln!(text, "    - {{name: {service}, port: 80, weight: {weight}}}");
    }
    text + "---\n"
}

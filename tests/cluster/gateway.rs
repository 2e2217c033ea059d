//! The real gateway: Contour as the Gateway API's controller, Envoy as what bears the traffic.

use crate::control_plane::{ControlPlane, User};
use crate::process::{Daemon, Daemons};
use crate::tools::Tools;
use crate::{Outcome, apply, wait};
use kube::Client;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Where clients send their requests; the Host header chooses the route.
pub(crate) const GATEWAY: &str = "10.244.0.2:8080";
/// Where Envoy's counters are read.
pub(crate) const ENVOY_METRICS: &str = "127.0.0.1:8002";
/// The Gateway to which routes attach.
pub(crate) const PARENT: (&str, &str) = ("projectcontour", "gw");

const HEALTH: &str = "http://127.0.0.1:8000/healthz";

/// Installs the Gateway API and starts both; returns when the Gateway is programmed.
pub(crate) async fn start(
    tools: &Tools,
    plane: &ControlPlane,
    client: &Client,
    folder: &Path,
    keep: &Daemons,
) -> Outcome {
    let limit = Duration::from_secs(30);
    keep.push(envoy(tools, folder)?);
    let manifest = |name: &str| fs::read_to_string(tools.path("manifests").join(name));
    let (definitions, contours) = (manifest("gateway-api.yaml")?, manifest("contour-crds.yaml")?);
    futures::try_join!(
        apply::definitions(client, &definitions),
        apply::definitions(client, &contours),
        apply::text(client, "", NAMESPACE),
    )?;
    let role = manifest("contour-role.yaml")?;
    futures::try_join!(
        apply::text(client, "projectcontour", &role),
        apply::text(client, "projectcontour", OBJECTS)
    )?;
    let configuration = folder.join("contour.yaml");
    fs::write(
        &configuration,
        "accesslog-level: disabled\ngateway:\n  gatewayRef: {namespace: projectcontour, name: gw}\n",
    )?;
    let mut contour = Command::new(tools.path("contour"));
    contour.arg("serve").args(CONTOUR_FLAGS);
    contour.arg(format!(
        "--kubeconfig={}",
        plane.kubeconfig(User::Contour)?.display()
    ));
    contour.arg(format!("--config-path={}", configuration.display()));
    keep.push(Daemon::start(
        "contour",
        &mut contour,
        &folder.join("contour.log"),
    )?);
    wait::answers("contour", HEALTH, limit).await?;
    wait::answers("envoy", &format!("http://{ENVOY_METRICS}/ready"), limit).await?;
    wait::until("the Gateway to be programmed", limit, || async {
        let gateways = "/apis/gateway.networking.k8s.io/v1/namespaces/projectcontour/gateways/gw";
        let gateway: Value = client
            .request(http::Request::get(gateways).body(Vec::new())?)
            .await?;
        let conditions = gateway["status"]["conditions"].as_array().into_iter().flatten();
        let programmed = conditions.filter(|it| it["type"] == "Programmed" && it["status"] == "True");
        Ok((programmed.count() > 0).then_some(()))
    })
    .await
}

fn envoy(tools: &Tools, folder: &Path) -> Outcome<Daemon> {
    let bootstrap = folder.join("envoy.json");
    let mut command = Command::new(tools.path("contour"));
    command
        .arg("bootstrap")
        .arg(&bootstrap)
        .args(["--xds-address=127.0.0.1", "--xds-port=8001"]);
    command.arg(format!(
        "--admin-address={}",
        folder.join("envoy-admin.sock").display()
    ));
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("contour bootstrap: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let mut configuration: Value = serde_json::from_slice(&fs::read(&bootstrap)?)?;
    // By default histograms move every five seconds, which is longer than a step of these tests.
    configuration["stats_flush_interval"] = "1s".into();
    fs::write(&bootstrap, serde_json::to_vec(&configuration)?)?;
    let mut command = Command::new(tools.path("envoy"));
    command.arg("-c").arg(&bootstrap).args([
        "--service-cluster",
        "projectcontour",
        "--service-node",
        "envoy-0",
    ]);
    command.args([
        "--concurrency",
        "1",
        "--log-level",
        "warn",
        "--disable-hot-restart",
    ]);
    Daemon::start("envoy", &mut command, &folder.join("envoy.log"))
}

/// Contour 1.33 does not serve the v1 of these kinds, and would wait for them for ever; the ports are our own
/// choice. Envoy listens on the Gateway's port + 8000.
const CONTOUR_FLAGS: [&str; 19] = [
    "--insecure",
    "--xds-address=127.0.0.1",
    "--xds-port=8001",
    "--http-address=127.0.0.1",
    "--http-port=8000",
    "--health-address=127.0.0.1",
    "--health-port=8000",
    "--debug-http-address=127.0.0.1",
    "--debug-http-port=6060",
    "--stats-address=127.0.0.1",
    "--stats-port=8002",
    "--envoy-service-http-address=10.244.0.2",
    "--envoy-service-https-address=10.244.0.2",
    "--disable-leader-election",
    "--kubernetes-client-qps=200",
    "--kubernetes-client-burst=400",
    "--disable-feature=tlsroutes",
    "--disable-feature=tcproutes",
    "--disable-feature=backendtlspolicies",
];

const NAMESPACE: &str = "apiVersion: v1\nkind: Namespace\nmetadata: {name: projectcontour}\n";

const OBJECTS: &str = r"
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: contour}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: contour}
subjects:
- {kind: ServiceAccount, namespace: projectcontour, name: contour}
---
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: contour}
spec: {controllerName: projectcontour.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: gw, namespace: projectcontour}
spec:
  gatewayClassName: contour
  listeners: [{name: http, protocol: HTTP, port: 80, allowedRoutes: {namespaces: {from: All}}}]
";

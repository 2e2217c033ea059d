//! The one cluster that all scenarios share, and the runtime on which they run.

use crate::agent::Agent;
use crate::control_plane::{ControlPlane, User};
use crate::process::Daemons;
use crate::prometheus::{Prometheus, Targets};
use crate::tools::Tools;
use crate::{Outcome, gateway, sandbox};
use kube::Client;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Addresses of programs that are not pods: 10.244.0.10 and up. Pods begin at 10.244.1.1.
static NEXT_ADDRESS: AtomicU16 = AtomicU16::new(10);
static CLUSTER: OnceLock<Cluster> = OnceLock::new();

/// Everything that runs.
pub(crate) struct Cluster {
    pub(crate) runtime: Runtime,
    pub(crate) tools: Tools,
    pub(crate) folder: PathBuf,
    pub(crate) plane: ControlPlane,
    /// With all rights, as a user of the cluster.
    pub(crate) admin: Client,
    /// The shared Prometheus's base address.
    pub(crate) prometheus: String,
    pub(crate) targets: Arc<Targets>,
    agent: JoinHandle<()>,
    keep: Daemons,
    metrics: Mutex<Option<Prometheus>>,
}

/// The started cluster; only scenarios call this, and they run after [`start`].
pub(crate) fn get() -> &'static Cluster {
    CLUSTER.get().expect("the cluster has been started")
}

/// An address for a program that is not a pod.
pub(crate) fn address() -> Ipv4Addr {
    let [high, low] = NEXT_ADDRESS.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Ipv4Addr::new(10, 244, high, low)
}

/// Starts everything; called once, inside the namespaces.
pub(crate) fn start(folder: &Path) -> Outcome {
    // reqwest panics without a default provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let tools = Tools::ensure()?;
    sandbox::network()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()?;
    runtime.spawn(end_on_signal());
    let begin = Instant::now();
    let (keep, targets) = (
        Daemons::default(),
        Arc::new(Targets::new(folder.join("targets.json"))?),
    );
    let (metrics, plane, admin, agent) = runtime.block_on(async {
        let all = async {
            let metrics = Prometheus::start(&tools, &folder.join("prometheus"), address(), targets.path())?;
            let plane = ControlPlane::start(&tools, folder, &keep).await?;
            let admin = plane.client(User::Admin).await?;
            let agent = Agent::new(plane.client(User::NodeAgent).await?, targets.clone(), folder)?;
            let agent = tokio::spawn(agent.run());
            gateway::start(&tools, &plane, &admin, folder, &keep).await?;
            metrics.ready().await?;
            Outcome::Ok((metrics, plane, admin, agent))
        };
        tokio::select! {
            started = all => started,
            death = keep.first_death() => Err(death),
        }
    })?;
    eprintln!("cluster tests: the cluster is up after {:.1?}", begin.elapsed());
    let prometheus = metrics.url();
    let (metrics, folder) = (Mutex::new(Some(metrics)), folder.to_owned());
    let cluster = Cluster {
        runtime,
        tools,
        folder,
        plane,
        admin,
        prometheus,
        targets,
        agent,
        keep,
        metrics,
    };
    CLUSTER
        .set(cluster)
        .map_err(|_| "the cluster was started twice")?;
    Ok(())
}

/// Ends the programs, so that nothing writes while the folder is removed.
pub(crate) fn stop() {
    let cluster = get();
    cluster.agent.abort();
    cluster.metrics.lock().unwrap().take();
    cluster.keep.end();
}

/// Process 1 of a namespace ignores signals that it does not ask for.
async fn end_on_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    tokio::select! {
        _ = interrupt.recv() => (),
        _ = terminate.recv() => (),
    }
    std::process::exit(130);
}

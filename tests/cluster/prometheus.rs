//! A real Prometheus that scrapes the gateway and every pod once a second.
//!
//! All scenarios share one; a scenario that must stop it starts one of its own.

use crate::gateway::ENVOY_METRICS;
use crate::process::Daemon;
use crate::tools::Tools;
use crate::{Outcome, wait};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

/// The port of every Prometheus.
const PORT: u16 = 9090;

/// A Prometheus, running or stopped. Its data stay when it is stopped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    program: PathBuf,
    folder: PathBuf,
    address: Ipv4Addr,
    daemon: Option<Daemon>,
}

impl Prometheus {
    /// Starts one at `address`; `targets` is the file kept by [`Targets`].
    pub(crate) fn start(tools: &Tools, folder: &Path, address: Ipv4Addr, targets: &Path) -> Outcome<Self> {
        fs::create_dir_all(folder)?;
        let configuration = CONFIGURATION
            .replace("ENVOY", ENVOY_METRICS)
            .replace("TARGETS", &targets.display().to_string());
        fs::write(folder.join("prometheus.yml"), configuration)?;
        let program = tools.path("prometheus").to_owned();
        let mut prometheus = Self {
            program,
            folder: folder.to_owned(),
            address,
            daemon: None,
        };
        prometheus.resume()?;
        Ok(prometheus)
    }

    /// Starts it again after [`Self::stop`].
    pub(crate) fn resume(&mut self) -> Outcome {
        let mut command = Command::new(&self.program);
        command.arg(format!(
            "--config.file={}",
            self.folder.join("prometheus.yml").display()
        ));
        command.arg(format!(
            "--storage.tsdb.path={}",
            self.folder.join("data").display()
        ));
        command.arg(format!("--web.listen-address={}:{PORT}", self.address));
        command.args(["--storage.tsdb.retention.time=1h", "--log.level=warn"]);
        self.daemon = Some(Daemon::start(
            "prometheus",
            &mut command,
            &self.folder.join("prometheus.log"),
        )?);
        Ok(())
    }

    /// Kills it. Whoever asks it meets a refused connection.
    pub(crate) fn stop(&mut self) {
        self.daemon = None;
    }

    /// Waits until it answers queries.
    pub(crate) async fn ready(&self) -> Outcome {
        wait::answers(
            "prometheus",
            &format!("{}/-/ready", self.url()),
            Duration::from_secs(30),
        )
        .await
    }

    /// Its base address, without a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}:{PORT}", self.address)
    }
}

/// The samples of an instant query against the Prometheus at `url`: labels and value.
pub(crate) async fn query(url: &str, expression: &str) -> Outcome<Vec<(BTreeMap<String, String>, f64)>> {
    let client = reqwest::Client::new();
    let mut address = reqwest::Url::parse(&format!("{url}/api/v1/query"))?;
    address.query_pairs_mut().append_pair("query", expression);
    let text = client.get(address).send().await?.text().await?;
    let answer: Value = serde_json::from_str(&text)?;
    if answer["status"] != "success" {
        return Err(format!("query {expression}: {text}").into());
    }
    let samples = answer["data"]["result"]
        .as_array()
        .ok_or("a query without a result")?;
    let read = samples.iter().map(|sample| {
        let value: f64 = sample["value"][1]
            .as_str()
            .ok_or("a sample without a value")?
            .parse()?;
        Ok((serde_json::from_value(sample["metric"].clone())?, value))
    });
    read.collect()
}

/// The pods to scrape, as a file of targets that Prometheus watches.
#[derive(Debug)]
pub(crate) struct Targets {
    path: PathBuf,
    pods: Mutex<BTreeMap<String, Value>>,
}

impl Targets {
    pub(crate) fn new(path: PathBuf) -> Outcome<Self> {
        let targets = Self {
            path,
            pods: Mutex::default(),
        };
        targets.change(|_| ())?;
        Ok(targets)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn add(&self, address: &str, namespace: &str, pod: &str) -> Outcome {
        let target = json!({"targets": [address], "labels": {"namespace": namespace, "pod": pod}});
        self.change(|pods| {
            pods.insert(address.to_owned(), target);
        })
    }

    pub(crate) fn remove(&self, address: &str) -> Outcome {
        self.change(|pods| {
            pods.remove(address);
        })
    }

    fn change(&self, edit: impl FnOnce(&mut BTreeMap<String, Value>)) -> Outcome {
        let mut pods = self.pods.lock().unwrap();
        edit(&mut pods);
        let partial = self.path.with_extension("tmp");
        fs::write(&partial, serde_json::to_vec(&pods.values().collect::<Vec<_>>())?)?;
        fs::rename(&partial, &self.path)?;
        Ok(())
    }
}

const CONFIGURATION: &str = r#"
global: {scrape_interval: 1s, scrape_timeout: 900ms, evaluation_interval: 1s}
scrape_configs:
- job_name: envoy
  metrics_path: /stats/prometheus
  static_configs: [{targets: ["ENVOY"]}]
  metric_relabel_configs:
  - {source_labels: [__name__], regex: "envoy_cluster_(external_|internal_)?upstream_rq.*|envoy_cluster_upstream_cx_(none_healthy|connect_fail)", action: keep}
- job_name: pods
  file_sd_configs: [{files: ["TARGETS"], refresh_interval: 5s}]
  metric_relabel_configs:
  - {source_labels: [__name__], regex: "http_request_duration_seconds.*", action: drop}
# The times that the pods of one scenario measure, as native histograms alone.
- job_name: times
  convert_classic_histograms_to_nhcb: true
  file_sd_configs: [{files: ["TARGETS"], refresh_interval: 5s}]
  relabel_configs:
  - {source_labels: [namespace], regex: "release--slow", action: keep}
  metric_relabel_configs:
  - {source_labels: [__name__], regex: "http_request_duration_seconds", action: keep}
"#;

//! `serin crds`: the CustomResourceDefinitions as YAML.

use std::io::Write;

use super::{Exit, Failure};
use crate::api::crd;

/// Print the CustomResourceDefinitions, ready for `kubectl apply --server-side -f -`.
///
/// Over those of an earlier version, or of the chart: with `--force-conflicts`, or the server keeps what Helm or somebody
/// else wrote, and says so.
#[derive(clap::Args, Debug)]
pub(super) struct Crds {
    /// Only this one: rollouts, rolloutactions or metricproviders.
    name: Option<String>,
}

impl Crds {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let mut chosen = crd::all();
        if let Some(name) = &self.name {
            chosen.retain(|crd| crd.spec.names.plural == *name);
            if chosen.is_empty() {
                let message = format!("there is no definition `{name}`");
                return Err(Failure::usage(
                    message,
                    "name one of rollouts, rolloutactions, metricproviders",
                ));
            }
        }
        for (index, crd) in chosen.iter().enumerate() {
            if index > 0 {
                writeln!(out, "---")?;
            }
            let yaml = serde_yaml::to_string(crd).map_err(|error| {
                Failure::failed(format!("cannot write YAML: {error}"), "report this as a bug")
            })?;
            out.write_all(yaml.as_bytes())?;
        }
        Ok(Exit::Healthy)
    }
}

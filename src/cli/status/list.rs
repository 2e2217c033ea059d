//! `serin status` without a name: a line for each Rollout, once or whenever something has changed.

use std::io::Write;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use kube::api::{Api, ListParams};
use tokio::time::Instant;

use super::super::connect::refused;
use super::super::{Exit, Failure};
use super::follow::{AWAY, passes};
use super::leader::Leader;
use super::{Output, health, past, present};
use crate::api::{Phase, Rollout};

/// Between two looks.
const LOOK: Duration = Duration::from_secs(2);
const NARROW: [&str; 7] = [
    "NAMESPACE",
    "NAME",
    "PHASE",
    "STEP",
    "WEIGHT",
    "VERDICT",
    "MESSAGE",
];
/// What `-o wide` shows as well.
const WIDE: [&str; 4] = ["OBSERVED", "REVISION", "STABLE", "LAST"];

/// The Rollouts of a namespace, or of all.
pub(super) struct List<'a> {
    pub(super) rollouts: Api<Rollout>,
    pub(super) leader: Leader<'a>,
    pub(super) output: Option<Output>,
}

impl List<'_> {
    /// Shows them now, and until `limit` is over again whenever they have changed. The exit status is that of the last look:
    /// 1 where one of them needs a person.
    pub(super) async fn show(mut self, limit: Duration, out: &mut dyn Write) -> Result<Exit, Failure> {
        let begun = Instant::now();
        let (mut shown, mut answered) = (None, begun);
        loop {
            let items = match self.rollouts.list(&ListParams::default()).await {
                Ok(list) => list.items,
                // A server that is updated or overloaded is no reason to give up.
                Err(error)
                    if passes(&error, shown.is_some())
                        && answered.elapsed() < AWAY
                        && begun.elapsed() < limit =>
                {
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Err(error) => return Err(refused("list Rollouts", &error)),
            };
            answered = Instant::now();
            let news = self.leader.look(&items).await;
            let versions = versions(&items);
            if news || shown.as_ref() != Some(&versions) {
                self.print(&items, out)?;
                out.flush()?;
            }
            if begun.elapsed() >= limit {
                return Ok(health(&items, self.leader.vacant()));
            }
            shown = Some(versions);
            tokio::time::sleep(LOOK).await;
        }
    }

    fn print(&self, rollouts: &[Rollout], out: &mut dyn Write) -> Result<(), Failure> {
        match self.output {
            Some(Output::Json) => writeln!(
                out,
                "{}",
                serde_json::to_string_pretty(rollouts).unwrap_or_default()
            )?,
            Some(Output::Yaml) => write!(out, "{}", serde_yaml::to_string(rollouts).unwrap_or_default())?,
            Some(Output::Wide) | None if rollouts.is_empty() => {
                writeln!(out, "no Rollout here; `-A` looks in every namespace")?;
            }
            Some(Output::Wide) | None => {
                writeln!(out, "{}", table(rollouts, self.output.is_some()))?;
                if let Some(why) = self.leader.vacant() {
                    writeln!(out, "{why}")?;
                }
            }
        }
        Ok(())
    }
}

/// Which states of which objects these are.
fn versions(rollouts: &[Rollout]) -> Vec<(Option<String>, Option<String>)> {
    let version = |it: &Rollout| (it.metadata.uid.clone(), it.metadata.resource_version.clone());
    rollouts.iter().map(version).collect()
}

fn table(rollouts: &[Rollout], wide: bool) -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    let more = if wide { WIDE.as_slice() } else { &[] };
    // The message is the longest, and stays last.
    let (message, narrow) = NARROW
        .split_last()
        .map_or(("", NARROW.as_slice()), |(last, all)| (*last, all));
    table.set_header(narrow.iter().chain(more).copied().chain([message]));
    for rollout in rollouts {
        let [narrow @ .., message] = row(rollout);
        let more = if wide { wider(rollout).to_vec() } else { Vec::new() };
        table.add_row(narrow.into_iter().chain(more).chain([message]));
    }
    table
}

fn row(rollout: &Rollout) -> [String; NARROW.len()] {
    let status = rollout.status.clone().unwrap_or_default();
    let release = present(&status);
    [
        rollout.metadata.namespace.clone().unwrap_or_default(),
        rollout.metadata.name.clone().unwrap_or_default(),
        status.phase.map_or("Pending", Phase::as_str).to_owned(),
        release
            .map(|release| format!("{}/{}", release.step, release.steps))
            .unwrap_or_default(),
        release
            .map(|release| format!("{} %", release.weight.desired))
            .unwrap_or_default(),
        release
            .and_then(|release| release.verdict)
            .map(|verdict| verdict.as_str().to_owned())
            .unwrap_or_default(),
        status.message.clone().unwrap_or_default(),
    ]
}

fn wider(rollout: &Rollout) -> [String; WIDE.len()] {
    let status = rollout.status.clone().unwrap_or_default();
    let release = present(&status);
    let observed = release.and_then(|release| release.weight.observed);
    [
        observed.map(|weight| format!("{weight} %")).unwrap_or_default(),
        release
            .map(|release| release.revision.clone())
            .unwrap_or_default(),
        status
            .stable
            .as_ref()
            .map(|stable| stable.revision.clone())
            .unwrap_or_default(),
        status
            .history
            .first()
            .map(|entry| format!("{} {}", entry.revision, past(entry.outcome)))
            .unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHOP: &str = "{apiVersion: serin.dev/v1alpha1, kind: Rollout, metadata: {name: a, namespace: b}, spec: {workload: {name: a}, \
                        traffic: {gatewayAPI: {routes: [{name: a}]}}}, status: {phase: PHASE, message: m, stable: {revision: s}, \
                        release: {revision: r, step: 2, steps: 3, weight: {desired: 25, observed: 24}, verdict: Pass}}}";

    fn shop(phase: &str) -> Rollout {
        serde_yaml::from_str(&SHOP.replace("PHASE", phase)).unwrap()
    }

    #[test]
    fn a_release_that_has_ended_has_no_numbers() {
        for (phase, shown) in [
            ("Idle", ["", "", ""]),
            ("Promoted", ["", "", ""]),
            ("Judging", ["2/3", "25 %", "Pass"]),
            ("RolledBack", ["2/3", "25 %", "Pass"]),
        ] {
            assert_eq!(row(&shop(phase))[3..6], shown, "{phase}");
        }
    }

    #[test]
    fn a_wide_line_has_the_revisions_too() {
        let words = |wide| -> Vec<Vec<String>> {
            let text = table(&[shop("Judging")], wide).to_string();
            let line = |line: &str| line.split_whitespace().map(str::to_owned).collect();
            text.lines().map(line).collect()
        };
        assert_eq!(
            words(false)[1],
            ["b", "a", "Judging", "2/3", "25", "%", "Pass", "m"]
        );
        let wide = words(true);
        assert_eq!(wide[0].len(), NARROW.len() + WIDE.len());
        assert_eq!(
            wide[1],
            [
                "b", "a", "Judging", "2/3", "25", "%", "Pass", "24", "%", "r", "s", "m"
            ]
        );
    }
}

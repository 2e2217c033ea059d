//! `serin explain NAME`: the whole course of a release, with the numbers behind each verdict.

mod chart;
mod course;

use std::io::{Read, Write};
use std::path::PathBuf;

use clap::Args;
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ListParams};
use serde_json::Value;

use super::check::documents::without_mark;
use super::connect::{Connection, block_on, refused};
use super::{Exit, Failure, text};
use crate::api::{self, Rollout};
use course::{Course, Look};

/// The narrowest and the widest text, in characters.
const WIDTH: std::ops::RangeInclusive<usize> = 60..=110;
/// The width where nobody tells one.
const USUAL_WIDTH: usize = 100;

/// Tell how a release went, or goes: each step, its verdict's numbers, what was missing in between, and a chart.
///
/// The release under way is told, or else the last one. Times count from its start.
#[derive(Args, Debug)]
pub(super) struct Explain {
    /// The Rollout.
    #[arg(required_unless_present = "file", conflicts_with = "file")]
    name: Option<String>,
    /// Read the Rollout from a file instead, as `kubectl get rollouts.serin.dev NAME -o yaml` gives it; `-` is standard input.
    #[arg(short, long)]
    file: Option<PathBuf>,
    /// Characters of a line, 60 to 110.
    #[arg(long, env = "COLUMNS")]
    width: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Explain {
    pub(super) fn run(self, input: &mut dyn Read, out: &mut dyn Write) -> Result<Exit, Failure> {
        let (rollout, events) = match (&self.file, &self.name) {
            (Some(path), _) => (from_file(path, input)?, Vec::new()),
            (None, name) => block_on(self.fetch(name.as_deref().unwrap_or_default()))?,
        };
        let look = Look {
            width: width(self.width.as_deref()),
            colour: text::coloured(),
        };
        let name = rollout.metadata.name.as_deref().unwrap_or_default();
        let course = Course::of(&rollout, &events).ok_or_else(|| {
            Failure::failed(
                format!("Rollout `{name}` has not seen a release yet"),
                "change the image of its Deployment, then ask again; `serin status` tells what it waits for",
            )
        })?;
        write!(out, "{}", course.text(&look))?;
        Ok(Exit::Healthy)
    }

    async fn fetch(&self, name: &str) -> Result<(Rollout, Vec<Event>), Failure> {
        let connected = self.connection.connect().await?;
        let api: Api<Rollout> = Api::namespaced(connected.client(), &connected.namespace);
        let rollout = api
            .get(name)
            .await
            .map_err(|error| refused(&format!("read Rollout `{name}`"), &error))?;
        let uid = rollout.metadata.uid.as_deref().unwrap_or_default();
        let events: Api<Event> = Api::namespaced(connected.client(), &connected.namespace);
        let about = ListParams::default().fields(&format!("regarding.uid={uid}"));
        // Events are a courtesy: they live for an hour, and not everybody may read them.
        let events = events.list(&about).await.map(|list| list.items);
        Ok((rollout, events.unwrap_or_default()))
    }
}

/// # Errors
/// The file cannot be read, or holds no Rollout.
fn from_file(path: &std::path::Path, input: &mut dyn Read) -> Result<Rollout, Failure> {
    let shown = path.display();
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        input.read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(path).map(|all| text = all)
    };
    read.map_err(|error| Failure::usage(format!("cannot read {shown}: {error}"), "is the path right?"))?;
    let none = |why: String| {
        Failure::usage(
            format!("{shown} holds no Rollout: {why}"),
            "`kubectl get rollouts.serin.dev NAME -o yaml` prints one",
        )
    };
    let object: Value = serde_yaml::from_str(without_mark(&text)).map_err(|error| none(error.to_string()))?;
    let field = |name: &str| object.get(name).and_then(Value::as_str).unwrap_or_default();
    let (version, kind) = (field("apiVersion"), field("kind"));
    let ours = version.split('/').next() == Some(api::GROUP) && kind == "Rollout";
    if !ours {
        return Err(none(format!("it is `{kind}` of `{version}`")));
    }
    serde_json::from_value(object).map_err(|error| none(error.to_string()))
}

/// As wide as asked for, or as the shell says that its window is.
fn width(told: Option<&str>) -> usize {
    let told = told.and_then(|columns| columns.parse().ok());
    told.unwrap_or(USUAL_WIDTH).clamp(*WIDTH.start(), *WIDTH.end())
}

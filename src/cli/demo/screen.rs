//! What the demo shows: a line whenever something has changed, with the numbers behind it.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use serde_json::json;

use super::super::Failure;
use super::scenario::Scenario;
use crate::api::{Phase, Rollout, Verdict};
use crate::controller::Live;
use crate::world::World;

/// Virtual time between two lines while nothing changes.
const PULSE: Duration = Duration::from_secs(30);

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// JSON, one object a line.
    Json,
    /// Text.
    Plain,
    /// Text with colours, for a terminal.
    Colour,
}

/// The lines of a demo.
pub(super) struct Screen {
    style: Style,
    shown: Option<(Option<Phase>, i32, Option<String>)>,
    told: BTreeSet<String>,
    pulse: Duration,
    live: Live,
}

impl Screen {
    pub(super) fn new(style: Style, live: Live) -> Self {
        Self {
            style,
            shown: None,
            told: BTreeSet::new(),
            pulse: Duration::ZERO,
            live,
        }
    }

    pub(super) fn title(&self, scenario: Scenario, out: &mut dyn Write) -> Result<(), Failure> {
        if self.style != Style::Json {
            writeln!(
                out,
                "Serin demo: {}. A simulated cluster and the real operator, in virtual time.",
                scenario.story()
            )?;
            writeln!(
                out,
                "Deployment shop/checkout, 4 replicas; steps 10 %, 25 %, 100 %.\n"
            )?;
            out.flush()?;
        }
        Ok(())
    }

    pub(super) fn say(&self, world: &World, text: &str, out: &mut dyn Write) -> Result<(), Failure> {
        if self.style == Style::Json {
            writeln!(
                out,
                "{}",
                json!({"t": world.elapsed().as_secs_f64(), "person": text})
            )?;
        } else {
            writeln!(out, "{}  {}", clock(world.elapsed()), self.paint("1", text))?;
        }
        out.flush()?;
        Ok(())
    }

    /// Events first, then the state if it has changed or the pulse is due.
    pub(super) fn look(
        &mut self,
        world: &World,
        rollout: &Rollout,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        self.events(world, out)?;
        let Some(status) = &rollout.status else {
            return Ok(());
        };
        let release = status.release.as_ref();
        let weight = release.map_or(0, |release| release.weight.desired);
        let state = (status.phase, weight, status.message.clone());
        let due = release.is_some() && world.elapsed() >= self.pulse;
        if self.shown.as_ref() == Some(&state) && !due {
            return Ok(());
        }
        self.pulse = world.elapsed() + PULSE;
        self.shown = Some(state);
        if self.style == Style::Json {
            writeln!(
                out,
                "{}",
                json!({"t": world.elapsed().as_secs_f64(), "status": status, "live": self.live.verdicts("shop", "checkout"), "inForce": candidate_share(world)})
            )?;
        } else {
            self.line(world, rollout, out)?;
        }
        out.flush()?;
        Ok(())
    }

    fn line(&self, world: &World, rollout: &Rollout, out: &mut dyn Write) -> Result<(), Failure> {
        let Some(status) = &rollout.status else {
            return Ok(());
        };
        let phase = status.phase.map_or("Pending", Phase::as_str);
        let place = status.release.as_ref().map_or_else(String::new, |release| {
            let observed =
                candidate_share(world).map_or_else(String::new, |share| format!(", observed {share:.1} %"));
            format!(
                "step {}/{}, weight {} %{observed}",
                release.step, release.steps, release.weight.desired
            )
        });
        let message = status.message.as_deref().unwrap_or_default();
        writeln!(
            out,
            "{}  {}  {place}  {message}",
            clock(world.elapsed()),
            self.paint(tint(status.phase), &format!("{phase:<11}"))
        )?;
        for verdict in self.live.verdicts("shop", "checkout") {
            let tint = if verdict.verdict == Verdict::Fail {
                "31"
            } else {
                "36"
            };
            writeln!(out, "         {}", self.paint(tint, &verdict.reason))?;
        }
        Ok(())
    }

    fn events(&mut self, world: &World, out: &mut dyn Write) -> Result<(), Failure> {
        let mut events = world.objects("events", "shop");
        events.sort_by_key(|event| event["eventTime"].as_str().unwrap_or_default().to_owned());
        for event in events {
            let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
            let name = event["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if !text("reportingController").starts_with("serin.dev/") || !self.told.insert(name) {
                continue;
            }
            if self.style == Style::Json {
                writeln!(
                    out,
                    "{}",
                    json!({"t": world.elapsed().as_secs_f64(), "event": text("reason"), "note": text("note")})
                )?;
            } else {
                let tint = if text("type") == "Warning" { "33" } else { "2" };
                let line = format!("event {}: {}", text("reason"), text("note"));
                writeln!(out, "{}  {}", clock(world.elapsed()), self.paint(tint, &line))?;
            }
        }
        Ok(())
    }

    pub(super) fn outcome(
        &self,
        world: &World,
        ended: Option<Phase>,
        right: bool,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let seen = world.seen("shop", "checkout");
        let phase = ended.map_or("not ended", Phase::as_str);
        let verdict = if right { "as expected" } else { "NOT as expected" };
        if self.style == Style::Json {
            writeln!(
                out,
                "{}",
                json!({"t": world.elapsed().as_secs_f64(), "outcome": phase, "right": right, "requests": seen.requests, "failed": seen.failures})
            )?;
        } else {
            let line = format!(
                "{phase} after {}: {} of {} requests failed, whichever version served them; {verdict}",
                clock(world.elapsed()).trim(),
                crate::engine::words::grouped(seen.failures),
                crate::engine::words::grouped(seen.requests)
            );
            writeln!(out, "\n{}", self.paint(if right { "32" } else { "31" }, &line))?;
        }
        out.flush()?;
        Ok(())
    }

    fn paint(&self, tint: &str, text: &str) -> String {
        if self.style == Style::Colour {
            format!("\u{1b}[{tint}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

fn tint(phase: Option<Phase>) -> &'static str {
    match phase {
        Some(Phase::Promoted) => "32",
        Some(Phase::RollingBack | Phase::RolledBack) => "31",
        Some(Phase::Holding) => "33",
        _ => "36",
    }
}

/// `12:34`, minutes and seconds of virtual time.
fn clock(elapsed: Duration) -> String {
    format!("{:>4}:{:02}", elapsed.as_secs() / 60, elapsed.as_secs() % 60)
}

/// The candidate's share of the route as it is in force in the gateway, in per cent.
fn candidate_share(world: &World) -> Option<f64> {
    let weights = world.weights_in_force("shop", "checkout");
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    let candidate: f64 = weights
        .iter()
        .filter(|(name, _)| name.contains("-canary-"))
        .map(|(_, weight)| weight)
        .sum();
    (total > 0.0).then(|| (100.0 * candidate / total).max(0.0))
}

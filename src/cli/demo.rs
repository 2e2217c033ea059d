//! `serin demo`: the real operator on a simulated cluster, in virtual time. Needs no cluster, no network, no root.

mod scenario;
mod screen;

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tokio::task::JoinSet;

use super::{Exit, Failure, text};
use crate::api::{Phase, Rollout};
use crate::cluster::client::Clients;
use crate::cluster::lease;
use crate::controller::Operator;
use crate::engine::plan::GateMode;
use crate::ports::Clock;
use crate::world::{Options, Simulated, World};
use scenario::Scenario;
use screen::{Screen, Style};

/// The identity under which the chart installs the operator.
const OPERATOR: &str = "system:serviceaccount:serin:serin";
/// Virtual time between two looks at the cluster.
const LOOK: Duration = Duration::from_secs(1);
/// No release of the demo takes longer.
const LIMIT: Duration = Duration::from_secs(4 * 3600);

/// Show a release from beginning to end.
#[derive(Args, Debug)]
pub(super) struct Demo {
    /// What happens.
    #[arg(long, value_enum, default_value_t = Scenario::Good)]
    scenario: Scenario,
    /// How many times faster than real time; 0: as fast as possible.
    #[arg(long, default_value_t = 60.0)]
    speed: f64,
    /// Seed of everything that is left to chance.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How it is shown.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// A JSON object a line.
    Json,
}

impl Demo {
    pub(super) fn run(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        if !self.speed.is_finite() || self.speed < 0.0 {
            return Err(Failure::usage(
                format!("--speed {} is not a speed", self.speed),
                "give a number, for example 60",
            ));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .map_err(|error| {
                Failure::failed(format!("no runtime: {error}"), "are there too many open files?")
            })?;
        runtime.block_on(self.show(out))
    }

    async fn show(self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let world = World::new(&Options {
            seed: self.seed,
            ..Options::default()
        });
        self.scenario.prepare(&world)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(world.clone().run_with(pace(self.speed)));
        let operator = operator(&world);
        let live = operator.live();
        tasks.spawn(async move {
            if let Err(lost) = operator.run(std::future::pending()).await {
                tracing::error!("{lost}");
            }
        });
        let style = match self.output {
            Output::Json => Style::Json,
            Output::Text if text::coloured() => Style::Colour,
            Output::Text => Style::Plain,
        };
        let mut screen = Screen::new(style, live);
        screen.title(self.scenario, out)?;
        let ended = self.watch(&world, &mut screen, out).await?;
        tasks.abort_all();
        let wanted = self.scenario.must_end();
        let right = ended == Some(wanted);
        screen.outcome(&world, ended, right, out)?;
        Ok(if right { Exit::Healthy } else { Exit::Failed })
    }

    /// Looks on until the release has ended; `None` if it does not.
    async fn watch(
        &self,
        world: &World,
        screen: &mut Screen,
        out: &mut dyn Write,
    ) -> Result<Option<Phase>, Failure> {
        let (mut shipped, mut helped) = (false, false);
        while world.elapsed() < LIMIT {
            let rollout = rollout(world);
            let phase = rollout
                .as_ref()
                .and_then(|rollout| rollout.status.as_ref())
                .and_then(|status| status.phase);
            if !shipped && phase == Some(Phase::Idle) {
                shipped = true;
                screen.say(world, "a person ships checkout:v2 (kubectl set image)", out)?;
                Scenario::ship(world)?;
            }
            if let Some(rollout) = &rollout {
                screen.look(world, rollout, out)?;
                if let Some((replicas, words)) = self.help(rollout).filter(|_| !helped) {
                    helped = true;
                    screen.say(world, words, out)?;
                    Scenario::scale(world, replicas)?;
                }
            }
            match phase {
                Some(ended @ (Phase::Promoted | Phase::RolledBack)) if shipped => return Ok(Some(ended)),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
        Ok(None)
    }
}

impl Demo {
    /// What a person does about what the release has waited for for a while.
    fn help(&self, rollout: &Rollout) -> Option<(u32, &'static str)> {
        let status = rollout.status.as_ref()?;
        let ready = status
            .conditions
            .iter()
            .find(|condition| condition.type_ == "Ready")?;
        self.scenario.remedy(&ready.reason)
    }
}

/// The operator as `serin run` builds it, but for the clients, the clock and the metrics.
fn operator(world: &World) -> Operator {
    let clients = Clients::both(world.client_as(OPERATOR));
    let clock: Arc<dyn Clock> = Arc::new(world.clock());
    let providers = Arc::new(Simulated(Arc::new(world.metrics())));
    let lease = lease::Settings {
        namespace: "serin".into(),
        name: "serin".into(),
        identity: "demo".into(),
        timing: lease::Timing::default(),
    };
    Operator::new(clients, clock, providers, GateMode::Admission, lease)
}

/// Virtual time runs as fast as the machine can; this holds it back to `speed` times real time.
fn pace(speed: f64) -> impl FnMut(Duration) + Send {
    #[allow(clippy::disallowed_methods)] // real time is the point here
    let begun = std::time::Instant::now();
    move |elapsed| {
        if speed > 0.0 {
            let due = elapsed.div_f64(speed);
            std::thread::sleep(due.saturating_sub(begun.elapsed()));
        }
    }
}

fn rollout(world: &World) -> Option<Rollout> {
    serde_json::from_value(world.object("rollouts", "shop", "checkout")?).ok()
}

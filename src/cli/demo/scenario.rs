//! What the demo can show, and what each scenario must end with.

use std::time::Duration;

use clap::ValueEnum;

use super::super::Failure;
use crate::api::{Phase, crd};
use crate::engine::reason;
use crate::world::{Image, Load, Outage, ROLLOUT, Shop, World};

/// A story of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// A good version at 50 requests a second: promoted.
    Good,
    /// A version that fails 20 % of its requests: rolled back.
    Errors,
    /// A good version at 2 requests a second: promoted, later.
    LowTraffic,
    /// A good version, and an outage of something that both versions need: waits, then promoted.
    Outage,
    /// A good version whose requests cost eight times as much: waits until a person scales up, then promoted.
    Saturation,
}

const GATE: &str = include_str!("gate.yaml");

/// What the owner of a service with little traffic writes: proof of a tenth of a per cent would take days.
const COARSE: &str = "  analysis:
    metrics: [{name: error-rate, unacceptable: {ratio: 2, absolute: 0.01}}]
";

impl Scenario {
    /// Sets up the shop, its traffic, and the Rollout.
    pub(super) fn prepare(self, world: &World) -> Result<(), Failure> {
        let failed = |error: crate::world::WorldError| {
            Failure::failed(
                format!("the simulated cluster refuses its set-up: {error}"),
                "this is a bug: please report it",
            )
        };
        for crd in crd::all() {
            world.install_crd(&serde_json::to_value(&crd).unwrap_or_default());
        }
        let stable = Image {
            cpu: (0.02, 0.005),
            ..Image::failing(0.001)
        };
        world.define_image("checkout:v1", stable);
        world.define_image("checkout:v2", self.candidate());
        world.apply_yaml(GATE).map_err(failed)?;
        let shop = Shop {
            limits: (self == Self::Saturation).then(|| "{cpu: 500m}".to_owned()),
            ..Shop::default()
        };
        world.install(&shop).map_err(failed)?;
        let coarse = if self == Self::LowTraffic { COARSE } else { "" };
        world.apply_yaml(&format!("{ROLLOUT}{coarse}")).map_err(failed)?;
        world.add_load(Load::constant("shop", "checkout", self.requests_per_second()));
        if self == Self::Outage {
            world.add_outage(Outage {
                from: Duration::from_secs(150),
                until: Duration::from_secs(450),
                rate: 0.2,
            });
        }
        Ok(())
    }

    /// Somebody changes the image.
    pub(super) fn ship(world: &World) -> Result<(), Failure> {
        world
            .set_image("shop", "checkout", "checkout:v2")
            .map_err(|error| {
                Failure::failed(
                    format!("the image cannot be set: {error}"),
                    "this is a bug: please report it",
                )
            })
    }

    /// Somebody scales the Deployment.
    pub(super) fn scale(world: &World, replicas: u32) -> Result<(), Failure> {
        world.set_replicas("shop", "checkout", replicas).map_err(|error| {
            Failure::failed(
                format!("the Deployment cannot be scaled: {error}"),
                "this is a bug: please report it",
            )
        })
    }

    /// What a person does about a release that waits for this reason, and in words.
    pub(super) fn remedy(self, reason: &str) -> Option<(u32, &'static str)> {
        let scales = self == Self::Saturation && reason == reason::WOULD_SATURATE;
        scales.then_some((
            6,
            "a person reads that and scales up (kubectl scale --replicas 6)",
        ))
    }

    /// The outcome that alone is right.
    pub(super) const fn must_end(self) -> Phase {
        match self {
            Self::Good | Self::LowTraffic | Self::Outage | Self::Saturation => Phase::Promoted,
            Self::Errors => Phase::RolledBack,
        }
    }

    /// One line for the title.
    pub(super) const fn story(self) -> &'static str {
        match self {
            Self::Good => "a good version, 50 requests a second",
            Self::Errors => "a version that fails 20 % of its requests",
            Self::LowTraffic => "a good version, 2 requests a second, with a margin that so few can prove",
            Self::Saturation => "a good version whose requests cost eight times as much CPU",
            Self::Outage => "a good version, while something that both versions need fails for five minutes",
        }
    }

    const fn requests_per_second(self) -> f64 {
        match self {
            Self::LowTraffic => 2.0,
            Self::Good | Self::Errors | Self::Outage | Self::Saturation => 50.0,
        }
    }

    fn candidate(self) -> Image {
        match self {
            Self::Errors => Image::failing(0.2),
            Self::Saturation => Image {
                cpu: (0.02, 0.04),
                ..Image::failing(0.001)
            },
            Self::Good | Self::LowTraffic | Self::Outage => Image::failing(0.001),
        }
    }
}

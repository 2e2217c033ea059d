//! Effects as writes: through the real client into the simulated cluster.
#![allow(clippy::unwrap_used)] // the lints know tests, but not their helpers

mod fence;
mod release;

use std::time::Duration;

use serde_json::{Value, json};
use serin::api::{Original, Rollout};
use serin::cluster::apply::{Applied, ApplyError, Job, Leader, Writer};
use serin::cluster::error::Error;
use serin::cluster::lease::Stamp;
use serin::cluster::snapshot::Snapshot;
use serin::engine::quantity::{Revision, Weight};
use serin::engine::state::{Phase, Release, Stage, State};
use serin::engine::{Effect, Moment};
use serin::ports::{BoxFuture, Clock};
use serin::render::{names, revision, route};
use serin::world::{Options, Shop, World};

const ARMS: route::Arms<'static> = route::Arms {
    stable: "checkout",
    workload: "checkout",
};

/// A leader whose Lease says what the test says.
struct Says(Option<Stamp>);

impl Leader for Says {
    fn holds(&self, _: &Stamp) -> bool {
        true
    }

    fn live(&self) -> BoxFuture<'_, Result<Option<Stamp>, Error>> {
        Box::pin(async { Ok(self.0.clone()) })
    }
}

fn stamp(epoch: u32) -> Stamp {
    Stamp::new("lease", epoch)
}

/// A shop with a Rollout, rolled out.
struct Stage0 {
    world: World,
    writer: Writer,
    leader: Says,
    state: State,
}

impl Stage0 {
    async fn new() -> Self {
        let world = World::new(&Options::default());
        world.install(&Shop::default()).unwrap();
        let crd = <Rollout as kube::CustomResourceExt>::crd();
        world.install_crd(&serde_json::to_value(crd).unwrap());
        world
            .apply(&json!({
                "apiVersion": "serin.dev/v1alpha1", "kind": "Rollout",
                "metadata": {"name": "checkout", "namespace": "shop"},
                "spec": {"workload": {"name": "checkout"}, "traffic": {"gatewayAPI": {"routes": [{"name": "checkout"}]}}},
            }))
            .unwrap();
        tokio::spawn(world.clone().run());
        let stage = Self {
            writer: writer(&world, 7),
            leader: Says(Some(stamp(7))),
            state: State::default(),
            world,
        };
        stage.wait(10).await;
        stage
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn object(&self, plural: &str, name: &str) -> Value {
        self.world.object(plural, "shop", name).unwrap()
    }

    /// All that is there, as the cache would have it.
    fn snapshot(&self) -> Snapshot {
        let rollout = self.object("rollouts", "checkout");
        let uid = rollout["metadata"]["uid"].clone();
        let split = |plural: &str| -> (Vec<Value>, Vec<Value>) {
            self.world
                .objects(plural, "shop")
                .into_iter()
                .partition(|object| object["metadata"]["labels"][names::ROLLOUT_UID] == uid)
        };
        let (ours, others) = split("deployments");
        let (our_services, other_services) = split("services");
        Snapshot {
            namespace: "shop".into(),
            workload: self.world.object("deployments", "shop", "checkout"),
            replica_sets: self
                .world
                .objects("replicasets", "shop")
                .into_iter()
                .filter(|set| set["metadata"]["ownerReferences"][0]["name"] == "checkout")
                .collect(),
            service: self.world.object("services", "shop", "checkout"),
            routes: vec![(
                "checkout".into(),
                self.world.object("httproutes", "shop", "checkout"),
            )],
            candidates: ours,
            candidate_services: our_services,
            neighbours: [others, other_services].concat(),
            actions: self.world.objects("rolloutactions", "shop"),
            rollout,
            ..Snapshot::default()
        }
    }

    async fn apply(&self, effect: Effect) -> Result<Applied, ApplyError> {
        self.apply_over(&self.snapshot(), effect).await
    }

    async fn apply_over(&self, snapshot: &Snapshot, effect: Effect) -> Result<Applied, ApplyError> {
        let job = Job {
            snapshot,
            state: &self.state,
            now: self.now(),
            leader: &self.leader,
        };
        Box::pin(self.writer.apply(&effect, &job)).await
    }

    fn now(&self) -> Moment {
        self.world.clock().now()
    }

    fn template(&self) -> Revision {
        revision::of_template(&self.object("deployments", "checkout")["spec"]["template"])
    }

    /// A template change, held by a pause, whose release is committed with the route's originals.
    async fn begin(&mut self) -> Revision {
        self.apply(Effect::Guard).await.unwrap();
        self.apply(Effect::Pause).await.unwrap();
        self.world.set_image("shop", "checkout", "checkout:v2").unwrap();
        let revision = self.template();
        self.state.phase = Phase::Releasing(Release {
            revision: revision.clone(),
            started: self.now(),
            entered: self.now(),
            ladder: Vec::new(),
            rung: 0,
            passed: 0,
            weight: Weight::clamped(10),
            stage: Stage::Judging,
            granted: 1,
            approved: false,
            paused: false,
            lost: 0,
            restarts: None,
            gap: None,
            overstayed: None,
        });
        let originals = route::originals(&self.object("httproutes", "checkout"), &ARMS, &[]).unwrap();
        self.commit(&originals).await.unwrap();
        revision
    }

    /// The same with a ready candidate.
    async fn begin_with_candidate(&mut self) -> Revision {
        let revision = self.begin().await;
        self.apply(Effect::Candidate {
            revision: revision.clone(),
            replicas: 1,
        })
        .await
        .unwrap();
        self.wait(10).await;
        revision
    }

    async fn commit(&self, originals: &[Original]) -> Result<Value, ApplyError> {
        let status = json!({"message": "releasing", "originals": originals});
        self.writer
            .commit_status(&self.object("rollouts", "checkout"), &status)
            .await
    }

    fn weights(&self) -> Vec<(String, u64)> {
        let route = self.object("httproutes", "checkout");
        let backends = route["spec"]["rules"][0]["backendRefs"]
            .as_array()
            .unwrap()
            .clone();
        backends
            .iter()
            .map(|backend| {
                let name = backend["name"].as_str().unwrap().to_owned();
                (name, backend["weight"].as_u64().unwrap_or(1))
            })
            .collect()
    }
}

fn writer(world: &World, epoch: u32) -> Writer {
    Writer::new(
        world.client_as("system:serviceaccount:serin:serin"),
        Duration::from_secs(5),
        stamp(epoch),
    )
}

fn up(weight: u8) -> Effect {
    Effect::Route {
        weight: Weight::clamped(weight),
        up: true,
    }
}

fn down(weight: u8) -> Effect {
    Effect::Route {
        weight: Weight::clamped(weight),
        up: false,
    }
}

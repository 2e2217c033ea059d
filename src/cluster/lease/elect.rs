//! The election at work: one call a renewal while leading, one open watch while following.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::Api;
use kube::api::{Patch, PatchParams, PostParams, WatchEvent, WatchParams};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::decide::{LeaseStep, Observed, Record, Term, decide};
use super::stamp::Epoch;
use super::{RESOURCE, Settings, View};
use crate::cluster::client::{Clients, call};
use crate::cluster::error::{Call, Class, Error};
use crate::ports::Clock;

/// How long the API server keeps a watch open, in seconds.
const WATCH_SECONDS: u32 = 290;

/// The term is over and nothing may be written any more. The process ends; once restarted it is a follower.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("leadership lost: {0}")]
pub struct Lost(&'static str);

type Stream = BoxStream<'static, kube::Result<WatchEvent<Lease>>>;

/// One candidate for leadership.
pub struct Elector {
    read: Api<Lease>,
    write: Api<Lease>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    sender: watch::Sender<View>,
    observed: Option<Observed>,
    term: Option<Term>,
    stream: Option<Stream>,
    /// What was seen may be out of date: it must be read before the next step.
    doubt: bool,
}

impl Elector {
    pub(super) fn new(
        clients: &Clients,
        clock: Arc<dyn Clock>,
        settings: Settings,
        sender: watch::Sender<View>,
    ) -> Self {
        Self {
            read: Api::namespaced(clients.read.clone(), &settings.namespace),
            write: Api::namespaced(clients.write.clone(), &settings.namespace),
            clock,
            settings,
            sender,
            observed: None,
            term: None,
            stream: None,
            doubt: true,
        }
    }

    /// Follows, leads, and gives the Lease back when `shutdown` ends: complete it after the last write.
    ///
    /// `floor` gives the highest epoch that any Rollout's status carries, so start this when they have been read.
    ///
    /// # Errors
    /// [`Lost`]: this process led and does not any more. It must end with a failure.
    pub async fn run(
        mut self,
        floor: impl Fn() -> Epoch + Send,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), Lost> {
        tokio::pin!(shutdown);
        tokio::select! {
            biased;
            () = &mut shutdown => {}
            lost = self.campaign(&floor) => return Err(lost),
        }
        self.resign().await;
        Ok(())
    }

    async fn campaign(&mut self, floor: &(impl Fn() -> Epoch + Send)) -> Lost {
        loop {
            let started = Instant::now();
            let step = decide(
                started,
                self.observed.as_ref(),
                self.term.as_ref(),
                &self.settings.identity,
                &self.settings.timing,
            );
            let outcome = match step {
                LeaseStep::Lose(why) => {
                    self.term = None;
                    self.publish();
                    return Lost(why);
                }
                LeaseStep::Read => self.look().await,
                _ if self.doubt => self.look().await,
                LeaseStep::Hold(until) => {
                    sleep_until(until).await;
                    Ok(())
                }
                LeaseStep::Follow(until) => self.follow(until).await,
                LeaseStep::Create => self.create(floor()).await,
                LeaseStep::Take => self.take(floor()).await,
                LeaseStep::Renew => self.renew().await,
            };
            if let Err(error) = outcome {
                self.after(&error, started).await;
            }
        }
    }

    /// A failed call leaves doubt about the Lease, so that it is read next; the pause keeps the rate of calls low.
    async fn after(&mut self, error: &Error, started: Instant) {
        let conflict = error.class() == Class::Conflict;
        if conflict {
            tracing::debug!(%error, "the Lease changed meanwhile");
        } else {
            tracing::warn!(%error, label = error.label(), "leader election");
        }
        self.stream = None;
        self.doubt = true;
        if conflict && self.term.is_some() {
            return;
        }
        let pause = started + self.settings.timing.retry;
        sleep_until(self.term.as_ref().map_or(pause, |term| pause.min(term.until))).await;
    }

    fn call(&self, verb: &'static str) -> Call {
        Call::new(verb, RESOURCE)
            .within(&self.settings.namespace)
            .on(&self.settings.name)
    }

    /// A server that is slow to answer is waited for: a leader that gives up on it harms more. But what is left of a term must
    /// do for another call, should this one's answer be lost.
    fn deadline(&self) -> Duration {
        let renew = self.settings.timing.renew;
        self.term.as_ref().map_or(renew, |term| {
            let left = term.until.saturating_duration_since(Instant::now());
            renew.min(left.mul_f64(0.7))
        })
    }

    async fn look(&mut self) -> Result<(), Error> {
        let get = self.read.get_opt(&self.settings.name);
        let lease = call(self.call("get"), self.deadline(), get).await?;
        self.doubt = false;
        self.saw(lease.as_ref().and_then(Record::of));
        Ok(())
    }

    fn saw(&mut self, record: Option<Record>) {
        self.observed = Some(Observed::update(self.observed.as_ref(), record, Instant::now()));
        self.publish();
    }

    /// Waits for a change of the Lease, or until the holder is taken for gone.
    async fn follow(&mut self, until: Instant) -> Result<(), Error> {
        if self.stream.is_none() {
            let Some(version) = self.version() else {
                return Ok(());
            };
            let fields = format!("metadata.name={}", self.settings.name);
            let params = WatchParams::default().fields(&fields).timeout(WATCH_SECONDS);
            let watch = self.read.watch(&params, &version);
            let stream = call(self.call("watch"), self.deadline(), watch).await?;
            self.stream = Some(stream.boxed());
        }
        let Some(stream) = self.stream.as_mut() else {
            return Ok(());
        };
        let event = tokio::select! {
            event = stream.next() => event,
            () = sleep_until(until) => return Ok(()),
        };
        match event {
            Some(Ok(WatchEvent::Added(lease) | WatchEvent::Modified(lease))) if self.ours(&lease) => {
                self.saw(Record::of(&lease));
            }
            Some(Ok(WatchEvent::Deleted(lease))) if self.ours(&lease) => self.saw(None),
            Some(Ok(WatchEvent::Error(status))) => {
                return Err(Error::new(self.call("watch"), kube::Error::Api(status)));
            }
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(Error::new(self.call("watch"), error)),
            None => {
                self.stream = None;
                self.doubt = true;
            }
        }
        Ok(())
    }

    fn ours(&self, lease: &Lease) -> bool {
        lease.metadata.name.as_deref() == Some(self.settings.name.as_str())
    }

    async fn create(&mut self, floor: Epoch) -> Result<(), Error> {
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(Record::next_epoch(None, floor))),
        };
        let sent = Instant::now();
        let params = PostParams::default();
        let created = call(
            self.call("create"),
            self.deadline(),
            self.write.create(&params, &lease),
        )
        .await?;
        self.won(&created, sent)
    }

    async fn take(&mut self, floor: Epoch) -> Result<(), Error> {
        let spec = self.spec(Record::next_epoch(self.record(), floor));
        self.write(json!(spec)).await
    }

    async fn renew(&mut self) -> Result<(), Error> {
        self.write(json!({"renewTime": self.now()})).await
    }

    /// The whole spec of a new term.
    fn spec(&self, epoch: Epoch) -> LeaseSpec {
        LeaseSpec {
            acquire_time: Some(self.now()),
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.timing.duration.as_secs()).ok(),
            lease_transitions: i32::try_from(epoch).ok(),
            renew_time: Some(self.now()),
            ..LeaseSpec::default()
        }
    }

    fn now(&self) -> MicroTime {
        MicroTime(self.clock.now())
    }

    /// One conditional patch: it fails if anybody has written since the Lease was seen.
    async fn write(&mut self, spec: Value) -> Result<(), Error> {
        let sent = Instant::now();
        let patched = self.patch(spec).await?;
        self.won(&patched, sent)
    }

    async fn patch(&mut self, spec: Value) -> Result<Lease, Error> {
        let version = self.version();
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version}, "spec": spec}));
        let params = PatchParams::default();
        let patch = self.write.patch(&self.settings.name, &params, &patch);
        call(self.call("patch"), self.deadline(), patch).await
    }

    /// `lease` is ours since a write sent at `sent`.
    fn won(&mut self, lease: &Lease, sent: Instant) -> Result<(), Error> {
        let Some(record) = Record::of(lease) else {
            return Err(Error::unusable(self.call("patch"), "the answer has no metadata"));
        };
        let term = Term::new(record.stamp(), sent, &self.settings.timing);
        if self.term.is_none() {
            tracing::info!(epoch = record.epoch, holder = self.settings.identity, "leading");
        }
        self.stream = None;
        self.term = Some(term);
        self.saw(Some(record));
        Ok(())
    }

    fn record(&self) -> Option<&Record> {
        self.observed
            .as_ref()
            .and_then(|observed| observed.record.as_ref())
    }

    fn version(&self) -> Option<String> {
        self.record().map(|record| record.version.clone())
    }

    fn publish(&self) {
        self.sender.send_modify(|view| {
            view.term.clone_from(&self.term);
            view.holder = self.record().and_then(|record| record.holder.clone());
            view.known |= self.observed.is_some();
        });
    }

    /// Gives the Lease back, so that a standby need not wait for its end.
    async fn resign(&mut self) {
        if self.term.take().is_none() {
            return;
        }
        self.publish();
        for _ in 0..2 {
            let holder = self.record().and_then(|record| record.holder.as_deref());
            if holder != Some(self.settings.identity.as_str()) {
                return;
            }
            match self.patch(json!({"holderIdentity": null})).await {
                Ok(_) => {
                    tracing::info!("the Lease is given back");
                    return;
                }
                Err(error) if error.class() == Class::Conflict => {
                    if self.look().await.is_err() {
                        return;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the Lease could not be given back: a standby waits for its end");
                    return;
                }
            }
        }
    }
}

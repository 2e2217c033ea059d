//! Whether an operator keeps the status up: where none leads it stands still, and looks as if all were well.
//!
//! What cannot be known is not told: without the right to read the Lease, or where another Lease than the one looked at
//! stands on the Rollout, nothing is said.

use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use tokio::time::Instant;

use crate::api::Rollout;
use crate::cluster::lease::Stamp;
use crate::ports::Clock;

/// Between two looks of somebody who follows.
const LOOK: Duration = Duration::from_secs(10);
/// A holder renews every five seconds, and another takes over after fifteen: this is long enough for clocks that differ.
const SILENT: SignedDuration = SignedDuration::from_mins(1);

/// Where the operator's Lease is.
#[derive(Args, Clone, Debug)]
pub(super) struct Place {
    /// The operator's own namespace. Where its Lease can be read it is told when no operator is at work.
    #[arg(long, env = "SERIN_LEASE_NAMESPACE", default_value = "serin")]
    lease_namespace: String,
    /// Name of the operator's Lease.
    #[arg(long, env = "SERIN_LEASE_NAME", default_value = "serin")]
    lease_name: String,
}

#[cfg(test)]
impl Default for Place {
    fn default() -> Self {
        let serin = || "serin".to_owned();
        Self {
            lease_namespace: serin(),
            lease_name: serin(),
        }
    }
}

impl Place {
    /// Why nothing will change in `rollouts`, if it is known that nobody leads.
    pub(super) async fn vacant(
        &self,
        client: Client,
        rollouts: &[Rollout],
        clock: &dyn Clock,
    ) -> Option<String> {
        let leases: Api<Lease> = Api::namespaced(client, &self.lease_namespace);
        let lease = leases.get(&self.lease_name).await.ok()?;
        if !rollouts.iter().any(|rollout| stands_on(rollout, &lease)) {
            return None;
        }
        let why = vacancy(&lease, clock.now())?;
        let Self {
            lease_namespace: namespace,
            lease_name: name,
        } = self;
        Some(format!(
            "no operator is at work, and what is shown here stands still: {why} (Lease `{name}` in namespace \
             `{namespace}`); is one running there (`kubectl get pods -n {namespace}`)?"
        ))
    }
}

/// Who leads, for somebody who looks at Rollouts.
pub(super) struct Leader<'a> {
    place: &'a Place,
    client: Client,
    clock: &'a dyn Clock,
    asked: Option<Instant>,
    vacant: Option<String>,
}

impl<'a> Leader<'a> {
    pub(super) fn new(place: &'a Place, client: Client, clock: &'a dyn Clock) -> Self {
        Self {
            place,
            client,
            clock,
            asked: None,
            vacant: None,
        }
    }

    /// Looks again where the last look was some time ago. Whether somebody has come or gone.
    pub(super) async fn look(&mut self, rollouts: &[Rollout]) -> bool {
        let now = Instant::now();
        if self.asked.is_some_and(|asked| now.duration_since(asked) < LOOK) {
            return false;
        }
        self.asked = Some(now);
        let before = self.vacant.is_some();
        self.vacant = self.place.vacant(self.client.clone(), rollouts, self.clock).await;
        self.vacant.is_some() != before
    }

    /// Why nothing will change, if nobody leads.
    pub(super) fn vacant(&self) -> Option<&str> {
        self.vacant.as_deref()
    }
}

/// Whether `lease` is the one under which the status was last written. A Rollout that no operator has seen yet has none.
fn stands_on(rollout: &Rollout, lease: &Lease) -> bool {
    let stamp = rollout.status.as_ref().and_then(|status| status.stamp.as_deref());
    match stamp.map(str::parse::<Stamp>) {
        None => true,
        Some(Ok(stamp)) => lease.metadata.uid.as_deref() == Some(stamp.lease()),
        Some(Err(_)) => false,
    }
}

/// Why nobody leads by this Lease.
fn vacancy(lease: &Lease, now: Timestamp) -> Option<String> {
    let spec = lease.spec.as_ref()?;
    if spec.holder_identity.as_deref().is_none_or(str::is_empty) {
        return Some("the last one gave up its leadership".to_owned());
    }
    let silence = now.duration_since(spec.renew_time.as_ref()?.0);
    (silence > SILENT).then(|| {
        format!(
            "by this machine's clock the last one has not been heard of for {} min",
            silence.as_mins()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RENEWED: &str = "2026-01-01T00:00:00.000000Z";

    fn lease(holder: &str) -> Lease {
        let lease =
            json!({"metadata": {"uid": "a"}, "spec": {"holderIdentity": holder, "renewTime": RENEWED}});
        serde_json::from_value(lease).unwrap()
    }

    fn after(seconds: i64) -> Timestamp {
        RENEWED.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn a_lease_that_was_given_up_or_is_not_renewed_has_no_leader() {
        let gone = "the last one gave up its leadership";
        assert_eq!(vacancy(&lease(""), after(1)).as_deref(), Some(gone));
        let silent = "by this machine's clock the last one has not been heard of for 3 min";
        assert_eq!(vacancy(&lease("one"), after(200)).as_deref(), Some(silent));
        // A clock that is some seconds off, to either side.
        for seconds in [-30, 0, 60] {
            assert_eq!(vacancy(&lease("one"), after(seconds)), None, "{seconds} s");
        }
    }

    #[test]
    fn another_operators_lease_tells_nothing() {
        let rollout = |status: serde_json::Value| -> Rollout {
            let spec = json!({"workload": {"name": "shop"}, "traffic": {"gatewayAPI": {"routes": [{"name": "shop"}]}}});
            let whole = json!({"apiVersion": "serin.dev/v1alpha1", "kind": "Rollout", "metadata": {"name": "shop"},
                "spec": spec, "status": status});
            serde_json::from_value(whole).unwrap()
        };
        for (status, stands) in [
            (json!({"stamp": "a/3"}), true),
            (json!({"stamp": "b/3"}), false),
            (json!({"stamp": "?"}), false),
            (json!(null), true),
        ] {
            assert_eq!(
                stands_on(&rollout(status.clone()), &lease("one")),
                stands,
                "{status}"
            );
        }
    }
}

//! What each family of metrics is called and says: for the registry, for `docs/metrics.md`, and for tests that look for it.

/// One family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name in the registry, without suffix.
    pub(super) name: &'static str,
    kind: Kind,
    /// The names of its labels.
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl About {
    /// The name that dashboards read.
    pub fn full_name(&self) -> String {
        let suffix = match self.kind {
            Kind::Counter => "_total",
            Kind::Gauge | Kind::Histogram => "",
            Kind::Info => "_info",
        };
        format!("{}{suffix}", self.name)
    }

    /// What kind of metric it is, in one word.
    pub const fn kind(&self) -> &'static str {
        match self.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }
}

macro_rules! families {
    ($($constant:ident: $kind:ident, $name:literal, [$($label:literal),*], $help:literal;)*) => {
        $(pub(super) const $constant: About = About {
            name: $name,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*
        /// All families.
        pub const FAMILIES: &[About] = &[$($constant),*];
    };
}

families! {
    PHASE: Gauge, "serin_rollout_phase", ["namespace", "name", "phase"], "1 for the present phase";
    WEIGHT: Gauge, "serin_rollout_weight", ["namespace", "name", "arm", "kind"],
        "Share of the requests in per cent of candidate and stable, desired as committed and observed as the route gives it";
    VALUE: Gauge, "serin_analysis_value", ["namespace", "name", "check", "arm"],
        "Share of bad requests, 0 to 1, that the judge has counted for a metric at the present step, by arm: candidate, \
         baseline, or past where the candidate is compared with that";
    VERDICTS: Counter, "serin_analysis_verdict", ["namespace", "name", "verdict"],
        "Verdicts of the judge, pass or fail, once for each step on which it comes to one";
    ROLLBACKS: Counter, "serin_rollbacks", ["namespace", "name", "reason"], "Rollbacks";
    DRIFT: Counter, "serin_drift_corrections", ["namespace", "name", "object"], "Changes by others that were undone";
    BREACHES: Counter, "serin_breaches", ["namespace", "name"],
        "Decisions that broke an invariant and were not carried out";
    RELEASE_SECONDS: Histogram, "serin_rollout_duration_seconds", ["outcome"],
        "Time from a new revision to its end, by outcome: Promoted, or why it was rolled back";
    QUERY_SECONDS: Histogram, "serin_provider_query_duration_seconds", ["provider"],
        "Time of one query of a metric provider";
    QUERY_ERRORS: Counter, "serin_provider_query_errors", ["provider", "reason"],
        "Queries of a metric provider that gave no samples, by reason";
    RECONCILES: Counter, "serin_reconcile", ["result"], "Reconciles, by result: success or error";
    RECONCILE_ERRORS: Counter, "serin_reconcile_errors", ["reason"], "Reconciles that failed, by the label of the first error";
    RECONCILE_SECONDS: Histogram, "serin_reconcile_duration_seconds", [], "Time of one reconcile";
    WRITES: Counter, "serin_writes", ["kind"], "Writes to the API server, by what was written";
    DROPPED: Counter, "serin_events_dropped", [], "Events that found the queue full";
    LEADER: Gauge, "serin_leader", [], "1 while this process leads";
    BUILD: Info, "serin_build", ["version"], "The version that runs";
    // What others call the same: see `conventional`.
    TURNS: Counter, "controller_runtime_reconcile", ["controller", "result"],
        "Reconciles, by result: success, error, requeue (at once) or requeue_after";
    TURN_ERRORS: Counter, "controller_runtime_reconcile_errors", ["controller"], "Reconciles that failed";
    TURN_SECONDS: Histogram, "controller_runtime_reconcile_time_seconds", ["controller"], "Time of one reconcile";
    DEPTH: Gauge, "workqueue_depth", ["name", "controller"],
        "Rollouts that have changed during their reconcile and wait for another one";
    REQUESTS: Counter, "rest_client_requests", ["code", "host", "method"],
        "Requests to the API server, by the code of the answer; `<error>` where none came";
    MASTER: Gauge, "leader_election_master_status", ["name"],
        "1 while this process leads, 0 on a standby, by the name of the Lease";
}

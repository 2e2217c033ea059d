//! What each family of metrics is called and says: for the registry, for `docs/metrics.md`, and for tests that look for it.

/// One family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// Its name in the registry, without prefix and suffix.
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
        format!("serin_{}{suffix}", self.name)
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
    PHASE: Gauge, "rollout_phase", ["namespace", "name", "phase"], "1 for the present phase";
    WEIGHT: Gauge, "rollout_weight", ["namespace", "name", "arm", "kind"],
        "Share of the requests in per cent of candidate and stable, desired as committed and observed as the route gives it";
    VERDICTS: Counter, "analysis_verdict", ["namespace", "name", "verdict"],
        "Verdicts of the judge, pass or fail, once for each step on which it comes to one";
    ROLLBACKS: Counter, "rollbacks", ["namespace", "name", "reason"], "Candidates taken back";
    DRIFT: Counter, "drift_corrections", ["namespace", "name", "object"], "Changes by others that were undone";
    BREACHES: Counter, "breaches", ["namespace", "name"],
        "Decisions that broke an invariant and were not carried out";
    RELEASE_SECONDS: Histogram, "rollout_duration_seconds", ["outcome"],
        "Time from a new revision to its end, by outcome: Promoted, or why it was taken back";
    QUERY_SECONDS: Histogram, "provider_query_duration_seconds", ["provider"],
        "Time of one query of a metric provider";
    QUERY_ERRORS: Counter, "provider_query_errors", ["provider", "reason"],
        "Queries of a metric provider that gave no samples, by reason";
    RECONCILES: Counter, "reconcile", ["result"], "Reconciles, by result: success or error";
    RECONCILE_ERRORS: Counter, "reconcile_errors", ["reason"], "Reconciles that failed, by the label of the first error";
    RECONCILE_SECONDS: Histogram, "reconcile_duration_seconds", [], "Time of one reconcile";
    WRITES: Counter, "writes", ["kind"], "Writes to the API server, by what was written";
    DROPPED: Counter, "events_dropped", [], "Events that found the queue full";
    LEADER: Gauge, "leader", [], "1 while this process leads";
    BUILD: Info, "build", ["version"], "The version that runs";
}

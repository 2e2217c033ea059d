//! The rules that types, bounds and patterns cannot express: one table, from which the CRDs get their CEL.
//!
//! `serin check` runs the same expressions offline, so a rule may use only what the API server and `cel` both have:
//! the standard macros, `isSorted`, `duration`, `matches`, and `lowerAscii`. Rules see objects after defaulting. Each
//! message names the field and the remedy. A rule over a list needs the list's `maxItems`, or its cost is refused.

mod gauges;
mod used;

use super::{Margin, MetricKind, Preset};

/// The kind that a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `Rollout`.
    Rollout,
    /// `RolloutAction`.
    RolloutAction,
    /// `MetricProvider`.
    MetricProvider,
}

impl Kind {
    /// The Kubernetes kind.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rollout => "Rollout",
            Self::RolloutAction => "RolloutAction",
            Self::MetricProvider => "MetricProvider",
        }
    }
}

/// One rule of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kind it is about.
    pub kind: Kind,
    /// Where it holds: fields joined by dots, `[]` after a list that it holds for each item of; empty for the object.
    pub path: &'static str,
    /// The CEL expression that must be true; `self` is the value at `path`.
    pub cel: String,
    /// Which field is wrong, and what to do.
    pub message: String,
}

fn rule(kind: Kind, path: &'static str, cel: &str, message: &str) -> Rule {
    Rule {
        kind,
        path,
        cel: cel.into(),
        message: message.into(),
    }
}

/// Every rule.
pub fn all() -> Vec<Rule> {
    let mut rules = course();
    rules.push(used::rule_of_use());
    rules.extend(analysis());
    rules.extend(metrics());
    rules.extend(gauges::rules());
    rules.extend(margins());
    rules.extend(others());
    rules.extend(LIMITS.iter().map(limit));
    rules.extend(
        [
            "spec.analysis.confidence.falseRollback",
            "spec.analysis.confidence.wrongPromotion",
        ]
        .map(chance),
    );
    rules
}

/// Bounds of the durations.
const LIMITS: &[(Kind, &str, &str, &str)] = &[
    (Kind::Rollout, "spec.traffic.propagation", "0s", "5m"),
    (Kind::Rollout, "spec.steps[].hold", "0s", "168h"),
    (Kind::Rollout, "spec.steps[].deadline", "10s", "720h"),
    (Kind::Rollout, "spec.analysis.interval", "1s", "5m"),
    (Kind::Rollout, "spec.analysis.warmUp", "0s", "30m"),
    (Kind::Rollout, "spec.analysis.noDataDeadline", "10s", "24h"),
    (
        Kind::Rollout,
        "spec.analysis.metrics[].latency.objective",
        "1ms",
        "1h",
    ),
    (Kind::Rollout, "spec.rollback.drain", "0s", "1h"),
    (Kind::Rollout, "spec.rollback.keep", "0s", "168h"),
    (Kind::Rollout, "spec.promotion.bake", "0s", "168h"),
    (Kind::Rollout, "spec.promotion.warmUp", "0s", "30m"),
    (Kind::Rollout, "spec.promotion.deadline", "10s", "168h"),
    (Kind::Rollout, "spec.progressDeadline", "10s", "24h"),
    (Kind::MetricProvider, "spec.lag", "0s", "10m"),
    (Kind::MetricProvider, "spec.timeout", "100ms", "1m"),
];

fn limit(&(kind, path, low, high): &(Kind, &'static str, &str, &str)) -> Rule {
    let field = path.rsplit('.').next().unwrap_or(path);
    Rule {
        kind,
        path,
        cel: format!("duration(self) >= duration('{low}') && duration(self) <= duration('{high}')"),
        message: format!("{field} is out of range: write a duration from {low} to {high}"),
    }
}

/// Not a `minimum` of the schema: the API server would cut it to the whole number 0 where the value is written as one.
fn chance(path: &'static str) -> Rule {
    let field = path.rsplit('.').next().unwrap_or(path);
    let message = format!("{field} is out of range: write a chance from 0.0001 to 0.2");
    rule(Kind::Rollout, path, "self >= 0.0001 && self <= 0.2", &message)
}

/// Steps, router and workload.
fn course() -> Vec<Rule> {
    let rollout = |path, cel: &str, message| rule(Kind::Rollout, path, cel, message);
    let hold = by_preset("self.analysis.preset", |preset| {
        format!("duration('{}')", preset.hold())
    });
    let last = by_preset("self.analysis.preset", |preset| {
        format!("duration('{}')", preset.last_hold())
    });
    vec![
        rollout(
            "spec",
            "!(has(self.weights) && has(self.steps))",
            "weights and steps exclude each other: remove weights and keep the long form, or remove steps",
        ),
        rollout(
            "spec.weights",
            "self.isSorted() && self.all(w, self.exists_one(o, o == w))",
            "weights must rise from step to step: write them in strictly increasing order, such as [10, 25, 100]",
        ),
        rollout(
            "spec.weights",
            "size(self) == 0 || self[size(self) - 1] == 100",
            "the last of weights must be 100: append 100",
        ),
        rollout(
            "spec.steps",
            "self.map(s, s.weight).isSorted() && self.all(s, self.exists_one(o, o.weight == s.weight))",
            "the weights of steps must rise: write the steps in strictly increasing order of weight",
        ),
        rollout(
            "spec.steps",
            "size(self) == 0 || self[size(self) - 1].weight == 100",
            "the last of steps must have weight 100: append {weight: 100}",
        ),
        rollout(
            "spec.steps[]",
            "!has(self.hold) || duration(self.hold) < duration(self.deadline)",
            "deadline must be later than hold: raise deadline or lower hold",
        ),
        rollout(
            "spec",
            &format!(
                "!has(self.steps) || self.steps.all(s, has(s.hold) || duration(s.deadline) > (s.weight == 100 ? {last} : {hold}))"
            ),
            "the deadline of steps must be later than the hold that the preset gives: raise deadline, or set hold",
        ),
        rollout(
            "spec.traffic",
            "[has(self.gatewayAPI)].filter(router, router).size() == 1",
            "traffic needs exactly one router: set gatewayAPI",
        ),
        rollout(
            "spec.traffic.gatewayAPI.routes",
            "self.all(r, self.exists_one(o, o.kind == r.kind && o.name == r.name))",
            "routes must not name a route twice: remove the duplicate",
        ),
        rollout(
            "spec",
            "has(self.traffic.service) || (size(self.workload.name) <= 63 && !self.workload.name.contains('.'))",
            "workload.name cannot be the name of a Service (63 characters, no dots): set traffic.service",
        ),
    ]
}

/// The comparison as a whole.
fn analysis() -> Vec<Rule> {
    let rollout = |path, cel, message| rule(Kind::Rollout, path, cel, message);
    vec![
        rollout(
            "spec.analysis",
            "duration(self.noDataDeadline) > duration(self.interval)",
            "noDataDeadline must be longer than interval: raise noDataDeadline to some intervals",
        ),
        rollout(
            "spec.analysis.baseline",
            "self.bakeShare <= self.share",
            "bakeShare must not exceed share: lower bakeShare",
        ),
        rollout(
            "spec.analysis.metrics",
            "self.all(m, self.exists_one(o, o.name == m.name))",
            "metrics must have different names: rename one of them",
        ),
        rollout(
            "spec.analysis.metrics",
            "self.exists(m, m.gating && !m.optional)",
            "metrics need one with gating: true that is not optional, or nothing could ever pass: set gating on one of them",
        ),
        rollout(
            "spec.analysis.metrics[]",
            "!(has(self.preset) && has(self.query))",
            "preset and query exclude each other: remove one of them",
        ),
        rollout(
            "spec.analysis.metrics[]",
            "self.kind != 'Latency' || !has(self.query)",
            "query is for an error rate: write latency.buckets or latency.histogram, or remove kind: Latency",
        ),
        rollout(
            "spec.analysis.metrics[]",
            "self.kind == 'Latency' || !has(self.latency)",
            "latency needs kind: Latency: add it, or remove latency",
        ),
        rollout(
            "spec.analysis.metrics[]",
            "!(has(self.preset) && has(self.latency) && has(self.latency.buckets))",
            "preset and latency.buckets exclude each other: remove one of them",
        ),
        rollout(
            "spec.analysis.metrics[]",
            "!(has(self.preset) && has(self.latency) && has(self.latency.histogram))",
            "preset and latency.histogram exclude each other: remove one of them",
        ),
        rollout(
            "spec.analysis.metrics[].latency",
            "!(has(self.buckets) && has(self.histogram))",
            "buckets and histogram exclude each other: keep buckets for classic buckets with a label le, or histogram for native ones",
        ),
        rollout(
            "spec.analysis.metrics[]",
            "!self.optional || !(has(self.query) || (has(self.latency) && (has(self.latency.buckets) || has(self.latency.histogram))))",
            "optional is for presets: a query of your own must have data, remove optional",
        ),
    ]
}

/// The queries of a metric: each field by the same rules.
fn metrics() -> Vec<Rule> {
    let fields = [
        ("spec.analysis.metrics[].query.total", "total", SHARE),
        ("spec.analysis.metrics[].query.bad", "bad", SHARE),
        ("spec.analysis.metrics[].latency.buckets", "buckets", BUCKETS),
        ("spec.analysis.metrics[].latency.histogram", "histogram", SHARE),
    ];
    let of = |(path, field, places): (&'static str, &str, &[&str])| {
        vec![
            rule(
                Kind::Rollout,
                path,
                r"self.contains('{{pods}}') || self.contains('{{service}}')",
                &format!("{field} must tell the two arms apart: select by {{{{pods}}}} or {{{{service}}}}"),
            ),
            placeholders(path, field, places),
            rule(
                Kind::Rollout,
                path,
                r"!self.matches('\\b(rate|irate|increase|delta|idelta)\\s*\\(')",
                &format!(
                    "{field} must be a raw counter: remove rate() or increase(), Serin takes the differences itself"
                ),
            ),
        ]
    };
    fields.into_iter().flat_map(of).collect()
}

/// A query knows these placeholders and no others.
fn placeholders(path: &'static str, field: &str, places: &[&str]) -> Rule {
    let shown: Vec<String> = places.iter().map(|place| format!("{{{{{place}}}}}")).collect();
    let (last, others) = shown
        .split_last()
        .map_or(("", &[][..]), |(last, others)| (last, others));
    rule(
        Kind::Rollout,
        path,
        &format!(
            r"!self.matches('\\{{\\{{') || self.matches('^([^{{]|\\{{[^{{]|\\{{\\{{({})\\}}\\}})*\\{{?$')",
            places.join("|")
        ),
        &format!(
            "{field} has an unknown placeholder: use only {} and {last}",
            others.join(", ")
        ),
    )
}

/// Placeholders of a query, in the order of the alphabet.
const SHARE: &[&str] = &["namespace", "pods", "ports", "service"];
/// The same where the edges of buckets are chosen.
const BUCKETS: &[&str] = &["le", "namespace", "pods", "ports", "service"];

/// Tolerated must lie below unacceptable, wherever either of them comes from.
fn margins() -> Vec<Rule> {
    let one = |field: &str, part: fn(Margin) -> f64| {
        let by_kind = |margin: fn(Preset, MetricKind) -> Margin| {
            let [errors, latency] = [MetricKind::ErrorRate, MetricKind::Latency]
                .map(|kind| by_preset("self.preset", |preset| number(part(margin(preset, kind)))));
            if errors == latency {
                errors
            } else {
                format!("(m.kind == 'Latency' ? {latency} : {errors})")
            }
        };
        let (low, high) = (by_kind(Preset::tolerated), by_kind(Preset::unacceptable));
        Rule {
            kind: Kind::Rollout,
            path: "spec.analysis",
            cel: format!(
                "self.metrics.all(m, (has(m.tolerated) ? m.tolerated.{field} : {low}) < (has(m.unacceptable) ? m.unacceptable.{field} : {high}))"
            ),
            message: format!(
                "tolerated.{field} of metrics must be lower than unacceptable.{field} (where one is not set, the preset's counts): lower tolerated.{field} or raise unacceptable.{field}"
            ),
        }
    };
    vec![
        one("ratio", |margin| margin.ratio),
        one("absolute", |margin| margin.absolute),
    ]
}

/// RolloutAction and MetricProvider.
fn others() -> Vec<Rule> {
    vec![
        rule(
            Kind::RolloutAction,
            "spec",
            "self.action == 'Abort' || has(self.revision)",
            "revision is required for every action but Abort: set revision to status.release.revision",
        ),
        rule(
            Kind::RolloutAction,
            "spec",
            "self == oldSelf",
            "the spec of an action cannot be changed: create another RolloutAction",
        ),
        rule(
            Kind::MetricProvider,
            "spec",
            "!has(self.tls) || self.address.startsWith('https://')",
            "tls needs an address with https: write https:// or remove tls",
        ),
        rule(
            Kind::MetricProvider,
            "spec.headers[].name",
            "!(self.lowerAscii() in ['authorization', 'proxy-authorization', 'cookie'])",
            "a header name for credentials would show them here: use bearerTokenFile",
        ),
        rule(
            Kind::MetricProvider,
            "spec.allowedNamespaces",
            "!('*' in self) || size(self) == 1",
            "allowedNamespaces has names beside *, which already means every namespace: remove one or the other",
        ),
    ]
}

/// A CEL expression for the value that belongs to the preset at `path`.
fn by_preset(path: &str, value: impl Fn(Preset) -> String) -> String {
    let [fast, balanced, cautious] = [Preset::Fast, Preset::Balanced, Preset::Cautious].map(value);
    if fast == balanced && balanced == cautious {
        return balanced;
    }
    format!("({path} == 'Fast' ? {fast} : {path} == 'Cautious' ? {cautious} : {balanced})")
}

/// A CEL literal of type double.
fn number(value: f64) -> String {
    format!("{value:?}")
}

//! The rules of `spec.analysis.gauges`.

use super::{Kind, Rule, SHARE, placeholders, rule};

/// Every rule about gauges.
pub(super) fn rules() -> Vec<Rule> {
    let rollout = |path, cel, message| rule(Kind::Rollout, path, cel, message);
    vec![
        rollout(
            "spec.analysis.gauges",
            "self.all(g, self.exists_one(o, o.name == g.name))",
            "gauges must have different names: rename one of them",
        ),
        rollout(
            "spec.analysis",
            "self.gauges.all(g, self.metrics.all(m, m.name != g.name))",
            "a gauge must not have the name of a metric: rename one of gauges or of metrics",
        ),
        rollout(
            "spec.analysis.gauges[]",
            "has(self.preset) != has(self.query)",
            "a gauge needs exactly one of preset and query: set one, remove the other",
        ),
        rollout(
            "spec.analysis.gauges[]",
            "!has(self.query) || has(self.limit)",
            "a query of your own needs limit: set what one pod may use",
        ),
        rollout(
            "spec.analysis.gauges[].limit",
            "self.matches('^[^eE]*[1-9]')",
            "limit must be above 0: raise limit",
        ),
        rollout(
            "spec.analysis.gauges[]",
            "!has(self.idle) || !has(self.limit) || !quantity(self.idle).isGreaterThan(quantity(self.limit))",
            "idle must not be above limit: lower idle, which is in the same unit",
        ),
        rollout(
            "spec.analysis.gauges[].query",
            "self.contains('{{pods}}')",
            "query must give one value for each pod of an arm: select by {{pods}}",
        ),
        placeholders("spec.analysis.gauges[].query", "query", SHARE),
    ]
}

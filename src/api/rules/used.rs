//! The rule of what a release uses.

use super::{Kind, Rule, rule};

/// What a release has changed must be found again to be given back. A route is in `originals` as long as a candidate is
/// in it; others may come and go.
pub(super) fn rule_of_use() -> Rule {
    let service = |rollout: &str| {
        format!(
            "(has({rollout}.spec.traffic.service) ? {rollout}.spec.traffic.service : {rollout}.spec.workload.name)"
        )
    };
    let cel = format!(
        "!has(self.status) || !has(self.status.originals) || size(self.status.originals) == 0 || \
         (self.spec.workload.name == oldSelf.spec.workload.name && {} == {} && \
         self.status.originals.all(o, self.spec.traffic.gatewayAPI.routes.exists(r, r.name == o.name)))",
        service("self"),
        service("oldSelf"),
    );
    rule(
        Kind::Rollout,
        "",
        &cel,
        "spec.workload, spec.traffic.service and the routes of spec.traffic cannot be changed while a candidate is in a \
         route: wait for the end of the release, or end it with `serin abort`",
    )
}

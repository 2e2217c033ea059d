//! Faults of the API: which calls go wrong, and how.

use std::time::Duration;

/// What happens to a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Answered with this HTTP status; not carried out.
    Status(u16),
    /// Never answered and not carried out: the caller's deadline decides.
    Hang,
    /// Carried out, but never answered: an unknown outcome.
    LoseAnswer,
    /// The connection breaks before the call is carried out.
    Break,
    /// The connection breaks after the call was carried out.
    BreakAfter,
    /// Carried out after a delay.
    Delay(Duration),
}

/// A fault and the calls that it hits. An empty field matches every call.
#[derive(Clone, Debug)]
pub struct FaultRule {
    /// Kubernetes verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `apply`, `delete`.
    pub verb: String,
    /// Plural resource with its subresource: `httproutes`, `rollouts/status`.
    pub resource: String,
    /// User name.
    pub user: String,
    /// How many matching calls pass unharmed first.
    pub after: u64,
    /// How many calls are hit then; `u64::MAX` for all.
    pub times: u64,
    /// What happens to them.
    pub fault: Fault,
}

impl FaultRule {
    /// Hits the next call of a verb on a resource, whoever makes it.
    pub fn next(verb: &str, resource: &str, fault: Fault) -> Self {
        Self {
            verb: verb.into(),
            resource: resource.into(),
            user: String::new(),
            after: 0,
            times: 1,
            fault,
        }
    }

    /// Lets `n` matching calls pass first.
    #[must_use]
    pub fn after(mut self, n: u64) -> Self {
        self.after = n;
        self
    }

    /// Hits `n` calls.
    #[must_use]
    pub fn times(mut self, n: u64) -> Self {
        self.times = n;
        self
    }

    fn matches(&self, verb: &str, resource: &str, user: &str) -> bool {
        let fits = |want: &str, is: &str| want.is_empty() || want == is;
        fits(&self.verb, verb) && fits(&self.resource, resource) && fits(&self.user, user)
    }
}

/// The rules in force, first match first.
#[derive(Debug, Default)]
pub(super) struct Faults {
    pub(super) rules: Vec<FaultRule>,
}

impl Faults {
    /// The fault for this call, counting it.
    pub(super) fn hit(&mut self, verb: &str, resource: &str, user: &str) -> Option<Fault> {
        let mut fault = None;
        for rule in self
            .rules
            .iter_mut()
            .filter(|rule| rule.matches(verb, resource, user))
        {
            if rule.after > 0 {
                rule.after -= 1;
            } else if rule.times > 0 && fault.is_none() {
                rule.times -= 1;
                fault = Some(rule.fault);
            }
        }
        self.rules.retain(|rule| rule.times > 0);
        fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_skips_hits_and_ends() {
        let rule = FaultRule::next("patch", "httproutes", Fault::Status(409))
            .after(1)
            .times(2);
        let mut faults = Faults { rules: vec![rule] };
        assert_eq!(faults.hit("get", "httproutes", "a"), None);
        let hits: Vec<_> = (0..4)
            .map(|_| faults.hit("patch", "httproutes", "a").is_some())
            .collect();
        assert_eq!(hits, [false, true, true, false]);
    }
}

//! Names, labels and annotations of what Serin makes.

use super::revision;
use crate::engine::quantity::Revision;

/// Label: uid of the Rollout for which Serin made the object. Nothing without it is ever changed or deleted as ours.
pub const ROLLOUT_UID: &str = "serin.dev/rollout-uid";
/// Label: the revision that the candidate's object belongs to.
pub const REVISION: &str = "serin.dev/revision";
/// Label: `candidate`, on the candidate's objects and pods.
pub const ROLE: &str = "serin.dev/role";
/// Value of [`ROLE`].
pub const CANDIDATE: &str = "candidate";
/// Label on the user's Deployment: a template change waits for Serin. Its value is the Rollout's uid.
pub const GATE: &str = "serin.dev/gate";
/// Annotation: the last writer, `<lease uid>/<epoch>`.
pub const STAMP: &str = "serin.dev/stamp";
/// Annotation on the candidate: the label key whose value has the suffix.
pub const SUFFIX_KEY: &str = "serin.dev/suffix-key";
/// Finalizer of the Rollout, while a gate is set or a route is changed.
pub const FINALIZER: &str = "serin.dev/traffic";
/// The field manager of every write.
pub const FIELD_MANAGER: &str = "serin";

/// The longest name of a Service and value of a label.
pub const MAX: usize = 63;
/// Characters kept of the hash of a name that was cut.
const CUT_HASH: usize = 10;

/// Name of the candidate's Deployment and Service.
pub fn candidate(workload: &str, revision: &Revision) -> String {
    // A Service's name is a DNS label that begins with a letter: a Deployment's may have dots, and begin with a digit.
    let digit = workload.starts_with(|first: char| first.is_ascii_digit());
    let lead = if digit { "c-" } else { "" };
    let stem = fit(workload, stem_length(revision).saturating_sub(lead.len()));
    format!("{lead}{}{}", stem.replace('.', "-"), suffix(revision))
}

/// `value` with the candidate's suffix, fit for a label.
pub fn suffixed(value: &str, revision: &Revision) -> String {
    format!("{}{}", fit(value, stem_length(revision)), suffix(revision))
}

/// The revision in the name of a candidate of `workload`; `None` for any other name.
pub fn revision_in(workload: &str, name: &str) -> Option<Revision> {
    let (_, revision) = name.rsplit_once('-')?;
    let revision = revision::is_name(revision).then(|| Revision::named(revision))?;
    (candidate(workload, &revision) == name).then_some(revision)
}

fn suffix(revision: &Revision) -> String {
    format!("-canary-{revision}")
}

fn stem_length(revision: &Revision) -> usize {
    MAX.saturating_sub(suffix(revision).len())
}

/// `text` in at most `length` characters: where it must be cut, a hash of the whole keeps it unique.
fn fit(text: &str, length: usize) -> String {
    if text.len() <= length {
        return text.to_owned();
    }
    let hash = revision::of_template(&serde_json::Value::from(text));
    let kept: String = text.chars().take(length.saturating_sub(CUT_HASH + 1)).collect();
    format!("{}-{hash}", kept.trim_end_matches(['-', '.', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn revision() -> Revision {
        Revision::named("bcdfghjklm")
    }

    #[test]
    fn a_short_name_is_kept_whole() {
        assert_eq!(candidate("checkout", &revision()), "checkout-canary-bcdfghjklm");
        assert_eq!(
            candidate("checkout.v2", &revision()),
            "checkout-v2-canary-bcdfghjklm"
        );
        assert_eq!(suffixed("Check_out", &revision()), "Check_out-canary-bcdfghjklm");
    }

    #[test]
    fn long_names_fit_and_stay_apart() {
        for length in 40..80 {
            let one = format!("{}-a", "x".repeat(length));
            let other = format!("{}-b", "x".repeat(length));
            let name = candidate(&one, &revision());
            assert!(name.len() <= MAX, "{name}");
            assert_ne!(name, candidate(&other, &revision()));
            assert!(suffixed(&one, &revision()).len() <= MAX);
            assert!(!name.contains("--"), "{name}");
        }
    }

    /// A Service's name begins with a letter; a Deployment's need not.
    #[test]
    fn a_name_that_begins_with_a_digit_is_made_fit_for_a_service() {
        let name = candidate("3scale", &revision());
        assert_eq!(name, "c-3scale-canary-bcdfghjklm");
        assert_eq!(revision_in("3scale", &name), Some(revision()));
        let long = candidate(&format!("3{}", "x".repeat(70)), &revision());
        assert!(long.len() <= MAX && long.starts_with("c-3"), "{long}");
    }

    #[test]
    fn a_candidate_is_known_by_its_name_and_nothing_else_is() {
        let long = "a-very-long-name-of-a-deployment-that-must-be-cut-somewhere";
        for workload in ["checkout", "a.b", long] {
            let name = candidate(workload, &revision());
            assert_eq!(revision_in(workload, &name), Some(revision()), "{name}");
        }
        for foreign in [
            "checkout",
            "checkout-canary",
            "checkout-canary-production",
            "other-canary-bcdfghjklm",
        ] {
            assert_eq!(revision_in("checkout", foreign), None, "{foreign}");
        }
    }
}

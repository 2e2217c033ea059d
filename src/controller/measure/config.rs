//! What a release asks, whom, and by which rules: the owner may change all of it while the release lasts. What was found
//! and counted before then says nothing of what is asked now.

use serde_json::{Value, json};

use super::Measure;
use super::look::Look;
use super::trial::Kept;
use crate::engine::Plan;
use crate::engine::plan::Analysis;
use crate::render::revision;

/// What a release asks, and by which rules.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    rules: Analysis,
    /// The metrics as the owner names them, and the server that is asked, in short.
    questions: String,
}

impl Measure {
    /// Forgets what was found and counted if something else is asked now. A provider that is not there asks nothing.
    pub(super) fn follow(&mut self, look: &Look<'_>) {
        if look.source().is_err() {
            return;
        }
        let now = Asked {
            rules: look.plan.analysis.clone(),
            questions: questions(look),
        };
        if self.asked.as_ref().is_some_and(|before| *before != now) {
            (self.trial, self.learned, self.search) = (None, None, None);
        }
        self.asked = Some(now);
    }

    /// Whether what the status keeps was asked as it is now. An earlier version of Serin did not say.
    pub(super) fn asks_as(&self, kept: &Kept) -> bool {
        let now = self.asked.as_ref().map(|asked| &asked.questions);
        now.zip(kept.asked.as_ref()).is_none_or(|(now, then)| now == then)
    }

    /// What a new process needs to go on from here, for the status.
    pub(in crate::controller) fn keep(&self, plan: &Plan) -> Option<Value> {
        let mut kept = self.trial.as_ref()?.keep(plan);
        kept.asked = self.asked.as_ref().map(|asked| asked.questions.clone());
        serde_json::to_value(kept).ok()
    }
}

fn questions(look: &Look<'_>) -> String {
    let analysis = &look.spec.analysis;
    revision::digest(&json!({
        "metrics": analysis.metrics,
        "provider": analysis.provider,
        "address": look.address(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_version_kept_counts_as_asked_alike() {
        let measure = Measure {
            asked: Some(Asked {
                rules: Plan::with_bake_share(5).analysis,
                questions: "now".to_owned(),
            }),
            ..Measure::default()
        };
        let kept = |asked: Value| -> Kept {
            let start = "2026-01-01T00:00:00Z";
            serde_json::from_value(json!({
                "returning": false, "asked": asked, "start": start, "fresh": true, "rung": 0, "entered": start,
                "pods": 1, "lines": [], "judge": {"revision": "v2", "metrics": []},
            }))
            .expect("reads")
        };
        assert!(measure.asks_as(&kept(Value::Null)));
        assert!(measure.asks_as(&kept("now".into())));
        assert!(!measure.asks_as(&kept("then".into())));
        assert!(Measure::default().asks_as(&kept("then".into())));
    }
}

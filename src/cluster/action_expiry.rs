//! `RolloutAction`s that have been answered, and which of them may be deleted. Who approved what stays readable for a day,
//! and the last few answers of each Rollout for good.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::engine::Moment;
use crate::render::json::text;

/// How long an answered action stays in any case.
const KEPT: Duration = Duration::from_hours(24);
/// As many of a Rollout's answered actions stay, the latest, however old.
const LAST: usize = 10;

/// The answered actions past their retention. `known` says whether the Rollout of a namespace and name still exists; without
/// it none of its actions is kept for good. Actions without the time of their answer are left alone.
pub fn expired(actions: Vec<Value>, known: impl Fn(&str, &str) -> bool, now: Moment) -> Vec<Value> {
    let mut by_rollout: BTreeMap<(String, String), Vec<(Moment, Value)>> = BTreeMap::new();
    for action in actions {
        if let Some(at) = answered(&action) {
            let part = |pointer| text(&action, pointer).to_owned();
            let key = (part("/metadata/namespace"), part("/spec/rollout"));
            by_rollout.entry(key).or_default().push((at, action));
        }
    }
    let mut gone = Vec::new();
    for ((namespace, rollout), mut answered) in by_rollout {
        answered.sort_by_key(|(at, _)| Reverse(*at));
        let stay = if known(&namespace, &rollout) { LAST } else { 0 };
        let over = |at: Moment| at.checked_add(KEPT).is_ok_and(|end| end <= now);
        let old = answered.into_iter().skip(stay).filter(|(at, _)| over(*at));
        gone.extend(old.map(|(_, action)| action));
    }
    gone
}

fn answered(action: &Value) -> Option<Moment> {
    match text(action, "/status/phase") {
        "Done" | "Rejected" => text(action, "/status/at").parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn action(rollout: &str, name: &str, phase: &str, at: &str) -> Value {
        json!({
            "metadata": {"namespace": "shop", "name": name},
            "spec": {"rollout": rollout},
            "status": {"phase": phase, "at": at},
        })
    }

    fn names(actions: &[Value]) -> Vec<&str> {
        actions.iter().map(|it| text(it, "/metadata/name")).collect()
    }

    #[test]
    fn after_a_day_all_but_the_last_ten_of_each_rollout_go() {
        let hour = |rollout: &str, hour: u32| {
            let (name, at) = (
                format!("{rollout}-{hour}"),
                format!("2026-01-01T{hour:02}:00:00Z"),
            );
            action(rollout, &name, "Done", &at)
        };
        let actions: Vec<Value> = (0..14)
            .map(|it| hour("checkout", it))
            .chain((0..3).map(|it| hour("cart", it)))
            .collect();
        let at = |now: &str| {
            let gone = expired(actions.clone(), |_, _| true, now.parse().unwrap());
            names(&gone).join(" ")
        };
        assert_eq!(at("2026-01-01T23:59:59Z"), "");
        assert_eq!(at("2026-01-02T00:00:00Z"), "checkout-0");
        assert_eq!(at("2026-01-02T02:30:00Z"), "checkout-2 checkout-1 checkout-0");
        assert_eq!(
            at("2027-01-01T00:00:00Z"),
            "checkout-3 checkout-2 checkout-1 checkout-0"
        );
    }

    #[test]
    fn of_a_rollout_that_is_gone_none_stays_for_good() {
        let actions = vec![
            action("gone", "old", "Rejected", "2026-01-01T00:00:00Z"),
            action("gone", "young", "Done", "2026-01-01T20:00:00Z"),
            action("there", "other", "Done", "2026-01-01T00:00:00Z"),
        ];
        let now = "2026-01-02T12:00:00Z".parse().unwrap();
        let gone = expired(
            actions,
            |namespace, name| (namespace, name) == ("shop", "there"),
            now,
        );
        assert_eq!(names(&gone), ["old"]);
    }

    #[test]
    fn what_waits_for_an_answer_stays() {
        let actions = vec![
            action("gone", "pending", "Pending", "2026-01-01T00:00:00Z"),
            action("gone", "timeless", "Done", ""),
            action("gone", "broken", "Done", "yesterday"),
            json!({"metadata": {"namespace": "shop", "name": "new"}, "spec": {"rollout": "gone"}}),
        ];
        assert_eq!(
            expired(actions, |_, _| false, "2027-01-01T00:00:00Z".parse().unwrap()),
            Vec::<Value>::new()
        );
    }
}

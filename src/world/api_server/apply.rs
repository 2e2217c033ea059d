//! Server-side apply: the merge of an applied configuration into the live object.

use serde_json::{Map, Value};

use super::fields::{self, List};
use super::managers::{self, Author};
use super::refusal::Refusal;

/// The live object after `config` is applied; `managedFields` included.
///
/// # Errors
/// Conflicts with other managers, unless `force`.
pub(in crate::world) fn apply(
    live: &Value,
    config: &Value,
    author: Author<'_>,
    force: bool,
) -> Result<Value, Refusal> {
    let booked = managers::book_apply(live, config, author, force)?;
    let mut merged = live.clone();
    merge(&mut merged, config, "");
    for path in &booked.dropped {
        fields::remove(&mut merged, path);
    }
    managers::write(&mut merged, &booked.entries);
    Ok(merged)
}

fn merge(live: &mut Value, config: &Value, field: &str) {
    match config {
        Value::Object(wanted) => {
            if !live.is_object() || field == "f:selector" {
                *live = Value::Object(Map::new());
            }
            let Value::Object(fields) = live else { return };
            for (name, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
                let slot = fields.entry(name.clone()).or_insert(Value::Null);
                merge(slot, value, &format!("f:{name}"));
            }
        }
        Value::Array(wanted) => match (fields::list_kind(field, wanted), live.as_array_mut()) {
            (List::Keyed(keys), Some(items)) => {
                for item in wanted {
                    let key = fields::item_segment(item, keys);
                    match items
                        .iter_mut()
                        .find(|old| fields::item_segment(old, keys) == key)
                    {
                        Some(old) => merge(old, item, ""),
                        None => items.push(item.clone()),
                    }
                }
            }
            (List::Set, Some(items)) => {
                for item in wanted {
                    if !items.contains(item) {
                        items.push(item.clone());
                    }
                }
            }
            (List::Atomic | List::Keyed(_) | List::Set, _) => *live = config.clone(),
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => *live = config.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn author(manager: &str) -> Author<'_> {
        Author {
            manager,
            part: "",
            api_version: "v1",
            now: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn with_labels(labels: &Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": labels}})
    }

    #[test]
    fn owners_conflict_and_force_takes_over() {
        let live = apply(
            &json!({}),
            &with_labels(&json!({"x": "1", "y": "1"})),
            author("a"),
            false,
        )
        .unwrap();
        let same = apply(&live, &with_labels(&json!({"x": "1"})), author("b"), false);
        assert!(same.is_ok(), "an equal value is shared");
        let other = with_labels(&json!({"x": "2"}));
        let refused = apply(&live, &other, author("b"), false).unwrap_err();
        assert_eq!(refused.code.as_u16(), 409);
        assert_eq!(
            refused.body()["details"]["causes"][0]["field"],
            ".metadata.labels.x"
        );
        let forced = apply(&live, &other, author("b"), true).unwrap();
        assert_eq!(forced["metadata"]["labels"], json!({"x": "2", "y": "1"}));
        // "a" no longer owns x, so that giving everything up removes y only.
        let given_up = apply(&forced, &with_labels(&json!({})), author("a"), false).unwrap();
        assert_eq!(given_up["metadata"]["labels"], json!({"x": "2"}));
    }

    #[test]
    fn a_keyed_item_is_removed_only_when_nobody_holds_a_part_of_it() {
        let config = |items: Value| json!({"spec": {"containers": items}});
        let live = apply(
            &json!({}),
            &config(json!([{"name": "app", "image": "v1"}])),
            author("a"),
            false,
        )
        .unwrap();
        let sidecar = config(json!([{"name": "proxy", "image": "p"}]));
        let both = apply(&live, &sidecar, author("b"), false).unwrap();
        assert_eq!(both["spec"]["containers"].as_array().unwrap().len(), 2);
        let without = apply(&both, &json!({"spec": {}}), author("b"), false).unwrap();
        assert_eq!(
            without["spec"]["containers"],
            json!([{"name": "app", "image": "v1"}])
        );
    }

    #[test]
    fn other_lists_are_replaced_as_a_whole() {
        let config = |rules: Value| json!({"spec": {"rules": rules}});
        let live = apply(&json!({}), &config(json!([1, 2])), author("a"), false).unwrap();
        let refused = apply(&live, &config(json!([3])), author("b"), false).unwrap_err();
        assert!(
            refused.body()["message"]
                .as_str()
                .unwrap()
                .contains(".spec.rules")
        );
        assert_eq!(
            apply(&live, &config(json!([3])), author("a"), false).unwrap()["spec"]["rules"],
            json!([3])
        );
    }
}

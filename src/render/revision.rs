//! The name of a revision: a digest of its pod template.
//!
//! Invariants: the same template gives the same name in every process and version of Serin; the order of keys and
//! `pod-template-hash`, which the Deployment controller adds to its ReplicaSets, do not count.

use ring::digest::{SHA256, digest as hash};
use serde_json::Value;

use crate::engine::quantity::Revision;

/// Letters of a name: no vowels, so that no name is a word or looks like one of a person's own.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Characters of a name.
pub const LENGTH: usize = 10;
/// The label that the Deployment controller adds to the templates of its ReplicaSets.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The revision of a pod template, as a Deployment or a ReplicaSet holds it.
pub fn of_template(template: &Value) -> Revision {
    Revision::named(digest(&plain(template)))
}

/// [`LENGTH`] letters that tell one value from another, whatever the order of its keys.
pub fn digest(value: &Value) -> String {
    let mut text = String::new();
    canonical(value, &mut text);
    let hash = hash(&SHA256, text.as_bytes());
    let first = hash.as_ref().iter().take(8);
    let mut rest = first.fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
    let letters = ALPHABET.len() as u64;
    (0..LENGTH)
        .map(|_| {
            let letter = ALPHABET[(rest % letters) as usize];
            rest /= letters;
            char::from(letter)
        })
        .collect()
}

/// Whether `text` has the form of a revision's name.
pub fn is_name(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|letter| ALPHABET.contains(&letter))
}

/// The template without what the Deployment controller adds.
pub fn plain(template: &Value) -> Value {
    let mut template = template.clone();
    if let Some(metadata) = template.get_mut("metadata").and_then(Value::as_object_mut) {
        if let Some(labels) = metadata.get_mut("labels").and_then(Value::as_object_mut) {
            labels.remove(TEMPLATE_HASH);
            if labels.is_empty() {
                metadata.remove("labels");
            }
        }
        // Servers write it, or not, as null.
        if metadata.get("creationTimestamp").is_some_and(Value::is_null) {
            metadata.remove("creationTimestamp");
        }
    }
    template
}

/// JSON with sorted keys and without spaces.
fn canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(key.as_str()).to_string());
                out.push(':');
                canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                canonical(item, out);
            }
            out.push(']');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn template() -> Value {
        json!({"metadata": {"labels": {"app": "checkout"}}, "spec": {"containers": [{"name": "web", "image": "web:1"}]}})
    }

    #[test]
    fn the_hash_of_the_deployment_controller_does_not_count() {
        let mut set = template();
        set["metadata"]["labels"]["pod-template-hash"] = json!("5d4f8c7b9");
        set["metadata"]["creationTimestamp"] = Value::Null;
        assert_eq!(of_template(&template()), of_template(&set));
    }

    #[test]
    fn a_template_without_labels_is_named_like_its_replica_set() {
        let set = json!({"metadata": {"labels": {"pod-template-hash": "x"}}, "spec": {}});
        assert_eq!(
            of_template(&json!({"metadata": {}, "spec": {}})),
            of_template(&set)
        );
    }

    #[test]
    fn the_order_of_keys_does_not_count_and_that_of_lists_does() {
        let a: Value = serde_json::from_str(r#"{"spec":{"b":[1,2],"a":"x"}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{"spec":{"a":"x","b":[1,2]}}"#).unwrap();
        let c: Value = serde_json::from_str(r#"{"spec":{"a":"x","b":[2,1]}}"#).unwrap();
        assert_eq!(of_template(&a), of_template(&b));
        assert_ne!(of_template(&a), of_template(&c));
    }

    #[test]
    fn every_change_of_a_template_changes_the_name() {
        let before = of_template(&template());
        let mut image = template();
        image["spec"]["containers"][0]["image"] = json!("web:2");
        let mut restarted = template();
        restarted["metadata"]["annotations"] =
            json!({"kubectl.kubernetes.io/restartedAt": "2026-11-21T10:00:00Z"});
        let mut unknown = template();
        unknown["spec"]["fieldOfTheFuture"] = json!(true);
        for changed in [image, restarted, unknown] {
            assert_ne!(of_template(&changed), before, "{changed}");
        }
    }

    #[test]
    fn a_name_never_changes_between_versions_of_serin() {
        assert_eq!(of_template(&template()).as_str(), "j7bhmfn8xp");
        assert!(is_name(of_template(&template()).as_str()));
        assert!(!is_name("production"), "a person's word is not a revision");
        assert!(!is_name(""));
        // By Python's hashlib.
        for (text, name) in [
            ("", "24zj9mrq52"),
            ("abc", "4cgrjtcz8b"),
            (&"a".repeat(1_000_000), "mq6qzwllhp"),
        ] {
            assert_eq!(digest(&json!(text)), name);
        }
    }
}

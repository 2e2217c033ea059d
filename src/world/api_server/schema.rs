//! Fits custom objects to their CRD's schema: defaults in, unknown fields out.

use serde_json::Value;

/// Adds the defaults of a structural schema and prunes what it does not know; metadata is left alone.
pub(super) fn fit(object: &mut Value, schema: &Value) {
    let Some(fields) = object.as_object_mut() else {
        return;
    };
    for part in ["spec", "status"] {
        let Some(part_schema) = schema.pointer(&format!("/properties/{part}")) else {
            continue;
        };
        if let Some(default) = part_schema.get("default").filter(|_| !fields.contains_key(part)) {
            fields.insert(part.to_owned(), default.clone());
        }
        if let Some(value) = fields.get_mut(part) {
            fit_value(value, part_schema);
        }
    }
}

fn fit_value(value: &mut Value, schema: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(known) = schema.get("properties").and_then(Value::as_object) {
                let open = schema.get("x-kubernetes-preserve-unknown-fields").is_some()
                    || schema.get("additionalProperties").is_some();
                if !open {
                    fields.retain(|name, _| known.contains_key(name));
                }
                for (name, child) in known {
                    let nullable = child.get("nullable").and_then(Value::as_bool).unwrap_or(false);
                    if fields.get(name).is_some_and(Value::is_null) && !nullable {
                        fields.remove(name);
                    }
                    if let Some(default) = child.get("default").filter(|_| !fields.contains_key(name)) {
                        fields.insert(name.clone(), default.clone());
                    }
                    if let Some(field) = fields.get_mut(name) {
                        fit_value(field, child);
                    }
                }
            } else if let Some(child) = schema.get("additionalProperties").filter(|c| c.is_object()) {
                fields.values_mut().for_each(|field| fit_value(field, child));
            }
        }
        Value::Array(items) => {
            if let Some(child) = schema.get("items") {
                for item in items {
                    fit_value(item, child);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn defaults_come_and_unknown_fields_go() {
        let schema = json!({"properties": {"spec": {"properties": {
            "list": {"items": {"properties": {"weight": {"default": 1}, "name": {}}}},
            "mode": {"default": "Fast"}, "free": {"additionalProperties": {"type": "string"}},
        }}}});
        let mut object = json!({"metadata": {"x": 1}, "spec": {"junk": 1, "mode": null, "list": [{"name": "a", "n": 1}], "free": {"k": "v"}}});
        fit(&mut object, &schema);
        let expected = json!({"metadata": {"x": 1}, "spec": {"mode": "Fast", "list": [{"name": "a", "weight": 1}], "free": {"k": "v"}}});
        assert_eq!(object, expected);
    }
}

//! What the API server does to an object before it validates it: nulls go, defaults come.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use super::schema::items;

/// Removes fields that are `null` and fills in the schema's defaults, from the outside in.
pub(super) fn complete(schema: &JSONSchemaProps, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let Some(known) = &schema.properties else { return };
            fields.retain(|name, value| !(value.is_null() && known.contains_key(name)));
            for (name, schema) in known {
                if let Some(default) = &schema.default
                    && !fields.contains_key(name)
                {
                    fields.insert(name.clone(), default.0.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    complete(schema, value);
                }
            }
        }
        Value::Array(values) => {
            if let Some(schema) = items(schema) {
                for value in values {
                    complete(schema, value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

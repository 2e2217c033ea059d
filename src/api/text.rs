//! Values that stand in the API as text of a certain pattern.

/// Reads the type from text by its `FromStr`, and describes it in a schema by the `PATTERN` and `MAX_LENGTH` beside it.
macro_rules! written_as_text {
    ($name:ident) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn inline_schema() -> bool {
                true
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": PATTERN, "maxLength": MAX_LENGTH })
            }
        }
    };
}

pub(super) use written_as_text;

//! YAML as kubectl reads it: by version 1.1, where the parser here follows 1.2.
//!
//! Unquoted `yes`, `on` and `y` are booleans, `0777` is octal, `1_000` a number, and `<<` merges. Invariant: a field that
//! is written twice is refused, which kubectl would let pass with the last one; nobody means that.

use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_yaml::{Mapping, Number, Value};

/// The next document of `text`.
pub(super) fn read<'de>(
    text: &'de str,
    document: serde_yaml::Deserializer<'de>,
) -> Result<Value, serde_yaml::Error> {
    Reader { text }.deserialize(document)
}

#[derive(Clone, Copy)]
struct Reader<'de> {
    text: &'de str,
}

impl Reader<'_> {
    /// Whether `word`, a part of the text, stands there without quotes and without a tag that makes it text. What is not
    /// as it was written (escapes, blocks, several lines) is no part of the text, and no word of these either.
    fn plain(self, word: &str) -> bool {
        let start = word.as_ptr().addr().checked_sub(self.text.as_ptr().addr());
        let before = start.and_then(|start| self.text.get(..start));
        before.is_some_and(|before| !before.ends_with(['"', '\'']) && !before.trim_end().ends_with("!!str"))
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'de> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'de> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value, E> {
        let resolved = if self.plain(value) { resolve(value) } else { None };
        Ok(resolved.unwrap_or_else(|| value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            all.push(item);
        }
        Ok(Value::Sequence(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let (mut all, mut written) = (Mapping::new(), Mapping::new());
        while let Some((name, value)) = fields.next_entry_seed(self, self)? {
            if name == "<<" {
                merge(&mut all, value).map_err(A::Error::custom)?;
            } else if written.insert(name.clone(), Value::Null).is_some() {
                let name = serde_yaml::to_string(&name).unwrap_or_default();
                return Err(A::Error::custom(format!(
                    "the field {} is written twice",
                    name.trim()
                )));
            } else {
                all.insert(name, value);
            }
        }
        Ok(Value::Mapping(all))
    }

    /// A tag of somebody's own says nothing to kubectl.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Value, A::Error> {
        let (_, value): (String, _) = tagged.variant()?;
        value.newtype_variant_seed(self)
    }
}

/// `<<` takes the fields of a mapping, or of a list of them whose first wins. They replace what stands before it.
fn merge(into: &mut Mapping, from: Value) -> Result<(), &'static str> {
    let parts = if let Value::Sequence(parts) = from {
        parts
    } else {
        vec![from]
    };
    for part in parts.into_iter().rev() {
        let Value::Mapping(fields) = part else {
            return Err("<< takes a mapping, such as *name");
        };
        into.extend(fields);
    }
    Ok(())
}

/// What a word is by version 1.1, where that is not text.
fn resolve(word: &str) -> Option<Value> {
    match word {
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true.into()),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false.into()),
        _ => number(word).map(Value::Number),
    }
}

fn number(word: &str) -> Option<Number> {
    if !word.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+') {
        return None;
    }
    let word = word.replace('_', "").to_ascii_lowercase();
    let unsigned = word.trim_start_matches(['-', '+']);
    if let Some(octal) = unsigned.strip_prefix('0')
        && !octal.is_empty()
        && octal.bytes().all(|digit| digit.is_ascii_digit())
    {
        let sign = &word[..word.len() - unsigned.len()];
        return i64::from_str_radix(&format!("{sign}{octal}"), 8)
            .map(Number::from)
            .ok()
            .or_else(|| word.parse::<f64>().ok().map(Number::from));
    }
    word.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> Result<serde_json::Value, String> {
        let document = serde_yaml::Deserializer::from_str(text).next().unwrap();
        let value = read(text, document).map_err(|error| error.to_string())?;
        serde_json::to_value(value).map_err(|error| error.to_string())
    }

    /// The answers are those of `kubectl label --local -o json`.
    #[test]
    fn words_are_what_kubectl_makes_of_them() {
        let text = r#"[y, n, Yes, No, ON, off , True, "yes", 'no', !!str yes, "y\x65s", 0777, 0888, -0777, 00, 0_7, 1_000,
            0o17, 0X1F, 1_0.5, 2024-01-01, 12:30, 1e3, _1, +5, "0777", oN, !mine yes]"#;
        let wanted = r#"[true, false, true, false, true, false, true, "yes", "no", "yes", "yes", 511, 888.0, -511, 0, 7, 1000,
            15, 31, 10.5, "2024-01-01", "12:30", 1000.0, "_1", 5, "0777", "oN", true]"#;
        let wanted: serde_json::Value = serde_json::from_str(wanted).unwrap();
        assert_eq!(read_one(text), Ok(wanted));
        let blocks = "a: yes # indeed\nb: |-\n  yes\nc: &x no\nd: *x\non: 1\n";
        let wanted = serde_json::json!({"a": true, "b": "yes", "c": false, "d": false, "true": 1});
        assert_eq!(read_one(blocks), Ok(wanted));
    }

    #[test]
    fn merges_take_their_place() {
        let text = "s: &s {x: 1, z: 2}\nafter: {x: 9, <<: *s}\nbefore: {<<: *s, x: 9}\n\
                    list: {<<: [*s, {x: 5, q: 3}]}\nnest: &n {<<: *s, q: 1}\nagain: {<<: *n}\n";
        let wanted = serde_json::json!({
            "s": {"x": 1, "z": 2}, "after": {"x": 1, "z": 2}, "before": {"x": 9, "z": 2},
            "list": {"x": 1, "z": 2, "q": 3}, "nest": {"x": 1, "z": 2, "q": 1}, "again": {"x": 1, "z": 2, "q": 1},
        });
        assert_eq!(read_one(text), Ok(wanted));
        assert!(read_one("{<<: 1}").unwrap_err().contains("<< takes a mapping"));
    }

    #[test]
    fn a_field_that_is_written_twice_is_refused_where_it_stands() {
        let error = read_one("a: 1\nb: {c: 1, c: 2}\n").unwrap_err();
        assert!(
            error.contains("the field c is written twice") && error.contains("line 2"),
            "{error}"
        );
    }
}

//! Label and field selectors of list and watch requests, and label selectors inside objects.

use serde_json::{Map, Value};

use super::refusal::Refusal;
use crate::world::json;

/// One requirement on labels.
#[derive(Clone, Debug, PartialEq)]
enum Need {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
}

/// A parsed pair of label and field selector.
#[derive(Clone, Debug, Default)]
pub(super) struct Selector {
    labels: Vec<Need>,
    /// Field path, wanted value, whether equality is wanted.
    fields: Vec<(String, String, bool)>,
}

impl Selector {
    /// Parses the two query parameters.
    pub(super) fn parse(labels: &str, fields: &str) -> Result<Self, Refusal> {
        let labels = split(labels).into_iter().map(need).collect::<Result<_, _>>()?;
        let fields = split(fields).into_iter().map(field).collect::<Result<_, _>>()?;
        Ok(Self { labels, fields })
    }

    /// Whether an object is selected.
    pub(super) fn matches(&self, object: &Value) -> bool {
        let labels = json::map(object, "/metadata/labels");
        self.labels.iter().all(|need| need.holds(labels))
            && self.fields.iter().all(|(path, want, equal)| {
                let pointer = format!("/{}", path.replace('.', "/"));
                (json::text(object, &pointer) == want) == *equal
            })
    }
}

impl Need {
    fn holds(&self, labels: Option<&Map<String, Value>>) -> bool {
        let get = |key: &String| labels.and_then(|l| l.get(key)).and_then(Value::as_str);
        match self {
            Self::In(key, values) => get(key).is_some_and(|v| values.iter().any(|w| w == v)),
            Self::NotIn(key, values) => get(key).is_none_or(|v| values.iter().all(|w| w != v)),
            Self::Exists(key) => get(key).is_some(),
            Self::Absent(key) => get(key).is_none(),
        }
    }
}

/// Splits at commas outside parentheses.
fn split(selector: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0, 0);
    for (i, c) in selector.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(selector[start..i].trim());
                start = i + 1;
            }
            _ => {}
        }
    }
    parts.push(selector[start..].trim());
    parts.retain(|p| !p.is_empty());
    parts
}

fn need(part: &str) -> Result<Need, Refusal> {
    let list = |values: &str| {
        values
            .trim()
            .strip_prefix('(')
            .and_then(|v| v.strip_suffix(')'))
            .map(|v| v.split(',').map(|s| s.trim().to_owned()).collect::<Vec<_>>())
            .ok_or_else(|| Refusal::bad_request(format!("unable to parse requirement: {part}")))
    };
    if let Some((key, values)) = part.split_once(" notin ") {
        return Ok(Need::NotIn(key.trim().to_owned(), list(values)?));
    }
    if let Some((key, values)) = part.split_once(" in ") {
        return Ok(Need::In(key.trim().to_owned(), list(values)?));
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Ok(Need::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = part.split_once('=') {
        let value = value.trim_start_matches('=').trim();
        return Ok(Need::In(key.trim().to_owned(), vec![value.to_owned()]));
    }
    Ok(part.strip_prefix('!').map_or_else(
        || Need::Exists(part.to_owned()),
        |key| Need::Absent(key.trim().to_owned()),
    ))
}

fn field(part: &str) -> Result<(String, String, bool), Refusal> {
    if let Some((path, value)) = part.split_once("!=") {
        return Ok((path.to_owned(), value.to_owned(), false));
    }
    let (path, value) = part
        .split_once('=')
        .ok_or_else(|| Refusal::bad_request(format!("invalid field selector: {part}")))?;
    Ok((path.to_owned(), value.trim_start_matches('=').to_owned(), true))
}

/// Whether labels satisfy a map of equalities (a Service's selector); an empty map selects nothing.
pub(in crate::world) fn equals(
    selector: Option<&Map<String, Value>>,
    labels: Option<&Map<String, Value>>,
) -> bool {
    selector.is_some_and(|wanted| {
        !wanted.is_empty()
            && wanted
                .iter()
                .all(|(k, v)| labels.is_some_and(|l| l.get(k) == Some(v)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn label_and_field_requirements() {
        let object = json!({"metadata": {"name": "a", "labels": {"app": "shop", "tier": "web"}}});
        for (labels, fields, selected) in [
            ("", "", true),
            ("app=shop,tier==web", "", true),
            ("app in (shop, till),!gone", "metadata.name=a", true),
            ("app notin (shop)", "", false),
            ("tier!=db,other!=x", "metadata.name!=b", true),
            ("other", "", false),
            ("app", "metadata.name=b", false),
        ] {
            let selector = Selector::parse(labels, fields).unwrap();
            assert_eq!(selector.matches(&object), selected, "{labels} / {fields}");
        }
        assert!(Selector::parse("", "nonsense").is_err());
    }
}

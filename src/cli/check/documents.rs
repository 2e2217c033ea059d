//! Inputs of a check: files, folders and standard input, as documents with their place.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::yaml;

/// A file longer than this is not a manifest.
const LIMIT: u64 = 16 * 1024 * 1024;

/// A document, and where it stands.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Document {
    /// The file, or `-`.
    pub(in crate::cli) file: String,
    /// The document in the file, from 1.
    pub(in crate::cli) number: usize,
    /// Its content, or what is wrong with it: it is no YAML or JSON, or holds what JSON cannot.
    pub(in crate::cli) content: Result<Value, String>,
}

/// The manifests that `path` stands for: itself, or every .yaml, .yml and .json below a folder, in order.
pub(super) fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::path);
    let mut found = Vec::new();
    for entry in entries {
        let kind = entry.file_type()?; // symbolic links are not followed: they may lead in a circle
        let manifest = entry
            .path()
            .extension()
            .is_some_and(|e| e == "yaml" || e == "yml" || e == "json");
        if kind.is_dir() {
            found.extend(files(&entry.path())?);
        } else if manifest {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// Reads the documents of one input. A `List` counts as its items.
pub(in crate::cli) fn read(file: &str, input: &mut dyn Read) -> io::Result<Vec<Document>> {
    let mut text = String::new();
    let length = input.take(LIMIT + 1).read_to_string(&mut text)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > LIMIT {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than 16 MiB"));
    }
    Ok(parse(file, without_mark(&text)))
}

/// What is written behind the byte order mark that some editors begin a file with, and that kubectl passes over. The parser
/// would take it for a part of the first field's name.
pub(in crate::cli) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn parse(file: &str, text: &str) -> Vec<Document> {
    let mut documents = Vec::new();
    let is_json = text.trim_start().starts_with('{');
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let place = |content| Document {
            file: file.to_owned(),
            number: index + 1,
            content,
        };
        match content(text, document, is_json) {
            Ok(Value::Null) => {}
            Ok(content) => match list(&content) {
                Some(items) => documents.extend(items.into_iter().map(|item| place(Ok(item)))),
                None => documents.push(place(Ok(content))),
            },
            Err(Wrong::Number(error)) => documents.push(place(Err(error))),
            Err(Wrong::Syntax(error)) => {
                documents.push(place(Err(format!("it is not YAML: {error}"))));
                break; // after an error the parser would give the same one for ever
            }
        }
    }
    documents
}

/// Why a document has no content.
enum Wrong {
    /// It cannot be parsed.
    Syntax(String),
    /// A number that JSON, and so the API server, does not know.
    Number(String),
}

fn content<'de>(text: &'de str, yaml: serde_yaml::Deserializer<'de>, is_json: bool) -> Result<Value, Wrong> {
    let syntax = |error: &dyn std::fmt::Display| Wrong::Syntax(error.to_string());
    let value = yaml::read(text, yaml).map_err(|error| syntax(&error))?;
    if let Some((path, number)) = beyond_json(&value) {
        let path = path.trim_start_matches('.');
        let shown = serde_yaml::to_string(&serde_yaml::Value::from(number)).unwrap_or_default();
        let why = format!(
            "{path}: {} is no number to the API server: write a finite one",
            shown.trim()
        );
        return Err(Wrong::Number(why));
    }
    let mut value = serde_json::to_value(value).map_err(|error| syntax(&error))?;
    if !is_json {
        whole(&mut value);
    }
    Ok(value)
}

/// The first number that is infinite or none at all, and where; on the way to JSON it would become `null`, and so a default.
fn beyond_json(value: &serde_yaml::Value) -> Option<(String, f64)> {
    use serde_yaml::Value as Yaml;
    match value {
        Yaml::Number(number) => {
            let number = number.as_f64().filter(|number| !number.is_finite())?;
            Some((String::new(), number))
        }
        Yaml::Sequence(items) => items.iter().enumerate().find_map(|(index, item)| {
            beyond_json(item).map(|(path, number)| (format!("[{index}]{path}"), number))
        }),
        Yaml::Mapping(fields) => fields.iter().find_map(|(name, field)| {
            let name = name.as_str().unwrap_or("?");
            beyond_json(field).map(|(path, number)| (format!(".{name}{path}"), number))
        }),
        Yaml::Tagged(tagged) => beyond_json(&tagged.value),
        Yaml::Null | Yaml::Bool(_) | Yaml::String(_) => None,
    }
}

/// On its way from YAML to the API server, `10.0` becomes `10`; JSON is sent as it is written.
fn whole(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| float.fract() == 0.0 && float.abs() < 1e15);
            if let Some(float) = float {
                *value = Value::from(float as i64);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Object(fields) => fields.values_mut().for_each(whole),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn list(content: &Value) -> Option<Vec<Value>> {
    let is_list = content.get("kind")? == "List" && content.get("apiVersion")? == "v1";
    is_list.then(|| {
        content
            .get("items")
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        for text in ["kind: Rollout\nspec: {}\n", r#"{"kind": "Rollout", "spec": {}}"#] {
            let marked = format!("\u{feff}{text}");
            let found = read("-", &mut marked.as_bytes()).unwrap();
            assert_eq!(found.len(), 1, "{text}");
            let content = found[0].content.as_ref().unwrap();
            assert_eq!(content, &serde_json::json!({"kind": "Rollout", "spec": {}}));
        }
    }
}

//! `metadata.managedFields`: who owns which field, for ordinary writes as well as for server-side apply.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::fields::{self, Path};
use super::refusal::Refusal;
use crate::world::json;

/// One entry of `managedFields`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    manager: String,
    apply: bool,
    part: String,
    api_version: String,
    time: Value,
    fields: BTreeSet<Path>,
}

/// Who writes.
#[derive(Clone, Copy, Debug)]
pub(in crate::world) struct Author<'a> {
    pub(super) manager: &'a str,
    /// The subresource, empty for the object itself.
    pub(super) part: &'a str,
    pub(super) api_version: &'a str,
    pub(super) now: jiff::Timestamp,
}

impl Author<'_> {
    fn wrote(&self, entry: &Entry, apply: bool) -> bool {
        entry.manager == self.manager && entry.apply == apply && entry.part == self.part
    }

    fn entry(&self, apply: bool, fields: BTreeSet<Path>) -> Entry {
        Entry {
            manager: self.manager.to_owned(),
            apply,
            part: self.part.to_owned(),
            api_version: self.api_version.to_owned(),
            // The server leaves the time of writes by way of `scale` out.
            time: if self.part == "scale" {
                Value::Null
            } else {
                json::stamp(self.now)
            },
            fields,
        }
    }
}

/// Reads the entries of an object.
pub(super) fn read(object: &Value) -> Vec<Entry> {
    json::items(object, "/metadata/managedFields")
        .iter()
        .map(|entry| Entry {
            manager: json::text(entry, "/manager").to_owned(),
            apply: json::text(entry, "/operation") == "Apply",
            part: json::text(entry, "/subresource").to_owned(),
            api_version: json::text(entry, "/apiVersion").to_owned(),
            time: entry.get("time").cloned().unwrap_or_default(),
            fields: fields::from_tree(&entry["fieldsV1"]),
        })
        .collect()
}

/// Writes the entries into an object.
pub(super) fn write(object: &mut Value, entries: &[Entry]) {
    let list: Vec<Value> = entries
        .iter()
        .filter(|entry| !entry.fields.is_empty())
        .map(|entry| {
            let mut item = json!({
                "manager": entry.manager, "operation": if entry.apply { "Apply" } else { "Update" },
                "apiVersion": entry.api_version, "fieldsType": "FieldsV1", "fieldsV1": fields::to_tree(&entry.fields),
            });
            if !entry.time.is_null() {
                item["time"] = entry.time.clone();
            }
            if !entry.part.is_empty() {
                item["subresource"] = entry.part.as_str().into();
            }
            item
        })
        .collect();
    json::cut(object, &["metadata", "managedFields"]);
    if !list.is_empty() {
        json::put(object, &["metadata", "managedFields"], list.into());
    }
}

/// Books an ordinary write: changed fields belong to the author alone, vanished ones to nobody.
pub(super) fn book_update(old: &Value, new: &mut Value, author: Author<'_>) {
    let mut entries = read(old);
    let now_there = fields::leaves(new);
    // The status belongs to who writes it by its own path.
    let status = |path: &Path| path[0] == "f:status" && author.part != "status";
    let changed: BTreeSet<Path> = now_there
        .iter()
        .filter(|path| !status(path) && !fields::same(old, new, path))
        .cloned()
        .collect();
    for entry in &mut entries {
        let own = author.wrote(entry, false);
        let before = entry.fields.len();
        entry
            .fields
            .retain(|path| fields::at(new, path).is_some() && (own || !changed.contains(path)));
        if own && (before != entry.fields.len() || !changed.is_subset(&entry.fields)) {
            entry.fields.extend(changed.iter().cloned());
            entry.time = author.entry(false, BTreeSet::new()).time;
        }
    }
    if !changed.is_empty() && !entries.iter().any(|entry| author.wrote(entry, false)) {
        entries.push(author.entry(false, changed));
    }
    write(new, &entries);
}

/// What an apply may do to the live object.
pub(super) struct Applied {
    /// The entries after it.
    pub(super) entries: Vec<Entry>,
    /// Fields that the applier gave up and that nobody else owns.
    pub(super) dropped: Vec<Path>,
}

/// Books an apply of `config` on `live`.
///
/// # Errors
/// Fields that others own with another value, unless `force`.
pub(super) fn book_apply(
    live: &Value,
    config: &Value,
    author: Author<'_>,
    force: bool,
) -> Result<Applied, Refusal> {
    let wanted = fields::leaves(config);
    let mut entries = read(live);
    let mut conflicts = Vec::new();
    for entry in entries.iter_mut().filter(|entry| !author.wrote(entry, true)) {
        let disputed: Vec<Path> = wanted
            .iter()
            .filter(|path| entry.fields.contains(*path) && !fields::same(live, config, path))
            .cloned()
            .collect();
        for path in disputed {
            if force {
                entry.fields.remove(&path);
            } else {
                conflicts.push((described(entry), fields::readable(&path)));
            }
        }
    }
    if !conflicts.is_empty() {
        conflicts.sort();
        return Err(Refusal::field_conflicts(&conflicts));
    }
    let mine = entries.iter().position(|entry| author.wrote(entry, true));
    let before = mine.map(|i| entries[i].fields.clone()).unwrap_or_default();
    let held = |path: &Path| {
        let covers = |owned: &Path| owned.starts_with(path);
        wanted.iter().any(covers)
            || entries
                .iter()
                .enumerate()
                .any(|(i, e)| Some(i) != mine && e.fields.iter().any(covers))
    };
    // In order a list item comes before its fields. The keys of an item that stays are not for anyone to give up.
    let dropped: Vec<Path> = before
        .iter()
        .filter(|path| !held(path) && !fields::is_key(path))
        .cloned()
        .collect();
    match mine {
        Some(i) if entries[i].fields == wanted => {}
        Some(i) => entries[i] = author.entry(true, wanted),
        None => entries.push(author.entry(true, wanted)),
    }
    Ok(Applied { entries, dropped })
}

/// A manager as conflict messages name it.
fn described(entry: &Entry) -> String {
    let part = if entry.part.is_empty() {
        String::new()
    } else {
        format!(" with subresource {:?}", entry.part)
    };
    let version = match entry.time.as_str() {
        _ if entry.apply => String::new(),
        Some(time) => format!(" using {} at {time}", entry.api_version),
        None => format!(" using {}", entry.api_version),
    };
    format!("{:?}{part}{version}", entry.manager)
}

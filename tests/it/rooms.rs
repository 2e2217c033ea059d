//! The house rules that a compiler does not know: which room may use which, what the pure rooms must not name,
//! how long a file may be.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)] // a set-up that fails is a test that fails

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::support::source::{self, crate_paths, words};

/// Each room and the rooms that it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("api", &[]),
    ("stats", &[]),
    ("trials", &["stats"]),
    ("engine", &["stats"]),
    ("render", &["engine", "api"]),
    ("ports", &[]),
    ("telemetry", &[]),
    ("cluster", &["api", "engine", "render", "ports"]),
    ("sources", &["ports"]),
    (
        "controller",
        &[
            "api",
            "stats",
            "engine",
            "render",
            "ports",
            "cluster",
            "sources",
            "telemetry",
        ],
    ),
    ("world", &["ports"]),
    ("rehearsal", &["api", "stats", "trials", "engine"]),
    ("admin", &["telemetry"]),
    (
        "cli",
        &[
            "api",
            "stats",
            "trials",
            "engine",
            "render",
            "ports",
            "cluster",
            "sources",
            "controller",
            "world",
            "rehearsal",
            "admin",
            "telemetry",
        ],
    ),
];

/// Files that may use one room more: the two ends of the engine that speak the wire's language, and what reads a provider's
/// object.
const DOORS: &[(&str, &str)] = &[
    ("engine/plan.rs", "api"),
    ("engine/plan/", "api"),
    ("engine/report.rs", "api"),
    ("engine/report/", "api"),
    ("sources/registry.rs", "api"),
];

/// Rooms that know neither clock nor client.
const PURE: &[&str] = &["api", "stats", "trials", "engine", "render"];

/// Rooms of numbers only: they can be built without any crate.
const NUMBERS: &[&str] = &["stats", "trials"];

/// What a pure room must not name. A path is matched as a sequence of words.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "kube::Client",
    "kube::Api",
    "kube::client",
    "async",
    "await",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "std::env",
    "std::fs",
    "std::net",
    "std::thread",
    "HashMap",
    "HashSet",
];

/// Crates that the numbers must do without.
const NOT_IN_NUMBERS: &[&str] = &[
    "serde",
    "serde_json",
    "jiff",
    "kube",
    "k8s_openapi",
    "schemars",
    "thiserror",
    "regex",
    "base64",
];

/// The longest file, in lines.
const LONGEST: usize = 400;

struct File {
    path: String,
    text: String,
}

impl File {
    /// The room: the first part of the path under `src`.
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// How many modules deep the file is: `src/engine.rs` is 1, `src/engine/plan.rs` is 2.
    fn depth(&self) -> usize {
        self.path.split('/').count()
    }
}

fn files(under: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(under);
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = vec![root.clone()];
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(File {
                    path: path
                        .strip_prefix(&root)
                        .unwrap()
                        .to_string_lossy()
                        .replace('\\', "/"),
                    text: std::fs::read_to_string(&path).unwrap(),
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Every use of a room that the table does not allow, in words.
fn trespasses(files: &[File]) -> Vec<String> {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for file in files {
        let room = file.room();
        if room == "lib" {
            continue;
        }
        let code = source::code(&file.text);
        if room == "main" {
            let beyond = words(&code)
                .windows(3)
                .any(|w| w[0] == "serin" && w[1] == "::" && w[2] != "cli");
            if beyond {
                wrong.push("main.rs uses more of the library than `cli`".to_owned());
            }
            continue;
        }
        let Some(allowed) = rooms.get(room) else {
            wrong.push(format!("{}: room `{room}` is not in the table", file.path));
            continue;
        };
        let used: BTreeSet<String> = crate_paths(&code, file.depth());
        for other in used {
            let door = DOORS
                .iter()
                .any(|(path, to)| file.path.starts_with(path) && *to == other);
            if other != room && !allowed.contains(&other.as_str()) && !door {
                wrong.push(format!("{}: `{room}` must not use `{other}`", file.path));
            }
        }
    }
    wrong
}

/// Every room that the table allows to another which does without it.
fn unused(files: &[File]) -> Vec<String> {
    let mut used: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let paths = crate_paths(&source::code(&file.text), file.depth());
        used.entry(file.room()).or_default().extend(paths);
    }
    let idle = |room: &str, other: &str| !used.get(room).is_some_and(|used| used.contains(other));
    ROOMS
        .iter()
        .flat_map(|(room, allowed)| allowed.iter().map(move |other| (*room, *other)))
        .filter(|(room, other)| idle(room, other))
        .map(|(room, other)| format!("`{room}` may use `{other}` and does not: take it from the table"))
        .collect()
}

/// Every forbidden word in a pure room.
fn impurities(files: &[File]) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        let words = words(&source::code(&file.text));
        let banned = |list: &[&str]| -> Vec<String> {
            list.iter()
                .filter(|word| source::contains(&words, word))
                .map(|word| format!("{}: names `{word}`", file.path))
                .collect()
        };
        if PURE.contains(&file.room()) {
            wrong.extend(banned(IMPURE));
        }
        if NUMBERS.contains(&file.room()) {
            wrong.extend(banned(NOT_IN_NUMBERS));
        }
    }
    wrong
}

fn too_long(files: &[File], longest: usize) -> Vec<String> {
    files
        .iter()
        .map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > longest)
        .map(|(file, lines)| {
            format!(
                "{}: {lines} lines, at most {longest}: split it by subject",
                file.path
            )
        })
        .collect()
}

fn unfinished(files: &[File]) -> Vec<String> {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("#[ig", "nore"),
    ];
    files
        .iter()
        .flat_map(|file| marks.iter().map(move |mark| (file, mark)))
        .filter(|(file, mark)| file.text.contains(**mark))
        .map(|(file, mark)| format!("{}: `{mark}`", file.path))
        .collect()
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

#[test]
fn every_room_uses_only_what_it_may() {
    let files = files("src");
    assert!(files.len() > 20, "the sources were not found");
    assert_none(&trespasses(&files));
}

#[test]
fn no_room_may_use_what_it_does_without() {
    assert_none(&unused(&files("src")));
}

#[test]
fn the_pure_rooms_know_neither_clock_nor_client() {
    assert_none(&impurities(&files("src")));
}

#[test]
fn no_file_is_too_long() {
    assert_none(&too_long(&files("src"), LONGEST));
}

#[test]
fn nothing_is_left_for_later() {
    let mut all = files("src");
    all.extend(files("tests"));
    all.extend(files("benches"));
    assert_none(&unfinished(&all));
}

fn sample(path: &str, text: &str) -> Vec<File> {
    vec![File {
        path: path.to_owned(),
        text: text.to_owned(),
    }]
}

#[test]
fn a_trespass_is_found_however_it_is_written() {
    let guilty = [
        ("engine/decide.rs", "use crate::api::Rollout;"),
        ("engine/decide.rs", "use crate::{stats, cluster::Client};"),
        (
            "engine/decide.rs",
            "use crate::{\n    stats::{Margin, Tick},\n    world::{self, Clock},\n};",
        ),
        (
            "engine/decide/effects.rs",
            "use super::super::super::api::Rollout;",
        ),
        ("engine.rs", "use super::controller;"),
        ("engine.rs", "mod a { use super::b; } use super::world;"),
        ("engine.rs", "mod tests { use super::super::world; }"),
        ("engine/decide.rs", "fn f(x: &crate::sources::Prometheus) {}"),
        ("stats/ratio.rs", "use crate::engine::Weight;"),
        ("api/rollout.rs", "impl From<crate::engine::Weight> for W {}"),
        ("admin.rs", "use crate::controller::Controller;"),
        ("main.rs", "fn main() { serin::controller::run() }"),
        ("helpers.rs", "//! a room of nobody's"),
        (
            "engine/state.rs",
            "const A: &str = \"// not a comment\"; use crate::api::X;",
        ),
        (
            "engine/state.rs",
            "const A: char = '\"'; use crate::api::X; const B: char = '\"';",
        ),
    ];
    for (path, text) in guilty {
        assert_eq!(trespasses(&sample(path, text)).len(), 1, "{path}: {text}");
    }
    let innocent = [
        (
            "engine/plan/admit.rs",
            "use crate::api; use crate::engine::Weight;",
        ),
        ("engine/report.rs", "use crate::api;"),
        (
            "engine/decide.rs",
            "// use crate::api::Rollout;\nuse super::effect::Effect;",
        ),
        (
            "engine/decide.rs",
            "/* crate::api /* nested */ crate::world */ use crate::stats::Tick;",
        ),
        (
            "engine/decide.rs",
            "const A: &str = \"crate::api\"; const B: &str = r#\"crate::world \"#;",
        ),
        (
            "engine/decide.rs",
            "macro_rules! m { () => { $crate::engine::reason::X } }",
        ),
        ("engine/decide/effects.rs", "use super::super::effect::Effect;"),
        (
            "admin.rs",
            "fn f() {} mod tests { use super::*; fn g() { if true {} } use super::f; }",
        ),
        ("cli.rs", "use crate::controller::Controller;"),
        ("main.rs", "fn main() { serin::cli::run() }"),
        ("lib.rs", "pub mod api;"),
    ];
    for (path, text) in innocent {
        assert_none(&trespasses(&sample(path, text)));
    }
}

#[test]
fn an_edge_that_is_not_there_is_found() {
    let edges = ROOMS.iter().map(|(_, allowed)| allowed.len()).sum::<usize>();
    assert_eq!(unused(&[]).len(), edges);
    assert_eq!(
        unused(&sample("admin.rs", "use crate::telemetry;")).len(),
        edges - 1
    );
}

#[test]
fn a_clock_or_a_client_is_found() {
    let guilty = [
        ("engine/decide.rs", "use tokio::time;"),
        ("engine/decide.rs", "tracing::info!(\"x\");"),
        ("render.rs", "use kube::{Client, Resource};"),
        ("render.rs", "fn f(a: kube::Api<Pod>) {}"),
        ("engine/decide.rs", "async fn f() {}"),
        ("engine/decide.rs", "f().await"),
        ("engine/decide.rs", "let now = Timestamp :: now();"),
        ("stats/a.rs", "use std::collections::HashMap;"),
        ("stats/a.rs", "use std::{collections::{BTreeMap, HashMap}};"),
        ("api/a.rs", "use std::env;"),
        ("api/a.rs", "use std::{fmt, env};"),
        ("stats/a.rs", "use serde::Serialize;"),
    ];
    for (path, text) in guilty {
        assert_eq!(impurities(&sample(path, text)).len(), 1, "{path}: {text}");
    }
    let innocent = [
        (
            "engine/decide.rs",
            "// the shell uses tokio\nlet asynchronous = 1;",
        ),
        (
            "api/rollout.rs",
            "#[derive(kube::CustomResource, Clone)] struct A;",
        ),
        ("cluster/a.rs", "use tokio::time; async fn f() { g().await }"),
        ("stats/a.rs", "use std::collections::BTreeMap;"),
    ];
    for (path, text) in innocent {
        assert_none(&impurities(&sample(path, text)));
    }
}

#[test]
fn a_long_file_and_a_note_to_oneself_are_found() {
    assert_eq!(too_long(&sample("api/a.rs", "a\nb\nc"), 2).len(), 1);
    assert_none(&too_long(&sample("api/a.rs", "a\nb"), 2));
    assert_eq!(
        unfinished(&sample("api/a.rs", concat!("// TO", "DO: later"))).len(),
        1
    );
    assert_none(&unfinished(&sample("api/a.rs", "// done")));
}

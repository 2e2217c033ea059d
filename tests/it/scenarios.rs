//! Every script of `tests/scenarios` is played and its transcript compared with the golden one beside it.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it scenarios` writes the transcripts anew: read them before you commit them.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)] // a set-up that fails is a test that fails

use std::path::{Path, PathBuf};

use crate::support::play::{Crash, Play, play};
use crate::support::script;

fn scripts() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .collect();
    found.sort();
    found
}

fn played(path: &Path, crash: Crash) -> Play {
    play(script::read(&std::fs::read_to_string(path).unwrap()), crash)
}

#[test]
fn each_transcript_is_the_golden_one() {
    let scripts = scripts();
    assert!(scripts.len() >= 20, "only {} scenarios were found", scripts.len());
    let mut wrong = Vec::new();
    for path in scripts {
        let transcript = played(&path, Crash::Never).transcript;
        let golden = path.with_extension("out");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&golden, &transcript).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        if let Some(line) = first_difference(&expected, &transcript) {
            wrong.push(format!("{}:{line}", golden.display()));
        }
    }
    assert!(wrong.is_empty(), "transcripts differ:\n{}", wrong.join("\n"));
}

fn first_difference(expected: &str, found: &str) -> Option<String> {
    let (mut golden, mut lines) = (expected.lines(), found.lines());
    for number in 1.. {
        match (golden.next(), lines.next()) {
            (None, None) => return None,
            (a, b) if a == b => {}
            (a, b) => {
                let text = |line: Option<&str>| line.unwrap_or("(the end)").to_owned();
                return Some(format!("{number}\n  golden: {}\n  now:    {}", text(a), text(b)));
            }
        }
    }
    None
}

/// Who reads until when something waits may rely on it.
#[test]
fn nothing_waits_until_a_moment_that_has_passed() {
    for path in scripts() {
        let overdue = played(&path, Crash::Never).overdue;
        assert!(overdue.is_empty(), "{}: {overdue:#?}", path.display());
    }
}

/// A controller that dies at every commit, or after every single write, ends up in the same place.
#[test]
fn crashes_change_nothing() {
    for path in scripts() {
        let whole = played(&path, Crash::Never);
        for crash in [Crash::AfterCommit, Crash::AfterFirstEffect] {
            let broken = played(&path, crash);
            let context = format!("{} {crash:?}\n{}", path.display(), broken.transcript);
            assert_eq!(broken.state, whole.state, "{context}");
            assert_eq!(broken.cluster.candidate, whole.cluster.candidate, "{context}");
            assert_eq!(
                broken.cluster.route.weight, whole.cluster.route.weight,
                "{context}"
            );
            assert_eq!(
                broken.cluster.route.touched, whole.cluster.route.touched,
                "{context}"
            );
            assert_eq!(broken.cluster.gone, whole.cluster.gone, "{context}");
            let facts = |play: &Play| {
                play.cluster
                    .deployment
                    .as_ref()
                    .map(|deployment| deployment.facts.clone())
            };
            assert_eq!(facts(&broken), facts(&whole), "{context}");
        }
    }
}

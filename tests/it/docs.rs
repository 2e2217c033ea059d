//! The pages agree with the code: the two commands, the links, and a line for every reason that people may meet.
#![allow(clippy::unwrap_used, clippy::panic, clippy::wildcard_enum_match_arm)] // a set-up that fails is a test that fails

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const COMMANDS: [&str; 2] = ["cargo run --release -- demo", "cargo test"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` with this extension; what was built, and hidden folders, are left out.
fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" {
                files(&path, extension, found);
            }
        } else if path.extension().is_some_and(|its| its == extension) {
            found.push(path);
        }
    }
    found.sort();
}

fn pages() -> Vec<PathBuf> {
    let mut pages = Vec::new();
    files(root(), "md", &mut pages);
    pages
}

/// What stands between each `before` and the next `after`.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before)
        .skip(1)
        .filter_map(move |rest| rest.split_once(after).map(|(inside, _)| inside))
}

/// The lines of a page outside its code blocks.
fn prose(page: &str) -> String {
    let outside = page.split("```").step_by(2);
    outside.collect::<Vec<_>>().join("\n")
}

/// The anchors that GitHub gives to a page's headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let slug = |line: &str| {
        let text = line.trim_start_matches('#').trim().to_lowercase();
        text.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    prose(page)
        .lines()
        .filter(|line| line.starts_with('#'))
        .map(slug)
        .collect()
}

#[test]
fn readme_names_the_two_commands_and_ci_runs_the_second() {
    let readme = read("README.md");
    for command in COMMANDS {
        let alone = readme.lines().filter(|line| *line == command).count();
        assert_eq!(
            alone, 1,
            "README.md must have `{command}` once, on a line of its own"
        );
    }
    let ci = read(".ci/run");
    assert!(
        ci.lines()
            .any(|line| line.trim() == format!("step {}", COMMANDS[1])),
        ".ci/run does not run `{}`",
        COMMANDS[1]
    );
}

#[test]
fn every_relative_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut seen = 0;
    for page in pages() {
        let text = prose(&read(&page));
        for link in between(&text, "](", ')') {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                page.parent().unwrap().join(path)
            };
            let there = target.exists() && (anchor.is_empty() || anchors(&read(&target)).contains(anchor));
            if !there {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(seen > 10, "only {seen} links were found");
    assert!(broken.is_empty(), "broken links:\n{}", broken.join("\n"));
}

/// Every reason of `engine::reason`.
fn reasons() -> BTreeSet<String> {
    let table = read("src/engine/reason.rs");
    let (_, table) = table.split_once("reasons! {").unwrap();
    between(table, " = \"", '"').map(str::to_owned).collect()
}

/// A reason that is written out elsewhere could differ, and would escape the page.
#[test]
fn reasons_are_written_out_in_one_place() {
    let is_unmistakable = |reason: &String| reason.chars().filter(|it| it.is_uppercase()).count() > 1;
    let reasons: BTreeSet<String> = reasons().into_iter().filter(is_unmistakable).collect();
    let mut written = Vec::new();
    for room in ["src/cluster", "src/controller", "src/render"] {
        let mut sources = Vec::new();
        files(&root().join(room), "rs", &mut sources);
        for source in sources.iter().filter(|path| {
            let path = path.to_string_lossy();
            !path.ends_with("tests.rs") && !path.contains("/tests/")
        }) {
            let text = read(source);
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap();
            let literals = reasons
                .iter()
                .filter(|reason| code.contains(&format!("\"{reason}\"")));
            written.extend(literals.map(|reason| format!("{}: {reason}", source.display())));
            let given = between(code, "reason: \"", '"');
            written.extend(given.map(|reason| format!("{}: {reason}", source.display())));
        }
    }
    assert!(
        written.is_empty(),
        "use the constants of `engine::reason`: {written:#?}"
    );
}

#[test]
fn every_reason_has_a_line_in_troubleshooting() {
    let reasons = reasons();
    assert!(reasons.len() > 60, "only {} reasons were found", reasons.len());
    let page = read("docs/troubleshooting.md");
    let missing: Vec<&String> = reasons
        .iter()
        .filter(|reason| !page.contains(&format!("`{reason}`")))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/troubleshooting.md has no word on {missing:?}"
    );
}

/// `UPDATE_GOLDEN=1 cargo test --test it docs` writes the table anew.
#[test]
fn the_page_of_metrics_names_what_the_operator_counts() {
    let page = read("docs/metrics.md");
    let row = |about: &serin::telemetry::metrics::About| {
        let labels: Vec<String> = about.labels.iter().map(|label| format!("`{label}`")).collect();
        let (name, labels) = (about.full_name(), labels.join(", "));
        format!("| `{name}` | {} | {labels} | {} |\n", about.kind(), about.help)
    };
    let table: String = serin::telemetry::metrics::FAMILIES.iter().map(row).collect();
    let begins = page.find("| `").unwrap();
    let length: usize = page[begins..]
        .split_inclusive('\n')
        .take_while(|line| line.starts_with('|'))
        .map(str::len)
        .sum();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let anew = format!("{}{table}{}", &page[..begins], &page[begins + length..]);
        fs::write(root().join("docs/metrics.md"), anew).unwrap();
        return;
    }
    assert_eq!(
        &page[begins..begins + length],
        table,
        "run this test with UPDATE_GOLDEN=1"
    );
}

//! Every example has a header that says what it shows, and passes `serin check`.

use std::path::Path;

use serin::cli::Exit;
use serin::cli::check::Check;

#[test]
fn examples_are_valid() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let check = Check {
        paths: vec![folder.clone()],
    };
    let mut out = Vec::new();
    let exit = check.run(&mut "".as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(exit, Exit::Healthy, "{out}");
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        // Lines for `serin judge` are tried with it.
        if file.extension().is_some_and(|it| it == "jsonl") {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{} has no header", file.display());
        assert!(
            out.contains(&format!("{}: document 1: ", file.display())),
            "{} is not checked",
            file.display()
        );
    }
}

#[test]
fn the_smallest_one_has_ten_lines() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/minimal.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert!(lines <= 10, "{lines}");
}

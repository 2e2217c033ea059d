//! Tables: the one for people, and those that are read.

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::judge::{Judge, Output};

use super::{NOW, command, judge, line};

/// The table for people.
fn shown(input: &str) -> String {
    let command = Judge {
        file: Some("-".into()),
        output: Some(Output::Text),
        ..Judge::default()
    };
    let mut out = Vec::new();
    command.run(NOW, &mut input.as_bytes(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_table_for_people_has_a_row_for_each_line() {
    let input = format!("{}\nnonsense\n{}\n", line("s", 15), line("s", 30));
    let text = shown(&input);
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 4, "{text}");
    assert!(
        rows[0].starts_with("STREAM") && rows[2].starts_with("line 2: "),
        "{text}"
    );
    let answer: Vec<Value> = judge(&input, None).1;
    assert!(rows[1].ends_with(answer[0]["reason"].as_str().unwrap()), "{text}");
    assert!(rows[1].contains(" 0:15 ") && rows[3].contains(" 0:30 "), "{text}");
    // Of several streams it says how many stand where; times since 1970 are times of day.
    let input = format!("{}\n{}\nnonsense\n", line("a", 15), line("b", 1_790_946_015));
    let text = shown(&input);
    assert!(text.contains(" 13:00:15 "), "{text}");
    assert!(
        text.ends_with("\n2 streams: 0 pass, 0 failed, 2 undecided; 1 line could not be used\n"),
        "{text}"
    );
}

#[test]
fn a_table_without_a_header_that_can_be_used_says_so_in_each_row() {
    let (exit, answers) = judge("t,weight,errors\n15,10,1\n30,10,1\n", None);
    let errors: Vec<&str> = answers.iter().filter_map(|it| it["error"].as_str()).collect();
    assert_eq!((exit, errors.len()), (Exit::Usage, 3));
    assert!(errors[0].contains("unknown column errors"), "{errors:?}");
    assert!(errors[1].contains("no header of columns"), "{errors:?}");
}

#[test]
fn names_on_a_terminal_are_harmless() {
    let named = |stream: &str, metric: &str, t: u64| {
        json!({"stream": stream, "t": t, "weight": 10, "metrics": {metric: {
            "candidate": {"n": 90, "x": 0}, "baseline": {"n": 900, "x": 1}}}})
    };
    let (stream, metric) = ("a\u{1b}[2J", "e\n0:15 Pass\u{9b}");
    let input = format!(
        "{}\n{}\n",
        named(stream, metric, 15),
        json!({"stream": stream, "t": 30, "weight": 10, "metrics": {metric: {
            "candidate": {"n": 1, "x": 2}, "baseline": {"n": 900, "x": 1}}}})
    );
    let mut out = Vec::new();
    let text = Judge {
        output: Some(Output::Text),
        ..command(None)
    };
    text.run(NOW, &mut input.as_bytes(), &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    assert_eq!(out.lines().count(), 3, "{out}");
    assert!(
        !out.chars().any(|letter| letter.is_control() && letter != '\n'),
        "{out:?}"
    );
    assert!(
        out.contains("a\\u{1b}[2J") && out.contains("metric e\\n0:15 Pass\\u{9b}:"),
        "{out}"
    );
}

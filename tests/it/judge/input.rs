//! Input of every kind: what is read as it was meant, and what is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;
use serin::cli::Exit;

use super::{Folder, NOW, command, judge, line, serin};

#[test]
fn line_ends_marks_and_blank_lines_change_nothing() {
    let plain = format!("{}\n{}\n", line("s", 15), line("s", 30));
    let odd = format!("\u{feff}\r\n  {}\t\r\n\r\n\n{}", line("s", 15), line("s", 30));
    assert_eq!(judge(&plain, None), judge(&odd, None));
    let columns = "stream,t,weight,candidate_n,candidate_x,baseline_n,baseline_x\n";
    let csv = format!("{columns}s,15,10,90,0,900,1\ns,30,10,90,0,900,1\n");
    let odd = format!("\u{feff}\n{}", csv.replace('\n', "\r\n\r\n"));
    assert_eq!(judge(&csv, None), judge(&odd, None));
    assert_eq!(judge(&csv, None).1.len(), 2);
}

#[test]
fn what_no_json_can_hold_is_refused_and_the_rest_goes_on() {
    let good = |t| line("s", t);
    for (bad, reason) in [
        (good(30).replace("\"t\":30", "\"t\":NaN"), "expected"),
        (good(30).replace("\"t\":30", "\"t\":Infinity"), "expected"),
        (good(30).replace("\"t\":30", "\"t\":1e999"), "number out of range"),
        (good(30).replace("\"t\":30", "\"t\":1e300"), "t is out of range"),
        (good(30).replace("\"n\":90,", "\"n\":1e30,"), "not a whole number"),
        (
            good(30).replace("\"n\":90,", "\"n\":9007199254740993,"),
            "larger than 2^53",
        ),
        (
            good(30).replace("\"n\":90,", "\"n\":123456789012345678901234567890,"),
            "not a whole number",
        ),
        (good(30).replace("\"n\":90,", "\"n\":0.5,"), "not a whole number"),
        (
            good(30).replace("\"t\":30", "\"t\":30,\"step\":4294967296"),
            "below 2^32",
        ),
        (
            good(30).replace("\"t\":30", "\"t\":30,\"t\":31"),
            "duplicate field `t`",
        ),
        (
            good(30).replace(
                "{\"e\":",
                "{\"e\":{\"candidate\":{\"n\":1},\"baseline\":{\"n\":1}},\"e\":",
            ),
            "e is there twice",
        ),
        (
            good(30).replace("\"n\":90,", "\"n\":90,\"n\":91,"),
            "duplicate field `n`",
        ),
        (
            good(30).replace("\"weight\":10", "\"weight\":10,\"next\":0"),
            "next must be above 0",
        ),
        (
            good(30).replace("\"weight\":10", "\"weight\":101"),
            "weight must be above 0",
        ),
        (format!("{} {}", good(30), good(45)), "trailing characters"),
        ("[1]".to_owned(), "a line begins with {"),
        (
            "{\"stream\":\"s\",\"t\":30,\"weight\":10}".to_owned(),
            "metrics is missing",
        ),
    ] {
        let (exit, answers) = judge(&format!("{}\n{bad}\n{}\n", good(15), good(60)), None);
        let error = answers[1]["error"]
            .as_str()
            .unwrap_or_else(|| panic!("{bad}: {}", answers[1]));
        assert!(error.contains(reason), "{bad}: {error}");
        assert_eq!(
            (exit, answers.len(), &answers[1]["line"]),
            (Exit::Usage, 3, &json!(2)),
            "{bad}"
        );
        assert_eq!(answers[2]["metrics"]["e"]["candidate"]["n"], 180, "{bad}");
    }
}

#[test]
fn counts_at_the_edge_of_what_is_exact_do_not_overflow() {
    let mut input = String::new();
    for t in 1..3000_u64 {
        let line = line("s", t).replace(
            "\"n\":900,\"x\":1",
            "\"n\":9007199254740992,\"x\":9007199254740992",
        );
        writeln!(input, "{line}").unwrap();
    }
    // Such counts are no share of 10 %: that holds, and that too can be told of them.
    let (exit, answers) = judge(&input, None);
    assert_eq!((exit, answers.len()), (Exit::Undecided, 2999));
    assert!(answers.iter().all(|answer| answer.get("error").is_none()));
    assert_eq!(answers[2998]["share"]["asked"], 10.0);
}

#[test]
fn a_line_may_be_a_mebibyte_long_and_no_longer() {
    let pad = |length: usize| {
        let line = line("s", 30);
        let spaces = " ".repeat(length - line.len());
        line.replacen("\"t\"", &format!("{spaces}\"t\""), 1)
    };
    for (length, refused) in [(1 << 20, false), ((1 << 20) + 1, true), (5 << 20, true)] {
        for end in ["\n", "\r\n"] {
            let (exit, answers) = judge(
                &format!("{}{end}{}{end}{}", line("s", 15), pad(length), line("s", 60)),
                None,
            );
            assert_eq!(answers.len(), 3);
            assert_eq!(exit == Exit::Usage, refused, "{length}");
            let error = answers[1]["error"].as_str().unwrap_or_default();
            assert_eq!(error.contains("longer than 1 MiB"), refused, "{error}");
        }
    }
    let mut bytes = line("s", 15).into_bytes();
    bytes.extend(b"\n{\"stream\":\"\xff\"}\n");
    let mut out = Vec::new();
    let exit = command(None).run(NOW, &mut bytes.as_slice(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(exit == Exit::Usage && text.contains("not UTF-8"), "{text}");
}

#[test]
fn files_that_are_not_there_are_named_in_one_line() {
    let folder = Folder::new("files");
    let empty = folder.file("empty", "");
    for nothing in [empty.as_str(), "-"] {
        let (exit, out, error) = serin(&[nothing]);
        assert_eq!((exit, out.as_str()), (Some(4), ""));
        assert!(error.contains("there is no line to judge"), "{error}");
    }
    for wrong in ["/nonexistent/x", folder.0.to_str().unwrap()] {
        let (exit, out, error) = serin(&[wrong]);
        assert_eq!(
            (exit, out.as_str(), error.lines().count()),
            (Some(2), "", 1),
            "{error}"
        );
        assert!(
            error.contains(wrong) && error.contains("hint: name a file"),
            "{error}"
        );
    }
    let (exit, _, error) = serin(&[]);
    assert!(exit == Some(2) && error.contains("FILE"), "{error}");
    let (exit, _, error) = serin(&["-", "--config", "/nonexistent/y"]);
    assert!(exit == Some(2) && error.contains("/nonexistent/y"), "{error}");
}

#[test]
fn thousands_of_streams_are_judged_each_by_itself() {
    let streams = 3_000;
    let mut alone: BTreeMap<u64, String> = BTreeMap::new();
    let mut mixed = String::new();
    for t in 1..=4 {
        for stream in 0..streams {
            let line =
                line(&format!("s{stream}"), 15 * t).replace("\"x\":0", &format!("\"x\":{}", stream % 40));
            writeln!(
                alone.entry(stream % 40).or_default(),
                "{}",
                line.replace(&format!("s{stream}"), "s")
            )
            .unwrap();
            writeln!(mixed, "{line}").unwrap();
        }
    }
    let (exit, answers) = judge(&mixed, None);
    assert_eq!((exit, answers.len()), (Exit::Failed, 4 * streams as usize));
    for (index, answer) in answers.iter().enumerate() {
        let stream = index as u64 % streams;
        assert_eq!(answer["stream"], format!("s{stream}"));
        // All streams with the same counts get the same answers.
        let twin = &answers[index / streams as usize * streams as usize + (stream % 40) as usize];
        assert_eq!(
            (&answer["metrics"], &answer["reason"]),
            (&twin["metrics"], &twin["reason"])
        );
    }
}

/// Answers as they come, on a thread of their own: a test must not wait for ever for one that does not.
fn following(child: &mut std::process::Child) -> mpsc::Receiver<String> {
    let out = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::sync_channel(16);
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

#[test]
fn with_follow_an_answer_leaves_as_soon_as_its_line_is_in() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(["judge", "--follow", "-o", "json", "-"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let answers = following(&mut child);
    let mut input = child.stdin.take().unwrap();
    for t in 1..5 {
        for wanted in [line("s", 15 * t), "nonsense".to_owned()] {
            writeln!(input, "{wanted}").unwrap();
            let answer = answers
                .recv_timeout(Duration::from_mins(2))
                .expect("an answer before the next line");
            assert_eq!(answer.contains("error"), wanted == "nonsense", "{answer}");
        }
    }
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

#[test]
fn a_reader_who_goes_away_ends_it_in_silence() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    command.args(["judge", "--follow", "-o", "json", "-"]);
    let pipes = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    drop(child.stdout.take());
    for t in 1..2000 {
        if writeln!(input, "{}", line("s", 15 * t)).is_err() {
            break;
        }
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    // Nobody is left to be told, but "all passed" it is not.
    assert_eq!((output.status.code(), error.as_str()), (Some(2), ""));
}

/// The answers to lines of which the second cannot be used, and its error.
fn refused(first: &str, bad: &str) -> String {
    let (exit, answers) = judge(&format!("{first}\n{bad}\n"), None);
    // A history gets no answer.
    let last = answers.last().unwrap();
    assert_eq!((exit, &last["line"]), (Exit::Usage, &json!(2)), "{bad}");
    last["error"].as_str().unwrap().to_owned()
}

#[test]
fn what_would_be_counted_wrongly_is_refused() {
    let with = |candidate: &str| {
        format!(
            r#"{{"stream":"s","t":30,"weight":10,"metrics":{{"e":{{"candidate":{candidate},"baseline":{{"n":900,"x":1}}}}}}}}"#
        )
    };
    let history = |at: f64| format!(r#"{{"stream":"s","history":[{{"t":{at},"pods":[[9,0]]}}]}}"#);
    let gauge =
        r#""gauges":{"cpu":{"candidate":[{"pod":"p","used":1},{"pod":"p","used":2}],"limit":9}},"metrics""#;
    for (first, bad, reason) in [
        // Silence is no health.
        (line("s", 15), with(r#"{"n":90}"#), "candidate: x is missing"),
        (
            line("s", 15),
            with(r#"{"n":90,"x":1,"buckets":[[0.1,80]]}"#),
            "x and buckets exclude each other",
        ),
        (
            line("s", 15),
            with(r#"[{"series":"a","n":90,"x":1}]"#),
            "changed between increments and series",
        ),
        (
            line("s", 15),
            with(r#"[{"series":"a","n":9,"x":1},{"series":"a","n":7,"x":1}]"#),
            "the series a is there twice",
        ),
        (
            line("s", 15),
            line("s", 30).replace("\"metrics\"", gauge),
            "the pod p is there twice",
        ),
        (
            history(15.0),
            line("s", 15),
            "t must be later than the history's 15",
        ),
        (history(-15.0), history(-30.0), "has a history already"),
        (
            line("s", 15),
            "{\"stream\":\"z\",\"history\":[]}".to_owned(),
            "history is empty",
        ),
        // Milliseconds since 1970.
        (line("s", 15), line("s", 1_790_946_000_000), "it is in seconds"),
        (
            line("s", 15),
            "{\"t\":30,\"weight\":\"x\"}".to_owned(),
            "expected a number (column 20)",
        ),
    ] {
        let error = refused(&first, &bad);
        assert!(error.contains(reason), "{bad}: {error}");
    }
    // A reason may quote the line, but not all of it.
    let long = format!("{{\"{}\":1}}", "field".repeat(1000));
    assert!(refused(&line("s", 15), &long).chars().count() < 320);
}

#[test]
fn a_password_in_an_address_is_not_repeated() {
    for address in [
        "http://user:hush@localhost:9090",
        "user:hush@localhost",
        "http://user:hush@:x",
    ] {
        let (exit, out, error) = serin(&["--prometheus", address, "--rollout", "x", "--from", "1h ago"]);
        assert_eq!(exit, Some(2));
        assert!(
            error.contains("--prometheus: ") && !format!("{out}{error}").contains("hush"),
            "{error}"
        );
    }
}

#[test]
fn answers_that_cannot_be_written_are_no_verdict() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_serin"))
        .args(["judge", "-", "-o", "json"])
        .stdin(Stdio::piped())
        .stdout(std::fs::File::create("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A stream that would be undecided: 4.
    child
        .stdin
        .take()
        .unwrap()
        .write_all(line("s", 15).as_bytes())
        .unwrap();
    let end = child.wait_with_output().unwrap();
    let error = String::from_utf8(end.stderr).unwrap();
    assert_eq!(end.status.code(), Some(2), "{error}");
    assert!(
        error.contains("cannot write the answer") && error.contains("is the disk full?"),
        "{error}"
    );
}

#[test]
fn a_series_that_began_anew_counts_from_0_whatever_it_shows() {
    let line = |t: u32, n: u32, x: u32, started: u32| {
        json!({"stream": "s", "t": t, "weight": 50, "metrics": {"e": {
            "candidate": [{"series": "a", "started": started, "n": n, "x": x}],
            "baseline": [{"series": "b", "started": 0, "n": 90 * t, "x": 0}]}}})
        .to_string()
    };
    let (_, answers) = judge(
        &format!("{}\n{}\n", line(15, 90, 10, 0), line(30, 100, 80, 16)),
        None,
    );
    assert_eq!(
        answers[1]["metrics"]["e"]["candidate"],
        json!({"n": 100, "x": 80, "rate": 0.8})
    );
}

//! Input of every kind: what is read as it was meant, and what is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::{Value, json};
use serin::cli::Exit;
use serin::cli::check::Check;
use serin::cli::judge::{Judge, Output};

use super::{NOW, command, drive, judge};

fn line(stream: &str, t: u64) -> String {
    format!(
        r#"{{"stream":"{stream}","t":{t},"weight":10,"metrics":{{"e":{{"candidate":{{"n":90,"x":0}},"baseline":{{"n":900,"x":1}}}}}}}}"#
    )
}

/// A file of this test, and its folder, which goes with it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("serin-judge-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn serin(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_serin"));
    let output = command
        .arg("judge")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

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

#[test]
fn a_whole_rollout_gives_its_steps_holds_and_weights() {
    let folder = Folder::new("config");
    let rollout = |steps: &str| {
        let text = format!(
            "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {{name: a}}\nspec:\n  workload: {{name: a}}\n  \
             traffic: {{gatewayAPI: {{routes: [{{name: a}}]}}}}\n  steps:\n{steps}"
        );
        Some(folder.file("rollout.yaml", &text))
    };
    let steps = "  - {weight: 10, hold: 3m}\n  - {weight: 25, hold: 0s}\n  - {weight: 100, hold: 5m}\n";
    let (input, _, _) = drive("s", (0.001, 0.001), 100.0, 12, 7);
    let first = |config| {
        let (_, answers) = judge(&input, config);
        answers
            .iter()
            .position(|answer| answer["advance"] == true)
            .unwrap()
    };
    // The preset's minute is over before the proof is there; three minutes are not.
    let usual = first(None);
    assert!(usual < 11, "{usual}");
    assert_eq!(first(rollout(steps)), 11);
    // The file of an example serves as it is.
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/minimal.yaml");
    assert_eq!(first(Some(example.into())), usual);
}

#[test]
fn a_wrong_config_gets_the_sentence_of_check() {
    let folder = Folder::new("wrong");
    let head = "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {name: a}\nspec:\n  workload: {name: a}\n  \
                traffic: {gatewayAPI: {routes: [{name: a}]}}\n  analysis:\n";
    for (analysis, field) in [
        ("interval: 10ms\n", "interval"),
        ("confidense: {falseRollback: 0.01}\n", "confidense"),
        ("confidence: {falseRollback: 0.9}\n", "confidence.falseRollback"),
        ("preset: Slow\n", "preset"),
        ("metrics: []\n", "metrics"),
        (
            "metrics: [{name: e, tolerated: {ratio: 3, absolute: 0}, unacceptable: {ratio: 2, absolute: 0.1}}]\n",
            "tolerated.ratio of metrics",
        ),
    ] {
        let indented: String = analysis.lines().map(|line| format!("    {line}\n")).collect();
        let whole = folder.file("whole.yaml", &format!("{head}{indented}"));
        let mut out = Vec::new();
        let check = Check {
            paths: vec![whole.clone().into()],
        };
        check.run(&mut "".as_bytes(), &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        let sentence = told
            .lines()
            .next()
            .unwrap()
            .split("spec.analysis")
            .nth(1)
            .unwrap()
            .trim_start_matches(['.', ':', ' '])
            .to_owned();
        assert!(sentence.starts_with(field), "{sentence}");
        let under = format!("analysis:\n{indented}");
        for config in [
            whole,
            folder.file("bare.yaml", analysis),
            folder.file("under.yaml", &under),
        ] {
            let error = command(Some(config))
                .run(NOW, &mut "".as_bytes(), &mut Vec::new())
                .unwrap_err();
            assert!(error.to_string().contains(&sentence), "{error}\nlacks {sentence}");
        }
    }
    let empty = folder.file("empty.yaml", "# nothing\n");
    let mut out = Vec::new();
    let exit = command(Some(empty))
        .run(NOW, &mut line("s", 15).as_bytes(), &mut out)
        .unwrap();
    assert_eq!(exit, Exit::Undecided);
}

#[test]
fn latency_follows_the_configured_slow_down() {
    let folder = Folder::new("latency");
    let config = "metrics: [{name: latency, kind: Latency, latency: {slowdown: 100}}]\n";
    let tolerant = folder.file("latency.yaml", config);
    let mut input = String::new();
    for t in 1..=60 {
        let arm = |within: [u64; 3]| {
            let [fast, middle, slow] = within;
            json!({"n": 1000, "buckets": [[0.025, fast], [0.05, middle], [0.1, slow], [0.2, 995]]})
        };
        // The candidate takes twice as long.
        let line = json!({"stream": "s", "t": t * 15, "weight": 50, "metrics":
            {"latency": {"candidate": arm([10, 100, 500]), "baseline": arm([100, 500, 900])}}});
        writeln!(input, "{line}").unwrap();
    }
    assert_eq!(judge(&input, None).0, Exit::Failed);
    assert_eq!(judge(&input, Some(tolerant)).0, Exit::Healthy);
    let other = input.replacen("[0.05,", "[0.06,", 1);
    let (exit, answers) = judge(&other, None);
    assert!(
        exit == Exit::Usage && answers[0]["error"].as_str().unwrap().contains("same edges"),
        "{}",
        answers[0]
    );
}

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
fn a_table_without_a_header_that_can_be_used_says_so_in_each_row() {
    let (exit, answers) = judge("t,weight,errors\n15,10,1\n30,10,1\n", None);
    let errors: Vec<&str> = answers.iter().filter_map(|it| it["error"].as_str()).collect();
    assert_eq!((exit, errors.len()), (Exit::Usage, 3));
    assert!(errors[0].contains("unknown column errors"), "{errors:?}");
    assert!(errors[1].contains("no header of columns"), "{errors:?}");
}

/// Lines of a spotless release at these weights, each for so many scrapes; `last` marks the last so many of them.
fn spotless(weights: &[(f64, u32)], step: impl Fn(usize) -> u32, last: u32) -> Vec<Value> {
    let all: u32 = weights.iter().map(|(_, scrapes)| scrapes).sum();
    let mut input = String::new();
    let mut t = 0;
    for (index, (weight, scrapes)) in weights.iter().enumerate() {
        for _ in 0..*scrapes {
            t += 1;
            let arm = |share: f64| json!({"n": (20_000.0 * share).round(), "x": (20.0 * share).round()});
            let line = json!({"stream": "s", "t": t * 15, "step": step(index), "weight": weight,
                "final": t > all - last,
                "metrics": {"e": {"candidate": arm(weight / 100.0), "baseline": arm(1.0 - weight / 100.0)}}});
            writeln!(input, "{line}").unwrap();
        }
    }
    let (_, answers) = judge(&input, None);
    assert!(answers.iter().all(|answer| answer.get("error").is_none()));
    answers
}

#[test]
fn another_weight_is_another_step_even_if_its_number_is_the_same() {
    let counts = |answers: &[Value], at: usize| answers[at]["metrics"]["e"]["candidate"]["n"].as_u64();
    let numbered = spotless(&[(10.0, 12), (25.0, 3)], |index| index as u32, 0);
    let unnumbered = spotless(&[(10.0, 12), (25.0, 3)], |_| 0, 0);
    assert_eq!(unnumbered, numbered);
    assert_eq!(counts(&unnumbered, 12), Some(5_000));
    assert_eq!(unnumbered[11]["advance"], true);
    assert_eq!(unnumbered[12]["advance"], false);
    // A step that turns out to be the last one must be proven as such.
    let turned = spotless(&[(80.0, 40)], |_| 0, 20);
    assert_eq!(
        (counts(&turned, 19), counts(&turned, 20)),
        (Some(16_000 * 20), Some(16_000))
    );
}

#[test]
fn in_the_last_step_the_weight_grows_for_the_bake() {
    let answers = spotless(&[(80.0, 40), (95.0, 50)], |_| 0, 90);
    let first = |what: &dyn Fn(&Value) -> bool| answers.iter().position(what).unwrap();
    let proven = first(&|answer| answer["verdict"] == "Pass");
    assert!(proven < 40, "{proven}");
    // It is the same step, and the bake counts from the proof.
    assert_eq!(
        answers[40]["metrics"]["e"]["candidate"]["n"],
        16_000 * 40 + 19_000
    );
    let promoted = first(&|answer| answer["advance"] == true);
    assert!(promoted > 40, "{promoted}");
    assert_eq!(promoted - proven, 10 * 60 / 15);
}

#[test]
fn a_weight_that_falls_in_the_bake_begins_the_step_anew() {
    let answers = spotless(&[(80.0, 40), (1.0, 40)], |_| 0, 80);
    assert_eq!(answers[39]["verdict"], "Pass");
    // What was proven and baked at 80 is nothing at 1.
    assert_eq!(answers[40]["metrics"]["e"]["candidate"]["n"], 200);
    let after = &answers[40..];
    assert!(after.iter().all(|answer| answer["advance"] == false), "{after:?}");
}

#[test]
fn without_a_request_latency_waits() {
    let mut input = String::new();
    for t in 1..=40_u64 {
        let n = if t < 3 { 0 } else { 1000 };
        let arm = json!({"n": n, "buckets": [[0.05, n / 2], [0.1, n * 9 / 10], [0.5, n * 99 / 100]]});
        let line = json!({"stream": "s", "t": t * 15, "weight": 50, "metrics":
            {"latency": {"candidate": arm, "baseline": arm}}});
        writeln!(input, "{line}").unwrap();
    }
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Healthy);
    assert_eq!(answers[1]["reason"], "latency: no request of the baseline yet");
    assert_eq!(answers[2]["metrics"]["latency"]["candidate"]["n"], 1000);
}

#[test]
fn the_example_has_a_release_that_goes_on_and_one_that_ends() {
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/judge.jsonl");
    let (exit, out, error) = serin(&[example]);
    assert_eq!((exit, error.as_str()), (Some(1), ""), "{out}");
    let answers: Vec<Value> = out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let of = |stream: &str| {
        answers
            .iter()
            .filter(|it| it["stream"] == stream)
            .collect::<Vec<_>>()
    };
    let advances = of("search").iter().filter(|it| it["advance"] == true).count();
    assert_eq!(
        (advances, &of("search").last().unwrap()["advance"]),
        (2, &json!(true))
    );
    let failed: Vec<bool> = of("payment").iter().map(|it| it["verdict"] == "Fail").collect();
    assert_eq!(failed, [false, false, false, false, false, true]);
}

/// Lines at a weight of 10 whose candidate gets `share` of the requests.
fn shared(share: f64, scrapes: std::ops::RangeInclusive<u32>) -> String {
    let mut input = String::new();
    for t in scrapes {
        let arm = |share: f64| json!({"n": (20_000.0 * share).round(), "x": (20.0 * share).round()});
        let line = json!({"stream": "s", "t": t * 15, "weight": 10, "next": 25,
            "metrics": {"e": {"candidate": arm(share), "baseline": arm(1.0 - share)}}});
        writeln!(input, "{line}").unwrap();
    }
    input
}

#[test]
fn a_share_that_is_not_the_weight_holds_and_is_no_evidence() {
    let input = shared(0.5, 1..=20);
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Undecided);
    assert!(
        answers
            .iter()
            .all(|it| it["advance"] == false && it["verdict"] == "Continue")
    );
    // While the gateway takes the weight over nobody wonders.
    assert!(answers[0].get("share").is_none());
    assert_eq!(answers[1]["share"], json!({"asked": 10.0, "seen": 50.0}));
    let reason = answers[19]["reason"].as_str().unwrap();
    assert!(
        reason.contains("; it gets 50 % of the requests instead of 10 %: nothing advances"),
        "{reason}"
    );
    // Where the counts hold other requests too, that is no finding; the numbers of the evidence are the same either way.
    let mut out = Vec::new();
    let unrouted = Judge {
        unrouted: true,
        ..command(None)
    };
    let exit = unrouted.run(NOW, &mut input.as_bytes(), &mut out).unwrap();
    assert_eq!(exit, Exit::Healthy);
    for (line, answer) in String::from_utf8(out).unwrap().lines().zip(&answers) {
        let other: Value = serde_json::from_str(line).unwrap();
        assert!(other.get("share").is_none());
        assert_eq!(other["metrics"], answer["metrics"]);
    }
    // It goes on when the weight is honoured: what came before does not weigh for ever.
    let mended = format!("{}{}", shared(0.5, 1..=3), shared(0.1, 4..=60));
    let (exit, answers) = judge(&mended, None);
    assert_eq!(
        (exit, &answers[59]["advance"]),
        (Exit::Healthy, &json!(true)),
        "{}",
        answers[59]
    );
    assert!(answers[59].get("share").is_none());
}

#[test]
fn no_share_is_doubted_where_weights_are_honoured() {
    let answers = spotless(
        &[(10.0, 12), (25.0, 12), (80.0, 40), (95.0, 40)],
        |index| index.min(2) as u32,
        80,
    );
    assert!(answers.iter().all(|answer| answer.get("share").is_none()));
}

/// The evidence for leaving its step that each line at weight 25 has, after lines at these weights.
fn evidence_at_25(before: &[u32], step: u32, next: u32) -> Vec<f64> {
    let past: Vec<Value> = (0..240)
        .map(|k| json!({"t": f64::from(k) * 15.0 - 3_600.0, "pods": [[750, 1]]}))
        .collect();
    let mut input = format!("{}\n", json!({"stream": "s", "history": past}));
    let mut t = 0;
    for (step, weight, lines) in before
        .iter()
        .enumerate()
        .map(|(at, weight)| (at as u32, *weight, 6))
        .chain([(step, 25, 12)])
    {
        for _ in 0..lines {
            t += 15;
            let arm = |share: u32| json!({"n": 8 * share, "x": share / 25});
            let line = json!({"stream": "s", "t": t, "step": step, "weight": weight, "next": next,
                "metrics": {"e": {"candidate": arm(weight), "baseline": arm(100 - weight)}}});
            writeln!(input, "{line}").unwrap();
        }
    }
    let (_, answers) = judge(&input, None);
    let step = |answer: &Value| answer["metrics"]["e"]["step"]["evidence"].as_f64().unwrap();
    answers.iter().rev().take(12).rev().map(step).collect()
}

#[test]
fn the_proof_a_step_needs_follows_from_its_weight_and_its_successor_s() {
    let first = evidence_at_25(&[], 0, 50);
    assert!(first[11] > 0.5, "{first:?}");
    for (before, step) in [(&[][..], 7), (&[10][..], 1), (&[5, 10, 20][..], 3)] {
        let elsewhere = evidence_at_25(before, step, 50);
        let apart = first.iter().zip(&elsewhere).any(|(a, b)| (a - b).abs() > 1e-9);
        assert!(!apart, "step {step}: {first:?} and {elsewhere:?}");
    }
    // The more traffic comes next, the stricter; with little to come its own weight decides.
    let (near, far) = (evidence_at_25(&[], 0, 30), evidence_at_25(&[], 0, 100));
    assert_eq!(near, first);
    assert!(first[11] > far[11] + 1.0, "{first:?} {far:?}");
}

/// A histogram of 1,000 requests, of which so many took at most 25, 50, 100 and 500 ms.
fn histogram(within: [u64; 4]) -> Value {
    let [a, b, c, d] = within;
    json!({"n": 1000, "buckets": [[0.025, a], [0.05, b], [0.1, c], [0.5, d]]})
}

#[test]
fn edges_are_those_of_the_past_where_it_is_told() {
    // In the past half of the requests took 25 ms and 1 % more than 500 ms; the first scrape shows something else.
    let usual = || histogram([500, 800, 900, 990]);
    let past: Vec<Value> = (0..240)
        .map(|k| json!({"t": f64::from(k) * 15.0 - 3_600.0, "metrics": {"latency": [usual(), usual()]}}))
        .collect();
    let history = json!({"stream": "s", "history": past});
    // A start at which everything is slow: only at the last edge can anything be told apart.
    let slow = histogram([0, 0, 0, 500]);
    // The candidate is slower at the median alone.
    let slower = histogram([300, 800, 900, 990]);
    let mut input = String::new();
    for t in 1..=40 {
        let (mine, theirs) = if t == 1 {
            (&slow, &slow)
        } else {
            (&slower, &usual())
        };
        let line = json!({"stream": "s", "t": t * 15, "weight": 50,
            "metrics": {"latency": {"candidate": mine, "baseline": theirs}}});
        writeln!(input, "{line}").unwrap();
    }
    assert_eq!(judge(&format!("{history}\n{input}"), None).0, Exit::Failed);
    // Without the past the first scrape decides what is looked at.
    let (exit, answers) = judge(&input, None);
    assert_eq!(exit, Exit::Healthy);
    assert_eq!(answers[39]["metrics"]["latency"]["candidate"]["x"], 500 + 39 * 10);
}

#[test]
fn a_past_of_a_histogram_must_fit_what_is_scraped() {
    let moment = |t: i32, of: Value| json!({"t": t, "metrics": of});
    let history = |of: Value| json!({"stream": "s", "history": [moment(-30, of.clone()), moment(-15, of)]});
    let arm = json!({"n": 10, "buckets": [[0.1, 5], [0.3, 9]]});
    let line = json!({"stream": "s", "t": 15, "weight": 50, "metrics": {"latency": {"candidate": arm, "baseline": arm}}});
    for (of, said) in [
        (
            json!({"latency": [histogram([500, 800, 900, 990])]}),
            "there is no bucket up to 0.025 s",
        ),
        (
            json!({"latency": [{"n": 5, "x": 6}]}),
            "metric latency: x is 6 but n only 5",
        ),
        (
            json!({"latency": [{"n": 5, "x": 1}, {"n": 5, "buckets": [[0.1, 5]]}]}),
            "has both x and buckets",
        ),
        (
            json!({"latency": [{"n": 5, "buckets": [[0.2, 1], [0.1, 5]]}]}),
            "buckets must rise",
        ),
    ] {
        let (exit, answers) = judge(&format!("{}\n{line}\n", history(of)), None);
        assert_eq!(exit, Exit::Usage);
        assert!(
            answers
                .iter()
                .any(|it| it["error"].as_str().is_some_and(|it| it.contains(said))),
            "{said}: {answers:?}"
        );
    }
    // A past of another kind, or without a request, tells nothing of it.
    for of in [
        json!({"latency": [{"n": 5, "x": 1}]}),
        json!({"latency": [{"n": 0, "buckets": [[0.1, 0], [0.3, 0]]}]}),
    ] {
        let (_, answers) = judge(&format!("{}\n{line}\n", history(of)), None);
        let reason = answers[0]["reason"].as_str().unwrap();
        assert!(reason.ends_with(": 10 so far"), "{answers:?}");
    }
}

#[test]
fn a_histogram_that_loses_a_judged_edge_is_refused() {
    let line = |t: u64, mine: &[(f64, u64)], theirs: &[(f64, u64)]| {
        let arm = |buckets: &[(f64, u64)], factor: u64| {
            let buckets: Vec<Value> = buckets
                .iter()
                .map(|(edge, n)| json!([edge, n * factor]))
                .collect();
            json!({"n": 300 * factor, "buckets": buckets})
        };
        json!({"stream": "s", "t": t, "weight": 10,
            "metrics": {"latency": {"candidate": arm(mine, 1), "baseline": arm(theirs, 9)}}})
    };
    // Judged at all three: nearest to the median, the 90th and the 99th percentile.
    let full: &[(f64, u64)] = &[(0.05, 150), (0.1, 270), (0.5, 297)];
    let more: &[(f64, u64)] = &[(0.05, 150), (0.07, 200), (0.1, 270), (0.5, 297), (1.0, 300)];
    for (t, mine, theirs, reason) in [
        // All requests would count as slow on both sides, and the candidate would seem proven.
        (
            30,
            &[(0.01, 0), (60.0, 300)][..],
            &[(0.01, 0), (60.0, 300)][..],
            "no bucket up to 0.05 s",
        ),
        (
            30,
            &[(0.05, 150), (0.2, 280), (0.5, 297)],
            &[(0.05, 150), (0.2, 280), (0.5, 297)],
            "up to 0.1 s",
        ),
        (30, full, &[(0.05, 150), (0.1, 270), (0.6, 297)], "the same edges"),
    ] {
        let input = format!(
            "{}\n{}\n{}\n",
            line(15, full, full),
            line(t, mine, theirs),
            line(45, more, more)
        );
        let (exit, answers) = judge(&input, None);
        let error = answers[1]["error"].as_str().unwrap_or_default();
        assert!(
            error.contains(reason) && answers[1]["line"] == 2,
            "{reason}: {}",
            answers[1]
        );
        // It changed nothing, and what has more edges is read at those that are judged.
        let seen = &answers[2]["metrics"]["latency"];
        assert_eq!(
            (exit, &seen["candidate"]["n"]),
            (Exit::Usage, &json!(600)),
            "{seen}"
        );
    }
}

/// A short fault at the beginning, then so many lines in all of health, or with a failure in every so many lines.
fn early_fault(lines: u64, every: u64) -> (Exit, Vec<Value>) {
    let mut input = String::new();
    for t in 1..=lines {
        let later = u64::from(t % every == 0);
        let bad = [0, 3, 3, 4].get(t as usize - 1).copied().unwrap_or(later);
        let line = json!({"stream": "s", "t": t * 15, "weight": 10, "metrics": {"e": {
            "candidate": {"n": 75, "x": bad}, "baseline": {"n": 675, "x": u64::from(t % 4 == 0)}}}});
        writeln!(input, "{line}").unwrap();
    }
    judge(&input, None)
}

#[test]
fn a_suspicion_that_keeps_the_weight_is_told_with_its_numbers() {
    let (exit, answers) = early_fault(80, 1_000);
    let last = &answers[79];
    let seen = &last["metrics"]["e"];
    let reached = |proof: &str| seen[proof]["evidence"].as_f64() >= seen[proof]["needed"].as_f64();
    assert_eq!(exit, Exit::Undecided);
    assert!(
        reached("step") && reached("release") && !reached("fail"),
        "{seen}"
    );
    // Both proofs are there: what holds is a number of its own, and no request would end it.
    assert!(reached("suspicion"), "{seen}");
    assert_eq!(seen["missing"], json!({"requests": null, "seconds": null}));
    let suspicion = seen["suspicion"]["evidence"].as_f64().unwrap();
    let told = format!("(suspicion {suspicion:.1}, where 0.4 keeps the weight)");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains(&told), "{reason}");
}

#[test]
fn a_suspicion_ends_with_proof_and_not_where_the_fault_stays() {
    let (exit, answers) = early_fault(160, 1_000);
    let last = &answers[159];
    assert_eq!((exit, &last["advance"]), (Exit::Healthy, &json!(true)), "{last}");
    let seen = &last["metrics"]["e"]["suspicion"];
    let [evidence, needed] = ["evidence", "needed"].map(|it| seen[it].as_f64().unwrap());
    assert!(0.4 < evidence && evidence < needed, "{seen}");
    // Three times the baseline's rate after the fault, which no four hours prove wrong.
    let (exit, answers) = early_fault(960, 12);
    assert_ne!(exit, Exit::Healthy, "{}", answers[959]);
    assert!(answers.iter().all(|it| it["advance"] == false));
}

#[test]
fn a_name_chooses_among_the_rollouts_of_the_configuration() {
    let folder = Folder::new("names");
    let rollout = |name: &str, preset: &str| {
        format!(
            "apiVersion: serin.dev/v1alpha1\nkind: Rollout\nmetadata: {{name: {name}}}\nspec:\n  workload: {{name: {name}}}\n  \
             traffic: {{gatewayAPI: {{routes: [{{name: {name}}}]}}}}\n  analysis: {{confidence: {{falseRollback: {preset}}}}}\n"
        )
    };
    let both = format!(
        "{}---\n{}",
        rollout("search", "0.01"),
        rollout("payment", "0.001")
    );
    let (both, bare) = (
        folder.file("both.yaml", &both),
        folder.file("bare.yaml", "interval: 5s\n"),
    );
    let lines = folder.file("lines.jsonl", &line("s", 15));
    let needed = |name: &str| {
        let (exit, out, error) = serin(&[&lines, "--config", &both, "--name", name]);
        assert_eq!(exit, Some(4), "{out}{error}");
        let answer: Value = serde_json::from_str(&out).unwrap();
        answer["metrics"]["e"]["fail"]["needed"].as_f64().unwrap()
    };
    assert!((needed("search") - 100_f64.ln()).abs() < 1e-9);
    assert!((needed("payment") - 1000_f64.ln()).abs() < 1e-9);
    for (arguments, said) in [
        (vec!["--config", &both], "choose one with --name"),
        (
            vec!["--config", &both, "--name", "shop"],
            "--name takes one of search, payment",
        ),
        (
            vec!["--config", &bare, "--name", "shop"],
            "no Rollout for --name to choose",
        ),
        (vec!["--name", "shop"], "no file has any"),
    ] {
        let (exit, _, error) = serin(&[&[lines.as_str()][..], &arguments].concat());
        assert_eq!(exit, Some(2), "{error}");
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_share_of_nothing_like_all_traffic_is_told_at_100() {
    let mut input = String::new();
    for t in 1..=10_u64 {
        let line = json!({"stream": "s", "t": t * 15, "weight": 100, "metrics": {"e": {
            "candidate": {"n": 100, "x": 0}, "baseline": {"n": 900, "x": 0}}}});
        writeln!(input, "{line}").unwrap();
    }
    let (exit, answers) = judge(&input, None);
    assert_eq!(
        (exit, &answers[9]["share"]),
        (Exit::Undecided, &json!({"asked": 100.0, "seen": 10.0}))
    );
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
fn a_plot_never_overwrites_what_is_read() {
    let folder = Folder::new("plot-over");
    let (lines, config) = (
        folder.file("lines.jsonl", &line("s", 15)),
        folder.file("config.yaml", "interval: 5s\n"),
    );
    let detour = format!(
        "{}/../{}",
        folder.0.display(),
        folder.0.file_name().unwrap().display()
    );
    for plot in [lines.clone(), config.clone(), format!("{detour}/lines.jsonl")] {
        let (exit, out, error) = serin(&[&lines, "--config", &config, "--plot", &plot]);
        assert_eq!((exit, out.as_str()), (Some(2), ""), "{plot}");
        assert!(error.contains("would overwrite what is read"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&lines).unwrap(), line("s", 15));
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

/// A release at 80 with its proof, then a bake with all traffic in which so many of 20,000 requests fail.
fn bake_with_all_traffic(bad: u64, first: &str) -> (Exit, Vec<Value>) {
    let mut input = first.to_owned();
    for t in 1..=100 {
        let arm = |share: f64| json!({"n": (20_000.0 * share).round(), "x": (20.0 * share).round()});
        let (weight, arms) = if t <= 40 {
            (80, json!({"candidate": arm(0.8), "baseline": arm(0.2)}))
        } else {
            (
                100,
                json!({"candidate": {"n": 20_000, "x": bad}, "baseline": {"n": 0, "x": 0}}),
            )
        };
        let line =
            json!({"stream": "s", "t": t * 15, "weight": weight, "final": true, "metrics": {"e": arms}});
        writeln!(input, "{line}").unwrap();
    }
    judge(&input, None)
}

#[test]
fn in_a_bake_with_all_traffic_the_past_is_what_speaks() {
    let (exit, answers) = bake_with_all_traffic(20, "");
    assert_eq!(
        (exit, &answers[99]["advance"]),
        (Exit::Healthy, &json!(true)),
        "{}",
        answers[99]
    );
    let reason = answers[99]["reason"].as_str().unwrap();
    assert!(reason.contains("with nothing beside it, 0.1"), "{reason}");
    assert_eq!(
        (&answers[40]["verdict"], &answers[40]["advance"]),
        (&json!("Pass"), &json!(false))
    );
    // Three times the past's rate and half a point are let through, more are not.
    assert_eq!(bake_with_all_traffic(140, "").0, Exit::Healthy);
    let (exit, answers) = bake_with_all_traffic(800, "");
    let failed = answers.iter().position(|it| it["verdict"] == "Fail").unwrap();
    assert_eq!(exit, Exit::Failed);
    assert!((41..50).contains(&failed), "at {failed}");
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

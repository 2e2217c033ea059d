//! The picture: well-formed, small, and right in what it says.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;
use serin::cli::judge::{Judge, Output};
use serin::cli::{Exit, Failure};

use super::{Folder, NOW, line, serin};

/// An element: its name, attributes and text.
type Element = (String, Vec<(String, String)>, String);

/// The elements of an SVG, or what is wrong with it. Enough of XML to know.
fn parse(svg: &str) -> Result<Vec<Element>, String> {
    let (mut open, mut found) = (Vec::<String>::new(), Vec::new());
    let mut rest = svg.trim_end();
    while let Some(start) = rest.strip_prefix('<') {
        let (tag, after) = start.split_once('>').ok_or("a tag is not closed")?;
        let text: String = after.chars().take_while(|c| *c != '<').collect();
        rest = &after[text.len()..];
        if let Some(name) = tag.strip_prefix('/') {
            let innermost = open.pop().ok_or("an end without a beginning")?;
            if innermost != name {
                return Err(format!("{innermost} ends as {name}"));
            }
            if open.is_empty() && !(text.is_empty() && rest.is_empty()) {
                return Err(format!("after the end: {text}{rest}"));
            }
            continue;
        }
        let (tag, empty) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut more) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut attributes = Vec::new();
        while !more.trim().is_empty() {
            let (key, value) = more
                .trim_start()
                .split_once("=\"")
                .ok_or("an attribute without a value")?;
            let (value, after) = value.split_once('"').ok_or("a value is not closed")?;
            attributes.push((key.to_owned(), value.to_owned()));
            more = after;
        }
        for written in attributes.iter().map(|(_, value)| value).chain([&text]) {
            for entity in written.split('&').skip(1) {
                let name = entity.split(';').next().unwrap_or_default();
                if !["amp", "lt", "gt", "quot"].contains(&name) {
                    return Err(format!("&{name}"));
                }
            }
        }
        if !empty {
            open.push(name.to_owned());
        }
        found.push((name.to_owned(), attributes, text.trim().to_owned()));
    }
    if open.is_empty() && rest.is_empty() {
        Ok(found)
    } else {
        Err(format!("left open: {open:?} {rest}"))
    }
}

/// Lines of a stream whose candidate fails `bad` of a hundred requests, at weight 10 and then 25.
fn lines(stream: &str, bad: u64, count: u64) -> String {
    let mut input = String::new();
    for index in 1..=count {
        let step = usize::from(index > count / 2);
        let weight = [10, 25][step];
        let line = json!({"stream": stream, "t": index * 15, "step": step, "weight": weight, "metrics":
            {"error-rate": {"candidate": {"n": 100, "x": bad}, "baseline": {"n": 900, "x": 1}}}});
        writeln!(input, "{line}").unwrap();
    }
    input
}

fn file(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("serin-plot-{}-{name}.svg", std::process::id()))
}

fn draw(name: &str, input: &str, stream: Option<&str>) -> Result<(Exit, String), Failure> {
    let file = file(name);
    let command = Judge {
        file: Some("-".into()),
        output: Some(Output::Json),
        plot: Some(file.display().to_string()),
        stream: stream.map(str::to_owned),
        ..Judge::default()
    };
    let exit = command.run(NOW, &mut input.as_bytes(), &mut Vec::new())?;
    let svg = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    Ok((exit, svg))
}

fn texts(svg: &str) -> Vec<String> {
    let all = parse(svg).unwrap_or_else(|wrong| panic!("{wrong}\n{svg}"));
    let named = all.into_iter().filter(|(name, _, _)| name == "text");
    named.map(|(_, _, text)| text).collect()
}

#[test]
fn it_says_what_the_axes_and_curves_are() {
    let (exit, svg) = draw("bad", &lines("checkout", 3, 40), None).unwrap();
    assert_eq!(exit, Exit::Failed);
    let texts = texts(&svg);
    for wanted in [
        "- checkout",
        "evidence (nats)",
        "weight (%)",
        "time since the first line (min:s)",
        "rolled back above 4.6",
        "passes above 3.0",
        "10 %",
        "0:00",
        "50",
        "100",
    ] {
        assert!(texts.iter().any(|text| text == wanted), "{wanted}: {texts:?}");
    }
    assert!(texts[1].starts_with("failed at 10 %, "), "{texts:?}");
    for curve in ["against it: ", "for it, in this step: "] {
        assert!(
            texts.iter().any(|text| text.starts_with(curve)),
            "{curve}: {texts:?}"
        );
    }
    // Light and dark, and nothing from elsewhere.
    assert!(svg.contains("prefers-color-scheme:dark"), "{svg}");
    assert_eq!(svg.matches("http").count(), 1, "the name space alone");
    let all = parse(&svg).unwrap();
    let of = |class: &str| {
        let known = |(key, value): &(String, String)| key == "class" && value == class;
        all.iter()
            .filter(|(_, attributes, _)| attributes.iter().any(known))
            .count()
    };
    assert_eq!(
        (of("against"), of("favour"), of("weight"), of("end"), of("step")),
        (1, 1, 1, 1, 1)
    );
}

#[test]
fn names_cannot_break_it() {
    for name in [
        "<script>alert(\"1\")</script>",
        "a&b;'\"",
        "\u{1}\u{ffff}\t",
        "ж 漢字 🐦",
        &"long ".repeat(300),
    ] {
        let (_, svg) = draw("names", &lines(name, 0, 5), None).unwrap();
        let texts = texts(&svg);
        assert!(texts[0].starts_with("- "), "{texts:?}");
        assert!(!svg.contains("<script"), "{svg}");
    }
}

#[test]
fn a_long_course_stays_small_and_keeps_its_ends() {
    let (_, svg) = draw("long", &lines("s", 0, 30_000), None).unwrap();
    assert!(svg.len() <= 60 * 1024, "{} bytes", svg.len());
    let all = parse(&svg).unwrap();
    let curve = all.iter().find(|(name, attributes, _)| {
        name == "path"
            && attributes
                .iter()
                .any(|(key, value)| key == "class" && value == "against")
    });
    let (_, attributes, _) = curve.unwrap();
    let path = &attributes.iter().find(|(key, _)| key == "d").unwrap().1;
    assert!(path.starts_with("M64.0 ") && path.contains("L700.0 "), "{path}");
    // A weight that changes with each line is beyond what can be drawn, not beyond what is allowed.
    let mut input = String::new();
    for index in 1..3000_u64 {
        let line = json!({"stream": "s", "t": index * 15, "step": index, "weight": 1 + index % 99, "metrics":
            {"error-rate": {"candidate": {"n": 100, "x": 0}, "baseline": {"n": 900, "x": 0}}}});
        writeln!(input, "{line}").unwrap();
    }
    let (_, svg) = draw("steps", &input, None).unwrap();
    assert!(
        svg.len() <= 60 * 1024 && parse(&svg).is_ok(),
        "{} bytes",
        svg.len()
    );
}

#[test]
fn one_stream_is_drawn_and_the_others_need_a_choice() {
    let both = format!("{}{}", lines("a", 0, 20), lines("b", 3, 20));
    let Err(Failure::Told { message, hint, exit }) = draw("both", &both, None) else {
        panic!("both were drawn")
    };
    assert_eq!(exit, Exit::Usage);
    assert!(
        message.contains("several") && hint.contains("--stream"),
        "{message} {hint}"
    );
    let (_, svg) = draw("chosen", &both, Some("b")).unwrap();
    assert_eq!(texts(&svg)[0], "- b");
    for (input, stream) in [("", None), (both.as_str(), Some("c"))] {
        assert!(draw("none", input, stream).is_err(), "{stream:?}");
    }
    let command = Judge {
        file: Some("-".into()),
        plot: Some("/nonexistent/folder/plot.svg".into()),
        ..Judge::default()
    };
    let error = command
        .run(NOW, &mut lines("a", 0, 2).as_bytes(), &mut Vec::new())
        .unwrap_err();
    assert!(
        error.to_string().contains("/nonexistent/folder/plot.svg"),
        "{error}"
    );
}

#[test]
fn a_picture_that_is_not_whole_would_be_seen() {
    for wrong in [
        "<svg>",
        "<svg></g></svg>",
        "<svg a=b></svg>",
        "<svg a=\"&x;\"></svg>",
        "<svg></svg>tail",
    ] {
        assert!(parse(wrong).is_err(), "{wrong}");
    }
    assert_eq!(parse("<svg a=\"1\"><g/>x</svg>\n").unwrap().len(), 2);
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

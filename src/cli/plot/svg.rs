//! The picture itself.

use std::fmt::Write as _;

use super::axis::{Axis, times};
use super::pen::{cut, dot, escaped, folded, line, text};
use super::{Caption, MOST_POINTS, Standing};

const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 460.0;
/// The frames of evidence and weight: left, right, top, bottom.
const LEFT: f64 = 64.0;
const RIGHT: f64 = 700.0;
const EVIDENCE: [f64; 2] = [80.0, 300.0];
const WEIGHT: [f64; 2] = [332.0, 408.0];

/// Of more steps the weight alone is drawn, and of more than a few its number is not written.
const MOST_STEPS: usize = 60;
const MOST_NAMED: usize = 12;
/// Between two lines of text.
const LEADING: f64 = 15.0;
/// The evidence is shown up to so many times its threshold: what is beyond decides nothing more.
const BEYOND: f64 = 2.5;

const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.dim{fill:#57606a}\
.back{fill:#fff}.grid{stroke:#d8dee4;stroke-width:1}.zero{stroke:#8c959f;stroke-width:1}\
.against{stroke:#cf222e;fill:none;stroke-width:2}.favour{stroke:#0969da;fill:none;stroke-width:2}\
.need{stroke-dasharray:5 4;stroke-width:1.2}.pass{fill:#0969da;stroke:#fff}.fail{fill:#cf222e;stroke:#fff}.weight{fill:#8c959f;fill-opacity:.35;stroke:#57606a;stroke-width:1}\
.step{stroke:#8c959f;stroke-width:1;stroke-dasharray:2 3}.end{stroke:#cf222e;stroke-width:1.5}\
text.a{fill:#cf222e}text.f{fill:#0969da}\
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.dim{fill:#9198a1}.back{fill:#0d1117}.grid{stroke:#30363d}\
.zero{stroke:#6e7681}.against,.end{stroke:#ff7b72}.favour{stroke:#79c0ff}text.a{fill:#ff7b72}text.f{fill:#79c0ff}\
.pass{fill:#79c0ff;stroke:#0d1117}.fail{fill:#ff7b72;stroke:#0d1117}\
.weight{fill:#6e7681;stroke:#9198a1}.step{stroke:#6e7681}}";

/// The course as an SVG.
pub(super) fn picture(points: &[Standing], caption: &Caption) -> String {
    let points = sampled(points);
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    let span = (last.t - first.t).max(1.0);
    let time = Axis {
        values: [first.t, first.t + span],
        places: [LEFT, RIGHT],
    };
    let evidence = Axis {
        values: range(&points),
        places: [EVIDENCE[1], EVIDENCE[0]],
    };
    let weight = Axis {
        values: [0.0, 100.0],
        places: [WEIGHT[1], WEIGHT[0]],
    };
    let mut svg = String::with_capacity(32 * 1024);
    let _ = writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title outcome">"#
    );
    let title = escaped(&caption.title);
    let _ = writeln!(svg, r#"<title id="title">{title}</title>"#);
    let _ = writeln!(svg, r#"<desc id="outcome">{}</desc>"#, escaped(&caption.outcome));
    let _ = writeln!(svg, "<style>{STYLE}</style>");
    let _ = writeln!(svg, r#"<rect class="back" width="{WIDTH}" height="{HEIGHT}"/>"#);
    text(&mut svg, (LEFT, 24.0), "title", "start", &cut(&caption.title, 90));
    for (y, row) in (0..).zip(folded(&caption.outcome, 118, 2)) {
        let y = 44.0 + LEADING * f64::from(y);
        text(&mut svg, (LEFT, y), "dim", "start", &row);
    }
    let _ = writeln!(
        svg,
        r#"<clipPath id="frame"><rect x="{LEFT}" y="{}" width="{}" height="{}"/></clipPath>"#,
        EVIDENCE[0],
        RIGHT - LEFT,
        EVIDENCE[1] - EVIDENCE[0]
    );
    frame(&mut svg, (&time, &evidence, &weight), caption.epoch);
    curves(&mut svg, &points, (&time, &evidence, &weight));
    legend(&mut svg, last, &evidence);
    svg.push_str("</svg>\n");
    svg
}

/// Grid, marks, units.
fn frame(svg: &mut String, (time, evidence, weight): (&Axis, &Axis, &Axis), epoch: Option<f64>) {
    for value in evidence.marks(6.0) {
        let class = if value == 0.0 { "zero" } else { "grid" };
        line(
            svg,
            class,
            (LEFT, evidence.at(value)),
            (RIGHT, evidence.at(value)),
        );
        text(
            svg,
            (LEFT - 8.0, evidence.at(value) + 4.0),
            "dim",
            "end",
            &format!("{value}"),
        );
    }
    for value in [0.0, 50.0, 100.0] {
        line(svg, "grid", (LEFT, weight.at(value)), (RIGHT, weight.at(value)));
        text(
            svg,
            (LEFT - 8.0, weight.at(value) + 4.0),
            "dim",
            "end",
            &format!("{value}"),
        );
    }
    let [from, to] = time.values;
    for (at, written) in times(from, to, epoch, 7.0) {
        line(
            svg,
            "grid",
            (time.at(at), EVIDENCE[0]),
            (time.at(at), EVIDENCE[1]),
        );
        line(svg, "grid", (time.at(at), WEIGHT[0]), (time.at(at), WEIGHT[1]));
        text(svg, (time.at(at), WEIGHT[1] + 18.0), "dim", "middle", &written);
    }
    let unit = if epoch.is_some() {
        "time of day (UTC)"
    } else {
        "time since the first line (min:s)"
    };
    text(
        svg,
        (f64::midpoint(LEFT, RIGHT), HEIGHT - 14.0),
        "dim",
        "middle",
        unit,
    );
    for (place, unit) in [(EVIDENCE, "evidence (nats)"), (WEIGHT, "weight (%)")] {
        let y = f64::midpoint(place[0], place[1]);
        let _ = writeln!(
            svg,
            r#"<text class="dim" text-anchor="middle" transform="translate(18 {y}) rotate(-90)">{unit}</text>"#
        );
    }
}

fn curves(svg: &mut String, points: &[Standing], (time, evidence, weight): (&Axis, &Axis, &Axis)) {
    steps(svg, points, (time, weight));
    for class in ["favour", "against"] {
        let value = |point: &Standing| {
            let seen = if class == "favour" {
                point.in_favour
            } else {
                point.against
            };
            seen.evidence
        };
        let mut path = String::with_capacity(points.len() * 12);
        for (index, point) in points.iter().enumerate() {
            // The evidence for the candidate starts again at each step.
            let anew = class == "favour" && index > 0 && point.is_step(&points[index - 1]);
            let pen = if index == 0 || anew { 'M' } else { 'L' };
            let (x, y) = (time.at(point.t), evidence.beyond(value(point)));
            let _ = write!(path, "{pen}{x:.1} {y:.1}");
        }
        let _ = writeln!(
            svg,
            r#"<path class="{class}" clip-path="url(#frame)" d="{path}"/>"#
        );
    }
    let mut passed = false;
    for (index, point) in points.iter().enumerate() {
        passed &= index == 0 || !point.is_step(&points[index - 1]);
        if point.passes && !passed {
            passed = true;
            dot(
                svg,
                "pass",
                (time.at(point.t), evidence.at(point.in_favour.evidence)),
            );
        }
    }
    if let Some(failed) = points.iter().find(|point| point.failed) {
        let x = time.at(failed.t);
        line(svg, "end", (x, EVIDENCE[0]), (x, WEIGHT[1]));
        dot(svg, "fail", (x, evidence.at(failed.against.evidence)));
    }
}

/// The weight over time, and where each step begins.
fn steps(svg: &mut String, points: &[Standing], (time, weight): (&Axis, &Axis)) {
    let begun = |pair: &[Standing]| pair[1].is_step(&pair[0]);
    let count = points.windows(2).filter(|pair| begun(pair)).count();
    let mut area = format!("M{:.1} {:.1}", LEFT, WEIGHT[1]);
    let mut named = f64::NEG_INFINITY;
    for (index, point) in points.iter().enumerate() {
        let (x, y) = (time.at(point.t), weight.at(point.weight));
        let before = index.checked_sub(1).map(|before| &points[before]);
        // A reading stands for the time since the one before it.
        let begins = time.at(before.map_or(point.t, |before| before.t));
        if before.is_none_or(|before| point.is_step(before)) {
            let _ = write!(area, "H{begins:.1}V{y:.1}");
            if before.is_some() && count <= MOST_STEPS {
                line(svg, "step", (begins, EVIDENCE[0]), (begins, WEIGHT[1]));
            }
            if count <= MOST_NAMED && begins > named + 40.0 {
                let share = format!("{} %", point.weight);
                text(svg, (begins + 4.0, EVIDENCE[0] - 4.0), "dim", "start", &share);
                named = begins;
            }
        }
        let _ = write!(area, "H{x:.1}");
    }
    let _ = writeln!(svg, r#"<path class="weight" d="{area}V{:.1}Z"/>"#, WEIGHT[1]);
}

/// The thresholds, and what each line is.
fn legend(svg: &mut String, last: &Standing, evidence: &Axis) {
    let rows = [
        ("against", "a", "against it", last.against, "rolled back above"),
        (
            "favour",
            "f",
            "for it, in this step",
            last.in_favour,
            "passes above",
        ),
    ];
    let mut labels: Vec<(f64, &str, String)> = Vec::new();
    for (class, colour, name, seen, meaning) in rows {
        let need = evidence.at(seen.needed);
        line(svg, &format!("{class} need"), (LEFT, need), (RIGHT, need));
        labels.push((need, colour, format!("{meaning} {:.1}", seen.needed)));
        let y = evidence.at(seen.evidence);
        labels.push((y, colour, format!("{name}: {:.1}", seen.evidence)));
    }
    labels.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Labels that would cover each other give way downwards.
    let mut free = f64::NEG_INFINITY;
    for (y, colour, label) in labels {
        let y = y.max(free);
        free = y + LEADING;
        text(svg, (RIGHT + 8.0, y + 4.0), colour, "start", &label);
    }
}

/// The range of the evidence: its thresholds, and what lies around them.
fn range(points: &[Standing]) -> [f64; 2] {
    let pairs = points.iter().flat_map(|point| [point.against, point.in_favour]);
    let (mut low, mut high, mut most) = (-1.0, 1.0, 1.0);
    for it in pairs.filter(|it| it.evidence.is_finite() && it.needed.is_finite()) {
        low = f64::min(low, it.evidence);
        high = f64::max(high, it.evidence.max(it.needed));
        most = f64::max(most, BEYOND * it.needed);
    }
    let (low, high) = (low.max(-most), high.min(most));
    let room = 0.04 * (high - low);
    [low - room, high + room]
}

/// At most [`MOST_POINTS`] moments; those at which something changes are among them.
fn sampled(points: &[Standing]) -> Vec<Standing> {
    let every = points.len().div_ceil(MOST_POINTS).max(1);
    let keep = |index: usize| {
        let (point, before) = (&points[index], index.checked_sub(1).map(|before| &points[before]));
        index.is_multiple_of(every) || index + 1 == points.len() || point.is_news(before)
    };
    (0..points.len())
        .filter(|index| keep(*index))
        .map(|index| points[index])
        .take(2 * MOST_POINTS)
        .collect()
}

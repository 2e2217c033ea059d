//! The judge off the matrix: other conditions, other scenarios, other ladders, and with a gauge beside it.

use std::fmt::Write;

use super::contender::{BAKE, Contender, head, minutes, row};
use crate::trials::{Conditions, HOLD_OUT, Ladder, MATRIX, Scenario, Summary, summarize};

/// What is said of many scenarios at once.
const OVER_ALL: [&str; 4] = [
    "false rollback % mean (worst)",
    "held %",
    "missed % mean (worst)",
    "harm mean (worst)",
];

fn over_all(
    label: &str,
    contender: &Contender,
    scenarios: &[Scenario],
    conditions: Conditions,
    runs: u64,
    print: &mut dyn FnMut(&str),
) {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for scenario in scenarios {
        let summary = summarize(&contender.outcomes(*scenario, conditions, runs));
        if scenario.good() { &mut good } else { &mut bad }.push((scenario.name, summary));
    }
    print(&off_row(label, &good, &bad));
}

/// The judge off the matrix: other scrapes, pods, losses.
pub(super) fn off_matrix(runs: u64, print: &mut dyn FnMut(&str)) {
    let base = Conditions::default();
    let pods = |pods, pod_spread| Conditions {
        pods,
        pod_spread,
        ..base
    };
    let cases = [
        ("as the matrix", base),
        ("scrapes of 5 s", Conditions { scrape: 5.0, ..base }),
        ("scrapes of 60 s", Conditions { scrape: 60.0, ..base }),
        ("1 pod", pods(1, 0.0)),
        ("3 pods", pods(3, 0.0)),
        ("10 pods", pods(10, 0.0)),
        ("1 pod, pods differ (sd 0.3)", pods(1, 0.3)),
        ("3 pods, pods differ (sd 0.3)", pods(3, 0.3)),
        ("10 pods, pods differ (sd 0.3)", pods(10, 0.3)),
        (
            "1 % of scrapes missing",
            Conditions {
                missing: 0.01,
                ..base
            },
        ),
        ("10 % of scrapes missing", Conditions { missing: 0.1, ..base }),
        (
            "counter resets in 2 % of scrapes",
            Conditions { resets: 0.02, ..base },
        ),
        (
            "weights off by 5 points",
            Conditions {
                weight_error: 5.0,
                ..base
            },
        ),
        ("1 scrape late", Conditions { late: 1, ..base }),
        ("2 scrapes late", Conditions { late: 2, ..base }),
        (
            "retries",
            Conditions {
                retries: true,
                ..base
            },
        ),
        ("past unknown", Conditions { past: 0.0, ..base }),
        (
            "past shows a fifth of the errors",
            Conditions { past: 0.2, ..base },
        ),
        (
            "past shows five times the errors",
            Conditions { past: 5.0, ..base },
        ),
    ];
    let contender = Contender::serin("serin+bake", Ladder::peers(BAKE));
    head("condition", &OVER_ALL, print);
    for (label, conditions) in cases {
        over_all(label, &contender, &MATRIX, conditions, runs, print);
    }
    print("");
}

fn off_row(label: &str, good: &[(&str, Summary)], bad: &[(&str, Summary)]) -> String {
    let mean = |all: &[(&str, Summary)], of: &dyn Fn(&Summary) -> f64| {
        all.iter().map(|(_, s)| of(s)).sum::<f64>() / all.len().max(1) as f64
    };
    let worst = |all: &[(&str, Summary)], of: &dyn Fn(&Summary) -> f64| {
        let top = all.iter().max_by(|a, b| of(&a.1).total_cmp(&of(&b.1)));
        top.map_or_else(String::new, |(name, s)| format!("{name} {:.1}", of(s)))
    };
    let mut line = format!("| {label} |");
    let rolled = |s: &Summary| s.rolled_back;
    let promoted = |s: &Summary| s.promoted;
    let _ = write!(line, " {:.2} ({}) |", mean(good, &rolled), worst(good, &rolled));
    let _ = write!(line, " {:.1} |", mean(good, &|s| s.held));
    let _ = write!(line, " {:.2} ({}) |", mean(bad, &promoted), worst(bad, &promoted));
    let _ = write!(
        line,
        " {:.1} ({}) |",
        mean(bad, &|s| s.harm.max(0.1).ln()).exp(),
        worst(bad, &|s| s.harm)
    );
    line
}

/// The hold-out, scenario by scenario and over all.
pub(super) fn hold_out(runs: u64, print: &mut dyn FnMut(&str)) {
    let every = |scrape| Conditions {
        scrape,
        ..Conditions::default()
    };
    let peers = Contender::serin("serin+bake", Ladder::peers(BAKE));
    let own = Contender::serin("serin+bake", Ladder::default_steps(BAKE));
    let columns = [
        ("15 s", &peers, every(15.0)),
        ("5 s", &peers, every(5.0)),
        ("15 s, own ladder", &own, every(15.0)),
        (
            "15 s, past unknown",
            &peers,
            Conditions {
                past: 0.0,
                ..every(15.0)
            },
        ),
    ];
    let names: Vec<&str> = ["requests/s", "baseline", "candidate"]
        .into_iter()
        .chain(columns.iter().map(|c| c.0))
        .collect();
    head("hold-out", &names, print);
    let mut all: [(Summaries, Summaries); 4] = Default::default();
    for s in HOLD_OUT {
        let mut cells = vec![s.pace.to_string(), s.baseline.to_string(), s.description()];
        for ((_, contender, conditions), (good, bad)) in columns.iter().zip(&mut all) {
            let summary = summarize(&contender.outcomes(s, *conditions, runs));
            cells.push(brief(&s, &summary));
            if s.good() { good } else { bad }.push((s.name, summary));
        }
        print(&row(s.name, cells.into_iter()));
    }
    print("");
    head("hold-out", &OVER_ALL, print);
    for ((label, ..), (good, bad)) in columns.iter().zip(&all) {
        print(&off_row(label, good, bad));
    }
    print("");
}

/// How the releases of some scenarios ended.
type Summaries = Vec<(&'static str, Summary)>;

/// What matters of a cell: false rollbacks, held and minutes; or misses, held and harm.
fn brief(scenario: &Scenario, s: &Summary) -> String {
    let (wrong, last) = if scenario.good() {
        (s.rolled_back, minutes(s.minutes_to_promotion))
    } else {
        (s.promoted, format!("{:.0}", s.harm))
    };
    format!("{wrong:.1}/{:.1}/{last}", s.held)
}

/// The forecast of a saturation gate beside the judge: the scenario that tips at half of the traffic, and a good
/// service that peaks at two thirds of its limit.
pub(super) fn gauges(runs: u64, print: &mut dyn FnMut(&str)) {
    head(
        "with a gauge",
        &[
            "failed requests",
            "reach the tipping point %",
            "promoted %",
            "held %",
        ],
        print,
    );
    for (name, label, at_peak) in [
        ("B8", "B8, at its limit at half of the traffic", 1.9),
        ("B8", "B8, at 85 % of its limit there", 1.6),
        ("G1", "G1, at 65 % of its limit at full traffic", 0.65),
        ("G2", "G2, the same", 0.65),
        ("G7", "G7, the same", 0.65),
    ] {
        let contender = Contender::gauged("serin+bake", Ladder::peers(BAKE), at_peak);
        for scenario in MATRIX.iter().filter(|s| s.name == name) {
            let outcomes = contender.outcomes(*scenario, Conditions::default(), runs);
            let reached = outcomes.iter().filter(|o| o.harm > 0.0).count();
            let s = summarize(&outcomes);
            let cells = [
                format!("{:.1}", s.harm),
                format!("{:.1}", 100.0 * reached as f64 / outcomes.len().max(1) as f64),
                format!("{:.1}", s.promoted),
                format!("{:.1}", s.held),
            ];
            print(&row(label, cells.into_iter()));
        }
    }
    print("");
}

/// The default ladder beside the peers', at four levels of traffic.
pub(super) fn ladders(runs: u64, print: &mut dyn FnMut(&str)) {
    print(
        "| traffic | peers' ladder: held after 2 h % / min | 10/25/80, then 95: held % / min | 10/25/95: held % / min |",
    );
    print("| --- | --- | --- | --- |");
    let steep = Ladder {
        weights: vec![10.0, 25.0, 95.0],
        ..Ladder::default_steps(0.0)
    };
    let all = [Ladder::peers(0.0), Ladder::default_steps(0.0), steep].map(|l| Contender::serin("serin", l));
    for pace in [2.0, 10.0, 50.0, 500.0] {
        let scenario = Scenario { pace, ..MATRIX[0] };
        let cells = all.iter().map(|contender| {
            let s = summarize(&contender.outcomes(scenario, Conditions::default(), runs));
            format!("{:.1} / {}", s.held, minutes(s.minutes_to_promotion))
        });
        print(&row(&format!("{pace} requests/s"), cells));
    }
    print("");
}

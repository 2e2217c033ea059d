//! What is promised: equal arms, and candidates exactly on the margins.

use super::contender::{BAKE, Contender, head, row};
use crate::stats::special::share_interval;
use crate::stats::{Background, Evidence, Settings};
use crate::trials::{Conditions, Ladder, MATRIX, Scenario, summarize};

/// False rollbacks among equal arms, with the exact upper end.
pub(super) fn equal_arms(runs: u64, print: &mut dyn FnMut(&str)) {
    let contender = Contender::serin("serin+bake", Ladder::peers(BAKE));
    head(
        "equal arms",
        &["scrapes", "releases", "rolled back", "at most (95 %)"],
        print,
    );
    for scrape in [15.0, 5.0] {
        for scenario in MATRIX.iter().filter(|s| matches!(s.name, "G1" | "G3")) {
            let conditions = Conditions {
                scrape,
                ..Conditions::default()
            };
            let summary = summarize(&contender.outcomes(*scenario, conditions, runs));
            let failed = (summary.rolled_back * runs as f64 / 100.0).round() as u64;
            let (_, upper) = share_interval(failed, runs, 0.90);
            print(&format!(
                "| p = {} | {scrape:.0} s | {runs} | {failed} | {:.3} % |",
                scenario.baseline,
                100.0 * upper
            ));
        }
    }
    print("");
}

/// Wrong verdicts on candidates that lie exactly on the margins: the tolerated one, and the one that a promotion
/// excludes for this traffic.
pub(super) fn margins(runs: u64, print: &mut dyn FnMut(&str)) {
    let settings = Settings::default();
    let ladder = Ladder::peers(BAKE);
    let contender = Contender::serin("serin+bake", ladder.clone());
    head(
        "baseline, requests/s",
        &[
            "tolerated",
            "rolled back %",
            "held %",
            "unacceptable",
            "promoted %",
            "held %",
        ],
        print,
    );
    for baseline in [1e-5, 0.001, 0.01, 0.1] {
        for pace in [10.0, 50.0, 500.0] {
            let provable = Evidence::new(settings)
                .with_background(Background::new(Some(baseline), 1.0, 1, 0.0))
                .with_traffic(pace, &ladder.weights)
                .provable();
            let on = |name: &'static str, candidate: f64| {
                let scenario = Scenario {
                    name,
                    pace,
                    baseline,
                    candidate,
                    ..MATRIX[0]
                };
                summarize(&contender.outcomes(scenario, Conditions::default(), runs))
            };
            let tolerated = settings.tolerated().rate(baseline);
            let (good, bad) = (on("tolerated", tolerated), on("unacceptable", provable));
            let percent = |rate: f64| format!("{:.4} %", 100.0 * rate);
            let cells = [
                percent(tolerated),
                format!("{:.2}", good.rolled_back),
                format!("{:.1}", good.held),
                percent(provable),
                format!("{:.2}", bad.promoted),
                format!("{:.1}", bad.held),
            ];
            print(&row(
                &format!("{} %, {pace}", 100.0 * baseline),
                cells.into_iter(),
            ));
        }
    }
    print("");
}

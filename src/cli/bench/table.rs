//! The benchmark's table: every scenario under every method.

use super::contender::{Took, contenders, head, minutes, row};
use crate::stats::Evidence;
use crate::trials::{Conditions, MATRIX, Scenario, Summary, summarize};

/// A figure over all scenarios of a method.
type Measure<'a> = &'a dyn Fn(&[(Scenario, Summary)]) -> f64;

fn cell(scenario: &Scenario, s: &Summary) -> String {
    if scenario.good() {
        format!(
            "{:.1}/{:.1}/{}",
            s.rolled_back,
            s.held,
            minutes(s.minutes_to_promotion)
        )
    } else {
        format!(
            "{:.1}/{:.1}/{}/{:.0}",
            s.promoted,
            s.held,
            minutes(s.minutes_to_rollback),
            s.harm
        )
    }
}

/// The matrix with its means; a line is given to `print` as soon as it is known.
pub(super) fn matrix(runs: u64, print: &mut dyn FnMut(&str)) {
    let (contenders, conditions) = (contenders(), Conditions::default());
    let names: Vec<&str> = contenders.iter().map(|c| c.name).collect();
    let mut all: Vec<Vec<(Scenario, Summary)>> = contenders.iter().map(|_| Vec::new()).collect();
    let mut took: Vec<Vec<Took>> = contenders.iter().map(|_| Vec::new()).collect();
    for good in [true, false] {
        let what = if good {
            "false rollback % / held % / min"
        } else {
            "missed % / held % / min / harm"
        };
        head(what, &names, print);
        for scenario in MATRIX.iter().filter(|s| s.good() == good) {
            let mut cells = Vec::new();
            for ((contender, seen), took) in contenders.iter().zip(&mut all).zip(&mut took) {
                let runs = (runs / contender.divisor).max(1);
                let (outcomes, time) = contender.timed(*scenario, conditions, runs);
                let summary = summarize(&outcomes);
                cells.push(cell(scenario, &summary));
                seen.push((*scenario, summary));
                took.push(time);
            }
            print(&row(scenario.name, cells.into_iter()));
        }
        print("");
    }
    head("mean", &names, print);
    let mean = |of: &dyn Fn(&Summary) -> f64, good: bool, seen: &[(Scenario, Summary)]| {
        let values: Vec<f64> = seen
            .iter()
            .filter(|(s, _)| s.good() == good)
            .map(|(_, x)| of(x))
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let worst = |of: &dyn Fn(&Summary) -> f64, good: bool, seen: &[(Scenario, Summary)]| {
        let all = seen.iter().filter(|(s, _)| s.good() == good);
        all.map(|(_, x)| of(x)).fold(0.0, f64::max)
    };
    let lines: [(&str, Measure<'_>); 7] = [
        ("false rollback % (good)", &|seen| {
            mean(&|s| s.rolled_back, true, seen)
        }),
        ("worst false rollback %", &|seen| {
            worst(&|s| s.rolled_back, true, seen)
        }),
        ("held % (good)", &|seen| mean(&|s| s.held, true, seen)),
        ("missed % (bad)", &|seen| mean(&|s| s.promoted, false, seen)),
        ("worst missed %", &|seen| worst(&|s| s.promoted, false, seen)),
        ("geometric mean harm", &|seen| {
            mean(&|s| s.harm.max(0.1).ln(), false, seen).exp()
        }),
        ("worst harm", &|seen| worst(&|s| s.harm, false, seen)),
    ];
    for (label, value) in lines {
        print(&row(label, all.iter().map(|seen| format!("{:.2}", value(seen)))));
    }
    print("");
    times(&names, &took, print);
}

/// What each method took for a tick: of all this alone depends on the machine, and on what else it does.
fn times(names: &[&str], took: &[Vec<Took>], print: &mut dyn FnMut(&str)) {
    head("µs a tick, on this machine", names, print);
    let all = |took: &Vec<Took>| took.iter().cloned().fold(Took::default(), Took::plus).median();
    let worst = |took: &Vec<Took>| took.iter().cloned().map(Took::median).fold(0.0, f64::max);
    print(&row(
        "median release",
        took.iter().map(|it| format!("{:.2}", all(it))),
    ));
    let slowest = took.iter().map(|it| format!("{:.2}", worst(it)));
    print(&row("slowest scenario", slowest));
    print("");
    print(&format!(
        "The judge's state has {} bytes a comparison.",
        size_of::<Evidence>()
    ));
    print("");
}

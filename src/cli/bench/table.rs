//! The benchmark's table: every scenario under every method.

use std::fmt::Write;

use super::latency::latency_table;
use crate::stats::settings::Settings;
use crate::stats::special::share_interval;
use crate::stats::trials::outcome::Outcome;
use crate::stats::trials::{
    Argo, Conditions, Flagger, Kayenta, Ladder, MATRIX, Method, PooledZ, Scenario, Serin, Summary, run,
    summarize,
};

/// Seconds of the bake in the tables.
const BAKE: f64 = 1200.0;
/// Candidate pods that the judge is told of.
const PODS: u32 = 3;

/// A method with a name, made anew for each release.
struct Contender {
    /// How the table calls it.
    name: &'static str,
    /// Releases per scenario, as a divisor of the whole: slow methods run fewer.
    divisor: u64,
    make: Box<dyn Fn(Scenario, Conditions) -> Box<dyn Method + Send> + Sync>,
}

impl Contender {
    fn new<M: Method + Send + 'static>(
        name: &'static str,
        divisor: u64,
        make: impl Fn(Scenario, Conditions) -> M + Sync + 'static,
    ) -> Self {
        Self {
            name,
            divisor,
            make: Box::new(move |s, c| Box::new(make(s, c))),
        }
    }

    /// The judge on a ladder.
    fn serin(name: &'static str, ladder: Ladder) -> Self {
        Self::new(name, 1, move |_, c| {
            let pods = if c.pods == 0 { PODS } else { c.pods as u32 };
            Serin::new(Settings::default(), ladder.clone(), pods, c.scrape)
        })
    }

    /// Runs `runs` releases of a scenario on two threads.
    fn outcomes(&self, scenario: Scenario, conditions: Conditions, runs: u64) -> Vec<Outcome> {
        let half = |from: u64| {
            let seeds = (from..runs).step_by(2);
            seeds.map(|i| {
                run(
                    scenario,
                    conditions,
                    &mut *(self.make)(scenario, conditions),
                    seed(scenario, i),
                )
            })
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| half(1).collect::<Vec<_>>());
            let mut all: Vec<Outcome> = half(0).collect();
            all.extend(other.join().unwrap_or_default());
            all
        })
    }
}

/// The same traffic for all methods.
fn seed(scenario: Scenario, release: u64) -> u64 {
    let name = scenario
        .name
        .bytes()
        .fold(7_u64, |h, b| h.wrapping_mul(131).wrapping_add(u64::from(b)));
    name.wrapping_mul(1_000_003).wrapping_add(release)
}

/// The peers and the judge, without and with the bake.
fn contenders() -> Vec<Contender> {
    vec![
        Contender::new("flagger", 1, |_, _| Flagger::new(0.01, 5)),
        Contender::new("flagger thr=1", 1, |_, _| Flagger::new(0.01, 1)),
        Contender::new("flagger oracle", 1, |s: Scenario, _| {
            Flagger::new(1.5 * s.baseline + 0.001, 5)
        }),
        Contender::new("argo", 1, |_, _| Argo::default()),
        Contender::new("kayenta", 8, |_, _| Kayenta::default()),
        Contender::new("pooled z", 1, |_, _| PooledZ::default()),
        Contender::serin("serin", Ladder::peers(0.0)),
        Contender::serin("serin+bake", Ladder::peers(BAKE)),
    ]
}

/// A figure over all scenarios of a method.
type Measure<'a> = &'a dyn Fn(&[(Scenario, Summary)]) -> f64;

fn minutes(value: f64) -> String {
    if value.is_nan() {
        "-".into()
    } else {
        format!("{value:.1}")
    }
}

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

fn row(label: &str, cells: impl Iterator<Item = String>) -> String {
    let mut line = format!("| {label} |");
    for cell in cells {
        line.push(' ');
        line.push_str(&cell);
        line.push_str(" |");
    }
    line
}

/// The matrix with its means; a line is given to `print` as soon as it is known.
fn matrix(contenders: &[Contender], conditions: Conditions, runs: u64, print: &mut dyn FnMut(&str)) {
    let head = |what: &str| row(what, contenders.iter().map(|c| c.name.to_owned()));
    let mut all: Vec<Vec<(Scenario, Summary)>> = contenders.iter().map(|_| Vec::new()).collect();
    for good in [true, false] {
        print(&head(if good {
            "false rollback % / held % / min"
        } else {
            "missed % / held % / min / harm"
        }));
        print(&row("---", contenders.iter().map(|_| "---".to_owned())));
        for scenario in MATRIX.iter().filter(|s| s.good() == good) {
            let mut cells = Vec::new();
            for (contender, seen) in contenders.iter().zip(&mut all) {
                let runs = (runs / contender.divisor).max(1);
                let summary = summarize(&contender.outcomes(*scenario, conditions, runs));
                cells.push(cell(scenario, &summary));
                seen.push((*scenario, summary));
            }
            print(&row(scenario.name, cells.into_iter()));
        }
        print("");
    }
    print(&head("mean"));
    print(&row("---", contenders.iter().map(|_| "---".to_owned())));
    let mean = |of: &dyn Fn(&Summary) -> f64, good: bool, seen: &[(Scenario, Summary)]| {
        let values: Vec<f64> = seen
            .iter()
            .filter(|(s, _)| s.good() == good)
            .map(|(_, x)| of(x))
            .collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    let lines: [(&str, Measure<'_>); 5] = [
        ("false rollback % (good)", &|seen| {
            mean(&|s| s.rolled_back, true, seen)
        }),
        ("held % (good)", &|seen| mean(&|s| s.held, true, seen)),
        ("missed % (bad)", &|seen| mean(&|s| s.promoted, false, seen)),
        ("geometric mean harm", &|seen| {
            mean(&|s| s.harm.max(0.1).ln(), false, seen).exp()
        }),
        ("worst harm", &|seen| {
            seen.iter()
                .filter(|(s, _)| !s.good())
                .map(|(_, x)| x.harm)
                .fold(0.0, f64::max)
        }),
    ];
    for (label, value) in lines {
        print(&row(label, all.iter().map(|seen| format!("{:.2}", value(seen)))));
    }
    print("");
}

/// False rollbacks among equal arms, with the exact upper end.
fn equal_arms(runs: u64, print: &mut dyn FnMut(&str)) {
    let contender = Contender::serin("serin+bake", Ladder::peers(BAKE));
    print("| equal arms | releases | rolled back | at most (95 %) |");
    print("| --- | --- | --- | --- |");
    for name in ["G1", "G3"] {
        let Some(scenario) = MATRIX.iter().find(|s| s.name == name) else {
            continue;
        };
        let summary = summarize(&contender.outcomes(*scenario, Conditions::default(), runs));
        let failed = (summary.rolled_back * runs as f64 / 100.0).round() as u64;
        let (_, upper) = share_interval(failed, runs, 0.90);
        print(&format!(
            "| p = {} | {runs} | {failed} | {:.3} % |",
            scenario.baseline,
            100.0 * upper
        ));
    }
    print("");
}

/// The judge off the matrix: other scrapes, pods, losses.
fn off_matrix(runs: u64, print: &mut dyn FnMut(&str)) {
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
    ];
    let contender = Contender::serin("serin+bake", Ladder::peers(BAKE));
    print(
        "| condition | false rollback % mean (worst) | held % | missed % mean (worst) | harm mean (worst) |",
    );
    print("| --- | --- | --- | --- | --- |");
    for (label, conditions) in cases {
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for scenario in MATRIX {
            let summary = summarize(&contender.outcomes(scenario, conditions, runs));
            if scenario.good() { &mut good } else { &mut bad }.push((scenario.name, summary));
        }
        print(&off_row(label, &good, &bad));
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

/// The default ladder beside the peers', at four levels of traffic.
fn ladders(runs: u64, print: &mut dyn FnMut(&str)) {
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

/// Everything, as the documentation shows it.
pub(super) fn report(runs: u64, print: &mut dyn FnMut(&str)) {
    matrix(&contenders(), Conditions::default(), runs, print);
    equal_arms(10 * runs, print);
    ladders(runs, print);
    latency_table(runs / 8, print);
    off_matrix(runs / 10, print);
}

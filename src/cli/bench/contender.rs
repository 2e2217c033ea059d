//! Who is measured: the judge and its peers, and how a number of their releases is run.

use std::time::{Duration, Instant};

use crate::stats::counts::Counts;
use crate::stats::history::PodCounts;
use crate::stats::random::Random;
use crate::stats::settings::Settings;
use crate::trials::outcome::Outcome;
use crate::trials::{
    Argo, Conditions, Flagger, Gauge, Kayenta, Ladder, Method, Move, PooledZ, Scenario, Serin, run,
};

/// Seconds of the bake in the tables.
pub(super) const BAKE: f64 = 1200.0;
/// Candidate pods that the judge is told of.
const PODS: u32 = 3;

/// A method with a name, made anew for each release.
pub(super) struct Contender {
    /// How the table calls it.
    pub(super) name: &'static str,
    /// Releases per scenario, as a divisor of the whole: slow methods run fewer.
    pub(super) divisor: u64,
    make: Box<dyn Fn(Scenario, Conditions) -> Box<dyn Method + Send> + Sync>,
}

impl Contender {
    pub(super) fn new<M: Method + Send + 'static>(
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
    pub(super) fn serin(name: &'static str, ladder: Ladder) -> Self {
        Self::new(name, 1, move |_, c| {
            let pods = if c.pods == 0 { PODS } else { c.pods as u32 };
            Serin::new(Settings::default(), ladder.clone(), pods, c.scrape)
        })
    }

    /// The same with a gauge of the candidate's pods, whose forecast may refuse a step.
    pub(super) fn gauged(name: &'static str, ladder: Ladder, at_peak: f64) -> Self {
        Self::new(name, 1, move |s: Scenario, c: Conditions| {
            let gauge = Gauge::new(s.pace, at_peak, PODS);
            Serin::new(Settings::default(), ladder.clone(), PODS, c.scrape).with_gauge(gauge)
        })
    }

    /// Runs `runs` releases of a scenario on two threads.
    pub(super) fn outcomes(&self, scenario: Scenario, conditions: Conditions, runs: u64) -> Vec<Outcome> {
        self.timed(scenario, conditions, runs).0
    }

    /// The same, with the time that the method took.
    pub(super) fn timed(
        &self,
        scenario: Scenario,
        conditions: Conditions,
        runs: u64,
    ) -> (Vec<Outcome>, Took) {
        let half = |from: u64| {
            let (mut outcomes, mut took) = (Vec::new(), Took::default());
            for release in (from..runs).step_by(2) {
                let mut method = Timed {
                    method: (self.make)(scenario, conditions),
                    ticks: 0,
                    time: Duration::ZERO,
                };
                outcomes.push(run(scenario, conditions, &mut method, seed(scenario, release)));
                took.0.push(method.micros());
            }
            (outcomes, took)
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(|| half(1));
            let (mut all, took) = half(0);
            let (others, theirs) = other.join().unwrap_or_default();
            all.extend(others);
            (all, took.plus(theirs))
        })
    }
}

/// Microseconds a tick that a method took, release by release.
#[derive(Clone, Debug, Default)]
pub(super) struct Took(Vec<f64>);

impl Took {
    /// Those of other releases, too.
    pub(super) fn plus(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The median release's: what else the machine does meanwhile seldom hits that.
    pub(super) fn median(mut self) -> f64 {
        self.0.sort_by(f64::total_cmp);
        self.0.get(self.0.len() / 2).copied().unwrap_or(f64::NAN)
    }
}

/// A method beside a clock.
struct Timed {
    method: Box<dyn Method + Send>,
    ticks: u32,
    time: Duration,
}

impl Timed {
    /// Microseconds a tick.
    fn micros(&self) -> f64 {
        self.time.as_secs_f64() * 1e6 / f64::from(self.ticks.max(1))
    }
}

impl Method for Timed {
    fn learn(&mut self, past: &[PodCounts]) {
        self.method.learn(past);
    }

    fn start(&self) -> f64 {
        self.method.start()
    }

    #[allow(clippy::disallowed_methods)] // the time that it takes is what is asked for
    fn scrape(&mut self, candidate: Counts, baseline: Counts, seconds: f64, random: &mut Random) -> Move {
        let begun = Instant::now();
        let next = self.method.scrape(candidate, baseline, seconds, random);
        self.time += begun.elapsed();
        self.ticks += 1;
        next
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
pub(super) fn contenders() -> Vec<Contender> {
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

/// Minutes with a decimal, or a dash.
pub(super) fn minutes(value: f64) -> String {
    if value.is_nan() {
        "-".into()
    } else {
        format!("{value:.1}")
    }
}

/// A line of a table.
pub(super) fn row(label: &str, cells: impl Iterator<Item = String>) -> String {
    let mut line = format!("| {label} |");
    for cell in cells {
        line.push(' ');
        line.push_str(&cell);
        line.push_str(" |");
    }
    line
}

/// A head of a table with the line below it.
pub(super) fn head(label: &str, columns: &[&str], print: &mut dyn FnMut(&str)) {
    print(&row(label, columns.iter().map(|c| (*c).to_owned())));
    print(&row("---", columns.iter().map(|_| "---".to_owned())));
}

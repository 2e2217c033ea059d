//! The scenarios: what a simulated release is like, and how it is observed.

/// Length of a scenario's own tick in seconds; scrapes may be shorter or longer.
pub const TICK_SECONDS: f64 = 15.0;

/// Something that befalls the traffic beyond plain errors. The last nine are those of the hold-out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extra {
    /// Nothing.
    None,
    /// Bursts of about 31 failed requests that hit one arm, for this many ticks.
    Bursts(u32),
    /// An outage that both arms share: a fifth of all requests for 20 ticks.
    Outage,
    /// Cold caches after each change of weight.
    ColdStart,
    /// Traffic and the error rate of both arms rise during the release.
    Drift,
    /// Each failed request drags two more on average.
    Clumps,
    /// The candidate fails from half of the traffic on.
    Tipping,
    /// The candidate's error rate rises from tick 40 on.
    Leak,
    /// From this tick on the candidate fails at this rate.
    Late(u32, f64),
    /// From this weight (0..=1) on the candidate fails at this rate.
    From(f64, f64),
    /// The candidate fails at this rate in every second minute.
    OnAndOff(f64),
    /// Every quarter of an hour five minutes of threefold traffic, in which both arms fail twice as often.
    Spikes,
    /// Both error rates fall to a tenth within half an hour.
    Falling,
    /// Both error rates swing between a third and three times their mean every five minutes.
    Waves,
    /// Bursts in continuous time.
    Burst(Burst),
    /// Each failed request drags this many more on average: in the baseline, in the candidate.
    ClumpsOf(f64, f64),
    /// After each change of weight the candidate's error rate is higher by this much and falls off within so many
    /// seconds (to 1/e).
    SlowStart(f64, f64),
}

/// Failures that come within seconds, at any moment, and hit one arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Burst {
    /// How long one lasts.
    pub seconds: f64,
    /// Failed requests in one.
    pub size: f64,
    /// Mean seconds between them; 0: a single one within the first quarter of an hour, in the candidate, that the
    /// past has never shown.
    pub every: f64,
}

/// One line of the matrix.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scenario {
    /// Short name; `G` must be promoted, `B` must not.
    pub name: &'static str,
    /// Requests a second in all.
    pub pace: f64,
    /// Error rate of the baseline.
    pub baseline: f64,
    /// Error rate of the candidate.
    pub candidate: f64,
    /// What else happens.
    pub extra: Extra,
}

pub(super) const fn row(
    name: &'static str,
    pace: f64,
    baseline: f64,
    candidate: f64,
    extra: Extra,
) -> Scenario {
    Scenario {
        name,
        pace,
        baseline,
        candidate,
        extra,
    }
}

/// The matrix, good candidates first.
pub const MATRIX: [Scenario; 28] = [
    row("G1", 50.0, 0.001, 0.001, Extra::None),
    row("G2", 500.0, 0.001, 0.001, Extra::None),
    row("G3", 50.0, 0.01, 0.01, Extra::None),
    row("G4", 50.0, 0.02, 0.02, Extra::None),
    row("G5", 50.0, 1e-5, 1e-5, Extra::None),
    row("G6", 2.0, 0.002, 0.002, Extra::None),
    row("G7", 50.0, 0.001, 0.001, Extra::Bursts(1)),
    row("G8", 50.0, 0.001, 0.001, Extra::Outage),
    row("G9", 50.0, 0.001, 0.001, Extra::ColdStart),
    row("G10", 50.0, 0.002, 0.002, Extra::Drift),
    row("G11", 20.0, 0.008, 0.008, Extra::None),
    row("G12", 50.0, 0.001, 0.001, Extra::Bursts(4)),
    row("G13", 50.0, 0.001, 0.001, Extra::Clumps),
    row("G14", 500.0, 0.001, 0.001, Extra::Clumps),
    row("B1", 50.0, 0.001, 0.005, Extra::None),
    row("B2", 50.0, 0.001, 0.02, Extra::None),
    row("B3", 50.0, 0.001, 0.30, Extra::None),
    row("B4", 50.0, 0.01, 0.02, Extra::None),
    row("B5", 50.0, 0.02, 0.04, Extra::None),
    row("B6", 2.0, 0.002, 0.05, Extra::None),
    row("B7", 2.0, 0.002, 0.50, Extra::None),
    row("B8", 50.0, 0.001, 0.001, Extra::Tipping),
    row("B9", 50.0, 0.001, 0.001, Extra::Leak),
    row("B10", 50.0, 0.001, 0.01, Extra::Bursts(1)),
    row("B11", 50.0, 0.001, 0.01, Extra::Outage),
    row("B12", 500.0, 0.001, 0.003, Extra::None),
    row("B13", 50.0, 0.001, 0.01, Extra::Clumps),
    row("B14", 2.0, 0.002, 0.01, Extra::None),
];

impl Scenario {
    /// Whether promotion is the right end.
    pub fn good(&self) -> bool {
        self.name.starts_with('G')
    }

    /// Length of the simulation in seconds: two hours, four where the traffic is thin.
    pub fn horizon_seconds(&self) -> f64 {
        TICK_SECONDS * if self.pace <= 2.0 { 960.0 } else { 480.0 }
    }
}

/// How the release is observed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Conditions {
    /// Seconds between scrapes.
    pub scrape: f64,
    /// Share of scrapes that are missing; what they would have shown comes with the next.
    pub missing: f64,
    /// Scrapes by which data are late.
    pub late: usize,
    /// Percentage points by which the weight may be off, drawn once a release.
    pub weight_error: f64,
    /// Candidate pods; 0 means so many that they do not matter.
    pub pods: usize,
    /// Standard deviation of the log error rate between pods.
    pub pod_spread: f64,
    /// Share of scrapes after which one candidate pod restarts and its counts since the last scrape are lost.
    pub resets: f64,
    /// Whether each failed request is tried once more.
    pub retries: bool,
    /// Factor on the error rate that the past shows; 0 means that the judge is told of no past.
    pub past: f64,
}

impl Default for Conditions {
    fn default() -> Self {
        Self {
            scrape: TICK_SECONDS,
            missing: 0.0,
            late: 0,
            weight_error: 0.0,
            pods: 0,
            pod_spread: 0.0,
            resets: 0.0,
            retries: false,
            past: 1.0,
        }
    }
}

impl Scenario {
    /// The candidate in words: its error rate, and what else happens.
    pub fn description(&self) -> String {
        let extra = match self.extra {
            Extra::None => String::new(),
            Extra::Bursts(ticks) => format!("bursts of {} s", f64::from(ticks) * TICK_SECONDS),
            Extra::Outage => "a shared outage".into(),
            Extra::ColdStart => "cold caches".into(),
            Extra::Drift => "rates rise tenfold".into(),
            Extra::Clumps => "clumps of 3".into(),
            Extra::Tipping => "10 % from half of the traffic on".into(),
            Extra::Leak => "rising from minute 10 on".into(),
            Extra::Late(from, rate) => {
                format!(
                    "{} % from minute {} on",
                    100.0 * rate,
                    f64::from(from) * TICK_SECONDS / 60.0
                )
            }
            Extra::From(weight, rate) => format!("{} % from weight {} on", 100.0 * rate, 100.0 * weight),
            Extra::OnAndOff(rate) => format!("{} % every second minute", 100.0 * rate),
            Extra::Spikes => "spikes of traffic and errors".into(),
            Extra::Falling => "both fall tenfold".into(),
            Extra::Waves => "both swing threefold".into(),
            Extra::Burst(b) if b.every > 0.0 => {
                format!("{} failures in {} s now and then", b.size, b.seconds)
            }
            Extra::Burst(b) => format!("{} failures in {} s, once", b.size, b.seconds),
            Extra::ClumpsOf(b, c) => format!("clumps of {} beside {}", 1.0 + c, 1.0 + b),
            Extra::SlowStart(peak, _) => format!("{} % more at first", 100.0 * peak),
        };
        let own = self.candidate.to_string();
        if extra.is_empty() {
            own
        } else {
            format!("{own}, {extra}")
        }
    }
}

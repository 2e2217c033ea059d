//! The values of the command line: each is read strictly, and refused with what to write instead.

use std::time::Duration;

use super::Rehearse;
use crate::api::{self, duration};
use crate::cli::Failure;
use crate::rehearsal::{Assumed, Setting};
use crate::trials::scenario::Extra;
use crate::trials::{MATRIX, Scenario};

const HOUR: f64 = 3600.0;
/// Looks at the metrics that one release may take: the searches play it some thirty times, which takes half a minute then.
const MOST_LOOKS: u64 = 1_000_000;
/// And all releases together: a thousand of three days with a look each second.
const MOST_LOOKS_OF_ALL: u64 = 500_000_000;

impl Rehearse {
    /// What is assumed of the service: what is written, else what the scenario says, else the defaults.
    pub(super) fn assumed(&self) -> Assumed {
        let scenario = self.scenario.unwrap_or_else(|| Scenario {
            name: "",
            pace: 50.0,
            baseline: 0.001,
            candidate: self.baseline_error_rate.unwrap_or(0.001),
            extra: Extra::None,
        });
        Assumed {
            traffic: Scenario {
                pace: self.rps.unwrap_or(scenario.pace),
                baseline: self.baseline_error_rate.unwrap_or(scenario.baseline),
                candidate: self.candidate_error_rate.unwrap_or(scenario.candidate),
                ..scenario
            },
            pods: self.pods,
            scrape: self.scrape.map(Into::into),
            horizon: self
                .hours
                .map(|hours| std::time::Duration::from_secs_f64(hours * HOUR)),
            seed: self.seed,
        }
    }

    /// That the releases can be simulated in a bearable time.
    ///
    /// # Errors
    /// They cannot; what to ask for instead.
    pub(super) fn bearable(&self, setting: &Setting) -> Result<(), Failure> {
        bearable(setting.horizon, setting.plan.analysis.interval, self.runs)
            .map_err(|(message, hint)| Failure::usage(message, hint))
    }
}

/// What is too much, and what to give instead.
fn bearable(horizon: Duration, interval: Duration, runs: u64) -> Result<(), (String, String)> {
    let interval = interval.as_secs_f64().max(1e-3);
    let looks = (horizon.as_secs_f64() / interval).ceil() as u64;
    if looks > MOST_LOOKS {
        let hours = (MOST_LOOKS as f64 * interval / HOUR).floor();
        return Err((
            format!("a release of {looks} looks at the metrics, at most {MOST_LOOKS} are simulated"),
            format!("give at most --hours {hours}, or a longer --scrape"),
        ));
    }
    let most = MOST_LOOKS_OF_ALL / looks.max(1);
    if runs > most {
        return Err((
            format!("{runs} releases of up to {looks} looks at the metrics would take too long"),
            format!("give at most --runs {most}, fewer --hours or a longer --scrape"),
        ));
    }
    Ok(())
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Requests a second.
pub(super) fn pace(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|pace| (1e-6..=1e6).contains(pace))
        .ok_or_else(|| "give requests a second, from 0.000001 to 1000000, for example 50".into())
}

/// A share of requests: `0.1%` or `0.001`.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = match text.trim().strip_suffix('%') {
        // By way of the text: 0.1 / 100 would not be 0.001.
        Some(percent) => number(percent).and_then(|_| number(&format!("{}e-2", percent.trim()))),
        None => number(text),
    };
    rate.filter(|rate| (0.0..=1.0).contains(rate))
        .ok_or_else(|| "give a share of the requests from 0 to 1, for example 0.1% or 0.001".into())
}

/// Replicas.
pub(super) fn pods(text: &str) -> Result<u32, String> {
    text.parse()
        .ok()
        .filter(|pods| (1..=10_000).contains(pods))
        .ok_or_else(|| "give a whole number from 1 to 10000".into())
}

/// Releases.
pub(super) fn runs(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|runs| (1..=100_000).contains(runs))
        .ok_or_else(|| "give a whole number from 1 to 100000".into())
}

/// Hours.
pub(super) fn hours(text: &str) -> Result<f64, String> {
    number(text)
        .filter(|hours| *hours > 0.0 && *hours <= 720.0)
        .ok_or_else(|| "give hours, above 0 and at most 720, for example 8".into())
}

/// A duration within the bounds of `analysis.interval`.
pub(super) fn scrape(text: &str) -> Result<api::Duration, String> {
    duration::parse(text)
        .ok()
        .filter(|span| (1.0..=300.0).contains(&span.as_secs_f64()))
        .ok_or_else(|| "give 1s to 5m, for example 15s".into())
}

/// A line of the benchmark.
pub(super) fn scenario(text: &str) -> Result<Scenario, String> {
    let found = MATRIX
        .iter()
        .find(|scenario| scenario.name.eq_ignore_ascii_case(text));
    found
        .copied()
        .ok_or_else(|| "give one of G1 to G14 (good versions) or B1 to B14 (bad ones)".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_share_or_a_percentage() {
        for (text, want) in [
            ("0.1%", 0.001),
            ("0.1 %", 0.001),
            ("0.001", 0.001),
            ("0", 0.0),
            ("100%", 1.0),
            ("1e-3", 0.001),
        ] {
            assert_eq!(rate(text).unwrap().to_bits(), f64::to_bits(want), "{text}");
        }
        for text in [
            "-1", "101%", "1.1", "%", "", "nan", "inf", "0,1%", "0.1%%", "1e5%",
        ] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_takes_too_long_is_refused_and_what_is_usual_is_not() {
        let asked = |hours, seconds, runs| {
            let (horizon, interval) = (Duration::from_hours(hours), Duration::from_secs(seconds));
            bearable(horizon, interval, runs).map_err(|(_, hint)| hint)
        };
        // The last: what a Rollout with long deadlines comes to without any argument.
        for (hours, seconds, runs) in [
            (2, 5, 1_000),
            (24, 15, 1_000),
            (4, 15, 100_000),
            (720, 15, 1_000),
            (72, 1, 1_000),
        ] {
            assert_eq!(asked(hours, seconds, runs), Ok(()), "{hours} {seconds} {runs}");
        }
        let hint = |asked: Result<(), String>| asked.unwrap_err();
        assert!(hint(asked(720, 1, 1)).contains("--hours 277,"));
        assert!(hint(asked(72, 1, 100_000)).contains("--runs 1929,"));
        assert_eq!((asked(277, 1, 1), asked(72, 1, 1_929)), (Ok(()), Ok(())));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert!(
            ["0", "-1", "1e7", "1e-300", "nan", "many"]
                .iter()
                .all(|text| pace(text).is_err())
        );
        assert!(
            ["0", "-1", "1.5", "100001"]
                .iter()
                .all(|text| runs(text).is_err())
        );
        assert!(["0", "-1", "10001"].iter().all(|text| pods(text).is_err()));
        assert!(["0", "721", "inf"].iter().all(|text| hours(text).is_err()));
        assert!(
            ["0s", "10m", "15", "-1s"]
                .iter()
                .all(|text| scrape(text).is_err())
        );
        assert!(["G0", "G15", "X1", ""].iter().all(|text| scenario(text).is_err()));
        assert_eq!(scenario("b14").unwrap().name, "B14");
    }
}

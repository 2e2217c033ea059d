//! The values of the command line: each is read strictly, and refused with what to write instead.

use super::Rehearse;
use crate::api::{self, duration};
use crate::rehearsal::Assumed;
use crate::trials::scenario::Extra;
use crate::trials::{MATRIX, Scenario};

const HOUR: f64 = 3600.0;

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

//! The smallest regression that is caught, and the largest that may slip through: looked for among error rates of the
//! candidate, each tried in simulated releases.

use std::collections::BTreeMap;

use super::course::{Course, End, Stop};
use super::summary::{Share, Spread};
use super::{Setting, courses};
use crate::engine::state::Cause;
use crate::stats::special::share_interval;
use crate::trials::scenario::Extra;

/// Taken back in so many releases: caught.
pub const CAUGHT: f64 = 0.9;
/// Promoted in so many releases: may slip through.
pub const SLIPS: f64 = 0.05;
/// From one tried rate to the next.
const STEP: f64 = 1.12;
/// Courses that are played before it is asked whether more are needed.
const FIRST: u64 = 48;

/// What releases of a candidate with this error rate came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The candidate's error rate.
    pub rate: f64,
    /// Convicted and rolled back within the horizon.
    pub rolled_back: Share,
    /// Given all traffic within the horizon.
    pub promoted: Share,
    /// Minutes until the rollback, of those rolled back.
    pub minutes: Option<Spread>,
    /// Failed requests because of the candidate until the rollback, of those rolled back.
    pub harm: Option<Spread>,
}

/// Both ends of what the judge cannot tell for sure.
#[derive(Clone, Debug, PartialEq)]
pub struct Extremes {
    /// The smallest tried rate that was rolled back in [`CAUGHT`] of the releases; `None`: not even one that fails
    /// always.
    pub caught: Option<Probe>,
    /// The largest tried rate that was promoted in [`SLIPS`] of the releases; `None`: not even one that is tolerated.
    pub slips: Option<Probe>,
}

/// Tries candidates of a setting, each in up to `runs` releases. A scenario that fixes the candidate's rate itself is
/// taken without that trouble.
pub fn extremes(setting: &Setting, runs: u64) -> Extremes {
    let mut search = Search {
        setting: plain(setting),
        runs: runs.max(1),
        rates: rates(setting),
        tried: BTreeMap::new(),
    };
    let last = search.rates.len() - 1;
    let caught = search.first(&|probe| probe.rolled_back.share >= CAUGHT);
    // Beyond what is caught nothing slips through, so this search is short.
    let beyond = search.first(&|probe| probe.promoted.share < SLIPS);
    let slips = match beyond {
        None => Some(last),
        Some(index) => index.checked_sub(1),
    };
    Extremes {
        caught: caught.map(|index| search.whole(index)),
        slips: slips.map(|index| search.whole(index)),
    }
}

fn plain(setting: &Setting) -> Setting {
    let mut plain = setting.clone();
    if matches!(plain.traffic.extra, Extra::Drift | Extra::Tipping | Extra::Leak) {
        plain.traffic.extra = Extra::None;
    }
    plain
}

/// From what is just tolerated to every request, in numbers of two digits.
fn rates(setting: &Setting) -> Vec<f64> {
    let (tolerated, _) = setting.lines();
    let mut rates = Vec::new();
    let mut rate = tolerated.clamp(1e-5, 1.0);
    while rate < 1.0 {
        rates.push(two_digits(rate));
        rate *= STEP;
    }
    rates.push(1.0);
    rates.dedup();
    rates
}

/// The nearest number of two significant digits.
pub(super) fn two_digits(value: f64) -> f64 {
    let unit = 10_f64.powf(value.log10().floor() - 1.0);
    // By way of the text, so that 0.0021 is that number and no neighbour of it.
    let places = (-unit.log10()).round().max(0.0) as usize;
    format!("{:.places$}", (value / unit).round() * unit)
        .parse()
        .unwrap_or(value)
}

struct Search {
    setting: Setting,
    runs: u64,
    rates: Vec<f64>,
    tried: BTreeMap<usize, Vec<Course>>,
}

impl Search {
    /// The first rate for which `test` holds, if it holds for all that are higher.
    fn first(&mut self, test: &dyn Fn(&Probe) -> bool) -> Option<usize> {
        let (mut low, mut high) = (0, self.rates.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let probe = self.probe(middle);
            if test(&probe) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        (low < self.rates.len()).then_some(low)
    }

    /// As many releases as it takes to tell on which side of both limits the rate lies.
    fn probe(&mut self, index: usize) -> Probe {
        if !self.tried.contains_key(&index) {
            self.play(index, FIRST.min(self.runs));
        }
        let probe = self.look(index);
        let far = |share: f64, limit: f64| {
            let n = self.tried.get(&index).map_or(0, Vec::len) as u64;
            let (low, high) = share_interval((share * n as f64).round() as u64, n, 0.99);
            limit < low || limit > high
        };
        if far(probe.rolled_back.share, CAUGHT) && far(probe.promoted.share, SLIPS) {
            return probe;
        }
        self.whole(index)
    }

    /// All releases that may be played at this rate.
    fn whole(&mut self, index: usize) -> Probe {
        self.play(index, self.runs);
        self.look(index)
    }

    fn play(&mut self, index: usize, runs: u64) {
        let played = self.tried.entry(index).or_default();
        let setting = self.setting.failing(self.rates[index]);
        let more = courses(&setting, played.len() as u64..runs, Stop::AtFull);
        played.extend(more);
    }

    fn look(&self, index: usize) -> Probe {
        let courses = self.tried.get(&index).map_or(&[][..], Vec::as_slice);
        let all = courses.len() as u64;
        let back = || {
            courses
                .iter()
                .filter(|course| course.end == End::RolledBack(Cause::Regression))
        };
        let promoted = courses
            .iter()
            .filter(|course| course.end == End::Promoted)
            .count();
        Probe {
            rate: self.rates[index],
            rolled_back: Share::of(back().count() as u64, all),
            promoted: Share::of(promoted as u64, all),
            minutes: Spread::of(back().map(|course| course.seconds / 60.0)),
            harm: Spread::of(back().map(|course| course.harm)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits() {
        for (value, want) in [
            (0.002_134, 0.0021),
            (0.000_1, 0.0001),
            (0.096, 0.096),
            (0.9961, 1.0),
            (0.5, 0.5),
        ] {
            assert_eq!(two_digits(value).to_string(), want.to_string());
        }
    }
}

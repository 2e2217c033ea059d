//! What the past tells about the baseline's normal behaviour.
//!
//! None of it can make a verdict wrong in the direction of its error bound: a wrong past only costs time, or
//! protection against bursts.

/// The baseline's normal behaviour, as its history shows it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Background {
    rate: Option<f64>,
    dispersion: f64,
    burst_ticks: usize,
    tick_seconds: f64,
    bursts: Bursts,
    pod_spread: f64,
}

/// What the past tells of bursts of failures on single pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bursts {
    /// Too little is known of it.
    #[default]
    Unknown,
    /// It is long enough, and shows none.
    None,
    /// It shows some: they may follow each other.
    Seen,
}

/// Most ticks that a burst is believed to last: an hour of seconds.
const LONGEST: usize = 3600;

fn at_least(x: f64, least: f64) -> f64 {
    if x.is_finite() { x.max(least) } else { least }
}

impl Default for Background {
    /// No history: no typical rate, independent requests, bursts within one tick, pods alike.
    fn default() -> Self {
        Self {
            rate: None,
            dispersion: 1.0,
            burst_ticks: 1,
            tick_seconds: 0.0,
            bursts: Bursts::Unknown,
            pod_spread: 0.0,
        }
    }
}

impl Background {
    /// Counts of bursts and clumps are read, and cut, over at least so many seconds.
    pub(super) const LEAST_TICK: f64 = 15.0;

    /// `rate`: typical bad rate, 0..=1. `dispersion`: variance of one pod's bad requests over that of independent
    /// ones, at least 1. `burst_ticks`: length of one pod's bursts in ticks, 1..=3600. `pod_spread`: standard
    /// deviation of the log rate between pods, at least 0. Values outside are moved to the nearest end.
    pub fn new(rate: Option<f64>, dispersion: f64, burst_ticks: usize, pod_spread: f64) -> Self {
        Self {
            rate: rate.filter(|r| r.is_finite()).map(|r| r.clamp(0.0, 1.0)),
            dispersion: at_least(dispersion, 1.0),
            burst_ticks: burst_ticks.clamp(1, LONGEST),
            pod_spread: at_least(pod_spread, 0.0),
            ..Self::default()
        }
    }

    /// The same, knowing how long the ticks of the past were, in seconds, so that scrapes of another length can be
    /// compared with them. Anything but a positive number means unknown.
    #[must_use]
    pub fn with_tick_seconds(self, seconds: f64) -> Self {
        Self {
            tick_seconds: at_least(seconds, 0.0),
            ..self
        }
    }

    /// The same, knowing what the past tells of bursts.
    #[must_use]
    pub const fn with_bursts(self, bursts: Bursts) -> Self {
        Self { bursts, ..self }
    }

    /// The same with another typical rate.
    #[must_use]
    pub fn with_rate(self, rate: f64) -> Self {
        let known = Self::new(Some(rate), 1.0, 1, 0.0);
        Self {
            rate: known.rate,
            ..self
        }
    }

    /// Typical bad rate of the baseline; `None` without history.
    pub const fn rate(&self) -> Option<f64> {
        self.rate
    }

    /// By how much failures come in clumps: 1 if they are independent.
    pub const fn dispersion(&self) -> f64 {
        self.dispersion
    }

    /// Ticks that one burst on one pod may last.
    pub const fn burst_ticks(&self) -> usize {
        self.burst_ticks
    }

    /// Seconds that one burst on one pod may last, where a scrape takes `scrape` seconds. Where no bursts are known
    /// nothing tells: a scrape.
    pub fn burst_seconds(&self, scrape: f64) -> f64 {
        if !self.lasting_bursts() {
            return scrape;
        }
        let tick = if self.tick_seconds > 0.0 {
            self.tick_seconds
        } else {
            scrape
        };
        self.burst_ticks as f64 * tick
    }

    /// Seconds of a tick of the past; 0 if unknown.
    pub const fn tick_seconds(&self) -> f64 {
        self.tick_seconds
    }

    /// Whether the past is known and shows no bursts: then what is normal can be relied on as a second opinion.
    pub const fn calm(&self) -> bool {
        matches!(self.bursts, Bursts::None) && self.rate.is_some()
    }

    /// Whether the past shows bursts on single pods.
    pub const fn bursty(&self) -> bool {
        matches!(self.bursts, Bursts::Seen)
    }

    /// Whether it is too short to tell of bursts, or not known at all.
    pub(super) const fn short(&self) -> bool {
        matches!(self.bursts, Bursts::Unknown)
    }

    /// Whether it is known how long bursts last: the past shows some, or the release itself has shown longer ones than
    /// a tick.
    pub(super) const fn lasting_bursts(&self) -> bool {
        self.bursty() || !self.calm() && self.burst_ticks > 1
    }

    /// Spread of the log rate between pods.
    pub const fn pod_spread(&self) -> f64 {
        self.pod_spread
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_past_tells_of_bursts() {
        // What is told, whether there is a rate, ticks of a burst: whether it is calm, bursty, short; whether bursts
        // last.
        for (bursts, rate, ticks, want) in [
            (Bursts::None, Some(0.01), 1, [true, false, false, false]),
            (Bursts::None, Some(0.01), 4, [true, false, false, false]),
            (Bursts::None, None, 1, [false, false, false, false]),
            (Bursts::None, None, 4, [false, false, false, true]),
            (Bursts::Seen, Some(0.01), 1, [false, true, false, true]),
            (Bursts::Seen, None, 4, [false, true, false, true]),
            (Bursts::Unknown, Some(0.01), 1, [false, false, true, false]),
            (Bursts::Unknown, None, 4, [false, false, true, true]),
        ] {
            let past = Background::new(rate, 1.0, ticks, 0.0).with_bursts(bursts);
            let seen = [past.calm(), past.bursty(), past.short(), past.lasting_bursts()];
            assert_eq!(seen, want, "{bursts:?} {rate:?} {ticks}");
        }
    }

    #[test]
    fn another_rate_leaves_all_else_as_it_was() {
        let past = Background::new(Some(0.01), 1.5, 4, 0.25)
            .with_tick_seconds(15.0)
            .with_bursts(Bursts::Seen);
        let other = Background::new(Some(0.02), 1.5, 4, 0.25)
            .with_tick_seconds(15.0)
            .with_bursts(Bursts::Seen);
        assert_eq!(past.with_rate(0.02), other);
        assert_eq!(past.with_rate(7.0).rate(), Some(1.0));
        assert_eq!(past.with_rate(f64::NAN).rate(), None);
    }
}

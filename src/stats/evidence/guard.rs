//! What a single burst of failures may do to the evidence: nothing that stays.
//!
//! How long a burst may last is known before it comes: from the service's past, or else as long as a scrape at any
//! moment, and a second at least. Three rules follow, all in units of time rather than of scrapes:
//!
//! - scrapes that are much shorter than a burst are read together;
//! - failures count only up to what chance explains, unless the trouble outlasts any burst or the other arm shares
//!   it. Fewer failures can only lower the evidence, so any such limit keeps it valid;
//! - the stretch as long as a burst that gained most is set aside. What is left is valid even if the counts of one
//!   burst are arbitrary.

use super::outage::Outage;
use super::waiting::{Patience, Waiting};
use crate::stats::background::Background;
use crate::stats::counts::{Counts, Tick};

/// Ticks that are remembered: one more than a burst may touch.
pub(in crate::stats) const REMEMBERED: usize = 6;
/// A burst is resolved into at most this many ticks.
const RESOLUTION: f64 = 4.0;
/// Shortest burst assumed possible in any service, in seconds: it bounds how quick a verdict can be with scrapes of a
/// second.
const SHORTEST: f64 = 1.0;
/// Scrapes are not quite regular: what differs by less than this share is taken for equal.
pub(super) const JITTER: f64 = 0.1;
/// The two arms, as positions.
pub(in crate::stats) const CANDIDATE: usize = 0;
pub(in crate::stats) const BASELINE: usize = 1;

/// A tick as it is remembered.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::stats) struct Seen {
    pub(in crate::stats) seconds: f32,
    /// Evidence for a regression that it brought, in nats.
    pub(in crate::stats) gain: f32,
    /// Rates of bad requests by arm.
    pub(in crate::stats) rates: [f32; 2],
}

/// The last ticks, and what a burst may have brought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::stats) struct Guard {
    pub(in crate::stats) waiting: Waiting,
    /// The newest first.
    pub(in crate::stats) last: [Seen; REMEMBERED],
    /// The largest gain of a stretch so far, in nats.
    pub(in crate::stats) largest: f32,
    /// Ticks that one burst may touch.
    pub(in crate::stats) touched: u8,
    /// Ticks that must be bad before trouble has outlasted any burst.
    pub(in crate::stats) lasting: u8,
    pub(in crate::stats) outage: Outage,
}

/// Scrapes are read together until they are this long, in seconds. Where bursts or clumps are known they were
/// measured over ticks of a certain length, and are cut as they were.
fn grain(past: &Background) -> f64 {
    if past.lasting_bursts() || (past.dispersion() > 1.0 && !past.calm()) {
        Background::LEAST_TICK.max(past.burst_seconds(0.0) / RESOLUTION)
    } else {
        SHORTEST
    }
}

impl Guard {
    /// Takes a scrape; returns what is to be read now, if it is time. How many requests come decides it, never how many fail,
    /// so no bet is chosen by what it wins.
    pub(in crate::stats) fn gather(
        &mut self,
        tick: &Tick,
        past: &Background,
        patience: Patience,
    ) -> Option<Tick> {
        let enough = grain(past) - JITTER * tick.seconds;
        if !self.waits() && tick.seconds >= enough && !patience.lasts(tick, 0.0) {
            return Some(*tick);
        }
        let waited = if self.waits() {
            self.waiting.waited + tick.seconds as f32
        } else {
            0.0
        };
        let before = self.read(tick.warming);
        let sum = Tick {
            candidate: before.candidate.plus(tick.candidate),
            baseline: before.baseline.plus(tick.baseline),
            seconds: f64::from(before.seconds as f32 + tick.seconds as f32),
            ..before
        };
        let due = sum.seconds >= enough && !patience.lasts(&sum, waited);
        match Waiting::of(&sum, waited) {
            Some(waiting) if !due => self.waiting = waiting,
            _ => return Some(sum),
        }
        None
    }

    /// Whether scrapes wait to be read together with the next ones.
    pub(in crate::stats) fn waits(&self) -> bool {
        self.waiting != Waiting::default()
    }

    /// Reads what has waited.
    pub(in crate::stats) fn read(&mut self, warming: bool) -> Tick {
        let Waiting { seconds, counts, .. } = std::mem::take(&mut self.waiting);
        let [candidate, baseline] = counts.map(|[n, x]| Counts::new(n.into(), x.into()));
        Tick {
            warming,
            ..Tick::new(candidate, baseline, f64::from(seconds))
        }
    }

    /// Remembers a tick with requests in both arms.
    pub(in crate::stats) fn remember(&mut self, tick: &Tick, past: &Background) {
        self.last.rotate_right(1);
        self.last[0] = Seen {
            seconds: tick.seconds as f32,
            gain: 0.0,
            rates: [tick.candidate, tick.baseline].map(|arm| arm.rate().unwrap_or_default() as f32),
        };
        let measured = past.burst_seconds(tick.seconds);
        // Where neither the past nor this release has shown a burst, nothing is known of when one would begin.
        let known = past.lasting_bursts();
        let own = self.within(measured.max(tick.seconds).max(SHORTEST));
        // A burst whose length was counted in such ticks touches no other one.
        let coarser = past.tick_seconds() > 0.0 && tick.seconds > 1.5 * past.tick_seconds();
        let aligned = known && !coarser;
        let touched = (own + usize::from(!aligned)).min(REMEMBERED);
        self.touched = touched as u8;
        self.lasting = (touched + usize::from(known)).min(REMEMBERED) as u8;
    }

    /// The newest ticks that last so many seconds together.
    fn within(&self, seconds: f64) -> usize {
        let enough = (1.0 - JITTER) * seconds;
        let mut sum = 0.0;
        let at = self.last.iter().position(|tick| {
            sum += f64::from(tick.seconds);
            sum >= enough
        });
        at.map_or(REMEMBERED, |at| at + 1)
    }

    /// The rate of an arm in the last tick.
    pub(in crate::stats) fn rate(&self, arm: usize) -> f64 {
        f64::from(self.last[0].rates[arm])
    }

    /// The mean rate of an arm over all ticks that are remembered.
    pub(in crate::stats) fn recent_rate(&self, arm: usize) -> f64 {
        let seconds: f32 = self.last.iter().map(|tick| tick.seconds).sum();
        let bad: f32 = self.last.iter().map(|tick| tick.seconds * tick.rates[arm]).sum();
        if seconds > 0.0 {
            f64::from(bad / seconds)
        } else {
            0.0
        }
    }

    /// The rate of an arm that has outlasted any burst.
    pub(in crate::stats) fn lasting_rate(&self, arm: usize) -> f64 {
        let rates = self.last.iter().take(usize::from(self.lasting));
        f64::from(rates.map(|t| t.rates[arm]).fold(f32::INFINITY, f32::min))
    }

    /// Trouble that lasts longer than this many seconds has outlasted any burst.
    pub(in crate::stats) fn outlasted(&self) -> f32 {
        self.last
            .iter()
            .take(usize::from(self.touched))
            .map(|t| t.seconds)
            .sum()
    }

    /// Notes what the last tick gained, and what those before it gain belatedly, in equal parts.
    pub(in crate::stats) fn gain(&mut self, nats: f64, before: f64) {
        self.last[0].gain = nats as f32;
        if before != 0.0 {
            let ticks = usize::from(self.touched).min(REMEMBERED - 1);
            for tick in &mut self.last[1..=ticks] {
                tick.gain += (before / ticks as f64) as f32;
            }
            self.note(1);
        }
        self.note(0);
    }

    /// Notes the stretch that ends with a tick.
    fn note(&mut self, newest: usize) {
        let stretch = self.last.iter().skip(newest).take(usize::from(self.touched));
        let sum: f32 = stretch.map(|t| t.gain.max(0.0)).sum();
        self.largest = self.largest.max(sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::background::Bursts;
    use crate::stats::evidence::waiting::PATIENT;

    fn tick(seconds: f64, bad: u64) -> Tick {
        Tick::new(Counts::new(100, bad), Counts::new(900, 9), seconds)
    }

    fn patient() -> Patience {
        Patience {
            seconds: PATIENT,
            beside: None,
        }
    }

    fn known(burst_ticks: usize, tick_seconds: f64, calm: bool) -> Background {
        Background::new(Some(0.001), 1.0, burst_ticks, 0.0)
            .with_tick_seconds(tick_seconds)
            .with_bursts(if calm { Bursts::None } else { Bursts::Seen })
    }

    /// After some scrapes of a length: seconds of the last tick read, ticks that a burst may touch, ticks that outlast it.
    fn after(seconds: f64, past: &Background) -> (f64, u8, u8) {
        let mut guard = Guard::default();
        let mut read = 0.0;
        for _ in 0..200 {
            if let Some(tick) = guard.gather(&tick(seconds, 1), past, patient()) {
                guard.remember(&tick, past);
                read = tick.seconds;
            }
        }
        (read, guard.touched, guard.lasting)
    }

    #[test]
    fn bursts_are_measured_in_time_not_in_scrapes() {
        let unknown = Background::default();
        // As long as a scrape, at any moment.
        assert_eq!(after(60.0, &unknown), (60.0, 2, 2));
        assert_eq!(after(15.0, &unknown), (15.0, 2, 2));
        assert_eq!(after(5.0, &unknown), (5.0, 2, 2));
        assert_eq!(after(1.0, &unknown), (1.0, 2, 2));
        assert_eq!(after(0.5, &unknown), (1.0, 2, 2));
        assert_eq!(after(5.0, &known(1, 15.0, true)), (5.0, 2, 2));
        // A past too short to tell of bursts says nothing of them; clumps are read over the ticks that showed them.
        let short = |dispersion| Background::new(Some(0.001), dispersion, 1, 0.0).with_tick_seconds(15.0);
        assert_eq!(after(1.0, &short(1.0)), (1.0, 2, 2));
        assert_eq!(after(1.0, &short(1.5)), (15.0, 2, 2));
        // Known bursts: a minute, however often one looks.
        assert_eq!(after(15.0, &known(4, 15.0, false)), (15.0, 4, 5));
        assert_eq!(after(5.0, &known(4, 15.0, false)), (15.0, 4, 5));
        assert_eq!(after(1.0, &known(4, 15.0, false)), (15.0, 4, 5));
        assert_eq!(after(60.0, &known(4, 15.0, false)), (60.0, 2, 3));
        // Longer ones are resolved more coarsely, and may then touch one tick more.
        assert_eq!(after(15.0, &known(8, 15.0, false)), (30.0, 5, 6));
        assert_eq!(after(15.0, &known(100, 15.0, false)), (375.0, 5, 6));
        assert_eq!(after(15.0, &known(1, 15.0, false)), (15.0, 1, 2));
        // Its ticks are as coarse as half as much again: from there on a burst may touch one more.
        assert_eq!(after(20.0, &known(4, 15.0, false)), (20.0, 3, 4));
        assert_eq!(after(22.5, &known(4, 15.0, false)), (22.5, 3, 4));
        assert_eq!(after(23.0, &known(4, 15.0, false)), (23.0, 4, 5));
        // A past whose ticks are not known to be of another length.
        assert_eq!(after(15.0, &known(3, 0.0, false)), (15.0, 3, 4));
    }

    #[test]
    fn scrapes_that_are_read_together_keep_all_counts() {
        let past = known(1, 15.0, false);
        let mut guard = Guard::default();
        assert_eq!(guard.gather(&tick(6.0, 3), &past, patient()), None);
        assert_eq!(guard.gather(&tick(6.0, 4), &past, patient()), None);
        let read = guard.gather(&tick(3.0, 5), &past, patient()).unwrap();
        assert_eq!(
            (read.candidate, read.baseline),
            (Counts::new(300, 12), Counts::new(2_700, 27))
        );
        assert!((read.seconds - 15.0).abs() < 1e-9 && !read.warming);
        assert_eq!(guard.waiting, Waiting::default());
        assert_eq!(
            guard.gather(&tick(14.6, 1), &past, patient()),
            Some(tick(14.6, 1))
        );
        let _ = guard.gather(&tick(1.0, 1), &past, patient());
        assert!(guard.read(true).warming);
    }

    #[test]
    fn requests_of_one_arm_wait_for_those_of_the_other() {
        let past = Background::default();
        let mine = |bad| Tick::new(Counts::new(75, bad), Counts::default(), 15.0);
        let theirs = Tick::new(Counts::default(), Counts::new(675, 1), 15.0);
        let nothing = Tick::new(Counts::default(), Counts::default(), 15.0);
        let mut guard = Guard::default();
        assert_eq!(guard.gather(&nothing, &past, patient()), Some(nothing));
        assert_eq!(guard.gather(&mine(38), &past, patient()), None);
        assert_eq!(guard.gather(&nothing, &past, patient()), None);
        let both = guard.gather(&theirs, &past, patient());
        let pair = (Counts::new(75, 38), Counts::new(675, 1));
        assert_eq!(both, Some(Tick::new(pair.0, pair.1, 45.0)));
        // Not for ever: ten looks without the other arm are read as they are.
        let read = (0..10).map(|_| guard.gather(&mine(0), &past, patient()));
        let read: Vec<_> = read.collect();
        assert!(
            read[..9].iter().all(Option::is_none) && read[9].is_some(),
            "{read:?}"
        );
        // Whoever has no other arm waits for none.
        assert_eq!(guard.gather(&mine(3), &past, Patience::default()), Some(mine(3)));
    }

    #[test]
    fn trouble_lasts_only_when_every_tick_shows_it() {
        let past = Background::default();
        let mut guard = Guard::default();
        for (bad, lasting) in [(50, 0.0), (40, 0.4), (60, 0.4), (0, 0.0), (60, 0.0), (70, 0.6)] {
            guard.remember(&tick(15.0, bad), &past);
            assert!((guard.lasting_rate(CANDIDATE) - lasting).abs() < 1e-6, "{bad}");
            assert!((guard.rate(BASELINE) - 0.01).abs() < 1e-6);
        }
        assert!((guard.outlasted() - 30.0).abs() < 1e-6);
    }

    #[test]
    fn the_stretch_that_gained_most_is_known() {
        let past = Background::default();
        let mut guard = Guard::default();
        let mut largest = Vec::new();
        for gain in [1.0, -5.0, 2.0, 3.0, -1.0, 4.0, 0.5] {
            guard.remember(&tick(15.0, 1), &past);
            guard.gain(gain, 0.0);
            largest.push(guard.largest);
        }
        assert_eq!(largest, [1.0, 1.0, 2.0, 5.0, 5.0, 5.0, 5.0]);
        // What came late belongs to the ticks before: half of 8 each to 4.0 and 0.5, and the pair of them counts too.
        guard.remember(&tick(15.0, 1), &past);
        guard.gain(0.25, 8.0);
        assert!((guard.last[1].gain - 4.5).abs() < 1e-6 && (guard.last[2].gain - 8.0).abs() < 1e-6);
        assert!((guard.largest - 12.5).abs() < 1e-6);
    }

    #[test]
    fn what_came_late_goes_to_all_ticks_that_are_remembered_at_most() {
        let mut guard = Guard {
            touched: REMEMBERED as u8,
            ..Guard::default()
        };
        guard.gain(0.0, 10.0);
        let mut gains: Vec<f32> = guard.last.iter().map(|tick| tick.gain).collect();
        gains.push(guard.largest);
        assert_eq!(gains, [0.0, 2.0, 2.0, 2.0, 2.0, 2.0, 10.0]);
    }
}
